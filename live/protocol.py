"""What a live session is told and what it tells: plain values that travel between the processes."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

from ..engine.names import DEFAULT_PROVIDER
from ..errors import TncaError, UsageError

CONTROL_TARGETS: Final = (
    "modulation",
    "volume",
    "expression",
    "pan",
    "brightness",
    "attack",
    "decay",
    "release",
    "resonance",
    "reverb",
    "chorus",
    "sustain",
    "sostenuto",
    "soft",
    "portamento",
    "portamento-time",
    "breath",
    "growth-rate",
    "fire-rate",
    "life-threshold",
    "damage",
    "morph-x",
    "morph-y",
    "representation",
    "decoder",
    "blend",
)
"""What a control change can be mapped onto; `live.producer.midi_learn` knows the controller of each."""

MIN_BLOCK_SIZE: Final = 16
MAX_BLOCK_SIZE: Final = 8192
DEFAULT_BLOCK_SIZE: Final = 128
MAX_VOICES: Final = 1024
NUM_CHANNELS: Final = 16
FIRST_MODE_MESSAGE: Final = 120


@dataclass(frozen=True)
class LiveOptions:
    """What a player asks for.

    Attributes
    ----------
    midi_in : port numbers or parts of names; empty: the first hardware port, else a virtual one
    audio_out, host_api : number or part of a name; None: the system's default
    sample_rate : Hz; None: the device's own
    block_size : frames per audio callback; None: a period of the JACK server that plays, else 128
    instrument : name or program number that every channel begins with; None: what its program says
    lock_instrument : likewise, for good; None: program changes are followed
    representation, decoder : names; None: the best
    channel : 1..16: listen to this MIDI channel only
    max_voices : notes that sound at once
    record : WAV or FLAC file to write what is played to, with the MIDI beside it
    growth_cc : whether CC 20 to 28 and 102 to 106 move the growth
    cc_map : incoming controller number to a name of `CONTROL_TARGETS`
    mapping : place, such as "0", "8:0" or "drums:0", to the instrument that plays there: a name, program or file

    Raises
    ------
    UsageError
        If a value is out of range.
    """

    midi_in: tuple[str, ...] = ()
    audio_out: str | None = None
    host_api: str | None = None
    sample_rate: int | None = None
    block_size: int | None = None
    instrument: str | None = None
    lock_instrument: str | None = None
    representation: str | None = None
    decoder: str | None = None
    channel: int | None = None
    max_voices: int = 64
    record: Path | None = None
    seed: int = 0
    provider: str = DEFAULT_PROVIDER
    bank_path: Path | None = None
    growth_cc: bool = False
    cc_map: dict[int, str] = field(default_factory=dict)
    mapping: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check the ranges."""
        if self.block_size is not None:
            _check_range("--block-size", self.block_size, MIN_BLOCK_SIZE, MAX_BLOCK_SIZE)
        _check_range("--max-voices", self.max_voices, 1, MAX_VOICES)
        if self.channel is not None:
            _check_range("--channel", self.channel, 1, NUM_CHANNELS)
        for controller, target in self.cc_map.items():
            _check_range("a mapped controller", controller, 0, FIRST_MODE_MESSAGE - 1)
            if target not in CONTROL_TARGETS:
                raise UsageError(f"unknown control target {target!r}: expected one of {', '.join(CONTROL_TARGETS)}")


class PartStatus(NamedTuple):
    """What a MIDI channel plays on which a note has begun.

    Attributes
    ----------
    channel : 1..16
    stands_in_for : the General MIDI program that was asked for, where the bank lacks it; else ""
    """

    channel: int
    instrument: str
    stands_in_for: str
    representation: str
    decoder: str


class GrowthStatus(NamedTuple):
    """How notes grow on the channel that is listened to, or the first.

    Attributes
    ----------
    rate : 0 stands still, 1 is neutral, 4 at most
    fire_rate : probability that a cell updates, 1 is neutral
    life_threshold : alpha above which cells live, 0.1 is neutral
    morph : place on the pad of timbres, x and y 0..1
    corners : General MIDI programs at its ends, right, upper and both; "" where none was chosen
    """

    rate: float = 1.0
    fire_rate: float = 1.0
    life_threshold: float = 0.1
    morph: tuple[float, float] = (0.0, 0.0)
    corners: tuple[str, ...] = ("", "", "")


NEUTRAL_GROWTH: Final = GrowthStatus()


@dataclass(frozen=True)
class LiveStatus:
    """A moment of a live session.

    Attributes
    ----------
    instrument, representation, decoder : what plays now
    is_first_choice, is_locked : whether the instrument was chosen until the next program change, or for good
    parts : what each channel plays on which a note has begun
    growth : how notes grow
    recording : file that what is played is recorded in, "" if it is not
    recorded_s : length of that so far
    voices, max_voices : that sound, that may
    peak_left_db, peak_right_db : dBFS of the last moments, -120 for silence
    load : share of real time that producing took, 0..1
    underruns, xruns : blocks that came too late; as reported by the device
    latency_ms : from MIDI in to sound, as promised
    last_message : human text of the last MIDI message, "" before the first
    midi_ports : open now
    midi_inputs : that could be opened
    notices : newest lines for people
    learned : last control bound by MIDI learn: (controller, target)
    late_messages : that came too late to sound at their own place
    left_out_messages : of floods, that later ones superseded
    model_errors : notes cut so far because a model failed
    growth_cc : whether CC 20 to 28 and 102 to 106 move the growth
    """

    instrument: str = ""
    representation: str = ""
    decoder: str = ""
    voices: int = 0
    max_voices: int = 0
    peak_left_db: float = -120.0
    peak_right_db: float = -120.0
    load: float = 0.0
    underruns: int = 0
    xruns: int = 0
    latency_ms: float = 0.0
    last_message: str = ""
    midi_ports: tuple[str, ...] = ()
    audio_device: str = ""
    sample_rate: int = 0
    block_size: int = 0
    notices: tuple[str, ...] = ()
    learned: tuple[int, str] | None = None
    late_messages: int = 0
    left_out_messages: int = 0
    model_errors: int = 0
    is_first_choice: bool = False
    is_locked: bool = False
    parts: tuple[PartStatus, ...] = ()
    growth: GrowthStatus = NEUTRAL_GROWTH
    recording: str = ""
    recorded_s: float = 0.0
    midi_inputs: tuple[str, ...] = ()
    growth_cc: bool = False


class TakeParts(NamedTuple):
    """The hidden files of a take that is not complete; see `live.recording.take`."""

    sound: Path
    journal: Path

    @property
    def exist(self) -> bool:
        """Whether both are there."""
        return self.sound.is_file() and self.journal.is_file()

    def remove(self) -> None:
        """Delete what is there of them."""
        for path in self:
            with suppress(OSError):
                path.unlink(missing_ok=True)


class TakeTold(NamedTuple):
    """What the engine's process says when a take begins: its files; or None when one is complete."""

    take: TakeParts | None


class Known(NamedTuple):
    """What the engine's process says of its instruments, when it is ready and when there are more.

    Attributes
    ----------
    programs : of all instruments by name, None for those that no program means
    files : paths of the instruments that come from files, by name
    """

    programs: dict[str, int | None]
    files: dict[str, Path]


@dataclass(frozen=True)
class Ready:
    """What the engine process says when it is playable.

    Attributes
    ----------
    paths : the decoders of each representation
    device : name and host API of the output
    take : files of the recording
    outputs : name and host API of all outputs that there were
    """

    known: Known
    paths: dict[str, tuple[str, ...]]
    status: LiveStatus
    device: tuple[str, str] = ("", "")
    take: TakeParts | None = None
    outputs: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Resumed:
    """What an engine goes on from that takes the place of another one; it waits for the output to appear.

    Attributes
    ----------
    messages : that bring the channels to where they were
    takes : what was left of the recording, oldest first
    """

    messages: tuple[bytes, ...] = ()
    takes: tuple[TakeParts, ...] = ()


class Remembered(NamedTuple):
    """What the engine's process says now and then: messages that bring the channels to where they are."""

    messages: tuple[bytes, ...]


def _check_range(name: str, value: object, low: int, high: int) -> None:
    if not isinstance(value, int) or not low <= value <= high:
        raise UsageError(f"{name} must be a whole number in {low}..{high}, got {value!r}")


class EngineCommand(NamedTuple):
    """What is wanted.

    One of "instrument", "lock" (None unlocks), "reload" (name and content of an instrument's file), "morph",
    "representation", "decoder", "growth_cc", "midi_in", "output", "record", "send", "learn", "panic" and "close".
    """

    name: str
    value: Any = None


class Closed(NamedTuple):
    """The last word of the engine's process.

    Attributes
    ----------
    error : why a recording could not be completed
    lost : why the output is gone, or is given up for another one; "" if it was told to close
    failed : what else ended it, "" if it was told to close
    take : the recording, to be gone on with, of one that has not been told to close
    """

    error: TncaError | None = None
    lost: str = ""
    failed: str = ""
    take: TakeParts | None = None
