"""Spectral targets of recorded notes: levels and tonality, on mel bands and linear bins."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..engine.seed import pitch_to_hz
from ..engine.spec import AudioSpec
from ..engine.spectral import FloatArray, level_from_power, mel_filterbank, power_spectrogram
from .analysis import estimate_tuning, give_lobes_to_partials, residual_power
from .recordings import Recording
from .sway import measure_sway

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


def tonality(total: FloatArray, residual: FloatArray, spec: AudioSpec) -> FloatArray:
    """How far total power stands above its noise: 0 is noise, 1 is 40 dB or more; silence counts as noise."""
    floor = 10.0 ** (spec.floor_db / 10.0)
    ratio_db = 10.0 * np.log10(np.maximum(total, floor) / np.maximum(np.minimum(residual, total), floor * 1e-2))
    return (np.clip(ratio_db / TONALITY_RANGE_DB, 0.0, 1.0) * (total > floor)).astype(np.float32)


def extract(recording: Recording, spec: AudioSpec, inharmonic: bool) -> NoteFeatures:
    """Measure every field of one recording."""
    power = power_spectrogram(recording.audio, spec)
    bank = mel_filterbank(spec)
    cents, stretch = 0.0, 0.0
    residual = power
    sway = np.zeros(len(power), np.float32)
    if recording.pitched:
        nominal = float(pitch_to_hz(recording.pitch))
        held = recording.audio[: max(int(recording.hold_s * spec.sample_rate), spec.n_fft * 4)]
        cents, stretch = estimate_tuning(held, nominal, spec, inharmonic)
        f0_hz = nominal * 2 ** (cents / 1200)
        residual = np.minimum(residual_power(recording.audio, f0_hz, stretch, spec), power)
        residual = give_lobes_to_partials(residual, power, f0_hz, stretch, spec)
        sway = measure_sway(recording.audio, f0_hz, stretch, spec)
    fields = []
    for total, noise in ((power @ bank.T, residual @ bank.T), (power, residual)):
        pair = np.stack([level_from_power(total, spec), tonality(total, noise, spec)], 1)
        fields.append(pair.astype(np.float16))
    return NoteFeatures(
        recording.instrument, recording.pitch, recording.velocity, recording.pitched, recording.held_out,
        recording.hold_s, fields[0], fields[1], cents, stretch, sway.astype(np.float16),
    )  # fmt: skip
