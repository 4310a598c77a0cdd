"""What a live session is told and what it tells: plain values that travel between the processes."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final, NamedTuple

from ..engine.choices import DEFAULT_PROVIDER
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
)
"""What a control change can be mapped onto; `live.mapping` knows the standard controller of each."""

MAX_BLOCK_SIZE: Final = 8192
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
    block_size : frames per audio callback
    instrument, representation, decoder : names; None: what a program change asks for, and the best
    channel : 1..16: listen to this MIDI channel only
    max_voices : notes that sound at once
    record : WAV or FLAC file to write what is played to, with the MIDI beside it
    cc_map : incoming controller number to a name of `CONTROL_TARGETS`

    Raises
    ------
    UsageError
        If a value is out of range.
    """

    midi_in: tuple[str, ...] = ()
    audio_out: str | None = None
    host_api: str | None = None
    sample_rate: int | None = None
    block_size: int = 128
    instrument: str | None = None
    representation: str | None = None
    decoder: str | None = None
    channel: int | None = None
    max_voices: int = 64
    record: Path | None = None
    seed: int = 0
    provider: str = DEFAULT_PROVIDER
    bank_path: Path | None = None
    cc_map: dict[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check the ranges."""
        _check_range("--block-size", self.block_size, 16, MAX_BLOCK_SIZE)
        _check_range("--max-voices", self.max_voices, 1, MAX_VOICES)
        if self.channel is not None:
            _check_range("--channel", self.channel, 1, NUM_CHANNELS)
        for controller, target in self.cc_map.items():
            _check_range("a mapped controller", controller, 0, FIRST_MODE_MESSAGE - 1)
            if target not in CONTROL_TARGETS:
                raise UsageError(f"unknown control target {target!r}: expected one of {', '.join(CONTROL_TARGETS)}")


@dataclass(frozen=True)
class LiveStatus:
    """A moment of a live session.

    Attributes
    ----------
    instrument, representation, decoder : what plays now
    voices, max_voices : that sound, that may
    peak_left_db, peak_right_db : dBFS of the last moments, -120 for silence
    load : share of real time that producing took, 0..1
    underruns, xruns : blocks that came too late; as reported by the device
    latency_ms : from MIDI in to sound, as promised
    last_message : human text of the last MIDI message, "" before the first
    midi_ports : open now
    notices : newest lines for people
    learned : last control bound by MIDI learn: (controller, target)
    late_messages : that came too late to sound at their own place
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


@dataclass(frozen=True)
class Ready:
    """What the engine process says when it is playable."""

    instruments: tuple[str, ...]
    paths: dict[str, tuple[str, ...]]  # the decoders of each representation
    status: LiveStatus


def as_dict(options: LiveOptions) -> dict[str, Any]:
    """Return the options as a flat dictionary, values as they are."""
    return {one.name: getattr(options, one.name) for one in fields(options)}


def _check_range(name: str, value: object, low: int, high: int) -> None:
    if not isinstance(value, int) or not low <= value <= high:
        raise UsageError(f"{name} must be a whole number in {low}..{high}, got {value!r}")


class Command(NamedTuple):
    """What the control process wants: "instrument", "representation", "decoder", "send", "learn", "panic", "close"."""

    name: str
    value: Any = None


class Closed(NamedTuple):
    """The last word of the engine's process.

    Attributes
    ----------
    error : why a recording could not be completed
    lost : why the output is gone, "" if it was told to close
    device : name and host API of the lost output
    """

    error: TncaError | None = None
    lost: str = ""
    device: tuple[str, str] = ("", "")
