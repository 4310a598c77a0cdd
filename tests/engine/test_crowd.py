"""Files denser than anyone hears: cost is bounded by time and voices, and the sound is the same in any blocks."""

from __future__ import annotations

import random

import numpy as np
import pytest

from tnca_synth.engine.arrays import FloatArray
from tnca_synth.engine.events.crowd import LEAST_STARTS, MAX_UNISON, Crowd
from tnca_synth.engine.synth import Synth
from tnca_synth.midi import messages as midi
from tnca_synth.midi.commands import NoteRelease

from .fakes import RATE, FakeGrowth, make_synth, render_in_blocks, set_up

pytestmark = pytest.mark.slow

WINDOW = round(0.05 * RATE)


def dense(num_notes: int, length: int, max_voices: int = 64, growth: FakeGrowth | None = None) -> Synth:
    """A synth that is sent so many notes within so many frames, most of them short."""
    synth = make_synth(growth or FakeGrowth(release_factor=0.7), max_voices=max_voices)
    set_up(synth)
    dice = random.Random(1)
    for _ in range(num_notes):
        start, channel, key = dice.randrange(length), dice.randrange(16), dice.randrange(30, 90)
        synth.send(midi.note_on(channel, key, dice.randrange(1, 128)), start)
        synth.send(midi.note_off(channel, key), start + dice.randrange(6000))
    return synth


@pytest.mark.parametrize("block", [61, 1000, 4096])
def test_block_sizes_change_no_bit_of_a_dense_song(block: int) -> None:
    whole, cut = dense(900, RATE, max_voices=16), dense(900, RATE, max_voices=16)
    expected = whole.render(RATE)
    assert whole.notes_stolen > 500
    np.testing.assert_array_equal(render_in_blocks(cut, RATE, block), expected)
    for name in ("notes_started", "notes_stolen", "notes_left_out", "peak_voices", "active_voices"):
        assert getattr(cut, name) == getattr(whole, name), name
    assert whole.peak_voices == 16


def test_foresight_changes_no_bit_of_a_dense_song() -> None:
    plain, foreseen = dense(900, RATE, max_voices=16), dense(900, RATE, max_voices=16)
    np.testing.assert_array_equal(foreseen.render(RATE, 3 * RATE), plain.render(RATE))


def num_runs(num_notes: int) -> tuple[int, int]:
    """Return how often models run in a second of so many notes, and how many notes are grown."""
    growth = FakeGrowth(release_factor=0.7)
    synth = dense(num_notes, RATE, growth=growth)
    synth.render(RATE, RATE)
    return len(growth.batch_sizes), synth.notes_started


def test_ten_times_the_notes_cost_no_more_once_it_is_dense() -> None:
    runs, started = num_runs(3_000)
    more_runs, more_started = num_runs(30_000)
    assert started <= more_started <= LEAST_STARTS * RATE // WINDOW + 2 * LEAST_STARTS
    assert more_runs < 1.3 * runs


def test_steals_of_a_tenth_of_a_second_need_no_growth_of_their_own() -> None:
    growth = FakeGrowth()
    synth = make_synth(growth, max_voices=64)
    for index in range(64 + 20):
        synth.send(midi.note_on(index % 16, 30 + index, 100), 100 * index if index < 64 else 6400 + 90 * (index - 64))
    synth.render(6400)
    before = len(growth.batch_sizes)
    synth.render(1800)
    assert synth.notes_stolen == 20
    assert len(growth.batch_sizes) - before <= 2 * (1800 // 256 + 2)


def test_10_000_notes_at_once_are_as_many_as_there_are_voices() -> None:
    synth = make_synth(max_voices=64)
    for index in range(10_000):
        synth.send(midi.note_on(index % 16, index % 128, 100), 333)
    audio = synth.render(2000)
    assert synth.active_voices == synth.peak_voices == synth.notes_started == 64
    assert synth.notes_left_out == 10_000 - 64
    assert np.isfinite(audio).all()


def test_identical_strokes_beyond_a_few_are_left_out_and_the_rest_plays() -> None:
    synth = make_synth(max_voices=64)
    for _ in range(200):
        synth.send(midi.note_on(0, 60, 100), 333)
    for key in range(61, 71):
        synth.send(midi.note_on(0, key, 100), 333)
    for _ in range(200):
        synth.send(midi.note_off(0, 60), 3000)
    synth.render(1000)
    assert synth.notes_started == MAX_UNISON + 10
    assert synth.active_voices == MAX_UNISON + 10


def sound(extra: bool) -> FloatArray:
    synth = make_synth(FakeGrowth(release_factor=0.5), max_voices=64)
    set_up(synth)
    for index in range(300 if extra else 0):
        synth.send(midi.note_on(index % 16, index % 100, 100), 200)
        synth.send(midi.note_off(index % 16, index % 100), 200)
    synth.send(midi.note_on(0, 60, 100), 200 + WINDOW)
    return synth.render(2 * RATE)[RATE:]


def test_what_follows_a_crowd_is_played() -> None:
    np.testing.assert_allclose(sound(extra=True), sound(extra=False), atol=1e-4)
    assert np.abs(sound(extra=True)).max() > 0.1


@pytest.mark.parametrize("max_voices", [1, 64, 200])
def test_a_crowd_admits_as_many_notes_in_its_time_as_there_are_voices(max_voices: int) -> None:
    crowd = Crowd(max_voices, RATE)
    admitted = [sample for sample in range(0, 4 * WINDOW, 2) if crowd.admits(sample, 0, sample % 128)]
    most = max(max_voices, LEAST_STARTS)
    for start in admitted:
        assert sum(start <= sample < start + WINDOW for sample in admitted) <= most
    assert len(admitted) == 4 * most
    assert crowd.num_left_out == 2 * WINDOW - 4 * most


def test_a_stolen_note_that_is_released_carried_or_cut_afterwards_is_past_that() -> None:
    synth = make_synth(max_voices=2)
    set_up(synth)
    synth.send(midi.control_change(0, 126, 1), 0)  # mono: strokes carry the note along
    synth.send(midi.note_on(0, 50, 100), 100)
    for index, key in enumerate((60, 62, 64)):
        synth.send(midi.note_on(1, key, 100), 1000 + 10 * index)  # the second and third steal, the third by plan
    synth.send(midi.note_on(0, 52, 100), 1050)
    synth.send(midi.note_off(1, 60), 1060)
    synth.send(midi.control_change(1, midi.ALL_SOUND_OFF, 0), 1100)
    synth.render(RATE)
    assert synth.active_voices == 1
    assert np.isfinite(synth.render(100)).all()


def test_only_the_first_release_of_a_note_counts() -> None:
    synth = make_synth()
    synth.send(midi.note_on(0, 60, 100), 0)
    synth.send(bytes((0x80, 60, 127)), 500)
    synth.render(600)
    sequencer = synth._sequencer
    (voice,) = sequencer._allocator.voices.values()
    before = voice.release, voice.release_speed
    sequencer._carry_out(400, NoteRelease(voice.note_id, 1))
    assert (voice.release, voice.release_speed) == (400, 2.0 ** ((1 - 64) / 63))
    sequencer._carry_out(700, NoteRelease(voice.note_id, 127))
    assert voice.release == 400
    assert before == (500, 2.0)


def test_a_note_stolen_by_plan_fades_out_though_the_next_steal_needs_its_place() -> None:
    synth = make_synth(max_voices=2)
    set_up(synth)
    synth.send(midi.note_on(0, 45, 1), 0)
    synth.send(midi.note_on(1, 45, 127), 10)  # the only one that can be heard
    for index, start in enumerate((2000, 2050, 2080)):  # steals by rank, by plan, and by a new rank in mid-fade
        synth.send(midi.note_on(2 + index, 50 + index, 1), start)
    audio = synth.render(3000)
    assert synth.notes_stolen == 3
    jumps = np.abs(np.diff(audio, axis=0)).max(axis=1)
    assert np.abs(audio[1900:2050]).max() > 0.3
    assert np.abs(audio[2090:2120]).max() > 0.01
    assert np.abs(audio[2300:]).max() < 0.05
    assert jumps[2000:].max() < 2.0 * jumps[1000:2000].max()


@pytest.mark.parametrize(("wait_s", "stolen"), [(0.05, 52), (0.15, 54)])
def test_a_ranking_holds_for_a_tenth_of_a_second(wait_s: float, stolen: int) -> None:
    """What is released after the ranking comes first in the next one, and keeps its place in this one."""
    synth = make_synth(FakeGrowth(release_factor=0.999), max_voices=3)
    for index, key in enumerate((50, 52, 54)):
        synth.send(midi.note_on(0, key, 100), 10 * index)
    synth.send(midi.note_on(0, 60, 100), 1000)
    synth.send(midi.note_off(0, 54), 1100)
    synth.send(midi.note_on(0, 62, 100), 1000 + round(wait_s * RATE))
    synth.render(2 * RATE // 5)
    keys = {voice.key for voice in synth._sequencer._allocator.voices.values()}
    assert keys == {52, 54, 60, 62} - {stolen}


def test_notes_stolen_at_their_own_moment_are_not_heard() -> None:
    growth = FakeGrowth()
    four, two = make_synth(growth, max_voices=2), make_synth(max_voices=2)
    for key in (40, 42):
        four.send(midi.note_on(0, key, 127), 200)
    for synth in (four, two):
        for key in (60, 64):
            synth.send(midi.note_on(0, key, 100), 200)
    np.testing.assert_array_equal(four.render(1000), two.render(1000))
    assert max(growth.batch_sizes) == 2


def test_a_panic_forgets_the_ranking() -> None:
    synth = make_synth(max_voices=2)
    for index, key in enumerate((50, 52, 54)):
        synth.send(midi.note_on(0, key, 100), 10 * index)
    synth.render(100)
    assert synth.notes_stolen == 1
    synth.panic()
    synth.send(midi.note_on(0, 60, 100), 200)
    synth.render(1000)
    assert (synth.notes_stolen, synth.active_voices) == (1, 1)


def test_a_stroke_that_finds_its_note_stolen_takes_a_slot_and_gives_it_back() -> None:
    synth = make_synth(FakeGrowth(release_factor=0.3), max_voices=3)
    num_free = len(synth._sequencer._allocator._free)
    synth.send(midi.control_change(0, 126, 1), 0)  # mono: strokes carry the note along
    synth.send(midi.note_on(1, 50, 100), 0)
    synth.send(midi.note_on(0, 60, 100), 10)
    synth.send(midi.note_on(1, 51, 100), 20)
    synth.send(midi.note_on(1, 52, 100), 1000)  # steals by a new rank, which ends the first note at once
    synth.send(midi.note_on(1, 54, 100), 1010)  # steals the second by plan: it fades
    synth.send(midi.note_on(0, 62, 100), 1050)  # and is struck again meanwhile
    synth.render(1100)
    assert synth.notes_started == 6
    for channel in (0, 1):
        synth.send(midi.control_change(channel, midi.ALL_SOUND_OFF, 0))
    synth.render(RATE // 2)
    assert synth.active_voices == 0
    assert len(synth._sequencer._allocator._free) == num_free
