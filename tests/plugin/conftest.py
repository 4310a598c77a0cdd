"""A plugin that is built once, and a home of its own for hosts and engine."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from clap_client import ClapHost

from tnca_synth.bridge.plugin.build import build, find_tools

HERE = Path(__file__).parent
HEADERS = find_tools().headers
ENGINE = f"{sys.executable} -m tnca_synth bridge-engine --detach"


@pytest.fixture(scope="session")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The plugin in its three formats."""
    return build(tmp_path_factory.mktemp("bundles"))


@pytest.fixture(scope="session")
def clap_host(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The host for CLAP, compiled."""
    return compile_clap_host(tmp_path_factory.mktemp("clap-host"), "-DWATCHED")


def compile_clap_host(folder: Path, *options: str) -> Path:
    program = folder / "clap_host"
    command = [
        "gcc",
        "-std=gnu11",
        "-O1",
        "-g",
        *options,
        "-isystem",
        str(HEADERS),
        str(HERE / "clap_host.c"),
        "-rdynamic",
    ]
    subprocess.run([*command, "-o", str(program), "-ldl", "-lm"], check=True)
    return program


@pytest.fixture(scope="module")
def host_environment(tmp_path_factory: pytest.TempPathFactory, bundles: dict[str, Path]) -> dict[str, str]:
    """An environment in which an engine of these tests alone is found or started."""
    home = tmp_path_factory.mktemp("home")
    runtime = home / "run"
    runtime.mkdir(mode=0o700)
    shutil.copytree(bundles["lv2"], home / ".lv2" / bundles["lv2"].name)
    return {
        **os.environ,
        "HOME": str(home),
        "XDG_RUNTIME_DIR": str(runtime),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "XDG_CACHE_HOME": str(home / ".cache"),
        "TNCA_SYNTH_ENGINE": ENGINE,
        "LV2_PATH": f"{home / '.lv2'}:/usr/lib/lv2",
        "QT_QPA_PLATFORM": "offscreen",
    }


@pytest.fixture
def clap(clap_host: Path, bundles: dict[str, Path], host_environment: dict[str, str]) -> Iterator[ClapHost]:
    """The plugin in the CLAP host."""
    host = ClapHost(clap_host, bundles["clap"], host_environment)
    yield host
    status, errors = host.close()
    assert status == 0 and not errors


class Player:
    """Plays jobs in hosts that are Python modules, each in a process of its own."""

    def __init__(self, folder: Path, bundles: dict[str, Path], environment: dict[str, str]) -> None:
        self.folder, self.bundles, self.environment = folder, bundles, environment

    def __call__(
        self, host: str, form: str, events: list[tuple[int, bytes]], num_frames: int, **job: object
    ) -> dict[str, np.ndarray]:
        """Play events (frame, message) and return what the host gave; see `play.py`."""
        job = {"rate": 48_000, "block": 512, **job}
        installed = Path(self.environment["HOME"]) / ".lv2" / self.bundles[form].name  # of two, an LV2 host takes one
        job |= {"plugin": str(installed if installed.exists() else self.bundles[form]), "frames": num_frames}
        job["events"] = [(frame, data.hex()) for frame, data in events]
        job_file, result = self.folder / "job.json", self.folder / "result.npz"
        job_file.write_text(json.dumps(job))
        done = subprocess.run(
            [sys.executable, str(HERE / "play.py"), host, str(job_file), str(result)],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-2000:]
        with np.load(result) as told:
            return dict(told)


@pytest.fixture
def play(tmp_path: Path, bundles: dict[str, Path], host_environment: dict[str, str]) -> Player:
    """Play events in a host."""
    return Player(tmp_path, bundles, host_environment)
