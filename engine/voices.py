"""Voices: which notes sound, in which slots, how they are stolen, cut and found to have died away."""

from __future__ import annotations

from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush

import numpy as np

from .gestures import Gestures
from .spectral import FloatArray

NEVER = 1 << 62
"""A sample number beyond all time."""

SILENCE_PEAK = 10.0 ** (-90.0 / 20.0)
SILENT_RELEASED_S = 0.1
SILENT_HELD_S = 1.0
"""How long a voice may stay below `SILENCE_PEAK` before it ends: a held one may still have a slow attack ahead."""

_NO_AUDIO = np.zeros(0, np.float32)


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
    gestures : what happens to it alone; None while nothing does
    silent_hops : hops in a row below `SILENCE_PEAK`
    level : peak of the last decoded hop; infinite before the first
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
    gestures: Gestures | None = None
    silent_hops: int = 0
    level: float = float("inf")
    audio: FloatArray = field(default_factory=lambda: _NO_AUDIO)
    audio_start: int = 0

    def __post_init__(self) -> None:
        """Begin at the onset."""
        self.decoded_until = self.audio_start = self.onset

    def take_audio(self, start: int, stop: int) -> tuple[int, FloatArray]:
        """Hand over what sounds in start..stop: the sample it begins at, and the audio; none of it is kept."""
        first = max(start, self.audio_start)
        last = max(first, min(stop, self.end))
        chunk = self.audio[first - self.audio_start : last - self.audio_start]
        # A copy, so that a few samples do not keep a whole batch in memory.
        self.audio = self.audio[stop - self.audio_start :].copy() if stop > self.audio_start else self.audio
        self.audio_start = max(self.audio_start, stop)
        return first, chunk


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
        self._free = list(range(max_voices))
        heapify(self._free)

    @property
    def is_full(self) -> bool:
        """Whether a new note must steal."""
        return len(self.voices) >= self.limit

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

    def choose_victim(self, sample: int) -> Voice:
        """Return the voice to steal: the quietest of those released, the oldest among equals, else the oldest."""
        return self.choose_victims(sample, 1)[0]

    def choose_victims(self, sample: int, count: int) -> list[Voice]:
        """Return that many voices to steal, or all there are, in the order in which `choose_victim` takes them."""
        voices = list(self.voices.values())
        released = [voice for voice in voices if voice.release <= sample]
        released.sort(key=lambda voice: (voice.level, voice.note_id))
        return [*released, *(voice for voice in voices if voice.release > sample)][:count]


def end_by_silence(voice: Voice, peaks: FloatArray, start: int, hop_length: int, sample_rate: int) -> None:
    """Let a voice end after the hop that completes its time of silence.

    Parameters
    ----------
    peaks : float32 (T,), of the hops just decoded
    start : sample at which the first of them begins
    """
    voice.level = float(peaks[-1])
    for index, is_silent in enumerate((peaks < SILENCE_PEAK).tolist()):
        voice.silent_hops = voice.silent_hops + 1 if is_silent else 0
        hop_start = start + index * hop_length
        patience_s = SILENT_RELEASED_S if voice.release <= hop_start else SILENT_HELD_S
        if voice.silent_hops * hop_length >= patience_s * sample_rate:
            voice.end = min(voice.end, hop_start + hop_length)
            return
