"""Which sample of a SoundFont serves which keys and velocities, read from its generators.

SoundFont 2.04 specification, chapters 7 and 8.1: a preset has zones that name instruments, an instrument has zones that
name samples; the first zone of either may be global, without a name, and says what the others do not. Ranges of keys
and velocities of a preset's zone limit those of its instrument.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from ...errors import DatasetError
from .soundfont_file import SoundFontFile, open_file

KEY_RANGE, VELOCITY_RANGE, INSTRUMENT, SAMPLE, SCALE_TUNING, EXCLUSIVE, ROOT_KEY = 43, 44, 41, 53, 56, 57, 58
EVERY: Final = (0, 127)
NO_ROOT: Final = 60
"""Root key of samples that say none (255: without a pitch)."""
SEMITONE: Final = 100
"""Cents from one key to the next, where a SoundFont says nothing else."""

Range = tuple[int, int]
Generators = dict[int, int]


@dataclass(frozen=True)
class Region:
    """What one sample serves in a preset.

    Attributes
    ----------
    keys, velocities : lowest and highest
    sample : number of the sample
    root : MIDI key at which it sounds as recorded
    exclusive : notes of one class other than 0 end each other
    scale_cents : how much higher each key sounds than the one below; noises are often transposed by less than keys are
    place : of the zone in its instrument and of the instrument in the preset, which tell regions apart
    """

    keys: Range
    velocities: Range
    sample: int
    root: int
    exclusive: int
    scale_cents: int
    place: tuple[int, int]


@dataclass(frozen=True)
class Zone:
    """Neighbouring keys that the same samples serve.

    Attributes
    ----------
    low, high : MIDI keys
    root : that of them whose sound the others are made from: nearest to the root key of the sample
    layers : velocities from and to which the same samples serve the root, rising
    exclusive, scale_cents : those of `Region`, at the root
    """

    low: int
    high: int
    root: int
    layers: tuple[Range, ...]
    exclusive: int = 0
    scale_cents: int = SEMITONE


class SoundFontZones:
    """The zones of all presets of a SoundFont.

    Parameters
    ----------
    path : str or Path

    Raises
    ------
    DatasetError
        It is no SoundFont, or its tables name what is not there.
    """

    def __init__(self, path: str | Path) -> None:
        self._file: SoundFontFile = open_file(path)
        try:
            tables = self._file.tables()
            self._presets = [*struct.iter_unpack("<20sHHHIII", tables[b"phdr"])]
            self._preset_bags = [*struct.iter_unpack("<HH", tables[b"pbag"])]
            self._preset_generators = [*struct.iter_unpack("<HH", tables[b"pgen"])]
            self._instruments = [*struct.iter_unpack("<20sH", tables[b"inst"])]
            self._bags = [*struct.iter_unpack("<HH", tables[b"ibag"])]
            self._generators = [*struct.iter_unpack("<HH", tables[b"igen"])]
            self._samples = [*struct.iter_unpack("<20sIIIIIBbHH", tables[b"shdr"])]
        except struct.error as error:
            raise DatasetError(f"{path} is not a readable SoundFont: {error}") from error

    @cached_property
    def _places(self) -> dict[tuple[int, int], int]:
        """Number of each preset by bank and program."""
        return {(one[2], one[1]): number for number, one in enumerate(self._presets[:-1])}

    def regions(self, bank: int, program: int) -> tuple[Region, ...]:
        """Return what a preset plays; `DatasetError` if it is not there."""
        number = self._places.get((bank, program))
        if number is None:
            raise DatasetError(f"{self._file.path} has no preset {program} in bank {bank}")
        try:
            return tuple(self._regions(number))
        except IndexError as error:
            raise DatasetError(f"{self._file.path} names zones that it lacks") from error

    def _regions(self, number: int) -> Iterator[Region]:
        first, last = self._presets[number][3], self._presets[number + 1][3]
        zones = _zones(self._preset_bags, self._preset_generators, first, last, INSTRUMENT)
        for order, outer in enumerate(zones):
            name = outer[INSTRUMENT]
            first, last = self._instruments[name][1], self._instruments[name + 1][1]
            for inner_order, inner in enumerate(_zones(self._bags, self._generators, first, last, SAMPLE)):
                keys = _common(_range(outer, KEY_RANGE), _range(inner, KEY_RANGE))
                velocities = _common(_range(outer, VELOCITY_RANGE), _range(inner, VELOCITY_RANGE))
                if keys and velocities:
                    sample = inner[SAMPLE]
                    own = self._samples[sample][6]
                    root = inner.get(ROOT_KEY, own if own <= 127 else NO_ROOT)
                    exclusive = inner.get(EXCLUSIVE, 0)
                    scale = inner.get(SCALE_TUNING, SEMITONE) + _signed(outer.get(SCALE_TUNING, 0))
                    yield Region(keys, velocities, sample, root, exclusive, scale, (order, inner_order))

    def zones(self, bank: int, program: int, velocity: int = 100) -> tuple[Zone, ...]:
        """Return the zones of a preset, from the lowest keys to the highest; keys without a sound are in none.

        Keys belong together that the same regions serve at `velocity`.
        """
        regions = self.regions(bank, program)
        served: dict[int, tuple[Region, ...]] = {}
        for key in range(128):
            at = tuple(one for one in regions if _holds(one.keys, key))
            if at:
                served[key] = tuple(one for one in at if _holds(one.velocities, velocity)) or at
        runs: list[list[int]] = []
        for key, own in served.items():
            if runs and runs[-1][-1] == key - 1 and served[key - 1] == own:
                runs[-1].append(key)
            else:
                runs.append([key])
        return tuple(_zone(keys, served[keys[0]], regions) for keys in runs)


def _zone(keys: list[int], own: tuple[Region, ...], regions: Iterable[Region]) -> Zone:
    """Return the zone of some keys, which some regions serve."""
    root = min(max(own[0].root, keys[0]), keys[-1])
    layers: list[tuple[int, int, tuple[Region, ...]]] = []
    for velocity in range(1, 128):
        here = tuple(one for one in regions if _holds(one.keys, root) and _holds(one.velocities, velocity))
        if layers and layers[-1][1] == velocity - 1 and layers[-1][2] == here:
            layers[-1] = (layers[-1][0], velocity, here)
        elif here:
            layers.append((velocity, velocity, here))
    told = tuple((low, high) for low, high, _ in layers)
    return Zone(keys[0], keys[-1], root, told, own[0].exclusive, own[0].scale_cents)


def _zones(
    bags: list[tuple[Any, ...]], generators: list[tuple[Any, ...]], first: int, last: int, name: int
) -> Iterator[Generators]:
    """Yield the generators of zones first..last - 1 that name something, with what the global one says."""
    general: Generators = {}
    for number in range(first, last):
        own = dict(generators[bags[number][0] : bags[number + 1][0]])
        if name in own:
            yield general | own
        elif number == first:
            general = own


def _range(generators: Generators, kind: int) -> Range:
    """Return a range: its ends are the two bytes of a generator."""
    value = generators.get(kind)
    return EVERY if value is None else (value & 255, value >> 8)


def _signed(value: int) -> int:
    """Return the 16 bits of a generator as a number that may be below 0."""
    return value - 65536 if value > 32767 else value


def _common(one: Range, other: Range) -> Range | None:
    low, high = max(one[0], other[0]), min(one[1], other[1])
    return (low, high) if low <= high else None


def _holds(span: Range, value: int) -> bool:
    return span[0] <= value <= span[1]
