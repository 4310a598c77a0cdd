"""Learning an instrument: what a user gets from a folder of notes, however it ends."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import tiny
import torch

from tnca_synth.engine.bank.bank import Bank
from tnca_synth.engine.instrument_files import read_instrument
from tnca_synth.errors import DatasetError, UsageError
from tnca_synth.training.learning.figures import Judged, Judgement, Player, mean_distance, nearest_recording, sampled
from tnca_synth.training.learning.fit import Stage
from tnca_synth.training.learning.foundation import Foundation, open_foundation
from tnca_synth.training.learning.instrument import About, going_on, make_instrument
from tnca_synth.training.learning.learn import learn
from tnca_synth.training.learning.notes import at_bank_level, at_most, held_out_keys, measure, note_set
from tnca_synth.training.learning.outcome import Learned, Silent
from tnca_synth.training.learning.plan import Speed
from tnca_synth.training.learning.report import clip_of, picture_of
from tnca_synth.training.learning.start import HEARD_FRAMES, Start, nearest_start
from tnca_synth.training.measure.note_features import NoteFeatures
from tnca_synth.training.measure.recording import Recording
from tnca_synth.training.spectral.nca import TNCA

QUICK = Speed("quick", iterations=6, with_all=2, look_every=2, patience=9)
KEYS = (55, 57, 60, 62, 64, 67)
RATE = tiny.SPEC.sample_rate


@pytest.fixture(scope="module")
def foundation() -> Foundation:
    return open_foundation(tiny.bank())


@pytest.fixture(scope="module")
def shipped() -> Foundation:
    return open_foundation(Bank.load(Path("low-rate")))


def stage_of(foundation: Foundation, recordings: list[Recording], iterations: int, seed: int = 0) -> Stage:
    features = measure(foundation, recordings, lambda *_: None)
    notes = note_set(foundation, features, judges=False)
    starts = {"mine": nearest_start(foundation, features)}

    def error(model: TNCA) -> float:
        made = make_instrument(foundation, model, notes, About("mine"), (0,), {})
        return mean_distance(foundation, made, recordings)

    return Stage(foundation, notes, starts, iterations, look_every=50, patience=9, seed=seed, error=error)


def bells(keys: tuple[int, ...]) -> list[Recording]:
    """Return short decaying tones at the rate of the shipped foundation."""
    time_s = np.arange(16_000) / 22_050
    made = []
    for key in keys:
        hz = 440.0 * 2.0 ** ((key - 69) / 12)
        tone = sum(np.sin(2 * np.pi * n * hz * time_s) * np.exp(-3.0 * n * time_s) / n for n in (1, 2, 4))
        made.append(Recording((0.2 * tone).astype(np.float32), "mine", key, 100, 0.5, True, False))
    return made


def folder_of(place: Path, keys: tuple[int, ...] = KEYS, velocities: tuple[int, ...] = (100,)) -> Path:
    place.mkdir()
    for key in keys:
        for velocity in velocities:
            audio = tiny.recording(tiny.REED, key, velocity, 0.8).audio
            soundfile.write(place / f"reed_m{key:03d}_{velocity}.wav", audio, RATE)
    return place


def reeds(keys: tuple[int, ...] = KEYS, name: str = "mine") -> list[Recording]:
    return [replace(tiny.recording(tiny.REED, key, 100, 0.8), instrument=name) for key in keys]


def rms(audio: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(audio))))


@pytest.fixture(scope="module")
def mine(foundation: Foundation, tmp_path_factory: pytest.TempPathFactory) -> tuple[Learned, Path]:
    """Return an instrument learned from a folder, and its file."""
    place = tmp_path_factory.mktemp("learning")
    path = place / "mine.tnca"
    return learn(folder_of(place / "mine"), path, speed=QUICK, foundation=foundation), path


def test_a_folder_becomes_an_instrument_that_plays_heard_and_unheard_keys(
    mine: tuple[Learned, Path], foundation: Foundation
) -> None:
    learned, path = mine
    assert learned.is_complete and learned.num_bytes == path.stat().st_size
    table = read_instrument(path).table
    assert set(table.key.tolist()) >= set(KEYS) and len(table.corrected) == len(table.key)
    player = Player(foundation, read_instrument(path), RATE)
    for key in (60, 61):
        assert rms(player.play(key, 100, 0.5, 4000)) > 1e-4
    assert picture_of(path).read_bytes().startswith(b"\x89PNG") and clip_of(path).read_bytes().startswith(b"OggS")


def test_the_same_notes_and_seed_give_the_same_file(tmp_path: Path, foundation: Foundation) -> None:
    folder = folder_of(tmp_path / "mine", KEYS[:3])
    contents = []
    for number in range(2):
        path = tmp_path / f"{number}.tnca"
        learn(folder, path, speed=QUICK, name="mine", seed=3, foundation=foundation)
        contents.append(path.read_bytes())
    assert contents[0] == contents[1]


def test_another_seed_fits_in_another_way(foundation: Foundation) -> None:
    fitted = []
    for seed in (3, 3, 4):
        stage = stage_of(foundation, reeds(KEYS[:3]), iterations=3, seed=seed)
        stage.run(lambda _: None, lambda _: None)
        fitted.append(stage.fit.average["keys.weight"].numpy())
    assert np.array_equal(fitted[0], fitted[1])
    assert not np.array_equal(fitted[0], fitted[2])


def test_learning_leaves_the_foundation_as_it_is(mine: tuple[Learned, Path], foundation: Foundation) -> None:
    assert mine[0].is_complete
    fresh = open_foundation(tiny.bank()).model.state_dict()
    after = foundation.model.state_dict()
    assert all(bool((after[name] == value).all()) for name, value in fresh.items())


def test_what_is_judged_was_held_out_and_is_learned_in_the_end(mine: tuple[Learned, Path]) -> None:
    learned = mine[0]
    assert learned.judgement.are_unheard
    assert {one.key for one in learned.judgement.notes} == held_out_keys(KEYS) == {60}
    figures = learned.instrument.facts.figures
    assert {"unheard_distance", "unheard_sampler", "unheard_nearer", "iterations"} <= figures.keys()
    assert 60 in learned.instrument.table.key


def two_layers(key: int, rate: int) -> list[Recording]:
    """Return a dark soft note and a bright loud one."""
    time_s = np.arange(round(0.8 * rate)) / rate
    hz = 440.0 * 2.0 ** ((key - 69) / 12)
    made = []
    for velocity, upper in ((32, 0.1), (112, 1.0)):
        tone = sum(share * np.sin(2 * np.pi * n * hz * time_s) for n, share in ((1, 1.0), (2, upper), (3, upper)))
        made.append(Recording((0.1 * tone).astype(np.float32), "mine", key, velocity, 0.6))
    return made


def brightness_db(audio: np.ndarray, key: int, rate: int) -> float:
    """Return how loud the second partial is over the first, from 0.2 s to 0.5 s."""
    hz = 440.0 * 2.0 ** ((key - 69) / 12)
    heard = audio[round(0.2 * rate) : round(0.5 * rate)]
    heard, time_s = heard * np.hanning(len(heard)), np.arange(len(heard)) / rate
    first, second = (abs(np.sum(heard * np.exp(-2j * np.pi * n * hz * time_s))) for n in (1, 2))
    return float(20.0 * np.log10((second + 1e-9) / (first + 1e-9)))


def test_soft_and_loud_notes_sound_as_their_layers(shipped: Foundation) -> None:
    rate = shipped.spec.sample_rate
    stage = stage_of(shipped, two_layers(60, rate), iterations=1)
    made = make_instrument(shipped, stage.best_model(), stage.notes, About("mine"), (0,), {})
    player = Player(shipped, made, rate)
    played = {velocity: player.play(60, velocity, 0.6, rate) for velocity in (16, 32, 72, 112, 127)}
    found = {velocity: brightness_db(audio, 60, rate) for velocity, audio in played.items()}
    assert found[112] - found[32] > 12.0  # recorded: 20 dB
    assert found[32] + 3.0 < found[72] < found[112] - 3.0
    assert found[16] == pytest.approx(found[32], abs=2.0) and found[127] == pytest.approx(found[112], abs=2.0)


def test_one_note_plays_three_octaves(tmp_path: Path, foundation: Foundation) -> None:
    learned = learn(folder_of(tmp_path / "mine", (60,)), speed=QUICK, foundation=foundation)
    assert not learned.judgement.are_unheard
    player = Player(foundation, learned.instrument, RATE)
    levels = [rms(player.play(key, 100, 0.5, 4000)) for key in (42, 60, 78)]
    assert min(levels) > 0.05 * max(levels)


def test_fitting_brings_the_sound_nearer_to_the_notes(shipped: Foundation) -> None:
    stage = stage_of(shipped, at_bank_level(shipped, bells((60, 67)))[0], iterations=100)
    before = stage.best_error
    stage.run(lambda _: None, lambda _: None)
    assert stage.best_error < 0.9 * before


def test_a_start_is_the_timbre_that_sounds_like_the_notes(foundation: Foundation) -> None:
    for name in ("reed", "string"):
        start = nearest_start(foundation, [grown_note(foundation, name, key) for key in (60, 64)])
        assert start.names[0] == name and start.error_db < 1.0


def test_recordings_get_the_level_of_the_foundation(shipped: Foundation) -> None:
    notes = bells((60, 67))
    softer = [replace(one, audio=one.audio * np.float32(0.1)) for one in notes]
    levelled, gain_db = at_bank_level(shipped, notes)
    other, more_db = at_bank_level(shipped, softer)
    assert more_db - gain_db == pytest.approx(20.0, abs=0.5)
    assert rms(other[0].audio) == pytest.approx(rms(levelled[0].audio), rel=0.06)


class Stopping(Silent):
    """Interrupts at an iteration, or before the first one."""

    def __init__(self, at: int) -> None:
        self.at = at

    def measured(self, count: int, total: int) -> None:
        if self.at == 0:
            raise KeyboardInterrupt

    def step(self, iteration: int, iterations: int, level_db: float) -> None:
        if iteration == self.at:
            raise KeyboardInterrupt


def test_ctrl_c_keeps_what_is_there_and_going_on_counts_from_it(tmp_path: Path, foundation: Foundation) -> None:
    folder, path = folder_of(tmp_path / "mine", KEYS[:3]), tmp_path / "mine.tnca"
    stopped = learn(folder, path, speed=QUICK, foundation=foundation, listener=Stopping(5))
    assert not stopped.is_complete
    first = read_instrument(path)
    gone_on = learn(folder, path, speed=QUICK, foundation=foundation, goes_on=True)
    figures = gone_on.instrument.facts.figures
    assert gone_on.is_complete and figures["iterations"] > first.facts.figures["iterations"]


def test_ctrl_c_while_going_on_keeps_every_key_of_the_file(
    mine: tuple[Learned, Path], tmp_path: Path, foundation: Foundation
) -> None:
    learned, file = mine
    path = tmp_path / "mine.tnca"
    path.write_bytes(file.read_bytes())
    at = int(learned.instrument.facts.figures["iterations"]) + 1
    stopped = learn(file.parent / "mine", path, speed=QUICK, foundation=foundation, goes_on=True, listener=Stopping(at))
    assert not stopped.is_complete and set(stopped.instrument.table.key.tolist()) >= set(KEYS)
    assert path.read_bytes() == file.read_bytes()


def test_going_on_begins_with_the_codes_of_the_file(mine: tuple[Learned, Path]) -> None:
    learned, path = mine
    table = learned.instrument.table
    elsewhere = Start(torch.zeros(table.vectors.shape[1]), {0: torch.zeros(1)}, ("reed",), (1.0,), 3.0)
    start = going_on({"mine": elsewhere}, read_instrument(path))["mine"]
    assert start.names == ("reed",) and 0 in start.codes
    assert np.array_equal(start.vector.numpy(), table.vectors[0])
    assert np.array_equal(np.stack([start.codes[key].numpy() for key in table.key.tolist()]), table.codes)


def test_ctrl_c_before_anything_plays_leaves_nothing(tmp_path: Path, foundation: Foundation) -> None:
    folder, path = folder_of(tmp_path / "mine"), tmp_path / "mine.tnca"
    with pytest.raises(KeyboardInterrupt):
        learn(folder, path, foundation=foundation, listener=Stopping(0))
    assert not path.exists()


def test_a_folder_of_drums_becomes_a_kit(tmp_path: Path, foundation: Foundation) -> None:
    place = tmp_path / "drums"
    place.mkdir()
    for name, key in (("kick", 35), ("snare", 36)):
        soundfile.write(place / f"{name}.wav", tiny.recording(tiny.KIT, key, 100, 0.3).audio, RATE)
    learned = learn(place, tmp_path / "drums.tnca", speed=QUICK, foundation=foundation)
    facts = learned.instrument.facts
    assert facts.kind == "kit" and sorted(facts.drums) == [36, 38]
    player = Player(foundation, learned.instrument, RATE)
    assert min(rms(player.play(key, 100, 0.2, 2000)) for key in (36, 38)) > 1e-5


def test_nothing_to_learn_from_is_said_in_a_line(tmp_path: Path, foundation: Foundation) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="nothing to"):
        learn(tmp_path / "empty", foundation=foundation)
    with pytest.raises(UsageError, match="no instrument to go on from"):
        learn(tmp_path / "empty", tmp_path / "none.tnca", goes_on=True, foundation=foundation)
    with pytest.raises(UsageError, match="speed must be one of fit, full"):
        learn(tmp_path / "empty", speed="slow", foundation=foundation)


def test_few_keys_are_all_learned_from_and_outer_ones_always() -> None:
    assert held_out_keys((60, 64, 67)) == frozenset()
    many = range(40, 88, 2)
    held_out = held_out_keys(many)
    assert 4 <= len(held_out) <= 5 and not {40, 86} & held_out


def test_of_too_many_notes_every_key_keeps_some_spread_over_its_velocities() -> None:
    many = [
        Recording(np.zeros(1, np.float32), "mine", key, velocity, 1.0) for key in (60, 64) for velocity in range(1, 17)
    ]
    few = at_most(many, 6)
    assert [(one.pitch, one.velocity) for one in few] == [(60, 1), (60, 9), (60, 16), (64, 1), (64, 9), (64, 16)]
    assert at_most(many, 100) == many


def test_one_note_is_not_said_to_be_several() -> None:
    one = Judged(60, 90, 0.1, 0.2)
    assert "on 1 note that it did not hear" in str(Judgement((one,), True))
    assert "on 2 notes that it learned from" in str(Judgement((one, one), False))


def test_the_sampler_resamples_the_nearest_recording(foundation: Foundation) -> None:
    recordings = reeds((60, 67))
    assert nearest_recording(recordings, 66, 100).pitch == 67
    octave = sampled(recordings[0], 72, 100, RATE, 4000)
    spectrum = np.abs(np.fft.rfft(octave * np.hanning(len(octave))))
    loudest_hz = float(spectrum.argmax()) * RATE / len(octave)
    assert loudest_hz == pytest.approx(523.25, abs=4.0)


def grown_note(foundation: Foundation, name: str, key: int) -> NoteFeatures:
    """Return a note that the foundation itself grows, measured."""
    known = foundation.known
    which = np.flatnonzero((known.row == known.names.index(name)) & (known.key == key))
    vector, code = foundation.codes_of(which)
    model, hop_s, ones = foundation.model, foundation.spec.hop_s, torch.ones(1)
    planted = model.seed(key * ones, 100 / 127 * ones, torch.cat([vector, code], 1), ones, 0.0 * ones)
    grid, levels = planted["grid"], []
    still = torch.zeros(1, grid.shape[1])
    for frame in range(HEARD_FRAMES):
        grid = model.step(grid, planted, frame * hop_s * ones, -ones, torch.ones(1, 1, grid.shape[1]), still)
        levels.append(grid[0, :, 0].numpy())
    mel = np.stack([np.stack(levels), np.ones((HEARD_FRAMES, grid.shape[1]))], 1).astype(np.float16)
    none = np.zeros((HEARD_FRAMES, 2, 1), np.float16)
    return NoteFeatures(name, key, 100, True, False, 1.0, mel, none, 0.0, 0.0, np.zeros(HEARD_FRAMES, np.float16))
