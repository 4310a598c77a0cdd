"""How keys of a finished bank are tuned, and from which recordings they are heard."""

from __future__ import annotations

import librosa
import numpy as np
import pytest

from tnca_synth.engine.arrays import FloatArray
from tnca_synth.engine.bank.bank import Bank
from tnca_synth.engine.bank.instruments import BankInstrument, Tuning
from tnca_synth.training.config.run import DataConfig
from tnca_synth.training.correction.tuning import corrected, is_off, moved_to, transposed_tuning
from tnca_synth.training.measure.hearing import HEARING_RATE
from tnca_synth.training.sources.soundfont import SoundFont
from tnca_synth.training.sources.soundfont_file import Preset
from tnca_synth.training.sources.soundfont_zones import SoundFontZones, Zone
from tnca_synth.training.sources.zone_notes import heard_reach
from tnca_synth.training.validation.rendered import NoteRenderer

LAYERS = ((1, 127),)


def nearest_of(*roots: int):  # type: ignore[no-untyped-def]
    return lambda key: min(roots, key=lambda root: abs(root - key))


@pytest.fixture(scope="module")
def zones() -> SoundFontZones:
    return SoundFontZones(DataConfig().soundfont)


def test_a_soundfont_says_how_far_keys_transpose_noises(zones: SoundFontZones) -> None:
    """Key scales of FluidR3Mono: a piano's, a telephone's, an applause's, a taiko's."""
    told = {program: {one.scale_cents for one in zones.zones(0, program)} for program in (0, 124, 126, 116)}
    assert told == {0: {100}, 124: {5}, 126: {5}, 116: {50}}


def test_noises_are_tuned_by_what_their_keys_transpose_them() -> None:
    zones = [Zone(0, 59, 50, LAYERS, scale_cents=5), Zone(60, 127, 70, LAYERS)]
    tuning = transposed_tuning(zones, 40, 80, nearest_of(50, 70))
    for key, cents in ((50, 0.0), (55, -475.0), (45, 475.0), (70, 0.0), (66, 0.0)):
        assert tuning.at(key)[0] == cents, key
    assert transposed_tuning(zones[1:], 40, 80, nearest_of(50, 70)) == Tuning()


def test_errors_are_taken_from_keys_that_are_heard_alike() -> None:
    tuning = Tuning((50, 70), (4.0, 8.0), (0.0, 1e-4))
    found = corrected(tuning, {52: 5.0, 54: 7.0, 68: -3.0}, nearest_of(53, 67))
    assert found.at(53) == (pytest.approx(4.6 - 6.0), pytest.approx(1.5e-5))
    assert found.at(59)[0] == pytest.approx(5.8 - 6.0), "the last key that is heard from 53"
    assert found.at(61)[0] == pytest.approx(6.2 + 3.0)
    assert corrected(tuning, {}, nearest_of(53)) == Tuning(tuning.keys, tuning.cents, tuning.inharmonicity)
    assert is_off({60: 0.4, 61: -2.0})
    assert not is_off({60: 0.4, 61: -1.0})


def test_keys_that_are_heard_from_another_recording_are_tuned_as_that() -> None:
    tuning = Tuning((50, 60), (0.0, 10.0), (0.0, 0.0))
    moved = moved_to(tuning, nearest_of(50, 60), lambda key: 50 if key < 60 else 60)
    assert [moved.at(key)[0] for key in (52, 57, 60)] == [2.0, 0.0, 10.0]


def test_keys_are_heard_from_the_nearest_recorded_one_of_their_zone() -> None:
    zones = [Zone(0, 59, 54, LAYERS), Zone(60, 65, 60, LAYERS), Zone(66, 71, 66, LAYERS), Zone(72, 127, 72, LAYERS)]
    assert heard_reach(zones, [48, 54, 60, 72, 80]).tolist() == [51, 59, 66, 76, 127]
    assert heard_reach(zones, [54, 60, 68, 72]).tolist() == [59, 65, 71, 127]


@pytest.mark.parametrize("name", ["gunshot", "reverse-cymbal"])
def test_a_noise_sounds_on_a_key_as_its_soundfont_transposes_it(name: str) -> None:
    """On key 55 it is nearly as on key 60; by semitones it would be a fourth lower."""
    bank = Bank.load()
    one = next(instrument for instrument in bank.instruments if instrument.name == name)
    renderer = NoteRenderer(bank, bank.growth_model("dual", "cpu"), "harmonic")
    font = SoundFont(DataConfig().soundfont, HEARING_RATE)
    low, high = (shift(one, renderer, font, key) for key in (55, 65))
    assert abs(low) < 2.0
    assert abs(high) < 2.0


def shift(one: BankInstrument, renderer: NoteRenderer, font: SoundFont, key: int) -> float:
    """Return how many semitones the middle of a sound's spectrum lies above that of the recording."""
    recording = font.play(Preset(0, one.program, one.name), key, 90, 0.8, 0.0)
    return 12.0 * np.log2(middle_hz(renderer.render(one, key, 90, 0.8, len(recording))) / middle_hz(recording))


def middle_hz(audio: FloatArray) -> float:
    """Return the mean frequency of a sound on a logarithmic scale."""
    power = librosa.feature.melspectrogram(y=audio, sr=HEARING_RATE, n_mels=128, fmin=100.0).mean(1)
    hz = librosa.mel_frequencies(128, fmin=100.0, fmax=HEARING_RATE / 2)
    return float(np.exp((np.log(hz) * power).sum() / power.sum()))
