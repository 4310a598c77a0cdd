"""What becomes of a checkpoint in a bank, by the kind of its run: a further kind is a further line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ..training.loop.checkpoint import Checkpoint
from .codec.latent import codec_file, latent_files
from .codec.waveform import grid_file, waveform_files
from .model_files import growth_files, vocoder_file


@dataclass(frozen=True)
class Exported:
    """The contents of model files.

    Attributes
    ----------
    decoders : by the decoder's name
    representation : what the models grow; empty where there are none
    models : by part, such as "seed" and "step"
    """

    decoders: dict[str, bytes] = field(default_factory=dict)
    representation: str = ""
    models: dict[str, bytes] = field(default_factory=dict)


def _growth(checkpoint: Checkpoint, metrics: dict[str, Any]) -> Exported:
    return Exported({}, *growth_files(checkpoint, metrics))


def _vocoder(checkpoint: Checkpoint, metrics: dict[str, Any]) -> Exported:
    return Exported({"vocoder": vocoder_file(checkpoint, metrics)})


def _latent(checkpoint: Checkpoint, metrics: dict[str, Any]) -> Exported:
    return Exported({"latent": codec_file(checkpoint, metrics)}, *latent_files(checkpoint, metrics))


def _waveform(checkpoint: Checkpoint, metrics: dict[str, Any]) -> Exported:
    return Exported({"direct": grid_file(checkpoint, metrics)}, *waveform_files(checkpoint, metrics))


EXPORTERS: Final[Mapping[str, Callable[[Checkpoint, dict[str, Any]], Exported]]] = {
    "growth": _growth,
    "multi-scale": _growth,
    "hierarchical": _growth,
    "vocoder": _vocoder,
    "latent": _latent,
    "waveform": _waveform,
}
