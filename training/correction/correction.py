"""Measuring what a trained growth misses of the slow course of levels, once per recorded key.

Letters: B notes, T frames, F bins or bands, K moments, P partials, N = P + bands, R courses.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from ...engine.arrays import FloatArray
from ...engine.keys.apply import partial_places
from ...engine.keys.correction import CorrectionArrays
from ...engine.spectra.pitch import pitch_to_hz
from ...engine.spectra.spec import AudioSpec
from ...engine.spectra.stft import bins_among_bands
from ...engine.spectra.transpose import LINEAR
from ..codec.notes import SoundNotes
from ..data.dataset import NoteSet
from ..loop.rollout import GrowingModel, NoteBatch, grow
from ..measure.motions import RELEASE_FRAMES, rounded, smooth_course, steps
from ..waveform.trainer import PartialTargets

RANK = 8
PARTIALS = 64
MOMENTS = np.array([0, 1, 2, 3, 4, 6, 8, 11, 15, 20, 26, *range(34, 335, 10), 370])
"""Spectral frames, as far apart as the smooth course can bend; the last one lies beyond what is held longest."""
EASE_MOMENTS = 4
"""How many moments a correction takes from its last measured one to its mean."""
USUAL_VELOCITIES = (40, 110)
"""Softer and louder notes may be other recordings; they get what is measured of these."""
FURTHEST = 0.5
"""Level that a correction may reach, 20 dB: more tells that grown and recorded sound have nothing in common."""
CODE_RANGE = 127.0
"""The largest code; with 63 the file is a seventh smaller, and the distance to the recordings 0.0015 more."""
BATCH = 48


class _Sum:
    """What was measured of one key, note by note.

    Notes are of different velocities and lengths. Where a short one ends the mean of the others would leap by what
    its velocity has for itself; so steps from moment to moment are averaged, of those notes that know both.
    """

    def __init__(self, size: int) -> None:
        self._steps = np.zeros((len(MOMENTS), size))
        self._count = np.zeros(len(MOMENTS))
        self.loudness = np.zeros(size)

    def add(self, values: FloatArray, loudness: FloatArray) -> None:
        """Add a note's values (up to K, N) and how loud each of N is in it."""
        self._steps[: len(values)] += np.diff(values, axis=0, prepend=0.0)
        self._count[: len(values)] += 1.0
        self.loudness += loudness

    def mean(self, decays: bool) -> NDArray[np.float64]:
        """Return the mean (K, N); where nothing is known any more, that of the second half of what is, in the end.

        The last moment would be one phase of a slow beat, for ever. Of what decays it is the best that is known.
        """
        mean: NDArray[np.float64] = np.cumsum(self._steps / np.maximum(self._count, 1.0)[:, None], 0)
        last = int(np.flatnonzero(self._count)[-1])
        if not decays:
            sustained = mean[: last + 1][MOMENTS[: last + 1] >= MOMENTS[last] / 2].mean(0)
            share = np.minimum(np.arange(1, len(mean) - last) / EASE_MOMENTS, 1.0)[:, None]
            share[-1:] = 1.0
            mean[last + 1 :] = mean[last] + share * (sustained - mean[last])
        return mean


class _Axes(Protocol):
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


class _Spectrum:
    """Bins or bands, each with level and tonality; corrections of bins are those of partials and bands."""

    def __init__(self, spec: AudioSpec, field: str, notes: NoteSet) -> None:
        self._field, self._notes = field, notes
        self.partials = PARTIALS if field == LINEAR else 0
        self._axis = PartialAxis(spec, self.partials, notes.bins)

    def wanted(self, note: int, length: int) -> FloatArray:
        level: FloatArray = self._notes.frames(self._field, note)[:length, 0].float().numpy()
        return level

    def grown(self, frames: FloatArray) -> FloatArray:
        return frames[:, 0][:, self._notes.kept(self._field)]

    def read(self, missed: FloatArray, loudness: FloatArray, note: int) -> tuple[FloatArray, FloatArray]:
        if not self.partials:
            return missed, loudness
        hz = float(pitch_to_hz(float(self._notes.pitch[note]))) * float(self._notes.pitched[note])
        return self._axis.read(missed, loudness, hz, float(self._notes.stretch[note]))


class _Partials:
    """Levels of partials, as the waveform representation grows them."""

    partials = PARTIALS

    def __init__(self, notes: SoundNotes) -> None:
        self._notes, self._targets = notes, PartialTargets(notes)

    def wanted(self, note: int, length: int) -> FloatArray:
        ages = torch.arange(length)[None] * self._notes.spec.hop_s
        linear = self._notes.frames(LINEAR, note)[None, :length].float()
        level, heard = self._targets.of(np.array([note]), ages, linear)
        wanted: FloatArray = (level * heard)[0, :, :PARTIALS].numpy()
        return wanted

    def grown(self, frames: FloatArray) -> FloatArray:
        return frames[:, 0, :PARTIALS]

    def read(self, missed: FloatArray, loudness: FloatArray, note: int) -> tuple[FloatArray, FloatArray]:
        return missed, loudness


@dataclass(frozen=True)
class Reach:
    """What a correction is measured of, and how far it may go.

    Attributes
    ----------
    furthest : level that it may reach
    velocities : of the notes it is measured of; where a key has no such notes, all of them
    """

    furthest: float = FURTHEST
    velocities: tuple[int, int] = USUAL_VELOCITIES


USUAL_REACH = Reach()


def measure_correction(model: GrowingModel, notes: NoteSet, reach: Reach = USUAL_REACH) -> CorrectionArrays:
    """Grow every recorded key and measure what its last field misses of the smooth course of levels while held."""
    field = model.config.field_names[-1]
    spec = model.config.spec
    chosen = _usual_notes(notes, *reach.velocities)
    axes: _Axes
    if isinstance(notes, SoundNotes):
        axes, chosen = _Partials(notes), chosen[notes.pitched.numpy()[chosen] > 0.0]
    else:
        axes = _Spectrum(spec, field, notes)
    sums: dict[tuple[str, int], _Sum] = {}
    held = np.maximum((notes.hold_s[chosen].numpy() / spec.hop_s).astype(np.int64) - RELEASE_FRAMES, 2)
    held = np.minimum(np.minimum(held, notes.num_frames[chosen]), MOMENTS[-1])
    order = np.argsort(held, kind="stable")
    for start in range(0, len(order), BATCH):
        rows = order[start : start + BATCH]
        grown = grow(model, NoteBatch.of(notes, chosen[rows]), int(held[rows].max()), notes.motions)[field]
        for frames, note, length in zip(grown.numpy(), chosen[rows], held[rows], strict=True):
            feature = notes.features[note]
            missed = _missed(axes, int(note), np.maximum(axes.grown(frames[:length]), 0.0), reach.furthest)
            sums.setdefault((feature.instrument, feature.pitch), _Sum(missed[0].shape[1])).add(*missed)
    return _coded(sums, field, axes.partials, notes.decaying)


def _usual_notes(notes: NoteSet, softest: int, loudest: int) -> NDArray[np.int64]:
    """Return the notes to measure: of each recorded key those of usual velocities, or all where there are none.

    Where one note stands for a layer of velocities, all are usual.
    """
    recorded = notes.indices(held_out=False)
    usual = [i for i in recorded if notes.features[i].softest or softest <= notes.features[i].velocity <= loudest]
    known = {(notes.features[i].instrument, notes.features[i].pitch) for i in usual}
    others = [i for i in recorded if (notes.features[i].instrument, notes.features[i].pitch) not in known]
    return np.sort(np.array([*usual, *others], np.int64))


def _missed(axes: _Axes, note: int, level: FloatArray, furthest: float) -> tuple[FloatArray, FloatArray]:
    """Return what a note that was grown with levels (T, F) misses at the moments, and how loud it is; see `_Axes`."""
    wanted = smooth_course(axes.wanted(note, len(level)))
    moments = MOMENTS[: np.searchsorted(MOMENTS, len(level))]
    missed = np.clip((wanted - smooth_course(level))[moments], -furthest, furthest)
    return axes.read(missed, loudness_of(wanted.mean(0)), note)


def loudness_of(level: FloatArray) -> FloatArray:
    """Return how much bins of a mean level (F,) count: half as much for each 5 dB that they are below the loudest."""
    return np.asarray((np.exp2(4.0 * (level - level.max())) + 0.01) ** 2, np.float32)


def _coded(sums: dict[tuple[str, int], _Sum], field: str, partials: int, decaying: frozenset[str]) -> CorrectionArrays:
    owners = sorted(sums)
    names = tuple(sorted({name for name, _ in owners}))
    pairs = [_courses(sums[owner], owner[0].split(":")[0] in decaying) for owner in owners]
    courses, shapes = (np.stack(parts) for parts in zip(*pairs, strict=True))
    course_scale, shape_scale = (
        np.stack(parts) for parts in zip(*(steps(*pair, CODE_RANGE) for pair in pairs), strict=True)
    )
    return CorrectionArrays(
        field=field,
        partials=partials,
        moments=MOMENTS.astype(np.int64),
        courses=rounded(courses, course_scale[:, None]),
        course_scale=course_scale.astype(np.float32),
        shapes=rounded(shapes, shape_scale[:, :, None]),
        shape_scale=shape_scale.astype(np.float32),
        timbre=np.array([names.index(name) for name, _ in owners], np.int64),
        key=np.array([key for _, key in owners], np.int64),
        names=names,
    )


def _courses(measured: _Sum, decays: bool) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the best R courses (K, R) and shapes (R, N) of one key, in which what is loud counts most."""
    weight = np.sqrt(measured.loudness) + 1e-3 * np.sqrt(measured.loudness.max())
    left, strength, right = np.linalg.svd(measured.mean(decays) * weight, full_matrices=False)
    courses, shapes = np.zeros((len(left), RANK)), np.zeros((RANK, len(weight)))
    rank = min(RANK, len(strength))
    courses[:, :rank], shapes[:rank] = left[:, :rank] * strength[:rank], right[:rank] / weight
    return courses, shapes
