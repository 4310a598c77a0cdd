"""Refined levels become gliding partials and noise: as loud as they say, streamed, as training heard them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tnca_synth.engine.arrays import FloatArray
from tnca_synth.engine.decoders.additive import POINTS, AdditiveDecoder
from tnca_synth.engine.decoders.parts.excitation import Excitation
from tnca_synth.engine.decoders.parts.noise import PERIOD, NoiseBank, table_rows
from tnca_synth.engine.spectra.fields import Fields
from tnca_synth.engine.spectra.pitch import MAX_PARTIALS
from tnca_synth.engine.spectra.spec import AudioSpec
from tnca_synth.training.codec.source import ExcitationInput
from tnca_synth.training.hierarchical.nca import RISE, SOUND
from tnca_synth.training.hierarchical.sound import GlidingSound

from .decoding import chunks, decode, loudest_hz, steady

pytestmark = pytest.mark.slow

SPEC = AudioSpec()
BANDS, FRAMES = 24, 26
HOP, RATE = SPEC.hop_length, SPEC.sample_rate


def make(slots: int = 8) -> AdditiveDecoder:
    return AdditiveDecoder(SPEC, slots)


def fields(partials: float = 1.5, noise: float = 0.0, voices: int = 1, frames: int = FRAMES) -> Fields:
    """Return levels that stay, without rise."""
    found = {"partials": np.zeros((voices, frames, 2, MAX_PARTIALS), np.float32)}
    found["partials"][:, :, 0, :6] = partials
    found["noise"] = np.zeros((voices, frames, 2, BANDS), np.float32)
    found["noise"][:, :, 0] = noise
    return found


def moving(voices: int = 2, frames: int = FRAMES) -> Fields:
    """Return levels and rises that change in every frame."""
    rng = np.random.default_rng(0)
    found = fields(voices=voices, frames=frames)
    for values in found.values():
        values[:, :, 0] = rng.uniform(0.8, 1.6, values[:, :, 0].shape)
        values[:, :, 1] = rng.uniform(-0.2, 0.2, values[:, :, 1].shape)
    return found


def snr_db(wanted: FloatArray, found: FloatArray) -> float:
    return float(10 * np.log10((wanted**2).sum() / max(((wanted - found) ** 2).sum(), 1e-30)))


def test_a_partial_has_the_amplitude_of_its_level() -> None:
    one = fields(0.0)
    one["partials"][:, :, 0, 2] = 2.0  # 20 dB below a full-scale sine
    sound = decode(make(), one, steady(220.0, FRAMES))[0]
    assert loudest_hz(sound, RATE) == pytest.approx(660.0, abs=3.0)
    assert np.abs(sound[HOP:]).max() == pytest.approx(0.1, rel=0.01)


def test_noise_is_as_strong_as_its_level_in_every_bin() -> None:
    from tnca_synth.engine.spectra.stft import power_spectrogram

    frames = 200
    sound = decode(make(), fields(0.0, noise=1.0, frames=frames), steady(0.0, frames))[0]
    power_db = 10 * np.log10(power_spectrogram(sound, SPEC)[4:-4].mean(0))
    assert power_db[8:-8].mean() == pytest.approx(SPEC.floor_db + SPEC.level_scale_db, abs=0.5)


def test_a_rise_is_heard_halfway_through_the_hop_and_nowhere_else() -> None:
    one = fields(0.0)
    one["partials"][:, :, 0, 0] = 1.5
    one["partials"][:, 10, 1, 0] = 6.02 / SPEC.level_scale_db
    calm, risen = (decode(make(), with_rise, steady(1000.0, FRAMES))[0] for with_rise in (fields_of(one, 0.0), one))
    change = np.abs(risen - calm).reshape(-1, HOP)
    assert set(np.flatnonzero(change.max(1) > 1e-5)) == {9}
    envelope = np.abs(calm).max()
    assert np.abs(risen).max() == pytest.approx(2.0 * envelope, rel=0.1)


def fields_of(like: Fields, rise: float) -> Fields:
    found = {name: values.copy() for name, values in like.items()}
    for values in found.values():
        values[:, :, 1] = rise
    return found


@pytest.mark.parametrize("calls", chunks(FRAMES - 1))
def test_any_number_of_hops_in_a_call_gives_the_same_samples(calls: list[int]) -> None:
    controls = steady([220.0, 0.0], FRAMES)
    whole = decode(make(), moving(), controls)
    assert whole.shape == (2, (FRAMES - 1) * HOP)
    assert snr_db(whole, decode(make(), moving(), controls, calls)) > 100


def test_training_hears_the_partials_that_are_played() -> None:
    frames, controls = moving(), steady([220.0, 1500.0], FRAMES, stretch=1e-4)
    frames["noise"][:] = 0.0
    frames["noise"][:, :, 0] = -5.0
    fine = torch.zeros(2, MAX_PARTIALS + BANDS, FRAMES, RISE + 1)
    for name, cells in (("partials", slice(0, MAX_PARTIALS)), ("noise", slice(MAX_PARTIALS, None))):
        for channel, row in ((SOUND, 0), (RISE, 1)):
            fine[:, cells, :, channel] = torch.from_numpy(frames[name][:, :, row]).transpose(1, 2)
    told = Excitation(RATE, HOP, 2)
    told.begin(np.arange(2), np.array([7, 8], np.uint64))
    late = told.advance(np.arange(2), controls.f0_hz[:, 1:], controls.inharmonicity)
    before = {name: np.concatenate([values[:, :1], values], 1) for name, values in late.items() if name != "noise"}
    noise = torch.zeros(2, FRAMES * POINTS, 2, 129)
    given = ExcitationInput(torch.from_numpy(before["start"]), torch.from_numpy(before["turn"]), noise)
    wanted = GlidingSound(SPEC, BANDS)(fine, given).numpy()
    assert snr_db(wanted, decode(make(), frames, controls, [5, 1, 3])) > 60


def test_training_hears_the_noise_that_is_played() -> None:
    frames = moving(1)
    frames["partials"][:] = 0.0
    fine = torch.zeros(1, MAX_PARTIALS + BANDS, FRAMES, RISE + 1)
    fine[:, :MAX_PARTIALS, :, SOUND] = -5.0
    for channel, row in ((SOUND, 0), (RISE, 1)):
        fine[:, MAX_PARTIALS:, :, channel] = torch.from_numpy(frames["noise"][:, :, row]).transpose(1, 2)
    half = NoiseBank(AudioSpec(hop_length=HOP // POINTS))
    table = half._table[half_rows(FRAMES)]
    spectra = np.stack([table.real, table.imag], 1)[None]
    silent = torch.zeros(1, FRAMES, MAX_PARTIALS)
    wanted = GlidingSound(SPEC, BANDS)(fine, ExcitationInput(silent, silent, torch.from_numpy(spectra))).numpy()
    assert snr_db(wanted, decode(make(), frames, steady(0.0, FRAMES), seeds=[7])) > 60


def half_rows(frames: int) -> np.ndarray:
    """Return which rows of the table a note of seed 7 takes, from the point before its first frame on."""
    point = np.maximum(np.arange(frames * POINTS) - 1, 0)
    return table_rows(np.array([7], np.uint64), point[None], PERIOD // (HOP // POINTS))[0]


def test_voices_do_not_hear_each_other() -> None:
    both = decode(make(), moving(), steady([220.0, 330.0], FRAMES), slots=[5, 2], seeds=[3, 4])
    second = {name: values[1:] for name, values in moving().items()}
    alone = decode(make(), second, steady([330.0], FRAMES), slots=[0], seeds=[4])
    np.testing.assert_allclose(alone[0], both[1], rtol=0, atol=1e-6)


def test_a_slot_used_again_remembers_nothing() -> None:
    decoder, controls = make(), steady([220.0, 0.0], FRAMES)
    first = decode(decoder, moving(), controls)
    np.testing.assert_array_equal(decode(decoder, moving(), controls), first)


def test_partials_beyond_the_highest_frequency_are_not_heard() -> None:
    bright = fields()
    bright["partials"][:, :, 0] = 1.5
    sound = decode(make(), bright, steady(5000.0, FRAMES))[0]
    assert loudest_hz(sound, RATE) in (pytest.approx(5000.0, abs=10), pytest.approx(10000.0, abs=10))
    power = np.abs(np.fft.rfft(sound[HOP:] * np.hanning(len(sound) - HOP))) ** 2
    hz = np.fft.rfftfreq(len(sound) - HOP, 1 / RATE)
    near = np.abs(hz[:, None] - np.array([5000.0, 10000.0])).min(1) < 100
    assert power[~near].sum() < 1e-4 * power.sum()


def test_silent_levels_are_exact_silence() -> None:
    assert not decode(make(), fields(0.0), steady(220.0, FRAMES)).any()


def test_training_hears_silence_where_nothing_is_played() -> None:
    fine = torch.zeros(1, MAX_PARTIALS + BANDS, 4, RISE + 1)
    turn = torch.full((1, 4, MAX_PARTIALS), 0.01)
    noise = torch.ones(1, 4 * POINTS, 2, 129)
    assert GlidingSound(SPEC, BANDS)(fine, ExcitationInput(0.0 * turn, turn, noise)).abs().max() < 1e-9
