"""Glides, legato and half pedals: each begins where the sound is, and goes on for as long as it says."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from tnca_synth.engine.arrays import FloatArray
from tnca_synth.engine.modulation.reseeding import plan_replanting
from tnca_synth.engine.render.song import render_song
from tnca_synth.engine.voices.note_modulation import NoteModulation
from tnca_synth.midi import Song, TimedMessage
from tnca_synth.midi import messages as midi
from tnca_synth.midi.messages import control_change as cc

from .fakes import HOP, RATE, FakeGrowth, make_synth
from .listening import Event, at, note, part, perform, pitch_of, pitch_track, play

LEGATO = at(0, cc(0, midi.MONO_ON, 1), cc(0, midi.PORTAMENTO, 127), cc(0, midi.PORTAMENTO_TIME, 64))
LEAP, MAX_DRIFT, MIN_HOPS = 2.0, 0.25, 4  # as docs/midi.md has them
GLIDE_S = 2.0 * (64 / 127) ** 2  # 0.51


def steps_of(audio: FloatArray) -> FloatArray:
    return np.abs(np.diff(pitch_track(audio, window=2048, hop=256)))


def test_a_mono_note_returns_to_the_key_struck_last_of_those_still_down() -> None:
    events = at(0, cc(0, midi.MONO_ON, 1)) + note(60, 0, 1.5) + note(64, 0.2, 0.9) + note(67, 0.4, 0.3)
    audio = play(events, 1.4)
    heard = [pitch_of(part(audio, start, start + 0.2)) for start in (0.2, 0.45, 0.8, 1.15)]
    assert heard == pytest.approx([64, 67, 64, 60], abs=0.05)


def test_a_key_that_comes_up_below_the_one_that_sounds_changes_nothing() -> None:
    events = at(0, cc(0, midi.MONO_ON, 1)) + note(60, 0, 1.5) + note(64, 0.2, 0.4) + note(67, 0.4, 0.6)
    audio = play(events, 1.4)
    assert pitch_of(part(audio, 0.65, 0.95)) == pytest.approx(67, abs=0.05)
    assert pitch_of(part(audio, 1.1, 1.4)) == pytest.approx(60, abs=0.05)


def test_every_legato_glide_begins_where_the_one_before_has_brought_the_note() -> None:
    events = LEGATO + note(60, 0, 9) + note(72, 0.3, 9) + note(67, 0.3 + GLIDE_S / 2, 9)
    audio = play(events, 1.5)
    assert pitch_of(part(audio, 0.0, 0.3)) == pytest.approx(60, abs=0.05)
    assert pitch_of(part(audio, 0.52, 0.58)) == pytest.approx(66, abs=0.7)  # half the way, as the second begins
    assert pitch_of(part(audio, 1.15, 1.5)) == pytest.approx(67, abs=0.05)
    assert steps_of(part(audio, 0.25, 1.5)).max() < 0.6


def test_a_glide_after_one_that_has_ended_begins_at_its_end() -> None:
    events = LEGATO + note(60, 0, 9) + note(67, 0.1, 9) + note(72, 0.9, 9)
    audio = play(events, 1.8)
    assert pitch_of(part(audio, 0.7, 0.9)) == pytest.approx(67, abs=0.05)
    assert pitch_of(part(audio, 1.5, 1.8)) == pytest.approx(72, abs=0.05)
    assert steps_of(part(audio, 0.6, 1.8)).max() < 0.3


def test_a_glide_starts_from_where_the_pitch_is() -> None:
    modulation = NoteModulation()
    modulation.glide(100, 12.0, 1000)
    modulation.glide(600, 0.0, 500)
    samples = np.array([99, 100, 350, 599, 600, 850, 1100, 5000])
    np.testing.assert_allclose(modulation.pitch_at(samples), [0, 0, 3, 12 * 0.499, 6, 3, 0, 0], atol=1e-9)


@pytest.mark.parametrize("seed", range(20))
def test_forgetting_changes_nothing_that_is_still_to_come(seed: int) -> None:
    dice = np.random.default_rng(seed)
    kept, forgetful = NoteModulation(), NoteModulation()
    sample = now = 0
    for _ in range(12):
        sample += int(dice.integers(0, 300))
        target, length = float(dice.uniform(-12, 12)), int(dice.integers(0, 500))
        for modulation in (kept, forgetful):
            modulation.glide(sample, target, length)
        now = max(now, sample + int(dice.integers(-200, 50)))
        forgetful.forget(now)
        ahead = np.arange(now, now + 800)
        np.testing.assert_array_equal(forgetful.pitch_at(ahead), kept.pitch_at(ahead))


def test_glides_that_are_over_are_forgotten() -> None:
    modulation = NoteModulation()
    for step in range(1000):
        modulation.glide(step, float(step % 5), 10)
        modulation.forget(step)
    assert len(modulation._glides) <= 2


def release_ages(pedal: int) -> list[float]:
    """Return the age of a release hop by hop, in seconds, with the sustain pedal so far down."""
    growth = FakeGrowth(release_factor=0.99)
    perform(make_synth(growth), at(0, cc(0, midi.SUSTAIN, pedal)) + note(60, 0, 0.1), 0.6)
    return [float(ages[0]) for ages in growth.release_ages_s if ages[0] >= 0]


@pytest.mark.parametrize(("pedal", "speed"), [(0, 1), (31, 1), (32, (1 / 6) ** (1 / 32)), (47, 6**-0.5), (63, 1 / 6)])
def test_a_pedal_half_down_slows_releases_to_a_sixth(pedal: int, speed: float) -> None:
    ages = release_ages(pedal)
    assert np.diff(ages) == pytest.approx(speed * HOP / RATE, rel=1e-3)


def test_a_pedal_from_64_on_holds() -> None:
    assert release_ages(64) == []


def test_a_pedal_that_goes_half_down_slows_releases_that_are_under_way() -> None:
    growth = FakeGrowth(release_factor=0.99)
    events = note(60, 0, 0.1) + at(0.3, cc(0, midi.SUSTAIN, 63)) + at(0.5, cc(0, midi.SUSTAIN, 0))
    perform(make_synth(growth), events, 0.8)
    steps = np.diff([float(ages[0]) for ages in growth.release_ages_s if ages[0] >= 0]) * RATE / HOP
    assert [steps[5], steps[22], steps[-3]] == pytest.approx([1, 1 / 6, 1], rel=1e-3)


@pytest.mark.parametrize("pedal", [midi.SUSTAIN, midi.SOSTENUTO])
@pytest.mark.parametrize("is_key_up", [False, True])
def test_a_pedal_that_a_song_leaves_down_comes_up_at_its_end(pedal: int, is_key_up: bool) -> None:
    events: list[Event] = at(0.0, midi.note_on(0, 60, 100)) + at(0.1, cc(0, pedal, 127))
    events += at(0.2, midi.note_off(0, 60)) if is_key_up else []
    song = Song([TimedMessage(time_s, 0, data) for time_s, data in events], 0.3, 1, 1, [""], [])

    class Tape:
        frames = 0

        def write(self, block: FloatArray) -> None:
            self.frames += len(block)

    tape = Tape()
    synth = make_synth(FakeGrowth(release_factor=0.2))
    ensemble = SimpleNamespace(
        synth=synth,
        selection=SimpleNamespace(instruments=()),
        provider="cpu",
        core="numpy",
        representation="dual",
        decoder="harmonic",
        growth=None,
        why_provider="",
    )
    render_song(song, ensemble, tape)  # type: ignore[arg-type]
    assert tape.frames < 1.5 * RATE


def plan(pitches: list[float], planted: float = 60.0, hops: int = 0) -> list[bool]:
    """Return in which rounds a genome is planted anew."""
    found = plan_replanting(
        np.array(pitches)[:, None], np.array([planted]), np.array([planted]), np.array([hops]), False
    )
    return [bool(one) for one in found.replant[:, 0]]


def test_a_leap_is_planted_at_once_and_smaller_moves_wait() -> None:
    leap, move = 60.0 + LEAP + 0.1, 60.0 + LEAP - 0.1
    assert plan([leap]) == [True]
    assert plan([60.0 - LEAP - 0.1]) == [True]
    assert plan([move]) == [False]
    assert plan([60.0, leap, leap + LEAP + 0.1, leap]) == [False, True, True, True]
    assert plan([move + 0.001 * step for step in range(5)]) == [False] * (MIN_HOPS - 1) + [True, False]


def test_a_pitch_that_settles_is_planted_and_a_small_drift_on_its_way_is_not() -> None:
    assert plan([60.1, 60.1], hops=9) == [False, True]
    assert plan([60.0 + 0.9 * MAX_DRIFT + 0.001 * step for step in range(6)], hops=9) == [False] * 6
    assert plan([60.0 + MAX_DRIFT + 0.01 + 0.001 * step for step in range(3)], hops=9) == [True, False, False]


def test_a_bend_that_leaps_in_the_first_hops_of_a_note_reaches_its_genome() -> None:
    growth = FakeGrowth()
    wide = midi.registered_parameter(0, midi.RPN_BEND_RANGE, 3 << 7)
    leap = at(2.5 * HOP / RATE, midi.pitch_bend(0, 8191))
    perform(make_synth(growth), at(0, *wide) + note(60) + leap, 4 * HOP / RATE)
    assert growth.planted_pitches[0] == pytest.approx(60)
    assert growth.planted_pitches[1] == pytest.approx(63, abs=0.01)
