"""Spectral targets of recorded notes: levels and tonality, on mel bands and linear bins."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...engine.arrays import FloatArray
from ...engine.spectra.pitch import pitch_to_hz
from ...engine.spectra.spec import AudioSpec
from ...engine.spectra.stft import level_from_power, mel_filterbank, power_spectrogram
from .pitch_track import measure_sway, straighten
from .recording import Recording
from .tuning_and_tonality import estimate_tuning, give_lobes_to_partials, residual_power

TONALITY_RANGE_DB = 40.0


@dataclass(frozen=True, eq=False)
class NoteFeatures:
    """Fields of one recorded note.

    Attributes
    ----------
    mel : float16 (T, 2, num_mels)
        Level and tonality of each band.
    linear : float16 (T, 2, num_bins)
        Level and tonality of each bin.
    tuning_cents, inharmonicity : measured by `estimate_tuning`, 0 when unpitched.
    sway : float16 (T,), semitones that the pitch is off at each spectral frame; see `measure_sway`
    sustains : whether it keeps its level while held
    softest, root : of `Recording`
    told : whether it was not recorded, but told from notes of other keys; see `training.data.between_keys`
    """

    instrument: str
    pitch: int
    velocity: int
    pitched: bool
    held_out: bool
    hold_s: float
    mel: np.ndarray
    linear: np.ndarray
    tuning_cents: float
    inharmonicity: float
    sway: np.ndarray
    sustains: bool = True
    softest: int = 0
    root: int = -1
    told: bool = False


def tonality(total: FloatArray, residual: FloatArray, spec: AudioSpec) -> FloatArray:
    """How far total power stands above its noise: 0 is noise, 1 is 40 dB or more; silence counts as noise."""
    floor = 10.0 ** (spec.floor_db / 10.0)
    ratio_db = 10.0 * np.log10(np.maximum(total, floor) / np.maximum(np.minimum(residual, total), floor * 1e-2))
    return (np.clip(ratio_db / TONALITY_RANGE_DB, 0.0, 1.0) * (total > floor)).astype(np.float32)


def tonal_and_noise(
    audio: FloatArray, f0_hz: float, stretch: float, sway: FloatArray, spec: AudioSpec
) -> tuple[FloatArray, FloatArray]:
    """Return the power of a pitched sound and of the noise in it, each (T, num_bins).

    Both as they are when the pitch does not sway: a window in which partials move shows them as noise.
    """
    frames = np.arange(len(sway))
    if sway.any():
        audio, frames = straighten(audio, sway, spec)
    power = power_spectrogram(audio, spec)
    noise = np.minimum(residual_power(audio, f0_hz, stretch, spec), power)
    noise = give_lobes_to_partials(noise, power, f0_hz, stretch, spec)
    return power[frames], noise[frames]


def extract(recording: Recording, spec: AudioSpec, inharmonic: bool) -> NoteFeatures:
    """Measure every field of one recording."""
    power = power_spectrogram(recording.audio, spec)
    bank = mel_filterbank(spec)
    cents, stretch = 0.0, 0.0
    sway = np.zeros(len(power), np.float32)
    total, noise = power, power
    if recording.pitched:
        nominal = float(pitch_to_hz(recording.pitch))
        held = recording.audio[: max(int(recording.hold_s * spec.sample_rate), spec.n_fft * 4)]
        cents, stretch = estimate_tuning(held, nominal, spec, inharmonic)
        f0_hz = nominal * 2 ** (cents / 1200)
        sway = measure_sway(recording.audio, f0_hz, stretch, spec)
        total, noise = tonal_and_noise(recording.audio, f0_hz, stretch, sway, spec)
    fields = []
    for level, whole, rest in ((power @ bank.T, total @ bank.T, noise @ bank.T), (power, total, noise)):
        pair = np.stack([level_from_power(level, spec), tonality(whole, rest, spec)], 1)
        fields.append(pair.astype(np.float16))
    return NoteFeatures(
        recording.instrument, recording.pitch, recording.velocity, recording.pitched, recording.held_out,
        recording.hold_s, fields[0], fields[1], cents, stretch, sway.astype(np.float16),
        recording.sustains, recording.softest, recording.root,
    )  # fmt: skip
