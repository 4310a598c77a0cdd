"""What a user brings, understood: notes to learn from, and what is doubtful about the rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..measure.recording import Recording


@dataclass(frozen=True)
class Wishes:
    """What a user says about the material beside its path.

    Attributes
    ----------
    name : of the instrument; None takes the name of the file or folder
    preset : of a SoundFont, ``"0:4"`` (bank:program) or ``"4"``
    transpose : semitones to add to what names say
    trust_pitch : take the pitches that sound instead of those that names say
    drums : whether it is a kit of drums, one key each; None finds that out from the names
    velocity : of notes that do not tell theirs
    """

    name: str | None = None
    preset: str | None = None
    transpose: int = 0
    trust_pitch: bool = False
    drums: bool | None = None
    velocity: int = 100


@dataclass(frozen=True)
class Finding:
    """A file, or a place in one, that is doubtful or was left out.

    Attributes
    ----------
    place : the file, or the file and the second
    reason : one line, its kind before the colon: ``"silent: the peak is -96 dBFS"``
    is_refused : whether it was left out; else it was taken, with a doubt
    """

    place: str
    reason: str
    is_refused: bool = True

    @property
    def kind(self) -> str:
        """The reason in a word or two, such as ``clipped``."""
        return self.reason.partition(":")[0]


@dataclass(frozen=True, eq=False)
class Note:
    """A note to learn from.

    Attributes
    ----------
    recording : the note itself
    heard : the pitch that sounds, as a MIDI number with a fraction; None where none is clear
    level_db : RMS of its loudest 50 ms, in dBFS
    noise_db : RMS of the quietest 50 ms, in dBFS, where the note has died away by then
    repeat : counts notes of the same key and velocity from 0
    """

    recording: Recording
    heard: float | None = None
    level_db: float = 0.0
    noise_db: float | None = None
    repeat: int = 0


@dataclass(frozen=True)
class Offset:
    """Most notes sound the same number of semitones off their names.

    Attributes
    ----------
    semitones : what sounds, less what the names say
    count, total : how many notes do, of how many with a clear pitch
    """

    semitones: int
    count: int
    total: int

    @property
    def text(self) -> str:
        """What is wrong and which options mend it."""
        where = "above" if self.semitones < 0 else "below"
        return (
            f"names are {abs(self.semitones)} semitones {where} what sounds ({self.count} of {self.total} notes): "
            f"--transpose {self.semitones} or --trust-pitch mends that"
        )


@dataclass(frozen=True, eq=False)
class Material:
    """Notes of one instrument, or of one kit.

    Attributes
    ----------
    name : of the instrument
    kind : ``folder``, ``take``, ``soundfont``, ``sfz`` or ``nsynth``
    path : what was read
    sample_rate : of all notes, in Hz
    notes : by pitch, velocity and repeat
    findings : what is doubtful, and what was left out
    remarks : what else is to say, a line each
    offset : how far names are off what sounds; None where they agree or where that is mended
    is_kit : whether every key is a drum of its own
    velocities_heard : whether velocities were estimated from levels
    zone_ends : highest keys of the zones that the recordings serve, in order; none where nothing says so
    """

    name: str
    kind: str
    path: Path
    sample_rate: int
    notes: tuple[Note, ...]
    findings: tuple[Finding, ...] = ()
    remarks: tuple[str, ...] = ()
    offset: Offset | None = None
    is_kit: bool = False
    velocities_heard: bool = False
    zone_ends: tuple[int, ...] = ()

    @property
    def recordings(self) -> tuple[Recording, ...]:
        """The notes as trainings take them."""
        return tuple(note.recording for note in self.notes)

    @property
    def pitches(self) -> tuple[int, ...]:
        """The keys that were recorded, each once, in order."""
        return tuple(sorted({note.recording.pitch for note in self.notes}))

    @property
    def velocities(self) -> dict[int, int]:
        """How many notes each velocity has, in order."""
        return dict(sorted(Counter(note.recording.velocity for note in self.notes).items()))

    def transposed(self, semitones: int) -> Material:
        """Return it with all keys moved; what leaves the keyboard is left out, and named."""
        notes, findings = transposed(self.notes, semitones)
        offset = self.offset and replace(self.offset, semitones=self.offset.semitones - semitones)
        return replace(
            self,
            notes=tuple(notes),
            findings=(*self.findings, *findings),
            offset=offset if offset and offset.semitones else None,
            zone_ends=moved_ends(self.zone_ends, semitones),
        )

    @property
    def refused(self) -> tuple[Finding, ...]:
        """What was left out."""
        return tuple(one for one in self.findings if one.is_refused)


@dataclass
class Gathered:
    """What a reader of one kind of input hands on, before it is heard.

    Attributes
    ----------
    recordings : as the input names them
    findings, remarks : see `Material`
    is_named : whether pitches come from names or a map, which may be wrong
    is_rendered : whether an instrument was played for it, so that nothing is doubtful
    is_kit : whether every key is a drum of its own
    velocities_heard : whether velocities were estimated from levels
    name : of the instrument; None where the path names it
    zone_ends : see `Material`
    """

    kind: str
    recordings: list[Recording] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    is_named: bool = True
    is_rendered: bool = False
    is_kit: bool = False
    velocities_heard: bool = False
    name: str | None = None
    zone_ends: tuple[int, ...] = ()


def transposed(notes: Iterable[Note], semitones: int) -> tuple[list[Note], list[Finding]]:
    """Move all keys; what leaves the keyboard is left out."""
    kept, findings = [], []
    for note in notes:
        key = note.recording.pitch + semitones
        if 0 <= key <= 127:
            kept.append(replace(note, recording=replace(note.recording, pitch=key)))
        else:
            findings.append(Finding(note.recording.origin, f"bad pitch: {key} once it is transposed, expected 0..127"))
    return kept, findings


def moved_ends(zone_ends: Sequence[int], semitones: int) -> tuple[int, ...]:
    """Return where zones end once all keys are moved."""
    return tuple(end + semitones for end in zone_ends)


def in_order(notes: Sequence[Note]) -> tuple[Note, ...]:
    """Sort notes by pitch and velocity, and count those of the same key and velocity."""
    ordered = sorted(notes, key=lambda note: (note.recording.pitch, note.recording.velocity))
    seen: Counter[tuple[int, int]] = Counter()
    counted = []
    for note in ordered:
        place = (note.recording.pitch, note.recording.velocity)
        counted.append(replace(note, repeat=seen[place]))
        seen[place] += 1
    return tuple(counted)
