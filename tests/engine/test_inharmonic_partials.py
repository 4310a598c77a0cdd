"""Partials beside the series sound as tones, at their own place, whoever sounds beside them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import tiny

from tnca_synth.engine.arrays import FloatArray
from tnca_synth.engine.decoders.base import NoteControls
from tnca_synth.engine.decoders.harmonic import HarmonicDecoder
from tnca_synth.engine.spectra.fields import Fields
from tnca_synth.engine.spectra.pitch import MAX_INHARMONIC_PARTIALS, partial_hz, partial_ratios
from tnca_synth.engine.spectra.stft import power_spectrogram

from .decoding import A3_HZ, RATE, SPEC, chunks, decode, harmonic_note, loudest_hz, steady, true_fields

RATIO = 10.336
MODES = np.array([[RATIO, 0.0, 0.0, 0.0]], np.float32)
SUSTAIN = slice(RATE // 5, 4 * RATE // 5)


def bar() -> FloatArray:
    """Return a note of ten partials and a mode."""
    audio: FloatArray = harmonic_note() + tiny.sines(np.array([A3_HZ * RATIO]), np.array([0.1]), 1.0, RATE)
    return audio


def controls_of(fields: Fields, modes: FloatArray | None) -> NoteControls:
    return replace(steady(A3_HZ, fields["linear"].shape[1]), modes=modes)


def around(audio: FloatArray) -> FloatArray:
    """Return what sounds around the mode."""
    spectrum = np.fft.rfft(audio)
    hz = np.fft.rfftfreq(len(audio), 1 / RATE)
    spectrum[np.abs(hz - A3_HZ * RATIO) > 60] = 0.0
    return np.fft.irfft(spectrum).astype(np.float32)


def flatness(audio: FloatArray) -> float:
    """Return how far the envelope of a narrow band swings: 0 for a tone, about 0.5 for noise."""
    size = len(audio)
    spectrum = np.fft.fft(audio)
    spectrum[size // 2 :] = 0.0
    envelope = np.abs(np.fft.ifft(spectrum))[size // 8 : -size // 8]
    return float(envelope.std() / envelope.mean())


def test_a_mode_is_a_tone_at_its_place_and_level() -> None:
    note = bar()
    fields = true_fields(note)
    audio = decode(HarmonicDecoder(SPEC, 1), fields, controls_of(fields, MODES))[0]
    sounding = around(audio[SUSTAIN])
    assert loudest_hz(sounding) == pytest.approx(A3_HZ * RATIO, abs=0.5)
    assert flatness(sounding) < 0.1
    at = round(A3_HZ * RATIO * SPEC.n_fft / RATE)
    levels = [power_spectrogram(one, SPEC)[30:50, at - 2 : at + 3].sum() for one in (audio, note)]
    assert 10 * np.log10(levels[0] / levels[1]) == pytest.approx(0.0, abs=1.0)


def test_without_it_the_same_is_noise() -> None:
    fields = true_fields(bar())
    audio = decode(HarmonicDecoder(SPEC, 1), fields, controls_of(fields, None))[0]
    assert flatness(around(audio[SUSTAIN])) > 0.2


def test_modes_of_other_voices_and_of_earlier_ones_change_nothing() -> None:
    fields = true_fields(bar())
    three = {name: np.repeat(values, 3, 0) for name, values in fields.items()}
    modes = np.concatenate([MODES, 0.0 * MODES, MODES[:, ::-1] + 2.5 * (MODES > 0)])
    frames = fields["linear"].shape[1]
    hz = np.full((3, frames), A3_HZ)
    decoder = HarmonicDecoder(SPEC, 4)
    for _ in range(2):  # the second time in slots that others have used
        together = decode(decoder, three, NoteControls(hz, np.zeros(3), modes=modes), slots=[2, 0, 1], seeds=[7, 7, 7])
        for row in range(3):
            own = modes[row : row + 1] if modes[row].any() else None
            alone = decode(HarmonicDecoder(SPEC, 1), fields, controls_of(fields, own), seeds=[7])[0]
            np.testing.assert_allclose(together[row], alone, atol=1e-6)
        modes = modes[[1, 2, 0]]


@pytest.mark.parametrize("calls", chunks(20))
def test_calls_of_any_length_give_the_same_samples_while_the_pitch_moves(calls: list[int]) -> None:
    fields = {name: values[:, :21] for name, values in true_fields(bar()).items()}
    controls = NoteControls(A3_HZ * np.linspace(1, 1.1, 21)[None], np.zeros(1), modes=MODES)
    whole = decode(HarmonicDecoder(SPEC, 1), fields, controls)
    np.testing.assert_allclose(decode(HarmonicDecoder(SPEC, 1), fields, controls, calls), whole, rtol=0, atol=1e-6)


def test_the_grown_fields_stay_as_they_are() -> None:
    fields = true_fields(bar())
    before = fields["linear"].copy()
    decode(HarmonicDecoder(SPEC, 1), fields, controls_of(fields, MODES))
    np.testing.assert_array_equal(fields["linear"], before)


def test_ratios_are_those_of_the_series_with_the_modes_in_order() -> None:
    series = partial_hz(1.0, np.array([0.0, 1e-4]), 8)
    np.testing.assert_array_equal(partial_ratios(np.array([0.0, 1e-4]), None, 8), series)
    none = np.zeros((2, MAX_INHARMONIC_PARTIALS), np.float32)
    np.testing.assert_array_equal(partial_ratios(np.array([0.0, 1e-4]), none, 8), series)
    both = partial_ratios(np.zeros(2), np.array([[1.5, 4.5, 0, 0], [0, 0, 0, 0]], np.float32), 6)
    np.testing.assert_array_equal(both, [[1, 1.5, 2, 3, 4, 4.5], [1, 2, 3, 4, 5, 6]])
