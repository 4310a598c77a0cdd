"""Which instruments decay while held is found from their recordings, where nobody says it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import tiny

from tnca_synth.engine.arrays import FloatArray
from tnca_synth.engine.spectra.pitch import pitch_to_hz
from tnca_synth.training.config.run import DataConfig
from tnca_synth.training.data.dataset import load_notes

pytestmark = pytest.mark.slow

RATE = tiny.SPEC.sample_rate


def tone(key: int, seconds: float, decay_s: float = np.inf, swell: float = 0.0) -> FloatArray:
    """Return four partials that decay, or swell and fade slowly, with a release of 50 ms at the end."""
    audio = tiny.sines(float(pitch_to_hz(key)) * np.arange(1, 5), 0.2 / np.arange(1, 5), seconds, RATE, decay_s)
    time_s = np.arange(len(audio)) / RATE
    audio = audio * (1.0 + swell * np.sin(2 * np.pi * 0.4 * time_s))
    end = round(0.05 * RATE)
    audio[-end:] *= np.linspace(1.0, 0.0, end)
    return audio.astype(np.float32)


def test_a_folder_of_plucked_notes_is_known_to_decay(tmp_path: Path) -> None:
    for name, decay_s in (("harp", 0.4), ("oboe", np.inf)):
        (tmp_path / name).mkdir()
        for key in (60, 62, 64):
            soundfile.write(tmp_path / name / f"{key}.wav", tone(key, 1.5, decay_s), RATE)
    data = DataConfig(source="folder", path=str(tmp_path))
    notes = load_notes(data, tiny.SPEC, tmp_path / "cache")
    assert {feature.instrument for feature in notes.features} == {"harp", "oboe"}
    assert notes.decaying == {"harp"}
