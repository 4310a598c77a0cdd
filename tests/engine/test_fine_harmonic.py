"""The fine harmonic decoder reads partials and noise off mel bands as the harmonic one does off bins."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tnca_synth.engine.arrays import FloatArray
from tnca_synth.engine.decoders.base import NoteControls
from tnca_synth.engine.decoders.fine_harmonic import FineHarmonicDecoder, lobes_around
from tnca_synth.engine.decoders.harmonic import HarmonicDecoder
from tnca_synth.engine.decoders.parts.oscillators import lobe_power
from tnca_synth.engine.spectra.fields import Fields
from tnca_synth.engine.spectra.stft import level_from_power, mel_edges_hz, mel_filterbank, power_spectrogram
from tnca_synth.engine.spectra.tone import frequencies_hz

from .decoding import A3_HZ, HOP, RATE, SPEC, cents, chunks, decode, harmonic_note, loudest_hz, rms_db, steady

pytestmark = pytest.mark.slow

FINE = replace(SPEC, num_mels=160)
SUSTAIN = slice(RATE // 5, 4 * RATE // 5)


def fields_of(audio: FloatArray, tonality: float) -> Fields:
    level = level_from_power(power_spectrogram(audio, SPEC) @ mel_filterbank(FINE).T, FINE)
    return {"mel160": np.stack([level, np.full_like(level, tonality)], 1)[None]}


@pytest.mark.parametrize("calls", chunks(20))
def test_any_number_of_hops_in_a_call_gives_the_same_samples(calls: list[int]) -> None:
    rng = np.random.default_rng(0)
    fields = {"mel160": rng.uniform(0, [[2.0], [1.0]], (3, 21, 2, 160)).astype(np.float32)}
    controls = NoteControls(np.array([[220.0], [0.0], [1000.0]]) * np.linspace(1, 1.2, 21), np.array([0.0, 0.0, 3e-4]))
    whole = decode(FineHarmonicDecoder(SPEC, 4), fields, controls)
    assert whole.shape == (3, 20 * HOP)
    assert np.abs(whole).max() > 0.05
    again = decode(FineHarmonicDecoder(SPEC, 4), fields, controls, calls)
    np.testing.assert_allclose(again, whole, rtol=0, atol=1e-6)


@pytest.mark.parametrize("f0_hz", [41.2, 65.4, A3_HZ, 1046.5, 3520.0])
@pytest.mark.parametrize("stretch", [0.0, 4e-4])
def test_a_measured_note_comes_back_at_its_pitch_and_level(f0_hz: float, stretch: float) -> None:
    note = harmonic_note(stretch, f0_hz=f0_hz, partials=min(20, int(9_000 / f0_hz)))
    fields = fields_of(note, tonality=1.0)
    audio = decode(FineHarmonicDecoder(SPEC, 1), fields, steady(f0_hz, fields["mel160"].shape[1], stretch))[0]
    assert rms_db(audio[SUSTAIN]) == pytest.approx(rms_db(note[SUSTAIN]), abs=1.0)
    if f0_hz >= A3_HZ:  # the two lowest partials of deeper ones are alike in level
        assert cents(loudest_hz(audio[SUSTAIN]), f0_hz) == pytest.approx(0.0, abs=0.5)


def test_noise_comes_back_at_its_level_in_every_part_of_the_spectrum() -> None:
    noise = (0.1 * np.random.default_rng(0).standard_normal(2 * RATE)).astype(np.float32)
    fields = fields_of(noise, tonality=0.0)
    audio = decode(FineHarmonicDecoder(SPEC, 1), fields, steady(0.0, fields["mel160"].shape[1]))[0]
    found, wanted = (power_spectrogram(one, SPEC)[20:150].mean(0) for one in (audio, noise))
    for part in np.array_split(np.arange(4, 508), 6):
        assert 10 * np.log10(found[part].sum() / wanted[part].sum()) == pytest.approx(0.0, abs=1.5)


def test_it_agrees_with_the_decoder_of_bins() -> None:
    note = harmonic_note()
    power = power_spectrogram(note, SPEC)
    level = level_from_power(power, SPEC)
    bins = {"linear": np.stack([level, np.ones_like(level)], 1)[None]}
    controls = steady(A3_HZ, len(level))
    wanted = decode(HarmonicDecoder(SPEC, 1), bins, controls)[0][SUSTAIN]
    found = decode(FineHarmonicDecoder(SPEC, 1), fields_of(note, 1.0), controls)[0][SUSTAIN]
    assert 10 * np.log10((wanted**2).sum() / ((found - wanted) ** 2).sum()) > 20.0


@pytest.mark.parametrize("size", [40, 80, 160])
def test_controls_colour_the_bands_of_every_scale_at_their_frequencies(size: int) -> None:
    np.testing.assert_array_equal(frequencies_hz(SPEC, size), mel_edges_hz(replace(SPEC, num_mels=size))[1:-1])


def test_one_sine_gives_the_lobe_at_all_bins_around_a_partial() -> None:
    beyond = np.concatenate([np.linspace(0.0, 1.0, 1001), [1e-12, 1e-7, 1.0 - 1e-7]])
    wanted = [lobe_power(bin_ - beyond) for bin_ in (-1, 0, 1, 2)]
    np.testing.assert_allclose(lobes_around(beyond), wanted, rtol=0, atol=1e-7)
