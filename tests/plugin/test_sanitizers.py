"""The plugin built with sanitizers finds nothing to report while hosts play it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from clap_client import ClapHost
from conftest import Player, compile_clap_host

from tnca_synth.bridge.plugin.build import build, find_tools

RATE = 48_000
NOTE_ON, NOTE_OFF = b"\x90\x45\x64", b"\x80\x45\x40"
REPORTS = ("Sanitizer", "runtime error")
OPTIONS = ("-g", "-fno-omit-frame-pointer", "-fno-sanitize-recover=all")
pytestmark = [pytest.mark.device, pytest.mark.slow]


def sanitized(name: str) -> tuple[str, ...]:
    return (f"-fsanitize={name}", *OPTIONS)


def use_everything(host: ClapHost) -> np.ndarray:
    """Let a host do with the plugin what hosts do."""
    host.activate(RATE, 256)  # live: the engine may start meanwhile
    for number in range(50):
        host.midi(number % 256, NOTE_ON)
        host.set("Level", -number % 20, 10 * (number % 25))
        host.process(256)
    host.deactivate()
    host.offline()
    host.activate(RATE, 512)
    host.midi(0, bytes.fromhex("f07f7f04010040f7"))
    host.transport(True, 1.0)
    for frame in range(300):
        host.midi(frame, bytes((0xB0, frame % 120, frame % 128)))
    sound = [host.process(length) for length in (512, 1, 0, 333, 2000)]
    host.reset()
    host.note(0, "on", 3, 60, 0.5)
    host.transport(True, 7.0)
    sound += [host.process(512) for _ in range(20)]
    state = host.save()
    assert host.load(state) and not host.load(b"\xff" * 300)
    host.set("Bypass", 1)
    host.process(512)
    host.set("Bypass", 0)
    host.process(512)
    for row in host.parameters:
        host.number(row[5], host.text(row[5], float(row[3])))
    host.deactivate()
    host.activate(44_100, 64)
    host.process(64)
    return np.concatenate(sound, axis=1)


@pytest.mark.parametrize("name", ["address,undefined", "thread"])
def test_clap(name: str, tmp_path: Path, host_environment: dict[str, str]) -> None:
    options = sanitized(name)
    program = compile_clap_host(tmp_path, *options)
    bundle = build(tmp_path, find_tools(options), ["clap"])["clap"]
    first, second = (ClapHost(program, bundle, host_environment) for _ in range(2))
    assert np.abs(use_everything(first)).max() > 0.001
    second.activate(RATE, 512)
    second.process(512)
    for host in (first, second):
        status, errors = host.close()
        assert status == 0 and not any(one in errors for one in REPORTS), errors


@pytest.mark.parametrize("form", ["vst3", "lv2"])
def test_the_other_formats(form: str, tmp_path: Path, host_environment: dict[str, str]) -> None:
    """Addresses and undefined behaviour; a Python that has a host in it cannot be looked at for threads."""
    bundle = build(tmp_path, find_tools(sanitized("address,undefined")), [form])
    names = ("libasan.so", "libstdc++.so")  # the second, too, else the first finds no exceptions to hand on
    ask = [
        subprocess.run(["gcc", f"-print-file-name={one}"], capture_output=True, text=True, check=True) for one in names
    ]
    environment = {
        **host_environment,
        "LD_PRELOAD": ":".join(one.stdout.strip() for one in ask),
        "ASAN_OPTIONS": "detect_leaks=0",  # Python's own would be told
        "LV2_PATH": f"{tmp_path}:/usr/lib/lv2",
    }
    shutil.rmtree(Path(host_environment["HOME"]) / ".lv2", ignore_errors=True)  # of two, hosts take one
    play = Player(tmp_path, bundle, environment)
    events = [
        (0, b"\xc0\x28"),
        (100, NOTE_ON),
        (9000, NOTE_OFF),
        *((9000 + n, bytes((0xB0, n, n))) for n in range(120)),
    ]
    told = play("minihost", form, events, 24_000, blocks=[1, 512, 64], parameters={"Level": 0.9}, repeat=True)
    assert np.abs(told["audio"]).max() > 0.001
