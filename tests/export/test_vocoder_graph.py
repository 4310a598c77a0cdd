"""The exported vocoder reads what the trained one reads, at the edges of its inputs too."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import tiny
import torch

from tnca_synth.engine.models.onnx_runtime import open_session
from tnca_synth.export.graphs.lobes import lobe_polynomial
from tnca_synth.export.graphs.step import bounded
from tnca_synth.export.graphs.vocoder import VocoderGraph
from tnca_synth.export.parity import PARITY_LIMIT, difference
from tnca_synth.training.spectral.partials import comb_features
from tnca_synth.training.spectral.vocoder import MelVocoder

pytestmark = pytest.mark.slow

BIN_HZ = tiny.SPEC.sample_rate / tiny.SPEC.n_fft


def vocoder() -> MelVocoder:
    return tiny.vocoder_network(tiny.config().vocoder)


def note(f0_hz: list[float], frames: int, stretch: float) -> dict[str, torch.Tensor]:
    voices, config = len(f0_hz), vocoder().config
    generator = torch.Generator().manual_seed(1)
    pair = torch.rand(voices, frames, 2, config.spec.num_mels, generator=generator) * torch.tensor([[2.5], [1.0]])
    return {
        "mel": MelVocoder.with_history(pair, config.history_frames),
        "f0_hz": torch.tensor(f0_hz)[:, None] * torch.linspace(1.0, 1.03, frames),
        "stretch": torch.full((voices,), stretch),
    }


def played(inputs: dict[str, torch.Tensor]) -> np.ndarray:
    session = open_session(tiny.bank_files()["vocoder.onnx"], "cpu")
    (linear,) = session.run(["field_linear"], {name: value.numpy() for name, value in inputs.items()})
    return linear


@pytest.mark.parametrize("stretch", [0.0, 1e-8, 5e-3])
@pytest.mark.parametrize(
    "f0_hz",
    [
        [0.0],  # unpitched
        [0.4 * BIN_HZ, 1.3 * BIN_HZ],  # lobes of neighbouring partials overlap
        [4 * BIN_HZ, 0.45 * tiny.SPEC.sample_rate, 0.9 * tiny.SPEC.sample_rate],  # on bins, the last one, none at all
    ],
)
def test_any_pitch_is_read_like_in_torch(f0_hz: list[float], stretch: float) -> None:
    inputs = note(f0_hz, 5, stretch)
    with torch.no_grad():
        wanted = bounded(vocoder()(**inputs)).numpy()
    assert difference(wanted, played(inputs)) <= PARITY_LIMIT


def test_frames_and_voices_together_are_those_apart() -> None:
    history, frames = vocoder().config.history_frames, 4
    inputs = note([110.0, 0.0, 700.0], frames, 1e-4)
    whole = played(inputs)
    for voice in range(3):
        for t in range(frames):
            one = {
                "mel": inputs["mel"][voice : voice + 1, t : t + history + 1],
                "f0_hz": inputs["f0_hz"][voice : voice + 1, t : t + 1],
                "stretch": inputs["stretch"][voice : voice + 1],
            }
            assert difference(whole[voice : voice + 1, t : t + 1], played(one)) < 1e-5


def test_pieces_cover_every_bin_with_the_bands_around_it() -> None:
    graph = VocoderGraph(vocoder())
    assert len(graph.sizes) > 1
    level = torch.linspace(0.0, 2.0, tiny.SPEC.num_mels) ** 2
    low, mix = graph.vocoder.bin_low, graph.vocoder.bin_mix[:, 0]
    wanted = level[low] * (1.0 - mix) + level[low + 1] * mix
    found = torch.cat([level[bands] @ weights for bands, weights in graph.pieces])
    assert torch.allclose(found, wanted, atol=1e-6)


def test_the_polynomial_is_the_lobe_of_the_trained_comb() -> None:
    f0_bins = 64.0
    bins = torch.arange(65, dtype=torch.float32) * 0.0625 + 62.0  # two bins around the first partial, in sixteenths
    x = (bins - f0_bins).double().numpy()
    v = np.maximum(4.0 - x * x, 0.0)
    lobe = v * np.polynomial.polynomial.polyval(v, lobe_polynomial())
    found = 1.0 + np.log10(lobe * lobe + 1e-4) / 4.0
    partial = torch.tensor([f0_bins])
    # Distances are told in steps between the first two frequencies: one bin here, whatever else is asked about.
    asked = torch.cat([torch.tensor([0.0, 1.0]), bins])
    wanted = comb_features(asked, partial, torch.zeros(1))[0, 2:, 0].numpy()
    assert np.abs(found - wanted).max() < 1e-5


def test_the_file_has_standard_operators_alone_and_tells_no_paths() -> None:
    content = tiny.bank_files()["vocoder.onnx"]
    assert {node.domain for node in onnx.load_from_string(content).graph.node} == {""}
    assert b".py" not in content
