"""Which notes of a MIDI channel sound, and what holds them: a key, the sustain or the sostenuto pedal."""

from collections import defaultdict, deque

from ..commands import NoteCut, NoteRelease
from ..messages import DEFAULT_RELEASE_VELOCITY


class Pedals:
    """The notes of one MIDI channel that have started and were neither released nor cut.

    A note is held by exactly one thing at a time: its key; else the sostenuto pedal, if that went down while
    the key was down; else the sustain pedal. Every operation costs amortised constant time per note, so a
    file that strikes a million keys and tramples the pedals is merely long.
    """

    def __init__(self) -> None:
        self._by_key: defaultdict[int, deque[int]] = defaultdict(deque)  # key -> note ids, oldest first
        self._by_sustain: dict[int, int] = {}  # note id -> release velocity
        self._by_sostenuto: dict[int, int] = {}
        self._lifted: defaultdict[int, list[int]] = defaultdict(list)  # key -> note ids that a pedal may hold
        self._is_sustain_down = False
        self._captured_through: int | None = None  # newest note id when the sostenuto pedal went down
        self._newest_id = 0

    def __len__(self) -> int:
        """Return the number of notes held."""
        return sum(map(len, self._by_key.values())) + len(self._by_sustain) + len(self._by_sostenuto)

    def press_key(self, key: int, note_id: int) -> None:
        """Add a note; ids must increase."""
        self._by_key[key].append(note_id)
        self._newest_id = note_id

    def damp_key(self, key: int) -> list[NoteRelease]:
        """Release the notes of a key that only pedals hold: the next stroke takes their string."""
        releases = []
        for note_id in self._lifted.pop(key, []):
            for held in (self._by_sustain, self._by_sostenuto):
                if note_id in held:
                    releases.append(NoteRelease(note_id, held.pop(note_id)))
        return releases

    def damp_pedalled(self) -> list[NoteRelease]:
        """Release all notes that only pedals hold."""
        return self._drain(self._by_sustain) + self._drain(self._by_sostenuto)

    def move_key(self, old: int, new: int) -> int | None:
        """Let another key hold the newest note of key `old`; return its id, None if there is none."""
        ids = self._by_key.get(old)
        if not ids:
            return None
        note_id = ids.pop()
        self._by_key[new].append(note_id)
        return note_id

    def lift_key(self, key: int, velocity: int) -> list[NoteRelease]:
        """Let go of the oldest note whose key `key` is down; none is fine."""
        ids = self._by_key.get(key)
        return self._hand_over(key, ids.popleft(), velocity) if ids else []

    def lift_all_keys(self) -> list[NoteRelease]:
        """Let go of every key; the pedals hold what they hold."""
        notes = self._take_keys()
        return [
            release for note_id, key in notes for release in self._hand_over(key, note_id, DEFAULT_RELEASE_VELOCITY)
        ]

    def set_sustain(self, is_down: bool) -> list[NoteRelease]:
        """Move the sustain pedal; its coming up releases what it alone held."""
        self._is_sustain_down = is_down
        return [] if is_down else self._drain(self._by_sustain)

    def set_sostenuto(self, is_down: bool) -> list[NoteRelease]:
        """Move the sostenuto pedal; going down it captures the notes whose keys are down at that moment."""
        if is_down:
            # Pressing a pedal that is down already captures nothing more.
            self._captured_through = self._newest_id if self._captured_through is None else self._captured_through
            return []
        self._captured_through = None
        if not self._is_sustain_down:
            return self._drain(self._by_sostenuto)
        self._by_sustain.update(self._by_sostenuto)
        self._by_sostenuto.clear()
        return []

    def release_all(self) -> list[NoteRelease]:
        """Release every note whatever holds it; the pedals stay where they are."""
        releases = self.damp_pedalled()
        releases += [NoteRelease(note_id, DEFAULT_RELEASE_VELOCITY) for note_id, _ in self._take_keys()]
        return sorted(releases, key=lambda release: release.note_id)

    def cut_all(self) -> list[NoteCut]:
        """Cut every note whatever holds it; the pedals stay where they are."""
        return [NoteCut(release.note_id) for release in self.release_all()]

    def _hand_over(self, key: int, note_id: int, velocity: int) -> list[NoteRelease]:
        """Give a note whose key came up to the pedal that holds it, or release it."""
        if self._captured_through is not None and note_id <= self._captured_through:
            self._by_sostenuto[note_id] = velocity
        elif self._is_sustain_down:
            self._by_sustain[note_id] = velocity
        else:
            return [NoteRelease(note_id, velocity)]
        self._lifted[key].append(note_id)
        return []

    def _take_keys(self) -> list[tuple[int, int]]:
        """Forget all keys; return (note id, key) of what they held, oldest first."""
        notes = sorted((note_id, key) for key, ids in self._by_key.items() for note_id in ids)
        self._by_key.clear()
        return notes

    @staticmethod
    def _drain(held: dict[int, int]) -> list[NoteRelease]:
        releases = [NoteRelease(note_id, velocity) for note_id, velocity in held.items()]
        held.clear()
        return releases
