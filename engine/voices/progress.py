"""How far the voices of all slots have grown, in arrays by slot: what growing a hop moves on."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Columns(NamedTuple):
    """How far V voices have grown, each float64 (V,); see `Progress`."""

    num_frames: NDArray[np.float64]
    planted_pitch: NDArray[np.float64]
    planted_hops: NDArray[np.float64]
    last_pitch: NDArray[np.float64]
    age_lead_s: NDArray[np.float64]
    release_lead_s: NDArray[np.float64]
    damage: NDArray[np.float64]
    is_planted: NDArray[np.float64]


COLUMNS = Columns._fields


class Reached(NamedTuple):
    """Where V voices are after their last round, each float64 (V,); see `Progress`."""

    planted_pitch: NDArray[np.float64]
    planted_hops: NDArray[np.float64]
    last_pitch: NDArray[np.float64]
    age_lead_s: NDArray[np.float64]
    release_lead_s: NDArray[np.float64]


class Progress:
    """How far the voice in each of S slots has grown.

    Parameters
    ----------
    num_slots : S

    Attributes
    ----------
    table : float64 (S, 8), a row for each slot, in the order of `COLUMNS`; the following are its columns (S,)
    num_frames : spectral frames grown so far
    planted_pitch : MIDI pitch of the genome that it grows from
    planted_hops : hops since that genome was planted
    last_pitch : MIDI pitch, without vibrato, at the last hop
    age_lead_s, release_lead_s : how far its clocks are ahead of time, in seconds
    damage : shares of its grid that its channel had erased at the last hop, since before its onset
    is_planted : 1 once it has a genome, else 0
    """

    def __init__(self, num_slots: int) -> None:
        self.table = np.zeros((num_slots, len(COLUMNS)))
        (
            self.num_frames, self.planted_pitch, self.planted_hops, self.last_pitch,
            self.age_lead_s, self.release_lead_s, self.damage, self.is_planted,
        ) = self.table.T  # fmt: skip

    def of(self, slots: NDArray[np.integer]) -> Columns:
        """Return how far the voices in slots (V,) have grown."""
        return Columns(*self.table[slots].T)

    def clear(self, slot: int) -> None:
        """Let another voice begin in a slot."""
        self.table[slot] = 0.0

    def succeed(self, slot: int, successor: int, semitones: float) -> None:
        """Let a voice in the slot `successor` begin where another is, retuned; it has no genome and no frames yet."""
        self.table[successor] = self.table[slot]
        self.planted_pitch[successor] += semitones
        self.last_pitch[successor] += semitones
        self.num_frames[successor] = self.is_planted[successor] = 0.0

    def advance(
        self,
        slots: NDArray[np.integer],
        num_frames: NDArray[np.integer],
        reached: Reached,
        damage: NDArray[np.float64] | None = None,
    ) -> None:
        """Note how far voices in slots (V,) have come.

        Parameters
        ----------
        num_frames : (V,), grown since
        reached : Reached
        damage : float64 (V,), None where it is as it was
        """
        self.num_frames[slots] += num_frames
        self.table[slots, 1:6] = np.array(reached, np.float64).T
        if damage is not None:
            self.damage[slots] = damage
