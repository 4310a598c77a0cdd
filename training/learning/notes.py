"""From recordings to what is learned: their level, their measured fields, and which of them judge.

Letters: N notes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Final

import numpy as np

from ..data.between_keys import notes_between
from ..data.dataset import NoteSet, assemble
from ..measure.motions import Reach
from ..measure.note_features import NoteFeatures, extract
from ..measure.recording import Recording
from .foundation import Foundation
from .start import heard_db, loudness_db

LEAST_KEYS: Final = 6
"""With fewer recorded keys of a timbre all are needed to learn from."""
JUDGING: Final = 5
"""One key in so many judges, never an outermost one."""
MOST_HEARD: Final = 24
"""Recordings whose level is compared, spread over all."""
MOST_GAIN_DB: Final = 60.0
STIFF: Final = 1e-5
"""Inharmonicity B from which strings count as stiff."""
Step = Callable[[int, int], None]
"""Hears how many notes are measured, and of how many."""


def held_out_keys(keys: Collection[int]) -> frozenset[int]:
    """Return which recorded keys of a timbre are kept to judge by: one in five, inside; none of a few."""
    ordered = sorted(set(keys))
    if len(ordered) < LEAST_KEYS:
        return frozenset()
    return frozenset(ordered[JUDGING // 2 : -1 : JUDGING])


def at_most(recordings: Sequence[Recording], most: int) -> list[Recording]:
    """Return up to `most` recordings, in order: of every key the loudest one first, then others spread over its own."""
    places: dict[tuple[str, int], list[int]] = defaultdict(list)
    for place in sorted(range(len(recordings)), key=lambda i: -recordings[i].velocity):
        places[recordings[place].instrument, recordings[place].pitch].append(place)
    turns = [(_halving(len(own)).index(i), place) for own in places.values() for i, place in enumerate(own)]
    return [recordings[place] for place in sorted(place for _, place in sorted(turns)[:most])]


def _halving(count: int) -> list[int]:
    """Return the numbers below `count` in an order in which any first ones are spread: first, last, middle, ..."""
    order, left = [0, count - 1][: max(count, 1)], set(range(1, count - 1))
    while left:
        further = max(sorted(left), key=lambda one: min(abs(one - other) for other in order))
        order.append(further)
        left.remove(further)
    return list(dict.fromkeys(order))


def at_bank_level(foundation: Foundation, recordings: Sequence[Recording]) -> tuple[list[Recording], float]:
    """Return recordings as loud as the foundation's instruments are in the mean on such notes, and the gain in dB.

    All get the same gain: how loud they are beside each other is the instrument's own.
    """
    spec = foundation.spec
    chosen = [recordings[i] for i in np.unique(np.linspace(0, len(recordings) - 1, MOST_HEARD).astype(int))]
    wanted = loudness_db(foundation, chosen)
    heard = [heard_db(one.audio, spec) for one in chosen]
    gain_db = float(np.clip(np.mean(wanted - np.array(heard)), -MOST_GAIN_DB, MOST_GAIN_DB))
    gain = np.float32(10.0 ** (gain_db / 20.0))
    return [replace(one, audio=one.audio * gain) for one in recordings], gain_db


def measure(foundation: Foundation, recordings: Sequence[Recording], step: Step) -> list[NoteFeatures]:
    """Measure the fields of all recordings; strings that are struck or plucked may be stiff."""
    plucked = 2 * sum(not one.sustains and one.pitched for one in recordings) > len(recordings)
    features = []
    for count, recording in enumerate(recordings, 1):
        features.append(extract(recording, foundation.spec, inharmonic=plucked))
        step(count, len(recordings))
    if plucked and float(np.median([one.inharmonicity for one in features])) < STIFF:
        features = [
            extract(recording, foundation.spec, inharmonic=False) if one.inharmonicity > 0.0 else one
            for recording, one in zip(recordings, features, strict=True)
        ]
    return features


def note_set(
    foundation: Foundation,
    features: Sequence[NoteFeatures],
    judges: bool,
    with_between: bool = False,
    zone_ends: Sequence[int] = (),
) -> NoteSet:
    """Lay measured notes out to learn from.

    Parameters
    ----------
    judges : some keys are held out to judge by
    with_between : keys between recorded ones have notes as well, told from their neighbours
    zone_ends : highest keys of the zones that the recordings serve, in order, where they are known
    """
    keys: dict[str, set[int]] = defaultdict(set)
    fades: dict[str, list[bool]] = defaultdict(list)
    for note in features:
        keys[note.instrument].add(note.pitch)
        fades[note.instrument.partition(":")[0]].append(not note.sustains)
    kept = {name: held_out_keys(own) if judges else frozenset() for name, own in keys.items()}
    decaying = frozenset(name for name, own in fades.items() if 2 * sum(own) > len(own))
    notes = [replace(note, held_out=note.pitch in kept[note.instrument]) for note in features]
    heard = {name: own - kept[name] for name, own in keys.items()}
    if with_between:
        between = notes_between(notes, foundation.spec)
        notes += between
        for note in between:
            heard[note.instrument].add(note.pitch)
    reach = nearest_reach(heard, zone_ends)
    return assemble([notes], foundation.spec, decaying=decaying, choose=lambda group: group, reach=reach)


def nearest_reach(keys: Mapping[str, Collection[int]], zone_ends: Sequence[int] = ()) -> Reach:
    """Return the highest key that is heard from each recorded key of a timbre.

    It is the last one to which that key is the nearest, half-way the lower one. Where a zone ends between two recorded
    keys, it ends there: beyond, another recording is played.
    """
    reach = {}
    for name, own in keys.items():
        ordered = sorted(own)
        for low, high in pairwise(ordered):
            half = (low + high) // 2
            ends = [end for end in zone_ends if low <= end < high]
            reach[name, low] = min(ends, key=lambda end: abs(end - half), default=half)
        reach[name, ordered[-1]] = ordered[-1]
    return reach
