"""The controls of growth itself, heard from the shipped bank: speed, fire rate, life threshold and damage."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import pairwise

import numpy as np
import pytest

from tnca_synth.engine.arrays import FloatArray
from tnca_synth.engine.open import OpenSynth, assemble_synth
from tnca_synth.errors import UsageError
from tnca_synth.midi import messages
from tnca_synth.midi.messages import control_change as cc
from tnca_synth.midi.spec import growth_controllers

from .fakes import RATE, render_in_blocks
from .listening import Event, at, centroid_hz, level_db, note, part, perform

pytestmark = pytest.mark.slow

Setup = Callable[[OpenSynth], object]


def open_dry(instrument: str, seed: int = 0) -> OpenSynth:
    return assemble_synth(
        instrument=instrument, sample_rate=RATE, effects=False, max_voices=4, seed=seed, growth_controllers=True
    )


def play(
    instrument: str, events: list[Event], duration_s: float, set_up: Setup | None = None, seed: int = 0
) -> FloatArray:
    ensemble = open_dry(instrument, seed)
    if set_up is not None:
        set_up(ensemble)
    return perform(ensemble.synth, events, duration_s)


@cache
def plain(instrument: str, key: int, hold_s: float, duration_s: float) -> FloatArray:
    return play(instrument, note(key, 0, hold_s), duration_s)


def band_levels_db(audio: FloatArray) -> FloatArray:
    """Level of twelve bands, as far as they can be heard beside the loudest."""
    power = np.abs(np.fft.rfft(audio[:, 0] * np.hanning(len(audio)))) ** 2
    edges = np.geomspace(100.0, RATE / 2, 13)
    hz = np.fft.rfftfreq(len(audio), 1 / RATE)
    levels = [10 * np.log10(power[(hz >= a) & (hz < b)].sum() + 1e-12) for a, b in pairwise(edges)]
    return np.maximum(levels, max(levels) - 50)


def difference_db(one: FloatArray, other: FloatArray) -> float:
    return float(np.sqrt(np.mean((band_levels_db(one) - band_levels_db(other)) ** 2)))


@pytest.mark.parametrize(
    ("controller", "other", "neutral"), [(20, 127, 64), (21, 0, 127), (22, 127, 0), (102, 127, 0), (103, 127, 0)]
)
def test_neutral_values_change_no_bit(controller: int, other: int, neutral: int) -> None:
    events = at(0, cc(0, controller, other), cc(0, controller, neutral)) + note(67, 0, 0.2)
    np.testing.assert_array_equal(play("violin", events, 0.4), plain("violin", 67, 0.2, 0.4))


def test_damage_before_a_note_is_none_of_its_business() -> None:
    events = at(0, cc(0, growth_controllers.DAMAGE, 127)) + note(67, 0.1, 0.2)
    np.testing.assert_array_equal(play("violin", events, 0.5), play("violin", note(67, 0.1, 0.2), 0.5))


def test_reset_all_controllers_brings_growth_back_to_neutral() -> None:
    wild = [cc(0, 20, 0), cc(0, 21, 3), cc(0, 22, 127), cc(0, 102, 90), cc(0, messages.RESET_CONTROLLERS, 0)]
    np.testing.assert_array_equal(play("violin", at(0, *wild) + note(67, 0, 0.2), 0.4), plain("violin", 67, 0.2, 0.4))


def test_growth_rate_makes_a_piano_decay_slower_and_faster() -> None:
    slow, fast = (
        play("grand-piano", at(0, cc(0, growth_controllers.GROWTH_RATE, value)) + note(60), 1.0) for value in (45, 110)
    )
    levels = [level_db(part(audio, 0.7, 1.0)) for audio in (slow, plain("grand-piano", 60, 9.0, 1.0), fast)]
    assert levels[0] > levels[1] + 3
    assert levels[2] < levels[1] - 6


def test_growth_rate_makes_a_violin_swell_slower() -> None:
    slow = play("violin", at(0, cc(0, growth_controllers.GROWTH_RATE, 20)) + note(67), 0.4)
    assert level_db(part(slow, 0.0, 0.4)) < level_db(plain("violin", 67, 9.0, 0.4)) - 5


def test_growth_that_stands_still_holds_a_piano_and_lets_it_go() -> None:
    events = note(60, 0, 1.2) + at(0.3, cc(0, growth_controllers.GROWTH_RATE, 0))
    audio = play("grand-piano", events, 2.4)
    assert level_db(part(audio, 1.0, 1.2)) == pytest.approx(level_db(part(audio, 0.4, 0.6)), abs=0.5)
    assert difference_db(part(audio, 1.0, 1.2), part(audio, 0.4, 0.6)) < 1.5
    assert level_db(part(audio, 2.1, 2.4)) < level_db(part(audio, 1.0, 1.2)) - 30


def test_fire_rate_makes_growth_grainy_and_slower() -> None:
    def attack_db(value: int) -> float:
        return level_db(part(play("violin", at(0, cc(0, growth_controllers.FIRE_RATE, value)) + note(67), 0.2), 0, 0.2))

    assert attack_db(2) < attack_db(127) - 6
    sparse = play("violin", at(0, cc(0, growth_controllers.FIRE_RATE, 32)) + note(67), 1.0)
    assert level_db(part(sparse, 0.5, 1.0)) == pytest.approx(
        level_db(part(plain("violin", 67, 9.0, 1.0), 0.5, 1)), abs=6
    )


def test_fire_rate_is_chance_by_seed_note_and_frame() -> None:
    events = at(0, cc(0, growth_controllers.FIRE_RATE, 30)) + note(67)
    one, again, other = (play("violin", events, 0.3, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert np.abs(one - other).max() > 1e-3


def test_fire_rates_of_channels_are_their_own() -> None:
    alone = play("violin", note(67), 0.3)
    beside = play(
        "violin",
        at(0, cc(1, growth_controllers.FIRE_RATE, 5), cc(1, messages.VOLUME, 0)) + note(67) + note(60, channel=1),
        0.3,
    )
    np.testing.assert_allclose(beside, alone, atol=1e-6)


def test_a_high_life_threshold_thins_sound_out_and_low_brings_it_back() -> None:
    def set_up(ensemble: OpenSynth) -> None:
        ensemble.synth.set_growth(0, life_threshold=1.1, at_frame=round(0.5 * RATE))
        ensemble.synth.set_growth(0, life_threshold=0.1, at_frame=round(1.2 * RATE))

    audio, untouched = play("trumpet", note(60), 2.4, set_up), plain("trumpet", 60, 9.0, 2.4)
    np.testing.assert_array_equal(part(audio, 0, 0.48), part(untouched, 0, 0.48))
    assert difference_db(part(audio, 0.9, 1.2), part(untouched, 0.9, 1.2)) > 6
    assert level_db(part(audio, 0.9, 1.2)) < level_db(part(untouched, 0.9, 1.2)) - 2
    assert difference_db(part(audio, 2.1, 2.4), part(untouched, 2.1, 2.4)) < 1.5


def wounded(instrument: str, key: int, share: float = 0.25, at_s: float = 0.6, duration_s: float = 1.2) -> FloatArray:
    return play(instrument, note(key), duration_s, lambda ensemble: ensemble.synth.damage(0, share, round(at_s * RATE)))


@pytest.mark.parametrize(("instrument", "key"), [("violin", 67), ("trumpet", 60), ("church-organ", 60)])
def test_damage_is_heard_and_heals_within_200_ms(instrument: str, key: int) -> None:
    audio, untouched = wounded(instrument, key), plain(instrument, key, 9.0, 1.2)
    np.testing.assert_array_equal(part(audio, 0, 0.58), part(untouched, 0, 0.58))
    assert difference_db(part(audio, 0.6, 0.7), part(untouched, 0.6, 0.7)) > 1.5
    assert difference_db(part(audio, 0.8, 1.0), part(untouched, 0.8, 1.0)) < 1.0
    assert level_db(part(audio, 0.8, 1.0)) == pytest.approx(level_db(part(untouched, 0.8, 1.0)), abs=1.0)


def test_more_damage_takes_more() -> None:
    untouched = plain("trumpet", 60, 9.0, 1.2)
    lost = [
        np.mean(np.abs(wounded("trumpet", 60, share)[round(0.6 * RATE) :] - untouched[round(0.6 * RATE) :]))
        for share in (0.05, 0.25, 1.0)
    ]
    assert lost[0] < lost[1] < lost[2]


def test_a_note_survives_all_damage() -> None:
    def set_up(ensemble: OpenSynth) -> None:
        for hop in range(40):
            ensemble.synth.damage(0, 1.0, round(0.3 * RATE) + 256 * hop)

    audio, untouched = play("trumpet", note(60), 2.4, set_up), plain("trumpet", 60, 9.0, 2.4)
    assert level_db(part(audio, 0.5, 0.7)) < level_db(part(untouched, 0.5, 0.7)) - 5
    assert difference_db(part(audio, 2.1, 2.4), part(untouched, 2.1, 2.4)) < 2


def test_damage_depends_on_how_far_its_controller_rises_not_on_steps() -> None:
    hop_s = 256 / RATE
    falls = at(0.3, cc(0, 23, 100)) + at(0.3 + hop_s, cc(0, 23, 0))
    np.testing.assert_array_equal(
        play("violin", note(67) + falls, 0.6), play("violin", note(67) + at(0.3, cc(0, 23, 100)), 0.6)
    )
    steps = at(0.3, *(cc(0, 23, value) for value in range(0, 101, 10)))
    np.testing.assert_array_equal(
        play("violin", note(67) + steps, 0.6), play("violin", note(67) + at(0.3, cc(0, 23, 100)), 0.6)
    )


def everything_at_once(ensemble: OpenSynth) -> None:
    synth = ensemble.synth
    ensemble.set_morph(0, "clarinet")
    synth.set_growth(0, growth_rate=0.4, fire_rate=0.5, life_threshold=1.0, at_frame=3000)
    synth.damage(0, 0.3, 5000)
    synth.set_growth(0, morph=(0.8, 0.0), at_frame=6000)
    synth.set_growth(0, growth_rate=3.0, morph=(0.0, 0.5), at_frame=12000)


@pytest.mark.parametrize("block_size", [64, 1000])
@pytest.mark.parametrize("decoder", ["harmonic", "griffin-lim"])
def test_block_sizes_change_nothing(block_size: int, decoder: str) -> None:
    renders = []
    for size in (16384, block_size):
        ensemble = open_dry("violin")
        ensemble.set_decoder(decoder)
        everything_at_once(ensemble)
        for time_s, message in note(67) + note(62, 0.1, 0.3):
            ensemble.synth.send(message, round(time_s * RATE))
        renders.append(render_in_blocks(ensemble.synth, 16384, size))
    np.testing.assert_allclose(renders[1], renders[0], atol=1e-6)


EXTREMES = {
    "still": ((20, 0),),
    "fast": ((20, 127),),
    "sparse": ((21, 0),),
    "fast and sparse": ((20, 127), (21, 0)),
    "dying": ((22, 127), (20, 127)),
    "all": ((20, 20), (21, 10), (22, 127), (102, 127), (103, 127)),
}


@pytest.mark.parametrize("extreme", EXTREMES)
def test_extremes_stay_bounded_and_recover(extreme: str) -> None:
    """`benchmarks/growth_extremes.py` does this for 30 seconds and every instrument."""
    back = [(number, int(growth_controllers.NEUTRAL[number])) for number, _ in EXTREMES[extreme]]
    events = note(67)
    events += at(0.3, *(cc(0, *setting) for setting in EXTREMES[extreme]))
    events += [(0.35 + 0.05 * step, cc(0, 23, 127 * (step % 2))) for step in range(20)]
    events += at(1.5, *(cc(0, *setting) for setting in back), cc(0, 23, 0))
    audio = play("violin", events, 4.0, lambda ensemble: ensemble.set_morph(0, "trumpet", "grand-piano", "clarinet"))
    untouched = plain("violin", 67, 9.0, 4.0)
    assert np.isfinite(audio).all()
    assert np.abs(audio).max() < 0.9
    assert level_db(part(audio, 0.3, 1.5)) < level_db(part(untouched, 0.5, 1.5)) + 12
    assert level_db(part(audio, 3.4, 4.0)) == pytest.approx(level_db(part(untouched, 3.4, 4.0)), abs=1.5)
    assert difference_db(part(audio, 3.4, 4.0), part(untouched, 3.4, 4.0)) < 3


@pytest.mark.parametrize(("selector", "drive"), [(24, cc(1, 74, 110)), (25, messages.channel_pressure(1, 110))])
def test_a_dimension_of_mpe_moves_growth(selector: int, drive: bytes) -> None:
    """Value 5 of the selector is the morph's x."""
    zone = at(0, *messages.registered_parameter(0, messages.RPN_MPE, 3 << 7))
    pad = at(0, cc(0, 104, 71), cc(0, selector, 5))
    routed = play("violin", zone + pad + at(0, drive) + note(67, channel=1), 0.5)
    by_hand = play("violin", zone + pad + at(0, cc(1, 102, 110)) + note(67, channel=1), 0.5)
    np.testing.assert_array_equal(routed, by_hand)
    assert centroid_hz(part(routed, 0.2, 0.5)) != pytest.approx(
        centroid_hz(part(plain("violin", 67, 9.0, 0.5), 0.2, 0.5)), rel=0.05
    )


@pytest.mark.parametrize(
    "values", [{"growth_rate": -0.1}, {"growth_rate": 5}, {"fire_rate": 0}, {"life_threshold": 2}, {"morph": (0, 1.1)}]
)
def test_values_out_of_range_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(UsageError, match=r"must be in .* got"):
        open_dry("violin").synth.set_growth(0, **values)
