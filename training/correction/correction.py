"""Measuring what a trained growth misses of the slow course of levels, once per recorded key, or for each layer of it.

Letters: B notes, T frames, F bins or bands, K moments, P partials, N = P + bands, R courses, L softer layers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...engine.arrays import FloatArray
from ...engine.keys.stored.correction_arrays import CorrectionArrays
from ..codec.notes import SoundNotes
from ..data.dataset import NoteSet
from ..loop.rollout import GrowingModel, NoteBatch, grow
from ..measure.motions import RELEASE_FRAMES, rounded, smooth_course, steps
from .axes import Axes, PartialAxes, SpectrumAxes

RANK = 8
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
LAYER = 12
"""Velocities from which on a louder note of a key is of another layer."""
MOST_LAYERS = 3


class CourseSum:
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


Owner = tuple[str, int]
"""Timbre and key."""


@dataclass(frozen=True)
class Reach:
    """What a correction is measured of, and how far it may go.

    Attributes
    ----------
    furthest : level that it may reach
    velocities : of the notes it is measured of; where a key has no such notes, all of them
    has_layers : whether the layers of a key are told apart, or its notes share one correction
    """

    furthest: float = FURTHEST
    velocities: tuple[int, int] = USUAL_VELOCITIES
    has_layers: bool = False


USUAL_REACH = Reach()


def measure_correction(model: GrowingModel, notes: NoteSet, reach: Reach = USUAL_REACH) -> CorrectionArrays:
    """Grow every recorded key and measure what its last field misses of the smooth course of levels while held."""
    field = model.config.field_names[-1]
    spec = model.config.spec
    chosen = _usual_notes(notes, *reach.velocities)
    axes: Axes
    if isinstance(notes, SoundNotes):
        axes, chosen = PartialAxes(notes), chosen[notes.pitched.numpy()[chosen] > 0.0]
    else:
        axes = SpectrumAxes(spec, field, notes)
    layers = _layers(notes, chosen) if reach.has_layers else np.zeros(len(chosen), np.int64)
    sums: dict[Owner, dict[int, CourseSum]] = {}
    held = np.maximum((notes.hold_s[chosen].numpy() / spec.hop_s).astype(np.int64) - RELEASE_FRAMES, 2)
    held = np.minimum(np.minimum(held, notes.num_frames[chosen]), MOMENTS[-1])
    order = np.argsort(held, kind="stable")
    for start in range(0, len(order), BATCH):
        rows = order[start : start + BATCH]
        grown = grow(model, NoteBatch.of(notes, chosen[rows]), int(held[rows].max()), notes.motions)[field]
        for frames, note, length, layer in zip(grown.numpy(), chosen[rows], held[rows], layers[rows], strict=True):
            feature = notes.features[note]
            missed = _missed(axes, int(note), np.maximum(axes.grown(frames[:length]), 0.0), reach.furthest)
            own = sums.setdefault((feature.instrument, feature.pitch), {})
            own.setdefault(int(layer), CourseSum(missed[0].shape[1])).add(*missed)
    return coded_courses(sums, field, axes.partials, notes.decaying)


def _usual_notes(notes: NoteSet, softest: int, loudest: int) -> NDArray[np.int64]:
    """Return the notes to measure: of each recorded key those of usual velocities, or all where there are none.

    Where one note stands for a layer of velocities, all are usual.
    """
    recorded = notes.indices(held_out=False)
    usual = [i for i in recorded if notes.features[i].softest or softest <= notes.features[i].velocity <= loudest]
    known = {(notes.features[i].instrument, notes.features[i].pitch) for i in usual}
    others = [i for i in recorded if (notes.features[i].instrument, notes.features[i].pitch) not in known]
    return np.sort(np.array([*usual, *others], np.int64))


def _layers(notes: NoteSet, chosen: NDArray[np.intp]) -> NDArray[np.int64]:
    """Return the velocity of the layer that each note belongs to, the mean of its notes; 0 where a key has one layer.

    Keys that were not recorded have the mean of what their neighbours' layers are.
    """
    owners: dict[Owner, list[int]] = {}
    for place, note in enumerate(chosen.tolist()):
        feature = notes.features[note]
        if not feature.told:
            owners.setdefault((feature.instrument, feature.pitch), []).append(place)
    velocities = np.array([notes.features[note].velocity for note in chosen])
    layers = np.zeros(len(chosen), np.int64)
    for places in owners.values():
        order = np.array(places)[np.argsort(velocities[places], kind="stable")]
        groups = np.split(order, np.flatnonzero(np.diff(velocities[order]) >= LAYER) + 1)
        groups = [np.concatenate(one) for one in _fewer(groups, MOST_LAYERS)]
        for group in groups if len(groups) > 1 else ():
            layers[group] = round(float(velocities[group].mean()))
    return layers


def _fewer(groups: list[NDArray[np.intp]], most: int) -> list[list[NDArray[np.intp]]]:
    """Return neighbouring groups together, in `most` lots at most."""
    edges = np.unique(np.linspace(0, len(groups), min(most, len(groups)) + 1).round().astype(int))
    return [groups[low:high] for low, high in pairwise(edges.tolist())]


def _missed(axes: Axes, note: int, level: FloatArray, furthest: float) -> tuple[FloatArray, FloatArray]:
    """Return what a note that was grown with levels (T, F) misses at the moments, and how loud it is; see `Axes`."""
    wanted = smooth_course(axes.wanted(note, len(level)))
    moments = MOMENTS[: np.searchsorted(MOMENTS, len(level))]
    missed = np.clip((wanted - smooth_course(level))[moments], -furthest, furthest)
    return axes.read(missed, loudness_of(wanted.mean(0)), note)


def loudness_of(level: FloatArray) -> FloatArray:
    """Return how much bins of a mean level (F,) count: half as much for each 5 dB that they are below the loudest."""
    return np.asarray((np.exp2(4.0 * (level - level.max())) + 0.01) ** 2, np.float32)


def coded_courses(
    sums: Mapping[Owner, Mapping[int, CourseSum]], field: str, partials: int, decaying: frozenset[str] = frozenset()
) -> CorrectionArrays:
    """Return corrections as they are stored.

    Parameters
    ----------
    sums : by timbre and key, and by the velocity of a layer; 0 where a key has one
    field, partials : see `CorrectionArrays`
    decaying : instruments that fade out while held
    """
    owners = sorted(sums)
    names = tuple(sorted({name for name, _ in owners}))
    layers = [sorted(sums[owner], reverse=True) for owner in owners]
    pairs = [
        _courses([sums[owner][layer] for layer in own], owner[0].split(":")[0] in decaying)
        for owner, own in zip(owners, layers, strict=True)
    ]
    shapes = np.stack([shape for _, shape in pairs])
    course_scale, shape_scale = (
        np.stack(parts) for parts in zip(*(steps(*pair, CODE_RANGE) for pair in pairs), strict=True)
    )
    coded = [
        rounded(courses, scale).reshape(-1, len(MOMENTS), RANK)
        for (courses, _), scale in zip(pairs, course_scale, strict=True)
    ]
    return CorrectionArrays(
        field=field,
        partials=partials,
        moments=MOMENTS.astype(np.int64),
        courses=np.stack([one[0] for one in coded]),
        course_scale=course_scale.astype(np.float32),
        shapes=rounded(shapes, shape_scale[:, :, None]),
        shape_scale=shape_scale.astype(np.float32),
        timbre=np.array([names.index(name) for name, _ in owners], np.int64),
        key=np.array([key for _, key in owners], np.int64),
        names=names,
        **_softer(coded, layers),
    )


def _softer(coded: Sequence[NDArray[np.int8]], layers: Sequence[Sequence[int]]) -> dict[str, NDArray[Any]]:
    """Return what corrections say of softer layers: of each key its courses (1 + L, K, R), and its velocities."""
    most = max(len(own) for own in layers)
    if most == 1:
        return {}
    softer = np.zeros((len(coded), most - 1, RANK, len(MOMENTS)), np.int8)
    velocities = np.zeros((len(coded), most), np.int64)
    for row, (courses, own) in enumerate(zip(coded, layers, strict=True)):
        softer[row, : len(own) - 1] = courses[1:].swapaxes(1, 2)
        velocities[row, : len(own)] = own
    return {"softer": softer, "layers": velocities}


def _courses(layers: Sequence[CourseSum], decays: bool) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the best R courses of all layers of one key, one layer after the other, and the shapes that they share.

    They are of (K (1 + L), R) and (R, N); what is loud counts most.
    """
    loudness = np.sum([one.loudness for one in layers], 0)
    weight = np.sqrt(loudness) + 1e-3 * np.sqrt(loudness.max())
    missed = np.concatenate([one.mean(decays) for one in layers])
    left, strength, right = np.linalg.svd(missed * weight, full_matrices=False)
    courses, shapes = np.zeros((len(left), RANK)), np.zeros((RANK, len(weight)))
    rank = min(RANK, len(strength))
    courses[:, :rank], shapes[:rank] = left[:, :rank] * strength[:rank], right[:rank] / weight
    return courses, shapes
