"""What the stages of a hierarchical TNCA are to reach: measured levels of bands, partials and noise, and the sound.

Letters: T spectral frames, H partials, N noise bands, K fine cells.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...engine.arrays import FloatArray
from ...engine.decoders.harmonic import Split, onset_coverage
from ...engine.decoders.parts.oscillators import Comb
from ...engine.spectra.pitch import MAX_PARTIALS, pitch_to_hz
from ...engine.spectra.spec import AudioSpec
from ...engine.spectra.stft import hz_to_mel, level_from_power
from ..codec.notes import SoundNotes, load_sounds
from ..config.models import HierarchicalConfig
from ..config.run import TrainConfig
from ..data.dataset import Measure
from ..measure.note_features import NoteFeatures
from ..multiscale.trainer import measure_scales

FINE = "fine"
"""Name of the field that holds levels of partials and noise, (T, 1, K)."""


def measure_stages(config: HierarchicalConfig) -> Measure:
    """Return what measures the coarse bands and the fine cells of a note, from its linear side."""
    coarse = measure_scales({config.field_names[0]: config.spec_of(config.bands[0])})
    spec = config.spec
    split, comb = Split(spec), Comb(spec, 1)
    onset_amplitude, onset_power = onset_coverage(spec)
    spread = noise_shares(config.noise_bands, spec)

    def measure(note: NoteFeatures) -> dict[str, NDArray[np.float16]]:
        level, tonality = note.linear[:, 0].astype(np.float32), note.linear[:, 1].astype(np.float32)
        frame = np.minimum(np.arange(len(level)), len(onset_power) - 1)
        noise = split.noise(level, tonality, np.array(note.pitched)) ** 2 / onset_power[frame, None]
        tones = np.zeros((len(level), MAX_PARTIALS), np.float32)
        if note.pitched:
            tones = _tones(note, split.tone(level, tonality), comb) / onset_amplitude[frame, None] ** 2
        power = np.concatenate([tones, noise @ spread], 1)
        return coarse(note) | {FINE: level_from_power(power, spec)[:, None].astype(np.float16)}

    return measure


def _tones(note: NoteFeatures, tone: FloatArray, comb: Comb) -> FloatArray:
    """Return the squared amplitudes (T, H) of partials in the tonal power (T, bins)."""
    hz = float(pitch_to_hz(note.pitch)) * 2.0 ** (note.tuning_cents / 1200.0)
    places = comb.places(np.zeros(1, np.intp), np.array([[hz]]), np.array([note.inharmonicity]))
    found = tone[:, places.around[0, 0]].sum(1) * places.gain[0]
    return np.pad(found, ((0, 0), (0, MAX_PARTIALS - found.shape[1])))


def noise_shares(bands: int, spec: AudioSpec) -> FloatArray:
    """Return the weights (bins, N) whose sums of power over bins are the mean power around each noise band."""
    hz = np.arange(spec.num_bins) * spec.sample_rate / spec.n_fft
    place = hz_to_mel(hz) / hz_to_mel(spec.sample_rate / 2.0) * (bands - 1)
    weights = np.maximum(0.0, 1.0 - np.abs(place[:, None] - np.arange(bands)))
    nearest = np.abs(place[:, None] - np.arange(bands)).argmin(0)
    weights[nearest, np.arange(bands)] += 1e-3  # low bands may be narrower than a bin
    return (weights / weights.sum(0)).astype(np.float32)


def load_stage_notes(
    config: TrainConfig, cache: Path, workers: int, report: Callable[[str], None] = lambda _: None
) -> SoundNotes:
    """Load a preset's notes with what all stages of its model learn from; see `load_sounds`."""
    measure = measure_stages(config.hierarchical)
    return load_sounds(config.data, config.hierarchical.spec, cache, workers, report, measure=measure)
