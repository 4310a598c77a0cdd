"""The foundation that is kept with the code: it can be trained further, and its bank plays at full band."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tnca_synth.engine.bank.bank import Bank
from tnca_synth.training.config.run import load_preset
from tnca_synth.training.loop.half_weights import load_half
from tnca_synth.training.measure.hearing import HEARING_RATE, hearing_distance
from tnca_synth.training.sources.soundfont import SoundFont
from tnca_synth.training.sources.soundfont_file import DRUM_BANK, Preset
from tnca_synth.training.spectral.nca import TNCA
from tnca_synth.training.spectral.widening import begun, read_start
from tnca_synth.training.validation.rendered import NoteRenderer

pytestmark = pytest.mark.slow

FOLDER = Path(__file__).parents[2] / "foundation"
CRASH = 49
HOLD_S, FRAMES = 0.6, 38_400


@pytest.fixture(scope="module")
def renderer() -> NoteRenderer:
    bank = Bank.load()
    return NoteRenderer(bank, bank.growth_model("dual", "cpu"), "harmonic")


@pytest.fixture(scope="module")
def font() -> SoundFont:
    return SoundFont(load_preset("foundation").data.soundfont, HEARING_RATE)


def test_its_weights_begin_the_preset() -> None:
    config, start = load_preset("foundation"), read_start(FOLDER / "weights.npz")
    assert start is not None and start.spec == config.model.spec
    names = [one.name for one in config.data.instruments if not one.drum_keys]
    assert set(names) <= set(start.timbre_names)
    model = TNCA(config.model, len(names))
    model.load_state_dict(begun(start, model, names, config.data.instruments, 0))
    assert load_half(FOLDER / "weights.npz").iteration > 0


def test_every_kit_of_the_soundfont_is_in_its_bank() -> None:
    bank = Bank.load()
    kits = {one.program for one in bank.instruments if one.is_drums}
    assert kits == {one.program for one in load_preset("foundation").data.instruments if one.drum_keys}
    names = {one.name for one in bank.instruments}
    trained, added = (
        {one.name for one in load_preset(preset).data.instruments} for preset in ("foundation", "foundation-added")
    )
    assert trained <= names <= trained | added


def test_a_cymbal_sounds_above_what_the_low_rate_can(renderer: NoteRenderer, font: SoundFont) -> None:
    kit = next(one for one in load_preset("foundation").data.instruments if one.name == "standard-kit")
    recording = font.play(Preset(DRUM_BANK, 0, ""), CRASH, 90, HOLD_S, FRAMES / HEARING_RATE - HOLD_S)
    levels = []
    for audio in (recording, renderer.render(kit, CRASH, 90, HOLD_S, FRAMES)):
        power = np.abs(np.fft.rfft(audio)) ** 2
        levels.append(10.0 * np.log10(power[int(11_500 * FRAMES / HEARING_RATE) :].sum()))
    assert abs(levels[1] - levels[0]) < 4.0


@pytest.mark.parametrize(("name", "key"), [("acoustic-guitar-nylon", 67), ("orchestral-harp", 63)])
def test_a_program_of_its_own_is_nearer_than_a_similar_one(
    renderer: NoteRenderer, font: SoundFont, name: str, key: int
) -> None:
    one = next(each for each in load_preset("foundation").data.instruments if each.name == name)
    shipped = Bank.load(Path("low-rate"))
    other = NoteRenderer(shipped, shipped.growth_model("dual", "cpu"), "harmonic")
    assert renderer.knows(one, key) and not other.knows(one, key)
    recording = font.play(Preset(0, one.program, ""), key, 90, HOLD_S, FRAMES / HEARING_RATE - HOLD_S)
    near, far = (
        hearing_distance(recording, each.render(one, key, 90, HOLD_S, FRAMES), HEARING_RATE)
        for each in (renderer, other)
    )
    assert near < 0.6 * far
