"""Growing notes: the NCA models behind ONNX Runtime, whose only home this module is."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime as ort

from ..errors import BankError
from .spec import AudioSpec
from .spectral import FloatArray

Genome = dict[str, FloatArray]
"""What the seed model gives for V notes, each float32 (V, ...): the initial ``grid``, and genes read at every hop."""

FIELD_PREFIX = "field_"
"""Before a field's name in the step model's outputs; bare names collide with those of the graph's own nodes."""

PROVIDERS = {"cpu": ["CPUExecutionProvider"], "cuda": ["CUDAExecutionProvider", "CPUExecutionProvider"]}


def open_session(model: bytes, provider: str, threads: int = 1) -> ort.InferenceSession:
    """Open a model from memory.

    Parameters
    ----------
    provider : "cpu", "cuda" (falls back to the CPU: ask `session_provider` what came of it), or "auto"
    threads : intra-op threads; idle ones sleep, since spinning ones would take the core the audio needs

    Raises
    ------
    BankError
        The bytes are not an ONNX model this ONNX Runtime can run.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 4
    available = ort.get_available_providers()
    wanted = PROVIDERS["cuda" if provider == "auto" else provider]
    try:
        return ort.InferenceSession(model, options, providers=[p for p in wanted if p in available])
    except Exception as error:  # ONNX Runtime raises one class per status code, without a public base
        reason = str(error).splitlines()[0][:200]
        raise BankError(f"not a model that ONNX Runtime {ort.__version__} can run: {reason}") from error


def session_provider(session: ort.InferenceSession) -> str:
    """Return "cuda" or "cpu", whichever the session really uses."""
    return "cuda" if session.get_providers()[0] == "CUDAExecutionProvider" else "cpu"


def read_metadata(session: ort.InferenceSession) -> dict[str, Any]:
    """Return the JSON values stored in a model file; strings that are not JSON stay strings."""
    values: dict[str, Any] = {}
    for key, text in session.get_modelmeta().custom_metadata_map.items():
        try:
            values[key] = json.loads(text)
        except json.JSONDecodeError:
            values[key] = text
    return values


@dataclass(frozen=True, eq=False)
class Growth:
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


class GrowthModel:
    """One representation's models: `plant` notes, then `step` all of them together.

    Thread: producer.
    """

    def __init__(self, seed_model: bytes, step_model: bytes, provider: str = "cpu", threads: int = 1) -> None:
        self._seed = open_session(seed_model, provider, threads)
        self._step = open_session(step_model, provider, threads)
        facts = read_metadata(self._step)
        for key in ("spec", "representation", "steps_per_hop", "timbre_size"):
            if key not in facts:
                raise BankError(f"the step model lacks {key!r} in its metadata; it was not exported by tnca-synth")
        self.metadata = facts
        self.spec = AudioSpec.from_dict(facts["spec"])
        self.representation: str = facts["representation"]
        self.steps_per_hop = int(facts["steps_per_hop"])
        self.timbre_size = int(facts["timbre_size"])
        self.provider = session_provider(self._step)
        self.genome_names = tuple(output.name for output in self._seed.get_outputs())
        self._outputs = [output.name for output in self._step.get_outputs()]
        self.fields = tuple(name.removeprefix(FIELD_PREFIX) for name in self._outputs[2:])

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
        return dict(zip(self.genome_names, self._seed.run(None, inputs), strict=True))

    def step(self, genome: Genome, age_s: FloatArray, release_age_s: FloatArray, fire_mask: FloatArray) -> Growth:
        """Grow V notes by one hop.

        Parameters
        ----------
        genome : as `plant` gave it, with ``grid`` the present grid (V, F, C)
        age_s, release_age_s : float32 (V,), seconds since onset and since release, the latter -1 while held
        fire_mask : float32 (V, steps_per_hop, F), 1 where a cell updates
        """
        inputs = {**genome, "age_s": age_s, "release_age_s": release_age_s, "fire_mask": fire_mask}
        grid, alive, *fields = self._step.run(self._outputs, inputs)
        return Growth(grid, dict(zip(self.fields, fields, strict=True)), alive > 0.5)
