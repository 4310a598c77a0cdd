"""Keys between recorded ones: what they would sound like, told from their neighbours on both sides.

A sampler transposes the nearest recording, and what that one has for itself goes along to every key that it serves.
Here the slow course of levels lies between those of both neighbours, each transposed, and only what moves quickly is
the nearer one's. Letters: T spectral frames, N bins or bands.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Final

import numpy as np

from ...engine.arrays import FloatArray
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
                told += _layers(own[low], own[high], key, spec)
    return told


def _keys_between(low: int, high: int) -> list[int]:
    """Return the keys between two recorded ones that are told: all of a few, every second one of more."""
    apart = high - low
    if apart > FURTHEST:
        return []
    steps = apart if apart <= CLOSE else -(-apart // 2)
    return [round(low + apart * step / steps) for step in range(1, steps)]


def _layers(low: Sequence[NoteFeatures], high: Sequence[NoteFeatures], key: int, spec: AudioSpec) -> list[NoteFeatures]:
    """Return the notes of a key, one for each layer of its nearer neighbour that the other one has as well."""
    share = (key - low[0].pitch) / (high[0].pitch - low[0].pitch)
    near, far = (low, high) if share <= 0.5 else (high, low)
    weight = min(share, 1.0 - share)
    pairs = [(one, min(far, key=lambda other: abs(other.velocity - one.velocity))) for one in near]
    return [
        _between(one, other, weight, key, spec)
        for one, other in pairs
        if abs(one.velocity - other.velocity) <= SAME_LAYER
    ]


def _between(near: NoteFeatures, far: NoteFeatures, weight: float, key: int, spec: AudioSpec) -> NoteFeatures:
    """Return the note that lies `weight` of the way from one note to another, as long as both are held."""
    cents = near.tuning_cents + weight * (far.tuning_cents - near.tuning_cents)
    hold_s = min(near.hold_s, far.hold_s, LONGEST_S)
    length = min(len(near.mel), len(far.mel), int(hold_s / spec.hop_s) + 1)

    def told(name: str, own: FloatArray, other: FloatArray) -> FloatArray:
        moved = [
            transposed_field(name, field[:length].astype(np.float32), spec, _ratio(note, key, cents))
            for field, note in ((own, near), (other, far))
        ]
        slow = [smooth_course(field[:, 0]) for field in moved]
        level = moved[0][:, 0] + weight * (slow[1] - slow[0])
        tonality = moved[0][:, 1] + weight * (moved[1][:, 1] - moved[0][:, 1])
        return np.stack([np.maximum(level, 0.0), tonality], 1).astype(np.float16)

    return replace(
        near,
        pitch=key,
        hold_s=hold_s,
        mel=told(BANDS, near.mel, far.mel),
        linear=told(LINEAR, near.linear, far.linear),
        tuning_cents=cents,
        inharmonicity=near.inharmonicity + weight * (far.inharmonicity - near.inharmonicity),
        sway=near.sway[:length],
        root=-1,
    )


def _ratio(note: NoteFeatures, key: int, cents: float) -> float:
    """Return how much higher a key sounds than a note."""
    return float(2.0 ** ((key - note.pitch + (cents - note.tuning_cents) / 100.0) / 12.0))
