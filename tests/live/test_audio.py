"""Choosing outputs, and what is said when there is none."""

import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from tnca_synth.errors import DeviceError
from tnca_synth.live.audio import device, output_devices
from tnca_synth.live.audio.device import downmix
from tnca_synth.live.audio.output_devices import OutputDevice, default_block_size, find_output

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


def test_a_whole_name_goes_before_a_part_of_one_and_a_number_is_only_a_number():
    outputs = [OutputDevice(7, "USB Audio #1", "ALSA", 48000, False), OutputDevice(8, "USB Audio", "ALSA", 48000, True)]
    assert find_output("usb audio", None, outputs).index == 8, "so that it is found again when it comes back"
    assert find_output("usb", None, outputs).index == 7
    with pytest.raises(DeviceError, match="no audio output matches '1'"):
        find_output("1", None, outputs)


def test_without_a_default_stereo_goes_before_mono():
    mono = OutputDevice(0, "Headset", "ALSA", 16000, False, num_channels=1)
    stereo = OutputDevice(1, "Speakers", "ALSA", 48000, False)
    assert find_output(None, None, [mono, stereo]) is stereo
    assert find_output(None, None, [mono]) is mono


class FakeSoundDevice:
    """Stands in for the module sounddevice: host APIs and devices as PortAudio lists them."""

    def __init__(self, default: int, api_default: int, *channels: int) -> None:
        self.default = SimpleNamespace(device=(-1, default))
        self.query_hostapis = lambda: [{"name": "ALSA", "default_output_device": api_default}]
        self.query_devices = lambda: [
            {"index": index, "name": f"card {index}", "hostapi": 0, "default_samplerate": 44100.4,
             "max_output_channels": count}
            for index, count in enumerate(channels)
        ]  # fmt: skip


@pytest.mark.parametrize(
    ("default", "api_default", "expected"),
    [(2, 1, 2), (0, 3, 3), (-1, 3, 3), (-1, -1, None), (0, 0, None), (99, -1, None)],
    ids=["the system's", "it has no output", "none", "none at all", "neither has an output", "unknown"],
)
def test_outputs_of_any_width_are_listed_and_a_default_without_output_is_none(
    monkeypatch: pytest.MonkeyPatch, default: int, api_default: int, expected: int | None
) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", FakeSoundDevice(default, api_default, 0, 1, 2, 8))
    outputs = device.list_outputs()
    assert [(one.index, one.num_channels, one.sample_rate) for one in outputs] == [
        (1, 1, 44100), (2, 2, 44100), (3, 8, 44100),
    ]  # fmt: skip
    assert [one.index for one in outputs if one.is_default] == ([] if expected is None else [expected])


def test_mono_is_the_mean_of_both_sides():
    buffer = np.full(8, 9.0, np.float32)
    block = np.array([[1.0, 1.0], [0.5, -0.5], [1.0, 0.0], [-1.0, -1.0]], np.float32)
    mono = downmix(block, buffer)
    np.testing.assert_array_equal(mono, [1.0, 0.0, 0.5, -1.0])
    assert mono.base is buffer and mono.flags.c_contiguous and (buffer[4:] == 9.0).all()


def test_a_device_that_is_no_jack_has_blocks_of_128(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output_devices, "jack_period", lambda: 512)
    assert default_block_size(OUTPUTS[1]) == 128
    assert default_block_size(OUTPUTS[2]) == 512
    for period, block in ((None, 128), (8, 16), (65536, 8192)):
        monkeypatch.setattr(output_devices, "jack_period", lambda period=period: period)
        assert default_block_size(OUTPUTS[2]) == block


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
        device.list_outputs()


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
    assert hint in device._hint(reason)


def test_importing_live_loads_no_device_library():
    code = (
        "import sys, tnca_synth.live.session.session, tnca_synth.live.session.server\n"
        "import tnca_synth.live.benchmark.jack_probe\n"
        "assert not {'sounddevice', 'rtmixer', 'rtmidi', 'jack', 'torch'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
