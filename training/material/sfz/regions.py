"""What the sections of an SFZ file mean: for which keys and velocities which part of which sample sounds, and how."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from ....errors import AudioFileError
from ...sources.naming.names import parse_pitch
from .text import Section

LEVELS: Final = ("global", "master", "group", "region")
"""Headers from the outermost to the innermost; each hands its opcodes on to those behind it."""
ALIASES: Final = {
    "loopmode": "loop_mode", "loopstart": "loop_start", "loopend": "loop_end", "pitch": "tune", "gain": "volume",
}  # fmt: skip
VOLUMES: Final = ("volume", "group_volume", "master_volume", "global_volume")
NO_LOOP: Final = ("no_loop", "one_shot")
CONTROLLERS: Final = {7: 100, 10: 64, 11: 127}
"""What controllers stand at before anybody moves them; others at 0."""
MOST_TUNE, MOST_GAIN_DB = 96.0, 144.0
FULL_VELOCITY: Final = 100
CONDITION: Final = re.compile(r"(?:on_)?(lo|hi)cc(\d+)")


@dataclass(frozen=True)
class Region:
    """A sample on the keyboard.

    Attributes
    ----------
    sample : path, relative to the SFZ file
    low, high : MIDI keys
    root : key that plays the sample as it is, before `tune`; None leaves that to the sample's own marks
    velocities : lowest and highest
    tune : semitones to raise the sample by
    gain_db : to make it louder by, at the velocity `velocity`
    offset, end : first frame, and the one behind the last or None
    loop : first frame and the one behind the last; None leaves that to the sample's own marks
    loops : whether it loops; None where its own marks say so
    is_tracked : whether its pitch follows the key
    """

    sample: str
    low: int
    high: int
    root: int | None
    velocities: tuple[int, int]
    tune: float = 0.0
    gain_db: float = 0.0
    offset: int = 0
    end: int | None = None
    loop: tuple[int, int] | None = None
    loops: bool | None = None
    is_tracked: bool = True

    @property
    def velocity(self) -> int:
        """The velocity that the sample is taken for: the middle of its layer."""
        low, high = self.velocities
        return FULL_VELOCITY if low <= 1 and high >= 127 else max(1, (low + high + 1) // 2)


@dataclass(frozen=True)
class LeftOut:
    """A region that is not played by a key alone, or makes no sense."""

    sample: str
    reason: str


def read_regions(sections: Sequence[Section]) -> list[Region | LeftOut]:
    """Return the regions, each with what it inherits."""
    return [_region(opcodes, control) for opcodes, control in _inherited(sections)]


def _inherited(sections: Sequence[Section]) -> Iterator[tuple[dict[str, str], dict[str, str]]]:
    """Yield the opcodes of each region, and those of `<control>` at its place."""
    levels: dict[str, dict[str, str]] = {}
    control: dict[str, str] = {}
    for section in sections:
        opcodes = {ALIASES.get(name, name): value for name, value in section.opcodes.items()}
        if section.header == "control":
            control = {**control, **opcodes}
        if section.header not in LEVELS:
            continue
        depth = LEVELS.index(section.header)
        levels = {name: levels[name] for name in LEVELS[:depth] if name in levels}
        levels[section.header] = _own(opcodes)
        if section.header == "region":
            merged: dict[str, str] = {}
            for name in LEVELS:
                merged |= levels.get(name, {})
            yield merged, control


def _own(opcodes: dict[str, str]) -> dict[str, str]:
    """Return opcodes with `key` taken apart, so that an inner `key` outdoes an outer `lokey`."""
    key = opcodes.get("key")
    return {"lokey": key, "hikey": key, "pitch_keycenter": key, **opcodes} if key is not None else opcodes


def _region(opcodes: dict[str, str], control: dict[str, str]) -> Region | LeftOut:
    sample = (control.get("default_path", "") + opcodes.get("sample", "")).replace("\\", "/")
    reason = _not_played(opcodes, control)
    if reason:
        return LeftOut(sample, reason)
    try:
        return _meaning(sample, opcodes, control)
    except (AudioFileError, ValueError) as error:
        return LeftOut(sample, f"bad region: {error}")


def _not_played(opcodes: dict[str, str], control: dict[str, str]) -> str | None:
    """Return why a key alone does not play a region, or None."""
    sample, trigger = opcodes.get("sample", ""), opcodes.get("trigger", "attack")
    if not sample:
        return "bad region: it names no sample"
    if sample.startswith("*"):
        return f"generated: {sample} is no recording"
    if trigger not in ("attack", "first"):
        return f"{trigger}: it sounds at another time than when a key goes down (trigger={trigger})"
    if opcodes.get("end") in ("-1", "0"):
        return "disabled: its end is before its beginning"
    switch, chosen = opcodes.get("sw_last"), opcodes.get("sw_default")
    if switch is not None and chosen is not None and switch.lower() != chosen.lower():
        return f"key switch: it sounds after key {switch} alone, and {chosen} is the first choice"
    return _needs_controller(opcodes, control)


def _needs_controller(opcodes: dict[str, str], control: dict[str, str]) -> str | None:
    for name, value in opcodes.items():
        match = CONDITION.fullmatch(name)
        if not match or not value.isdecimal():
            continue
        number = int(match[2])
        at_rest = control.get(f"set_cc{number}", str(CONTROLLERS.get(number, 0)))
        rest = int(at_rest) if at_rest.isdecimal() else 0
        if name.startswith("on_") or (int(value) > rest if match[1] == "lo" else int(value) < rest):
            return f"controller: it sounds while controller {number} is moved alone ({name}={value})"
    return None


def _meaning(sample: str, opcodes: dict[str, str], control: dict[str, str]) -> Region:
    shift = int(control.get("note_offset", "0")) + 12 * int(control.get("octave_offset", "0"))

    def key(name: str, default: int) -> int:
        value = opcodes.get(name)
        return default if value is None or int_or(value) == -1 else parse_pitch(value) + shift

    centre = opcodes.get("pitch_keycenter", "60")
    root = None if centre == "sample" else key("pitch_keycenter", 60)
    tracking = float(opcodes.get("pitch_keytrack", "100"))
    low, high = (int(float(opcodes.get(name, default))) for name, default in (("lovel", "0"), ("hivel", "127")))
    loop_mode = opcodes.get("loop_mode")
    loop = None
    if "loop_start" in opcodes and "loop_end" in opcodes:
        loop = (int(opcodes["loop_start"]), int(opcodes["loop_end"]) + 1)
    end = int(opcodes["end"]) + 1 if "end" in opcodes else None
    region = Region(
        sample,
        max(0, key("lokey", 0)),
        min(127, key("hikey", 127)),
        root,
        (low, high),
        tune=float(opcodes.get("transpose", "0")) + float(opcodes.get("tune", "0")) / 100,
        offset=max(0, int(opcodes.get("offset", "0"))),
        end=end,
        loop=loop,
        loops=None if loop_mode is None else loop_mode not in NO_LOOP,
        is_tracked=tracking != 0,
        gain_db=sum(float(opcodes.get(name, "0")) for name in VOLUMES),
    )
    if region.low > region.high or low > high:
        raise ValueError(f"keys {region.low}..{region.high} and velocities {low}..{high} must each rise")
    if not abs(region.tune) <= MOST_TUNE or not abs(region.gain_db) <= MOST_GAIN_DB:
        raise ValueError(f"tuned by {region.tune:g} semitones and {region.gain_db:g} dB louder")
    return region


def int_or(text: str, default: int | None = None) -> int | None:
    """Return a text as a whole number, or `default` where it is none."""
    return int(text) if re.fullmatch(r"-?\d+", text.strip()) else default
