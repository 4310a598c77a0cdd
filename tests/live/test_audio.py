"""Choosing outputs, and what is said when there is none."""

import subprocess
import sys

import pytest

from tnca_synth.errors import DeviceError
from tnca_synth.live import audio
from tnca_synth.live.output_devices import OutputDevice, find_output

OUTPUTS = [
    OutputDevice(0, "HDA Intel: HDMI", "ALSA", 44100, False),
    OutputDevice(1, "USB Piano", "ALSA", 48000, True),
    OutputDevice(2, "system", "JACK Audio Connection Kit", 96000, False),
]


def test_the_default_a_number_and_a_part_of_a_name():
    assert find_output(None, None, OUTPUTS).index == 1
    assert find_output("0", None, OUTPUTS).index == 0
    assert find_output("hdmi", None, OUTPUTS).index == 0
    assert find_output(None, "jack", OUTPUTS).index == 2


def test_what_is_missing_is_named_with_what_there_is():
    with pytest.raises(DeviceError, match=r"no audio output matches 'tape'; there are: 0: HDA"):
        find_output("tape", None, OUTPUTS)
    with pytest.raises(DeviceError, match="start a JACK server"):
        find_output(None, "JACK", OUTPUTS[:2])
    with pytest.raises(DeviceError, match="there is no audio output"):
        find_output(None, None, [])


def test_a_missing_portaudio_names_the_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(DeviceError, match="pip install sounddevice"):
        audio.list_outputs()


@pytest.mark.parametrize(
    ("reason", "hint"),
    [
        ("Invalid sample rate [PaErrorCode -9997]", "leave out --sample-rate"),
        ("Device unavailable [PaErrorCode -9985]", "another program"),
        ("Permission denied", "group"),
        ("Whatever", ""),
    ],
)
def test_complaints_of_portaudio_come_with_a_hint(reason, hint):
    assert hint in audio._hint(reason)


def test_importing_live_loads_no_device_library():
    code = (
        "import sys, tnca_synth.live.session, tnca_synth.live.engine, tnca_synth.live.jack_probe\n"
        "assert not {'sounddevice', 'rtmixer', 'rtmidi', 'jack', 'torch'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
