"""Drums that stop each other, drums that are not there, and kits that are not there."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from tnca_synth.engine.arrays import FloatArray
from tnca_synth.engine.bank.bank import Bank
from tnca_synth.engine.bank.timbre_book import TimbreBook
from tnca_synth.engine.open import assemble_synth
from tnca_synth.engine.voices.voice import num_slots
from tnca_synth.midi import messages as midi

from .fakes import RATE, FakeDecoder, FakeGrowth, make_synth, set_up
from .listening import Event, at, level_db, part, perform

pytestmark = pytest.mark.slow

OPEN, PEDAL, CLOSED = 46, 44, 42


def ringing(*events: Event, duration_s: float = 0.6) -> FloatArray:
    """Play drums that ring for ever."""
    synth = make_synth(FakeGrowth(release_factor=1.0), max_voices=16)
    set_up(synth)
    return perform(synth, list(events), duration_s)


def hit(key: int, time_s: float, channel: int = 9, velocity: int = 127) -> Event:
    return at(time_s, midi.note_on(channel, key, velocity))[0]


def lift(key: int, time_s: float) -> Event:
    return at(time_s, midi.note_off(9, key))[0]


@pytest.mark.parametrize("stopping", [CLOSED, PEDAL])
@pytest.mark.parametrize("is_lifted", [False, True])
def test_the_open_hat_is_gone_once_another_one_sounds(stopping: int, is_lifted: bool) -> None:
    events = [hit(OPEN, 0.0), hit(stopping, 0.2, velocity=1)] + ([lift(OPEN, 0.1)] if is_lifted else [])
    audio = ringing(*events)
    assert level_db(part(audio, 0.35, 0.4)) < level_db(part(audio, 0.15, 0.2)) - 15.0
    assert level_db(part(audio, 0.21, 0.22)) < level_db(part(audio, 0.15, 0.2)) - 15.0


@pytest.mark.parametrize(("first", "second"), [(72, 71), (74, 73), (79, 78), (81, 80), (30, 29), (87, 86), (42, 46)])
def test_the_other_pairs_stop_each_other(first: int, second: int) -> None:
    audio = ringing(hit(first, 0.0), hit(second, 0.2, velocity=1))
    assert level_db(part(audio, 0.35, 0.4)) < level_db(part(audio, 0.15, 0.2)) - 15.0


@pytest.mark.parametrize(
    ("first", "second"), [(hit(OPEN, 0.0), hit(OPEN, 0.2, velocity=1)), (hit(OPEN, 0.0), hit(38, 0.2, velocity=1))]
)
def test_the_same_drum_and_others_stop_nothing(first: Event, second: Event) -> None:
    audio = ringing(first, second)
    assert level_db(part(audio, 0.35, 0.4)) > level_db(part(audio, 0.15, 0.2)) - 1.0


def test_channels_have_their_own_hats_and_melodies_have_none() -> None:
    rhythm = at(0.0, midi.control_change(3, midi.BANK_MSB, 120), midi.program_change(3, 0))
    audio = ringing(*rhythm, hit(OPEN, 0.01), hit(CLOSED, 0.2, channel=3, velocity=1))
    assert level_db(part(audio, 0.35, 0.4)) > level_db(part(audio, 0.15, 0.2)) - 1.0
    audio = ringing(hit(OPEN, 0.0, channel=0), hit(CLOSED, 0.2, channel=0, velocity=1))
    assert level_db(part(audio, 0.35, 0.4)) > level_db(part(audio, 0.15, 0.2)) - 1.0


def test_of_two_at_once_the_last_sounds_alone() -> None:
    both = ringing(hit(OPEN, 0.1), hit(CLOSED, 0.1, velocity=64))
    last = ringing(hit(CLOSED, 0.1, velocity=64))
    assert abs(level_db(both) - level_db(last)) < 0.5


def test_a_stopped_drum_fades_without_a_click_and_block_sizes_change_nothing() -> None:
    def play(block: int) -> FloatArray:
        synth = make_synth(FakeGrowth(release_factor=1.0), max_voices=4)
        for time_s, message in [hit(OPEN, 0.01), hit(CLOSED, 0.105, velocity=1)]:
            synth.send(message, round(time_s * RATE))
        return np.concatenate([synth.render(block) for _ in range(4096 // block)])

    np.testing.assert_array_equal(play(64), play(4096))
    fade = np.abs(play(4096)[round(0.105 * RATE) :])
    assert fade[:20].max() > 10 * fade[130:].max()  # it is heard at first: a fade, not a cut


def test_stopped_drums_take_no_voices() -> None:
    synth = make_synth(FakeGrowth(release_factor=1.0), FakeDecoder(num_slots(2)), max_voices=2)
    for index in range(20):
        synth.send(midi.note_on(9, (OPEN, CLOSED)[index % 2], 100), 500 * index)
    synth.render(20 * 500)
    assert synth.notes_stolen == 0 and synth.active_voices == 1


def test_a_roll_of_hats_within_a_few_milliseconds_finds_slots() -> None:
    synth = make_synth(FakeGrowth(release_factor=1.0), FakeDecoder(num_slots(2)), max_voices=2)
    for index in range(200):
        synth.send(midi.note_on(9, (OPEN, CLOSED)[index % 2], 100), index // 3)
    assert np.isfinite(synth.render(20_000)).all()
    assert synth.active_voices == 1


@cache
def book(name: str | None = "low-rate") -> TimbreBook:
    """Return a shipped bank's instruments: the kit of the one at 22,050 Hz has the drums of General MIDI 1 alone."""
    bank = Bank.load(None if name is None else Path(name))
    return bank.timbre_book(bank.growth_model("dual", "cpu"))


def test_the_shipped_open_hat_is_stopped_by_the_closed_one() -> None:
    def play(*events: Event) -> FloatArray:
        synth = assemble_synth(sample_rate=RATE, effects=False).synth
        return perform(synth, list(events), 0.4)

    alone = play(hit(OPEN, 0.0))
    stopped = play(hit(OPEN, 0.0), hit(CLOSED, 0.1, velocity=1))
    assert level_db(part(stopped, 0.25, 0.3)) < level_db(part(alone, 0.25, 0.3)) - 15.0


def test_the_default_banks_kits_have_the_drums_of_general_midi_2() -> None:
    for program in (0, 8, 16, 32, 40):
        for key in range(128):
            choice = book(None).instrument_for(program, 0, True, key)
            assert choice.is_silent == (key not in range(27, 88)), (program, key)
            assert not choice.substituted


def test_drums_that_the_kit_has_sound_and_others_are_silent() -> None:
    for key in range(128):
        choice = book().instrument_for(0, 0, True, key)
        assert choice.is_silent == (key not in range(35, 82) and key not in range(31, 35)), key
        assert choice.drum == (None if key in range(35, 82) else choice.drum)


@pytest.mark.parametrize("key", [31, 33, 34])
def test_one_counts_in_with_sticks(key: int) -> None:
    choice = book().instrument_for(0, 0, True, key)
    assert (choice.drum, choice.is_silent) == (37, False)
    np.testing.assert_array_equal(choice.timbre, book().instrument_for(0, 0, True, 37).timbre)


def test_a_missing_kit_is_named_once_and_a_silent_drum_once() -> None:
    synth = assemble_synth(sample_rate=RATE, effects=False, bank_path="low-rate").synth
    synth.send(midi.program_change(9, 25), 0)
    for index, key in enumerate((36, 38, 42, 36, 27, 27, 84, 33)):
        synth.send(midi.note_on(9, key, 100), 100 * index)
    synth.render(2000)
    assert synth.substitutions == (
        "drum kit 25 (Analog): standard-kit",
        "drum key 33 (Metronome Click): drum key 37 (Side Stick) of standard-kit",
    )
    assert synth.silent_keys == (
        "drum key 27 (High Q) of standard-kit",
        "drum key 84 (Belltree) of standard-kit",
    )
    assert synth.notes_started == 5


def test_a_silent_drum_is_silent_and_takes_nobodys_voice() -> None:
    synth = assemble_synth(sample_rate=RATE, effects=False, max_voices=1, bank_path="low-rate").synth
    synth.send(midi.note_on(9, 27, 127), 0)
    assert not synth.render(4000).any()
    synth.send(midi.note_on(0, 60, 100))
    synth.send(midi.note_on(9, 86, 127), 5000)
    synth.render(4000)
    assert (synth.notes_stolen, synth.active_voices) == (0, 1)


def test_a_bank_without_a_kit_says_so_once() -> None:
    known = book()
    melodic = TimbreBook(tuple(one for one in known.instruments if not one.is_drums), known._timbres, known._motions)
    choices = [melodic.instrument_for(0, 0, True, key) for key in (36, 38)]
    assert all(choice.is_silent and not choice.instrument.is_drums for choice in choices)
