"""A preset of a SoundFont, played key by key."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import numpy as np

from ...errors import UsageError
from ..sources.audio.note_file import NoteFile, recorded_note
from ..sources.soundfont import PEAK_SILENT, SoundFont
from ..sources.soundfont_file import DRUM_BANK, Preset, open_file
from .keeping import Keeper
from .material import Gathered, Wishes

KEY_STEP: Final = 3
KEYS: Final = range(21, 109)
DRUM_KEYS: Final = range(27, 88)
VELOCITIES: Final = (48, 80, 112)
DRUM_VELOCITIES: Final = (112,)
HOLD_S: Final = 3.0
TAIL_S: Final = 1.5
MOST_LISTED: Final = 24


def read_preset(path: Path, sample_rate: int, wishes: Wishes) -> Gathered:
    """Play notes over the keyboard of the preset that is asked for, or of the only one."""
    preset = choose_preset(path, wishes.preset)
    is_kit = preset.bank == DRUM_BANK
    font = SoundFont(path, sample_rate)
    keeper = Keeper(sample_rate)
    keys = DRUM_KEYS if is_kit else KEYS[::KEY_STEP]
    for key in keys:
        for velocity in DRUM_VELOCITIES if is_kit else VELOCITIES:
            audio = font.play(preset, key, velocity, HOLD_S, TAIL_S)
            if np.abs(audio).max() < PEAK_SILENT:
                continue
            origin = f"{path.name} {preset.bank}:{preset.program} key {key} velocity {velocity}"
            keeper.add(
                recorded_note(
                    NoteFile(audio),
                    sample_rate,
                    preset.name,
                    key,
                    velocity,
                    pitched=not is_kit,
                    hold_s=HOLD_S,
                    origin=origin,
                )
            )
    return Gathered(
        "soundfont", keeper.recordings, keeper.findings, [f"preset {_text(preset)}"], True, is_kit, name=preset.name
    )


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
