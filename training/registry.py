"""What is trained and built, by kind: one row each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray
from torch import nn

from ..errors import BankError
from .codec.notes import SoundNotes, load_sounds
from .codec.trainer import CodecTrainer
from .config.run import TrainConfig
from .data.dataset import NoteSet, load_notes
from .hierarchical.nca import HierarchicalNCA
from .hierarchical.sound import grown_distances
from .hierarchical.targets import load_stage_notes
from .hierarchical.trainer import HierarchicalTrainer
from .latent.nca import LatentNCA
from .latent.trainer import LatentTrainer
from .loop.checkpoint import Checkpoint
from .loop.loop import TrainingLoop
from .multiscale.nca import MultiScaleNCA
from .multiscale.trainer import MultiScaleTrainer, load_scale_notes
from .spectral.nca import TNCA
from .spectral.trainer import Trainer
from .spectral.vocoder import MelVocoder
from .spectral.vocoder_trainer import VocoderTrainer
from .validation.fields import validate
from .validation.sound import Table, sound_distances
from .validation.waveform import waveform_distances
from .waveform.nca import WaveformNCA
from .waveform.trainer import WaveformTrainer

GrownModel = TNCA | MultiScaleNCA | LatentNCA
Model = TypeVar("Model", bound=nn.Module)


@dataclass(frozen=True)
class Kind:
    """How a kind of model is trained, and what is built of it.

    Attributes
    ----------
    load : loads its notes
    trainer : trains it on them
    errors : tells its errors
    unit : of the errors
    is_corrected : whether what it misses in the end is measured for `engine.keys.correction`
    grown : makes the model that grows notes, of a configuration and a number of timbres; None where none does
    """

    load: Callable[[TrainConfig, Path, int, Callable[[str], None]], NoteSet]
    trainer: Callable[..., TrainingLoop]
    errors: Callable[..., Table]
    unit: str = "dB"
    is_corrected: bool = False
    grown: Callable[[TrainConfig, int], GrownModel] | None = None


def _load(config: TrainConfig, cache: Path, workers: int, report: Callable[[str], None]) -> NoteSet:
    linear = config.model.representation == "dual" or config.kind == "vocoder"
    return load_notes(config.data, config.model.spec, cache, workers, report, with_linear=linear)


def _load_sounds(config: TrainConfig, cache: Path, workers: int, report: Callable[[str], None]) -> SoundNotes:
    spec = config.codec.spec if config.kind == "codec" else config.latent.spec
    return load_sounds(config.data, spec, cache, workers, report)


def _load_waveforms(config: TrainConfig, cache: Path, workers: int, report: Callable[[str], None]) -> SoundNotes:
    return load_sounds(config.data, config.waveform.spec, cache, workers, report, with_linear=True)


def _level_errors(run: TrainingLoop, notes: NoteSet, index: NDArray[np.int64]) -> Table:
    return validate(run.averaged_model(), notes, index)


def _tnca(config: TrainConfig, num_timbres: int) -> GrownModel:
    return TNCA(config.model, num_timbres)


def _multi_scale(config: TrainConfig, num_timbres: int) -> GrownModel:
    return MultiScaleNCA(config.scales, num_timbres)


def _latent(config: TrainConfig, num_timbres: int) -> GrownModel:
    return LatentNCA(config.latent, num_timbres)


def _hierarchical(config: TrainConfig, num_timbres: int) -> GrownModel:
    return HierarchicalNCA(config.hierarchical, num_timbres)


def _waveform(config: TrainConfig, num_timbres: int) -> GrownModel:
    return WaveformNCA(config.waveform, num_timbres)


STFT: Final = "STFT distance"
KINDS: Final[Mapping[str, Kind]] = {
    "growth": Kind(_load, Trainer, _level_errors, is_corrected=True, grown=_tnca),
    "vocoder": Kind(_load, VocoderTrainer, _level_errors),
    "multi-scale": Kind(load_scale_notes, MultiScaleTrainer, _level_errors, is_corrected=True, grown=_multi_scale),
    "codec": Kind(_load_sounds, CodecTrainer, sound_distances, STFT),
    "latent": Kind(_load_sounds, LatentTrainer, sound_distances, STFT, grown=_latent),
    "hierarchical": Kind(load_stage_notes, HierarchicalTrainer, grown_distances, STFT, grown=_hierarchical),
    "waveform": Kind(_load_waveforms, WaveformTrainer, waveform_distances, STFT, is_corrected=True, grown=_waveform),
}
"""What is trained, by the kind of its run: a further kind is a further row here."""


def growth_model(checkpoint: Checkpoint) -> GrownModel:
    """Build the averaged growing model of a checkpoint."""
    config = checkpoint.train_config
    grown = KINDS[config.kind].grown
    if grown is None:
        raise BankError(f"the checkpoint holds a {config.kind} model, which does not grow notes")
    return _built(checkpoint, config.kind, grown(config, len(checkpoint.timbre_names)))


def mel_vocoder(checkpoint: Checkpoint) -> MelVocoder:
    """Build the averaged vocoder of a checkpoint."""
    return _built(checkpoint, "vocoder", MelVocoder(checkpoint.train_config.vocoder))


def _built(checkpoint: Checkpoint, kind: str, model: Model) -> Model:
    """Return a model with a checkpoint's weights, ready to run; `BankError` if it holds another kind."""
    if checkpoint.train_config.kind != kind:
        raise BankError(f"the checkpoint holds a {checkpoint.train_config.kind} model, not a {kind} model")
    model.load_state_dict(checkpoint.weights)
    return model.eval()
