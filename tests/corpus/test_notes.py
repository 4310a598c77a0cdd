"""The annotation says when each note begins, when it is let go, and what plays it."""

from __future__ import annotations

from typing import Any

import pytest

from tnca_synth.corpus.notes import annotate
from tnca_synth.engine.open import assemble_synth
from tnca_synth.midi import Song, TimedMessage
from tnca_synth.midi.messages import ALL_SOUND_OFF, MONO_ON, SUSTAIN, control_change, note_off, note_on, program_change


@pytest.fixture(scope="module")
def book() -> Any:
    ensemble = assemble_synth(provider="cpu")
    return ensemble.bank.timbre_book(ensemble.growth)  # type: ignore[union-attr, arg-type]


def notes(book: Any, *messages: tuple[float, bytes]) -> list[tuple[float, float, int]]:
    song = Song([TimedMessage(time_s, 0, data) for time_s, data in messages], 9.0, 0, 1, [""], [])
    return [(one["onset_s"], one["offset_s"], one["pitch"]) for one in annotate(song, book)]


def test_a_note_ends_with_its_key(book: Any) -> None:
    assert notes(book, (1.0, note_on(0, 60, 90)), (2.0, note_off(0, 60))) == [(1.0, 2.0, 60)]


def test_the_pedal_holds_it(book: Any) -> None:
    played = [(0.5, control_change(0, SUSTAIN, 127)), (1.0, note_on(0, 60, 90)), (2.0, note_off(0, 60))]
    assert notes(book, *played, (4.0, control_change(0, SUSTAIN, 0))) == [(1.0, 4.0, 60)]
    assert notes(book, *played) == [(1.0, 9.0, 60)]


def test_what_cuts_a_channel_ends_its_notes_alone(book: Any) -> None:
    played = [(1.0, note_on(0, 60, 90)), (1.0, note_on(1, 62, 90)), (2.0, control_change(0, ALL_SOUND_OFF, 0))]
    assert notes(book, *played) == [(1.0, 2.0, 60), (1.0, 9.0, 62)]


def test_a_hi_hat_stops_the_open_one(book: Any) -> None:
    assert notes(book, (1.0, note_on(9, 46, 90)), (2.0, note_on(9, 42, 90)))[0] == (1.0, 2.0, 46)


def test_a_legato_step_is_a_note_of_its_own(book: Any) -> None:
    played = [(0.0, control_change(0, MONO_ON, 1)), (1.0, note_on(0, 60, 90)), (2.0, note_on(0, 64, 90))]
    assert notes(book, *played, (3.0, note_off(0, 64)), (4.0, note_off(0, 60)))[:2] == [(1.0, 2.0, 60), (2.0, 3.0, 64)]


def test_it_says_what_plays(book: Any) -> None:
    messages = [program_change(2, 40), note_on(2, 60, 91), note_on(9, 38, 70)]
    song = Song([TimedMessage(0.0, 0, data) for data in messages], 1.0, 0, 2, [""], [])
    first, second = annotate(song, book)
    assert (first["instrument"], first["program"], first["channel"], first["is_drum"]) == ("violin", 40, 3, False)
    assert (second["is_drum"], second["channel"], first["velocity"]) == (True, 10, 91)
