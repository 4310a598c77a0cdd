"""Checkpoints are whole or an error of one line, and a crash while writing costs only the newest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import tiny
import torch

from tnca_synth.errors import BankError
from tnca_synth.training.loop import checkpoint as module
from tnca_synth.training.loop.checkpoint import FORMAT, load_checkpoint, save_checkpoint
from tnca_synth.training.registry import growth_model, mel_vocoder

pytestmark = pytest.mark.slow


@pytest.fixture
def path(tmp_path: Path) -> Path:
    saved = tmp_path / "run" / "checkpoint.pt"
    save_checkpoint(saved, tiny.checkpoint(tiny.config("mel")))
    return saved


def test_what_was_saved_is_read_back(path: Path) -> None:
    loaded, saved = load_checkpoint(path), tiny.checkpoint(tiny.config("mel"))
    assert loaded.train_config == tiny.config("mel")
    for name in ("timbre_names", "tuning", "iteration", "seconds"):
        assert getattr(loaded, name) == getattr(saved, name)
    for name, value in growth_model(loaded).state_dict().items():
        assert torch.equal(value, growth_model(saved).state_dict()[name])


def test_a_missing_checkpoint_is_named(tmp_path: Path) -> None:
    with pytest.raises(BankError, match=r"no checkpoint at .*nowhere\.pt"):
        load_checkpoint(tmp_path / "nowhere.pt")


@pytest.mark.parametrize("content", [b"", b"RIFF not a checkpoint", b"PK\x03\x04 torn", bytes(1000)])
def test_a_foreign_file_is_one_line(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "foreign.pt"
    path.write_bytes(content)
    with pytest.raises(BankError, match="not a readable checkpoint") as caught:
        load_checkpoint(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_a_torn_checkpoint_is_an_error(share: float, path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(BankError, match="not a readable checkpoint"):
        load_checkpoint(path)


@pytest.mark.parametrize(
    "values",
    [
        {"model": torch.zeros(3)},
        torch.zeros(3),
        {"format": "tnca-synth checkpoint 0"},
        {"format": FORMAT},
        {"format": FORMAT, "config": {}, "surprise": 1},
    ],
)
def test_a_checkpoint_of_something_else_is_an_error(values: Any, tmp_path: Path) -> None:
    torch.save(values, tmp_path / "other.pt")
    with pytest.raises(BankError, match="not a checkpoint of this version"):
        load_checkpoint(tmp_path / "other.pt")


def test_nothing_in_a_checkpoint_is_run(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "sprung",))

    torch.save({"format": FORMAT, "config": Trap()}, tmp_path / "trap.pt")
    with pytest.raises(BankError):
        load_checkpoint(tmp_path / "trap.pt")
    assert not (tmp_path / "sprung").exists()


def test_an_interrupted_write_leaves_the_previous_checkpoint(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = path.read_bytes()

    def crash(values: Any, target: Path) -> None:
        Path(target).write_bytes(before[:100])
        raise KeyboardInterrupt

    monkeypatch.setattr(module.torch, "save", crash)
    with pytest.raises(KeyboardInterrupt):
        save_checkpoint(path, tiny.checkpoint(tiny.config("mel", seed=6)))
    assert path.read_bytes() == before
    assert load_checkpoint(path).train_config.seed == 5


def test_a_checkpoint_of_the_other_kind_says_so() -> None:
    with pytest.raises(BankError, match="holds a growth model, not a vocoder model"):
        mel_vocoder(tiny.checkpoint(tiny.config("mel")))
    with pytest.raises(BankError, match="holds a vocoder model, which does not grow notes"):
        growth_model(tiny.checkpoint(tiny.vocoder_config()))
