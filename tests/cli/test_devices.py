"""`tnca-synth devices` lists what there is and hints at what is missing, whatever is missing."""

import json
import os
import sys
from typing import Any

import pytest

from tnca_synth.cli import devices, main
from tnca_synth.errors import DeviceError
from tnca_synth.live.audio import device
from tnca_synth.live.audio.output_devices import NO_OUTPUT, OutputDevice
from tnca_synth.midi.ports import backends

SPEAKERS = OutputDevice(3, "Speakers", "ALSA", 44_100, is_default=False, num_channels=1)
SYSTEM = OutputDevice(index=7, name="system", host_api="JACK Audio Connection Kit", sample_rate=48_000, is_default=True)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Hold what the machine has; a test changes it."""
    has: dict[str, Any] = {"inputs": ("Alsa", [(0, "Keystation 49"), (1, "Nano")]), "outputs": [SPEAKERS, SYSTEM]}

    def answer(key: str) -> Any:
        if isinstance(has[key], Exception):
            raise has[key]
        return has[key]

    monkeypatch.setattr(backends, "list_inputs", lambda: answer("inputs"))
    monkeypatch.setattr(device, "list_outputs", lambda: answer("outputs"))
    monkeypatch.setattr(devices, "may_run_in_real_time", lambda: True)
    monkeypatch.setattr(devices, "core_in_words", lambda: "kernel (avx2)")
    monkeypatch.setattr(devices, "SEQUENCER", "/nonexistent")
    monkeypatch.setattr(sys, "platform", "linux")
    return has


def hints(capsys: pytest.CaptureFixture[str]) -> list[str]:
    assert main(["devices", "--json"]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    told: list[str] = json.loads(captured.out)["hints"]
    return told


def test_people_see_tables(machine: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["devices"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "MIDI inputs (Alsa)",
        "NUMBER  NAME",
        "0       Keystation 49",
        "1       Nano",
        "",
        "Audio outputs",
        "NUMBER  NAME      HOST API                   RATE      CHANNELS",
        "3       Speakers  ALSA                       44100 Hz  1",
        "7       system    JACK Audio Connection Kit  48000 Hz  2         default",
        "",
        "Notes are grown by: kernel (avx2)",
    ]


def test_programs_see_json(machine: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["devices", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "midi_system": "Alsa",
        "midi_inputs": [{"number": 0, "name": "Keystation 49"}, {"number": 1, "name": "Nano"}],
        "audio_outputs": [
            {"number": 3, "name": "Speakers", "host_api": "ALSA", "sample_rate": 44100, "channels": 1,
             "is_default": False},
            {
                "number": 7, "name": "system", "host_api": "JACK Audio Connection Kit", "sample_rate": 48000,
                "channels": 2, "is_default": True,
            },
        ],
        "core": "kernel (avx2)",
        "hints": [],
    }  # fmt: skip


def test_a_bare_machine_gets_every_hint(
    machine: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.update(inputs=DeviceError("no MIDI system works here"), outputs=DeviceError(device.NO_PORTAUDIO))
    monkeypatch.setattr(devices, "may_run_in_real_time", lambda: False)
    assert main(["devices"]) == 0
    text = capsys.readouterr().out
    assert text.count("-       none") == 2
    for told in ("no MIDI system works here", "PortAudio is missing", "no permission for real-time priority"):
        assert f"hint: {told}" in text


def test_nothing_plugged_in_is_told(machine: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    machine.update(inputs=("Alsa", []), outputs=[])
    assert hints(capsys) == [devices.NO_MIDI_INPUT, NO_OUTPUT]


def test_without_jack_it_is_recommended_on_linux(
    machine: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    machine["outputs"] = [SPEAKERS]
    assert hints(capsys) == [devices.NO_JACK]
    monkeypatch.setattr(sys, "platform", "darwin")
    assert hints(capsys) == []


def test_a_sequencer_that_is_closed_to_us_is_told(
    machine: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(devices, "core_in_words", lambda: "kernel (avx2)")
    monkeypatch.setattr(devices, "SEQUENCER", __file__)
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert hints(capsys) == [devices.NO_SEQUENCER]


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux")
def test_real_time_is_tried_and_left(monkeypatch: pytest.MonkeyPatch) -> None:
    before = os.sched_getscheduler(0)
    assert devices.may_run_in_real_time() in (True, False)
    assert os.sched_getscheduler(0) == before

    def refuse(*arguments: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "sched_setscheduler", refuse)
    assert not devices.may_run_in_real_time()


def test_what_libraries_print_stays_out(
    machine: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def noisy() -> Any:
        os.write(2, b"ALSA lib confmisc.c: cannot find card '0'\n")
        return machine["inputs"]

    monkeypatch.setattr(backends, "list_inputs", noisy)
    assert main(["devices"]) == 0
    assert capfd.readouterr().err == ""
    os.write(2, b"heard again\n")
    assert capfd.readouterr().err == "heard again\n"


@pytest.mark.parametrize(("core", "start"), [("auto", "kernel ("), ("numpy", "numpy (")])
def test_what_grows_notes_is_told(monkeypatch: pytest.MonkeyPatch, core: str, start: str) -> None:
    monkeypatch.setenv("TNCA_SYNTH_CORE", core)
    assert devices.core_in_words().startswith(start)
