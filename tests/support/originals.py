"""The published packages `bigvgan` and `vocos`, imported without what they need only for training and downloading."""

from __future__ import annotations

import contextlib
import importlib
import json
import sys
import types
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import nn


class _Hub:
    """Takes the place of a base class that downloads."""

    def __init_subclass__(cls, **facts: object) -> None:
        super().__init_subclass__()


def _module(name: str, **values: object) -> types.ModuleType:
    module = types.ModuleType(name)
    vars(module).update(values)
    return module


def _never(*_: object, **__: object) -> None:
    raise AssertionError("nothing here loads from a hub or computes features")


STAND_INS = {
    "huggingface_hub": {"PyTorchModelHubMixin": _Hub, "hf_hub_download": _never},
    "tqdm": {"tqdm": _never},
    "encodec": {"EncodecModel": None},
    "torchaudio": {},
    "torchaudio.functional": {},
    "torchaudio.functional.functional": {"_hz_to_mel": _never, "_mel_to_hz": _never},
}


@contextlib.contextmanager
def _without_the_rest() -> Iterator[None]:
    """Let imports find empty modules for `STAND_INS`, and leave the real ones as they were."""
    before = {name: sys.modules.pop(name, None) for name in STAND_INS}
    sys.modules.update({name: _module(name, **values) for name, values in STAND_INS.items()})
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for name, module in before.items():
            del sys.modules[name]
            if module is not None:
                sys.modules[name] = module


def _randomise(network: nn.Module, seed: int) -> nn.Module:
    """Let every parameter differ, by as much as keeps the network awake."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for name, values in network.named_parameters():
            if name.endswith(("alpha", "beta", "bias", "gamma")):
                values.add_(0.1 * torch.randn_like(values))
            elif name.endswith("weight_g"):
                values.mul_(1.0 + 0.2 * torch.rand_like(values))
            elif name.endswith("weight_v"):
                values.normal_(std=values[0].numel() ** -0.5)
    return network.eval()


def bigvgan(config: dict[str, Any], seed: int = 0) -> nn.Module:
    """Return the original generator with random weights, weight norm in place, as checkpoints hold it."""
    with _without_the_rest():
        original = importlib.import_module("bigvgan.bigvgan")
        torch.manual_seed(seed)
        return _randomise(original.BigVGAN(original.AttrDict(config)), seed)


def vocos(config: dict[str, Any], seed: int = 0) -> tuple[nn.Module, nn.Module]:
    """Return the original backbone and head with random weights."""
    with _without_the_rest():
        models, heads = (importlib.import_module(f"vocos.{name}") for name in ("models", "heads"))
        torch.manual_seed(seed)
        backbone = models.VocosBackbone(**config["backbone"]["init_args"])
        head = heads.ISTFTHead(**config["head"]["init_args"])
    _randomise(backbone, seed)
    with torch.no_grad():
        for values in backbone.parameters():
            if values.dim() > 1:
                values.normal_(std=values[0].numel() ** -0.5)
        head.out.weight.normal_(std=0.05)
    return backbone, head.eval()


SMALL_BIGVGAN: dict[str, Any] = {
    "resblock": "1", "upsample_rates": [8, 4, 4, 2], "upsample_kernel_sizes": [16, 8, 8, 4],
    "upsample_initial_channel": 32, "resblock_kernel_sizes": [3, 7, 11],
    "resblock_dilation_sizes": [[1, 3, 5], [1, 3, 5], [1, 3, 5]], "activation": "snakebeta", "snake_logscale": True,
    "use_tanh_at_final": False, "use_bias_at_final": False, "num_mels": 80, "n_fft": 1024, "hop_size": 256,
    "win_size": 1024, "sampling_rate": 22050, "fmin": 0, "fmax": None,
}  # fmt: skip

SMALL_VOCOS: dict[str, Any] = {
    "feature_extractor": {
        "class_path": "vocos.feature_extractors.MelSpectrogramFeatures",
        "init_args": {"sample_rate": 24000, "n_fft": 1024, "hop_length": 256, "n_mels": 100, "padding": "center"},
    },
    "backbone": {
        "class_path": "vocos.models.VocosBackbone",
        "init_args": {"input_channels": 100, "dim": 32, "intermediate_dim": 64, "num_layers": 3},
    },
    "head": {
        "class_path": "vocos.heads.ISTFTHead",
        "init_args": {"dim": 32, "n_fft": 1024, "hop_length": 256, "padding": "center"},
    },
}


def save_bigvgan(folder: Path, config: dict[str, Any] = SMALL_BIGVGAN) -> Path:
    """Save an original generator as it was published, its configuration beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    torch.save({"generator": bigvgan(config).state_dict()}, folder / "bigvgan_generator.pt")
    return folder / "bigvgan_generator.pt"


def save_vocos(folder: Path, config: dict[str, Any] = SMALL_VOCOS) -> Path:
    """Save an original backbone and head as they were published, with what lies beside them."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    backbone, head = vocos(config)
    weights = {"feature_extractor.mel_spec.mel_scale.fb": torch.zeros(513, 100)}
    for name, part in (("backbone", backbone), ("head", head)):
        weights |= {f"{name}.{key}": values for key, values in part.state_dict().items()}
    torch.save(weights, folder / "pytorch_model.bin")
    return folder / "pytorch_model.bin"


TINY_BIGVGAN = SMALL_BIGVGAN | {
    "upsample_rates": [16, 16], "upsample_kernel_sizes": [32, 32], "upsample_initial_channel": 16,
    "resblock_kernel_sizes": [3, 5], "resblock_dilation_sizes": [[1, 2], [1, 3]],
}  # fmt: skip
"""Few nodes: ONNX Runtime takes seconds to open the graph of a real one."""

# Vocos as a model of the engine's own rate and bands.
FITTING_VOCOS = {
    "feature_extractor": {
        "class_path": "vocos.feature_extractors.MelSpectrogramFeatures",
        "init_args": {"sample_rate": 22050, "n_fft": 1024, "hop_length": 256, "n_mels": 80, "padding": "same"},
    },
    "backbone": {
        "class_path": "vocos.models.VocosBackbone",
        "init_args": {"input_channels": 80, "dim": 24, "intermediate_dim": 48, "num_layers": 2},
    },
    "head": {
        "class_path": "vocos.heads.ISTFTHead",
        "init_args": {"dim": 24, "n_fft": 1024, "hop_length": 256, "padding": "same"},
    },
}

TINY_BANK_BIGVGAN = TINY_BIGVGAN | {
    "upsample_rates": [8, 8], "upsample_kernel_sizes": [16, 16], "num_mels": 16, "n_fft": 256, "hop_size": 64,
    "win_size": 256, "sampling_rate": 8000,
}  # fmt: skip
"""Of the rate, hop and FFT of the bank in `tiny`."""
