"""Checkpoints as people have them: every container, prefix and number format gives the same weights, and none runs."""

from __future__ import annotations

import argparse
import json
import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tnca_synth.errors import BankError
from tnca_synth.export.imported.weights import fill, named_as, read_weights

pytestmark = pytest.mark.slow

Weights = dict[str, Tensor]


def network(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    parts = {"backbone": nn.Sequential(nn.Linear(3, 4), nn.Conv1d(2, 3, 5)), "head": nn.ConvTranspose1d(3, 2, 4)}
    return nn.ModuleDict(parts)


WANTED = {name: value.clone() for name, value in network().state_dict().items()}


def prefixed(prefix: str) -> Callable[[Weights], Any]:
    return lambda weights: {prefix + name: value for name, value in weights.items()}


def within(weights: Weights) -> Weights:
    return {name.replace("backbone.", "backbone._orig_mod.", 1): value for name, value in weights.items()}


def ema(weights: Weights) -> Any:
    return {"ema": weights, "optimizer": {"state": {}, "param_groups": []}, "epoch": 3}


def with_discriminator(weights: Weights) -> Any:
    ours = {f"generator.{name}": value for name, value in weights.items()}
    return {"state_dict": ours | {"discriminator.0.weight": torch.zeros(3)}, "epoch": 7}


CONTAINERS: dict[str, Callable[[Weights], Any]] = {
    "plain": lambda weights: weights,
    "compiled": prefixed("_orig_mod."),
    "parallel": prefixed("module."),
    "compiled and parallel": prefixed("module._orig_mod."),
    "parts compiled": within,
    "state_dict": lambda weights: {"state_dict": weights, "global_step": 5},
    "model": lambda weights: {"model": weights, "args": argparse.Namespace(lr=1e-3, name="run")},
    "model_state_dict": lambda weights: {"model_state_dict": weights, "loss": 0.5},
    "generator": lambda weights: {"generator": weights},
    "generator in model": lambda weights: {"model": {"generator": weights}, "steps": 3},
    "ema": ema,
    "params_ema": lambda weights: {"params_ema": prefixed("module.")(weights)},
    "lightning": with_discriminator,
    "with a step beside": lambda weights: {**weights, "step": 12, "name": "net"},
    "half": lambda weights: {name: value.half() for name, value in weights.items()},
    "bfloat16": lambda weights: {name: value.bfloat16() for name, value in weights.items()},
    "double": lambda weights: {name: value.double() for name, value in weights.items()},
}


def filled(path: Path) -> Weights:
    own = network(seed=1)
    fill(own, named_as(read_weights(path), own.state_dict()), "the test network")
    return own.state_dict()


def same(found: Weights, atol: float = 0.0) -> None:
    for name, value in WANTED.items():
        assert found[name].dtype == torch.float32
        torch.testing.assert_close(found[name], value, rtol=0, atol=atol)


@pytest.mark.parametrize("kind", CONTAINERS)
def test_every_container_gives_the_same_weights(kind: str, tmp_path: Path) -> None:
    torch.save(CONTAINERS[kind](WANTED), tmp_path / "a.pt")
    same(filled(tmp_path / "a.pt"), {"half": 1e-3, "bfloat16": 4e-3}.get(kind, 0.0))


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize("dim", [0, 1])
@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.module."])
@pytest.mark.filterwarnings("ignore:.*weight_norm:FutureWarning")
def test_weight_norm_is_taken_out_in_both_notations(old: bool, dim: int, prefix: str, tmp_path: Path) -> None:
    own = network()
    norm = nn.utils.weight_norm if old else nn.utils.parametrizations.weight_norm
    for layer in (own["backbone"][0], own["backbone"][1], own["head"]):
        norm(layer, dim=dim)
    torch.save({prefix + name: value for name, value in own.state_dict().items()}, tmp_path / "a.pt")
    same(filled(tmp_path / "a.pt"), 1e-6)


def safetensors(weights: Weights, dtype: str = "F32") -> bytes:
    kinds = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
    table: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    numbers = b""
    for name, value in weights.items():
        raw = value.to(kinds[dtype]).contiguous().view(torch.uint8).numpy().tobytes()
        offsets = [len(numbers), len(numbers) + len(raw)]
        table[name] = {"dtype": dtype, "shape": list(value.shape), "data_offsets": offsets}
        numbers += raw
    text = json.dumps(table).encode()
    return struct.pack("<Q", len(text)) + text + numbers


@pytest.mark.parametrize(("dtype", "atol"), [("F32", 0.0), ("F16", 1e-3), ("BF16", 4e-3)])
@pytest.mark.parametrize("suffix", ["safetensors", "pt"])
def test_safetensors_are_read_whatever_they_are_called(dtype: str, atol: float, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"model.{suffix}"
    path.write_bytes(safetensors({f"module.{name}": value for name, value in WANTED.items()}, dtype))
    same(filled(path), atol)


def table_of(entry: dict[str, Any]) -> bytes:
    return struct.pack("<Q", 80) + json.dumps({"a": entry}).encode().ljust(80)


@pytest.mark.parametrize(
    "content",
    [
        struct.pack("<Q", 2**60) + b"{}",
        struct.pack("<Q", 2) + b"[]",
        table_of({"dtype": "F32", "shape": [9], "data_offsets": [0, 36]}),
        table_of({"dtype": "X9", "shape": [1], "data_offsets": [0, 4]}) + bytes(4),
        table_of({"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}) + bytes(4),
        table_of({"dtype": "F32", "shape": [1], "data_offsets": [-4, 0]}) + bytes(4),
        safetensors(WANTED)[:-7],
    ],
)
def test_a_damaged_safetensors_file_is_one_line(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.safetensors").write_bytes(content)
    with pytest.raises(BankError, match=r"(is not a safetensors file, or is damaged|holds no weights)") as caught:
        read_weights(tmp_path / "a.safetensors")
    assert "\n" not in str(caught.value)


class Evil:
    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return exec, ("raise SystemExit('run')",)


@pytest.mark.parametrize("beside", [Evil(), {"inner": Evil()}])
def test_code_beside_weights_is_refused_and_not_run(beside: Any, tmp_path: Path) -> None:
    torch.save({"state_dict": WANTED, "args": beside}, tmp_path / "a.pt")
    with pytest.raises(BankError, match="code in checkpoints is not run"):
        read_weights(tmp_path / "a.pt")
    (tmp_path / "b.pt").write_bytes(pickle.dumps(beside))
    with pytest.raises(BankError, match="code in checkpoints is not run"):
        read_weights(tmp_path / "b.pt")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_torchscript_program_is_told_apart(tmp_path: Path) -> None:
    torch.jit.save(torch.jit.script(nn.Linear(2, 2)), tmp_path / "a.pt")
    with pytest.raises(BankError, match="is a TorchScript program, which is not run"):
        read_weights(tmp_path / "a.pt")


def test_a_container_without_weights_says_where_it_looked(tmp_path: Path) -> None:
    torch.save({"model": {"epoch": 3}}, tmp_path / "a.pt")
    with pytest.raises(BankError, match="holds no weights by name, nor any under 'generator'"):
        read_weights(tmp_path / "a.pt")
