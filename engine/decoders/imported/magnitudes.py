"""From grown fields to magnitudes at the bins: read off where bins were grown, else found from the bands and the pitch.

Letters: V voices, T frames, H partials, N bins, F bands.
"""

from __future__ import annotations

import numpy as np

from ...arrays import FloatArray
from ...spectra.fields import grown_power
from ...spectra.pitch import MAX_PARTIALS, partial_hz
from ...spectra.spec import AudioSpec
from ...spectra.stft import bins_among_bands
from ..base import NoteControls
from ..griffin_lim import MelInverse
from ..parts.oscillators import lobe_power

TONAL_DB = 40.0
"""How far a bin of tonality 1 stands above the noise under it."""


class BinMagnitudes:
    """Magnitudes at the bins of one field, "linear" or "mel".

    Bands do not tell whether their power is one partial or spread out, which matters to who adds up magnitudes. Their
    tonality and the pitch do: power is looked for around the partials, and as far below as the tonality says elsewhere.
    """

    def __init__(self, spec: AudioSpec, field: str) -> None:
        self.spec, self.field = spec, field
        self._inverse = MelInverse(spec)
        self._low, self._mix = bins_among_bands(spec)

    def __call__(self, pair: FloatArray, controls: NoteControls) -> FloatArray:
        """Return float32 (V, T, N), where a full-scale sine peaks at 1, of a field (V, T, 2, N or F)."""
        power = grown_power(pair[:, :, 0], self.spec)
        if self.field == "mel":
            power = self._inverse(power, self._shape(pair[:, :, 1], controls))
        return np.sqrt(power)

    def _shape(self, tonality: FloatArray, controls: NoteControls) -> FloatArray:
        """Return how power is spread within bands, up to a factor, (V, T, N)."""
        low = tonality[..., self._low]
        tonal = low + self._mix * (tonality[..., self._low + 1] - low)
        between = 10.0 ** (-TONAL_DB / 10.0 * tonal)
        pitched = controls.field_hz[..., None] > 0.0
        return np.where(pitched, between + self._comb(controls), 1.0).astype(np.float32)

    def _comb(self, controls: NoteControls) -> FloatArray:
        """Return the main lobes of equally loud partials, (V, T, N)."""
        bin_hz = self.spec.sample_rate / self.spec.n_fft
        hz = np.maximum(controls.field_hz, bin_hz / 4)
        place = partial_hz(hz, controls.inharmonicity[:, None], MAX_PARTIALS) / bin_hz
        nearest = np.minimum(place, self.spec.num_bins + 2).astype(np.intp)
        comb = np.zeros((*hz.shape, self.spec.num_bins + 5), np.float32)
        voice, frame = (np.arange(count) for count in hz.shape)
        at = voice[:, None, None], frame[:, None]
        for offset in (-1, 0, 1, 2):
            np.add.at(comb, (*at, nearest + offset), lobe_power(nearest + offset - place).astype(np.float32))
        return comb[..., : self.spec.num_bins]
