"""Configurations and checkpoints of others cost next to nothing until it is known that they are of an honest size."""

from __future__ import annotations

import json
import os
import pickle
import time
from copy import deepcopy
from pathlib import Path
from typing import Any

import originals
import pytest

from tnca_synth.errors import BankError, TncaError
from tnca_synth.export.codec.encodec import read_encodec
from tnca_synth.export.imported.layouts import describe
from tnca_synth.export.imported.weights import find_config, read_weights
from tnca_synth.training.loop.checkpoint import load_checkpoint

pytestmark = pytest.mark.slow

BIGVGAN: dict[str, Any] = originals.TINY_BIGVGAN
VOCOS: dict[str, Any] = originals.FITTING_VOCOS
WRONG = (10**7, 10**12, 0, -1, None, "8", 1.5, float("nan"), float("inf"), [], {}, [10**7], [[1]])


def assert_refused_at_once(values: dict[str, Any]) -> None:
    began = time.process_time()
    with pytest.raises(TncaError) as caught:
        describe(values)
    assert time.process_time() - began < 0.5
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_the_configurations_of_these_tests_are_taken() -> None:
    assert describe(BIGVGAN).name == "BigVGAN"
    assert describe(VOCOS).name == "Vocos"


@pytest.mark.parametrize("value", WRONG)
@pytest.mark.parametrize(
    "name",
    [
        "num_mels",
        "upsample_initial_channel",
        "upsample_rates",
        "upsample_kernel_sizes",
        "resblock_kernel_sizes",
        "resblock_dilation_sizes",
    ],
)
def test_a_bigvgan_of_no_honest_size_is_refused_before_it_is_built(name: str, value: Any) -> None:
    assert_refused_at_once({**BIGVGAN, name: value})


@pytest.mark.parametrize(
    "changes",
    [
        {"upsample_initial_channel": 16_384, "resblock_kernel_sizes": [255], "resblock_dilation_sizes": [[1] * 64]},
        {"upsample_rates": [2] * 30, "upsample_kernel_sizes": [4] * 30},
        {"resblock_kernel_sizes": [3] * 10**5, "resblock_dilation_sizes": [[1]] * 10**5},
        {"resblock_dilation_sizes": [[1] * 10**6]},
    ],
)
def test_many_small_sizes_are_a_large_one(changes: dict[str, Any]) -> None:
    assert_refused_at_once({**BIGVGAN, **changes})


@pytest.mark.parametrize("value", [10**7, 10**12, 0, -1, None, "x", float("nan"), float("inf"), []])
@pytest.mark.parametrize("name", ["input_channels", "dim", "intermediate_dim", "num_layers"])
def test_a_vocos_of_no_honest_size_is_refused_before_it_is_built(name: str, value: Any) -> None:
    values = deepcopy(VOCOS)
    values["backbone"]["init_args"][name] = value
    assert_refused_at_once(values)


def test_nested_aliases_are_refused_at_once(tmp_path: Path) -> None:
    lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 30)]
    path = tmp_path / "config.yaml"
    path.write_text("\n".join([*lines, "upsample_rates: *a29"]))
    began = time.process_time()
    with pytest.raises(BankError, match="aliases"):
        find_config(tmp_path / "weights.pt", path)
    assert time.process_time() - began < 1.0


@pytest.mark.parametrize("suffix", [".json", ".yaml"])
@pytest.mark.parametrize("kind", ["deep", "huge", "pipe", "zero", "utf-16"])
def test_configurations_that_are_none_are_one_line(tmp_path: Path, suffix: str, kind: str) -> None:
    path = tmp_path / f"config{suffix}"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "zero":
        path.symlink_to("/dev/zero")
    else:
        contents = {"deep": b"[" * 50_000, "huge": b" " * 2**19, "utf-16": json.dumps({"a": 1}).encode("utf-16")}
        path.write_bytes(contents[kind])
    with pytest.raises(BankError) as caught:
        find_config(tmp_path / "weights.pt", path)
    assert "\n" not in str(caught.value)


class Evil:
    """Runs something when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch pwned",)


@pytest.mark.parametrize("name", ["weights.pt", "weights.safetensors"])
@pytest.mark.parametrize("kind", ["pipe", "folder", "pickle", "empty"])
def test_checkpoints_that_are_none_are_refused_and_run_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, kind: str
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / name
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.write_bytes(pickle.dumps(Evil()) if kind == "pickle" else b"")
    for read in (read_weights, read_encodec, load_checkpoint):
        with pytest.raises(BankError) as caught:
            read(path)
        assert "\n" not in str(caught.value)
    assert os.listdir(tmp_path) == [name]
