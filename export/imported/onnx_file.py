"""An imported vocoder as an ONNX file: frames and what is remembered in, sound or spectra and what to remember out.

Letters: V voices, T frames, M bands, S numbers remembered.
"""

from __future__ import annotations

import json

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...engine.decoders.imported.decoder import KIND
from ...engine.models.onnx_runtime import open_session
from ...errors import BankError
from ...version import __version__
from ..onnx_model import OPSET
from .layouts import Imported
from .onnx_ops import Named, OnnxTape
from .ops import TorchTape

PARITY_LIMIT = 1e-4
PROBE_CALLS = (1, 5, 2)
"""Frames in the calls in which the ONNX file is compared with torch."""


@torch.no_grad()
def export_imported(imported: Imported, lookahead: int | None = None) -> tuple[bytes, float]:
    """Serialise a vocoder.

    Parameters
    ----------
    lookahead : hops that the engine may look ahead; as far as the network sees by default

    Returns
    -------
    The file, and its largest difference from torch.

    Raises
    ------
    BankError
        It differs from torch by more than `PARITY_LIMIT`.
    """
    network, mel = imported.network, imported.mel
    silence = after_silence(imported)
    tape = OnnxTape(silence.numpy())
    outputs = network.stream(Named("mel", (mel.num_mels,)), tape)
    model = tape.finish(mel.num_mels, dict(zip(network.outputs, outputs, strict=True)), OPSET)
    facts = {
        "producer": f"tnca-synth {__version__}",
        "opset": OPSET,
        "kind": KIND,
        "architecture": imported.name,
        "mel": mel.to_dict(),
        "lag_frames": network.lag_frames,
        "centred_window": imported.centred_window,
        "lookahead": lookahead,
    }
    onnx.helper.set_model_props(model, {key: json.dumps(value) for key, value in facts.items()})
    content = model.SerializeToString()
    difference = parity(imported, silence, content)
    if not difference <= PARITY_LIMIT:
        raise BankError(f"the exported vocoder differs from torch by {difference:.2g}, more than {PARITY_LIMIT:g}")
    return content, difference


@torch.no_grad()
def after_silence(imported: Imported) -> Tensor:
    """Return what a network remembers once it has heard silence for longer than it sees, (1, S)."""
    tape = TorchTape()
    frames = 2 * imported.network.lag_frames + 2
    imported.network.stream(torch.full((1, frames, imported.mel.num_mels), imported.mel.silence), tape)
    return tape.taken()


@torch.no_grad()
def parity(imported: Imported, silence: Tensor, content: bytes) -> float:
    """Play random frames in torch and in ONNX Runtime, each from its own states; return the largest difference."""
    session = open_session(content, "cpu")
    names = [*imported.network.outputs, "next_state"]
    generator = torch.Generator().manual_seed(0)
    ours = silence.repeat(2, 1)
    theirs: NDArray[np.float32] = np.zeros(ours.shape, np.float32)
    fresh = np.ones(2, np.float32)
    largest = 0.0
    for frames in PROBE_CALLS:
        mel = 2.0 * torch.randn(2, frames, imported.mel.num_mels, generator=generator) - 4.0
        tape = TorchTape(ours)
        wanted = imported.network.stream(mel, tape)
        ours = tape.taken()
        *found, theirs = session.run(names, {"mel": mel.numpy(), "state": theirs, "fresh": fresh})
        fresh = np.zeros(2, np.float32)
        largest = max(largest, *(_difference(a.numpy(), b) for a, b in zip(wanted, found, strict=True)))
    return largest


def _difference(wanted: NDArray[np.float32], found: NDArray[np.float32]) -> float:
    """Return the largest difference, in shares of the largest value where that is above 1; infinite with NaN."""
    largest = float(np.abs(wanted - found).max() / max(1.0, np.abs(wanted).max()))
    return largest if np.isfinite(largest) else float("inf")
