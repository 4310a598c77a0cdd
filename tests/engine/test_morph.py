"""Morphing between timbres: where it begins and ends, on the way, and what it must not do."""

from __future__ import annotations

import numpy as np
import pytest

from tnca_synth.engine.arrays import FloatArray
from tnca_synth.engine.modulation.morph import travel
from tnca_synth.engine.open import OpenSynth, assemble_synth
from tnca_synth.engine.voices.timbre_pad import Morph, Pad, pad_weights
from tnca_synth.engine.voices.voice import Patch
from tnca_synth.errors import UsageError
from tnca_synth.midi.messages import control_change as cc
from tnca_synth.midi.messages import note_on, program_change

from .fakes import RATE
from .listening import at, level_db, note, part, perform, roughness
from .test_growth_controls import difference_db, open_dry, plain, play

pytestmark = pytest.mark.slow

X, Y = 102, 103


def morphing(value: float, instrument: str = "violin", into: str = "clarinet", key: int = 67) -> FloatArray:
    def set_up(ensemble: OpenSynth) -> None:
        ensemble.set_morph(0, into)
        ensemble.synth.set_growth(0, morph=(value, 0.0))

    return play(instrument, note(key), 0.8, set_up)


def test_weights_of_the_pad_sum_to_one_and_are_whole_in_its_corners() -> None:
    places = np.random.default_rng(0).uniform(size=(50, 2))
    np.testing.assert_allclose(pad_weights(places).sum(axis=-1), 1.0)
    for corner, place in enumerate([(0, 0), (1, 0), (0, 1), (1, 1)]):
        np.testing.assert_array_equal(pad_weights(place), np.eye(4)[corner])


@pytest.mark.parametrize(("instrument", "into", "key"), [("violin", "clarinet", 67), ("grand-piano", "trumpet", 60)])
def test_the_ends_are_the_instruments(instrument: str, into: str, key: int) -> None:
    np.testing.assert_array_equal(morphing(0.0, instrument, into, key), plain(instrument, key, 9.0, 0.8))
    start, end = morphing(1.0, instrument, into, key), plain(into, key, 9.0, 0.8)
    np.testing.assert_allclose(start, end, atol=1e-4)


def test_between_the_ends_lies_something_else() -> None:
    violin, clarinet = (part(plain(name, 67, 9.0, 0.8), 0.4, 0.8) for name in ("violin", "clarinet"))
    middle = part(morphing(0.5), 0.4, 0.8)
    apart = difference_db(violin, clarinet)
    assert apart > 3
    assert 0.15 * apart < difference_db(middle, violin) < 1.5 * apart
    assert 0.15 * apart < difference_db(middle, clarinet) < 1.5 * apart


def test_a_sounding_note_arrives_without_a_click_and_returns() -> None:
    def set_up(ensemble: OpenSynth) -> None:
        ensemble.set_morph(0, "clarinet")
        ensemble.synth.set_growth(0, morph=(1.0, 0.0), at_frame=round(0.8 * RATE))
        ensemble.synth.set_growth(0, morph=(0.0, 0.0), at_frame=round(1.8 * RATE))

    audio = play("violin", note(67), 2.8, set_up)
    violin, clarinet = plain("violin", 67, 9.0, 2.8), plain("clarinet", 67, 9.0, 2.8)
    np.testing.assert_allclose(part(audio, 0, 0.78), part(violin, 0, 0.78), atol=1e-6)
    # The grid keeps something of where it came from.
    apart = difference_db(part(violin, 1.4, 1.8), part(clarinet, 1.4, 1.8))
    assert difference_db(part(audio, 1.4, 1.8), part(clarinet, 1.4, 1.8)) < 0.4 * apart
    assert difference_db(part(audio, 2.4, 2.8), part(violin, 2.4, 2.8)) < 0.4 * apart
    rough = np.array([roughness(part(audio, 0.7 + step / 100, 0.71 + step / 100)) for step in range(180)])
    assert (rough[2:-2] < 1.5 * np.maximum(rough[:-4], rough[4:])).all()  # nowhere rougher than both before and after


def test_a_program_by_cc_is_a_corner_like_one_by_name() -> None:
    by_cc = play("violin", at(0, cc(0, 104, 71), cc(0, X, 127)) + note(67), 0.8)
    np.testing.assert_allclose(by_cc, morphing(1.0), atol=1e-6)


def test_four_instruments_meet_on_a_pad() -> None:
    names = ("violin", "clarinet", "trumpet", "church-organ")
    for name, place in zip(names, [(0, 0), (127, 0), (0, 127), (127, 127)], strict=True):
        events = at(0, cc(0, X, place[0]), cc(0, Y, place[1])) + note(67)
        audio = play("violin", events, 0.5, lambda ensemble: ensemble.set_morph(0, *names[1:]))
        np.testing.assert_allclose(audio, plain(name, 67, 9.0, 0.5), atol=1e-4)


def test_without_corners_the_pad_does_nothing() -> None:
    events = at(0, cc(0, X, 127), cc(0, Y, 127)) + note(67, 0, 0.2)
    np.testing.assert_array_equal(play("violin", events, 0.4), plain("violin", 67, 0.2, 0.4))


def test_an_unpitched_instrument_is_reached_and_left_within_bounds() -> None:
    def set_up(ensemble: OpenSynth) -> None:
        ensemble.set_morph(0, "sea-shore")
        ensemble.synth.set_growth(0, morph=(1.0, 0.0), at_frame=round(0.5 * RATE))
        ensemble.synth.set_growth(0, morph=(0.0, 0.0), at_frame=round(1.5 * RATE))

    audio, violin = play("violin", note(67), 2.8, set_up), plain("violin", 67, 9.0, 2.8)
    assert np.abs(audio).max() < 0.7
    assert difference_db(part(audio, 1.2, 1.5), part(violin, 1.2, 1.5)) > 5
    assert level_db(part(audio, 2.4, 2.8)) == pytest.approx(level_db(part(violin, 2.4, 2.8)), abs=1.5)


def test_planting_is_rare_on_the_way() -> None:
    ensemble = open_dry("violin")
    assert ensemble.growth is not None
    plantings, plant = [], ensemble.growth.plant

    def counted(*arguments: FloatArray) -> object:
        plantings.append(len(arguments[0]))
        return plant(*arguments)

    ensemble.growth.plant = counted  # type: ignore[method-assign, assignment]
    ensemble.set_morph(0, "clarinet")
    sweep = [(0.2 + 0.005 * step, cc(0, X, step)) for step in range(128)]
    perform(ensemble.synth, note(67) + sweep, 1.2)
    assert 6 <= len(plantings) <= 1 + 0.64 * RATE / 256 / 4 + 2


def test_a_slow_way_over_the_pad_sounds_the_same_in_small_blocks() -> None:
    """Slow enough that no single block brings the note far from where it was planted."""

    def swept(block: int) -> FloatArray:
        ensemble = open_dry("violin")
        ensemble.set_morph(0, "clarinet")
        synth = ensemble.synth
        synth.send(note_on(0, 67, 100), 0)
        for step in range(60):
            synth.send(cc(0, X, step), 300 * step)
        return np.concatenate([synth.render(block) for _ in range(20_480 // block)])

    np.testing.assert_allclose(swept(128), swept(20_480), rtol=0, atol=1e-6)


def test_a_voice_glides_however_far_the_controller_leaps() -> None:
    semitones = np.array([0.0, 1, 0, 0])
    pad = Pad(np.zeros((4, 3), np.float32), np.ones(4), semitones, np.zeros(4), np.zeros((4, 2)), roles=())

    class Row:
        morph = Morph(pad, (0.0, 0.0))
        patch = Patch(pad.timbres[0], pitched=True, inharmonicity=0.0)

    controls = np.zeros((20, 1, 14))
    controls[:, 0, 12] = 1.0
    journey = travel([Row()], np.array([False]), controls, 256 / RATE)  # type: ignore[list-item]
    assert journey is not None
    steps = np.diff(journey.places[:, 0, 0], prepend=0.0)
    assert steps.max() == pytest.approx(256 / RATE / 0.1), "a tenth of a second from side to side"
    assert journey.places[-1, 0, 0] == 1.0
    np.testing.assert_allclose(journey.semitones[:, 0], journey.places[:, 0, 0])


def test_an_unknown_instrument_is_named_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean 'clarinet'"):
        open_dry("violin").set_morph(0, "clarinett")


def test_programs_of_channels_morph_as_well() -> None:
    ensemble = assemble_synth(sample_rate=RATE, effects=False, max_voices=4, growth_controllers=True)
    events = at(0, program_change(0, 40), cc(0, 104, 71), cc(0, X, 127)) + note(67)
    np.testing.assert_allclose(perform(ensemble.synth, events, 0.5), plain("clarinet", 67, 9.0, 0.5), atol=1e-4)
