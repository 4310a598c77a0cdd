"""A take becomes notes: sounds between boundaries, those of one note joined, those without a pitch left out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from ....engine.arrays import FloatArray
from ....errors import AudioFileError
from ...sources.audio.envelope import onset
from ...sources.audio.pitch import detect_pitch
from .boundaries import Track, attacks, changes, track_pitch
from .curves import HOP, HOP_S, RATE, Curves, measure

AUDIBLE_OVER_NOISE_DB: Final = 10.0
ENDS_OVER_NOISE_DB: Final = 5.0
GAP_S: Final = 0.05
LEAST_SOUND_S: Final = 0.03
LEAST_NOTE_S: Final = 0.1
ATTACK_S: Final = 0.03
LEAST_VOICED: Final = 0.4
SAME_KEY: Final = 0.6
MOST_SPREAD: Final = 0.45
"""Semitones, of the middle half of the pitches of a note: vibrato stays below, speech does not."""
FAINT_DB: Final = 30.0
"""A note so far below the loudest ones is a ghost of another: a string that rings along."""


@dataclass(frozen=True)
class Span:
    """A stretch of a take.

    Attributes
    ----------
    begin, end : samples at `RATE`
    heard : MIDI number with a fraction, nan where it has no pitch
    spread : semitones that the middle half of its pitches spans
    level_db : of its loudest 20 ms
    attack : how clearly it sets in; below 1 it goes on from what is before it
    """

    begin: int
    end: int
    heard: float
    spread: float
    level_db: float
    attack: float

    @property
    def is_pitched(self) -> bool:
        """Whether it holds one steady pitch."""
        return bool(np.isfinite(self.heard)) and self.spread <= MOST_SPREAD

    @property
    def seconds(self) -> float:
        """How long it is."""
        return (self.end - self.begin) / RATE


@dataclass(frozen=True)
class Refused:
    """A sound in a take that is no note: its second and the reason."""

    at_s: float
    reason: str


def split(audio: FloatArray) -> tuple[list[Span], list[Refused]]:
    """Find the notes of a take, float32 (N,) at `RATE`; each ends where the next begins or where it has died away."""
    curves = measure(audio)
    track = track_pitch(audio)
    starts = attacks(curves)
    notes: list[Span] = []
    refused: list[Refused] = []
    for begin, end in _sounds(curves):
        inside = _boundaries(begin, end, starts, changes(track))
        spans = [_span(audio, curves, track, a, b, starts.get(a, 0.0)) for a, b in inside]
        found = _joined(spans)
        good = [one for one in found if one.is_pitched and one.seconds >= LEAST_NOTE_S]
        notes += good
        refused += [Refused(one.begin / RATE, _why(one)) for one in found if one not in good and _matters(one, good)]
    return _without_ghosts(notes, refused)


def _sounds(curves: Curves) -> Iterator[tuple[int, int]]:
    """Yield the frames between which something sounds, small gaps included."""
    loud = curves.level_db >= curves.floor_db + AUDIBLE_OVER_NOISE_DB
    still = curves.level_db >= curves.floor_db + ENDS_OVER_NOISE_DB
    edges = np.flatnonzero(np.diff(np.concatenate([[False], still, [False]]).astype(int)))
    spans = [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]
    merged: list[tuple[int, int]] = []
    for a, b in spans:
        if merged and (a - merged[-1][1]) * HOP_S < GAP_S:
            merged[-1] = (merged[-1][0], b)
        else:
            merged.append((a, b))
    yield from ((a, b) for a, b in merged if loud[a:b].any() and (b - a) * HOP_S >= LEAST_SOUND_S)


def _boundaries(begin: int, end: int, starts: dict[int, float], turns: Sequence[int]) -> list[tuple[int, int]]:
    """Return the stretches between the boundaries within a sound; a turn of pitch near an attack is that attack's."""
    near = 0.08 / HOP_S
    own = [t for t in starts if begin - near / 2 <= t < end]
    own += [t for t in turns if begin + near < t < end - near / 2 and all(abs(t - other) > near for other in own)]
    places = sorted({*(max(begin, t) for t in own), begin})
    if len(places) > 1 and (places[1] - begin) < near / 2:
        places.pop(0)
    return list(zip(places, [*places[1:], end], strict=True))


def _span(audio: FloatArray, curves: Curves, track: Track, begin: int, end: int, attack: float) -> Span:
    level = float(curves.level_db[begin:end].max())
    keys = track.part(begin * HOP_S + ATTACK_S, end * HOP_S)
    loud = curves.level_db[begin:end] >= level - 25.0
    last = begin + int(np.flatnonzero(loud)[-1]) + 1
    heard, spread = _pitch(audio, track, begin, last)
    del keys
    return Span(begin * HOP, end * HOP, heard, spread, level, attack)


def _pitch(audio: FloatArray, track: Track, begin: int, end: int) -> tuple[float, float]:
    """Return (key, spread) of a stretch; by its period where the track knows too little."""
    keys = track.part(begin * HOP_S + ATTACK_S, end * HOP_S)
    known = keys[np.isfinite(keys)]
    if len(known) >= max(3, LEAST_VOICED * len(keys)):
        low, middle, high = np.percentile(known, [25, 50, 75])
        return float(middle), float(high - low)
    part = audio[begin * HOP : end * HOP]
    if len(part) >= LEAST_NOTE_S * RATE:
        try:
            pitch = detect_pitch(part, RATE)
            return pitch.key + pitch.cents / 100, 0.0
        except AudioFileError:
            pass
    return float("nan"), 0.0


def _joined(spans: list[Span]) -> list[Span]:
    """Join what belongs to one note: its tail, what goes on at its pitch without an attack, noise before its tone."""
    joined: list[Span] = []
    for span in spans:
        last = joined[-1] if joined else None
        if last is None:
            joined.append(span)
        elif _goes_on(last, span):
            joined[-1] = replace(last, end=span.end, level_db=max(last.level_db, span.level_db))
        elif _leads_in(last, span):
            joined[-1] = replace(span, begin=last.begin, attack=last.attack)
        else:
            joined.append(span)
    return joined


def _goes_on(last: Span, span: Span) -> bool:
    """Tell whether a stretch is the rest of the note before it."""
    if span.attack >= 1:
        return last.is_pitched and not span.is_pitched and span.level_db < last.level_db - 6.0
    if not span.is_pitched or span.seconds < LEAST_NOTE_S:
        return last.is_pitched
    off = span.heard - last.heard
    is_octave = abs(off - 12 * round(off / 12)) < SAME_KEY
    return last.is_pitched and (abs(off) < SAME_KEY or (is_octave and span.level_db < last.level_db - 3.0))


def _leads_in(last: Span, span: Span) -> bool:
    """Tell whether the stretch before a tone is the noise with which it begins."""
    return span.is_pitched and not last.is_pitched and last.seconds < 0.15 and last.level_db <= span.level_db + 6.0


def _why(span: Span) -> str:
    if span.is_pitched:
        return f"too short: {1000 * span.seconds:.0f} ms, expected at least {1000 * LEAST_NOTE_S:.0f} ms"
    if np.isfinite(span.heard):
        return f"unsteady: its pitch wanders by {span.spread:.1f} semitones within {span.seconds:.1f} s; speech?"
    return f"unpitched: {span.seconds:.1f} s without a steady pitch"


def _matters(span: Span, notes: Sequence[Span]) -> bool:
    """Tell whether a sound is worth naming: the last breath of a note is not."""
    return span.attack >= 1 or not notes


def _without_ghosts(notes: list[Span], refused: list[Refused]) -> tuple[list[Span], list[Refused]]:
    if not notes:
        return notes, refused
    least = float(np.percentile([one.level_db for one in notes], 80)) - FAINT_DB
    faint = [one for one in notes if one.level_db < least]
    reason = f"faint: over {FAINT_DB:g} dB below most notes"
    return [one for one in notes if one.level_db >= least], sorted(
        [*refused, *(Refused(one.begin / RATE, reason) for one in faint)], key=lambda one: one.at_s
    )


def begins(audio: FloatArray, notes: Sequence[Span]) -> list[int]:
    """Return where each note sets in, to the sample where nothing sounds before it."""
    found = []
    for i, note in enumerate(notes):
        before = notes[i - 1].end if i else 0
        if note.begin - before > 0.03 * RATE:
            low = max(before, note.begin - int(0.08 * RATE))
            found.append(low + onset(audio[low : note.end], RATE))
        else:
            found.append(note.begin)
    return found
