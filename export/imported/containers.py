"""Files that hold the weights of others, read without running anything that is in them.

A checkpoint of torch is a pickle, and a pickle may run any code. `torch.load(weights_only=True)` reads tensors and
plain containers and refuses all else; nothing here ever loads otherwise. A safetensors file is a table of contents and
numbers.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import pickle
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from ...errors import BankError

Weights = dict[str, Tensor]
WRAPPERS: Final = (
    "generator", "state_dict", "model_state_dict", "model", "module", "net_g", "vocoder", "network", "net", "params",
    "weights", "ema", "model_ema", "ema_state_dict", "ema_model", "params_ema", "ema_model_state_dict", "shadow",
)  # fmt: skip
"""Keys under which checkpoints keep weights, what was trained itself before its running average."""
INERT: Final = (argparse.Namespace, pathlib.PosixPath, pathlib.PurePosixPath)
"""What checkpoints keep beside weights, such as the options of a run, and what does nothing when it is made."""
LAYERS_DEEP: Final = 4
TABLE_BYTES: Final = 100_000_000
"""The longest table of contents of a safetensors file, as its own library has it."""
SAFETENSORS_TYPES: Final = {
    "F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16,
    "F8_E4M3": torch.float8_e4m3fn, "F8_E5M2": torch.float8_e5m2, "I64": torch.int64, "I32": torch.int32,
    "I16": torch.int16, "I8": torch.int8, "U8": torch.uint8, "BOOL": torch.bool,
}  # fmt: skip


def read_tensors(path: Path) -> Weights:
    """Return the tensors of a checkpoint by name, as they are.

    Raises
    ------
    BankError
        There is no such file, it is no checkpoint, or it holds no weights.
    """
    if path.exists() and not path.is_file():
        raise BankError(f"{path} is no regular file, expected a checkpoint")
    try:
        with path.open("rb") as stream:
            head = stream.read(9)
    except OSError as error:
        raise BankError(f"cannot read the checkpoint {path}: {error.strerror}") from error
    if head[8:] == b"{" or path.suffix == ".safetensors":
        return _read_safetensors(path)
    found = _weights_in(_load(path))
    if found is None:
        raise BankError(f"{path} holds no weights by name, nor any under {', '.join(map(repr, WRAPPERS[:4]))} or such")
    return found


def _load(path: Path) -> Any:
    try:
        with warnings.catch_warnings(), torch.serialization.safe_globals(list(INERT)):
            warnings.simplefilter("ignore")  # of pickles that torch did not write; it refuses them right after
            return torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise BankError(f"cannot read the checkpoint {path}: {error.strerror}") from error
    except pickle.UnpicklingError as error:
        raise BankError(
            f"{path} is not a torch checkpoint of weights alone (code in checkpoints is not run): "
            "save the state dict and import that"
        ) from error
    except Exception as error:  # torch and zipfile raise many kinds on foreign or torn files
        if "TorchScript" in str(error):
            raise BankError(f"{path} is a TorchScript program, which is not run: save its state dict") from error
        raise BankError(f"{path} is not a torch checkpoint, or is damaged") from error


def _weights_in(found: Any, depth: int = LAYERS_DEEP) -> Weights | None:
    """Return the tensors by name in a checkpoint: its own, or those under the first of `WRAPPERS` that has some."""
    if not isinstance(found, Mapping):
        return None
    for name in WRAPPERS if depth else ():
        inner = _weights_in(found.get(name), depth - 1)
        if inner:
            return inner
    own = {name: one for name, one in found.items() if isinstance(name, str) and isinstance(one, Tensor)}
    return own or None


def _read_safetensors(path: Path) -> Weights:
    """Read the length of a JSON table of contents, the table, and the numbers."""
    try:
        content = path.read_bytes()
        start = 8 + int.from_bytes(content[:8], "little")
        if start - 8 > TABLE_BYTES or start > len(content):
            raise ValueError("the table of contents is longer than the file")
        return dict(_entries(json.loads(content[8:start]), memoryview(content)[start:]))
    except OSError as error:
        raise BankError(f"cannot read the checkpoint {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
        raise BankError(f"{path} is not a safetensors file, or is damaged") from error


def _entries(table: dict[str, Any], numbers: memoryview) -> Iterator[tuple[str, Tensor]]:
    for name, entry in table.items():
        if name == "__metadata__":
            continue
        first, last = entry["data_offsets"]
        kind = SAFETENSORS_TYPES[entry["dtype"]]
        if not 0 <= first <= last <= len(numbers):
            raise ValueError(f"{name} lies outside the file")
        flat = torch.frombuffer(bytearray(numbers[first:last]), dtype=kind) if last > first else torch.zeros(0)
        yield name, flat.reshape(entry["shape"])
