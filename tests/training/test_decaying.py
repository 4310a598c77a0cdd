"""Which instruments decay while held is found from their recordings, where nobody says it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import tiny

from tnca_synth.engine.seed import pitch_to_hz
from tnca_synth.engine.spectral import FloatArray
from tnca_synth.training.config import DataConfig
from tnca_synth.training.dataset import decaying_instruments, held_slope, load_notes
from tnca_synth.training.features import NoteFeatures, extract
from tnca_synth.training.recordings import Recording

RATE = tiny.SPEC.sample_rate


def tone(key: int, seconds: float, decay_s: float = np.inf, swell: float = 0.0) -> FloatArray:
    """Return four partials that decay, or swell and fade slowly, with a release of 50 ms at the end."""
    audio = tiny.sines(float(pitch_to_hz(key)) * np.arange(1, 5), 0.2 / np.arange(1, 5), seconds, RATE, decay_s)
    time_s = np.arange(len(audio)) / RATE
    audio = audio * (1.0 + swell * np.sin(2 * np.pi * 0.4 * time_s))
    end = round(0.05 * RATE)
    audio[-end:] *= np.linspace(1.0, 0.0, end)
    return audio.astype(np.float32)


def features(audio: FloatArray, name: str = "one", key: int = 60) -> NoteFeatures:
    return extract(Recording(audio, name, key, 80, len(audio) / RATE - 0.05), tiny.SPEC, inharmonic=False)


@pytest.mark.parametrize("decay_s", [0.15, 0.4, 1.0, 1.8])
def test_a_plucked_note_falls_as_fast_as_it_does(decay_s: float) -> None:
    slope = held_slope(features(tone(60, 2.0, decay_s)), tiny.SPEC)
    assert slope == pytest.approx(-8.686 / decay_s, rel=0.15)


def test_a_steady_note_and_one_that_swells_do_not_fall() -> None:
    assert abs(held_slope(features(tone(60, 2.0)), tiny.SPEC)) < 1.0
    assert held_slope(features(tone(60, 3.0, swell=0.5)), tiny.SPEC) > -4.0
    rising = tone(60, 2.0) * np.linspace(0.2, 1.0, 2 * RATE, dtype=np.float32)
    assert held_slope(features(rising), tiny.SPEC) > -1.0


def test_a_hit_too_short_to_tell_counts_as_struck() -> None:
    assert held_slope(features(tone(60, 0.2)), tiny.SPEC) == -np.inf


def test_the_usual_note_of_an_instrument_decides_and_kits_are_one_instrument() -> None:
    steady = [features(tone(key, 1.5), "reed", key) for key in (60, 62, 64)]
    plucked = [features(tone(key, 1.5, 0.4), "string", key) for key in (60, 62, 64)]
    odd = [features(tone(66, 1.5, 0.4), "reed", 66)]
    drums = [features(tone(key, 0.2, 0.05), f"kit:{key}", key) for key in (36, 38)]
    assert decaying_instruments([steady + odd, plucked, drums], tiny.SPEC) == {"string", "kit"}


def test_a_folder_of_plucked_notes_is_known_to_decay(tmp_path: Path) -> None:
    for name, decay_s in (("harp", 0.4), ("oboe", np.inf)):
        (tmp_path / name).mkdir()
        for key in (60, 62, 64):
            soundfile.write(tmp_path / name / f"{key}.wav", tone(key, 1.5, decay_s), RATE)
    data = DataConfig(source="folder", path=str(tmp_path))
    notes = load_notes(data, tiny.SPEC, tmp_path / "cache")
    assert {feature.instrument for feature in notes.features} == {"harp", "oboe"}
    assert notes.decaying == {"harp"}
