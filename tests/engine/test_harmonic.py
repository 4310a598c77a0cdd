"""The harmonic decoder sounds what was measured: pitch, level, noise, attack; in calls of any length."""

from __future__ import annotations

import numpy as np
import pytest

from tnca_synth.engine.decoders.base import NoteControls
from tnca_synth.engine.decoders.harmonic import HarmonicDecoder, Split
from tnca_synth.engine.decoders.parts.oscillators import lobe_power
from tnca_synth.engine.spectra.pitch import partial_hz
from tnca_synth.engine.spectra.stft import power_from_level, power_spectrogram

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


def make(slots: int = 4) -> HarmonicDecoder:
    return HarmonicDecoder(SPEC, slots)


@pytest.mark.parametrize("calls", chunks(20))
def test_any_number_of_hops_in_a_call_gives_the_same_samples(calls: list[int]) -> None:
    rng = np.random.default_rng(0)
    fields = {"linear": rng.uniform(0, [[2.0], [1.0]], (3, 21, 2, SPEC.num_bins)).astype(np.float32)}
    f0 = np.array([[220.0], [0.0], [1000.0]]) * np.linspace(1, 1.2, 21)
    controls = NoteControls(f0, np.array([0.0, 0.0, 3e-4]))
    whole = decode(make(), fields, controls)
    assert whole.shape == (3, 20 * HOP)
    assert whole.dtype == np.float32
    assert np.abs(whole).max() > 0.05
    np.testing.assert_allclose(decode(make(), fields, controls, calls), whole, rtol=0, atol=1e-6)


@pytest.mark.parametrize("stretch", [0.0, 4e-4])
def test_a_measured_note_comes_back_at_its_pitch_and_level(stretch: float) -> None:
    note = harmonic_note(stretch)
    fields = true_fields(note, inharmonic=stretch > 0)
    audio = decode(make(), fields, steady(A3_HZ, fields["linear"].shape[1], stretch))[0]
    assert cents(loudest_hz(audio[SUSTAIN]), A3_HZ) == pytest.approx(0.0, abs=0.5)
    assert rms_db(audio[SUSTAIN]) == pytest.approx(rms_db(note[SUSTAIN]), abs=0.5)
    found, wanted = (power_spectrogram(one, SPEC)[30:50].mean(0) for one in (audio, note))
    for hz in partial_hz(A3_HZ, stretch, 10):  # every partial at its own place and level
        at = slice(round(hz * SPEC.n_fft / RATE) - 2, round(hz * SPEC.n_fft / RATE) + 3)
        assert 10 * np.log10(found[at].sum() / wanted[at].sum()) == pytest.approx(0.0, abs=0.5)


@pytest.mark.parametrize("f0_hz", [41.2, 65.4, 1046.5, 3520.0])
def test_level_is_right_where_partials_lie_close_and_where_they_lie_far(f0_hz: float) -> None:
    note = harmonic_note(f0_hz=f0_hz, partials=min(20, int(10_000 / f0_hz)))
    power = power_spectrogram(note, SPEC)
    level = np.maximum((10 * np.log10(power + 1e-12) - SPEC.floor_db) / SPEC.level_scale_db, 0)
    fields = {"linear": np.stack([level, np.ones_like(level)], 1)[None].astype(np.float32)}
    audio = decode(make(), fields, steady(f0_hz, len(level)))[0]
    assert rms_db(audio[SUSTAIN]) == pytest.approx(rms_db(note[SUSTAIN]), abs=0.5)


def test_a_note_begins_at_its_first_sample_and_at_full_level() -> None:
    note = harmonic_note()
    fields = true_fields(note)
    audio = decode(make(), fields, steady(A3_HZ, fields["linear"].shape[1]))[0]
    assert abs(audio[0]) < 0.01 * np.abs(audio).max()  # in sine phase: no click
    assert np.abs(audio[1:20]).max() > 0.3 * np.abs(note[1:20]).max()
    for hop in range(4):
        part = slice(hop * HOP, (hop + 1) * HOP)
        assert rms_db(audio[part]) == pytest.approx(rms_db(note[part]), abs=2.0)


def test_hops_meet_without_a_click() -> None:
    fields = true_fields(harmonic_note())
    audio = decode(make(), fields, steady(A3_HZ, fields["linear"].shape[1]))[0]
    assert roughness_at_hops(audio[SUSTAIN]) < 1.1


def test_levels_glide_from_frame_to_frame() -> None:
    fields = flat_fields(1.5, 1.0, 21)
    fields["linear"][:, 10:, 0] += 0.5  # 20 dB up from one frame to the next
    audio = decode(make(), fields, steady(A3_HZ, 21))[0]
    assert roughness_at_hops(audio[2 * HOP :]) < 1.1


def test_a_bend_keeps_the_phase_and_arrives() -> None:
    frames = 87
    fields = flat_fields(1.5, 1.0, frames)
    fields["linear"][..., 40:] = 0.0  # few partials, so that clicks would show
    f0 = A3_HZ * 2 ** (np.clip(np.arange(frames) - 20, 0, 20) / 20 * 2 / 12)[None]
    audio = decode(make(), fields, NoteControls(f0, np.zeros(1)))[0]
    assert roughness_at_hops(audio[2 * HOP :]) < 1.1
    for part, f0_hz in ((slice(0, 19 * HOP), A3_HZ), (slice(42 * HOP, None), A3_HZ * 2 ** (2 / 12))):
        partial = loudest_hz(audio[part]) / f0_hz
        assert cents(partial, round(partial)) == pytest.approx(0.0, abs=2.0)


def test_partials_beyond_nyquist_do_not_fold_back() -> None:
    audio = decode(make(), flat_fields(1.5, 1.0, 87), steady(7000.0, 87))[0]
    power = power_spectrogram(audio, SPEC)[20:60].mean(0)
    assert round(float(np.argmax(power)) * RATE / SPEC.n_fft, -2) == 7000.0
    elsewhere = np.abs(np.arange(SPEC.num_bins) * RATE / SPEC.n_fft - 7000.0) > 200.0
    assert power[elsewhere].max() < 1e-3 * power.max()  # nothing but the noise that tonality 1 still allows


@pytest.mark.parametrize("level", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("f0_hz", [0.0, A3_HZ])
def test_noise_has_the_power_it_was_grown_with(level: float, f0_hz: float) -> None:
    frames = 500
    wanted_db = 10 * np.log10(power_from_level(np.float32(level), SPEC))
    audio = decode(make(), flat_fields(level, 0.0, frames), steady(f0_hz, frames))[0]
    power = power_spectrogram(audio, SPEC)[5:-5, 10:-10]
    assert 10 * np.log10(power.mean()) == pytest.approx(wanted_db, abs=0.5)
    by_band = 10 * np.log10([band.mean() for band in np.array_split(power, 8, 1)])
    np.testing.assert_allclose(by_band, wanted_db, atol=0.8)


def test_noise_neither_clicks_nor_pulses_at_hops() -> None:
    audio = decode(make(), flat_fields(1.0, 0.0, 600), steady(0.0, 600))[0]
    by_place = (audio.reshape(-1, HOP // 8, 8)[10:].astype(np.float64) ** 2).mean((0, 2))
    assert np.abs(10 * np.log10(by_place / by_place.mean())).max() < 0.8


def test_what_is_unpitched_sounds_whole_as_noise() -> None:
    tonal, noisy = (decode(make(), flat_fields(1.0, t, 100), steady(0.0, 100))[0] for t in (1.0, 0.0))
    assert rms_db(tonal) == pytest.approx(rms_db(noisy), abs=0.1)
    assert rms_db(tonal) > -60.0


def test_a_measured_drum_comes_back_at_its_level() -> None:
    hit = (0.2 * np.random.default_rng(1).standard_normal(RATE)).astype(np.float32)
    fields = true_fields(hit, pitched=False)
    audio = decode(make(), fields, steady(0.0, fields["linear"].shape[1]))[0]
    assert rms_db(audio[SUSTAIN]) == pytest.approx(rms_db(hit[SUSTAIN]), abs=0.5)


def test_tonality_splits_power_and_loses_none() -> None:
    for tonality, noise_db in ((0.0, 0.0), (0.5, -20.0), (1.0, -40.0)):
        pair = flat_fields(1.5, tonality, 1)["linear"]
        tone = Split(SPEC).tone(pair[:, :, 0], pair[:, :, 1])
        noise = Split(SPEC).noise(pair[:, :, 0], pair[:, :, 1], np.array(True)) ** 2
        total = power_from_level(np.float32(1.5), SPEC)
        np.testing.assert_allclose(tone + noise, total, rtol=1e-5)
        np.testing.assert_allclose(10 * np.log10(noise / total), noise_db, atol=0.01)


def test_slots_do_not_disturb_each_other() -> None:
    rng = np.random.default_rng(2)
    fields = {"linear": rng.uniform(0, [[2.0], [1.0]], (2, 30, 2, SPEC.num_bins)).astype(np.float32)}
    controls = steady([220.0, 331.0], 30)
    together = decode(make(), fields, controls, slots=[3, 1], seeds=[11, 12])
    shared = make()
    for voice, slot in ((0, 2), (1, 0)):
        one = {"linear": fields["linear"][voice : voice + 1]}
        part = NoteControls(controls.f0_hz[voice : voice + 1], controls.inharmonicity[:1])
        alone = decode(shared, one, part, slots=[slot], seeds=[11 + voice])
        np.testing.assert_allclose(alone[0], together[voice], rtol=0, atol=1e-6)


def test_a_slot_keeps_nothing_of_its_last_note() -> None:
    decoder, fields, controls = make(), flat_fields(1.5, 0.5, 20), steady(A3_HZ, 20)
    first = decode(decoder, fields, controls, slots=[1])
    np.testing.assert_array_equal(decode(decoder, fields, controls, slots=[1]), first)


def test_noise_differs_by_seed_alone() -> None:
    fields, controls = flat_fields(1.0, 0.0, 20, voices=2), steady([0.0, 0.0], 20)
    same = decode(make(), fields, controls, seeds=[5, 5])
    np.testing.assert_array_equal(same[0], same[1])
    other = decode(make(), fields, controls, seeds=[5, 6])
    assert np.corrcoef(other)[0, 1] == pytest.approx(0.0, abs=0.1)


def test_silence_decodes_to_exact_silence() -> None:
    assert not decode(make(), flat_fields(0.0, 1.0, 20, voices=2), steady([A3_HZ, 0.0], 20)).any()


def test_the_lobe_is_the_windows_own() -> None:
    assert lobe_power(np.array([0.0, 1.0, 2.0, 3.0])) == pytest.approx([1.0, 0.25, 0.0, 0.0])
    for hz_bin in (100.0, 100.25, 100.5):
        time = np.arange(SPEC.n_fft * 4) / SPEC.n_fft
        power = power_spectrogram(np.sin(2 * np.pi * hz_bin * time).astype(np.float32), SPEC)[8]
        np.testing.assert_allclose(power[99:102], lobe_power(np.array([99, 100, 101]) - hz_bin), atol=1e-3)


def test_a_voice_sounds_alone_as_it_does_among_others_to_the_bit() -> None:
    rng = np.random.default_rng(3)
    pitches = [27.5, 3000.0, 110.0, 0.0, 440.0, 1500.0]
    fields = {"linear": rng.uniform(0, [[2.0], [1.0]], (6, 20, 2, SPEC.num_bins)).astype(np.float32)}
    fields["linear"][2, 10:, 1, 30:] = 0.0  # its higher partials end
    f0 = np.array(pitches)[:, None] * np.linspace([1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 1.1, 0.9], 20).T
    controls = NoteControls(f0, np.array([4e-4, 0, 0, 0, 0, 1e-4]))
    together = decode(make(6), fields, controls, [3, 1, 5])  # the last call takes more than a tile holds
    for voice in range(6):
        one = {"linear": fields["linear"][voice : voice + 1]}
        part = NoteControls(f0[voice : voice + 1], controls.inharmonicity[voice : voice + 1])
        alone = decode(make(6), one, part, [3, 1, 5], slots=[voice], seeds=[7 + voice])
        np.testing.assert_array_equal(alone[0], together[voice])


@pytest.mark.parametrize("order", [[0, 1], [1, 0]])
def test_notes_that_begin_apart_and_go_on_together_sound_as_each_alone(order: list[int]) -> None:
    fields = flat_fields(1.0, 0.6, 9, voices=2)
    fields["linear"][1] *= 0.8
    f0_hz = np.array([[220.0], [330.0]]) * np.ones(9)
    both = HarmonicDecoder(SPEC, 4)
    slots, rest = np.array([2, 0]), {name: values[:, 1:] for name, values in fields.items()}
    for row in order:
        rows = np.array([row])
        first = {name: values[rows, :1] for name, values in fields.items()}
        both.begin(slots[rows], first, NoteControls(f0_hz[rows, :1], np.zeros(1)), np.array([row + 5], np.uint64))
    together = both.decode(slots, rest, NoteControls(f0_hz[:, 1:], np.zeros(2)))
    for row in range(2):
        own = {name: values[row : row + 1] for name, values in fields.items()}
        alone = decode(HarmonicDecoder(SPEC, 1), own, NoteControls(f0_hz[row : row + 1], np.zeros(1)), seeds=[row + 5])
        np.testing.assert_allclose(together[row], alone[0], atol=1e-6)


def test_a_slot_that_begins_anew_before_it_went_on_forgets_the_first_note() -> None:
    fields, controls = flat_fields(1.0, 0.6, 9, voices=1), steady(220.0, 9)
    used, slot = HarmonicDecoder(SPEC, 1), np.array([0])
    louder = {name: values[:, :1] * 1.3 for name, values in fields.items()}
    used.begin(slot, louder, steady(500.0, 1), np.array([9], np.uint64))
    np.testing.assert_array_equal(decode(used, fields, controls), decode(HarmonicDecoder(SPEC, 1), fields, controls))
