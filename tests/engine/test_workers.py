"""Worker processes grow some of the voices, and nobody hears which."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from dataclasses import fields
from functools import partial

import numpy as np
import pytest

from tnca_synth.engine.arrays import FloatArray
from tnca_synth.engine.growth import worker_process
from tnca_synth.engine.growth.grower import MOST_HOPS, Grower
from tnca_synth.engine.growth.worker_process import (
    _DECODED,
    _SENT,
    Result,
    Task,
    WorkerProcess,
    _decoded_of,
    _sent_of,
    serve,
)
from tnca_synth.engine.modulation.channel import NEUTRAL
from tnca_synth.engine.open import OpenSynth, assemble_synth
from tnca_synth.engine.voices.progress import COLUMNS
from tnca_synth.engine.voices.voice import Decoded, Voice
from tnca_synth.errors import BankError, ModelError, UsageError
from tnca_synth.midi import messages as midi
from tnca_synth.midi.spec.growth_controllers import GROWTH_RATE, growth_message

from .fakes import make_synth

pytestmark = pytest.mark.slow

RATE = 22050
MAX_VOICES = 4


def make(workers: int, instrument: str = "violin") -> OpenSynth:
    return assemble_synth(
        sample_rate=RATE, max_voices=MAX_VOICES, workers=workers, instrument=instrument, growth_controllers=True
    )


def play_slowly(ensemble: OpenSynth) -> FloatArray:
    """Play notes whose clocks run fast or slow, in many small blocks, until they have died away and one has not."""
    synth = ensemble.synth
    for controller, value in ((73, 100), (75, 100), (72, 20)):  # attack, decay and release
        synth.send(midi.control_change(0, controller, value), 0)
    for index, key in enumerate((55, 62, 69)):
        synth.send(midi.note_on(0, key, 90), 300 * index)
        synth.send(midi.note_off(0, key), 4000 + 100 * index)
    synth.send(midi.note_on(1, 74, 90), 100)
    return np.concatenate([synth.render(300) for _ in range(60)])


def wait_for(worker_process: WorkerProcess) -> None:
    deadline = time.monotonic() + 60.0
    while not worker_process.is_ready:
        assert time.monotonic() < deadline, "the helper did not come up"
        time.sleep(0.01)


@pytest.fixture
def shared() -> Iterator[OpenSynth]:
    ensemble = make(2)
    wait_for(ensemble.worker_processes[0])
    yield ensemble
    ensemble.close()


def play(ensemble: OpenSynth) -> FloatArray:
    """Play chords, more notes than voices, a bend, pressure, a glide and a cut, in blocks of several lengths."""
    synth = ensemble.synth
    for index, key in enumerate((55, 62, 69, 74, 78, 59)):
        synth.send(midi.note_on(0, key, 80), 900 * (index // 2))
        synth.send(midi.note_off(0, key), 9000 + 700 * index)
    for step in range(40):
        synth.send(bytes((0xE0, 0, 64 + step // 2)), 2000 + 100 * step)
    synth.send(bytes((0xA0, 78, 90)), 4000)
    synth.send(midi.control_change(0, 74, 110), 5000)
    synth.send(midi.note_on(1, 60, 100), 12000)
    synth.send(midi.control_change(1, midi.ALL_SOUND_OFF, 0), 15000)
    return np.concatenate([synth.render(size) for size in (64, 4096, 1000, 8192, 6000)])


def test_the_sound_is_the_same_to_the_bit_whoever_grows_it(shared: OpenSynth) -> None:
    grown = 0
    start = shared.worker_processes[0].start

    def counted(share, *rest):  # type: ignore[no-untyped-def]
        nonlocal grown
        grown += len(share)
        start(share, *rest)

    shared.worker_processes[0].start = counted  # type: ignore[method-assign]
    together, alone = play(shared), play(make(1))
    assert grown > 10
    assert shared.synth.notes_stolen > 0
    assert np.abs(alone).max() > 0.01
    np.testing.assert_array_equal(together, alone)


def known_of_voices(ensemble: OpenSynth) -> list[dict[str, object]]:
    """Play two very soft notes faster than usual until one is all but silent; return all that is known of them."""
    synth = ensemble.synth
    synth.send(growth_message(0, GROWTH_RATE, 127))  # their clocks run ahead
    for key in (64, 60):  # the helper has the one that falls silent
        synth.send(midi.note_on(0, key, 4))
    for _ in range(64):
        synth.render(256)
    progress = synth._growers.progress
    return [
        {name: getattr(voice, name) for name in _SENT}
        | {name: getattr(voice.decoded, name) for name in _DECODED}
        | dict(zip(COLUMNS, progress.table[voice.slot].tolist(), strict=True))
        for voice in synth._sequencer._allocator.voices.values()
    ]


def test_what_is_known_of_a_voice_does_not_depend_on_who_grows_it() -> None:
    shared, alone = make(2, "grand-piano"), make(1, "grand-piano")
    wait_for(shared.worker_processes[0])
    known = known_of_voices(shared)
    assert shared.synth._growers._growers[0]._owners, "the helper has grown some"
    assert known == known_of_voices(alone)
    assert all(one["age_lead_s"] > 1.0 for one in known)
    assert any(one["silent_hops"] for one in known)
    shared.close()


def test_what_a_voice_remembers_goes_to_and_fro_between_tasks(shared: OpenSynth) -> None:
    alone = make(1)
    np.testing.assert_array_equal(play_slowly(shared), play_slowly(alone))
    assert alone.synth.active_voices < alone.synth.peak_voices
    assert shared.synth.active_voices == alone.synth.active_voices


def test_a_helper_knows_all_of_a_voice_but_its_sound() -> None:
    names = {field.name for field in fields(Voice)}
    # What plays a voice is sent once, with its note; what happens to it alone is in the controls of its hops.
    assert names - set(_SENT) == {"patch", "decoded", "modulation"}
    assert {field.name for field in fields(Decoded)} - set(_DECODED) == {"audio"}


def test_nothing_to_grow_is_nothing_to_do(shared: OpenSynth) -> None:
    grower = shared.synth._first
    assert grower.plan([], 1000) == []
    grower.grow([])
    assert grower.failures == []


def test_a_helper_that_is_lost_is_one_clear_error(shared: OpenSynth) -> None:
    shared.synth.send(midi.note_on(0, 60, 80))
    shared.synth.send(midi.note_on(0, 64, 80))
    shared.synth.render(1000)
    shared.worker_processes[0]._process.kill()
    with pytest.raises(ModelError, match="worker process ended"):
        shared.synth.render(40_000)


def test_a_helper_shows_that_it_goes_on_after_every_round_of_hops(monkeypatch: pytest.MonkeyPatch) -> None:
    synth = make_synth()
    synth.send(midi.note_on(0, 60, 80))
    synth.render(1)
    grower = synth._sequencer._grower._growers[0]
    (voice,) = synth._sequencer._allocator.voices.values()
    facts, decoded, rows = [_sent_of(voice)], [_decoded_of(voice.decoded)], grower.progress.table[[voice.slot]]
    until = 3 * MOST_HOPS * grower.hop
    controls = [np.full(hops.controls.shape, NEUTRAL) for hops in grower.plan([voice], until)]
    task = Task([voice], facts, decoded, rows, until, controls)
    tasks, sent = iter([task]), []
    monkeypatch.setattr(worker_process.signal, "signal", lambda *_: None)

    class Pipe:
        def recv(self) -> Task:
            try:
                return next(tasks)
            except StopIteration:
                raise EOFError from None

        def send(self, answer: object) -> None:
            sent.append(answer)

    serve(Pipe(), lambda: grower)  # type: ignore[arg-type]
    assert isinstance(sent[-1], Result)
    assert sent[:-1] == [None] * (1 + 3)  # it is ready, and three rounds


def _fail() -> Grower:
    raise BankError("no bank here")


def test_a_helper_that_does_not_come_up_is_not_waited_for() -> None:
    worker_process = WorkerProcess(_fail)
    worker_process._process.join(60.0)
    assert not worker_process.is_ready
    worker_process.close()


def test_closing_ends_the_processes(shared: OpenSynth) -> None:
    process = shared.worker_processes[0]._process
    assert process.is_alive()
    shared.close()
    assert not process.is_alive()
    assert not shared.worker_processes


def test_closing_does_not_wait_for_a_process_that_is_still_starting() -> None:
    one = WorkerProcess(partial(time.sleep, 60.0))  # type: ignore[arg-type]
    one.close()
    assert one._process.exitcode == -signal.SIGKILL


def test_another_decoder_takes_over_what_a_helper_grows(shared: OpenSynth) -> None:
    shared.synth.send(midi.note_on(0, 62, 90))
    shared.synth.send(midi.note_on(0, 69, 90))
    before = shared.synth.render(RATE // 2)
    shared.set_decoder("griffin-lim")
    after = shared.synth.render(RATE // 2)
    assert shared.synth.active_voices == 2
    levels = [np.sqrt((one[-RATE // 4 :] ** 2).mean()) for one in (before, after)]
    assert 20 * np.log10(levels[1] / levels[0]) == pytest.approx(0.0, abs=2.0)


def test_there_is_one_worker_at_least() -> None:
    with pytest.raises(UsageError, match="1 or more, got 0"):
        make(0)
