"""What `Synth` asks of models and banks, so that voices can be played and tested without ONNX Runtime."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ..arrays import FloatArray
from ..keys.apply import KeyApplier
from ..keys.motions import MotionTable
from ..spectra.spec import AudioSpec

Genome = dict[str, FloatArray]
"""What V notes are, by name, each float32 (V, ...): ``grid`` (V, F, C), and genes that stay as they were planted."""


class HopInputs(NamedTuple):
    """What drives the growth of V voices in one hop.

    Attributes
    ----------
    age_s : float32 (V,), of the frame being grown, in seconds since the onset
    release_age_s : float32 (V,), seconds since the release, -1 while held
    fire_mask : float32 (V, steps_per_hop, F), 1 where a cell updates
    swell : float32 (V, F), how far levels are off their smooth course; see `engine.keys.motions`
    """

    age_s: FloatArray
    release_age_s: FloatArray
    fire_mask: FloatArray
    swell: FloatArray


class Grown(Protocol):
    """One hop grown."""

    @property
    def grid(self) -> FloatArray:
        """The grids one hop later, float32 (V, F, C)."""
        ...

    @property
    def fields(self) -> dict[str, FloatArray]:
        """What was grown, by name, each float32 (V, 2, bands or bins)."""
        ...

    @property
    def alive(self) -> NDArray[np.bool_]:
        """Whether any cell lives, (V,)."""
        ...


class GrowthModel(Protocol):
    """Grows notes one spectral frame at a time; the batch axis V is the voices that grow together.

    Attributes
    ----------
    spec : how its frames measure sound
    fields : names of the fields it grows
    steps_per_hop : updates in one step
    motions : what moves the notes of recorded keys
    finisher : makes what is heard of what was grown
    settling_hops : hops that a genome planted for a note in its midst grows before it is heard, with those that its
        decoder sounds
    """

    spec: AudioSpec
    fields: tuple[str, ...]
    steps_per_hop: int
    motions: MotionTable
    finisher: KeyApplier
    settling_hops: int

    def plant(
        self, pitch: FloatArray, velocity: FloatArray, timbre: FloatArray, pitched: FloatArray, stretch: FloatArray
    ) -> Genome:
        """Return the genome of V notes.

        MIDI pitch (V,), velocity 0..1 (V,), timbre (V, D), pitched 0 or 1 (V,), inharmonicity B (V,).
        """
        ...

    def step(self, genome: Genome, hop: HopInputs) -> Grown:
        """Grow V notes by one hop; the genome's ``grid`` is the present one."""
        ...
