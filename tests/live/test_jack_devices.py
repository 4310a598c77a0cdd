"""Devices on a real JACK server: ports of any name, outputs of any width, periods and rates of any server."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import jack
import numpy as np
import pytest
from loudspeaker import Loudspeaker

from tnca_synth.live.benchmark.jack_probe import JackServer
from tnca_synth.live.session.session import LiveOptions, LiveSession
from tnca_synth.midi.messages import note_off, note_on
from tnca_synth.midi.ports import jack_server
from tnca_synth.midi.ports.jack_server import jack_period

pytestmark = pytest.mark.device

PERIOD, RATE = 256, 48000
SERVER = f"tnca-devices-{os.getpid()}"
PIPE = subprocess.PIPE

# Another program with MIDI ports. A line of hexadecimal digits is a message.
KEYBOARD = """
import sys, rtmidi
port = rtmidi.MidiOut(rtmidi.API_UNIX_JACK, name="keyboard")
port.open_virtual_port("out")
print("open", flush=True)
for line in sys.stdin:
    port.send_message(list(bytes.fromhex(line)))
"""

# Another program whose name is not UTF-8, with more ports than most: straight through libjack.
BOX = """
import ctypes, ctypes.util, sys
jack = ctypes.CDLL(ctypes.util.find_library("jack"))
jack.jack_client_open.restype = ctypes.c_void_p
jack.jack_port_register.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_ulong]
jack.jack_activate.argtypes = [ctypes.c_void_p]
client = jack.jack_client_open(b"Fl\\xfcgel", 1, None)
for number in range(33):
    jack.jack_port_register(client, b"out %d" % number, b"8 bit raw midi", 2, 0)
jack.jack_activate(client)
print("open", flush=True)
sys.stdin.readline()
"""

# One that looks for MIDI ports, as a player's engine does.
LOOKING = """
import sys
from tnca_synth.midi.ports.backends import find_backend
system = find_backend()
print(system.name, [port.raw for port in system.ports()], flush=True)
for line in sys.stdin:
    print([port.raw for port in system.ports()], flush=True)
"""

# A player's MIDI inputs; a line is five polls.
WAITING = """
import sys
from tnca_synth.midi.ports.inputs import MidiInputs
told = []
inputs = MidiInputs((), print, told.append)
inputs.start()
print(told, flush=True)
for line in sys.stdin:
    for _ in range(5):
        inputs.poll()
    print(inputs.open_names, flush=True)
"""

# In a process of its own: PortAudio ends a process that outlives the JACK server it knew.
OUTPUT = f"""
import sys
import numpy as np
from tnca_synth.live.audio.device import list_outputs, open_output
from tnca_synth.live.audio.output_devices import find_output
device = find_output(sys.argv[1], "jack", list_outputs())
output = open_output(device, {RATE}, {PERIOD})
left, right = np.float32(0.25), np.float32(0.75)
for _ in range(8):
    output.write(np.tile([left, right], ({PERIOD}, 1)).astype(np.float32))
output.keep_playing({8 * PERIOD})
print(device.num_channels, flush=True)
sys.stdin.readline()
output.close()
"""


@pytest.fixture(scope="module")
def server() -> Iterator[JackServer]:
    with JackServer(RATE, PERIOD, SERVER) as running:
        yield running


class Program:
    """A script in a process of its own, which says when it is ready."""

    def __init__(self, script: str, *arguments: str) -> None:
        command = [sys.executable, "-c", script, *arguments]
        self.process = subprocess.Popen(command, stdin=PIPE, stdout=PIPE, stderr=subprocess.DEVNULL, text=True)

    def answer(self, line: str | None = None) -> str:
        assert self.process.stdin is not None and self.process.stdout is not None
        if line is not None:
            self.tell(line)
        return self.process.stdout.readline().strip()

    def tell(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()


def wait_until(is_true: Callable[[], bool], timeout_s: float = 10.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not is_true():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.02)


def test_looking_for_ports_takes_no_part_in_the_periods_of_the_server(server: JackServer) -> None:
    with Program(LOOKING) as looking:
        assert looking.answer().startswith("Jack ")
        time.sleep(0.1)
        before = server.late_clients()
        looking.process.send_signal(signal.SIGSTOP)
        time.sleep(0.3)  # 56 periods in which it could not have taken part
        looking.process.send_signal(signal.SIGCONT)
        late = server.late_clients() - before
        assert not [name for name in late if name.startswith("tnca-synth")], late
        assert looking.answer("again").startswith("[")


def test_the_log_of_the_server_does_tell_who_was_late(server: JackServer) -> None:
    with Program(KEYBOARD) as keyboard:
        assert keyboard.answer() == "open"
        keyboard.process.send_signal(signal.SIGSTOP)
        wait_until(lambda: server.late_clients()["keyboard"] > 3)
        keyboard.process.send_signal(signal.SIGCONT)


def test_ports_of_names_that_are_not_utf_8_are_listed_all_33(server: JackServer) -> None:
    with Program(BOX) as box, Program(LOOKING) as looking:
        assert box.answer() == "open"
        looking.answer()
        names = looking.answer("again")
        assert "'Flügel:out 0'" in names and "'Flügel:out 32'" in names


def test_one_midi_client_and_one_of_audio_both_named_after_the_program(server: JackServer) -> None:
    with Program(BOX) as box, LiveSession(LiveOptions(midi_in=("32",))) as session:
        assert box.answer() == "open"
        assert session.status().midi_ports == ("Flügel:out 32",)
        observer = jack.Client("observer-of-names", no_start_server=True)
        try:
            clients = {port.name.partition(":")[0] for port in observer.get_ports("tnca-synth")}
        finally:
            observer.close()
        assert clients == {"tnca-synth", "tnca-synth-midi"}


def test_a_key_stays_down_while_the_clock_runs_instead_of_active_sensing(server: JackServer) -> None:
    with Program(KEYBOARD) as keyboard:
        assert keyboard.answer() == "open"
        with LiveSession(LiveOptions(midi_in=("keyboard",), instrument="church-organ")) as session:
            for data in (b"\xfe", note_on(0, 60, 100)):
                keyboard.tell(data.hex())
            wait_until(lambda: session.status().voices == 1)
            for _ in range(40):
                keyboard.tell("f8")
                time.sleep(0.02)
            assert session.status().voices == 1
            assert session.status().last_message == "ch 1 note on C4 velocity 100"
            keyboard.tell(note_off(0, 60).hex())
            wait_until(lambda: session.status().last_message == "ch 1 note off C4")
            keyboard.tell("fe")
            keyboard.tell(note_on(0, 64, 100).hex())
            wait_until(lambda: "fell silent" in " ".join(session.status().notices))


@pytest.mark.parametrize(("channels", "expected"), [(1, [0.5]), (2, [0.25, 0.75]), (8, [0.25, 0.75, 0, 0, 0, 0, 0, 0])])
def test_outputs_of_one_two_and_eight_channels(server: JackServer, channels: int, expected: list[float]) -> None:
    with Loudspeaker("speaker", channels) as speaker, Program(OUTPUT, "speaker") as playing:
        assert playing.answer() == str(channels)
        wait_until(lambda: bool(speaker.heard().any()))
        time.sleep(0.1)
        np.testing.assert_allclose(speaker.heard(), expected)


def test_a_mono_output_can_be_played(server: JackServer) -> None:
    with Loudspeaker("speaker", 1) as speaker, LiveSession(LiveOptions(audio_out="speaker")) as session:
        session.send(note_on(0, 60, 100))
        wait_until(lambda: float(speaker.heard()[0]) > 0.01)


@pytest.mark.parametrize(("rate", "period"), [(44100, 1024), (48000, 64)])
def test_a_block_is_a_period_of_the_server_if_nobody_says_otherwise(rate: int, period: int) -> None:
    before = os.environ.get("JACK_DEFAULT_SERVER")
    try:
        with JackServer(rate, period, f"tnca-period-{os.getpid()}"):
            assert jack_period() == period
            with LiveSession(LiveOptions()) as session:
                status = session.status()
                assert (status.block_size, status.sample_rate) == (period, rate)
                session.send(note_on(0, 60, 100))
                wait_until(lambda: session.status().voices == 1)
            if period == 1024:
                with LiveSession(LiveOptions(block_size=128)) as session:
                    assert session.status().block_size == 128
    finally:
        if before is not None:
            os.environ["JACK_DEFAULT_SERVER"] = before


def test_a_server_that_starts_after_us_and_one_that_comes_back_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"tnca-late-{os.getpid()}"
    monkeypatch.setenv("JACK_DEFAULT_SERVER", name)
    with Program(WAITING) as player:
        assert "no MIDI system works here" in player.answer()
        assert player.answer("poll") == "()"
        for _ in range(2):
            with JackServer(RATE, PERIOD, name):
                monkeypatch.setenv("JACK_DEFAULT_SERVER", name)
                assert player.answer("poll") == "('tnca-synth-midi',)"
            monkeypatch.setenv("JACK_DEFAULT_SERVER", name)


def test_without_jack_there_is_no_period(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JACK_DEFAULT_SERVER", "nobody-runs-this")
    assert jack_period() is None
    monkeypatch.setattr(jack_server.ctypes.util, "find_library", lambda name: None)
    jack_server._library.cache_clear()
    try:
        assert jack_period() is None
    finally:
        monkeypatch.undo()
        jack_server._library.cache_clear()
