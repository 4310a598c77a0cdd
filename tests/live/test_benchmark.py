"""What `bench live` measures, on short runs: that it measures, not how fast."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from tnca_synth.errors import UsageError
from tnca_synth.live.benchmark.benchmark import measure_live
from tnca_synth.live.benchmark.jack_probe import SERVER_VARIABLE
from tnca_synth.live.benchmark.with_device import first_heard
from tnca_synth.live.benchmark.without_device import high_pass
from tnca_synth.live.benchmark.workload import RATE, LiveWorkload

pytestmark = pytest.mark.slow


def test_the_onset_of_each_note_is_found_and_a_missing_one_is_told():
    blocks = [(1000 + 128 * index, np.zeros((128, 2), np.float32)) for index in range(20)]
    blocks[2][1][5:60] = 0.1
    blocks[12][1][0] = -0.1
    heard = first_heard(blocks, [1010, 1600, 2500])
    np.testing.assert_array_equal(heard, [1000 + 2 * 128 + 5, np.nan, 1000 + 12 * 128])


def test_a_click_shows_above_5_khz_and_a_steady_tone_does_not():
    tone = 0.2 * np.sin(2 * np.pi * 440 * np.arange(RATE // 4) / RATE)
    clicked = tone + 0.01 * (np.arange(len(tone)) > len(tone) // 2)
    middle = slice(500, -500)
    assert np.abs(high_pass(tone)[middle]).max() < 1e-4
    assert np.abs(high_pass(clicked)[middle]).max() > 1e-3


def test_an_unknown_figure_is_named():
    with pytest.raises(UsageError, match="unknown figure 'speed'"):
        LiveWorkload(figures=("speed",))


def test_a_flood_of_messages_leaves_no_note():
    result = measure_live(LiveWorkload(figures=("flood",), messages=6000))["flood"]
    assert result["messages"] == 6000
    assert result["is_silent"] and result["model_errors"] == 0


def test_no_change_of_hands_clicks():
    result = measure_live(LiveWorkload(figures=("clicks",)))["clicks"]
    assert {"stealing_dbfs", "instrument_dbfs", "decoder_griffin-lim_dbfs"} <= set(result)
    assert max(result.values()) < -60.0, result


def test_a_storm_passes_and_silence_is_measured():
    figures = ["silent", "storm"]
    command = [sys.executable, "-m", "tnca_synth", "bench", "live", "--json", "--figures", *figures]
    short = ["--silent-seconds", "0.5", "--storm-seconds", "0.5", "--period", "256"]
    environment = {**os.environ, SERVER_VARIABLE: f"tnca-storm-{os.getpid()}"}
    done = subprocess.run([*command, *short], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    live = json.loads(done.stdout)["live"]
    assert 0.0 <= live["silent"]["own_of_one_core"] <= live["silent"]["cpu_of_one_core"]
    storm = live["storm"]
    assert storm["messages"] == 50_000 and storm["left_out"] > 0
    assert storm["normal_after_s"] is not None and storm["voices_allowed"] == 64
    assert storm["note_heard_after_ms"] is not None


def test_the_command_measures_a_session_from_outside():
    figures = ["latency", "held", "switching", "random", "idle"]
    short = [
        "--idle-seconds",
        "0.5",
        "--notes",
        "5",
        "--held-voices",
        "2",
        "--held-minutes",
        "0.01",
        "--minutes",
        "0.01",
        "--period",
        "256",
    ]
    command = [sys.executable, "-m", "tnca_synth", "bench", "live", "--json", *short, "--figures", *figures]
    environment = {**os.environ, SERVER_VARIABLE: f"tnca-bench-{os.getpid()}"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    live = json.loads(done.stdout)["live"]
    assert set(live) == set(figures)
    assert live["latency"]["notes"] == 5 and live["latency"]["reported_ms"] > 0.0
    assert live["held"]["mean_voices"] > 0.0
    assert [step["switches"] for step in live["switching"]["steps"]] == [12, 12, 8, 8]
    assert live["random"]["latency_ms"]
    assert live["idle"]["seconds"] == 0.5 and live["idle"]["late"] == sum(live["idle"]["late_clients"].values())
