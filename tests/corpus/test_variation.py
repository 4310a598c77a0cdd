"""Varied songs keep their notes: each stays on its instrument, in order, with its length."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tnca_synth import read_midi_file
from tnca_synth.corpus.notes import annotate
from tnca_synth.corpus.variation import humanised, with_random_growth, with_random_instruments
from tnca_synth.engine.open import assemble_synth
from tnca_synth.midi import Song, TimedMessage
from tnca_synth.midi.messages import control_change, is_note_start, note_off, note_on, program_change
from tnca_synth.midi.spec.general_midi import family_of
from tnca_synth.midi.state.interpreter import Interpreter

TOUR = "examples/tour.mid"


@pytest.fixture(scope="module")
def tour() -> Song:
    return read_midi_file(TOUR)


@pytest.fixture(scope="module")
def ensemble():  # type: ignore[no-untyped-def]
    return assemble_synth(provider="cpu")


def made(*messages: tuple[float, bytes]) -> Song:
    return Song([TimedMessage(time_s, 0, data) for time_s, data in messages], 10.0, 0, 1, [""], [])


def test_programs_stay_in_their_family_and_in_the_bank(tour: Song, ensemble) -> None:  # type: ignore[no-untyped-def]
    own = {one.program for one in ensemble.bank.instruments if not one.is_drums}
    known = {family_of(program) for program in own}
    varied = with_random_instruments(tour, ensemble.bank.instruments, np.random.default_rng(1))
    book = ensemble.bank.timbre_book(ensemble.growth)
    before, after = annotate(tour, book), annotate(varied, book)
    assert len(before) == len(after) > 1000
    changed = 0
    for one, other in zip(before, after, strict=True):
        assert (one["onset_s"], one["pitch"], one["is_drum"]) == (other["onset_s"], other["pitch"], other["is_drum"])
        assert family_of(one["program"]) == family_of(other["program"])
        if not one["is_drum"] and family_of(one["program"]) in known:
            assert other["program"] in own
        changed += one["program"] != other["program"]
    assert changed


def test_a_part_without_a_program_gets_one_as_well(ensemble) -> None:  # type: ignore[no-untyped-def]
    one = [replace(ensemble.bank.instruments[0], program=program, is_drums=False) for program in (1, 2)]
    varied = with_random_instruments(made((1.0, note_on(3, 60, 90))), one, np.random.default_rng(0))
    assert [message.data[0] for message in varied.messages] == [0xC3, 0x93]
    assert varied.messages[0].data[1] in (1, 2)


def test_growth_is_set_once_for_each_part_and_nothing_else_changes(tour: Song) -> None:
    varied = with_random_growth(tour, 1.0, np.random.default_rng(2))
    assert [one for one in varied.messages if one.data[:1] != b"\xf0"] == [
        one for one in tour.messages if one.data[:1] != b"\xf0"
    ]
    interpreter = Interpreter()
    for one in varied.messages:
        interpreter.handle(one.data, one.port)
    rates = {interpreter.channels[channel].growth.rate for channel in range(16)}
    assert len(rates) == 16 and all(2**-0.51 < rate < 2**0.51 for rate in rates)
    assert all(0.59 < interpreter.channels[channel].growth.fire_rate < 1.0 for channel in range(16))


def test_humanised_notes_stay_near_and_keep_their_length(tour: Song, ensemble) -> None:  # type: ignore[no-untyped-def]
    book = ensemble.bank.timbre_book(ensemble.growth)
    varied = humanised(tour, 10.0, 5.0, np.random.default_rng(3))
    before = sorted(annotate(tour, book), key=lambda note: (note["channel"], note["pitch"], note["onset_s"]))
    after = sorted(annotate(varied, book), key=lambda note: (note["channel"], note["pitch"], note["onset_s"]))
    shifts = np.array([two["onset_s"] - one["onset_s"] for one, two in zip(before, after, strict=True)])
    steps = np.array([two["velocity"] - one["velocity"] for one, two in zip(before, after, strict=True)])
    assert np.abs(shifts).max() <= 0.0201 and 0.004 < shifts.std() < 0.010
    assert np.abs(steps).max() <= 10 and 3.0 < steps.std() < 5.5
    for one, two in zip(before, after, strict=True):
        assert one["instrument"] == two["instrument"]


def test_equal_chance_gives_equal_songs(tour: Song) -> None:
    one, other = (humanised(tour, 10.0, 5.0, np.random.default_rng(4)) for _ in range(2))
    assert one == other != humanised(tour, 10.0, 5.0, np.random.default_rng(5))


EVENTS = st.lists(
    st.tuples(
        st.integers(0, 40).map(lambda tick: tick / 100.0),
        st.sampled_from(
            [
                control_change(0, 0, 8),
                note_on(0, 60, 80),
                note_off(0, 60),
                note_on(0, 64, 80),
                note_off(0, 64),
                program_change(0, 40),
            ]
        ),
    ),
    min_size=1,
    max_size=30,
)


@settings(max_examples=200, deadline=None)
@given(EVENTS, st.integers(0, 9))
def test_no_note_passes_its_release_another_stroke_or_a_change_of_program(
    events: list[tuple[float, bytes]], seed: int
) -> None:
    song = made(*sorted(events, key=lambda event: event[0]), (0.5, note_on(0, 60, 80)))
    varied = humanised(song, 50.0, 0.0, np.random.default_rng(seed))

    def order(one: Song, key: int) -> list[bytes]:
        """Return what happens to a key, with the changes of program between its strokes."""
        fence = [message for message in one.messages if message.data[0] & 0xF0 in (0xB0, 0xC0)]
        strokes = [message for message in one.messages if message.data[0] & 0xE0 == 0x80 and message.data[1] == key]
        return [message.data for message in one.messages if message in fence or message in strokes]

    for key in (60, 64):
        before, after = order(song, key), order(varied, key)
        only = [[data[:2] for data in one if data[0] & 0xE0 == 0x80] for one in (before, after)]
        assert only[0] == only[1]
        starts = [[_program_at(one, place) for place in _starts(one)] for one in (before, after)]
        assert starts[0] == starts[1]


def _starts(messages: list[bytes]) -> list[int]:
    return [place for place, data in enumerate(messages) if is_note_start(data)]


def _program_at(messages: list[bytes], place: int) -> int:
    return sum(data[0] & 0xF0 in (0xB0, 0xC0) for data in messages[:place])
