"""Griffin-Lim finds phases that fit the magnitudes, hop by hop, from its first sample on."""

from __future__ import annotations

import numpy as np
import pytest

from tnca_synth.engine.arrays import FloatArray
from tnca_synth.engine.decoders.griffin_lim import GriffinLimDecoder, MelInverse
from tnca_synth.engine.spectra.fields import Fields
from tnca_synth.engine.spectra.stft import (
    hann,
    level_from_power,
    mel_filterbank,
    power_from_level,
    power_spectrogram,
    stft,
)
from tnca_synth.training.measure.distance import stft_distance

from .decoding import (
    A3_HZ,
    HOP,
    RATE,
    SPEC,
    cents,
    chunks,
    decode,
    flat_fields,
    harmonic_note,
    loudest_hz,
    rms_db,
    roughness_at_hops,
    steady,
    true_fields,
)

SUSTAIN = slice(RATE // 5, 4 * RATE // 5)


def make(field: str = "linear", slots: int = 4, **options: int) -> GriffinLimDecoder:
    return GriffinLimDecoder(SPEC, slots, field, **options)


def decoded(audio: FloatArray, field: str = "linear", **options: int) -> FloatArray:
    """Return a sound as it comes back from its true magnitudes."""
    fields = true_fields(np.pad(audio, (0, 4 * HOP)), pitched=False)
    return decode(make(field, **options), fields, steady(0.0, fields[field].shape[1]))[0][: len(audio)]


def random_phase(fields: Fields) -> FloatArray:
    """Return the magnitudes with phases of no meaning, overlapped and added."""
    magnitude = np.sqrt(power_from_level(fields["linear"][0, :, 0], SPEC)) * hann(SPEC.n_fft).sum() / 2
    phase = np.random.default_rng(0).uniform(0, 2 * np.pi, magnitude.shape)
    pieces = np.fft.irfft(magnitude * np.exp(1j * phase), axis=-1) * hann(SPEC.n_fft) / 1.5
    audio = np.zeros((len(pieces) - 1) * HOP + SPEC.n_fft)
    for t, piece in enumerate(pieces):
        audio[t * HOP : t * HOP + SPEC.n_fft] += piece
    return audio[SPEC.n_fft // 2 :].astype(np.float32)


@pytest.mark.parametrize("field", ["linear", "mel"])
@pytest.mark.parametrize("calls", chunks(12))
def test_any_number_of_hops_in_a_call_gives_the_same_samples(field: str, calls: list[int]) -> None:
    rng = np.random.default_rng(0)
    fields = flat_fields(1.0, 0.0, 12 + 3, voices=2)
    fields[field] += rng.uniform(0, 1, fields[field].shape).astype(np.float32)
    whole = decode(make(field), fields, steady([A3_HZ, 0.0], 15))
    assert whole.shape == (2, 12 * HOP)
    assert whole.dtype == np.float32
    assert np.abs(whole).max() > 1e-3
    np.testing.assert_allclose(decode(make(field), fields, steady([A3_HZ, 0.0], 15), calls), whole, rtol=0, atol=1e-6)


def test_a_note_comes_back_at_its_pitch_and_level() -> None:
    note = harmonic_note()
    audio = decoded(note)
    assert cents(loudest_hz(audio[SUSTAIN]), A3_HZ) == pytest.approx(0.0, abs=5.0)
    assert rms_db(audio[SUSTAIN]) == pytest.approx(rms_db(note[SUSTAIN]), abs=0.5)


def test_a_note_comes_back_from_mel_at_its_pitch_and_level() -> None:
    note = harmonic_note()
    audio = decoded(note, "mel")
    bands = mel_filterbank(SPEC).T
    found, wanted = (10 * np.log10((power_spectrogram(one, SPEC)[30:50] @ bands).sum()) for one in (audio, note))
    assert found == pytest.approx(wanted, abs=1.0)
    assert cents(loudest_hz(audio[SUSTAIN]), A3_HZ) == pytest.approx(0.0, abs=100.0)  # bands are no finer


def test_found_phases_are_better_than_random_ones() -> None:
    note = harmonic_note() + (0.01 * np.random.default_rng(1).standard_normal(RATE)).astype(np.float32)
    fields = true_fields(note, pitched=False)
    found = stft_distance(decoded(note), note)
    assert found < 0.7 * stft_distance(random_phase(fields)[: len(note)], note)


def inconsistency(audio: FloatArray, fields: Fields) -> float:
    """Return how far a sound's magnitudes are from those asked for, relative."""
    wanted = np.sqrt(power_from_level(fields["linear"][0, :, 0], SPEC)) * hann(SPEC.n_fft).sum() / 2
    frames = slice(4, len(audio) // HOP - 4)
    found = np.abs(stft(audio, SPEC.n_fft, HOP))
    return float(np.linalg.norm(found[frames] - wanted[frames]) / np.linalg.norm(wanted[frames]))


def test_iterations_bring_the_magnitudes_nearer_to_those_asked_for() -> None:
    note = harmonic_note(stretch=4e-4)
    fields = true_fields(note, pitched=False)
    errors = [inconsistency(decoded(note, iterations=count), fields) for count in (0, 6)]
    assert errors[1] < 0.7 * errors[0]
    assert errors[1] < 0.6 * inconsistency(random_phase(fields), fields)


def test_a_note_begins_at_its_first_sample() -> None:
    note = harmonic_note()
    audio = decoded(note)
    assert rms_db(audio[:HOP]) > rms_db(note[:HOP]) - 6.0
    assert rms_db(audio[HOP : 4 * HOP]) == pytest.approx(rms_db(note[HOP : 4 * HOP]), abs=3.0)


def test_hops_meet_without_a_click() -> None:
    assert roughness_at_hops(decoded(harmonic_note())[SUSTAIN]) < 1.5


def test_noise_has_its_power() -> None:
    hiss = (0.1 * np.random.default_rng(1).standard_normal(2 * RATE)).astype(np.float32)
    assert rms_db(decoded(hiss)[SUSTAIN]) == pytest.approx(rms_db(hiss[SUSTAIN]), abs=1.0)


def test_slots_do_not_disturb_each_other() -> None:
    rng = np.random.default_rng(2)
    fields = {"linear": rng.uniform(0, 2, (2, 12, 2, SPEC.num_bins)).astype(np.float32)}
    together = decode(make(), fields, steady([0.0, 0.0], 12), slots=[3, 1])
    shared = make()
    for voice, slot in ((0, 2), (1, 0)):
        one = {"linear": fields["linear"][voice : voice + 1]}
        np.testing.assert_allclose(
            decode(shared, one, steady(0.0, 12), slots=[slot])[0], together[voice], rtol=0, atol=1e-6
        )


def test_a_slot_keeps_nothing_of_its_last_note() -> None:
    decoder, fields = make(), flat_fields(1.5, 0.5, 12)
    first = decode(decoder, fields, steady(A3_HZ, 12), slots=[1])
    np.testing.assert_array_equal(decode(decoder, fields, steady(A3_HZ, 12), slots=[1]), first)


@pytest.mark.parametrize("field", ["linear", "mel"])
def test_silence_decodes_to_exact_silence_and_sound_may_follow(field: str) -> None:
    fields = flat_fields(0.0, 0.0, 30)
    fields[field][:, 15:, 0] = np.linspace(1.5, 0.5, fields[field].shape[3], dtype=np.float32)
    audio = decode(make(field), fields, steady(0.0, 30))[0]
    assert not audio[: 12 * HOP].any()
    assert np.abs(audio[18 * HOP :]).max() > 1e-4


def test_the_mel_inverse_gives_the_bands_back() -> None:
    bands = power_spectrogram(harmonic_note(), SPEC)[20:40] @ mel_filterbank(SPEC).T
    power = MelInverse(SPEC)(bands[None])[0]
    assert (power >= 0).all()
    again = power @ mel_filterbank(SPEC).T
    assert 10 * np.log10(again.sum() / bands.sum()) == pytest.approx(0.0, abs=0.2)
    loud = bands > 1e-3 * bands.max()
    assert np.abs(10 * np.log10(again[loud] / bands[loud])).mean() < 0.5
    assert not MelInverse(SPEC)(0 * bands[None]).any()


@pytest.mark.parametrize("voices", [2, 7])
def test_the_mel_inverse_of_a_frame_does_not_depend_on_the_others(voices: int) -> None:
    bands = np.random.default_rng(0).uniform(0, 1, (voices, 5, SPEC.num_mels)).astype(np.float32) ** 4
    together, inverse = MelInverse(SPEC)(bands), MelInverse(SPEC)
    for voice in range(voices):
        for t in range(5):
            alone = inverse(bands[voice : voice + 1, t : t + 1])[0, 0]
            np.testing.assert_array_equal(alone, together[voice, t])


@pytest.mark.parametrize("spare_frames", [0, 1])
def test_hops_join_without_a_step(spare_frames: int) -> None:
    time = np.arange(RATE) / RATE
    struck = sum(np.sin(2 * np.pi * hz * time) for hz in (61.0, 97.0, 143.0)) * 0.3 * np.exp(-6.0 * time)
    level = level_from_power(power_spectrogram(struck.astype(np.float32), SPEC), SPEC)
    fields = {"linear": np.stack([level, np.full_like(level, 0.5)], 1)[None]}

    def step_db(decoder: GriffinLimDecoder) -> float:
        audio = decode(decoder, fields, steady(0.0, len(level)))[0]
        bent = np.abs(np.diff(audio, 3))[: len(audio) // HOP * HOP - HOP].reshape(-1, HOP)[4:]
        excess = bent[:, -3:].max(1) - bent[:, :-6].max(1)
        return float(20 * np.log10(max(excess.max(), 1e-9) / np.abs(audio).max()))

    abrupt = make(iterations=2, spare_frames=spare_frames)
    abrupt._rise = np.ones_like(abrupt._rise)
    assert step_db(make(iterations=2, spare_frames=spare_frames)) < -60.0
    assert step_db(abrupt) > -60.0
