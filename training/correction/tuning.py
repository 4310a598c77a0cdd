"""How the keys of a finished bank shall be tuned, so that they sound at the pitch of their recordings.

Training measures the tuning of recordings. What comes out may be off it: vibrato, beats and partials that are no exact
multiples move what is heard as the pitch. Noises have no pitch to be measured, but a SoundFont says how far each key
transposes them, which is often less than a semitone from key to key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import numpy as np

from ...engine.arrays import FloatArray
from ...engine.bank.instruments import BankInstrument, Tuning
from ...engine.bank.manifest import MAX_CENTS
from ...engine.keys.stored.npz import NUM_KEYS
from ..measure.hearing import HEARING_RATE
from ..measure.recording import HELD_OUT_VELOCITY, is_held_out_key
from ..sources.soundfont_zones import SEMITONE, Zone
from ..validation.pitch_judge import PitchJudge
from ..validation.rendered import NoteRenderer
from .levels import spread

LOWEST, HIGHEST = 36, 92
"""Keys whose pitch the tracker follows."""
MOST_KEYS = 5
"""Keys that are measured of those that are heard from one recording."""
HOLD_S: Final = 1.45
FARTHEST_CENTS: Final = 30.0
"""What seems to be further off is another partial, or one of two tones that beat."""
LASTS_DB: Final = -20.0
"""What ends further below its beginning is too short to be followed."""
LEAST_CENTS: Final = 1.5
"""What is nearer stays as it is: trackers are no finer."""

Recorded = Callable[[int, int, float], FloatArray]
"""The recording at `HEARING_RATE` of a key and a velocity that is held for so many seconds."""
HeardKey = Callable[[int], float]
"""The recorded key that a key is heard from."""


def measured_errors(
    instrument: BankInstrument, renderer: NoteRenderer, recorded: Recorded, judge: PitchJudge, heard_key: HeardKey
) -> dict[int, float]:
    """Return by how many cents some keys of an instrument sound too high; held-out keys are left out."""
    found: dict[int, float] = {}
    for key in _measured_keys(instrument, heard_key):
        recording = recorded(key, HELD_OUT_VELOCITY, HOLD_S)
        if _end_db(recording) < LASTS_DB:
            continue
        audio = renderer.render(instrument, key, HELD_OUT_VELOCITY, HOLD_S, round(HOLD_S * HEARING_RATE))
        cents = judge.cents_between(audio, recording, HEARING_RATE)
        if np.isfinite(cents) and abs(cents) <= FARTHEST_CENTS:
            found[key] = cents
    return found


def _measured_keys(instrument: BankInstrument, heard_key: HeardKey) -> list[int]:
    """Return which keys of an instrument are measured: a few of those that are heard from each recorded key."""
    keys = range(max(instrument.low, LOWEST), min(instrument.high, HIGHEST) + 1)
    alike = _alike([key for key in keys if not is_held_out_key(key)], heard_key)
    return [key for some in alike.values() for key in spread(some, MOST_KEYS)]


def _alike(keys: Iterable[int], heard_key: HeardKey) -> dict[float, list[int]]:
    """Return keys by the recorded key that they are heard from."""
    found: dict[float, list[int]] = {}
    for key in sorted(keys):
        found.setdefault(heard_key(key), []).append(key)
    return found


def _end_db(audio: FloatArray) -> float:
    """Return how far a fifth of a second at the end of a note is below one at its beginning."""
    begin, end = (float((audio[round(at_s * HEARING_RATE) :][: HEARING_RATE // 5] ** 2).mean()) for at_s in (0.2, 1.25))
    return float(10.0 * np.log10((end + 1e-12) / (begin + 1e-12)))


def corrected(tuning: Tuning, errors: Mapping[int, float], heard_key: HeardKey) -> Tuning:
    """Return a tuning without the mean of what was measured on keys that are heard from one recorded key.

    How far single keys are off it is chance: where beats and vibrato happen to be.
    """
    off = {root: float(np.mean([errors[key] for key in keys])) for root, keys in _alike(errors, heard_key).items()}
    keys = range(min(tuning.keys[0], *errors), max(tuning.keys[-1], *errors) + 1) if errors else tuning.keys
    pairs = [(tuning.at(key), off.get(heard_key(key), 0.0)) for key in keys]
    cents, stretch = [round(own - moved, 2) for (own, _), moved in pairs], [own for (_, own), _ in pairs]
    return Tuning(tuple(keys), tuple(cents), tuple(stretch))


def moved_to(tuning: Tuning, before: HeardKey, now: HeardKey) -> Tuning:
    """Return a tuning whose keys that are heard from another recorded key than before are tuned as that is."""
    keys = range(NUM_KEYS)
    pairs = [tuning.at(key if before(key) == now(key) else now(key)) for key in keys]
    cents, stretch = zip(*pairs, strict=True)
    return Tuning(tuple(keys), cents, stretch)


def is_off(errors: Mapping[int, float]) -> bool:
    """Tell whether what was measured is worth a correction."""
    return any(abs(cents) >= LEAST_CENTS for cents in errors.values())


def transposed_tuning(zones: Sequence[Zone], low: int, high: int, heard_key: HeardKey) -> Tuning:
    """Return the tuning of a sound without a pitch, by what a SoundFont transposes its keys."""
    keys = range(low, high + 1)
    cents = [_moved(_scale_of(zones, key), key - heard_key(key)) for key in keys]
    return Tuning(tuple(keys), tuple(cents), (0.0,) * len(keys)) if any(cents) else Tuning()


def _scale_of(zones: Sequence[Zone], key: int) -> int:
    """Return the cents from key to key of the zone that a key is in, or of the nearest one."""
    nearest = min(zones, key=lambda one: max(one.low - key, key - one.high, 0), default=None)
    return SEMITONE if nearest is None else nearest.scale_cents


def _moved(scale_cents: int, keys: float) -> float:
    """Return how much higher than its key a sound is, so many keys above the recorded one."""
    return float(np.clip(round((scale_cents - SEMITONE) * keys, 2), -MAX_CENTS, MAX_CENTS))
