"""The instrument as a player has it: a real JACK server, a real keyboard process, and an observer outside.

Period 256, short times. Nothing here asserts how fast the machine is.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import soundfile
from own_files import shipped_instrument

from tnca_synth.engine.instrument_files import write_instrument
from tnca_synth.live.benchmark.jack_probe import JackProbe, JackServer, quiet_observation
from tnca_synth.live.session.session import LiveOptions, LiveSession
from tnca_synth.midi.files.song import read_midi_file
from tnca_synth.midi.messages import control_change, note_off, note_on
from tnca_synth.midi.spec.growth_controllers import growth_switch

pytestmark = pytest.mark.device

PERIOD, RATE = 256, 48000
SERVER = f"tnca-test-{os.getpid()}"
AUDIBLE = 1e-3
DRY = (control_change(0, 91, 0), control_change(0, 93, 0))

# Another process with a MIDI port: a line of hexadecimal digits is a message.
KEYBOARD = """
import sys, rtmidi
port = rtmidi.MidiOut(rtmidi.API_UNIX_JACK, name="keyboard")
port.open_virtual_port("out")
print("open", flush=True)
for line in sys.stdin:
    port.send_message(list(bytes.fromhex(line)))
"""


class Keyboard:
    def __init__(self) -> None:
        pipe = subprocess.PIPE
        self.process = subprocess.Popen([sys.executable, "-c", KEYBOARD], stdin=pipe, stdout=pipe, text=True)
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "open\n"

    def play(self, *messages: bytes) -> None:
        assert self.process.stdin is not None
        for data in messages:
            self.process.stdin.write(data.hex() + "\n")
        self.process.stdin.flush()

    def unplug(self) -> None:
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()


@pytest.fixture(scope="module")
def server() -> Iterator[JackServer]:
    with JackServer(RATE, PERIOD, SERVER) as running:
        yield running


@pytest.fixture
def keyboard(server: JackServer) -> Iterator[Keyboard]:
    one = Keyboard()
    yield one
    one.unplug()


@pytest.fixture
def probe(server: JackServer) -> Iterator[JackProbe]:
    with JackProbe(f"observer-{time.monotonic_ns() % 10**6}") as one:
        yield one


def wait_until(is_true: Callable[[], bool], timeout_s: float = 10.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not is_true():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.05)


def loudness(blocks: list) -> float:
    return max((float(np.abs(block).max()) for _, block in blocks), default=0.0)


def largest_step(blocks: list) -> float:
    """Return the largest step between samples; blocks that the observer has missed are left out."""
    frames = np.concatenate([np.arange(start, start + len(block)) for start, block in blocks])
    steps = np.abs(np.diff(np.concatenate([block for _, block in blocks]), axis=0)).max(axis=1)
    return float(steps[np.diff(frames) == 1].max())


def listen(probe: JackProbe, duration_s: float) -> float:
    with probe.capture() as blocks:
        time.sleep(duration_s)
    return loudness(blocks)


def test_a_note_from_another_process_sounds_and_ends(keyboard, probe):
    with LiveSession(LiveOptions(midi_in=("keyboard",), block_size=PERIOD)) as session:
        assert session.status().midi_ports == ("keyboard:out",)
        assert session.instruments and session.decoders and session.representations
        probe.connect_audio()
        assert listen(probe, 0.2) == 0.0
        keyboard.play(*DRY, note_on(0, 60, 100))
        assert listen(probe, 0.5) > 0.01
        assert session.status().voices == 1
        assert session.status().last_message == "ch 1 note on C4 velocity 100"
        keyboard.play(note_off(0, 60))
        wait_until(lambda: session.status().voices == 0)
        session.send(control_change(0, 120, 0))
        time.sleep(0.3)
        assert listen(probe, 0.2) < AUDIBLE


def test_unplugging_the_keyboard_leaves_no_note_and_it_is_found_again(keyboard, probe):
    with LiveSession(LiveOptions(midi_in=("keyboard",), block_size=PERIOD, instrument="church-organ")) as session:
        probe.connect_audio()
        keyboard.play(note_on(0, 60, 100), control_change(0, 64, 127), note_on(0, 67, 100), note_off(0, 67))
        wait_until(lambda: session.status().voices == 2)
        keyboard.unplug()
        wait_until(lambda: session.status().voices == 0)
        assert session.status().midi_ports == ()
        assert "gone" in session.status().notices[-1]
        again = Keyboard()
        wait_until(lambda: session.status().midi_ports == ("keyboard:out",))
        again.play(note_on(0, 60, 100))
        wait_until(lambda: session.status().voices == 1)
        again.unplug()


@pytest.mark.parametrize(("count", "spacing_s"), [(20, 0.125), (6, 0.9)], ids=["playing", "after rests"])
def test_latency_is_what_is_reported_and_constant_within_a_period(probe, count, spacing_s):
    """Also where the synth has been silent for so long that its producer rests."""
    with LiveSession(LiveOptions(block_size=PERIOD)) as session, quiet_observation():
        probe.connect_midi()
        probe.connect_audio()
        for _ in range(3):  # a machine that is busy with other things may spoil one
            latencies_ms = measure_latencies_ms(session, probe, count, spacing_s)
            promised_ms, period_ms = session.status().latency_ms, 1e3 * PERIOD / RATE
            # JACK hands a period's messages over at its beginning: those written late in it wait less.
            in_time = (latencies_ms < promised_ms + 1.0) & (latencies_ms > promised_ms - period_ms - 1.0)
            if in_time.mean() >= 0.75:
                return
        raise AssertionError(latencies_ms)


def measure_latencies_ms(session, probe, count, spacing_s):
    """Return how long dry notes take to be heard, (count,)."""
    for data in (*DRY, control_change(0, 120, 0)):
        session.send(data)
    time.sleep(0.5)
    rng = np.random.default_rng(0)
    written = []
    with probe.capture() as blocks:
        frame = probe.frame + RATE // 10
        for _ in range(count):
            written.append(probe.send(note_on(0, 60, 100), frame + int(rng.integers(PERIOD))))
            probe.send(control_change(0, 120, 0), frame + RATE // 20)
            frame += round(spacing_s * RATE)
        wait_until(lambda: probe.frame > frame)
    frames = np.concatenate([np.arange(start, start + len(block)) for start, block in blocks])
    level = np.abs(np.concatenate([block for _, block in blocks])).max(axis=1)
    onsets = [frames[(frames >= when) & (level > AUDIBLE)][0] for when in written]
    return 1e3 * (np.array(onsets) - written) / RATE


# In a process of its own: PortAudio ends a process that outlives the JACK server it knew.
RING = f"""
import sys, time
import numpy as np
from tnca_synth.live.audio.device import list_outputs, open_output
from tnca_synth.live.audio.output_devices import find_output
output = open_output(find_output(None, "jack", list_outputs()), {RATE}, {PERIOD})
print("open", flush=True)
sys.stdin.readline()
block = np.full(({PERIOD}, 2), 0.25, np.float32)
for _ in range(2):
    output.write(block)
    output.write(block)
    output.keep_playing({2 * PERIOD})
    time.sleep(0.1)
output.keep_playing({2 * PERIOD})
print(output.underruns, output.frames_taken, output.frames_ahead)
output.close()
"""


def test_an_empty_ring_is_silence_is_counted_and_is_primed_anew(server, probe):
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", RING], stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None and process.stdin is not None
        assert process.stdout.readline() == "open\n"
        probe.connect_audio()
        with probe.capture() as blocks:
            process.stdin.write("\n")
            process.stdin.flush()
            assert process.stdout.readline().split() == ["2", str(4 * PERIOD), "0"]
    heard = np.concatenate([block for _, block in blocks])
    assert (heard == 0.25).all(axis=1).sum() == 4 * PERIOD
    assert set(np.unique(heard)) == {0.0, 0.25}


def test_an_interrupted_process_is_counted_and_play_goes_on(probe):
    with LiveSession(LiveOptions(block_size=PERIOD)) as session:
        probe.connect_audio()
        assert session.process_id is not None
        os.kill(session.process_id, signal.SIGSTOP)
        time.sleep(0.3)
        os.kill(session.process_id, signal.SIGCONT)
        wait_until(lambda: session.status().underruns + session.status().xruns > 0)
        session.send(note_on(0, 60, 100))
        assert listen(probe, 0.5) > 0.01


def test_instrument_decoder_learning_and_panic_while_a_note_sounds(server):
    with LiveSession(LiveOptions(block_size=PERIOD)) as session:
        session.send(note_on(0, 60, 100))
        wait_until(lambda: session.status().voices == 1)
        session.select_instrument("Violin")
        wait_until(lambda: session.status().instrument == "violin")
        session.select_decoder("griffin-lim")
        wait_until(lambda: session.status().decoder == "griffin-lim")
        session.learn("volume")
        session.send(control_change(0, 21, 100))
        wait_until(lambda: session.status().learned == (21, "volume"))
        session.send(note_on(0, 64, 100))
        wait_until(lambda: session.status().voices >= 2)
        session.panic()
        wait_until(lambda: session.status().voices == 0)


def test_a_recording_holds_what_was_played_and_its_midi(server, tmp_path):
    path = tmp_path / "take.wav"
    with LiveSession(LiveOptions(block_size=PERIOD, record=path, instrument="trumpet")) as session:
        session.obey_growth_controllers()
        wait_until(lambda: session.status().growth_cc)
        session.send(note_on(0, 60, 100))
        time.sleep(0.5)
        session.send(note_off(0, 60))
        time.sleep(0.3)
        assert not path.exists()
    sound, rate = soundfile.read(path)
    assert rate == RATE and np.abs(sound).max() > 0.01
    played = read_midi_file(tmp_path / "take.mid").messages
    assert growth_switch(True) in [message.data for message in played]
    messages = {message.data[0] & 0xF0: message for message in played}
    onset = int(messages[0x90].time_s * RATE)
    assert np.abs(sound[: onset - 200]).max() == 0.0
    assert np.abs(sound[onset : onset + 2400]).max() > 0.001
    assert messages[0xC0].data[1] == 56


def test_a_lost_server_is_waited_for_and_the_recording_goes_on(server, probe, tmp_path):
    options = LiveOptions(block_size=PERIOD, record=tmp_path / "take.wav")
    with LiveSession(options) as session:
        session.select_instrument("trumpet")
        session.send(note_on(0, 60, 100))
        wait_until(lambda: session.status().voices == 1)
        probe.close()
        server.stop()
        wait_until(lambda: "waiting for it; the recording will go on" in " ".join(session.status().notices))
        assert session.status().voices == 0
        server.start()
        wait_until(lambda: "is back" in " ".join(session.status().notices), 60.0)
        assert session.status().instrument == "trumpet"
        session.send(note_on(0, 64, 100))
        wait_until(lambda: session.status().voices == 1)
    starts = [one.data[1] for one in read_midi_file(tmp_path / "take.mid").messages if one.data[0] == 0x90]
    assert starts == [60, 64]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["take.mid", "take.wav"]
    assert soundfile.info(tmp_path / "take.wav").duration > 0.1


PARENT = f"""
import time
from tnca_synth.live.session.session import LiveOptions, LiveSession
if __name__ == "__main__":
    session = LiveSession(LiveOptions(block_size={PERIOD}))
    session.start()
    print(session.process_id, flush=True)
    time.sleep(60)
"""


def test_the_engine_ends_with_its_player(server, tmp_path):
    script = tmp_path / "player.py"
    script.write_text(PARENT)
    parent = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    engine = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    wait_until(lambda: not is_running(engine))


def is_running(process_id: int) -> bool:
    try:
        with open(f"/proc/{process_id}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_better_instrument_file_is_taken_over_while_it_sounds(keyboard, probe, tmp_path):
    path = tmp_path / "mine.tnca"
    write_instrument(path, shipped_instrument("violin").renamed("mine"))
    options = LiveOptions(midi_in=("keyboard",), block_size=PERIOD, instrument=str(path))
    with LiveSession(options) as session:
        probe.connect_audio()
        assert session.status().instrument == "mine" and "mine" in session.instruments
        keyboard.play(*DRY, note_on(0, 60, 100))
        time.sleep(0.5)
        faults = []
        for name in ("vibraphone", "flute", "violin"):  # a machine that is busy with other things may spoil one
            before = session.status()
            with quiet_observation(), probe.capture() as blocks:
                write_instrument(path, shipped_instrument(name).renamed("mine"))
                wait_until(lambda known=before.notices: session.status().notices != known)
                time.sleep(0.3)
            assert loudness(blocks) > 0.01
            underruns = session.status().underruns - before.underruns
            faults.append((underruns, largest_step(blocks) > 0.5 * loudness(blocks)))
        assert (0, False) in faults, "neither an underrun nor a click in the held note"
        assert session.status().notices[-3:] == 3 * ("mine plays from its new file",)
        path.write_bytes(path.read_bytes()[:5000])
        wait_until(lambda: any("is not played" in line for line in session.status().notices))
        keyboard.play(note_off(0, 60), note_on(0, 72, 100))
        assert listen(probe, 0.5) > 0.01
        assert session.status().model_errors == 0 and session.status().instrument == "mine"
