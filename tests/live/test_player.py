"""The producer, against an output and a synth made of numbers, on a clock that the test moves."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from tnca_synth.errors import DeviceError
from tnca_synth.live.producer import feed as feed_module
from tnca_synth.live.producer import producer as player_module
from tnca_synth.live.producer.channel_memory import ChannelMemory
from tnca_synth.live.producer.inbox import Inbox
from tnca_synth.live.producer.midi_learn import MidiLearnMap
from tnca_synth.live.producer.producer import Producer
from tnca_synth.live.recording.recorder import Recorder
from tnca_synth.midi.messages import note_off, note_on
from tnca_synth.midi.ports.backends import Arrival

RATE, BLOCK, LATENCY = 48000, 128, 100


class FakeSynth:
    """Renders the numbers of its frames; a render takes `slowness_s` of the fake clock."""

    def __init__(self, clock: FakeTime, slowness_s: float = 0.0) -> None:
        self.sample_rate, self.max_voices, self.latency_frames = RATE, 64, LATENCY
        self.frame, self.active_voices = 0, 0
        self.idle, self.panics = False, 0
        self.model_errors, self.model_failure = 0, ""
        self.sent: list[tuple[int | None, bytes]] = []
        self.limits: list[int] = []
        self.rendered_at_s: list[float] = []
        self.prepared: list[tuple[int, int]] = []
        self.slowness_s = slowness_s
        self._clock = clock

    def send(self, data: bytes, at_frame: int | None = None) -> None:
        self.sent.append((at_frame, data))

    def render(self, num_frames: int) -> np.ndarray:
        self.rendered_at_s.append(self._clock.now_s)
        self._clock.sleep(self.slowness_s)
        frames = np.arange(self.frame, self.frame + num_frames, dtype=np.float32)
        self.frame += num_frames
        return np.stack((frames, frames), axis=1)

    def grow_ahead(self, num_frames: int) -> None:
        self.prepared.append((self.frame, num_frames))

    def limit_voices(self, limit: int) -> None:
        self.limits.append(limit)
        self.active_voices = min(self.active_voices, limit)

    def panic(self) -> None:
        self.active_voices = 0
        self.panics += 1


class FakeTime:
    """Time that passes only in `sleep`; the device takes a block whenever a period is over."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.devices: list[FakeOutput] = []
        self.events: list[tuple[float, object]] = []

    def __call__(self) -> float:
        return self.now_s

    def sleep(self, duration_s: float) -> None:
        until_s = self.now_s + duration_s
        while True:
            due = [(device.next_s, device.take) for device in self.devices] + self.events
            due = [one for one in due if one[0] <= until_s]
            if not due:
                break
            when_s, action = min(due, key=lambda one: one[0])
            self.now_s = max(self.now_s, when_s)
            self.events = [one for one in self.events if one[1] is not action]
            action()
        self.now_s = until_s


class FakeOutput:
    def __init__(self, clock: FakeTime, in_step: bool = False) -> None:
        self.device, self.sample_rate, self.block_size = "fake", RATE, BLOCK
        self.latency_s, self.in_step_with_midi = 0.0, in_step
        self.underruns = self.xruns = self.frames_taken = 0
        self.is_running = True
        self.heard: list[np.ndarray] = []
        self.taken_at_s: list[float] = []
        self.burst = 1  # callbacks in a row
        self.next_s = clock.now_s + BLOCK / RATE
        self._ring: list[np.ndarray] = []
        self._is_reading = False
        self._clock = clock
        clock.devices.append(self)

    @property
    def frames_ahead(self) -> int:
        return BLOCK * len(self._ring)

    @property
    def frames_written(self) -> int:
        return self.frames_taken + self.frames_ahead

    def write(self, block: np.ndarray) -> None:
        self._ring += [block[start : start + BLOCK] for start in range(0, len(block), BLOCK)]

    def take_back(self, frames_kept: int) -> None:
        assert not any(block.any() for block in self._ring[frames_kept // BLOCK :]), "only silence is taken back"
        del self._ring[frames_kept // BLOCK :]

    def keep_playing(self, frames_needed: int) -> None:
        self._is_reading = self._is_reading or self.frames_ahead >= frames_needed

    def take(self) -> None:
        self.next_s += self.burst * BLOCK / RATE
        for _ in range(self.burst):
            self._take_one()

    def _take_one(self) -> None:
        if not self.is_running:
            self.next_s = np.inf
        elif self._is_reading and self._ring:
            self.frames_taken += BLOCK
            self.taken_at_s.append(self._clock.now_s)
            self.heard.append(self._ring.pop(0))
        elif self._is_reading:
            self.underruns += 1
            self._is_reading = False

    def close(self) -> None:
        self.is_running = False


class PunctualOutput(FakeOutput):
    """An output that takes a block just after the producer has looked into the ring so many times in one moment."""

    looks = 1

    def __init__(self, clock: FakeTime, in_step: bool = False) -> None:
        super().__init__(clock, in_step)
        self._moment_s, self._looks = 0.0, 0

    @property
    def frames_ahead(self) -> int:
        ahead = super().frames_ahead
        self._looks = self._looks + 1 if self._clock.now_s == self._moment_s else 1
        self._moment_s = self._clock.now_s
        if self._looks == self.looks and 0.0 < self.next_s - self._clock.now_s < 3e-4:
            self._clock.sleep(self.next_s - self._clock.now_s)
        return ahead


class FakeInbox(Inbox):
    """Waits on the fake clock."""

    def __init__(self, clock: FakeTime) -> None:
        super().__init__()
        self._clock = clock
        self.waits = 0

    def wait(self, timeout_s: float) -> None:
        self.waits += 1
        until_s = self._clock.now_s + timeout_s
        while not self.arrived.is_set() and self._clock.now_s < until_s - 1e-9:
            self._clock.sleep(min(1e-4, until_s - self._clock.now_s))


class Stage:
    """A player on a fake clock, with what it needs."""

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        in_step: bool = False,
        slowness_s: float = 0.0,
        output: type[FakeOutput] = FakeOutput,
        recorder: Recorder | None = None,
    ) -> None:
        self.clock, self.monkeypatch = FakeTime(), monkeypatch
        monkeypatch.setattr(player_module, "perf_counter", self.clock)
        monkeypatch.setattr(feed_module, "perf_counter", self.clock)
        monkeypatch.setattr(player_module, "sleep", self.clock.sleep)
        monkeypatch.setattr(player_module, "promote_thread", lambda priority: False)
        self.synth = FakeSynth(self.clock, slowness_s)
        self.output = output(self.clock, in_step)
        self.inbox, self.memory = FakeInbox(self.clock), ChannelMemory()
        self.notices: list[str] = []
        self.player = Producer(
            self.synth, self.output, self.inbox, MidiLearnMap(), self.memory, self.notices.append, recorder
        )  # fmt: skip

    def at(self, time_s: float, data: bytes) -> None:
        """Let a message arrive."""
        when_s = self.clock.now_s + time_s
        self.clock.events.append((when_s, lambda: self.inbox.append(Arrival(when_s, "port", data))))

    def run(self, duration_s: float) -> None:
        self.clock.events.append((self.clock.now_s + duration_s, self.player.stop))
        self.player.run()

    def latencies(self, arrivals_s: list[float]) -> np.ndarray:
        """Return the seconds from arrival to sound of the messages sent, given when each arrived."""
        begin_s = self.output.taken_at_s[0]
        return np.array(
            [begin_s + frame / RATE - when for (frame, _), when in zip(self.synth.sent, arrivals_s, strict=True)]
        )


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    return Stage(monkeypatch)


def test_every_frame_is_heard_once_and_in_order(stage: Stage) -> None:
    stage.run(0.2)
    heard = np.concatenate(stage.output.heard)[:, 0]
    steady = heard[: -8 * BLOCK]  # the rest fades out
    np.testing.assert_array_equal(steady, np.arange(len(steady)))
    assert stage.output.underruns == 0


def test_latency_is_constant_wherever_a_note_falls_between_blocks(stage: Stage) -> None:
    moments = [0.05 + 0.0137 * index for index in range(50)]
    begin = stage.clock.now_s
    for moment in moments:
        stage.at(moment, note_on(0, 60, 100))
    stage.run(1.0)
    latencies = stage.latencies([begin + moment for moment in moments])
    assert np.ptp(latencies) < 2.5e-4
    assert np.abs(latencies - stage.player.meters.latency_s).max() < 2.5e-4
    assert stage.player.meters.late_messages == 0


def test_latency_is_constant_while_the_producer_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(monkeypatch, slowness_s=0.7 * BLOCK / RATE)
    moments = [0.05 + 0.0137 * index for index in range(50)]
    begin = stage.clock.now_s
    for moment in moments:
        stage.at(moment, note_on(0, 60, 100))
    stage.run(1.0)
    assert np.ptp(stage.latencies([begin + moment for moment in moments])) < 2.5e-4
    assert stage.output.underruns == 0


@pytest.mark.parametrize("looks", range(1, 6))
def test_a_callback_just_after_looking_for_room_is_not_missed(monkeypatch: pytest.MonkeyPatch, looks: int) -> None:
    """The room it makes shows only at the next look, which must not be a period away."""
    monkeypatch.setattr(PunctualOutput, "looks", looks)
    stage = Stage(monkeypatch, slowness_s=0.3 * BLOCK / RATE, output=PunctualOutput)
    stage.run(0.5)
    assert stage.output.underruns == 0
    waits = np.diff(stage.synth.rendered_at_s[4:-8])
    assert waits.max() < 1.2 * BLOCK / RATE


def test_messages_that_come_with_a_period_keep_a_shorter_latency(monkeypatch: pytest.MonkeyPatch) -> None:
    """JACK hands MIDI over when a period begins, a little sooner or later by the length of its way."""
    stage = Stage(monkeypatch, in_step=True)
    period = BLOCK / RATE
    moments = [(20 + 7 * index) * period + 0.0001 * (index % 5) for index in range(40)]
    begin = stage.clock.now_s
    for moment in moments:
        stage.at(moment, note_on(0, 60, 100))
    stage.run(1.0)
    starts = [begin + period * round(moment / period - 0.2) for moment in moments]
    latencies = stage.latencies(starts)
    assert np.ptp(latencies) < 2.5e-4
    assert stage.player.meters.latency_s == pytest.approx((2 * BLOCK + LATENCY) / RATE)
    assert stage.player.meters.late_messages == 0


def test_the_next_block_is_prepared_while_the_ring_is_full_and_only_then(stage: Stage) -> None:
    begin = stage.clock.now_s
    stage.clock.events.append((begin + 0.1, lambda: setattr(stage.synth, "slowness_s", 1.3 * BLOCK / RATE)))
    stage.clock.events.append((begin + 0.11, lambda: setattr(stage.synth, "slowness_s", 0.0)))
    stage.run(0.3)
    assert {frames for _, frames in stage.synth.prepared} == {BLOCK}
    at = [frame for frame, _ in stage.synth.prepared]
    skipped = np.flatnonzero(np.diff(at) > BLOCK)
    assert 0.6 * len(stage.output.heard) < len(at) < len(stage.output.heard)
    assert np.all(np.abs(np.array(at)[skipped] - 0.1 * RATE) < 0.03 * RATE), "skipped while there was time"


def test_an_underrun_is_counted_and_latency_is_what_it_was(stage: Stage) -> None:
    begin = stage.clock.now_s
    stage.player.do(lambda: None)
    stage.clock.events.append((begin + 0.1, lambda: stage.player.do(lambda: stage.clock.sleep(0.03))))
    moments = [0.5 + 0.0137 * index for index in range(20)]
    for moment in moments:
        stage.at(moment, note_on(0, 60, 100))
    stage.run(1.0)
    assert stage.player.meters.underruns == 1
    sent = [frame for frame, _ in stage.synth.sent]
    heard_at = {int(block[0, 0]): when for block, when in zip(stage.output.heard, stage.output.taken_at_s, strict=True)}
    latencies = [
        heard_at[frame // BLOCK * BLOCK] + frame % BLOCK / RATE - (begin + moment)
        for frame, moment in zip(sent, moments, strict=True)
    ]
    assert np.abs(np.array(latencies) - stage.player.meters.latency_s).max() < 5e-4


def test_a_note_that_begins_and_ends_within_a_block_is_sent_whole(stage: Stage) -> None:
    stage.at(0.1, note_on(0, 60, 100))
    stage.at(0.1002, note_off(0, 60))
    stage.run(0.2)
    (first, on), (second, off) = stage.synth.sent
    assert on[0] == 0x90 and off[0] == 0x80
    assert 0 < second - first < 20


class Tape:
    """What a recorder is given."""

    def __init__(self) -> None:
        self.blocks: list[np.ndarray] = []
        self.messages: list[tuple[int, bytes]] = []

    def block(self, block: np.ndarray) -> None:
        self.blocks.append(block.copy())

    def message(self, frame: int, data: bytes) -> None:
        self.messages.append((frame, data))


def test_takes_begun_while_playing_count_their_messages_from_their_own_first_block(stage: Stage) -> None:
    tapes = Tape(), Tape()
    for begin_s, tape in zip((0.1, 0.3), tapes, strict=True):
        swap = partial(stage.player.record_with, tape)
        stage.clock.events.append((stage.clock.now_s + begin_s, partial(stage.player.do, swap)))
        stage.at(begin_s + 0.05, note_on(0, 60, 100))
        stage.at(begin_s + 0.1, note_off(0, 60))
    stage.run(0.5)
    sent = [frame for frame, _ in stage.synth.sent]
    for tape, frames in zip(tapes, (sent[:2], sent[2:]), strict=True):
        first = int(tape.blocks[0][0, 0])  # this synth renders the numbers of its frames
        assert first > 0.05 * RATE
        assert [frame for frame, _ in tape.messages] == [frame - first for frame in frames if frame is not None]


def test_high_load_takes_voices_and_calm_gives_them_back(stage: Stage) -> None:
    stage.synth.active_voices = 40
    stage.synth.slowness_s = 0.95 * BLOCK / RATE
    stage.clock.events.append((stage.clock.now_s + 2.0, lambda: setattr(stage.synth, "slowness_s", 0.0)))
    stage.run(30.0)
    assert stage.synth.limits[0] == 32
    assert stage.synth.limits[-1] == 64
    assert "high load" in stage.notices[0] and stage.notices[-1] == "full polyphony again"


def test_a_device_that_stands_still_ends_the_run_with_its_name(stage: Stage) -> None:
    stage.clock.events.append((stage.clock.now_s + 0.1, stage.output.close))
    stage.run(30.0)
    assert isinstance(stage.player.lost, DeviceError)
    assert "'fake' has stopped" in str(stage.player.lost)


def test_the_end_fades_to_zero(stage: Stage) -> None:
    stage.run(0.2)
    assert stage.output.heard[-1][-1, 0] == 0.0
    assert stage.output.frames_ahead == 0


def test_a_task_that_fails_is_told_and_play_goes_on(stage: Stage) -> None:
    def fail() -> None:
        raise DeviceError("no such thing")

    stage.player.do(fail)
    stage.run(0.2)
    assert stage.notices == ["no such thing"]
    assert len(stage.output.heard) > 50


def test_a_device_that_takes_several_blocks_at_once_is_given_more(stage: Stage) -> None:
    stage.output.burst = 8
    stage.run(2.0)
    underruns = stage.output.underruns
    assert 0 < underruns < 10
    assert "more are kept ready" in stage.notices[0]
    heard = np.concatenate(stage.output.heard)[:, 0]
    np.testing.assert_array_equal(heard[: -8 * BLOCK], np.arange(len(heard) - 8 * BLOCK))


def test_a_device_that_lost_time_now_and_then_keeps_its_latency(stage: Stage) -> None:
    before_s = stage.player.meters.latency_s

    def burst(length: int) -> None:
        stage.output.burst = length

    for moment in (0.5, 1.8, 3.1, 4.4):
        stage.clock.events.append((stage.clock.now_s + moment, lambda: burst(8)))
        stage.clock.events.append((stage.clock.now_s + moment + BLOCK / RATE, lambda: burst(1)))
    stage.run(5.5)
    assert stage.output.underruns >= 4
    assert not stage.notices
    assert stage.player.meters.latency_s == before_s


@pytest.mark.parametrize(
    ("block", "note_cost_s", "frames"),
    [
        (128, 0.0, 256),
        (128, 0.003, 256),
        (128, 0.004, 256),
        (128, 0.0045, 384),
        (128, 0.006, 384),
        (128, 0.1, 1024),
        (256, 0.006, 512),
        (64, 0.0, 256),
    ],
)
def test_a_slow_machine_keeps_more_ready(block: int, note_cost_s: float, frames: int) -> None:
    ahead = player_module._frames_ahead(block, RATE, note_cost_s)
    assert ahead == frames
    assert ahead % block == 0
