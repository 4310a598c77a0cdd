"""A latent TNCA and its codec as the files of a bank.

Letters: V voices, F cells, C channels, M mel bands.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ...engine.models.growth_model import FIELD_PREFIX
from ...errors import BankError
from ...training.codec.trainer import codec_of
from ...training.config.sound_models import LATENT_REPRESENTATION
from ...training.latent.nca import LatentNCA
from ...training.loop.checkpoint import Checkpoint, load_checkpoint
from ..model_files import growth_facts, metadata, played_model
from ..onnx_model import in_half_precision, to_onnx
from .streaming import PARITY_LIMIT, decoder_parity, export_decoder

GENOME = ("grid", "cell", "rates")


class LatentSeedGraph(nn.Module):
    """The seed network, from MIDI to a genome."""

    def __init__(self, model: LatentNCA) -> None:
        super().__init__()
        self.seed = model.seed

    def forward(self, *note: Tensor) -> tuple[Tensor, ...]:
        """Return the `GENOME` of the arguments of `LatentSeed.forward`."""
        planted = self.seed(*note)
        return tuple(planted[name] for name in GENOME)


class LatentStepGraph(nn.Module):
    """One hop of growth, and the latents it gives."""

    def __init__(self, model: LatentNCA) -> None:
        super().__init__()
        self.model = model

    def forward(self, *inputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the next grid (V, F, C), whether any cell lives (V,), and the latent field (V, 1, F).

        `inputs` are the `GENOME`, age_s, release_age_s, fire_mask and swell of `LatentNCA.step`.
        """
        planted = dict(zip(GENOME, inputs, strict=False))
        grown = self.model.step(inputs[0], planted, *inputs[len(GENOME) :])
        return grown, self.model.alive(grown)[..., 0].amax(1), self.model.fields(grown, planted)[LATENT_REPRESENTATION]


def latent_files(checkpoint: Checkpoint, metrics: dict[str, Any]) -> tuple[str, dict[str, bytes]]:
    """Export a latent checkpoint like `model_files.growth_files`."""
    model = played_model(checkpoint)
    assert isinstance(model, LatentNCA)
    facts, planting = growth_facts(model, checkpoint, metrics)
    return LATENT_REPRESENTATION, {"seed": _seed_file(model, planting), "step": _step_file(model, facts)}


def _note(model: LatentNCA) -> tuple[Tensor, ...]:
    ones = torch.ones(2)
    timbre = torch.zeros(2, model.config.timbre_size + model.config.key_size)
    return 60.0 * ones, 0.5 * ones, timbre, ones.clone(), 0.0 * ones


def _seed_file(model: LatentNCA, facts: dict[str, Any]) -> bytes:
    names = ["pitch", "velocity", "timbre", "pitched", "stretch"]
    return in_half_precision(to_onnx(LatentSeedGraph(model), _note(model), names, list(GENOME), facts))


def _step_file(model: LatentNCA, facts: dict[str, Any]) -> bytes:
    config = model.config
    with torch.no_grad():
        genome = LatentSeedGraph(model)(*_note(model))
    mask = torch.ones(2, config.steps_per_hop, config.dimension)
    inputs = (*genome, torch.zeros(2), -torch.ones(2), mask, torch.zeros(2, config.spec.num_mels))
    names = [*GENOME, "age_s", "release_age_s", "fire_mask", "swell"]
    return to_onnx(
        LatentStepGraph(model), inputs, names, ["next_grid", "alive", f"{FIELD_PREFIX}{LATENT_REPRESENTATION}"], facts
    )


def codec_file(checkpoint: Checkpoint, metrics: dict[str, Any]) -> bytes:
    """Export the decoder of the codec whose latents a latent checkpoint grows: the bank's decoder "latent".

    Raises
    ------
    BankError
        The codec's checkpoint is not where the latent one says, or the file differs from torch.
    """
    trained = load_checkpoint(Path(checkpoint.train_config.latent.codec))
    codec = codec_of(trained)
    content = export_decoder(codec, metadata(trained, metrics))
    difference = decoder_parity(codec, content)
    if not difference <= PARITY_LIMIT:
        raise BankError(f"the exported codec differs from torch by {difference:.2g}, more than {PARITY_LIMIT:g}")
    return content
