"""Voices: which notes sound, in which slots, how they are stolen, cut and found to have died away."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np

from ..arrays import FloatArray
from ..bank.interfaces import Role
from ..keys.motions import STILL, Motion
from .note_modulation import NoteModulation
from .timbre_pad import Morph

NEVER = 1 << 62
"""A sample number beyond all time."""
_NO_AUDIO = np.zeros(0, np.float32)
CROSSFADE_S = 0.005
"""How long a note takes to go over to another path, or to fade out where it is stolen."""


def num_slots(max_voices: int) -> int:
    """Return how many slots so many voices need: as many again for those that another path is taking over."""
    return 2 * max_voices


@dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """What plays a note on its path: what an instrument has for its key.

    Attributes
    ----------
    timbre : float32 (D,)
    pitched : whether it has a pitch
    inharmonicity : of its partials
    motion : what moves it
    modes : row of the table of motions with its partials beside the series; it keeps them while it morphs
    role : what plays it on any path
    gain_db : how much louder than it is grown it sounds; on a pad of timbres the corners' gains count instead
    release_rate : by how much it falls once released, in dB a second; 0 where its growth ends it; on a pad likewise
    """

    timbre: FloatArray
    pitched: bool
    inharmonicity: float
    motion: Motion = STILL
    modes: int = STILL.row
    role: Role | None = None
    gain_db: float = 0.0
    release_rate: float = 0.0


@dataclass(slots=True, eq=False)
class Decoded:
    """What was decoded for a voice and is not mixed yet. Sample numbers are absolute, at the internal rate.

    Attributes
    ----------
    start : sample at which `audio` begins
    until : first sample not decoded yet
    audio : float32
    has_begun : whether the decoder has begun with the voice
    level : peak of the last decoded hop; infinite before the first
    silent_hops, faint_hops : hops in a row below the levels of `engine.voices.endings`
    fallen_db : how far it had fallen since its release where the last decoded hop ended
    """

    start: int
    until: int
    audio: FloatArray = field(default_factory=lambda: _NO_AUDIO)
    has_begun: bool = False
    level: float = float("inf")
    silent_hops: int = 0
    faint_hops: int = 0
    fallen_db: float = 0.0


@dataclass(slots=True, eq=False)
class Voice:
    """One sounding note. Sample numbers are absolute, at the internal rate.

    How far it has grown stands under its slot in `engine.voices.progress`.

    Attributes
    ----------
    slot : row of the grids, of the decoder's state and of all else that is kept by slot
    key : the key that sounds it; a legato may carry the voice to another
    onset : sample of its first hop
    pitch : MIDI pitch with the key's tuning at the onset, without the channel's offset
    seed : 64 bits, of all chance in it
    patch : what plays it
    path : number of what grows and sounds it, see `engine.routing.crossfade`
    release : sample of its release, `NEVER` while held
    release_speed : of its release clock, from the velocity of its release
    end : first sample at which it no longer sounds, `NEVER` while unknown
    tilt_db : brightness of its own, in dB per octave
    key_tuning : semitones of the MIDI Tuning Standard that are in its pitch
    modulation : what happens to it alone; None while nothing does
    morph : where it is between timbres; None where there is only its own
    rises_at, falls_at : where it fades in or out: one path takes over from another, the voice is stolen, or another
        drum stops it
    crossfade : samples that this takes, `CROSSFADE_S`
    decoded : its sound
    """

    note_id: int
    channel: int
    key: int
    slot: int
    onset: int
    pitch: float
    velocity: float
    seed: int
    patch: Patch
    path: int = 0
    release: int = NEVER
    release_speed: float = 1.0
    end: int = NEVER
    tilt_db: float = 0.0
    key_tuning: float = 0.0
    modulation: NoteModulation | None = None
    morph: Morph | None = None
    rises_at: int = -NEVER
    falls_at: int = NEVER
    crossfade: int = 110
    decoded: Decoded = field(init=False)

    def __post_init__(self) -> None:
        """Begin at the onset."""
        self.decoded = Decoded(self.onset, self.onset)

    @property
    def has_pitch(self) -> bool:
        """Whether it has a pitch or may get one on its pad."""
        return bool(self.patch.pitched) or (self.morph is not None and bool(self.morph.pad.pitched.any()))

    @property
    def release_rate(self) -> float:
        """By how much it falls once released while it grows as if it were held, in dB a second; 0: by its growth.

        On a pad that is the least of the corners' rates: all of them must have one.
        """
        return self.patch.release_rate if self.morph is None else float(self.morph.pad.release_rates.min())

    @property
    def is_leaving(self) -> bool:
        """Whether it fades out: another voice takes over its note or its place, or another drum stops it."""
        return self.falls_at < NEVER

    def successor(self, slot: int) -> Voice:
        """Return a voice that can go on with this note, not grown yet; see `hand_over`."""
        return replace(self, slot=slot, end=NEVER, falls_at=NEVER)

    def hand_over(self, successor: Voice, sample: int) -> None:
        """Let a successor go on with this note from `sample` on, as it is now; this one fades out there."""
        self.fade_out_at(sample)
        successor.rises_at, successor.key, successor.key_tuning, successor.modulation = (
            sample,
            self.key,
            self.key_tuning,
            self.modulation,
        )
        successor.release, successor.release_speed = self.release, self.release_speed

    def fade_out_at(self, sample: int) -> None:
        """Let the voice fade out from a sample on, and end; what has not begun by then never sounds."""
        self.falls_at = sample
        self.end = min(self.end, sample + self.crossfade) if self.onset < sample else self.onset

    def start_from(self, hop: int, hop_length: int) -> None:
        """Let the decoder begin with this hop instead of the onset's."""
        self.decoded.start = self.decoded.until = self.onset + hop * hop_length

    def take_audio(self, start: int, stop: int) -> tuple[int, FloatArray]:
        """Hand over what sounds in start..stop: the sample it begins at, and the audio; none of it is kept."""
        decoded = self.decoded
        is_plain = self.rises_at + self.crossfade <= start and stop <= min(self.end, self.falls_at)
        if is_plain and decoded.start == start:  # nearly always, and cheaper than what follows
            chunk, decoded.audio, decoded.start = decoded.audio[: stop - start], decoded.audio[stop - start :], stop
            return start, chunk
        first = max(start, decoded.start)
        last = max(first, min(stop, self.end))
        chunk = decoded.audio[first - decoded.start : last - decoded.start]
        decoded.audio = decoded.audio[max(stop - decoded.start, 0) :]
        decoded.start = max(decoded.start, stop)
        if first < self.rises_at + self.crossfade:
            chunk = chunk * _ramp(_rise(self.crossfade), first - self.rises_at, len(chunk))
        if last > self.falls_at:
            chunk = chunk * _ramp(_rise(self.crossfade)[::-1], first - self.falls_at, len(chunk))
        return first, chunk


@cache
def _rise(length: int) -> FloatArray:
    """Return a rise from 0 to 1 over so many samples, (length + 1,)."""
    return (0.5 - 0.5 * np.cos(np.pi * np.arange(length + 1) / length)).astype(np.float32)


def _ramp(shape: FloatArray, start: int, length: int) -> FloatArray:
    """Return `length` values of a ramp from its sample `start` on; before and beyond it keeps its ends."""
    return shape[np.clip(np.arange(start, start + length), 0, len(shape) - 1)]
