"""The notes of a SoundFont's preset that tell all others: one key of each zone, and what its velocity layers have."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..config.instruments import InstrumentConfig
from ..measure.recording import HELD_OUT_VELOCITY, Recording, is_held_out_key
from .soundfont import PEAK_SILENT, SoundFont
from .soundfont_file import DRUM_BANK, Preset
from .soundfont_zones import Range, SoundFontZones, Zone

LOWEST, HIGHEST = 21, 108
"""Keys of a piano: zones beyond are left out where others are there."""
WIDEST: Final = 12
"""Keys of a zone that is told by one of them; a wider one is told by several, so that none is transposed far."""
JUDGED: Final = 2
"""Held-out keys of each instrument."""
JUDGED_HOLD_S: Final = 2.5


def zone_recordings(
    font: SoundFont,
    zones: SoundFontZones,
    instrument: InstrumentConfig,
    velocities: tuple[int, ...],
    holds_s: tuple[float, ...],
    tail_s: float,
) -> Iterator[Recording]:
    """Yield the notes of an instrument, and a few of keys and a velocity that training never hears.

    A SoundFont player makes no difference between the velocities of a layer but their level. So of each layer the
    loudest is rendered, and `Recording.softest` says how far down it serves. Layers are those of `velocities`, between
    which growth is smooth. The first is held for the longest of `holds_s`, and the others in turn for the shorter ones;
    a single layer is rendered twice.
    """
    longest, *shorter = sorted(holds_s, reverse=True)
    count = 0
    found = told_zones(zones, instrument)
    for zone in found:
        layers = told_layers(zone, velocities)
        for order, (softest, loudest) in enumerate(layers if len(layers) > 1 else 2 * layers):
            hold_s = shorter[count % len(shorter)] if order and shorter else longest
            count += order > 0
            note = _recording(font, instrument, zone.root, loudest, hold_s, tail_s)
            if note is not None:
                yield replace(note, softest=softest, root=zone.root)
    for key, root in () if instrument.drum_keys else _judged(found):
        note = _recording(font, instrument, key, HELD_OUT_VELOCITY, JUDGED_HOLD_S, tail_s)
        if note is not None:
            yield replace(note, root=root)


def told_zones(zones: SoundFontZones, instrument: InstrumentConfig) -> list[Zone]:
    """Return the zones of an instrument, cut to what is played and to `WIDEST` keys, each with its own root.

    Roots are no held-out keys where a zone has others. Of drums each key is a zone of its own.
    """
    found = zones.zones(_bank(instrument), instrument.program)
    if instrument.drum_keys:
        keys = instrument.recorded
        return [
            replace(zone, low=key, high=key, root=key) for zone in found for key in keys if zone.low <= key <= zone.high
        ]
    low, high = max(instrument.low, LOWEST), min(instrument.high, HIGHEST)
    inner = [replace(one, low=max(one.low, low), high=min(one.high, high)) for one in found]
    return [part for zone in inner if zone.low <= zone.high for part in _parts(zone)]


def zone_reach(path: str, instruments: Iterable[InstrumentConfig]) -> dict[tuple[str, int], int]:
    """Return, by timbre and root, the highest key of its zone."""
    zones = SoundFontZones(path)
    return {
        (one.timbre_name(zone.root), zone.root): zone.high for one in instruments for zone in told_zones(zones, one)
    }


def heard_reach(zones: Sequence[Zone], recorded: Sequence[int]) -> NDArray[np.int64]:
    """Return the highest key that is heard from each of some recorded keys (K,), which rise.

    A key is heard from the nearest one of its zone, or from the nearest of all where its zone has none.
    """
    keys, known = np.arange(128), np.array(recorded, np.int64)
    zone = np.full(128, -1)
    for number, one in enumerate(zones):
        zone[one.low : one.high + 1] = number
    away = np.abs(keys[:, None] - known) + 128 * (zone[keys][:, None] != zone[known])
    heard = np.maximum.accumulate(away.argmin(1))
    return np.array([int(keys[heard == row].max(initial=known[row])) for row in range(len(known))], np.int64)


def _bank(instrument: InstrumentConfig) -> int:
    return DRUM_BANK if instrument.drum_keys else instrument.bank


def _parts(zone: Zone) -> Iterator[Zone]:
    """Cut a zone into parts of at most `WIDEST` keys, as equal as can be."""
    keys = np.arange(zone.low, zone.high + 1)
    for part in np.array_split(keys, -(-len(keys) // WIDEST)):
        heard = [int(key) for key in part if not is_held_out_key(int(key))] or [int(part[0])]
        middle = zone.root if part[0] <= zone.root <= part[-1] else int(part[len(part) // 2])
        root = min(heard, key=lambda key: abs(key - middle))
        yield replace(zone, low=int(part[0]), high=int(part[-1]), root=root)


def told_layers(zone: Zone, velocities: tuple[int, ...]) -> list[Range]:
    """Return the layers that hold some velocities, in their order."""
    told = [one for velocity in velocities for one in zone.layers if one[0] <= velocity <= one[1]]
    return [*dict.fromkeys(told)] or [zone.layers[-1]]


def _judged(zones: list[Zone]) -> list[tuple[int, int]]:
    """Return held-out keys and the roots they are heard from, spread over an instrument's keys."""
    keys = [(key, zone.root) for zone in zones for key in range(zone.low, zone.high + 1) if is_held_out_key(key)]
    usual = [one for one in keys if one[0] != one[1] and 36 <= one[0] <= 84] or keys
    places = np.linspace(0, len(usual) - 1, JUDGED + 2)[1:-1].round().astype(int)
    return [usual[place] for place in dict.fromkeys(places.tolist())] if usual else []


def _recording(
    font: SoundFont, instrument: InstrumentConfig, key: int, velocity: int, hold_s: float, tail_s: float
) -> Recording | None:
    """Render a note; None where nothing is heard."""
    preset = Preset(_bank(instrument), instrument.program, instrument.name)
    audio = font.play(preset, key, velocity, hold_s, tail_s)
    if np.abs(audio).max() < PEAK_SILENT:
        return None
    return Recording(audio, instrument.timbre_name(key), key, velocity, hold_s, instrument.pitched)
