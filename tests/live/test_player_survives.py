"""The producer under floods, stalls and panics, and at rest: on a clock that the test moves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from tnca_synth.errors import DeviceError
from tnca_synth.live.producer import producer as player_module
from tnca_synth.live.producer.inbox import CAPACITY, MANY, Inbox, thinned
from tnca_synth.live.recording.recorder import Recorder
from tnca_synth.midi.files.song import read_midi_file
from tnca_synth.midi.messages import (
    ALL_NOTES_OFF,
    ALL_SOUND_OFF,
    control_change,
    note_off,
    note_on,
    pitch_bend,
    program_change,
    system_exclusive,
)
from tnca_synth.midi.ports.backends import Arrival

from .test_player import BLOCK, LATENCY, RATE, FakeTime, Stage

BLOCK_S = BLOCK / RATE
ONCE = (64, 66, 67, 84, 96, 97, 100, 101)
"""Pedals, portamento control and steps act on notes when they come; so does the number of MPE's channels."""
GROWTH = (*range(20, 29), *range(102, 107))
"""Controllers of which some do something anew with each message."""


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    return Stage(monkeypatch)


def stall(stage: Stage, at_s: float, duration_s: float, with_device: bool = False) -> None:
    """Let the producer stand still once; with the device, as on a machine that was suspended."""

    def stand_still() -> None:
        next_s, stage.output.next_s = stage.output.next_s, np.inf if with_device else stage.output.next_s
        stage.clock.sleep(duration_s)
        stage.output.next_s = next_s + duration_s if with_device else stage.output.next_s

    stage.clock.events.append((stage.clock.now_s + at_s, lambda: stage.player.do(stand_still)))


@pytest.mark.parametrize("duration_s", [0.03, 0.26, 5.0, 600.0])
@pytest.mark.parametrize("load", [0.1, 0.6])
@pytest.mark.parametrize("with_device", [False, True])
def test_one_stall_takes_no_voices(
    monkeypatch: pytest.MonkeyPatch, duration_s: float, load: float, with_device: bool
) -> None:
    stage = Stage(monkeypatch, slowness_s=load * BLOCK_S)
    stage.synth.active_voices = 40
    stall(stage, 0.5, duration_s, with_device)
    stage.run(duration_s + 2.0)
    assert stage.synth.limits == []
    assert stage.player.meters.limit == 64
    assert stage.player.lost is None


def test_a_process_that_stood_still_while_it_waited_does_not_give_its_device_up(stage: Stage) -> None:
    """After SIGSTOP and SIGCONT the device has stood still as well, and has taken nothing."""
    sleep, begin_s = stage.clock.sleep, stage.clock.now_s
    stopped: list[float] = []

    def sleep_once_for_long(duration_s: float) -> None:
        if not stopped and stage.clock.now_s > begin_s + 0.5:
            stopped.append(stage.output.next_s - stage.clock.now_s)
            stage.output.next_s = np.inf
            sleep(5.0)
            stage.output.next_s = stage.clock.now_s + stopped[0]
        else:
            sleep(duration_s)

    stage.monkeypatch.setattr(player_module, "sleep", sleep_once_for_long)
    stage.run(7.0)
    assert stopped
    assert stage.player.lost is None
    assert stage.output.underruns <= 1


def test_stalls_that_do_not_end_take_voices(stage: Stage) -> None:
    stage.synth.active_voices = 40
    for index in range(100):
        stall(stage, 0.5 + 0.03 * index, 0.028)
    stage.run(4.0)
    assert stage.synth.limits and stage.synth.limits[0] == 32


def test_a_long_block_is_measured_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where blocks are longer than what a single one may count for, a high load is seen all the same."""
    from tnca_synth.live.producer.polyphony_governor import LoadMeter

    meter = LoadMeter()
    for _ in range(20):
        meter.observe(0.17 * 0.95, 0.17)
    assert meter.load == pytest.approx(0.95, abs=0.01)


def test_panic_goes_before_what_waits_and_empties_it(stage: Stage) -> None:
    begin_s = stage.clock.now_s
    for index in range(1000):
        stage.at(0.1, note_on(0, index % 128, 100))
    stage.clock.events.append((begin_s + 0.1, stage.player.panic))
    stage.run(0.2)
    assert stage.synth.panics == 1
    assert stage.synth.sent == []
    assert len(stage.inbox) == 0


def test_panic_is_in_the_recording(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "take.wav", RATE)
    stage = Stage(monkeypatch, recorder=recorder)
    stage.at(0.1, note_on(0, 60, 100))
    stage.clock.events.append((stage.clock.now_s + 0.2, stage.player.panic))
    stage.run(0.3)
    recorder.close()
    messages = read_midi_file(tmp_path / "take.mid").messages
    cuts = [one for one in messages if one.data[0] & 0xF0 == 0xB0 and one.data[1] == ALL_SOUND_OFF]
    assert len(cuts) == 16
    assert 0.18 < cuts[0].time_s < 0.22


def test_a_flood_is_bounded_block_by_block_and_over_when_it_is_over(stage: Stage) -> None:
    """100,000 messages a second: what reaches the synth is bounded, and the first note afterwards is on time."""
    rng = np.random.default_rng(0)
    begin_s = stage.clock.now_s
    for index in range(60_000):
        channel, key, value = (int(one) for one in rng.integers(0, (16, 128, 128)))
        kinds = (note_on(channel, key, 100), note_off(channel, key), control_change(channel, key % 120, value))
        stage.inbox.append(Arrival(begin_s + 0.1 + 1e-5 * index, "port", b""))  # malformed ones count, too
        when_s = begin_s + 0.1 + 1e-5 * index
        data = kinds[int(rng.integers(3))]
        stage.clock.events.append(
            (when_s, lambda when_s=when_s, data=data: stage.inbox.append(Arrival(when_s, "port", data)))
        )
        if index > 3000:
            break
    stage.at(0.3, note_on(0, 60, 77))
    stage.run(0.5)
    assert stage.player.meters.left_out > 2000
    (frame,) = [frame for frame, data in stage.synth.sent if data == note_on(0, 60, 77)]
    heard_s = stage.output.taken_at_s[0] + frame / RATE
    assert heard_s - (begin_s + 0.3) == pytest.approx(stage.player.meters.latency_s, abs=2.5e-4)
    assert sum("more MIDI messages" in line for line in stage.notices) == 1
    assert stage.synth.limits == []


def test_no_voices_are_taken_for_the_work_that_a_flood_makes(stage: Stage) -> None:
    send = stage.synth.send

    def slow(data: bytes, at_frame: int | None = None) -> None:
        stage.clock.sleep(1e-4)
        send(data, at_frame)

    stage.synth.send, stage.synth.active_voices = slow, 20  # type: ignore[method-assign]

    def burst(block: int) -> None:
        for index in range(2 * MANY):
            data = control_change(index % 16, index % 90, block % 128)
            stage.inbox.append(Arrival(stage.clock.now_s, "port", data))

    begin_s = stage.clock.now_s
    for block in range(200):
        stage.clock.events.append((begin_s + 0.1 + block * BLOCK_S, lambda block=block: burst(block)))
    stage.run(4.0)
    assert stage.synth.limits == []
    assert stage.player.meters.load < 0.1


def arrivals(*messages: bytes) -> list[Arrival]:
    return [Arrival(0.001 * index, "port", data) for index, data in enumerate(messages)]


def left(*messages: bytes, starts: int = 64) -> list[bytes]:
    kept = thinned(arrivals(*messages), starts)
    assert [one.time_s for one in kept] == sorted(one.time_s for one in kept)
    return [one.data for one in kept]


def test_of_a_controller_the_last_value_is_left() -> None:
    volume = [control_change(0, 7, value) for value in (1, 2, 3)]
    other = [control_change(1, 7, 9), control_change(0, 10, 8)]
    assert left(volume[0], *other, volume[1], volume[2]) == [*other, volume[2]]
    assert left(pitch_bend(0, 1), pitch_bend(1, 2), pitch_bend(0, 3)) == [pitch_bend(1, 2), pitch_bend(0, 3)]
    assert left(b"\xd0\x01", b"\xa0\x3c\x01", b"\xa0\x3d\x01", b"\xd0\x02", b"\xa0\x3c\x02") == [
        b"\xa0\x3d\x01", b"\xd0\x02", b"\xa0\x3c\x02",
    ]  # fmt: skip


def test_notes_that_end_before_they_sound_are_left_out_and_those_that_sound_are_ended() -> None:
    on, off = note_on(0, 60, 100), note_off(0, 60)
    assert left(on, off) == [off]
    assert left(off, on) == [off, on]
    assert left(on, off, on) == [off, on]
    assert left(on, off, on, off) == [off]
    assert left(on, b"\x90\x3c\x00") == [b"\x90\x3c\x00"], "velocity 0 ends a note"
    assert left(on, note_off(0, 61), note_off(1, 60)) == [on, note_off(0, 61), note_off(1, 60)]


@pytest.mark.parametrize("number", [ALL_SOUND_OFF, ALL_NOTES_OFF])
def test_what_ends_all_notes_of_a_channel_goes_before_them(number: int) -> None:
    end = control_change(0, number, 0)
    other = note_on(1, 60, 100)
    assert left(note_on(0, 60, 100), other, note_on(0, 61, 100), end, note_on(0, 62, 100)) == [
        other, end, note_on(0, 62, 100),
    ]  # fmt: skip


def test_only_as_many_notes_begin_as_may_sound_and_they_are_the_newest() -> None:
    notes = [note_on(0, key, 100) for key in range(100)]
    assert left(*notes, starts=4) == notes[-4:]


def test_what_means_something_by_its_order_keeps_it() -> None:
    bend_range = [control_change(0, number, value) for number, value in ((101, 0), (100, 0), (6, 12))]
    tuning = [control_change(0, number, value) for number, value in ((101, 0), (100, 1), (6, 70))]
    assert left(*bend_range, *tuning) == [*bend_range, *tuning]
    banks = [control_change(0, 0, 1), program_change(0, 5), control_change(0, 0, 2), program_change(0, 6)]
    assert left(*banks) == banks
    assert left(program_change(0, 5), program_change(0, 6)) == [program_change(0, 6)]
    assert left(bend_range[2], control_change(0, 6, 13)) == [control_change(0, 6, 13)]
    steps = [control_change(0, 96, 0)] * 3
    assert left(*steps) == steps
    first, second = system_exclusive(b"\x7e\x7f\x09\x01"), system_exclusive(b"\x7e\x7f\x09\x02")
    assert left(first, first, second, first) == [first, second, first]


def test_what_is_left_of_any_flood_is_bounded() -> None:
    rng = np.random.default_rng(1)
    messages = []
    for _ in range(50_000):
        status = int(rng.integers(0x80, 0x100))
        messages.append(bytes((status, *rng.integers(0, 128, 1 if status & 0xE0 == 0xC0 else 2).tolist())))
        messages.append(system_exclusive(bytes(rng.integers(0, 128, 6).tolist())))
        messages.append(rng.bytes(int(rng.integers(0, 5))))
    # One message for each controller, key and wheel of 16 channels, 64 notes, and what has an order.
    most = 16 * (128 + 128 + 128 + 2) + 64 + 128
    kept = left(*messages)
    assert len(kept) <= most
    again = left(*kept)
    assert again == kept, "what is left is not thinned further"


def test_a_thinned_flood_leads_to_the_same_channels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Controllers, programs, parameters and held keys are those that all messages would have led to."""
    from tnca_synth.midi.state.interpreter import Interpreter

    rng = np.random.default_rng(2)
    messages, held = [], set()
    for _ in range(5000):
        channel, number, value = (int(one) for one in rng.integers(0, (4, 128, 128)))
        kind = rng.random()
        if kind < 0.3:
            held ^= {(channel, number)}
            messages.append((note_on if (channel, number) in held else note_off)(channel, number, max(value, 1)))
        elif kind < 0.8:
            number = 7 if number >= 120 or number in (*ONCE, *GROWTH) else number
            messages.append(control_change(channel, number, value if number else value % 100))  # no bank of drums
        elif kind < 0.9:
            messages.append(pitch_bend(channel, 10 * value))
        else:
            messages.append(program_change(channel, value))
    # What has an order is too much for one block here: let it all through.
    monkeypatch.setattr("tnca_synth.live.producer.inbox.MOST_ORDERED", 10**6)
    states = []
    for sequence in (messages, left(*messages, starts=10**6)):
        interpreter = Interpreter()
        for data in sequence:
            interpreter.handle(data)
        states.append(
            [(one.controllers, one.bend, one.program, one.bank, one.is_drums, interpreter.expression(one.index))
             for one in interpreter.channels]
        )  # fmt: skip
        states.append(interpreter.num_held_notes)
    assert states[:2] == states[2:]


def test_an_inbox_that_overflows_begins_with_the_end_of_all_notes() -> None:
    inbox = Inbox(capacity=100)
    for index in range(250):
        inbox.append(Arrival(0.1 * index, "port", note_on(0, index % 128, 100)))
    taken = inbox.take()
    assert [one.data for one in taken[:16]] == [control_change(channel, ALL_NOTES_OFF, 0) for channel in range(16)]
    assert [one.data[1] for one in taken[16:]] == [index % 128 for index in range(150, 250)]
    assert inbox.take() == []
    assert CAPACITY > 100_000


def test_what_has_waited_too_long_is_thinned_though_it_is_little(stage: Stage) -> None:
    """Keys struck and let go while a machine was suspended are not struck afterwards."""
    stall(stage, 0.2, 0.8)
    for index in range(10):
        stage.at(0.21 + 0.01 * index, note_on(0, 60 + index, 100))
        stage.at(0.215 + 0.01 * index, note_off(0, 60 + index))
    stage.at(0.5, note_on(0, 90, 100))
    stage.run(1.5)
    starts = [data[1] for _, data in stage.synth.sent if data[0] == 0x90]
    assert starts == [90]


def test_a_model_that_fails_is_told_but_not_at_every_note(stage: Stage) -> None:
    def fail() -> None:
        stage.synth.model_errors += 1
        stage.synth.model_failure = "raised ValueError for a note"

    for moment in (*np.arange(0.1, 1.1, 0.01).tolist(), 3.0):
        stage.clock.events.append((stage.clock.now_s + moment, lambda: fail()))
    stage.run(4.0)
    assert stage.player.meters.model_errors == 101
    assert 2 <= len(stage.notices) <= 4
    assert stage.notices[0] == "a model raised ValueError for a note"
    assert stage.notices[1].endswith("notes)")


def rests(stage: Stage, from_s: float = 0.0) -> None:
    """Let the synth be idle but for what is sent, which sounds at once and for a block."""
    synth, render = stage.synth, stage.synth.render

    def silent(num_frames: int) -> np.ndarray:
        block = render(num_frames)
        due = [frame for frame, _ in synth.sent if frame is not None and frame < synth.frame]
        out = np.zeros_like(block)
        for frame in due:
            if frame >= synth.frame - num_frames:
                out[frame - (synth.frame - num_frames) :] = 1.0
        synth.idle = len(due) == len(synth.sent)
        return out

    synth.render, synth.idle = silent, True  # type: ignore[method-assign]


def onsets_s(stage: Stage) -> list[float]:
    """Return the moments at which something begins to be heard."""
    begins = []
    for block, when_s in zip(stage.output.heard, stage.output.taken_at_s, strict=True):
        loud = np.flatnonzero(block[:, 0] > 0.5)
        if loud.size and loud[0]:
            begins.append(when_s + loud[0] / RATE)
    return begins


def test_a_silent_synth_costs_few_looks_and_is_heard_on_time(stage: Stage) -> None:
    rests(stage)
    begin_s = stage.clock.now_s
    moments = [0.3, 1.9013, 3.0507, 4.5, 60.123]
    for moment in moments:
        stage.at(moment, note_on(0, 60, 100))
    stage.run(62.0)
    heard = np.array(onsets_s(stage))
    latencies = heard - (begin_s + np.array(moments))
    assert np.ptp(latencies) < 2.5e-4
    assert np.abs(latencies - stage.player.meters.latency_s).max() < 2.5e-4
    assert len(stage.synth.rendered_at_s) < 5 * 1.3 * RATE / BLOCK, "it renders for a moment after each note only"
    assert stage.inbox.waits < 8 * 62
    assert stage.output.underruns == 0
    assert stage.player.meters.late_messages == 0


@pytest.mark.parametrize("behind_s", [-2e-5, 2e-5, 2e-4])
def test_what_comes_with_a_period_ends_a_rest_on_time(monkeypatch: pytest.MonkeyPatch, behind_s: float) -> None:
    """Whether the period's block was taken before the message came, or after it."""
    stage = Stage(monkeypatch, in_step=True)
    rests(stage)
    begin_s = stage.output.next_s
    moments = [begin_s + BLOCK / RATE * period for period in (113, 709, 1153, 22_000)]
    for moment in moments:
        stage.at(moment + behind_s - stage.clock.now_s, note_on(0, 60, 100))
    stage.run(62.0)
    latencies = np.array(onsets_s(stage)) - np.array(moments)
    np.testing.assert_allclose(latencies, stage.player.meters.latency_s, atol=2.5e-4)
    assert stage.output.underruns == 0
    assert stage.player.meters.late_messages == 0


def test_voices_come_back_while_nothing_sounds(stage: Stage) -> None:
    rests(stage)
    stage.synth.active_voices = 20
    for index in range(40):
        stall(stage, 0.1 + 0.03 * index, 0.029)
    stage.clock.events.append((stage.clock.now_s + 1.5, lambda: setattr(stage.synth, "active_voices", 0)))
    stage.run(60.0)
    assert min(stage.synth.limits) < 20
    assert stage.synth.limits[-1] == 64
    assert len(stage.synth.rendered_at_s) < 10.0 * RATE / BLOCK


def test_rest_ends_for_tasks_panic_and_the_end(stage: Stage) -> None:
    rests(stage)
    done: list[float] = []
    begin_s = stage.clock.now_s
    stage.clock.events.append((begin_s + 5.0, lambda: stage.player.do(lambda: done.append(stage.clock.now_s))))
    stage.clock.events.append((begin_s + 8.0, stage.player.panic))
    stage.run(11.0)
    assert done[0] - begin_s == pytest.approx(5.0, abs=0.01)
    assert stage.synth.panics == 1
    assert stage.clock.now_s - begin_s < 11.1
    assert stage.output.frames_ahead == 0


def test_silence_at_rest_is_recorded_as_long_as_it_lasts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "take.wav", RATE)
    stage = Stage(monkeypatch, recorder=recorder)
    rests(stage)
    for moment in (0.2, 3.1, 7.7):
        stage.at(moment, note_on(0, 60, 100))
    stage.run(9.0)
    recorder.close()
    heard = np.concatenate(stage.output.heard)
    sound = soundfile.read(tmp_path / "take.wav", dtype="float32")[0]
    assert len(sound) == len(heard)
    np.testing.assert_allclose(sound, heard, atol=2**-22)
    struck = [round(one.time_s * RATE) for one in read_midi_file(tmp_path / "take.mid").messages]
    onset = (np.flatnonzero(np.diff(sound[:, 0]) > 0.5) + 1).tolist()
    assert struck == onset


def test_a_device_that_stops_while_nothing_sounds_is_lost(stage: Stage) -> None:
    rests(stage)
    stage.clock.events.append((stage.clock.now_s + 5.0, stage.output.close))
    stage.run(60.0)
    assert isinstance(stage.player.lost, DeviceError)
    assert stage.clock.now_s < 120.0


def test_a_stall_at_rest_is_an_underrun_and_no_more(stage: Stage) -> None:
    rests(stage)
    begin_s = stage.clock.now_s
    wait = stage.inbox.wait

    def stalled(timeout_s: float) -> None:
        if begin_s + 2.0 < stage.clock.now_s < begin_s + 3.0:
            stage.clock.sleep(1.5)
        wait(timeout_s)

    stage.inbox.wait = stalled  # type: ignore[method-assign]
    stage.at(6.0003, note_on(0, 60, 100))
    stage.run(8.0)
    assert stage.output.underruns == 1
    (heard,) = onsets_s(stage)
    assert heard - (begin_s + 6.0003) == pytest.approx(stage.player.meters.latency_s, abs=2.5e-4)
    assert stage.synth.limits == []


def test_latency_is_what_it_was_where_the_system_clock_and_the_device_drift_apart(stage: Stage) -> None:
    """300 ppm for 20 s of rest: the clock is looked after meanwhile."""
    rests(stage)
    begin_s = stage.clock.now_s
    take = stage.output.take

    def late() -> None:
        take()
        stage.output.next_s += 3e-4 * BLOCK_S

    stage.output.take = late  # type: ignore[method-assign]
    stage.at(20.0002, note_on(0, 60, 100))
    stage.run(21.0)
    (heard,) = onsets_s(stage)
    assert heard - (begin_s + 20.0002) == pytest.approx(stage.player.meters.latency_s, abs=5e-4)
    assert LATENCY and isinstance(stage.clock, FakeTime)


def test_a_fault_that_was_not_foreseen_ends_the_run_with_its_name(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another engine is started then."""
    monkeypatch.delenv("TNCA_DEBUG", raising=False)

    def fail(num_frames: int) -> np.ndarray:
        raise IndexError("out of range\nsecond line")

    stage.clock.events.append((stage.clock.now_s + 0.1, lambda: setattr(stage.synth, "render", fail)))
    stage.run(1.0)
    assert stage.player.failed == "IndexError: out of range"
    assert stage.player.lost is None
