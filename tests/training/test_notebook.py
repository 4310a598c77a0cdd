"""What the notebooks call: one note read, learned, grown and heard."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import tiny

from tnca_synth.engine.arrays import FloatArray
from tnca_synth.engine.decoders.harmonic import HarmonicDecoder
from tnca_synth.engine.spectra.spec import AudioSpec
from tnca_synth.errors import UsageError
from tnca_synth.training.measure.recording import Recording
from tnca_synth.training.notebook.grow import Training, grow_note, hear, note_set, read_note, small_config, train_note

pytestmark = pytest.mark.slow

RATE = tiny.SPEC.sample_rate
CONFIG = replace(tiny.config("dual"), iterations=6, validate_every=3)


def reed(key: int = 60, velocity: int = 100) -> Recording:
    return tiny.recording(tiny.REED, key, velocity, 1.0)


@pytest.fixture(scope="module")
def trained() -> Training:
    return train_note(CONFIG, note_set(reed(), CONFIG))


def write(path: Path, audio: FloatArray) -> Path:
    soundfile.write(path, audio, RATE)
    return path


def test_a_note_is_read_with_the_pitch_of_its_name(tmp_path: Path) -> None:
    note = read_note(write(tmp_path / "reed_C4_v70.wav", reed().audio), tiny.SPEC)
    assert (note.pitch, note.velocity, note.pitched) == (60, 70, True)
    assert note.hold_s == pytest.approx(1.0, abs=0.1)


def test_a_pitch_that_no_name_tells_is_heard(tmp_path: Path) -> None:
    assert read_note(write(tmp_path / "take.wav", reed(64).audio), tiny.SPEC).pitch == 64


def test_what_cannot_be_used_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no recording"):
        read_note(tmp_path / "none.wav", tiny.SPEC)
    with pytest.raises(UsageError, match=r"hush_C4.wav cannot be used: silent"):
        read_note(write(tmp_path / "hush_C4.wav", np.zeros(RATE, np.float32)), tiny.SPEC)


def test_a_key_and_a_velocity_that_are_held_out_elsewhere_can_be_learned_here() -> None:
    notes = note_set(reed(63, 90), CONFIG)
    assert list(notes.indices(held_out=False)) == [0]


def test_the_presets_become_small() -> None:
    for preset, representation in (("conservative", "mel"), ("dual", "dual")):
        config = small_config(preset, 40)
        assert config.model.representation == representation
        assert (config.iterations, config.validate_every) == (40, 10)
        assert config.model.spec == AudioSpec()
    assert small_config("conservative", 1).validate_every == 1


def test_training_is_followed_from_nothing_to_the_end(trained: Training) -> None:
    assert [stage.iteration for stage in trained.stages] == [0, 3, 6]
    assert len(trained.level_db) == 6
    assert all(math.isfinite(value) for value in trained.level_db)
    first, last = (stage.growth.fields["mel"] for stage in (trained.stages[0], trained.stages[-1]))
    assert not np.array_equal(first, last)


def test_the_grid_of_every_frame_is_kept(trained: Training) -> None:
    notes = note_set(reed(), CONFIG)
    growth = grow_note(trained.model, notes, extra_frames=5)
    frames = int(notes.num_frames[0]) + 5
    assert growth.grids.shape == (frames, tiny.SPEC.num_mels, CONFIG.model.channels)
    assert growth.fields["mel"].shape == (1, frames, 2, tiny.SPEC.num_mels)
    assert growth.fields["linear"].shape == (1, frames, 2, tiny.SPEC.num_bins)
    assert growth.fields["linear"].min() >= 0.0 and growth.fields["linear"][:, :, 1].max() <= 1.0
    np.testing.assert_array_equal(growth.fields["mel"][0, :, 0], np.maximum(growth.grids[:, :, 0], 0.0))


def test_a_grown_note_is_heard_as_long_as_its_recording(trained: Training) -> None:
    notes, recording = note_set(reed(), CONFIG), reed()
    growth = grow_note(trained.model, notes)
    audio = hear(HarmonicDecoder(tiny.SPEC, 1), growth, notes, tiny.SPEC, len(recording.audio))
    assert audio.shape == recording.audio.shape and np.isfinite(audio).all()


def test_the_recording_itself_would_be_heard_at_its_pitch() -> None:
    """The recording's own linear side, decoded at the pitch that `hear` gives, is the recording's tone."""
    config, recording = tiny.config("dual"), reed(69)
    notes = note_set(recording, config)
    growth = grow_note(tiny.growth_network("dual"), notes, extra_frames=0)
    linear = notes.frames("linear", 0)[None].float().numpy()
    audio = hear(HarmonicDecoder(tiny.SPEC, 1), replace(growth, fields={"linear": linear}), notes, tiny.SPEC, RATE)
    spectrum = np.abs(np.fft.rfft(audio[RATE // 4 : 3 * RATE // 4] * np.hanning(RATE // 2)))
    assert 2 * int(spectrum.argmax()) == pytest.approx(440, abs=4)
