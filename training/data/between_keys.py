"""Keys between recorded ones: what they would sound like, told from the recorded keys around.

A sampler transposes the nearest recording, and what that one has for itself goes along to every key that it serves.
Here the slow course of levels lies on a line through those of the keys around, each transposed, so that what single
recordings have for themselves averages out, and only what moves quickly is the nearest one's. Letters: T spectral
frames, N bins or bands.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ...engine.spectra.spec import AudioSpec
from ...engine.spectra.transpose import BANDS, LINEAR, transposed_field
from ..measure.motions import smooth_course
from ..measure.note_features import NoteFeatures

FURTHEST: Final = 12
"""Semitones between two recorded keys up to which what lies between is told from both."""
CLOSE: Final = 4
"""Semitones between two recorded keys up to which all keys between them are told."""
LONGEST_S: Final = 4.5
"""Of a note that is told: what is measured of keys is measured before."""
BREADTH: Final = 4.0
"""Semitones from which on a recorded key counts less and less (the standard deviation of the kernel)."""
SAME_LAYER: Final = 16
"""Velocities up to which notes of two keys belong to one layer."""


def notes_between(features: Sequence[NoteFeatures], spec: AudioSpec) -> list[NoteFeatures]:
    """Return notes of the keys between recorded ones, in the layers that both neighbours have.

    Parameters
    ----------
    features : of any timbres; those that are held out, and those without a pitch, tell nothing
    """
    keys: dict[str, dict[int, list[NoteFeatures]]] = defaultdict(lambda: defaultdict(list))
    for note in features:
        if note.pitched and not note.held_out:
            keys[note.instrument][note.pitch].append(note)
    told = []
    for own in keys.values():
        for low, high in pairwise(sorted(own)):
            for key in _keys_between(low, high):
                told += _layers(own, low, high, key, spec)
    return told


def _keys_between(low: int, high: int) -> list[int]:
    """Return the keys between two recorded ones that are told: all of a few, every second one of more."""
    apart = high - low
    if apart > FURTHEST:
        return []
    steps = apart if apart <= CLOSE else -(-apart // 2)
    return [round(low + apart * step / steps) for step in range(1, steps)]


def _layers(
    recorded: Mapping[int, Sequence[NoteFeatures]], low: int, high: int, key: int, spec: AudioSpec
) -> list[NoteFeatures]:
    """Return the notes of a key, one for each layer of its nearer neighbour that the other one has as well."""
    nearer, farther = (low, high) if key - low <= high - key else (high, low)
    told = []
    for near in recorded[nearer]:
        far = _of_layer(recorded[farther], near.velocity)
        if far is not None:
            length = min(_length(near, spec), _length(far, spec))
            others = (_of_layer(own, near.velocity) for at, own in recorded.items() if abs(at - key) <= FURTHEST)
            heard = [one for one in others if one is not None and _length(one, spec) >= length]
            told.append(_between([near, *(one for one in heard if one.pitch != nearer)], length, key, spec))
    return told


def _of_layer(notes: Sequence[NoteFeatures], velocity: int) -> NoteFeatures | None:
    """Return the note of a key that belongs to the layer of a velocity; None if there is none."""
    nearest = min(notes, key=lambda one: abs(one.velocity - velocity))
    return nearest if abs(nearest.velocity - velocity) <= SAME_LAYER else None


def _length(note: NoteFeatures, spec: AudioSpec) -> int:
    """Return the frames of a note while it is held, as far as it is told."""
    return min(len(note.mel), int(min(note.hold_s, LONGEST_S) / spec.hop_s) + 1)


def line_weights(keys: Sequence[int], key: int) -> NDArray[np.float64]:
    """Return what share values on some keys have in the value at another, by a line through those that are near.

    That is local linear regression with a Gaussian kernel (Fan and Gijbels, Local Polynomial Modelling, 1996); through
    two keys the line is exact.
    """
    away = np.array(keys, np.float64) - key
    near = np.exp(-0.5 * np.square(away / BREADTH))
    line = np.stack([np.ones_like(away), away])
    return np.asarray(np.linalg.solve((line * near) @ line.T, line * near)[0])


def _between(heard: Sequence[NoteFeatures], length: int, key: int, spec: AudioSpec) -> NoteFeatures:
    """Return the note of a key, of some frames, told from notes of several keys, of which the first is the nearest."""
    weights = line_weights([one.pitch for one in heard], key)
    cents, stretch = weights @ np.array([(one.tuning_cents, one.inharmonicity) for one in heard])

    def told(name: str) -> NDArray[np.float16]:
        fields = ((one.mel if name == BANDS else one.linear)[:length].astype(np.float32) for one in heard)
        moved = [
            transposed_field(name, field, spec, _ratio(one, key, cents))
            for field, one in zip(fields, heard, strict=True)
        ]
        slow = [smooth_course(field[:, 0]) for field in moved]
        own = moved[0][:, 0] - slow[0]
        level = sum(weight * one for weight, one in zip(weights, slow, strict=True)) + own
        tonality = sum(weight * one[:, 1] for weight, one in zip(weights, moved, strict=True))
        return np.stack([np.maximum(level, 0.0), np.clip(tonality, 0.0, 1.0)], 1).astype(np.float16)

    return replace(
        heard[0],
        pitch=key,
        hold_s=min(LONGEST_S, *(one.hold_s for one in heard)),
        mel=told(BANDS),
        linear=told(LINEAR),
        tuning_cents=float(cents),
        inharmonicity=max(float(stretch), 0.0),
        sway=heard[0].sway[:length],
        root=-1,
        told=True,
    )


def _ratio(note: NoteFeatures, key: int, cents: float) -> float:
    """Return how much higher a key sounds than a note."""
    return float(2.0 ** ((key - note.pitch + (cents - note.tuning_cents) / 100.0) / 12.0))
