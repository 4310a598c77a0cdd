"""The weights of others under the names that their networks have here, and the configuration beside them."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

import yaml
from torch import nn

from ...engine.regular_files import decode_text, read_regular_file
from ...errors import BankError
from .containers import Weights, read_tensors

WRAPPED = ("_orig_mod", "module")
MAX_CONFIG_BYTES = 2**16
MAX_YAML_DEPTH = 32
CONFIG_NAMES = ("config.json", "config.yaml", "config.yml")


def read_weights(path: Path) -> Weights:
    """Return a checkpoint's tensors by name in single precision, wrappers' names and weight norm taken out.

    Raises
    ------
    BankError
        There is no such file, it is no checkpoint, or it holds anything but weights.
    """
    return without_weight_norm({plain_name(name): tensor.float() for name, tensor in read_tensors(path).items()})


def plain_name(name: str) -> str:
    """Return a tensor's name without what `torch.compile` and parallel training put anywhere into it."""
    return ".".join(part for part in name.split(".") if part not in WRAPPED)


def without_weight_norm(weights: Weights) -> Weights:
    """Multiply directions and lengths (Salimans & Kingma, 2016), in both ways in which torch names them."""
    fused = dict(weights)
    for lengths, directions in (("weight_g", "weight_v"), (f"{NORM}.original0", f"{NORM}.original1")):
        for name in [one for one in weights if one.endswith(lengths)]:
            stem = name.removesuffix(lengths)
            if stem + directions in fused:
                length, direction = fused.pop(name), fused.pop(stem + directions)
                if length.dim() != direction.dim():
                    raise BankError(f"{name!r} and {stem + directions!r} do not belong together")
                over = [dim for dim in range(direction.dim()) if length.shape[dim] == 1]
                fused[stem + "weight"] = length * direction / direction.square().sum(dim=over, keepdim=True).sqrt()
    return fused


def named_as(weights: Weights, wanted: Collection[str]) -> Weights:
    """Return the weights of one part of a model, such as the generator beside a discriminator, by its own names.

    That is what stands under the prefix, such as ``generator.``, under which all of the wanted names are there; where
    they are there as they are, or nowhere, all weights.
    """
    first = next(iter(wanted))
    prefixes = [name.removesuffix(first) for name in weights if name.endswith("." + first)]
    for prefix in prefixes if first not in weights else ():
        if all(prefix + name in weights for name in wanted):
            return {name: weights[prefix + name] for name in wanted}
    return weights


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
