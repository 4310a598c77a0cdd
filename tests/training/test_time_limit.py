"""A training that is given some minutes stops there, with what it needs to go on."""

from __future__ import annotations

from pathlib import Path

import pytest
import tiny

from tnca_synth.training.loop.checkpoint import load_checkpoint
from tnca_synth.training.spectral.trainer import Trainer

pytestmark = pytest.mark.slow


def test_a_time_limit_leaves_a_checkpoint_to_go_on_from(tmp_path: Path) -> None:
    seen: list[int] = []
    Trainer(tiny.config(), tiny.notes()).run(tmp_path, lambda step: seen.append(step.iteration), limit_s=0.0)
    assert seen == [1]
    checkpoint = load_checkpoint(tmp_path / "checkpoint.pt")
    assert checkpoint.iteration == 1 and (tmp_path / "weights.npz").is_file()
    trainer = Trainer(tiny.config(), tiny.notes())
    trainer.resume(checkpoint)
    trainer.run(tmp_path, lambda step: seen.append(step.iteration))
    assert seen == [*range(1, 9)]
