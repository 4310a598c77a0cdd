"""A released note ends, whatever its model does; a held one does not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from tnca_synth.engine.arrays import FloatArray
from tnca_synth.engine.bank.chooser import InstrumentSelection
from tnca_synth.engine.models.interfaces import Genome, HopInputs
from tnca_synth.engine.open import OpenSynth
from tnca_synth.engine.render.song import render_song
from tnca_synth.engine.synth import Synth
from tnca_synth.engine.voices.endings import FADE_DB_PER_S, FADES_AFTER_S
from tnca_synth.midi import messages as midi
from tnca_synth.midi.files.song import Song, TimedMessage

from .fakes import HOP, RATE, FakeBank, FakeGrown, FakeGrowth, make_synth, set_up
from .listening import level_db, part

pytestmark = pytest.mark.slow

HOP_S = HOP / RATE
PIECE_S = 0.5


@dataclass
class Undying(FakeGrowth):
    """Falls to a floor once released, and stays there for ever."""

    floor: float = 0.0

    def step(self, genome: Genome, hop: HopInputs) -> FakeGrown:
        grown = super().step(genome, hop)
        grown.grid[:, :, 0] = np.maximum(grown.grid[:, :, 0], self.floor)
        return FakeGrown(grown.grid, {"mel": grown.grid.transpose(0, 2, 1).copy()}, np.ones(len(grown.grid), bool))


def falling(db_per_s: float, floor_db: float = -300.0) -> Undying:
    return Undying(release_factor=10.0 ** (-db_per_s * HOP_S / 20.0), floor=10.0 ** (floor_db / 20.0))


def released(growth: FakeGrowth, *controls: bytes, notes: int = 1, velocity: int = 127) -> Synth:
    synth = make_synth(growth, max_voices=16)
    set_up(synth)
    for message in controls:
        synth.send(message, 0)
    for index in range(notes):
        synth.send(midi.note_on(0, 60 + index, velocity), 0)
        synth.send(midi.note_off(0, 60 + index), round(0.1 * RATE))
    return synth


def seconds_until_free(synth: Synth, most_s: float = 60.0) -> float:
    for piece in range(round(most_s / PIECE_S)):
        synth.render(round(PIECE_S * RATE))
        if not synth.active_voices:
            return (piece + 1) * PIECE_S
    return np.inf


@pytest.mark.parametrize(
    ("db_per_s", "floor_db", "within_s"),
    [
        (0.0, -300.0, 11.0),  # keeps its level for ever
        (1.0, -300.0, 11.0),  # falls too slowly
        (60.0, -300.0, 2.0),  # as it should
        (60.0, -71.0 + 6.0, 4.0),  # a hum a little above silence: a fake's full level is 6 dB below 1
        (60.0, -60.0, 8.0),  # louder
    ],
)
def test_a_released_note_ends(db_per_s: float, floor_db: float, within_s: float) -> None:
    assert seconds_until_free(released(falling(db_per_s, floor_db)), 15.0) <= within_s


def test_a_quiet_hum_is_over_within_a_second_or_so() -> None:
    assert seconds_until_free(released(falling(300.0, -66.0)), 15.0) <= 2.0


def test_sixteen_of_them_do_not_ring_on() -> None:
    assert seconds_until_free(released(falling(0.0), notes=16), 15.0) <= 11.0


def test_it_fades_smoothly_and_not_before_its_time() -> None:
    audio = released(falling(0.0)).render(round(9.0 * RATE))
    before, after = part(audio, 1.0, 2.0), part(audio, FADES_AFTER_S - 1.0, FADES_AFTER_S)
    assert abs(level_db(before) - level_db(after)) < 0.1
    for start_s in (6.0, 7.0, 8.0):
        fall = level_db(part(audio, start_s, start_s + 0.2)) - level_db(part(audio, start_s + 0.8, start_s + 1.0))
        assert fall == pytest.approx(0.8 * FADE_DB_PER_S, abs=0.5)


def test_the_fade_is_the_same_in_blocks_of_any_size() -> None:
    length = round(6.0 * RATE) // 4096 * 4096

    def play(block: int) -> FloatArray:
        synth = released(falling(0.0))
        return np.concatenate([synth.render(block) for _ in range(length // block)])

    np.testing.assert_array_equal(play(4096), play(512))


def test_held_notes_sound_on_at_any_level() -> None:
    for velocity, floor_db in ((127, -300.0), (1, -300.0)):
        growth = falling(0.0, floor_db)
        synth = make_synth(growth)
        set_up(synth)
        synth.send(midi.note_on(0, 60, velocity), 0)
        synth.render(round(16.0 * RATE))
        assert synth.active_voices == 1
        assert level_db(synth.render(RATE)) > -60.0


@dataclass
class Late(FakeGrowth):
    """Is silent at first, as a very slow attack is."""

    silent_s: float = 0.0

    def step(self, genome: Genome, hop: HopInputs) -> FakeGrown:
        grown = super().step(genome, hop)
        fields = {"mel": grown.grid.transpose(0, 2, 1).copy()}
        fields["mel"][hop.age_s < self.silent_s] = 0.0
        return FakeGrown(grown.grid, fields, np.ones(len(grown.grid), bool))


@pytest.mark.parametrize(("silent_s", "is_heard"), [(0.9, True), (1.1, False)])
def test_a_held_note_may_be_silent_for_a_second(silent_s: float, is_heard: bool) -> None:
    synth = make_synth(Late(silent_s=silent_s))
    synth.send(midi.note_on(0, 60, 100), 0)
    audio = synth.render(round(1.5 * RATE))
    assert bool(synth.active_voices) == is_heard
    assert (level_db(part(audio, 1.3, 1.5)) > -60.0) == is_heard


def test_a_pedal_holds_and_a_note_it_holds_does_not_end() -> None:
    synth = released(falling(0.0), midi.control_change(0, midi.SUSTAIN, 127))
    synth.render(round(14.0 * RATE))
    assert synth.active_voices == 1
    synth.send(midi.control_change(0, midi.SUSTAIN, 0))
    assert seconds_until_free(synth, 15.0) <= 11.0


def test_a_player_who_slows_releases_hears_them_longer() -> None:
    slow = released(falling(0.0), midi.control_change(0, 72, 127))  # a quarter of the speed
    audio = slow.render(round(16.0 * RATE))
    assert level_db(part(audio, 15.0, 16.0)) == pytest.approx(level_db(part(audio, 1.0, 2.0)), abs=0.1)
    assert seconds_until_free(slow, 40.0) < 40.0


class Nowhere:
    """Takes audio and forgets it."""

    def write(self, block: FloatArray) -> None:
        assert np.isfinite(block).all()


def test_a_song_of_two_seconds_is_over_soon_after() -> None:
    """Sixteen notes of a model that never lets go rang for 35 s: until the renderer's own limit."""
    timed = [
        TimedMessage(2.0 * at, 0, message)
        for key in range(48, 64)
        for at, message in ((0.0, midi.note_on(0, key, 127)), (1.0, midi.note_off(0, key)))
    ]
    timed.sort(key=lambda one: one.time_s)
    song = Song(timed, 2.0, 1, 16, [""], [])
    bank = FakeBank()
    synth = make_synth(falling(0.5), bank=bank, max_voices=16)
    report = render_song(song, OpenSynth(synth, InstrumentSelection(bank), "cpu"), Nowhere())
    assert (report.notes, report.peak_voices) == (16, 16)
    assert report.audio_seconds < 2.0 + 11.0
