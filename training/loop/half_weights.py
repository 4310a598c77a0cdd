"""Weights of a run in half precision, small enough to be kept with the code: what further training starts from.

Beside the weights lie the configuration and which keys each timbre has codes of; codes of other keys are left out. The
optimiser's state is not kept: it finds itself again within a hundred iterations.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from ...errors import BankError
from ...whole_files import replacing
from .checkpoint import Checkpoint

FORMAT: Final = "tnca-synth weights 1"
SUFFIX: Final = ".npz"
KEYS: Final = "keys.weight"
FACTS: Final = "facts"


@dataclass(frozen=True, eq=False)
class HalfWeights:
    """What `save_half` wrote, in single precision.

    Attributes
    ----------
    weights : by name, as in a checkpoint
    timbre_names : one per row of the timbre table
    recorded_keys : timbre name -> the keys that have codes of their own
    config : plain values of the run's `TrainConfig`
    iteration, seconds : how far it is, and the training time it took
    """

    weights: dict[str, Tensor]
    timbre_names: tuple[str, ...]
    recorded_keys: dict[str, tuple[int, ...]]
    config: dict[str, Any]
    iteration: int
    seconds: float


def save_half(path: Path, checkpoint: Checkpoint) -> None:
    """Write the averaged weights of a checkpoint; an interrupted write leaves the previous file."""
    names = checkpoint.timbre_names
    recorded = {name: [int(key) for key in checkpoint.tuning.get(name, {}).get("keys", ())] for name in names}
    arrays = {name: value.half().cpu().numpy() for name, value in checkpoint.weights.items()}
    if KEYS in arrays:
        arrays[KEYS] = arrays[KEYS][_rows(names, recorded, len(arrays[KEYS]))]
    facts = {
        "format": FORMAT, "config": checkpoint.config, "iteration": checkpoint.iteration,
        "seconds": checkpoint.seconds, "timbre_names": names, "recorded_keys": recorded,
    }  # fmt: skip
    content = io.BytesIO()
    np.savez_compressed(content, **{FACTS: np.array(json.dumps(facts))}, **arrays)  # type: ignore[arg-type]
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as part:
        part.write_bytes(content.getvalue())


def load_half(path: Path) -> HalfWeights:
    """Read what `save_half` wrote; anything else raises `BankError`."""
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            arrays = {name: torch.from_numpy(file[name].astype(np.float32)) for name in file.files if name != FACTS}
            facts = json.loads(str(file[FACTS]))
        if facts["format"] != FORMAT:
            raise ValueError(f"the format is {facts['format']!r}")
        names = tuple(facts["timbre_names"])
        recorded = {name: tuple(keys) for name, keys in facts["recorded_keys"].items()}
        if KEYS in arrays:
            arrays[KEYS] = _spread(arrays[KEYS], names, recorded)
    except FileNotFoundError as error:
        raise BankError(f"no weights at {path}") from error
    except (OSError, EOFError, KeyError, ValueError, IndexError, TypeError, zipfile.BadZipFile) as error:
        raise BankError(f"{path} holds no weights of tnca-synth ({type(error).__name__})") from error
    return HalfWeights(arrays, names, recorded, facts["config"], int(facts["iteration"]), float(facts["seconds"]))


def _rows(names: tuple[str, ...], recorded: Mapping[str, Any], count: int) -> list[int]:
    """Return the rows of a table of codes, of as many keys for each timbre, that recorded keys have."""
    keys = count // len(names)
    return [row * keys + key for row, name in enumerate(names) for key in recorded[name]]


def _spread(codes: Tensor, names: tuple[str, ...], recorded: Mapping[str, Any]) -> Tensor:
    """Return codes in a table of all keys, zeros where none is known."""
    table = torch.zeros(128 * len(names), codes.shape[1])
    table[_rows(names, recorded, len(table))] = codes
    return table
