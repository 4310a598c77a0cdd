"""Several processes train as one does, and go on from each other's checkpoints."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tiny
import torch

from tnca_synth.training.loop.checkpoint import Checkpoint, load_checkpoint
from tnca_synth.training.loop.loop import TrainingLoop
from tnca_synth.training.loop.team import Team
from tnca_synth.training.spectral.trainer import Trainer
from tnca_synth.training.spectral.vocoder_trainer import VocoderTrainer

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
SCRIPT = """
import shutil, sys
from pathlib import Path
import test_team
from tnca_synth.training.loop.checkpoint import load_checkpoint
from tnca_synth.training.loop.team import joined

kind, folder, start = sys.argv[1], Path(sys.argv[2]), sys.argv[3:]

def report(step):
    print(step.losses["total"], flush=True)
    if step.iteration == test_team.HALF + 1 and not start:
        shutil.copy(folder / "checkpoint.pt", folder / "half.pt")

with joined("cpu") as team:
    trainer = test_team.make_trainer(kind)
    trainer.team = team
    if start:
        trainer.resume(load_checkpoint(Path(start[0])))
    trainer.run(folder, report)
"""
ITERATIONS, HALF = 8, 4


def make_trainer(kind: str) -> TrainingLoop:
    # An odd batch: the two shares are not alike. Plain gradient descent shows differences as they are.
    changes = {"iterations": ITERATIONS, "batch_size": 5, "checkpoint_every": HALF}
    if kind == "vocoder":
        made: TrainingLoop = VocoderTrainer(tiny.vocoder_config(**changes), tiny.notes())
    else:
        made = Trainer(tiny.config(kind, overtime_share=0.5, damage_share=0.3, **changes), tiny.notes())
    made.optimizer = torch.optim.SGD(made.model.parameters(), 0.1)
    return made


def alone(folder: Path, kind: str) -> tuple[Checkpoint, list[float]]:
    losses: list[float] = []
    make_trainer(kind).run(folder, lambda step: losses.append(step.losses["total"]))
    return load_checkpoint(folder / "checkpoint.pt"), losses


def together(processes: int, folder: Path, kind: str, *start: Path) -> tuple[Checkpoint, list[float]]:
    folder.mkdir()
    script = folder / "run.py"
    script.write_text(SCRIPT)
    launch = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    command = [sys.executable, *launch, str(script), kind, str(folder), *map(str, start)]
    places = [ROOT / "tests" / "support", Path(__file__).parent, *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, places)), "OMP_NUM_THREADS": "1"}
    environment["PYTHONFAULTHANDLER"] = "1"
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return load_checkpoint(folder / "checkpoint.pt"), [float(line) for line in done.stdout.split()]


def largest_difference(one: Checkpoint, other: Checkpoint) -> float:
    weights = zip(one.resume["model"].values(), other.resume["model"].values(), strict=True)
    return max(float((a.float() - b.float()).abs().max()) for a, b in weights)


def check_alike(one: tuple[Checkpoint, list[float]], other: tuple[Checkpoint, list[float]]) -> None:
    np.testing.assert_allclose(other[1], one[1][-len(other[1]) :], rtol=1e-5)
    assert largest_difference(one[0], other[0]) < 1e-5


def test_processes_take_the_steps_of_one_and_go_on_in_another_number(tmp_path: Path) -> None:
    one, two = alone(tmp_path / "one", "dual"), together(2, tmp_path / "two", "dual")
    assert len(two[1]) == ITERATIONS  # the first process alone reports
    check_alike(one, two)
    fresh = make_trainer("dual").model.state_dict()
    assert max(float((fresh[name] - value).abs().max()) for name, value in one[0].resume["model"].items()) > 1e-3
    rest = together(3, tmp_path / "rest", "dual", tmp_path / "two" / "half.pt")
    assert len(rest[1]) == ITERATIONS - HALF
    check_alike(one, rest)


def test_two_processes_train_a_vocoder_as_one(tmp_path: Path) -> None:
    check_alike(alone(tmp_path / "one", "vocoder"), together(2, tmp_path / "two", "vocoder"))


def test_shares_cover_a_batch_once() -> None:
    for size in (1, 2, 3, 7):
        covered = [index for rank in range(size) for index in range(20)[Team(rank, size).share(20)]]
        assert covered == list(range(20))
