"""A run tells that it lives: into a log as well as onto a terminal."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from tnca_synth.training.loop.loop import Progress
from tnca_synth.training.loop.progress import ProgressReport, duration


def lines_of(
    monkeypatch: pytest.MonkeyPatch, seconds_each: float, iterations: int, terminal: bool = False
) -> list[str]:
    clock = [100.0]
    monkeypatch.setattr("tnca_synth.training.loop.progress.time.monotonic", lambda: clock[0])
    out = io.StringIO()
    with ProgressReport(Console(file=out, log_path=False, force_terminal=terminal), iterations, 0) as report:
        for i in range(1, iterations + 1):
            clock[0] += seconds_each
            report.step(Progress(i, iterations, {"level_db": 10.0 / i, "total": 1.0}, 0.0))
        report.say("measuring [data] as it is")
    return out.getvalue().splitlines()


def test_a_log_hears_of_the_first_iteration_and_then_every_half_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = lines_of(monkeypatch, 10.0, 12)
    assert [line.partition("iteration ")[2].partition(",")[0] for line in lines[:-1]] == [
        "1 of 12", "4 of 12", "7 of 12", "10 of 12", "12 of 12",
    ]  # fmt: skip
    assert "level_db 10.00" in lines[0]
    assert "10 s each, 80 s left" in lines[1]
    assert lines[-1].endswith(" measuring [data] as it is")


def test_a_terminal_has_a_bar_instead(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "\n".join(lines_of(monkeypatch, 10.0, 12, terminal=True))
    assert "12/12" in text
    assert "iteration 4 of 12" not in text


@pytest.mark.parametrize(("seconds", "text"), [(0.4, "0 s"), (89, "89 s"), (600, "10 min"), (11_100, "3 h 5 min")])
def test_durations_in_words(seconds: float, text: str) -> None:
    assert duration(seconds) == text
