"""Growing notes: the NCA of one representation, exported to two ONNX models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...errors import BankError
from ..arrays import FloatArray
from ..keys.apply import KeyApplier
from ..keys.correction import CorrectionArrays
from ..keys.motions import KeyRoom, MotionArrays, MotionTable
from ..names import representation_of
from ..values import member, whole
from .facts import MAX_SIZE, check_ports, facts_of, representation_in, spec_in, timbres_in
from .interfaces import Genome, HopInputs
from .onnx_runtime import inputs_of, open_session, outputs_of, read_metadata, run_model, session_provider

SEED_INPUTS = {"pitch", "velocity", "timbre", "pitched", "stretch"}
STEP_OUTPUTS = ("next_grid", "alive")
FIELD_PREFIX = "field_"
"""Before a field's name in the step model's outputs; bare names collide with those of the graph's own nodes."""


@dataclass(frozen=True, eq=False)
class GrownHop:
    """One hop grown.

    Attributes
    ----------
    grid : float32 (V, F, C)
    fields : name -> float32 (V, 2, bands or bins), level and tonality
    alive : bool (V,), False where no cell lives
    """

    grid: FloatArray
    fields: dict[str, FloatArray]
    alive: np.ndarray


class OnnxGrowthModel:
    """One representation's models: `plant` notes, then `step` all of them together.

    Thread: producer.
    """

    def __init__(
        self,
        seed_model: bytes,
        step_model: bytes,
        provider: str = "cpu",
        threads: int = 1,
        motions: MotionArrays | None = None,
        correction: CorrectionArrays | None = None,
        room: KeyRoom | None = None,
    ) -> None:
        self.step_model = step_model
        self._seed = open_session(seed_model, provider, threads)
        self._step = open_session(step_model, provider, threads)
        with facts_of("seed model"):
            self._know(read_metadata(self._seed))
        facts = read_metadata(self._step)
        if any(self.metadata.get(key) != facts.get(key) for key in ("representation", "spec")):
            raise BankError("the seed model does not belong to the step model, or was not exported by tnca-synth")
        self.motions = MotionTable(self.spec, motions, correction, room)
        self.finisher = KeyApplier(self.spec, self.motions)
        self.settling_hops = representation_of(self.representation).settling_hops
        self.provider = session_provider(self._step)
        check_ports("inputs of the seed model", inputs_of(self._seed), SEED_INPUTS)
        self.genome_names = tuple(port.name for port in outputs_of(self._seed))
        taken = {port.name for port in inputs_of(self._step)}
        self._driven_by = tuple(name for name in HopInputs._fields if name in taken)
        check_ports("inputs of the step model", inputs_of(self._step), {*self.genome_names, *self._driven_by})
        self._outputs = [port.name for port in outputs_of(self._step)]
        check_ports("first outputs of the step model", outputs_of(self._step)[:2], set(STEP_OUTPUTS))
        self.fields = tuple(name.removeprefix(FIELD_PREFIX) for name in self._outputs[2:])

    def _know(self, facts: dict[str, Any]) -> None:
        """Take what the seed model says of itself."""
        self.metadata = facts
        self.spec = spec_in(facts)
        self.representation = representation_in(facts)
        self.steps_per_hop = whole(*member(facts, "steps_per_hop"), 1, 64)
        self.timbre_size = whole(*member(facts, "timbre_size"), 1, MAX_SIZE)
        self.timbres = timbres_in(facts, self.timbre_size)

    def plant(
        self, pitch: FloatArray, velocity: FloatArray, timbre: FloatArray, pitched: FloatArray, stretch: FloatArray
    ) -> Genome:
        """Grow the static side of V notes.

        Parameters
        ----------
        pitch, velocity, pitched, stretch : float32 (V,)
            Real-valued MIDI pitch, velocity 0..1, 1 or 0, and inharmonicity B.
        timbre : float32 (V, timbre_size)
        """
        inputs = {"pitch": pitch, "velocity": velocity, "timbre": timbre, "pitched": pitched, "stretch": stretch}
        return dict(zip(self.genome_names, run_model(self._seed, None, inputs), strict=True))

    def step(self, genome: Genome, hop: HopInputs) -> GrownHop:
        """Grow V notes by one hop.

        Parameters
        ----------
        genome : as `plant` gave it, with ``grid`` the present grid (V, F, C)
        hop : what drives them; the model takes what it has inputs for
        """
        inputs = {**genome, **{name: getattr(hop, name) for name in self._driven_by}}
        grid, alive, *fields = run_model(self._step, self._outputs, inputs)
        return GrownHop(grid, dict(zip(self.fields, fields, strict=True)), alive > 0.5)
