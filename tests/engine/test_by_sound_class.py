"""Decoding by the kind of sound: partials for notes with a pitch, a search for phases for resonances, else noise."""

from __future__ import annotations

import numpy as np
import pytest

from tnca_synth.engine.arrays import FloatArray
from tnca_synth.engine.decoders.base import NoteControls, lookahead_of
from tnca_synth.engine.decoders.combined.by_sound_class import SoundClassDecoder, is_noise
from tnca_synth.engine.decoders.griffin_lim import GriffinLimDecoder
from tnca_synth.engine.decoders.harmonic import HarmonicDecoder
from tnca_synth.engine.spectra.fields import Fields
from tnca_synth.engine.spectra.stft import level_from_power, power_spectrogram
from tnca_synth.midi import messages as midi

from .decoding import HOP, RATE, SPEC, chunks, decode, flat_fields, steady
from .fakes import FakeDecoder, FakeGrowth, make_synth, render_in_blocks, set_up

DRUMS = 9


def make(slots: int = 4) -> SoundClassDecoder:
    harmonic = HarmonicDecoder(SPEC, slots)
    return SoundClassDecoder(SPEC, slots, harmonic, GriffinLimDecoder(SPEC, slots), harmonic, harmonic.first_levels)


def fake(slots: int) -> SoundClassDecoder:
    """Return fakes of which that of resonances needs two frames more; low notes are noise."""
    pitched = FakeDecoder(slots, 1, noise=0.2)
    parts = (pitched, FakeDecoder(slots, 3), pitched)
    return SoundClassDecoder(SPEC, slots, *parts, levels_by_half)  # type: ignore[arg-type]


def levels_by_half(fields: Fields, controls: NoteControls) -> FloatArray:
    """Return levels that are even where those of the first fake band are low, and rough elsewhere."""
    values = next(iter(fields.values()))
    rough = values.reshape(*values.shape[:2], -1)[:, :, :1] > values.reshape(len(values), -1).mean()
    return (np.arange(SPEC.num_bins) % 2 * 0.2 * rough).astype(np.float32)


def test_notes_are_decoded_as_their_own_decoder_does_it_alone() -> None:
    rng = np.random.default_rng(0)
    even = flat_fields(1.0, 0.5, 15, voices=1)
    rough = {"linear": even["linear"] + rng.uniform(0, 0.5, even["linear"].shape).astype(np.float32)}
    pitched, noise = HarmonicDecoder(SPEC, 1), HarmonicDecoder(SPEC, 1)
    for hz, fields, alone in ((220.0, rough, pitched), (0.0, rough, GriffinLimDecoder(SPEC, 1)), (0.0, even, noise)):
        controls = steady(hz, 15)
        ours, theirs = decode(make(), fields, controls), decode(alone, fields, controls)
        np.testing.assert_allclose(ours, theirs[:, : ours.shape[1]], atol=1e-6)


def test_noise_is_told_from_resonances() -> None:
    rng = np.random.default_rng(3)
    slope = -40.0 - np.arange(SPEC.num_bins) * 0.1
    surf = slope + 0.05 * rng.standard_normal(SPEC.num_bins)
    tom = slope - 20.0 + 25.0 * np.exp(-(((np.arange(SPEC.num_bins) - 12.0) / 2.0) ** 2))
    silence = np.full(SPEC.num_bins, -100.0)
    sounds = np.stack([surf, tom, silence]).astype(np.float32)[:, None].repeat(2, 1)
    assert is_noise(sounds).tolist() == [True, False, True]


@pytest.mark.parametrize("calls", chunks(12))
def test_voices_of_all_kinds_go_on_in_one_call(calls: list[int]) -> None:
    fields = flat_fields(1.0, 0.5, 20, voices=3)
    fields["linear"][:2, :, 0, ::7] += 0.3
    f0_hz = np.array([[220.0], [0.0], [0.0]]) * np.ones(20)
    decoder, slots = make(), np.array([3, 1, 0])
    rows = [np.array([row]) for row in range(3)]
    for row, ahead in zip(rows, (1, 3, 3), strict=True):
        assert lookahead_of(decoder, bool(f0_hz[row, 0] > 0.0)) == ahead
        first = {name: values[row, :ahead] for name, values in fields.items()}
        controls = NoteControls(f0_hz[row, :ahead], np.zeros(1))
        decoder.begin(slots[row], first, controls, np.array([row[0] + 7], np.uint64))
    at, parts = np.array([1, 3, 3]), []
    for count in [*calls, 12 - sum(calls)]:
        now = {
            name: np.stack([values[row, at[row] : at[row] + count] for row in range(3)])
            for name, values in fields.items()
        }
        parts.append(decoder.decode(slots, now, NoteControls(f0_hz[:, :count], np.zeros(3))))
        at += count
    together = np.concatenate(parts, 1)
    for row in range(3):
        own = {name: values[row : row + 1] for name, values in fields.items()}
        alone = decode(make(), own, NoteControls(f0_hz[row : row + 1], np.zeros(1)), seeds=[row + 7])
        np.testing.assert_allclose(together[row], alone[0, : together.shape[1]], atol=1e-6)


def test_a_struck_body_rings_at_its_resonances() -> None:
    time = np.arange(RATE) / RATE
    resonances_hz = (180.0, 287.0, 391.0)
    body = sum(np.sin(2 * np.pi * hz * time) for hz in resonances_hz) * 0.2 * np.exp(-4.0 * time)
    level = level_from_power(power_spectrogram(body.astype(np.float32), SPEC), SPEC)
    fields = {"linear": np.stack([level, np.full_like(level, 0.5)], 1)[None]}
    struck = decode(make(), fields, steady(0.0, len(level)))[0]
    noise = decode(HarmonicDecoder(SPEC, 1), fields, steady(0.0, len(level)))[0]
    assert flatness(struck) < 0.2 * flatness(noise)


def flatness(audio: FloatArray) -> float:
    """Return how even the power is about the resonances: the geometric mean over the mean."""
    part = audio[RATE // 10 : RATE // 2]
    power = np.abs(np.fft.rfft(part * np.hanning(len(part)))) ** 2
    hz = np.fft.rfftfreq(len(part), 1.0 / RATE)
    near = power[(hz > 150.0) & (hz < 420.0)]
    return float(np.exp(np.log(near).mean()) / near.mean())


@pytest.mark.parametrize(("channel", "frames"), [(0, 2), (DRUMS, 4)])
def test_the_synth_looks_as_far_ahead_as_each_kind_of_note_needs(channel: int, frames: int) -> None:
    growth = FakeGrowth()
    synth = make_synth(growth, fake(16))  # type: ignore[arg-type]
    synth.send(midi.note_on(channel, 60, 100), 0)
    synth.render(HOP - 100)
    assert growth.batch_sizes == [1] * frames


@pytest.mark.parametrize("block_size", [1, 64, 4096])
def test_block_size_changes_nothing(block_size: int) -> None:
    def play(size: int) -> FloatArray:
        synth = make_synth(FakeGrowth(held_factor=0.95), fake(16))  # type: ignore[arg-type]
        set_up(synth)
        for beat in range(6):
            synth.send(midi.note_on(0, 60 + beat, 90), 300 * beat)
            synth.send(midi.note_on(DRUMS, 36 + beat, 110), 411 * beat)
        return render_in_blocks(synth, 3000, size)

    whole = play(3000)
    assert np.abs(whole).max() > 0.05
    np.testing.assert_allclose(play(block_size), whole, atol=1e-6)
