"""jalv hosts the LV2 plugin live, under a JACK server: a note sounds as late as the plugin says."""

from __future__ import annotations

import os
import signal
import subprocess
import time

import numpy as np
import pytest

from tnca_synth.live.benchmark.jack_probe import JackProbe, JackServer

pytestmark = pytest.mark.device

PERIOD, RATE = 1024, 48_000
LATENCY = PERIOD + RATE // 1000


def test_a_note_sounds_after_the_latency(host_environment: dict[str, str]) -> None:
    with JackServer(RATE, PERIOD, f"tnca-plugin-{os.getpid()}"), JackProbe() as probe:
        environment = {**host_environment, "JACK_DEFAULT_SERVER": os.environ["JACK_DEFAULT_SERVER"]}
        command = ["jalv", "-p", "-n", "tnca-jalv", "urn:tnca-synth:synth"]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        with subprocess.Popen(command, env=environment, text=True, **pipes) as host:
            try:
                onset = onset_of_a_note(probe)
            finally:
                host.send_signal(signal.SIGINT)
            printed = host.communicate(timeout=30)[0]
    assert "Block length: 1024 frames" in printed and "enabled = 1" in printed
    # What jalv gives in one period is heard by the probe in the same or the next.
    assert LATENCY - 8 <= onset <= LATENCY + PERIOD


def onset_of_a_note(probe: JackProbe) -> int:
    """Wait for the plugin and its engine, press a key, and return how many frames later it sounds."""
    probe.connect_midi("tnca-jalv")
    probe.connect_audio("tnca-jalv")
    time.sleep(5)
    with probe.capture() as blocks:
        pressed = probe.frame + 8 * PERIOD
        probe.send(b"\xc0\x00", pressed - 10)
        probe.send(b"\x90\x45\x64", pressed)
        time.sleep(1.5)
    sound = np.concatenate([block for _, block in blocks])
    return blocks[0][0] + int(np.argmax(np.abs(sound).max(axis=1) > 1e-6)) - pressed
