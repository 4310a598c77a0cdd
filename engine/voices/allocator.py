"""Which voices sound, and which is stolen for a new note."""

from __future__ import annotations

from heapq import heapify, heappop, heappush

from .progress import Progress
from .voice import Voice, num_slots


class VoiceAllocator:
    """The slots, and the voices that occupy them, in order of their start.

    Parameters
    ----------
    max_voices : int
    progress : Progress
        Of all slots; that of a slot begins anew when it is claimed.

    Attributes
    ----------
    voices : dict of note id to Voice, oldest first
    limit : how many voices may sound at once, at most the number of slots
    """

    def __init__(self, max_voices: int, progress: Progress) -> None:
        self.voices: dict[int, Voice] = {}
        self.limit = max_voices
        self._progress = progress
        self._num_slots = num_slots(max_voices)
        self._free = list(range(self._num_slots))
        heapify(self._free)
        self._left = 0  # voices that answer to no note any more, numbered downwards from -1

    @property
    def is_full(self) -> bool:
        """Whether a new note must steal."""
        return not self._free or (len(self.voices) >= self.limit and self.num_playing >= self.limit)

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
        slot = heappop(self._free)
        self._progress.clear(slot)
        return slot

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
        released.sort(key=lambda voice: (voice.decoded.level, voice.note_id))
        return [*released, *(voice for voice in voices if voice.release > sample)][:count]
