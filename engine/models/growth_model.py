"""Growing notes: the NCA of one representation, exported to two ONNX models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...errors import BankError
from ..arrays import FloatArray
from ..keys.apply import KeyApplier
from ..keys.motions import KeyRoom, MotionTable
from ..keys.stored.correction_arrays import CorrectionArrays
from ..keys.stored.motion_arrays import MotionArrays
from ..names import representation_of
from ..values import member, whole
from .bound_step import BoundStep
from .facts import MAX_SIZE, check_ports, facts_of, representation_in, spec_in, timbres_in
from .interfaces import Genome, HopInputs
from .onnx_runtime import (
    inputs_of,
    note_lost,
    open_for_graphs,
    open_session,
    outputs_of,
    read_metadata,
    run_model,
    session_provider,
    why_lost,
)

SEED_INPUTS = {"pitch", "velocity", "timbre", "pitched", "stretch"}
STEP_OUTPUTS = ("next_grid", "alive")
FIELD_PREFIX = "field_"
"""Before a field's name in the step model's outputs; bare names collide with those of the graph's own nodes."""

NO_GRID = np.zeros((0, 0, 0), np.float32)


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
        self._bound: BoundStep | None = None
        check_ports("inputs of the seed model", inputs_of(self._seed), SEED_INPUTS)
        self.genome_names = tuple(port.name for port in outputs_of(self._seed))
        taken = {port.name for port in inputs_of(self._step)}
        self._driven_by = tuple(name for name in HopInputs._fields if name in taken)
        check_ports("inputs of the step model", inputs_of(self._step), {*self.genome_names, *self._driven_by})
        self._outputs = [port.name for port in outputs_of(self._step)]
        check_ports("first outputs of the step model", outputs_of(self._step)[:2], set(STEP_OUTPUTS))
        self.fields = tuple(name.removeprefix(FIELD_PREFIX) for name in self._outputs[2:])
        if self.provider == "cuda":
            self.bind()

    @property
    def provider(self) -> str:
        """What the step model runs on now: "cpu" or "cuda"."""
        return session_provider(self._step)

    @property
    def why_lost(self) -> str:
        """One line about a GPU that failed, for whom the CPU goes on; "" where none did."""
        return why_lost(self._step) or why_lost(self._seed)

    def bind(self) -> None:
        """Keep state where the model runs, from hop to hop; see `course`. On the CPU that is of use for tests alone."""
        ports = outputs_of(self._step)
        if not all(isinstance(size, int) for port in ports for size in port.shape[1:]):
            return  # of what has no fixed size nothing can lie in a fixed place
        provider = self.provider
        session = open_for_graphs(self.step_model) if provider == "cuda" else self._step
        self._bound = BoundStep(session, provider, self.genome_names, self._driven_by, self._outputs)

    def course(self, genome: Genome, key: bytes | None = None) -> Course | None:
        """Begin a row of hops of V voices whose state stays on the device; None where nothing is bound.

        Parameters
        ----------
        genome : as `step` has it; its genes must not change until the course has ended
        key : what these genes have in common with those of an earlier course, if that had the same
        """
        return None if self._bound is None or self.why_lost else Course(self, self._bound, genome, key)

    def lose(self, error: Exception) -> None:
        """Go on without the GPU, which has failed."""
        note_lost(self._step, error)
        self._bound = None

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


class Course:
    """Hops in a row of the same voices, whose grids stay on the device until `grids` asks for them.

    If the device fails, the CPU grows these hops again from where they began, and goes on: nothing of the sound is
    lost, and what is heard differs by rounding.
    """

    def __init__(self, model: OnnxGrowthModel, bound: BoundStep, genome: Genome, key: bytes | None) -> None:
        self.num_voices = len(genome["grid"])
        self._model = model
        self._bound: BoundStep | None = bound
        self._genome = {**genome, "grid": genome["grid"].copy()}
        self._hops: list[HopInputs] = []
        self._begin(bound, key)

    def _begin(self, bound: BoundStep, key: bytes | None) -> None:
        try:
            bound.begin(self._genome, key)
        except Exception as error:  # ONNX Runtime raises one class per status code, without a public base
            self._fall_back(error)

    def step(self, hop: HopInputs) -> GrownHop:
        """Grow all voices by a hop; the result has no grid."""
        if self._bound is not None:
            try:
                alive, *fields = self._bound.step(hop)
                self._hops.append(hop)
                return GrownHop(NO_GRID, dict(zip(self._model.fields, fields, strict=True)), alive > 0.5)
            except Exception as error:
                self._fall_back(error)
        return self._on_cpu(hop)

    def grids(self) -> FloatArray:
        """Return the grids now, (V, F, C)."""
        if self._bound is not None:
            try:
                return self._bound.grids()
            except Exception as error:
                self._fall_back(error)
        return self._genome["grid"]

    def _fall_back(self, error: Exception) -> None:
        self._model.lose(error)
        self._bound = None
        for hop in self._hops:
            self._on_cpu(hop)

    def _on_cpu(self, hop: HopInputs) -> GrownHop:
        grown = self._model.step(self._genome, hop)
        self._genome["grid"] = grown.grid
        return grown
