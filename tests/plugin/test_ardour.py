"""A real workstation: Ardour finds the plugin, plays a region through it, automates it, bounces, and loads it again."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from ardour import GRAIN, PROGRAMS, RATE, environment_for, export, load_session, make_session, play_automation
from reference import engine_sound, song_events

from tnca_synth.bridge.plugin.turtle import FIRST_PARAMETER_PORT

EXAMPLES = Path(__file__).parents[2] / "examples"
SCANNER = PROGRAMS / "ardour-vst3-scanner"
KINDS = {"lv2": ("LV2", "urn:tnca-synth:synth"), "vst3": ("VST3", "544E434153796E748C3B6E1F47D2A905")}
LENGTH = 3 * RATE
LEVEL = 12
"""Index of the parameter."""
NOTES = [
    (0, "c028"),
    (2400, "90456a"),
    (48_000, "804540"),
    (60_000, "903c50"),
    (60_000, "904050"),
    (110_000, "803c40"),
    (110_000, "804040"),
]
pytestmark = [pytest.mark.device, pytest.mark.slow]


@pytest.fixture(scope="module")
def environment(
    tmp_path_factory: pytest.TempPathFactory, bundles: dict[str, Path], host_environment: dict[str, str]
) -> dict[str, str]:
    """A home in which both formats are installed and scanned."""
    home = tmp_path_factory.mktemp("ardour-home")
    made = environment_for(home, host_environment)
    shutil.copytree(bundles["vst3"], home / ".vst3" / bundles["vst3"].name)
    shutil.copytree(bundles["lv2"], home / ".lv2" / bundles["lv2"].name)
    for place in (home / ".vst3").rglob("*"):  # a scan of the same second would count as older
        os.utime(place, (time.time() - 60, time.time() - 60))
    done = subprocess.run(
        [str(SCANNER), "-f", "-v", str(home / ".vst3" / bundles["vst3"].name)],
        env=made,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Found Plugin: TNCA Synth" in done.stdout + done.stderr
    return made


def events_of(rows: list[tuple[int, str]]) -> list[tuple[int, bytes]]:
    return [(frame, bytes.fromhex(data)) for frame, data in rows]


@pytest.mark.parametrize("form", ["lv2", "vst3"])
def test_a_bounce_is_the_same_as_the_engine(form: str, environment: dict[str, str], tmp_path: Path) -> None:
    events = events_of(NOTES[1:] if form == "vst3" else NOTES)  # Ardour keeps program changes from VST3
    latency = make_session(tmp_path, environment, *KINDS[form], events, LENGTH)
    sound = export(tmp_path, environment)
    expected = engine_sound(events, LENGTH)
    assert latency == 256 + RATE // 1000
    np.testing.assert_array_equal(sound, expected)


def test_a_song_with_all_its_channels(environment: dict[str, str], tmp_path: Path) -> None:
    """Ardour keeps no order between controllers of one time, and makes ramps of those that come later.

    So those of the beginning come one after the other, and later ones are left out.
    """
    length = 6 * RATE
    song = song_events(EXAMPLES / "tour.mid", RATE)
    first = [data for frame, data in song if frame == 0 and data[0] & 0xF0 not in (0x80, 0x90)]
    begin = len(first) * GRAIN
    events = [(number * GRAIN, data) for number, data in enumerate(first)]
    events += [
        (begin + round(frame / GRAIN) * GRAIN, data)
        for frame, data in song
        if frame < length - begin and data[0] & 0xF0 in (0x80, 0x90)
    ]
    make_session(tmp_path, environment, *KINDS["lv2"], events, length)
    sound = export(tmp_path, environment)
    same = slice(0, 5 * RATE)  # Ardour leaves out the notes that the end of the region cuts
    np.testing.assert_array_equal(sound[:, same], engine_sound(events, length)[:, same])


@pytest.mark.parametrize("form", ["lv2", "vst3"])
def test_a_session_keeps_what_was_set(form: str, environment: dict[str, str], tmp_path: Path) -> None:
    events = events_of(NOTES[1:])
    quieter = f"print('set', ARDOUR.LuaAPI.set_processor_param(track:nth_plugin(0), {LEVEL}, -12))"

    make_session(tmp_path, environment, *KINDS[form], events, LENGTH, more=quieter)
    told = load_session(tmp_path, environment, f"print('level', ARDOUR.LuaAPI.get_processor_param(processor, {LEVEL}))")
    quiet = export(tmp_path, environment)
    assert "plugin TNCA Synth" in told.replace("\t", " ")
    level = next(line.split()[1] for line in told.splitlines() if line.startswith("level"))
    assert float(level) == pytest.approx(-12, abs=1e-3)
    np.testing.assert_allclose(
        np.abs(quiet).max() / np.abs(engine_sound(events, LENGTH)).max(), 10 ** (-12 / 20), rtol=0.02
    )


def test_automation_is_followed(environment: dict[str, str], tmp_path: Path) -> None:
    """The level falls by 24 dB at one second."""
    events = events_of([(0, "c010"), (50, "903c64"), (143_000, "803c40")])
    more = """
      local al, cl, pd = ARDOUR.LuaAPI.plugin_automation(track:nth_plugin(0), LEVEL)
      cl:add(Temporal.timepos_t(0), 0, false, false)
      cl:add(Temporal.timepos_t(47000), 0, false, false)
      cl:add(Temporal.timepos_t(49000), -24, false, false)
      cl:add(Temporal.timepos_t(144000), -24, false, false)
    """

    make_session(tmp_path, environment, *KINDS["lv2"], events, LENGTH, more=more.replace("LEVEL", str(LEVEL)))
    play_automation(tmp_path, FIRST_PARAMETER_PORT + LEVEL)
    sound = export(tmp_path, environment)
    expected = engine_sound(events, LENGTH)
    np.testing.assert_array_equal(sound[:, :45_000], expected[:, :45_000])
    after = slice(52_000, 140_000)
    ratio = np.sqrt(np.mean(sound[:, after] ** 2) / np.mean(expected[:, after] ** 2))
    assert 20 * np.log10(ratio) == pytest.approx(-24, abs=2.5)  # the reverb rings on
