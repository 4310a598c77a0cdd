"""What a synthesizer must do, as `Interpreter` tells it."""

from dataclasses import dataclass
from typing import Final

SOFT_PEDAL_SCALE: Final = 0.7


@dataclass(frozen=True, slots=True)
class NoteStart:
    """A key was struck.

    Attributes
    ----------
    note_id : int
        Unique and increasing over the life of a `Interpreter`, across all MIDI channels.
    channel : int
        MIDI channel, 0..15.
    key : int
        Key number, 0..127; 69 is A4. On a drum channel it names the drum.
    velocity : int
        As received, 1..127.
    soft : bool
        Whether the soft pedal (CC 67) was down at the stroke. As on a piano it colours the notes struck while
        it is down, so it belongs to the note and not to the channel.
    glide_from : int or None
        Key whose pitch the note begins at, to glide to its own within `glide_s` seconds (portamento).
    """

    note_id: int
    channel: int
    key: int
    velocity: int
    soft: bool = False
    glide_from: int | None = None
    glide_s: float = 0.0

    @property
    def softened_velocity(self) -> float:
        """Velocity 0 < v <= 127 with the soft pedal applied, for engines without a darker sound to offer."""
        return self.velocity * SOFT_PEDAL_SCALE if self.soft else float(self.velocity)


@dataclass(frozen=True, slots=True)
class NoteRelease:
    """A note enters its release: key and pedals have let go. `velocity` is the release velocity, 0..127."""

    note_id: int
    velocity: int


@dataclass(frozen=True, slots=True)
class NoteCut:
    """A note must be silent at once (all sound off, panic)."""

    note_id: int


@dataclass(frozen=True, slots=True)
class DrumChoke:
    """What still sounds of some drums of a channel must be silent at once, let go of or not: another one stops them.

    Attributes
    ----------
    channel : int
    keys : frozenset of int
        Keys of the drums that are stopped.
    """

    channel: int
    keys: frozenset[int]


@dataclass(frozen=True, slots=True)
class NoteMove:
    """A sounding note goes to another key without a new stroke (legato).

    Attributes
    ----------
    note_id : int
    channel, key, velocity, soft
        As in `NoteStart`; what to strike should the note have died away.
    glide_s : float
        Seconds that the way takes; 0 is a step.
    is_stroke : bool
        Whether a key was struck, and not another one lifted: only then need a dead note sound again.
    """

    note_id: int
    channel: int
    key: int
    velocity: int
    soft: bool
    glide_s: float
    is_stroke: bool


@dataclass(frozen=True, slots=True)
class PathChange:
    """A channel's notes, sounding ones too, shall be grown and sounded as `Channel.path` says now."""

    channel: int


@dataclass(frozen=True, slots=True)
class ControlsChange:
    """What `Interpreter.expression` says of some channels may be another from now on."""

    channels: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ProgramChange:
    """Channels were told by a program change what plays their next notes."""

    channels: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class KeyPressure:
    """What sounds of a key on some channels has the pressure that `Channel.key_pressure` says now."""

    channels: tuple[int, ...]
    key: int


@dataclass(frozen=True, slots=True)
class TuningChange:
    """Notes that sound follow `Interpreter.key_tuning` at once."""


@dataclass(frozen=True, slots=True)
class ChannelsCut:
    """Whatever sounds on some channels must be silent at once, let go of or not."""

    channels: tuple[int, ...]


Command = (
    NoteStart
    | NoteMove
    | NoteRelease
    | NoteCut
    | DrumChoke
    | PathChange
    | ControlsChange
    | ProgramChange
    | KeyPressure
    | TuningChange
    | ChannelsCut
)
