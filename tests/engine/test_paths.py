"""Paths change under notes that sound: on time, for their own channel alone, and with every note carried on."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import tiny

from tnca_synth.engine import names
from tnca_synth.engine.arrays import FloatArray
from tnca_synth.engine.bank.path import SignalPath
from tnca_synth.engine.bank.timbre_book import TimbreBook
from tnca_synth.engine.decoders.catalogue import MAKERS
from tnca_synth.engine.keys.timbres import TimbreTable
from tnca_synth.engine.models.interfaces import Genome, HopInputs
from tnca_synth.engine.synth import Synth
from tnca_synth.errors import BankError, ModelError, UsageError
from tnca_synth.midi import messages as midi
from tnca_synth.midi.spec import path_controllers as numbers
from tnca_synth.midi.spec.growth_controllers import GROWTH_RATE

from .fakes import HOP, RATE, SPEC, FakeBank, FakeDecoder, FakeGrown, FakeGrowth, make_synth, render_in_blocks, set_up
from .listening import at, level_db, note, perform, pitch_of

pytestmark = pytest.mark.slow

LIMIT = round(0.02 * RATE)


class Watched(FakeGrowth):
    """Notes which threads grow it."""

    def __init__(self) -> None:
        super().__init__(held_factor=0.98)
        self.threads: set[str] = set()

    def step(self, genome: Genome, hop: HopInputs) -> FakeGrown:
        self.threads.add(threading.current_thread().name)
        return super().step(genome, hop)


class Broken(FakeGrowth):
    """Cannot plant anything."""

    def plant(self, *arguments: FloatArray) -> Genome:
        raise ModelError("nothing grows here")


class Mute(FakeDecoder):
    """Sounds nothing, so that what is left is the old path."""

    def decode(self, *arguments: object) -> FloatArray:
        return 0.0 * super().decode(*arguments)  # type: ignore[arg-type]


def path(decoder: FakeDecoder | None = None, growth: FakeGrowth | None = None) -> SignalPath:
    return SignalPath(growth or FakeGrowth(), decoder or FakeDecoder(64), FakeBank())


def playing(keys: range = range(60, 61), growth: FakeGrowth | None = None, seconds: float = 0.5) -> Synth:
    """Return a synth whose notes have sounded for a while."""
    synth = make_synth(growth, FakeDecoder(64), max_voices=32)
    set_up(synth)
    for key in keys:
        synth.send(midi.note_on(0, key, 100), 3 * key)
    synth.render(round(seconds * RATE))
    return synth


@pytest.mark.parametrize("num_notes", [1, 2, 12, 32])
def test_from_command_to_the_end_of_the_old_path_it_takes_at_most_20_ms(num_notes: int) -> None:
    synth = playing(range(40, 40 + num_notes))
    synth.set_path(path(Mute(64)))
    audio = np.abs(synth.render(RATE // 4)).max(axis=1)
    last = int(np.flatnonzero(audio > 0.0)[-1]) + 1
    assert 0 < last <= LIMIT
    assert synth.active_voices == num_notes


def test_a_note_keeps_its_pitch_level_and_age() -> None:
    growth = FakeGrowth()
    synth = playing()
    before = synth.render(RATE // 2)
    synth.set_path(path(growth=growth))
    now_s = (synth.frame - 180) / RATE
    synth.render(LIMIT)
    after = synth.render(RATE // 2)
    assert pitch_of(after) == pytest.approx(60.0, abs=0.02)
    assert level_db(after) == pytest.approx(level_db(before), abs=0.2)
    assert growth.ages_s[-1][0] == pytest.approx(now_s + LIMIT / RATE + 0.5, abs=3 * SPEC.hop_s)
    assert len(growth.ages_s) < 80, "grown from the start instead of from a few hops before"


@pytest.mark.parametrize(
    "asked",
    [(GROWTH_RATE, 96, 9.0), (GROWTH_RATE, 40, 9.0), (midi.RELEASE_TIME, 110, 0.2), (midi.RELEASE_TIME, 20, 0.2)],
    ids=["fast", "slow", "slow release", "fast release"],
)
def test_a_note_whose_clocks_run_fast_or_slow_is_as_old_on_the_other_path(asked: tuple[int, int, float]) -> None:
    controller, value, length_s = asked

    def ages_s(goes_over: bool) -> tuple[float, float]:
        growths = [FakeGrowth(release_factor=0.999) for _ in range(1 + goes_over)]
        synth = make_synth(growths[0], FakeDecoder(64), growth_controllers=True)
        perform(synth, at(0.0, midi.control_change(0, controller, value)) + note(60, 0.0, length_s), 0.8)
        if goes_over:
            synth.set_path(path(growth=growths[-1]))
        synth.render(RATE // 4)
        return growths[-1].ages_s[-1][0], growths[-1].release_ages_s[-1][0]

    stayed, gone = ages_s(goes_over=False), ages_s(goes_over=True)
    assert max(stayed) > 0.2
    assert gone == pytest.approx(stayed, abs=2 * SPEC.hop_s)


@pytest.mark.parametrize("late", [-2000, 0, 100, 250], ids=["before", "at once", "meanwhile", "at last"])
@pytest.mark.parametrize(("velocity", "speed"), [(127, 2.0), (1, 0.5)])
def test_a_release_goes_on_as_fast_on_the_other_path(velocity: int, speed: float, late: int) -> None:
    """Also one that comes while the successor prepares."""
    growth = FakeGrowth(release_factor=0.999)
    synth = playing(growth=FakeGrowth(release_factor=0.999))
    synth.send(midi.note_off(0, 60, velocity), synth.frame + 3000 + late)
    synth.render(3000)
    synth.set_path(path(growth=growth))
    synth.render(RATE // 8)
    ages_s = [float(one[0]) for one in growth.release_ages_s if one[0] > 0.0]
    assert np.diff(ages_s[-5:]) == pytest.approx(speed * SPEC.hop_s, rel=1e-3)


def test_with_the_same_growth_the_genome_is_kept() -> None:
    growth = FakeGrowth(held_factor=0.98)
    plain, switched = (playing(growth=growth, seconds=0.5) for _ in range(2))
    switched.set_path(path(growth=growth))
    levels = [level_db(synth.render(RATE // 2)[LIMIT:]) for synth in (plain, switched)]
    assert levels[1] == pytest.approx(levels[0], abs=2.0)
    assert len(growth.planted_pitches) == 2


def test_a_young_note_is_grown_again_from_its_onset() -> None:
    growth = FakeGrowth()
    synth = playing(seconds=0.06)  # the note begins at 8 ms
    synth.set_path(path(growth=growth))
    synth.render(HOP)
    assert growth.ages_s[0][0] == 0.0


def test_a_choice_taken_back_before_it_is_heard_changes_nothing() -> None:
    growth = FakeGrowth()
    plain, switched = (playing(growth=growth, seconds=0.5) for _ in range(2))
    switched.set_path(path(Mute(64), growth))
    switched.set_path(switched._growers.paths[0])
    np.testing.assert_array_equal(switched.render(5000), plain.render(5000))


def test_a_channel_changes_alone() -> None:
    def stems(channel: int | None) -> FloatArray:
        synth = make_synth(decoder=FakeDecoder(64), max_voices=32, stems=True)
        for index in (0, 1):
            synth.send(midi.note_on(index, 60 + index, 100))
        synth.render(RATE // 4)
        if channel is not None:
            synth.set_path(path(Mute(64)), channel)
        return synth.render_stems(RATE // 4).stems

    steady, changed = stems(None), stems(1)
    np.testing.assert_array_equal(changed[0], steady[0])
    assert np.abs(changed[1, LIMIT:]).max() == 0.0


def test_notes_to_come_take_the_path_of_their_channel() -> None:
    synth = make_synth(decoder=FakeDecoder(64), max_voices=32)
    synth.set_path(path(Mute(64)), 3)
    synth.send(midi.note_on(3, 60, 100))
    assert np.abs(synth.render(RATE // 4)).max() == 0.0
    synth.send(midi.note_on(2, 60, 100))
    assert np.abs(synth.render(RATE // 4)).max() > 0.01


def test_a_note_due_in_this_block_begins_on_the_new_path() -> None:
    synth = make_synth(decoder=FakeDecoder(64), max_voices=32)
    synth.send(midi.note_on(0, 60, 100), 50)
    synth.render(20)
    synth.set_path(path(Mute(64)))
    assert np.abs(synth.render(RATE // 4)).max() == 0.0


def test_back_and_forth_keeps_every_note_once_and_lets_all_of_them_end() -> None:
    synth = playing(range(40, 60))
    paths = [path(FakeDecoder(64)), path(FakeDecoder(64))]
    for index in range(12):
        synth.set_path(paths[index % 2])
        if index == 5:
            for key in range(40, 60):
                synth.send(midi.note_off(0, key))
        synth.render(17 + 30 * index)
        assert synth.active_voices == 20
    synth.render(RATE)
    assert synth.active_voices == 0 and synth.idle


def test_stealing_while_notes_go_over_finds_a_slot_for_every_note() -> None:
    synth = make_synth(decoder=FakeDecoder(8), max_voices=4)
    paths = [path(FakeDecoder(8)), path(FakeDecoder(8))]
    for index in range(40):
        synth.send(midi.note_on(0, 40 + index, 100))
        synth.send(midi.note_on(0, 80 - index, 100))
        synth.set_path(paths[index % 2])
        synth.render(30 + index)
        assert synth.active_voices <= 4
    synth.panic()
    synth.render(RATE)
    assert synth.active_voices == 0


def chord_goes_over(growth: FakeGrowth, aside: bool) -> FloatArray:
    """Let four notes of a live synth go over to another growth, in small blocks; one is released meanwhile."""
    synth = make_synth(FakeGrowth(), FakeDecoder(64), max_voices=32, grows_together=True)
    set_up(synth)
    for key in range(60, 64):
        synth.send(midi.note_on(0, key, 100), 37 * key)
    render_in_blocks(synth, RATE // 2, 100)
    if not aside:
        synth._growers._stage = None
    synth.set_path(path(growth=growth))
    synth.send(midi.note_off(0, 61), synth.frame + 180)
    return render_in_blocks(synth, RATE // 4, 100)


def test_twins_rehearse_in_a_thread_of_their_own_and_sound_the_same() -> None:
    aside, here = Watched(), Watched()
    np.testing.assert_array_equal(chord_goes_over(aside, True), chord_goes_over(here, False))
    assert any(name.startswith("preparation") for name in aside.threads)
    assert here.threads == {threading.current_thread().name}


@pytest.mark.parametrize("aside", [True, False])
def test_what_a_rehearsal_raises_is_raised_where_it_is_rendered(aside: bool) -> None:
    with pytest.raises(ModelError, match="nothing grows here"):
        chord_goes_over(Broken(), aside)


def test_changing_again_while_twins_rehearse_loses_no_slot() -> None:
    synth = make_synth(FakeGrowth(), FakeDecoder(16), max_voices=8, grows_together=True)
    for key in range(60, 68):
        synth.send(midi.note_on(0, key, 100))
    render_in_blocks(synth, RATE // 4, 100)
    paths = [path(FakeDecoder(16)), path(FakeDecoder(16))]
    for index in range(20):
        synth.set_path(paths[index % 2])
        if index == 9:
            synth.send(midi.control_change(0, midi.ALL_SOUND_OFF, 0), synth.frame + 60)
        if index in (4, 12):
            synth.panic()
        if index in (5, 13):
            for key in range(60, 68):
                synth.send(midi.note_on(0, key, 100))
        synth.render(20 * index)
        assert synth.active_voices <= 8
    synth.panic()
    render_in_blocks(synth, RATE, 100)
    allocator = synth._sequencer._allocator
    assert synth.idle and sorted(allocator._free) == list(range(16)), "a slot got lost"


def test_a_path_of_another_rate_is_refused() -> None:
    with pytest.raises(UsageError, match="8000 Hz does not fit a synth at 22050 Hz"):
        make_synth().set_path(SignalPath(FakeGrowth(spec=tiny.SPEC), FakeDecoder(8), FakeBank()))
    with pytest.raises(UsageError, match=r"channel must be in 0\.\.15"):
        make_synth().set_path(path(), 16)


def test_drums_stay_where_there_are_drums() -> None:
    melodic = FakeBank()
    melodic.has_drums = False  # type: ignore[misc]
    synth = make_synth(decoder=FakeDecoder(64), max_voices=32)
    synth.set_path(SignalPath(FakeGrowth(), Mute(64), melodic))
    synth.send(midi.note_on(9, 40, 100))
    assert np.abs(synth.render(RATE // 4)).max() > 0.01


def sounded_by(*messages: bytes, before: tuple[bytes, ...] = ()) -> list[tuple[int, int]]:
    """Return what MIDI asked for while a note of channel 1 sounded, and whether it could be heard: (0, 0) if not."""
    asked: list[tuple[int, int]] = []

    def find(_: SignalPath, representation: int, decoder: int) -> SignalPath:
        asked.append((representation, decoder))
        return muted

    muted = path(Mute(64))
    synth = make_synth(decoder=FakeDecoder(64), max_voices=32, growth_controllers=True)
    synth.find_paths_with(find)
    for message in (*before, midi.note_on(0, 60, 100)):
        synth.send(message)
    synth.render(RATE // 4)
    for message in messages:
        synth.send(message)
    heard = np.abs(synth.render(RATE // 4)[LIMIT:]).max() > 0.0
    return [(0, 0)] if heard else asked


@pytest.mark.parametrize(("controller", "asked"), [(numbers.REPRESENTATION, (2, 0)), (numbers.DECODER, (0, 2))])
@pytest.mark.parametrize("value", [20, 29])
def test_controllers_choose_the_path_of_notes_that_sound(controller: int, value: int, asked: tuple[int, int]) -> None:
    assert sounded_by(midi.control_change(0, controller, value)) == [asked]
    assert sounded_by(midi.control_change(1, controller, value)) == [(0, 0)]
    assert sounded_by(midi.control_change(0, controller, 9)) == [(0, 0)]


def test_both_controllers_at_once_make_one_change() -> None:
    both = [midi.control_change(0, 26, 15), midi.control_change(0, 27, 35)]
    assert sounded_by(*both) == [(1, 3)]


def test_a_bank_chooses_the_path_of_notes_to_come() -> None:
    bank = (midi.control_change(0, 0, 125), midi.control_change(0, 32, 23))
    assert sounded_by(*bank, midi.program_change(0, 5)) == [(0, 0)], "the note that sounds has changed"
    assert sounded_by(before=(*bank, midi.program_change(0, 5))) == [(2, 3)]
    assert sounded_by(before=bank) == [(0, 0)], "without a program change"
    assert sounded_by(before=(midi.control_change(0, 32, 23), midi.program_change(0, 5))) == [(0, 0)]


def test_a_reset_returns_to_what_was_chosen_outside() -> None:
    gm_on = bytes.fromhex("f07e7f0901f7")
    assert sounded_by(before=(midi.control_change(0, 26, 20), gm_on)) == [(0, 0)]


def test_the_last_choice_holds() -> None:
    synth = make_synth(decoder=FakeDecoder(64), max_voices=32, growth_controllers=True)
    synth.find_paths_with(lambda *_: path())
    synth.send(midi.control_change(0, 26, 20))
    synth.render(10)
    synth.set_path(path(Mute(64)))
    synth.send(midi.note_on(0, 60, 100))
    assert np.abs(synth.render(RATE // 4)).max() == 0.0


@pytest.mark.parametrize("block", [13, 333])
def test_block_sizes_change_nothing(block: int) -> None:
    def song() -> Synth:
        growth = FakeGrowth()
        others = {(1, 0): path(FakeDecoder(64, lookahead=3)), (2, 0): path(FakeDecoder(64), growth)}
        synth = make_synth(growth, FakeDecoder(64), max_voices=8, growth_controllers=True)
        synth.find_paths_with(lambda _, *asked: others.get(asked))
        for index in range(10):
            synth.send(midi.note_on(0, 50 + index, 90), 400 * index + 300)
            synth.send(midi.note_off(0, 50 + index), 500 * index + 2000)
            synth.send(midi.control_change(0, 26, 10 * (index % 3)), 611 * index + 431)
            synth.send(midi.control_change(0, 7, 90 + index), 613 * index + 450)
        return synth

    np.testing.assert_array_equal(render_in_blocks(song(), 7000, block), song().render(7000))


def test_every_name_that_can_be_chosen_has_a_number() -> None:
    for known in (names.REPRESENTATIONS, names.DECODERS):
        for index, name in enumerate(known):
            number = names.number_of(known, name)
            assert numbers.path_number(numbers.path_value(number)) == number == index + 1
            assert names.name_of(known, number) == name
        assert names.name_of(known, 0) == names.name_of(known, len(known) + 1) == ""


def test_songs_keep_the_numbers_that_they_name_paths_by() -> None:
    known = ("mel", "dual", "hierarchical", "waveform", "latent", "multi-scale")
    assert tuple(names.REPRESENTATIONS)[: len(known)] == known
    decoders = ("vocoder", "griffin-lim", "harmonic", "ensemble", "latent", "direct", "imported", "fine-harmonic")
    assert names.DECODERS[: len(decoders) + 1] == (*decoders, "glides")


def test_every_default_decoder_is_a_decoder() -> None:
    assert all(row.default_decoder in names.DECODERS for row in names.REPRESENTATIONS.values())
    assert set(MAKERS) == set(names.DECODERS)
    assert numbers.path_of_bank(numbers.bank_of_path(5, 4)) == (5, 4)


def book(*timbres: str) -> TimbreBook:
    table = TimbreTable({name: [0.0] for name in timbres}, {})
    return TimbreBook(tiny.bank().instruments, table, FakeGrowth().motions)


def test_a_representation_plays_what_it_has_timbres_for() -> None:
    reed, guitar = 71, 25
    assert book("reed", "string").instrument_for(guitar, 0, False, 60).instrument.name == "string"
    chosen = book("reed").instrument_for(guitar, 0, False, 60)
    assert (chosen.instrument.name, chosen.substituted) == ("reed", True)
    assert not book("reed").has_drums
    assert book("reed", "kit:36").instrument_for(0, 0, True, 35).instrument.name == "kit"
    assert not book("string").instrument_for(guitar, 0, False, 60).substituted
    assert book("string").instrument_for(reed, 0, False, 60).substituted
    with pytest.raises(BankError, match="no timbre of any instrument"):
        book("lute")


def chord_changes(block: int, growth: FakeGrowth | None = None) -> FloatArray:
    """Let six notes go over to another growth; meanwhile one is released, one is bent and one is cut."""
    synth = playing(range(50, 56), seconds=0.5)
    synth.send(midi.note_on(1, 72, 100))
    synth.render(RATE // 4)
    at = synth.frame + 180
    synth.set_path(path(growth=growth))
    synth.send(midi.note_off(0, 52), at + 40)
    synth.send(midi.pitch_bend(0, 3000), at + 70)
    synth.send(midi.control_change(1, midi.ALL_SOUND_OFF, 0), at + 90)
    audio = render_in_blocks(synth, RATE // 2, block)
    for key in range(50, 56):
        synth.send(midi.note_off(0, key))
    synth.render(2 * RATE)
    assert synth.idle
    allocator = synth._sequencer._allocator
    assert sorted(allocator._free) == list(range(64)), "a slot got lost"
    return audio


def test_a_chord_goes_over_alike_in_blocks_of_any_size() -> None:
    whole = chord_changes(RATE // 2)
    assert np.abs(whole[LIMIT:]).max() > 0.05
    for block in (37, 117, 1000):
        np.testing.assert_allclose(chord_changes(block), whole, atol=1e-6)


def test_a_note_that_goes_over_counts_once_among_those_that_sound() -> None:
    for wait in range(0, 500, 50):  # one of the second notes at least begins while the first goes over
        synth = make_synth(decoder=FakeDecoder(16), max_voices=8)
        synth.find_paths_with(lambda *_: path(FakeDecoder(16)))
        synth.send(midi.note_on(0, 40, 100), 0)
        synth.send(midi.control_change(0, 26, 20), 1000)
        synth.send(midi.note_on(1, 50, 100), 1000 + wait)
        synth.render(2000)
        assert synth.peak_voices == synth.active_voices == 2
