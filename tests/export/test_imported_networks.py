"""Imported vocoders compute what the published packages compute, with their weights, frame by frame or all at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import originals
import pytest
import torch
from torch import Tensor

from tnca_synth.engine.models.onnx_runtime import open_session, read_metadata
from tnca_synth.export.imported.layouts import Imported, load
from tnca_synth.export.imported.onnx_file import after_silence, export_imported
from tnca_synth.export.imported.ops import TorchTape

pytestmark = pytest.mark.slow

FRAMES = 9
LIMIT = 1e-4

BIGVGANS = {
    "v2": {},
    "v1": {"use_tanh_at_final": True, "use_bias_at_final": True, "fmax": 8000},
    "base": {"upsample_rates": [8, 8, 2, 2], "upsample_kernel_sizes": [16, 16, 4, 4]},
    "snake": {"activation": "snake", "snake_logscale": False},
    "second kind of block": {"resblock": "2", "resblock_dilation_sizes": [[1, 2], [2, 6], [3, 12]]},
    "44 kHz": {
        "sampling_rate": 44100, "num_mels": 128, "n_fft": 2048, "win_size": 2048, "hop_size": 512,
        "upsample_rates": [8, 4, 4, 2, 2], "upsample_kernel_sizes": [16, 8, 8, 4, 4],
    },
}  # fmt: skip


def framed(imported: Imported, seed: int = 0) -> Tensor:
    """Return random frames in the midst of silence longer than a network sees, (2, T, M)."""
    torch.manual_seed(seed)
    shape = (2, 2 * imported.network.lag_frames + 1, imported.mel.num_mels)
    silence = torch.full(shape, imported.mel.silence)
    frames = torch.randn(2, FRAMES, imported.mel.num_mels) * 1.5 - 3.0
    return torch.cat([silence, frames, silence], 1)


def inner(signal: Tensor, imported: Imported, behind: int, per_frame: int) -> Tensor:
    """Return what belongs to the frames, and to the silence that they sound into, of a signal `behind` frames late."""
    start = (imported.network.lag_frames + 1 + behind) * per_frame
    return signal[:, start : start + (FRAMES + 2 * imported.network.lag_frames - 1) * per_frame]


@torch.no_grad()
@pytest.mark.parametrize("kind", BIGVGANS)
def test_bigvgan_is_the_published_one(kind: str, tmp_path: Path) -> None:
    config = originals.SMALL_BIGVGAN | BIGVGANS[kind]
    imported = load(originals.save_bigvgan(tmp_path, config))
    frames = framed(imported)
    wanted = originals.bigvgan(config)(frames.transpose(1, 2))[:, 0]
    (found,) = imported.network.stream(frames, TorchTape())
    hop, lag = imported.mel.hop_length, imported.network.lag_frames
    sound = inner(wanted, imported, 0, hop)
    assert sound.std() > 0.01
    torch.testing.assert_close(inner(found, imported, lag, hop), sound, rtol=0, atol=LIMIT)


@torch.no_grad()
@pytest.mark.parametrize("layers", [1, 8])
def test_vocos_is_the_published_one(layers: int, tmp_path: Path) -> None:
    backbone = originals.SMALL_VOCOS["backbone"]["init_args"] | {"num_layers": layers}
    config = originals.SMALL_VOCOS | {"backbone": {"class_path": "vocos.models.VocosBackbone", "init_args": backbone}}
    imported = load(originals.save_vocos(tmp_path, config))
    frames = framed(imported)
    body, head = originals.vocos(config)
    log_magnitude, phase = head.out(body(frames.transpose(1, 2))).chunk(2, 2)
    found = imported.network.stream(frames, TorchTape())
    lag = imported.network.lag_frames
    for mine, theirs in zip(found, (log_magnitude.exp().clip(max=1e2), phase), strict=True):
        theirs = inner(theirs, imported, 0, 1)
        torch.testing.assert_close(inner(mine, imported, lag, 1), theirs, rtol=0, atol=LIMIT)


def small(kind: str, folder: Path) -> Imported:
    save = originals.save_bigvgan if kind == "bigvgan" else originals.save_vocos
    config: dict[str, Any] = originals.TINY_BIGVGAN if kind == "bigvgan" else originals.SMALL_VOCOS
    return load(save(folder, config))


@torch.no_grad()
@pytest.mark.parametrize("kind", ["bigvgan", "vocos"])
def test_the_onnx_file_streams_what_torch_computes_of_the_whole(kind: str, tmp_path: Path) -> None:
    imported = small(kind, tmp_path)
    content, difference = export_imported(imported)
    assert difference <= LIMIT
    frames = framed(imported)[:, 2 * imported.network.lag_frames :].contiguous()
    wanted = imported.network.stream(frames, TorchTape(after_silence(imported).repeat(2, 1)))
    session = open_session(content, "cpu")
    names = [*imported.network.outputs, "next_state"]
    size = next(one.shape[1] for one in session.get_inputs() if one.name == "state")
    state, fresh = np.zeros((2, size), np.float32), np.ones(2, np.float32)
    parts = []
    for part in torch.split(frames, [1, 1, 4, frames.shape[1] - 6], 1):
        *found, state = session.run(names, {"mel": part.numpy(), "state": state, "fresh": fresh})
        fresh = np.zeros(2, np.float32)
        parts.append(found)
    for mine, theirs in zip(zip(*parts, strict=True), wanted, strict=True):
        np.testing.assert_allclose(np.concatenate(mine, 1), theirs.numpy(), rtol=0, atol=LIMIT)


@torch.no_grad()
def test_lasting_silence_changes_nothing_that_is_remembered(tmp_path: Path) -> None:
    imported = small("bigvgan", tmp_path)
    silence = after_silence(imported)
    tape = TorchTape(silence)
    imported.network.stream(torch.full((1, 5, imported.mel.num_mels), imported.mel.silence), tape)
    torch.testing.assert_close(tape.taken(), silence, rtol=0, atol=1e-5)


def test_voices_do_not_hear_each_other(tmp_path: Path) -> None:
    content, _ = export_imported(small("bigvgan", tmp_path))
    session = open_session(content, "cpu")
    size = next(one.shape[1] for one in session.get_inputs() if one.name == "state")
    rng = np.random.default_rng(0)
    mel = rng.normal(-3, 1.5, (3, 4, 80)).astype(np.float32)
    state = rng.normal(0, 0.1, (3, size)).astype(np.float32)
    fresh = np.array([0, 1, 0], np.float32)
    together = session.run(["audio", "next_state"], {"mel": mel, "state": state, "fresh": fresh})
    for voice in range(3):
        rows = slice(voice, voice + 1)
        alone = session.run(["audio", "next_state"], {"mel": mel[rows], "state": state[rows], "fresh": fresh[rows]})
        for one, other in zip(alone, together, strict=True):
            np.testing.assert_allclose(one, other[rows], rtol=0, atol=1e-5)


def test_the_file_tells_what_it_wants(tmp_path: Path) -> None:
    content, _ = export_imported(small("vocos", tmp_path), lookahead=7)
    facts = read_metadata(open_session(content, "cpu"))
    assert facts["architecture"] == "Vocos"
    assert facts["lookahead"] == 7
    assert facts["mel"]["sample_rate"] == 24000
    assert facts["mel"]["num_mels"] == 100
    assert facts["lag_frames"] == 12
