"""An instrument to begin with gives way to programs; a locked one does not; and there is a way back."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import pytest

from tnca_synth.engine.bank.bank import Bank
from tnca_synth.engine.bank.chooser import InstrumentSelection, find_instrument, instrument_name
from tnca_synth.engine.bank.instruments import BankInstrument
from tnca_synth.engine.open import OpenSynth, assemble_synth
from tnca_synth.errors import UsageError
from tnca_synth.midi import messages as midi

from .fakes import RATE, FakeBank, FakeInstrument, make_synth

pytestmark = pytest.mark.slow

CELLO = FakeInstrument("Cello", program=42)


@cache
def instruments() -> tuple[BankInstrument, ...]:
    return Bank.load().instruments


def fresh(**options: object) -> OpenSynth:
    return assemble_synth(sample_rate=RATE, effects=False, max_voices=16, **options)  # type: ignore[arg-type]


def played(ensemble: OpenSynth, *messages: bytes) -> tuple[str, ...]:
    """Play messages, a note on channels 1 and 2 and a drum; return what the channels have then."""
    for message in messages:
        ensemble.synth.send(message)
    for channel, key in ((0, 60), (1, 64), (9, 38)):
        ensemble.synth.send(midi.note_on(channel, key, 80))
    ensemble.synth.render(600)
    voices = list(ensemble.synth._sequencer._allocator.voices.values())
    latest = {voice.channel: voice.patch.role for voice in voices}
    return tuple("" if latest[channel] is None else latest[channel].name for channel in (0, 1, 9))


def test_a_first_choice_plays_until_the_channels_next_program_change() -> None:
    ensemble = fresh(instrument="cello", is_locked=False)
    assert played(ensemble) == ("cello", "cello", "standard-kit")
    assert played(ensemble, midi.program_change(1, 73)) == ("cello", "flute", "standard-kit")
    assert played(ensemble, midi.program_change(0, 0)) == ("grand-piano", "flute", "standard-kit")
    assert ensemble.locked_instrument == ""


def test_a_program_change_to_the_program_that_is_set_already_counts_too() -> None:
    assert played(fresh(instrument="cello", is_locked=False), midi.program_change(0, 0))[0] == "grand-piano"


def test_a_lock_outlasts_programs_and_is_taken_off_again() -> None:
    ensemble = fresh(instrument="cello")
    assert ensemble.locked_instrument == "cello"
    assert played(ensemble, midi.program_change(0, 73)) == ("cello", "cello", "standard-kit")
    ensemble.follow_midi()
    assert ensemble.locked_instrument == ""
    assert played(ensemble) == ("flute", "grand-piano", "standard-kit")
    ensemble.lock_instrument("violin")
    assert played(ensemble, midi.program_change(0, 0)) == ("violin", "violin", "standard-kit")


def test_a_choice_in_between_is_one_to_begin_with_on_one_channel_or_all() -> None:
    ensemble = fresh()
    assert played(ensemble, midi.program_change(0, 73), midi.program_change(1, 73))[:2] == ("flute", "flute")
    ensemble.begin_with("cello", channel=0)
    assert played(ensemble)[:2] == ("cello", "flute")
    ensemble.begin_with("violin")
    assert played(ensemble)[:2] == ("violin", "violin")
    assert played(ensemble, midi.program_change(0, 73))[:2] == ("flute", "violin")
    ensemble.follow_midi()
    assert played(ensemble)[:2] == ("flute", "flute")


def test_the_choice_changes_at_its_message_and_not_before() -> None:
    bank = FakeBank()
    synth = make_synth(bank=bank)
    synth.begin_with(CELLO)
    synth.send(midi.note_on(0, 60, 100), 100)
    synth.send(midi.program_change(0, 5), 200)
    synth.send(midi.note_on(0, 62, 100), 300)
    synth.render(1000)
    assert bank.named_ones == [("Cello", 60)]
    assert bank.asked == [(5, 0, False, 62)]


def test_drums_are_never_chosen_away() -> None:
    bank = FakeBank()
    synth = make_synth(bank=bank)
    synth.begin_with(CELLO, channel=9)
    synth.send(midi.note_on(9, 38, 100), 0)
    synth.render(100)
    assert bank.asked == [(0, 0, True, 38)] and not bank.named_ones


@dataclass(frozen=True)
class Known:
    name: str
    program: int = 0
    is_drums: bool = False
    bank: int = 0


FOLDER = (Known("bell"), Known("gong"), Known("40"), Known("kit", is_drums=True))


def test_of_instruments_that_share_a_program_the_named_one_plays() -> None:
    """Those of a folder of recordings all have program 0."""

    class Chooser(FakeBank):
        def instrument_for(self, program: int, bank: int, is_drums: bool, key: int):  # type: ignore[no-untyped-def]
            raise AssertionError("asked by program")

    chooser = Chooser()
    InstrumentSelection(chooser, FakeInstrument("gong")).instrument_for(0, 0, False, 60)
    assert chooser.named_ones == [("gong", 60)]


@pytest.mark.parametrize(
    ("wanted", "name"),
    [
        ("Cello", "cello"),
        (42, "cello"),
        ("42", "cello"),
        (43, "contrabass"),
        (" 73 ", "flute"),
        (46, "orchestral-harp"),
        (0, "grand-piano"),
    ],
)
def test_an_instrument_is_found_by_name_and_by_program(wanted: str | int, name: str) -> None:
    assert find_instrument(instruments(), wanted).name == name


def test_a_name_of_digits_is_a_name() -> None:
    assert find_instrument(FOLDER, "40").name == "40"
    assert find_instrument(FOLDER, 40).name == "bell"


@pytest.mark.parametrize("wanted", [128, -1, "128", "-1", True, "999999999999999999999"])
def test_numbers_that_are_no_programs_are_refused_in_one_line(wanted: str | int) -> None:
    with pytest.raises(UsageError, match=r"program must be in 0\.\.127, got"):
        find_instrument(instruments(), wanted)


def test_a_program_means_no_kit_and_a_bank_of_drums_says_so() -> None:
    with pytest.raises(UsageError, match="drums alone"):
        instrument_name(0, {"kit": None})


@pytest.mark.parametrize("wanted", ["celo", ""])
def test_unknown_names_are_refused(wanted: str) -> None:
    with pytest.raises(UsageError, match="unknown instrument"):
        find_instrument(instruments(), wanted)


def test_a_representation_without_the_locked_instrument_lends_what_is_made_alike() -> None:
    bank = Bank.load()
    few = bank.timbre_book(bank.growth_model("latent", "cpu"))
    lacking = next(one for one in bank.instruments if one.name not in {known.name for known in few.instruments})
    choice = few.named(lacking, 60)
    assert choice.substituted and choice.instrument.name != lacking.name
