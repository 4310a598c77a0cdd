"""What is built of a checkpoint, by kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from torch import nn

from ..errors import BankError
from .config.run import TrainConfig
from .hierarchical.nca import HierarchicalNCA
from .latent.nca import LatentNCA
from .loop.checkpoint import Checkpoint
from .multiscale.nca import MultiScaleNCA
from .spectral.nca import TNCA
from .spectral.vocoder import MelVocoder
from .waveform.nca import WaveformNCA

GrownModel = TNCA | MultiScaleNCA | LatentNCA
Model = TypeVar("Model", bound=nn.Module)
GROWTHS: Final[Mapping[str, Callable[[TrainConfig, int], GrownModel]]] = {
    "growth": lambda config, num_timbres: TNCA(config.model, num_timbres),
    "multi-scale": lambda config, num_timbres: MultiScaleNCA(config.scales, num_timbres),
    "latent": lambda config, num_timbres: LatentNCA(config.latent, num_timbres),
    "hierarchical": lambda config, num_timbres: HierarchicalNCA(config.hierarchical, num_timbres),
    "waveform": lambda config, num_timbres: WaveformNCA(config.waveform, num_timbres),
}
"""Models that grow notes by the kind of their runs, made of a configuration and a number of timbres."""


def growth_model(checkpoint: Checkpoint) -> GrownModel:
    """Build the averaged growing model of a checkpoint."""
    config = checkpoint.train_config
    if config.kind not in GROWTHS:
        raise BankError(f"the checkpoint holds a {config.kind} model, which does not grow notes")
    return _built(checkpoint, config.kind, GROWTHS[config.kind](config, len(checkpoint.timbre_names)))


def mel_vocoder(checkpoint: Checkpoint) -> MelVocoder:
    """Build the averaged vocoder of a checkpoint."""
    return _built(checkpoint, "vocoder", MelVocoder(checkpoint.train_config.vocoder))


def _built(checkpoint: Checkpoint, kind: str, model: Model) -> Model:
    """Return a model with a checkpoint's weights, ready to run; `BankError` if it holds another kind."""
    if checkpoint.train_config.kind != kind:
        raise BankError(f"the checkpoint holds a {checkpoint.train_config.kind} model, not a {kind} model")
    model.load_state_dict(checkpoint.weights)
    return model.eval()
