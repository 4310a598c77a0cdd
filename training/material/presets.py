"""A preset of a SoundFont, played where it was recorded."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from ...engine.arrays import FloatArray
from ...errors import UsageError
from ..sources.audio.note_file import NoteFile, recorded_note
from ..sources.soundfont import PEAK_SILENT, SoundFont
from ..sources.soundfont_file import DRUM_BANK, Preset, open_file
from ..sources.soundfont_zones import SoundFontZones, Zone
from ..sources.zone_notes import HIGHEST, LOWEST
from .keeping import Keeper
from .material import Gathered, Wishes

Played = Callable[[int, int, float, float], FloatArray]
"""A key at a velocity, held for some seconds and let go for some more."""
FARTHEST: Final = 6
"""Semitones from a recorded key to one that is made from it and played as well."""
MOST_KEYS: Final = 32
MOST_LAYERS: Final = 4
VELOCITIES: Final = (48, 80, 112)
DRUM_VELOCITY: Final = 112
HOLD_S: Final = 4.0
TAIL_S: Final = 1.5
MOST_LISTED: Final = 24


def read_preset(path: Path, sample_rate: int, wishes: Wishes) -> Gathered:
    """Play the recorded keys and layers of the preset that is asked for, or of the only one.

    Notes are held long enough to be heard going through the loop of their sample.
    """
    preset = choose_preset(path, wishes.preset)
    is_kit = preset.bank == DRUM_BANK if wishes.drums is None else wishes.drums
    zones = SoundFontZones(path).zones(preset.bank, preset.program)
    font = SoundFont(path, sample_rate)
    keeper = Keeper(sample_rate)
    for key, velocities in drums_of(zones) if is_kit else notes_of(zones):
        for velocity in velocities:
            audio = font.play(preset, key, velocity, HOLD_S, TAIL_S)
            if np.abs(audio).max(initial=0.0) < PEAK_SILENT:
                continue
            origin = f"{path.name} {preset.bank}:{preset.program} key {key} velocity {velocity}"
            one = NoteFile(audio)
            keeper.add(
                recorded_note(
                    one, sample_rate, preset.name, key, velocity, pitched=not is_kit, hold_s=HOLD_S, origin=origin
                )
            )
    recorded = len({zone.root for zone in zones})
    remarks = [f"preset {_text(preset)}: {recorded} recorded keys, {_layers(zones)} layers of velocity"]
    return Gathered(
        "soundfont",
        keeper.recordings,
        keeper.findings,
        remarks,
        is_rendered=True,
        is_kit=is_kit,
        name=preset.name,
        zone_ends=() if is_kit else tuple(sorted({zone.high for zone in zones})),
    )


def played_keys(path: Path, sample_rate: int, wishes: Wishes) -> Played:
    """Return what plays any key of the preset that is asked for, as its recordings are named."""
    preset, font = choose_preset(path, wishes.preset), SoundFont(path, sample_rate)

    def played(key: int, velocity: int, hold_s: float, tail_s: float) -> FloatArray:
        return font.play(preset, key - wishes.transpose, velocity, hold_s, tail_s)

    return played


def notes_of(zones: Sequence[Zone]) -> list[tuple[int, tuple[int, ...]]]:
    """Return the keys to play and at which velocities: what was recorded, and what is made from it far from there."""
    keys = {zone.root for zone in zones}
    for zone in zones:
        keys |= set(range(zone.root, zone.high + 1, FARTHEST)) | set(range(zone.root, zone.low - 1, -FARTHEST))
    chosen = sorted(key for key in keys if LOWEST <= key <= HIGHEST) or sorted(keys)
    if len(chosen) > MOST_KEYS:
        chosen = [chosen[i * (len(chosen) - 1) // (MOST_KEYS - 1)] for i in range(MOST_KEYS)]
    return [(key, _velocities(zone)) for key in chosen for zone in zones if zone.low <= key <= zone.high]


def drums_of(zones: Sequence[Zone]) -> list[tuple[int, tuple[int, ...]]]:
    """Return the keys of a kit, each once, and the velocity of its loudest layer."""
    keys = range(zones[0].low, zones[-1].high + 1) if zones else range(0)
    return [(key, (DRUM_VELOCITY,)) for key in keys if any(zone.low <= key <= zone.high for zone in zones)]


def _velocities(zone: Zone) -> tuple[int, ...]:
    """Return the middle of each layer; of one layer the velocities that show how loudness goes with them."""
    if len(zone.layers) < 2:
        return VELOCITIES
    layers = zone.layers[:: -(-len(zone.layers) // MOST_LAYERS)]
    return tuple(max(1, (low + high + 1) // 2) for low, high in layers)


def _layers(zones: Sequence[Zone]) -> int:
    return max((len(zone.layers) for zone in zones), default=0)


def choose_preset(path: Path, wanted: str | None) -> Preset:
    """Return the preset that ``bank:program`` or ``program`` names, or the only one there is.

    Raises
    ------
    UsageError
        It names none, or there are several and none is named; the presets are listed.
    DatasetError
        Not a readable SoundFont.
    """
    presets = sorted(open_file(path).presets, key=lambda one: (one.bank, one.program))
    if wanted is None:
        if len(presets) == 1:
            return presets[0]
        raise UsageError(f"{path} holds {len(presets)} presets, name one with --preset BANK:PROGRAM: {_list(presets)}")
    match = re.fullmatch(r"(?:(\d+):)?(\d+)", wanted.strip())
    if not match:
        raise UsageError(f"--preset expects BANK:PROGRAM, such as 0:4, got {wanted!r}")
    place = (int(match[1] or 0), int(match[2]))
    found = next((one for one in presets if (one.bank, one.program) == place), None)
    if found is None:
        raise UsageError(f"preset {place[0]}:{place[1]} is not in {path}, which has {_list(presets)}")
    return found


def _list(presets: list[Preset]) -> str:
    more = f" and {len(presets) - MOST_LISTED} more" if len(presets) > MOST_LISTED else ""
    return ", ".join(map(_text, presets[:MOST_LISTED])) + more


def _text(preset: Preset) -> str:
    return f"{preset.bank}:{preset.program} {preset.name}"
