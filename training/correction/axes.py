"""What grown and recorded levels are compared on, and what corrections are stored on: bins, bands or partials.

Letters: T frames, F bins or bands, K moments, P partials, N = P + bands.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from ...engine.arrays import FloatArray
from ...engine.keys.apply import partial_places
from ...engine.spectra.pitch import pitch_to_hz
from ...engine.spectra.spec import AudioSpec
from ...engine.spectra.stft import bins_among_bands
from ...engine.spectra.transpose import LINEAR
from ..codec.notes import SoundNotes
from ..data.dataset import NoteSet
from ..waveform.trainer import PartialTargets

PARTIALS = 64


class Axes(Protocol):
    """What levels are compared on, and what corrections are stored on."""

    partials: int

    def wanted(self, note: int, length: int) -> FloatArray:
        """Return recorded levels (T, F) of the first frames of a note."""
        ...

    def grown(self, frames: FloatArray) -> FloatArray:
        """Return the levels (T, F) of frames of the grown field."""
        ...

    def read(self, missed: FloatArray, loudness: FloatArray, note: int) -> tuple[FloatArray, FloatArray]:
        """Return what is missed (K, F) on the axis of N, and the loudness (F,) there; the loud count most."""
        ...


class PartialAxis:
    """Reads values of linear bins on partials and, between them, on bands.

    Parameters
    ----------
    spec : AudioSpec
    partials : int
        P.
    bins : int64 (F,), optional
        Which bins the values are of; all by default.
    """

    def __init__(self, spec: AudioSpec, partials: int, bins: NDArray[np.int64] | None = None) -> None:
        self._spec, self.partials = spec, partials
        self._bins = np.arange(spec.num_bins) if bins is None else bins
        low, share = bins_among_bands(spec)
        self._to_bands = np.zeros((spec.num_mels, spec.num_bins), np.float32)
        np.add.at(self._to_bands, (low, np.arange(spec.num_bins)), 1.0 - share)
        np.add.at(self._to_bands, (low + 1, np.arange(spec.num_bins)), share)
        self._to_bands = self._to_bands[:, self._bins]

    def read(
        self, values: FloatArray, loudness: FloatArray, hz: float, stretch: float
    ) -> tuple[FloatArray, FloatArray]:
        """Return values (K, bins) on the axis of N, and the loudness (bins,) there; the loud bins count most.

        The fundamental lies at `hz`, 0 where there is none, and the partials have inharmonicity `stretch`.
        """
        weights = self.weights(loudness, hz, stretch)
        total = weights.sum(1)
        read: FloatArray = (values @ weights.T) / np.maximum(total, 1e-9)
        return read, total

    def weights(self, loudness: FloatArray, hz: float, stretch: float) -> FloatArray:
        """Return which share each bin has in each of N, (N, bins), by the loudness (bins,) of the bins."""
        near, own = partial_places(self._spec, hz, stretch, self.partials)
        near, own = near[self._bins], own[self._bins]
        share = np.zeros((self.partials, len(near)), np.float32)
        share[near, np.arange(len(near))] = own * loudness
        rest = self._to_bands * ((1.0 - own) * loudness + 1e-4 * loudness)
        return np.concatenate([share, rest])


class SpectrumAxes:
    """Bins or bands, each with level and tonality; corrections of bins are those of partials and bands."""

    def __init__(self, spec: AudioSpec, field: str, notes: NoteSet) -> None:
        self._field, self._notes = field, notes
        self.partials = PARTIALS if field == LINEAR else 0
        self._axis = PartialAxis(spec, self.partials, notes.bins)

    def wanted(self, note: int, length: int) -> FloatArray:
        """See `Axes`."""
        level: FloatArray = self._notes.frames(self._field, note)[:length, 0].float().numpy()
        return level

    def grown(self, frames: FloatArray) -> FloatArray:
        """See `Axes`."""
        return frames[:, 0][:, self._notes.kept(self._field)]

    def read(self, missed: FloatArray, loudness: FloatArray, note: int) -> tuple[FloatArray, FloatArray]:
        """See `Axes`."""
        if not self.partials:
            return missed, loudness
        hz = float(pitch_to_hz(float(self._notes.pitch[note]))) * float(self._notes.pitched[note])
        return self._axis.read(missed, loudness, hz, float(self._notes.stretch[note]))


class PartialAxes:
    """Levels of partials, as the waveform representation grows them."""

    partials = PARTIALS

    def __init__(self, notes: SoundNotes) -> None:
        self._notes, self._targets = notes, PartialTargets(notes)

    def wanted(self, note: int, length: int) -> FloatArray:
        """See `Axes`."""
        ages = torch.arange(length)[None] * self._notes.spec.hop_s
        linear = self._notes.frames(LINEAR, note)[None, :length].float()
        level, heard = self._targets.of(np.array([note]), ages, linear)
        wanted: FloatArray = (level * heard)[0, :, :PARTIALS].numpy()
        return wanted

    def grown(self, frames: FloatArray) -> FloatArray:
        """See `Axes`."""
        return frames[:, 0, :PARTIALS]

    def read(self, missed: FloatArray, loudness: FloatArray, note: int) -> tuple[FloatArray, FloatArray]:
        """See `Axes`."""
        return missed, loudness
