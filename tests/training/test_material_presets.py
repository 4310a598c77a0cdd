"""Presets of SoundFonts: chosen by bank and program, played where they were recorded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tnca_synth.errors import DatasetError, UsageError
from tnca_synth.training.config.run import DataConfig
from tnca_synth.training.material import Wishes, understand
from tnca_synth.training.material.presets import HOLD_S, TAIL_S, notes_of, played_keys
from tnca_synth.training.material.understand import SAMPLE_RATE
from tnca_synth.training.sources.soundfont_zones import SoundFontZones, Zone

pytestmark = pytest.mark.slow

FONT = Path(DataConfig().soundfont)


def test_a_preset_gives_its_recorded_keys_and_layers():
    material = understand(FONT, wishes=Wishes(preset="0:108"))
    assert (material.kind, material.name, material.is_kit) == ("soundfont", "kalimba", False)
    zones = SoundFontZones(FONT).zones(0, 108)
    roots = {zone.root for zone in zones}
    assert material.zone_ends == tuple(zone.high for zone in zones)
    lower = tuple(zone.high - 2 for zone in zones)
    assert material.transposed(-2).zone_ends == lower
    assert understand(FONT, wishes=Wishes(preset="0:108", transpose=-2)).zone_ends == lower
    assert {root for root in roots if 21 <= root <= 108} <= set(material.pitches)
    assert np.diff(material.pitches).max() <= 12
    assert not material.refused and material.offset is None
    heard = [round(one.heard) - one.recording.pitch for one in material.notes if one.heard is not None]
    assert len(heard) > 12 and np.mean([off == 0 for off in heard]) > 0.8


@pytest.mark.parametrize("transpose", [0, -2])
def test_any_key_of_a_preset_can_be_played_as_its_recordings_are(transpose: int) -> None:
    wishes = Wishes(preset="0:108", transpose=transpose)
    recorded = understand(FONT, wishes=wishes).recordings[3]
    again = played_keys(FONT, SAMPLE_RATE, wishes)(recorded.pitch, recorded.velocity, HOLD_S, TAIL_S)
    np.testing.assert_array_equal(again[: len(recorded.audio)], recorded.audio[: len(again)])


def test_a_kit_gives_all_its_drums():
    material = understand(FONT, wishes=Wishes(preset="128:0"))
    assert material.is_kit and not material.zone_ends
    assert {36, 38, 42, 46, 49} <= set(material.pitches)
    assert all(one.instrument.endswith(f":{one.pitch}") for one in material.recordings)


@pytest.mark.parametrize(
    ("preset", "words"),
    [
        (None, "holds [0-9]+ presets, name one with --preset BANK:PROGRAM: 0:0 "),
        ("77:3", "preset 77:3 is not in .*, which has 0:0 "),
        ("piano", "--preset expects BANK:PROGRAM, such as 0:4, got 'piano'"),
    ],
)
def test_a_preset_that_is_not_there_is_one_line_with_those_that_are(preset, words):
    with pytest.raises(UsageError, match=words) as caught:
        understand(FONT, wishes=Wishes(preset=preset))
    assert "\n" not in str(caught.value)


def test_what_is_no_soundfont(tmp_path):
    (tmp_path / "x.sf2").write_bytes(b"RIFF1234WAVE")
    with pytest.raises(DatasetError, match="not a readable SoundFont"):
        understand(tmp_path / "x.sf2")


def test_layers_and_keys_far_from_what_was_recorded():
    zones = [Zone(30, 59, 48, ((1, 127),)), Zone(60, 72, 66, ((1, 40), (41, 90), (91, 127)))]
    chosen = dict(notes_of(zones))
    assert sorted(chosen) == [30, 36, 42, 48, 54, 60, 66, 72]
    assert chosen[48] == (48, 80, 112)
    assert chosen[66] == (21, 66, 109)
