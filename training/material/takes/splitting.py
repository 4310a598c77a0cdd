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
from .boundaries import APART_S, BEAT_S, TRACK_S, Track, changes, dips, strikes, track_pitch
from .curves import HOP, HOP_S, RATE, Curves, measure
from .turns import is_struck_anew, settle

AUDIBLE_OVER_NOISE_DB: Final = 10.0
ENDS_OVER_NOISE_DB: Final = 5.0
GAP_S: Final = 0.05
LEAST_SOUND_S: Final = 0.03
LEAST_NOTE_S: Final = 0.1
ATTACK_S: Final = 0.03
LEAST_VOICED: Final = 0.4
REST_S: Final = 0.03
EARLIER_S: Final = 0.03
SAME_KEY: Final = 0.6
MOST_SPREAD: Final = 0.45
"""Semitones, of the middle half of the pitches of a note: vibrato stays below, speech does not."""
ECHO_DB: Final = 10.0
LOUD_PART_DB: Final = 25.0
SYLLABLE_S, SPEECH_S, LEAST_AROUND = 0.3, 1.0, 2
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
    is_struck : whether it sets in with a rise of much of the spectrum
    """

    begin: int
    end: int
    heard: float
    spread: float
    level_db: float
    attack: float
    is_struck: bool = False

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
    track = track_pitch(audio)
    curves = measure(audio, track.confidence, TRACK_S)
    starts = _Starts(strikes(curves), dips(curves), changes(track))
    notes: list[Span] = []
    refused: list[Refused] = []
    for begin, end in _sounds(curves):
        spans = [_span(audio, curves, track, *one, one[0] in starts.strikes) for one in starts.within(begin, end)]
        found = _joined(audio, spans)
        good = [one for one in found if one.is_pitched and one.seconds >= LEAST_NOTE_S]
        notes += good
        refused += [Refused(one.begin / RATE, _why(one)) for one in found if one not in good and _matters(one, good)]
    return _without_ghosts(*_without_speech(notes, refused))


@dataclass(frozen=True)
class _Starts:
    """Frames at which something may begin: strikes and dips with how clear they are, and turns of the pitch."""

    strikes: dict[int, float]
    dips: dict[int, float]
    turns: Sequence[int]

    def within(self, begin: int, end: int) -> list[tuple[int, int, float]]:
        """Return (begin, end, attack) of the stretches of a sound.

        A turn near a strike is that strike's. A dip soon after something began is that sound's own: strings and
        voices beat.
        """
        near, after = APART_S / HOP_S, BEAT_S / HOP_S
        own = {t: clear for t, clear in self.strikes.items() if begin - near / 2 <= t < end}
        if not any(t < begin + near / 2 for t in own):
            own[begin] = 1.0
        turns = [t for t in self.turns if begin + near < t < end - near / 2]
        own |= {t: 0.0 for t in turns if all(abs(t - other) > near for other in own)}
        for t in sorted(self.dips):
            if not begin + near < t < end - near / 2:
                continue
            close = [other for other in own if abs(other - t) <= near]
            if any(own[other] >= 1 for other in close):
                continue
            if close:  # a turn in a dip is a new breath
                for other in close:
                    del own[other]
                own[t] = self.dips[t]
            elif not any(0 <= t - other < after for other in own):
                own[t] = self.dips[t]
        places = sorted(own)
        return [(max(a, begin), b, own[a]) for a, b in zip(places, [*places[1:], end], strict=True)]


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


def _span(
    audio: FloatArray, curves: Curves, track: Track, begin: int, end: int, attack: float, is_struck: bool
) -> Span:
    level = float(curves.level_db[begin:end].max())
    loud = curves.level_db[begin:end] >= level - LOUD_PART_DB
    heard, spread = _pitch(audio, track, begin, begin + int(np.flatnonzero(loud)[-1]) + 1)
    return Span(begin * HOP, end * HOP, heard, spread, level, attack, is_struck)


def _pitch(audio: FloatArray, track: Track, begin: int, end: int) -> tuple[float, float]:
    """Return (key, spread) of a stretch: by its period, or by the track where that is not the same throughout."""
    by_period = _period(audio[begin * HOP : end * HOP])
    if by_period is not None:
        return by_period, 0.0
    keys = track.part(begin * HOP_S + ATTACK_S, end * HOP_S)
    known = keys[np.isfinite(keys)]
    if len(known) < max(3, LEAST_VOICED * len(keys)):
        return float("nan"), 0.0
    middle = float(np.median(known))
    low, centre, high = np.percentile(known - 12 * np.rint((known - middle) / 12), [25, 50, 75])
    return float(centre), float(high - low)


def _period(audio: FloatArray) -> float | None:
    """Return the pitch of a stretch by its period, None where it is short or has none."""
    if len(audio) < LEAST_NOTE_S * RATE:
        return None
    try:
        pitch = detect_pitch(audio, RATE)
    except AudioFileError:
        return None
    return pitch.key + pitch.cents / 100


def _joined(audio: FloatArray, spans: list[Span]) -> list[Span]:
    """Join what belongs to one note: its tail, what goes on at its pitch without an attack, noise before its tone."""
    joined: list[Span] = []
    for span in spans:
        last = joined[-1] if joined else None
        if last is None:
            joined.append(span)
        elif _goes_on(audio, last, span):
            joined[-1] = replace(last, end=span.end, level_db=max(last.level_db, span.level_db))
        elif _leads_in(last, span):
            joined[-1] = replace(span, begin=last.begin, attack=last.attack, is_struck=last.is_struck)
        else:
            joined.append(span)
    return joined


def _goes_on(audio: FloatArray, last: Span, span: Span) -> bool:
    """Tell whether a stretch is the rest of the note before it."""
    if not last.is_pitched:
        return False
    if not span.is_pitched or span.seconds < LEAST_NOTE_S:
        return span.attack < 1 or span.level_db < last.level_db - 6.0
    off = span.heard - last.heard
    if span.attack < 1:
        return abs(off) < SAME_KEY or _is_overtone(audio, last, span)
    if abs(off) >= SAME_KEY:
        return False
    if span.is_struck:
        return not is_struck_anew(audio, span.begin, span.heard)
    return span.level_db < last.level_db - ECHO_DB


def _is_overtone(audio: FloatArray, last: Span, span: Span) -> bool:
    """Tell whether a turn of the pitch is none: the tracker takes a partial for it now and then."""
    before, after = (_period(audio[one.begin : one.end]) for one in (last, span))
    if before is not None and after is not None:
        return abs(after - before) < SAME_KEY
    off = span.heard - last.heard
    return abs(off - 12 * round(off / 12)) < SAME_KEY


def _leads_in(last: Span, span: Span) -> bool:
    """Tell whether the stretch before a tone is the noise with which it begins."""
    return span.is_pitched and not last.is_pitched and last.seconds < 0.15 and last.level_db <= span.level_db + 6.0


def _why(span: Span) -> str:
    if span.is_pitched:
        return f"too short: {1000 * span.seconds:.0f} ms, expected at least {1000 * LEAST_NOTE_S:.0f} ms"
    if np.isfinite(span.heard):
        return f"unsteady: its pitch wanders by {span.spread:.1f} semitones within {span.seconds:.1f} s; speech?"
    return f"unpitched: {1000 * span.seconds:.0f} ms without a steady pitch"


def _matters(span: Span, notes: Sequence[Span]) -> bool:
    """Tell whether a sound is worth naming: the last breath of a note is not."""
    return span.attack >= 1 or not notes


def _without_speech(notes: list[Span], refused: list[Refused]) -> tuple[list[Span], list[Refused]]:
    """Leave out short notes among sounds that are none: syllables that kept their pitch for once."""
    at_s = np.array([one.at_s for one in refused])
    kept = []
    for note in notes:
        begin_s = note.begin / RATE
        around = np.count_nonzero(np.abs(at_s - begin_s) < SPEECH_S) if len(at_s) else 0
        if note.seconds < SYLLABLE_S and around >= LEAST_AROUND:
            refused = [*refused, Refused(begin_s, f"short: {note.seconds:.2f} s among sounds without a pitch; speech?")]
        else:
            kept.append(note)
    return kept, refused


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
    """Return where each note sets in: out of silence, out of a strike, or out of the note before it."""
    found = []
    for i, note in enumerate(notes):
        last = notes[i - 1] if i else None
        if last is None or note.begin - last.end > REST_S * RATE:
            low = max(last.end if last else 0, note.begin - int(EARLIER_S * RATE))
            found.append(low + onset(audio[low : note.end], RATE))
        elif note.is_struck or abs(note.heard - last.heard) < SAME_KEY:
            found.append(note.begin)
        else:
            found.append(settle(audio, note.begin, last.heard, note.heard))
    return found
