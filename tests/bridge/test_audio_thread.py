"""What the client does on a host's audio thread, by tools that see it."""

import json
import subprocess
from pathlib import Path

import pytest
from bridge_client import build_host


def run(program: Path, *words: int) -> dict[str, float]:
    done = subprocess.run([str(program), *map(str, words)], capture_output=True, text=True, timeout=120, check=True)
    assert "WARNING" not in done.stderr, done.stderr
    return json.loads(done.stdout)


def test_it_calls_nothing_but_the_wake_and_takes_little_of_the_period(folder: Path, tmp_path: Path) -> None:
    report = run(build_host(tmp_path), 2, 4, 128, 1)
    assert report["forbidden_calls"] == 0
    assert 0 < report["wakes"] <= report["blocks"]
    assert report["p50_us"] < 0.02 * report["period_us"]
    assert report["peak"] > 0.01


def test_silent_clients_do_not_even_wake(folder: Path, tmp_path: Path) -> None:
    report = run(build_host(tmp_path), 8, 0, 128, 1)
    assert report["blocks"] == 8 * 375
    assert report["forbidden_calls"] == 0 and report["wakes"] <= 8 and report["late_blocks"] == 0


@pytest.mark.slow
@pytest.mark.parametrize("sanitizer", ["thread", "address,undefined"])
def test_sanitizers_find_nothing(folder: Path, tmp_path: Path, sanitizer: str) -> None:
    report = run(build_host(tmp_path, f"-fsanitize={sanitizer}"), 3, 4, 256, 2)
    assert report["peak"] > 0.01
