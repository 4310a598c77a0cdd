"""What a player can choose: one row an option, from which the command line and the settings file are made.

Light to import: the command line reads it before it knows whether anybody plays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ..engine.names import DECODERS, PROVIDERS, REPRESENTATIONS, SAMPLE_RATE_RANGE_HZ, closest
from ..errors import UsageError
from .protocol import (
    DEFAULT_BLOCK_SIZE,
    FIRST_MODE_MESSAGE,
    MAX_BLOCK_SIZE,
    MAX_VOICES,
    MIN_BLOCK_SIZE,
    NUM_CHANNELS,
    LiveOptions,
)

BLOCK_SIZE_RANGE_FRAMES: Final = (MIN_BLOCK_SIZE, MAX_BLOCK_SIZE)
MAX_VOICES_RANGE: Final = (1, MAX_VOICES)
CHANNEL_RANGE: Final = (1, NUM_CHANNELS)
PROGRAM_RANGE: Final = (0, 127)
CONTROLLER_RANGE: Final = (0, FIRST_MODE_MESSAGE - 1)
RECORDINGS: Final = (".wav", ".flac")
SEED_RANGE: Final = (0, 2**63 - 1)


@dataclass(frozen=True)
class Option:
    """Something that a player can choose.

    Attributes
    ----------
    key : str
        Its name in the settings file and, after two dashes, on the command line.
    check : callable
        Takes what was written, text or a TOML value, and returns the value meant; raises `UsageError` otherwise.
    help : str
        For people.
    metavar : str
        Stands for the value in help.
    stored : bool
        Whether the settings file may hold it.
    is_switch : bool
        Whether it is on or off: `--key` and `--no-key` on the command line.
    """

    key: str
    check: Callable[[object], Any]
    help: str
    metavar: str
    stored: bool = True
    is_switch: bool = False

    @property
    def field(self) -> str:
        """Its name in Python."""
        return self.key.replace("-", "_")


def text(value: object) -> str:
    """Return a text that is not empty."""
    if not isinstance(value, str) or not value.strip():
        raise UsageError(f"expected a text, got {value!r}")
    return value.strip()


def texts(value: object) -> tuple[str, ...]:
    """Return one text or several as a tuple."""
    return tuple(text(one) for one in (value if isinstance(value, list | tuple) else [value]))


def switch(value: object) -> bool:
    """Return whether something is on."""
    if not isinstance(value, bool):
        raise UsageError(f"expected true or false, got {value!r}")
    return value


def instrument(value: object) -> str:
    """Return the name or the number of an instrument as a text."""
    return text(str(whole_number(value, *PROGRAM_RANGE)) if isinstance(value, int) else value)


def whole_number(value: object, low: int, high: int) -> int:
    """Return a whole number in a range, from a number or its digits."""
    number = value
    if isinstance(value, str) and value.strip().lstrip("+-").isdecimal():
        number = int(value)
    if isinstance(number, bool) or not isinstance(number, int) or not low <= number <= high:
        raise UsageError(f"expected a whole number in {low}..{high}, got {value!r}")
    return number


def sound_file(value: object) -> Path:
    """Return the path of a sound file that can be written: its folder is there."""
    path = Path(text(value)).expanduser()
    if path.suffix.lower() not in RECORDINGS:
        raise UsageError(f"expected a name that ends in {' or '.join(RECORDINGS)}, got {str(path)!r}")
    if path.is_dir() or not path.parent.is_dir():
        raise UsageError(f"cannot write {path}: {'it is a folder' if path.is_dir() else 'its folder does not exist'}")
    return path


def _one_of(known: Iterable[str], kind: str) -> Callable[[object], str]:
    return lambda value: closest(text(value), known, kind)


def _number_in(limits: tuple[int, int]) -> Callable[[object], int]:
    return lambda value: whole_number(value, *limits)


def _names(what: str, known: Iterable[str]) -> str:
    return f"{what}: {', '.join(known)}"


def _path(value: object) -> Path:
    return Path(text(value)).expanduser()


OPTIONS: Final = (
    Option(
        "midi-in",
        texts,
        "MIDI input: its number or a part of its name; may be repeated (default: the first keyboard plugged in, else "
        "a port of our own for others to connect to)",
        "PORT",
    ),
    Option("audio-out", text, "audio output: its number or a part of its name (default: the system's)", "DEVICE"),
    Option("host-api", text, "what audio goes through, such as JACK, ALSA, Core Audio, WASAPI or ASIO", "NAME"),
    Option("sample-rate", _number_in(SAMPLE_RATE_RANGE_HZ), "of the audio output (default: the output's own)", "HZ"),
    Option(
        "block-size",
        _number_in(BLOCK_SIZE_RANGE_FRAMES),
        "frames per block: fewer for less latency, more for a slow machine (default: a period of the JACK server, else "
        f"{DEFAULT_BLOCK_SIZE})",
        "N",
    ),
    Option(
        "instrument",
        instrument,
        "what to begin with: a name from `tnca-synth instruments`, a program 0..127 or a file (.tnca), which is read "
        "again whenever it changes; the next program change of a channel takes its place there",
        "NAME",
    ),
    Option(
        "lock-instrument", instrument, "play everything but the drums on this instrument, whatever is asked for", "NAME"
    ),
    Option(
        "representation", _one_of(REPRESENTATIONS, "representation"), _names("what is grown", REPRESENTATIONS), "NAME"
    ),
    Option("decoder", _one_of(DECODERS, "decoder"), _names("what makes it sound", DECODERS), "NAME"),
    Option("channel", _number_in(CHANNEL_RANGE), "listen to this MIDI channel only, 1..16 (default: all)", "N"),
    Option("max-voices", _number_in(MAX_VOICES_RANGE), f"notes at once (default: {LiveOptions.max_voices})", "N"),
    Option("record", sound_file, "record the sound, and the MIDI into a file beside it", "FILE.wav", stored=False),
    Option("seed", _number_in(SEED_RANGE), "of all chance (default: 0)", "N"),
    Option("provider", _one_of(PROVIDERS, "provider"), _names("where models run", PROVIDERS), "NAME"),
    Option("bank", _path, "bank to play (default: the one that is shipped)", "PATH"),
    Option(
        "growth-cc",
        switch,
        "let CC 20 to 28 and 102 to 106 move the growth (default: no; keyboards use them for other things)",
        "",
        is_switch=True,
    ),
)
"""All options in the order of help."""

BY_KEY: Final = {option.key: option for option in OPTIONS}
