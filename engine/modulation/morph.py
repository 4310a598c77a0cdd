"""Moving over pads of timbres while notes sound. Letters: V voices, R growth rounds, K controls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..voices.timbre_pad import pad_weights
from ..voices.voice import Voice
from .channel import MORPH

GLIDE_S = 0.1
"""Seconds that a note takes from one side of the pad to the other at least."""
MOST_PITCHED = 0.5
"""Share of pitched instruments from which a note has a pitch for the decoder."""


@dataclass(frozen=True, slots=True, eq=False)
class Journey:
    """How V voices move over their pads in R rounds; those without one stay at (0, 0).

    Attributes
    ----------
    places : float64 (R, V, 2)
    previous, planted : float64 (V, 2), one round before, and where the genomes are from
    semitones : float64 (R, V), to add to the pitch
    pitched : bool (R, V)
    """

    places: NDArray[np.float64]
    previous: NDArray[np.float64]
    planted: NDArray[np.float64]
    semitones: NDArray[np.float64]
    pitched: NDArray[np.bool_]

    @property
    def is_at_rest(self) -> bool:
        """Whether all stay where their genomes are from."""
        return bool((self.places == self.planted).all())

    def strays(self, index: int, planted: NDArray[np.float64], least: float, most: float) -> NDArray[np.bool_]:
        """Return which voices (V,) are `most` off where they are planted, (V, 2), or rest and are `least` off."""
        away = np.abs(self.places[index] - planted).max(axis=1)
        earlier = self.places[index - 1] if index else self.previous
        rests = (self.places[index] == earlier).all(axis=1)
        return np.asarray((away > most) | (rests & (away > least)))


def travel(
    voices: Sequence[Voice], is_new: NDArray[np.bool_], controls: NDArray[np.float64], hop_s: float
) -> Journey | None:
    """Return where controls (R, V, K) lead the voices, None if none of them has a pad; new ones (V,) begin there."""
    rows = [row for row, voice in enumerate(voices) if voice.morph is not None]
    if not rows:
        return None
    shape = controls.shape[:2]
    places, previous, planted = np.zeros((*shape, 2)), np.zeros((shape[1], 2)), np.zeros((shape[1], 2))
    semitones = np.zeros(shape)
    pitched = np.broadcast_to(np.array([voice.patch.pitched for voice in voices]), shape).copy()
    for row in rows:
        voice = voices[row]
        morph = voice.morph
        assert morph is not None
        path = controls[:, row, MORPH]
        at = path[0] if is_new[row] else np.array(morph.place)
        previous[row], planted[row] = at, at if is_new[row] else morph.planted
        for index, target in enumerate(path):
            at = at + np.clip(target - at, -hop_s / GLIDE_S, hop_s / GLIDE_S)
            places[index, row] = at
        weights = pad_weights(places[:, row])
        semitones[:, row] = weights @ morph.pad.semitones
        pitched[:, row] = weights @ morph.pad.pitched >= MOST_PITCHED
    return Journey(places, previous, planted, semitones, pitched)


def remember(voices: Sequence[Voice], last: NDArray[np.intp], journey: Journey, planted: NDArray[np.float64]) -> None:
    """Note in the voices where they are after their last round (V,), and where they were planted (R, V, 2)."""
    for row, voice in enumerate(voices):
        if voice.morph is not None:
            x, y = journey.places[last[row], row].tolist()
            from_x, from_y = planted[last[row], row].tolist()
            voice.morph = replace(voice.morph, place=(x, y), planted=(from_x, from_y))
