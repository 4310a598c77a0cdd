"""What model files of a bank hold, and say of themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from ..training.latent.nca import LatentNCA
from ..training.loop.checkpoint import Checkpoint
from ..training.registry import GrownModel, growth_model, mel_vocoder
from ..training.spectral.nca import NUM_KEYS
from ..version import __version__
from .onnx_model import HALF_FROM, OPSET, export_seed, export_step, export_vocoder


def metadata(checkpoint: Checkpoint, metrics: dict[str, Any]) -> dict[str, Any]:
    """Collect what every model file says of itself."""
    config = checkpoint.train_config
    return {
        "producer": f"tnca-synth {__version__}",
        "opset": OPSET,
        "kind": config.kind,
        "preset": config.name,
        "seed": config.seed,
        "iterations": checkpoint.iteration,
        "training_seconds": round(checkpoint.seconds),
        "data": Path(config.data.soundfont).name,
        "licence": config.data.licence,
        "metrics": metrics,
    }


def growth_files(checkpoint: Checkpoint, metrics: dict[str, Any]) -> tuple[str, dict[str, bytes]]:
    """Export a growth checkpoint; return its representation and the contents of its seed and step models."""
    model = played_model(checkpoint)
    assert not isinstance(model, LatentNCA)
    facts, planting = growth_facts(model, checkpoint, metrics)
    return model.config.representation, {"seed": export_seed(model, planting), "step": export_step(model, facts)}


def growth_facts(
    model: GrownModel, checkpoint: Checkpoint, metrics: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the metadata of a growth's step model, and of its seed model, which knows the timbres as well."""
    config = model.config
    facts = metadata(checkpoint, metrics) | {
        "representation": config.representation,
        "spec": config.spec.to_dict(),
        "steps_per_hop": config.steps_per_hop,
        "timbre_size": config.timbre_size + config.key_size,
    }
    table = model.timbres.weight.detach().numpy()
    timbres = {name: [float(x) for x in row] for name, row in zip(checkpoint.timbre_names, table, strict=True)}
    return facts, facts | {"timbres": timbres, "key_codes": key_codes(model, checkpoint)}


def played_model(checkpoint: Checkpoint) -> GrownModel:
    """Return the growth model as it is played: what is stored in half precision, rounded to it."""
    model = growth_model(checkpoint)
    with torch.no_grad():
        for weights in (*model.seed.parameters(), model.keys.weight):
            if weights.numel() >= HALF_FROM or weights is model.keys.weight:
                weights.copy_(weights.half().float())
    return model


def key_codes(model: GrownModel, checkpoint: Checkpoint) -> dict[str, dict[str, Any]]:
    """Collect the codes of all recorded keys; see `engine.keys.timbres.TimbreTable`."""
    codes = model.keys.weight.detach().half().numpy().reshape(len(checkpoint.timbre_names), NUM_KEYS, -1)
    found = {}
    for row, name in enumerate(checkpoint.timbre_names):
        keys = list(checkpoint.tuning[name]["keys"])
        # The shortest text that reads back as the same half-precision number.
        found[name] = {"keys": keys, "codes": [[float(str(x)) for x in codes[row, key]] for key in keys]}
    return found


def vocoder_file(checkpoint: Checkpoint, metrics: dict[str, Any]) -> bytes:
    """Export a vocoder checkpoint."""
    vocoder = mel_vocoder(checkpoint)
    facts = metadata(checkpoint, metrics) | {
        "spec": vocoder.config.spec.to_dict(),
        "history_frames": vocoder.config.history_frames,
    }
    return export_vocoder(vocoder, facts)
