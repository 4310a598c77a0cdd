"""Measuring by how much recorded notes fall once their keys are let go, and writing it into an instrument.

A sampler goes on with a note as if it were held, and takes its level down in a line of decibels. Where a recording does
so, its key gets that rate, and the engine lets go of it likewise (`engine.voices.endings`). The rates of an instrument
are kept where notes with them are, as ears judge it, no further from their recordings than as the growth ends them.
Letters: T windows, N samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import cycle
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ...engine.arrays import FloatArray
from ...engine.bank.bank import Bank
from ...engine.instrument_files import InstrumentFile
from ...engine.keys.parts import correction_of, with_correction
from ...engine.keys.stored.releases import HIGHEST, NONE, VELOCITIES, coded_releases, no_releases
from ...engine.models.growth_model import OnnxGrowthModel
from ..validation.rendered import RecordedNote, Rendered, distances, rendered_by
from .instrument_growth import Recorded

Rates = Sequence[float]
"""At `engine.keys.stored.releases.VELOCITIES`, in dB a second."""
HOLDS_S: Final = (1.5, 0.4, 0.15)
"""What is silent after the first of these is let go earlier."""
TAIL_S: Final = 0.8
WINDOW_S: Final = 0.03
QUIETEST_DB: Final = -85.0
"""Below that a recording is rounding."""
AUDIBLE_DB: Final = -60.0
"""A note that is softer when it is let go tells nothing."""
DEEPEST_DB: Final = 50.0
"""So far below what is held a fall is followed."""
SILENCED_DB, NOISE_DB = 35.0, 6.0
"""A recording that ends so far below what is held may end in its noise; nearer to that nothing is told."""
MOST_OFF_DB: Final = 1.5
"""By so much a fall may be off a line, in the mean."""
ROUNDS: Final = 30
SUSTAINS_DB: Final = -20.0
"""What is no further below its loudest when it is let go sustains."""
MOST_JUDGED: Final = 12
PLAYED: Final = range(36, 97)
"""Keys that judge: beyond them hardly any music is, and all is far from its recordings, so that chance decides."""
JUDGED: Final = ((84, 1.5), (64, 0.4), (112, 1.5), (84, 0.4))
"""Velocities and how long notes are held, in turns: what was measured on long notes must do for short ones."""
MOST_WORSE, LEAST_MOVED = 1.03, 0.00005
"""How much further the judged notes of an instrument may come to be, by ratio and beyond that by distance: a few
notes move by as much where nobody hears a difference."""


def with_releases(
    file: InstrumentFile, bank: Bank, growth: OnnxGrowthModel, recorded: Recorded, pitched: bool
) -> InstrumentFile:
    """Return an instrument with the rates of its releases; those that it has are measured anew.

    Drums, and other sounds without a pitch that do not sustain, are left to their growth.

    Parameters
    ----------
    file : InstrumentFile
    bank : what it belongs to: its decoder renders the notes, the usual one of the representation
    growth : of the bank; gets to know the instrument, without rates and with them
    recorded : what is to be met, at the growth's sample rate
    pitched : whether the instrument has a pitch
    """
    correction = correction_of(file.table, file.facts.name)
    if correction is None or file.facts.is_drums:
        return file
    rate, keys = growth.spec.sample_rate, correction.key.tolist()
    rates = [_recorded_rates(recorded, key, rate, pitched) for key in keys]
    known = [key for key, one in zip(keys, rates, strict=True) if one is not None]
    turns = zip(_spread([key for key in known if key in PLAYED] or known), cycle(JUDGED), strict=False)
    notes = [RecordedNote(key, *how, recorded(key, *how, TAIL_S)) for key, how in turns]
    return judged(with_rates(file, rates), notes, rendered_by(bank, growth), rate)


def _spread(keys: Sequence[int]) -> list[int]:
    """Return some of keys, spread over them."""
    places = np.linspace(0, len(keys) - 1, min(MOST_JUDGED, len(keys))).round().astype(int)
    return [keys[place] for place in places.tolist()]


def with_rates(file: InstrumentFile, rates: Sequence[Rates | None]) -> InstrumentFile:
    """Return an instrument whose corrected keys fall by rates; None where the growth ends a key."""
    name = file.facts.name
    correction = correction_of(file.table, name)
    assert correction is not None
    coded = np.zeros((len(rates), len(NONE)), np.int16)
    for row, own in enumerate(rates):
        if own is not None:
            coded[row] = coded_releases(np.array(own))
    changed = replace(correction, release_rates=coded if coded.any() else no_releases())
    return replace(file, table=with_correction(file.table, name, changed))


def judged(file: InstrumentFile, notes: Sequence[RecordedNote], rendered: Rendered, sample_rate: int) -> InstrumentFile:
    """Return an instrument with its rates, or without where some notes are further from their recordings with them."""
    correction = correction_of(file.table, file.facts.name)
    if correction is None or not correction.release_rates.any():
        return file
    plain = with_rates(file, [None] * len(correction.key))
    before, after = (distances(notes, rendered(one, notes), sample_rate) for one in (plain, file))
    return file if sum(after) <= MOST_WORSE * sum(before) + LEAST_MOVED * len(notes) else plain


def _recorded_rates(recorded: Recorded, key: int, sample_rate: int, pitched: bool) -> list[float] | None:
    """Return the rates of a key's releases; None where a note has none, or is over before it could be let go."""
    found = [_recorded_rate(recorded, key, velocity, sample_rate, pitched) for velocity in VELOCITIES]
    known = [one for one in found if one is not None]
    return known if len(known) == len(found) else None


def _recorded_rate(recorded: Recorded, key: int, velocity: int, sample_rate: int, pitched: bool) -> float | None:
    for hold_s in HOLDS_S:
        held = recorded(key, velocity, hold_s + TAIL_S, 0.0)
        levels_db = _levels_db(held, sample_rate)
        if not pitched and levels_db[int(hold_s / WINDOW_S) - 1] < levels_db.max() + SUSTAINS_DB:
            return None
        if is_audible(held, hold_s, sample_rate):
            return release_rate(recorded(key, velocity, hold_s, TAIL_S), held, hold_s, sample_rate)
    return None


def is_audible(held: FloatArray, hold_s: float, sample_rate: int) -> bool:
    """Tell whether a note is still loud enough after some seconds to tell how it falls."""
    levels_db = _levels_db(held, sample_rate)
    at = int(hold_s / WINDOW_S) - 1
    return bool(0 <= at < len(levels_db) and levels_db[at] >= AUDIBLE_DB)


def release_rate(released: FloatArray, held: FloatArray, hold_s: float, sample_rate: int) -> float | None:
    """Return by how much a note that is let go falls beside the same note held on, in dB a second.

    None where it does not fall in a line, or is over before. What is gone at once has the highest rate.

    Parameters
    ----------
    released, held : float32 (N,) and (M,), beginning at the same moment
    hold_s : seconds from onset to release
    """
    first = round(hold_s * sample_rate)
    levels_db = _levels_db(released[first:], sample_rate)
    fall_db = _levels_db(held[first:], sample_rate)[: len(levels_db)]
    levels_db = levels_db[: len(fall_db)]
    fall_db = fall_db - levels_db
    if not levels_db.size or not is_audible(held, hold_s, sample_rate):
        return None
    noise_db = levels_db[-1] + NOISE_DB if fall_db[-1] > SILENCED_DB else QUIETEST_DB
    is_lost = (levels_db < max(QUIETEST_DB, noise_db)) | (fall_db > DEEPEST_DB)
    followed = fall_db[: int(np.argmax(is_lost)) if is_lost.any() else None]
    if not followed.size:
        return HIGHEST
    at_s = (np.arange(len(followed)) + 0.5) * WINDOW_S
    rate, off_db = 0.0, followed
    for _ in range(ROUNDS):  # least squares, by Gauss and Newton
        rise_db, steeper = _rise_db(rate)
        off_db = followed + rise_db - rate * at_s
        slope = steeper - at_s
        rate = float(np.clip(rate - off_db @ slope / (slope @ slope), -HIGHEST, HIGHEST))
    is_line = float(np.sqrt(np.mean(off_db**2))) <= MOST_OFF_DB
    return rate if is_line or rate == HIGHEST else None


def _rise_db(rate: float) -> tuple[float, float]:
    """Return how much louder a window is in the mean than in its middle where it falls by a rate, and its slope."""
    x = rate * WINDOW_S * np.log(10.0) / 20.0
    if abs(x) < 1e-4:
        return 0.0, 0.0
    return float(10.0 * np.log10(np.sinh(x) / x)), float(0.5 * WINDOW_S * (1.0 / np.tanh(x) - 1.0 / x))


def _levels_db(audio: FloatArray, sample_rate: int) -> NDArray[np.float64]:
    """Return the levels of a sound in whole windows, (T,)."""
    width = round(WINDOW_S * sample_rate)
    windows = audio[: len(audio) // width * width].reshape(-1, width).astype(np.float64)
    return np.asarray(10.0 * np.log10(np.square(windows).mean(1) + 1e-14))
