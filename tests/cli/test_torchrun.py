"""`torchrun ... -m tnca_synth train`: what a user types, with real processes, one of which is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tiny
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tnca_synth.cli import main
from tnca_synth.training.loop.checkpoint import Checkpoint, load_checkpoint

pytestmark = pytest.mark.slow

ITERATIONS = 60
TORCHRUN = Path(sys.executable).with_name("torchrun")


def losses(run: Path) -> dict[int, float]:
    """Return the losses that a run has logged, by iteration; those of a resumed one come last."""
    log = EventAccumulator(str(run / "tensorboard"))
    log.Reload()
    return {event.step: event.value for event in log.Scalars("train/total")}


def torchrun(processes: int, *arguments: str | Path) -> subprocess.Popen[str]:
    command = [str(TORCHRUN), "--standalone", f"--nproc-per-node={processes}", "-m", "tnca_synth", "train"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    pipe = subprocess.PIPE
    return subprocess.Popen([*command, *map(str, arguments)], env=environment, stdout=pipe, stderr=pipe, text=True)


def workers_of(pid: int) -> list[int]:
    threads = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for path in threads for child in path.read_text().split()]


def weights(checkpoint: Checkpoint) -> np.ndarray:
    return np.concatenate([one.numpy().ravel() for one in checkpoint.resume["model"].values()])


def test_the_command_trains_as_one_process_and_is_resumed_by_another_number(tmp_path: Path) -> None:
    preset, cache = tmp_path / "mine.toml", tmp_path / "cache"
    preset.write_text(tiny.PRESET)
    common = (preset, "--cache", cache, "--threads", "1", "--iterations", str(ITERATIONS))
    assert main(["train", *map(str, common), "--output", str(tmp_path / "one")]) == 0
    one = losses(tmp_path / "one")

    run = tmp_path / "two"
    two = torchrun(2, *common, "--output", run)
    while not (run / "checkpoint.pt").exists():
        assert two.poll() is None, two.communicate()[1][-2000:]
        time.sleep(0.05)
    os.kill(workers_of(two.pid)[-1], signal.SIGKILL)
    two.communicate(timeout=300)
    assert two.returncode != 0
    reached = load_checkpoint(run / "checkpoint.pt").iteration
    assert 0 < reached < ITERATIONS

    rest = torchrun(3, *common, "--output", run, "--resume")
    out, error = rest.communicate(timeout=300)
    assert rest.returncode == 0, error[-2000:]
    assert out.count("The checkpoint is in") == 1  # the first process alone speaks
    resumed_losses = losses(run)
    assert sorted(resumed_losses) == sorted(one) == list(range(1, ITERATIONS + 1))
    for iteration, loss in one.items():
        assert resumed_losses[iteration] == pytest.approx(loss, rel=1e-5), iteration
    whole, resumed = load_checkpoint(tmp_path / "one" / "checkpoint.pt"), load_checkpoint(run / "checkpoint.pt")
    assert whole.iteration == resumed.iteration == ITERATIONS
    assert np.abs(weights(whole) - weights(resumed)).max() < 1e-3
