"""A SoundFont says which sample serves which keys and velocities; nothing of it is guessed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from tnca_synth.engine.arrays import FloatArray
from tnca_synth.engine.keys.zones import KeyZones
from tnca_synth.errors import DatasetError
from tnca_synth.training.config.instruments import InstrumentConfig
from tnca_synth.training.config.run import DataConfig
from tnca_synth.training.measure.recording import HELD_OUT_VELOCITY, Recording, is_held_out_key
from tnca_synth.training.sources.soundfont import SoundFont
from tnca_synth.training.sources.soundfont_file import Preset
from tnca_synth.training.sources.soundfont_zones import SoundFontZones
from tnca_synth.training.sources.zone_notes import WIDEST, told_zones, zone_reach, zone_recordings

PATH = DataConfig().soundfont
PIANO = InstrumentConfig("piano", program=0, low=21, high=108)
GOBLIN = InstrumentConfig("tom", program=117, low=12, high=115, pitched=False)
KIT = InstrumentConfig("kit", program=0, low=27, high=88, pitched=False, drum_keys=True, keys=(38, 42, 46))
HOLDS_S = (1.0, 0.2)


@pytest.fixture(scope="module")
def font() -> SoundFont:
    return SoundFont(PATH, SoundFont.RENDER_RATE)


@pytest.fixture(scope="module")
def zones() -> SoundFontZones:
    return SoundFontZones(PATH)


def notes(font: SoundFont, zones: SoundFontZones, one: InstrumentConfig) -> list[Recording]:
    return list(zone_recordings(font, zones, one, (127, 50), HOLDS_S, 0.1))


def likeness(one: FloatArray, other: FloatArray) -> float:
    return float((one * other).sum() / np.sqrt((one * one).sum() * (other * other).sum()))


def test_velocities_of_a_layer_differ_in_level_alone(font: SoundFont, zones: SoundFontZones) -> None:
    zone = next(one for one in zones.zones(0, 0) if one.low <= 60 <= one.high)
    assert len(zone.layers) == 9
    softest, loudest = zone.layers[0]
    low, high = (font.play(Preset(0, 0, ""), zone.root, velocity, 0.6, 0.1) for velocity in (softest + 20, loudest))
    assert likeness(low, high) > 0.9999
    assert np.abs(high).max() / np.abs(low).max() == pytest.approx(loudest / (softest + 20), rel=0.01)
    other = font.play(Preset(0, 0, ""), zone.root, zone.layers[-1][1], 0.6, 0.1)
    assert likeness(high, other) < 0.9999


def test_every_key_is_in_one_zone_with_its_root(zones: SoundFontZones) -> None:
    for one in (PIANO, GOBLIN):
        found = told_zones(zones, one)
        assert [key for zone in found for key in range(zone.low, zone.high + 1)] == list(range(21, 109))
        assert all(zone.low <= zone.root <= zone.high and zone.high - zone.low < WIDEST for zone in found)
        assert not any(is_held_out_key(zone.root) and zone.low < zone.high for zone in found)
    assert len(told_zones(zones, GOBLIN)) == 8  # one sample for all keys, so that none is transposed far


def test_roots_are_heard_by_training_and_judged_keys_are_not(font: SoundFont, zones: SoundFontZones) -> None:
    found = notes(font, zones, PIANO)
    judged = [one for one in found if one.velocity == HELD_OUT_VELOCITY]
    assert len(judged) == 2 and all(is_held_out_key(one.pitch) and one.root != one.pitch for one in judged)
    heard = {(one.pitch, one.softest, one.velocity, one.hold_s) for one in found if one not in judged}
    roots = {zone.root for zone in told_zones(zones, PIANO)}
    assert {pitch for pitch, *_ in heard} == roots
    assert {(softest, loudest, hold) for _, softest, loudest, hold in heard} == {(121, 127, 1.0), (1, 64, 0.2)}


def test_drums_are_zones_of_their_own_with_exclusive_classes(font: SoundFont, zones: SoundFontZones) -> None:
    assert {one.instrument for one in notes(font, zones, KIT)} == {"kit:38", "kit:42", "kit:46"}
    classes = {zone.root: zone.exclusive for zone in told_zones(zones, KIT)}
    assert classes[42] == classes[46] != 0 == classes[38]


@pytest.mark.parametrize("program", [0, 40, 73, 117])
def test_unrecorded_keys_are_heard_from_the_root_that_the_file_names(zones: SoundFontZones, program: int) -> None:
    one = InstrumentConfig("one", program=program)
    found = told_zones(zones, one)
    reach = zone_reach(PATH, [one])
    roots = np.array([zone.root for zone in found])
    table = KeyZones(roots, np.arange(len(roots)), np.array([reach["one", root] for root in roots.tolist()]))
    wanted = [number for number, zone in enumerate(found) for _ in range(zone.low, zone.high + 1)]
    assert heard(table, range(found[0].low, found[-1].high + 1)) == wanted


def heard(table: KeyZones, keys: Sequence[int]) -> list[int]:
    return [table.root_key(key) for key in keys]


def test_a_preset_that_is_not_there_is_named(zones: SoundFontZones) -> None:
    with pytest.raises(DatasetError, match="preset 3 in bank 77"):
        zones.zones(77, 3)
