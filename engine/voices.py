"""Voices: which notes sound, in which slots, how they are stolen, cut and found to have died away."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from heapq import heapify, heappop, heappush

import numpy as np

from .gestures import Gestures
from .motions import STILL, Motion
from .pads import Morph
from .seams import Role
from .spectral import FloatArray

NEVER = 1 << 62
"""A sample number beyond all time."""

_NO_AUDIO = np.zeros(0, np.float32)

CROSSFADE_SAMPLES = 110
"""How long a note takes to go over to another path, or to fade out where it is stolen: 5 ms."""
_RISE = (0.5 - 0.5 * np.cos(np.pi * np.arange(CROSSFADE_SAMPLES + 1) / CROSSFADE_SAMPLES)).astype(np.float32)


def num_slots(max_voices: int) -> int:
    """Return how many slots so many voices need: as many again for those that another path is taking over."""
    return 2 * max_voices


@dataclass(slots=True, eq=False)
class Voice:
    """One sounding note. Sample numbers are absolute, at the internal rate.

    Attributes
    ----------
    slot : row of the grids and of the decoder's state
    key : the key that sounds it; a legato may carry the voice to another
    onset : sample of its first hop
    pitch : MIDI pitch with the key's tuning at the onset, without the channel's offset
    release : sample of its release, `NEVER` while held
    end : first sample at which it no longer sounds, `NEVER` while unknown
    num_frames : spectral frames grown so far
    decoded_until : first sample not decoded yet
    seed : 64 bits, of all chance in it
    planted_pitch : MIDI pitch of the genome it grows from
    planted_hops : hops since that genome was planted
    last_pitch : MIDI pitch, without vibrato, at the last hop
    age_lead_s, release_lead_s : how far its clocks are ahead of time, in seconds
    release_speed : of its release clock, from the velocity of its release
    tilt_db : brightness of its own, in dB per octave
    key_tuning : semitones of the MIDI Tuning Standard that are in its pitch
    gestures : what happens to it alone; None while nothing does
    damage : shares of its grid that its channel had erased at the last hop, since before its onset
    morph : where it is between timbres; None where there is only its own
    motion : what moves it
    modes : row of the table of motions with its partials beside the series; it keeps them while it morphs
    silent_hops, faint_hops : hops in a row below the levels of `engine.endings`
    level : peak of the last decoded hop; infinite before the first
    path : number of what grows and sounds it, see `engine.paths`
    role : what plays it on any path
    is_planted : whether it has a genome
    has_begun : whether its decoder has begun with it
    rises_at, falls_at : where it fades in or out, over `CROSSFADE_SAMPLES`: one path takes over from another, the voice
        is stolen, or another drum stops it
    audio : float32, decoded and not yet mixed, from sample `audio_start`
    """

    note_id: int
    channel: int
    key: int
    slot: int
    onset: int
    pitch: float
    velocity: float
    timbre: FloatArray
    pitched: bool
    inharmonicity: float
    seed: int
    release: int = NEVER
    end: int = NEVER
    num_frames: int = 0
    decoded_until: int = 0
    planted_pitch: float = 0.0
    planted_hops: int = 0
    last_pitch: float = 0.0
    age_lead_s: float = 0.0
    release_lead_s: float = 0.0
    release_speed: float = 1.0
    tilt_db: float = 0.0
    key_tuning: float = 0.0
    gestures: Gestures | None = None
    damage: float = 0.0
    morph: Morph | None = None
    motion: Motion = STILL
    modes: int = STILL.row
    silent_hops: int = 0
    faint_hops: int = 0
    level: float = float("inf")
    audio: FloatArray = field(default_factory=lambda: _NO_AUDIO)
    audio_start: int = 0
    path: int = 0
    role: Role | None = None
    is_planted: bool = False
    has_begun: bool = False
    rises_at: int = -NEVER
    falls_at: int = NEVER

    @property
    def has_pitch(self) -> bool:
        """Whether it has a pitch or may get one on its pad."""
        return bool(self.pitched) or (self.morph is not None and bool(self.morph.pad.pitched.any()))

    @property
    def semitones(self) -> float:
        """Semitones from the key that it is grown as to its own."""
        return self.motion.semitones

    def __post_init__(self) -> None:
        """Begin at the onset."""
        if not self.num_frames:
            self.decoded_until = self.audio_start = self.onset

    @property
    def is_leaving(self) -> bool:
        """Whether it fades out: another voice takes over its note or its place, or another drum stops it."""
        return self.falls_at < NEVER

    def twin(self, slot: int) -> Voice:
        """Return a voice that can go on with this note, not grown yet; see `hand_over`."""
        return replace(
            self, slot=slot, is_planted=False, has_begun=False, num_frames=0, end=NEVER, audio=_NO_AUDIO,
            audio_start=self.onset, decoded_until=self.onset, falls_at=NEVER,
        )  # fmt: skip

    def hand_over(self, twin: Voice, sample: int) -> None:
        """Let a twin go on with this note from `sample` on, as it is now; this one fades out there."""
        self.fade_out_at(sample)
        twin.rises_at, twin.key, twin.key_tuning, twin.gestures = sample, self.key, self.key_tuning, self.gestures
        twin.release, twin.release_speed = self.release, self.release_speed

    def fade_out_at(self, sample: int) -> None:
        """Let the voice fade out from a sample on, and end; what has not begun by then never sounds."""
        self.falls_at = sample
        self.end = min(self.end, sample + CROSSFADE_SAMPLES) if self.onset < sample else self.onset

    def start_from(self, hop: int, hop_length: int) -> None:
        """Let the decoder begin with this hop instead of the onset's."""
        self.audio_start = self.decoded_until = self.onset + hop * hop_length

    def take_audio(self, start: int, stop: int) -> tuple[int, FloatArray]:
        """Hand over what sounds in start..stop: the sample it begins at, and the audio; none of it is kept."""
        is_plain = self.rises_at + CROSSFADE_SAMPLES <= start and stop <= min(self.end, self.falls_at)
        if is_plain and self.audio_start == start:  # nearly always, and cheaper than what follows
            chunk, self.audio, self.audio_start = self.audio[: stop - start], self.audio[stop - start :], stop
            return start, chunk
        first = max(start, self.audio_start)
        last = max(first, min(stop, self.end))
        chunk = self.audio[first - self.audio_start : last - self.audio_start]
        self.audio = self.audio[max(stop - self.audio_start, 0) :]
        self.audio_start = max(self.audio_start, stop)
        if first < self.rises_at + CROSSFADE_SAMPLES:
            chunk = chunk * _ramp(_RISE, first - self.rises_at, len(chunk))
        if last > self.falls_at:
            chunk = chunk * _ramp(_RISE[::-1], first - self.falls_at, len(chunk))
        return first, chunk


def _ramp(shape: FloatArray, start: int, length: int) -> FloatArray:
    """Return `length` values of a ramp from its sample `start` on; before and beyond it keeps its ends."""
    return shape[np.clip(np.arange(start, start + length), 0, CROSSFADE_SAMPLES)]


class VoiceAllocator:
    """The slots, and the voices that occupy them, in order of their start.

    Attributes
    ----------
    voices : dict of note id to Voice, oldest first
    limit : how many voices may sound at once, at most the number of slots
    """

    def __init__(self, max_voices: int) -> None:
        self.voices: dict[int, Voice] = {}
        self.limit = max_voices
        self._num_slots = num_slots(max_voices)
        self._free = list(range(self._num_slots))
        heapify(self._free)
        self._left = 0  # voices that answer to no note any more, numbered downwards from -1

    @property
    def is_full(self) -> bool:
        """Whether a new note must steal."""
        return self.num_playing >= self.limit or not self._free

    @property
    def num_playing(self) -> int:
        """Voices but those that fade out."""
        return sum(not voice.is_leaving for voice in self.voices.values())

    def take_over(self, voice: Voice, successor: Voice) -> None:
        """Let `successor` answer to the note of `voice`, which sounds on until its end."""
        self._left -= 1
        self.voices[voice.note_id] = successor
        voice.note_id = self._left
        self.voices[voice.note_id] = voice

    def add(self, note_id: int, voice: Voice) -> None:
        """Let a voice answer to a note; one that fades out may still have its number, and keeps its place in order."""
        if note_id in self.voices:
            self._left -= 1
            self.voices[note_id].note_id = self._left
            self.voices = {one.note_id: one for one in self.voices.values()}
        self.voices[note_id] = voice

    def find(self, note_id: int) -> Voice | None:
        """Return the voice that answers to a note; None if there is none any more, or it fades out already."""
        voice = self.voices.get(note_id)
        return None if voice is None or voice.is_leaving else voice

    @property
    def can_take_over(self) -> bool:
        """Whether a voice can go over to another path and leave slots for all notes to come."""
        beside = self._num_slots - len(self._free) - self.num_playing  # taken over, or claimed for taking over
        return 2 * beside < self._num_slots

    @property
    def has_free_slot(self) -> bool:
        """Whether a voice can be added without freeing another."""
        return bool(self._free)

    def give_back(self, slot: int) -> None:
        """Let a slot be claimed again that no voice has come to occupy."""
        heappush(self._free, slot)

    def claim(self) -> int:
        """Return the lowest free slot."""
        return heappop(self._free)

    def free(self, voice: Voice) -> None:
        """Remove a voice and let its slot be used again."""
        del self.voices[voice.note_id]
        heappush(self._free, voice.slot)

    def free_ended(self, sample: int) -> None:
        """Free the voices that no longer sound at `sample`."""
        for voice in [voice for voice in self.voices.values() if voice.end <= sample]:
            self.free(voice)

    def choose_victims(self, sample: int, count: int) -> list[Voice]:
        """Return that many voices to steal, or all there are, the quietest of those released first, then the oldest."""
        voices = [voice for voice in self.voices.values() if not voice.is_leaving]
        released = [voice for voice in voices if voice.release <= sample]
        released.sort(key=lambda voice: (voice.level, voice.note_id))
        return [*released, *(voice for voice in voices if voice.release > sample)][:count]
