"""The hierarchical model in a bank: equal to torch, played through the engine, blocks of any size, bounded."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
import tiny
import tiny_stages
import torch

from tnca_synth.engine.bank.bank import Bank
from tnca_synth.engine.bank.instruments import BankInstrument
from tnca_synth.engine.bank.timbre_book import TimbreBook
from tnca_synth.engine.decoders.catalogue import Parts, make_decoder
from tnca_synth.engine.models.growth_model import GrownHop, OnnxGrowthModel
from tnca_synth.engine.models.interfaces import HopInputs
from tnca_synth.engine.modulation.growth import cull
from tnca_synth.engine.synth import Synth
from tnca_synth.engine.voices.voice import num_slots
from tnca_synth.export.kinds import EXPORTERS
from tnca_synth.export.model_files import growth_files
from tnca_synth.export.parity import PARITY_LIMIT, rollout_parity, write_checked_bank
from tnca_synth.midi.messages import control_change, note_off, note_on, program_change

pytestmark = pytest.mark.slow

STAGES = tiny_stages.STAGES
RATE = STAGES.spec.sample_rate


@cache
def files() -> dict[str, bytes]:
    return growth_files(tiny_stages.checkpoint(), {})[1]


def growth() -> OnnxGrowthModel:
    return OnnxGrowthModel(files()["seed"], files()["step"])


def grown_after(hops: int, age_s: float = 0.0) -> tuple[OnnxGrowthModel, GrownHop]:
    """Return a note after some hops."""
    model, one = growth(), np.ones(1, np.float32)
    genome = model.plant(60 * one, one, np.zeros((1, model.timbre_size), np.float32), one, 0 * one)
    mask = np.ones((1, 1, STAGES.cells), np.float32)
    for _ in range(hops):
        grown = model.step(genome, HopInputs(age_s * one, -one, mask, np.zeros((1, STAGES.spec.num_mels), np.float32)))
        genome["grid"] = grown.grid
    return model, grown


def test_a_ten_second_rollout_is_the_same_in_torch_and_onnx_runtime() -> None:
    assert rollout_parity(tiny_stages.network(), growth(), tiny.RECORDED, 10.0, voices=5) <= PARITY_LIMIT


@pytest.mark.parametrize("name", ["refinement.see.weight", "decoder.change.bias", "seed.fine.of_noise.bias"])
def test_parity_notices_a_weight_that_differs_a_little(name: str) -> None:
    model = tiny_stages.network()
    with torch.no_grad():
        model.get_parameter(name).add_(0.01)
    assert rollout_parity(model, growth(), tiny.RECORDED, 1.0) > PARITY_LIMIT


def test_a_bank_holds_it_and_plays_it(tmp_path: Path) -> None:
    assert "hierarchical" in EXPORTERS
    sizes, parity = write_checked_bank(tmp_path / "bank", [tiny_stages.checkpoint()], {})
    assert {"hierarchical.seed.onnx", "hierarchical.step.onnx"} <= set(sizes)
    assert parity["hierarchical"] <= PARITY_LIMIT
    bank = Bank.load(tmp_path / "bank")
    model = bank.growth_model("hierarchical", "cpu")
    assert model.fields == STAGES.field_names
    assert bank.decoder("glides", model, 2).consumes == ("partials", "noise")


def render(blocks: list[int], messages: tuple[tuple[bytes, int], ...] = (), frames: int = 6000) -> np.ndarray:
    model = growth()
    book = TimbreBook((BankInstrument("reed", 71),), model.timbres, model.motions)
    decoder = make_decoder("glides", Parts({}, model, num_slots(8)))
    synth = Synth(model, decoder, book, sample_rate=RATE, max_voices=8)
    notes = ((program_change(0, 71), 0), (note_on(0, 62, 90), 37), (note_off(0, 62), 4000))
    for data, frame in (*messages, *notes):
        synth.send(data, frame)
    audio: list[np.ndarray] = []
    done = 0
    while done < frames:
        size = min(blocks[len(audio) % len(blocks)], frames - done)
        audio.append(synth.render(size).copy())
        done += size
    return np.concatenate(audio)


@pytest.mark.parametrize("sizes", [[1] * 200 + [127] * 20, [64], [4096]])
def test_blocks_of_any_size_give_the_same_samples(sizes: list[int]) -> None:
    whole = render([6000])
    assert np.abs(whole).max() > 1e-4
    np.testing.assert_allclose(render(sizes), whole, rtol=0, atol=1e-6)


def test_a_darker_colour_takes_high_partials_more_than_low_ones() -> None:
    dark = render([6000], ((control_change(0, 74, 20), 0),))[1000:4000, 0]
    plain = render([6000])[1000:4000, 0]
    spectra = [np.abs(np.fft.rfft(one * np.hanning(len(one)))) for one in (dark, plain)]
    hz = np.fft.rfftfreq(len(plain), 1 / RATE)
    low, high = (hz > 250) & (hz < 350), (hz > 2000) & (hz < 3500)
    drop = [20 * np.log10(spectra[0][part].max() / spectra[1][part].max()) for part in (low, high)]
    assert drop[1] < drop[0] - 6.0


def test_a_raised_life_threshold_silences_what_dies() -> None:
    model, grown = grown_after(3)
    grown.grid[..., 4] = 0.9
    noise = STAGES.bands[0] + 128
    grown.grid[:, noise:, 4] = 0.2
    kept = {name: values.copy() for name, values in grown.fields.items()}
    culled = cull(grown, 0.5 * np.ones(1, np.float32), model.spec)
    assert not culled.fields["noise"][0, 0, 2:].any()
    np.testing.assert_array_equal(culled.fields["partials"][0, 0, :-1], kept["partials"][0, 0, :-1])


def test_a_note_held_for_minutes_keeps_its_levels() -> None:
    early, late = (grown_after(400, age_s=one)[1].fields["partials"] for one in (60.0, 600.0))
    assert np.isfinite(late).all()
    np.testing.assert_allclose(late, early, atol=0.025)  # 1 dB
