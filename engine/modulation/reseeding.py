"""When a sounding note's genome follows its pitch.

Planting costs a run of the seed model, and a decoder with oscillators carries small moves of the pitch itself. So the
genome follows vibrato never, and slow moves in steps: of `MAX_DRIFT` semitones while the pitch is on its way, and to
where it settles. A decoder that knows no pitch hears it from the genome alone, which then follows every move.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .morph import Journey

MIN_DRIFT = 0.005
"""Semitones that count as a move."""
MAX_DRIFT = 0.25
"""Semitones that a note may be away from its genome while its pitch moves."""
MIN_HOPS = 4
"""Hops from one planting to the next, unless the pitch leaps."""
LEAP = 2.0
"""Semitones off the genome that do not wait."""
MIN_STRAY, MAX_STRAY = 0.001, 0.15
"""The same on a pad of timbres, in shares of its side: what counts as a move, and how far a note may be off."""


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """Which genomes are planted anew in which round, and what all of them are grown from.

    Attributes
    ----------
    replant : bool (R, V)
    planted : float64 (R, V), MIDI pitch of the genomes
    hops : int64 (R, V), rounds since planting
    places : float64 (R, V, 2), where on their pads the genomes are from; None where no voice has a pad
    """

    replant: NDArray[np.bool_]
    planted: NDArray[np.float64]
    hops: NDArray[np.int64]
    places: NDArray[np.float64] | None = None


def plan_replanting(
    pitch: NDArray[np.float64],
    previous: NDArray[np.float64],
    planted: NDArray[np.float64],
    hops: NDArray[np.int64],
    exact: bool,
    journey: Journey | None = None,
) -> Plan:
    """Plan R rounds of V voices.

    Parameters
    ----------
    pitch : (R, V), MIDI pitch that the genomes should have
    previous : (V,), the pitch one round before
    planted : (V,), the pitch that the genomes have
    hops : (V,), rounds since they were planted
    exact : whether genomes follow every move of the pitch
    journey : how the voices move over their pads, if any does
    """
    replant = np.zeros(pitch.shape, np.bool_)
    grown = np.repeat(planted[None], len(pitch), axis=0)
    since = hops + np.arange(1, len(pitch) + 1)[:, None]
    places = None if journey is None else np.repeat(journey.planted[None], len(pitch), axis=0)
    if (np.abs(pitch - planted) <= MIN_DRIFT).all() and (journey is None or journey.is_at_rest):
        return Plan(replant, grown, since, places)
    for index, wanted in enumerate(pitch):
        hops = hops + 1
        drift = np.abs(wanted - planted)
        if exact:
            replant[index] = drift > MIN_DRIFT
        else:
            settled = (wanted == previous) & (drift > MIN_DRIFT)
            replant[index] = (settled | (drift > MAX_DRIFT)) & (hops >= MIN_HOPS) | (drift > LEAP)
        if journey is not None and places is not None:
            strays = journey.strays(index, places[max(index - 1, 0)], MIN_STRAY, MAX_STRAY)
            replant[index] |= strays & (hops >= MIN_HOPS)
            _move(places, index, replant[index], journey.places[index])
        planted = np.where(replant[index], wanted, planted)
        hops = np.where(replant[index], 0, hops)
        grown[index], since[index], previous = planted, hops, wanted
    return Plan(replant, grown, since, places)


def _move(places: NDArray[np.float64], index: int, replant: NDArray[np.bool_], wanted: NDArray[np.float64]) -> None:
    """Note where genomes are from in round `index` of places (R, V, 2): where they were, or where they are planted."""
    if index:
        places[index] = places[index - 1]
    places[index][replant] = wanted[replant]
