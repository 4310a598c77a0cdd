"""Checkpoints of others, read without running anything that is in them.

A checkpoint is a pickle, and a pickle may run any code. `torch.load(weights_only=True)` reads tensors and plain
containers and refuses all else; nothing here ever loads otherwise.
"""

from __future__ import annotations

import json
import pickle
import warnings
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor, nn

from ...engine.regular_files import decode_text, read_regular_file
from ...errors import BankError

WRAPPERS = ("generator", "state_dict", "model")
"""Keys under which checkpoints keep the weights of what makes sound."""
MAX_CONFIG_BYTES = 2**16
MAX_YAML_DEPTH = 32
CONFIG_NAMES = ("config.json", "config.yaml", "config.yml")

Weights = dict[str, Tensor]


def read_weights(path: Path) -> Weights:
    """Return a checkpoint's tensors by name, weight norm taken out.

    Raises
    ------
    BankError
        There is no such file, it is no checkpoint, or it holds anything but weights.
    """
    if path.exists() and not path.is_file():
        raise BankError(f"{path} is no regular file, expected a checkpoint")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pickles that torch did not write; it refuses them right after
            found = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise BankError(f"cannot read the checkpoint {path}: {error.strerror}") from error
    except pickle.UnpicklingError as error:
        raise BankError(
            f"{path} is not a torch checkpoint of weights alone (code in checkpoints is not run): "
            "save the state dict and import that"
        ) from error
    except Exception as error:  # torch, zipfile and safetensors raise many kinds on foreign or torn files
        raise BankError(f"{path} is not a torch checkpoint, or is damaged") from error
    for name in WRAPPERS:
        if isinstance(found, dict) and isinstance(found.get(name), dict):
            found = found[name]
    if not isinstance(found, dict) or not found or not all(isinstance(one, Tensor) for one in found.values()):
        raise BankError(f"{path} holds no weights by name, nor any under {', '.join(map(repr, WRAPPERS))}")
    return without_weight_norm({name: tensor.float() for name, tensor in found.items()})


def without_weight_norm(weights: Weights) -> Weights:
    """Multiply directions and lengths (Salimans & Kingma, 2016), in both ways in which torch names them."""
    fused = dict(weights)
    for lengths, directions in (("weight_g", "weight_v"), (f"{NORM}.original0", f"{NORM}.original1")):
        for name in [one for one in weights if one.endswith(lengths)]:
            stem = name.removesuffix(lengths)
            if stem + directions in fused:
                length, direction = fused.pop(name), fused.pop(stem + directions)
                fused[stem + "weight"] = length * direction / direction.flatten(1).norm(dim=1).view_as(length)
    return fused


NORM = "parametrizations.weight"


def find_config(checkpoint: Path, config: Path | None) -> dict[str, Any]:
    """Read the configuration of a checkpoint: the file that is named, or the one that lies beside it.

    Raises
    ------
    BankError
        There is none, or it is neither a JSON nor a YAML object.
    """
    if config is None:
        beside = [checkpoint.parent / name for name in CONFIG_NAMES]
        config = next((one for one in beside if one.is_file()), None)
        if config is None:
            raise BankError(f"no {' or '.join(CONFIG_NAMES[:2])} lies beside {checkpoint}: name it with --config")
    try:
        text = decode_text(read_regular_file(config, MAX_CONFIG_BYTES))
        values = json.loads(text) if config.suffix == ".json" else _read_yaml(text)
    except OSError as error:
        raise BankError(f"cannot read the configuration {config}: {error.strerror}") from error
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        raise BankError(f"{config} is neither JSON nor YAML, or has aliases or too many levels") from error
    if not isinstance(values, dict):
        raise BankError(f"{config} holds no configuration: expected names and values")
    return values


def _read_yaml(text: str) -> Any:
    """Read YAML that is as plain as configurations are.

    A few nested aliases stand for more than any memory holds, and the parser's time grows with the square of the depth.
    """
    depth = 0
    for event in yaml.parse(text, yaml.SafeLoader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if isinstance(event, yaml.AliasEvent) or depth > MAX_YAML_DEPTH:
            raise ValueError("YAML with aliases, or nested too deeply")
    return yaml.safe_load(text)


def fill(network: nn.Module, weights: Weights, what: str) -> None:
    """Put weights into a network; `BankError` names the first that is missing, left over or of another shape."""
    wanted = network.state_dict()
    for name, tensor in wanted.items():
        if name not in weights:
            raise BankError(f"the checkpoint lacks {name!r}, which {what} of this configuration has")
        if weights[name].shape != tensor.shape:
            raise BankError(
                f"{name!r} is {tuple(weights[name].shape)} in the checkpoint, but {tuple(tensor.shape)} "
                "by its configuration: they do not belong together"
            )
    left = next((name for name in weights if name not in wanted), None)
    if left is not None:
        raise BankError(f"the checkpoint holds {left!r}, which {what} of this configuration lacks")
    network.load_state_dict(weights)
