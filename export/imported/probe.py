"""How much a capped look-ahead changes the sound of a vocoder: measured when it is imported, with its own weights."""

from __future__ import annotations

from copy import copy

import numpy as np

from ...engine.arrays import FloatArray
from ...engine.decoders.base import NoteControls
from ...engine.decoders.imported.decoder import ImportedDecoder
from ...engine.decoders.imported.mel import ImportedMel
from ...engine.spectra.spec import AudioSpec
from ...engine.spectra.stft import level_from_power, power_spectrogram

PROBE_S = 1.0
PROBE_HZ = 220.0
HOPS = 8


def own_spec(mel: ImportedMel) -> AudioSpec:
    """Return the spec of a representation that fits a vocoder."""
    return AudioSpec(mel.sample_rate, mel.n_fft, mel.hop_length, mel.num_mels)


def cap_snr_db(decoder: ImportedDecoder) -> float:
    """Return the SNR in dB of a capped decoder against one that sees all, over the first hops of a decaying tone."""
    spec = own_spec(decoder.mel)
    time_s = np.arange(round(PROBE_S * spec.sample_rate)) / spec.sample_rate
    partials = np.arange(1, 21)[:, None]
    tone = (np.sin(2 * np.pi * PROBE_HZ * partials * time_s) / partials).sum(0) * 0.2 * np.exp(-3.0 * time_s)
    level = level_from_power(power_spectrogram(tone.astype(np.float32), spec), spec)
    field = np.stack([level, np.zeros_like(level)], 1)[None, : decoder.full_lookahead + HOPS].astype(np.float32)
    free = copy(decoder)
    free.lookahead = free.full_lookahead
    wanted, found = _play(free, field), _play(decoder, field)
    error = np.sum((wanted - found).astype(np.float64) ** 2)
    return float(10.0 * np.log10(np.sum(wanted.astype(np.float64) ** 2) / max(error, 1e-30)))


def _play(decoder: ImportedDecoder, field: FloatArray) -> FloatArray:
    """Return the first hops of a note, (HOPS * hop_length,)."""
    slots, ahead = np.array([0]), decoder.lookahead
    first, rest = field[:, :ahead], field[:, ahead : ahead + HOPS]
    decoder.begin(slots, {"linear": first}, _still(ahead), np.zeros(1, np.uint64))
    return decoder.decode(slots, {"linear": rest}, _still(rest.shape[1]))[0]


def _still(frames: int) -> NoteControls:
    return NoteControls(np.full((1, frames), PROBE_HZ), np.zeros(1))
