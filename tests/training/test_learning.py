"""Learning an instrument: what a user gets from a folder of notes, however it ends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import tiny

from tnca_synth.engine.instrument_files import read_instrument
from tnca_synth.errors import DatasetError, UsageError
from tnca_synth.training.learning import plan
from tnca_synth.training.learning.fit import error_db
from tnca_synth.training.learning.foundation import Foundation, open_foundation
from tnca_synth.training.learning.learn import Silent, learn
from tnca_synth.training.learning.notes import at_bank_level, held_out_keys, measure, note_set
from tnca_synth.training.learning.plan import Speed
from tnca_synth.training.learning.report import clip_of, picture_of
from tnca_synth.training.learning.sound import Player, nearest_recording, sampled
from tnca_synth.training.learning.stages import Stage
from tnca_synth.training.learning.start import nearest_start
from tnca_synth.training.measure.recording import Recording

QUICK = Speed("quick", iterations=6, with_all=2, look_every=2, patience=9)
KEYS = (55, 57, 60, 62, 64, 67)
RATE = tiny.SPEC.sample_rate


@pytest.fixture(scope="module")
def foundation() -> Foundation:
    return open_foundation(tiny.bank())


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let "fit" take moments."""
    monkeypatch.setitem(plan.SPEEDS, "fit", QUICK)
    yield


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


def test_a_folder_becomes_an_instrument_that_plays_heard_and_unheard_keys(
    tmp_path: Path, foundation: Foundation
) -> None:
    path = tmp_path / "mine.tnca"
    learned = learn(folder_of(tmp_path / "mine"), path, foundation=foundation)
    assert learned.is_complete and learned.num_bytes == path.stat().st_size
    table = read_instrument(path).table
    assert table.key.tolist() == list(KEYS) and len(table.corrected) == len(KEYS)
    player = Player(foundation, read_instrument(path), RATE)
    for key in (60, 61):
        assert rms(player.play(key, 100, 0.5, 4000)) > 1e-4
    assert picture_of(path).read_bytes().startswith(b"\x89PNG") and clip_of(path).read_bytes().startswith(b"OggS")


def test_the_same_seed_gives_the_same_file_and_another_one_another(tmp_path: Path, foundation: Foundation) -> None:
    folder = folder_of(tmp_path / "mine")
    contents = []
    for number, seed in enumerate((3, 3, 4)):
        path = tmp_path / f"{number}.tnca"
        learn(folder, path, name="mine", seed=seed, foundation=foundation)
        contents.append(path.read_bytes())
    assert contents[0] == contents[1]
    assert contents[0] != contents[2]


def test_learning_leaves_the_foundation_as_it_is(tmp_path: Path, foundation: Foundation) -> None:
    before = {name: value.clone() for name, value in foundation.model.state_dict().items()}
    learn(folder_of(tmp_path / "mine"), foundation=foundation)
    after = foundation.model.state_dict()
    assert all(bool((after[name] == value).all()) for name, value in before.items())


def test_what_is_judged_was_held_out_and_is_learned_in_the_end(tmp_path: Path, foundation: Foundation) -> None:
    learned = learn(folder_of(tmp_path / "mine"), foundation=foundation)
    assert learned.judgement.are_unheard
    assert {one.key for one in learned.judgement.notes} == held_out_keys(KEYS) == {60}
    figures = learned.instrument.facts.figures
    assert {"unheard_distance", "unheard_sampler", "unheard_nearer", "iterations"} <= figures.keys()
    assert 60 in learned.instrument.table.key


def test_one_note_plays_three_octaves(tmp_path: Path, foundation: Foundation) -> None:
    learned = learn(folder_of(tmp_path / "mine", (60,)), foundation=foundation)
    assert not learned.judgement.are_unheard
    player = Player(foundation, learned.instrument, RATE)
    levels = [rms(player.play(key, 100, 0.5, 4000)) for key in (42, 60, 78)]
    assert min(levels) > 0.05 * max(levels)


def test_fitting_brings_the_growth_nearer_to_the_notes(foundation: Foundation) -> None:
    features = measure(foundation, at_bank_level(foundation, reeds())[0], lambda *_: None)
    notes = note_set(foundation, features, judges=False)
    stage = Stage(foundation, notes, {"mine": nearest_start(foundation, features)}, 40, 10, 9, 0)
    before = stage.best_db
    stage.run(lambda _: None, lambda _: None)
    every = notes.indices(held_out=False)
    assert stage.best_db < 0.9 * before
    assert error_db(stage.model(), notes, every, 200) == pytest.approx(stage.best_db, abs=0.01)


def test_a_start_is_the_timbre_that_sounds_like_the_notes(foundation: Foundation) -> None:
    known = [note for note in tiny.notes().features if note.instrument == "reed"]
    rendered = nearest_start(foundation, [_grown(foundation, "reed", key) for key in (60, 64)])
    assert len(known) and rendered.names[0] == "reed" and rendered.error_db < 1.0


def test_recordings_get_the_level_of_the_foundation(foundation: Foundation) -> None:
    softer = [replace(one, audio=one.audio * np.float32(0.1)) for one in reeds()]
    levelled, gain_db = at_bank_level(foundation, reeds())
    other, more_db = at_bank_level(foundation, softer)
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
    folder, path = folder_of(tmp_path / "mine"), tmp_path / "mine.tnca"
    stopped = learn(folder, path, foundation=foundation, listener=Stopping(5))
    assert not stopped.is_complete
    first = read_instrument(path)
    gone_on = learn(folder, path, foundation=foundation, goes_on=True)
    figures = gone_on.instrument.facts.figures
    assert gone_on.is_complete and figures["iterations"] > first.facts.figures["iterations"]
    assert figures["level_error_db"] <= first.facts.figures["level_error_db"] + 0.5


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
    learned = learn(place, tmp_path / "drums.tnca", foundation=foundation)
    facts = learned.instrument.facts
    assert facts.kind == "kit" and sorted(facts.drums) == [36, 38]
    player = Player(foundation, learned.instrument, RATE)
    assert min(rms(player.play(key, 100, 0.2, 2000)) for key in (36, 38)) > 1e-5


def test_nothing_to_learn_from_is_said_in_a_line(tmp_path: Path, foundation: Foundation) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="nothing to learn from"):
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


def test_the_sampler_resamples_the_nearest_recording(foundation: Foundation) -> None:
    recordings = reeds((60, 67))
    assert nearest_recording(recordings, 66, 100).pitch == 67
    octave = sampled(recordings[0], 72, 100, RATE, 4000)
    spectrum = np.abs(np.fft.rfft(octave * np.hanning(len(octave))))
    loudest_hz = float(spectrum.argmax()) * RATE / len(octave)
    assert loudest_hz == pytest.approx(523.25, abs=4.0)


def _grown(foundation: Foundation, name: str, key: int) -> object:
    """Return a note that the foundation itself grows, measured."""
    from tnca_synth.training.measure.note_features import NoteFeatures

    row = foundation.known.names.index(name)
    which = np.flatnonzero((foundation.known.row == row) & (foundation.known.key == key))
    import torch

    from tnca_synth.training.learning.start import HEARD_FRAMES
    from tnca_synth.training.learning.start import _grown as grow_known

    facts = torch.tensor([[float(key), 100 / 127.0, 1.0]]).T
    level = np.repeat(grow_known(foundation, which, *facts)[0], 3, 0)[:HEARD_FRAMES]
    mel = np.stack([level, np.ones_like(level)], 1).astype(np.float16)
    none = np.zeros((len(mel), 2, 1), np.float16)
    return NoteFeatures(name, key, 100, True, False, 1.0, mel, none, 0.0, 0.0, np.zeros(len(mel), np.float16))
