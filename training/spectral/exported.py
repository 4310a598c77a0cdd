"""A trained `TNCA` from its exported seed and step model, to go on training where only a bank is at hand.

Exports regroup the weights (`export/graphs`): heads lie side by side, the clocks' bias is the seed's, and what is the
same for all notes is folded into constants. Letters: F cells, N linear bins, C channels, H hidden units.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnx.numpy_helper
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...engine.kernel.weights import CLOCKS, DRIVEN, Weights, read_weights
from ...engine.models.facts import spec_in, timbres_in
from ...engine.models.onnx_runtime import open_session, read_metadata
from ...engine.spectra.spec import AudioSpec
from ...errors import BankError
from ..config.models import NCAConfig
from .nca import NUM_KEYS, SWELL_UNIT, TNCA

DUAL = "dual"
HALF = ".half"
HEADS = ("trunk.0", "trunk.2", "band_head", "pitch_head", "partial_head")
"""Layers of the seed network that are exported as they are."""


@dataclass(frozen=True, eq=False)
class ExportedModel:
    """A model as it was trained.

    Attributes
    ----------
    model : TNCA
        Equal to what was exported, up to rounding.
    timbre_names : one for each row of its timbre table
    recorded_keys : timbre name -> the keys that have codes of their own
    seconds : the training time it took
    """

    model: TNCA
    timbre_names: tuple[str, ...]
    recorded_keys: dict[str, tuple[int, ...]]
    seconds: float


def read_exported(seed_model: bytes, step_model: bytes) -> ExportedModel:
    """Return the model that was exported as a seed and a step model of the dual representation.

    Raises
    ------
    BankError
        They grow another representation, do not belong together, or are of another version.
    """
    facts = read_metadata(open_session(seed_model, "cpu"))
    spec = spec_in(facts)
    step = read_weights(step_model, spec)
    if facts.get("representation") != DUAL or step is None:
        raise BankError("only an exported model of the dual representation can be trained further")
    timbres_in(facts, int(facts["timbre_size"]))  # checks the tables
    names = tuple(facts["timbres"])
    try:
        seed = _Seed(seed_model)
        model = TNCA(_config(seed, step, facts, spec), len(names)).eval()
        model.load_state_dict({**_tables(facts), **_step_weights(step), **_seed_weights(seed, model, step)})
    except (KeyError, IndexError, ValueError, RuntimeError) as error:
        raise BankError(f"the seed model was not exported by this version of tnca-synth ({error})") from error
    recorded = {name: tuple(table["keys"]) for name, table in facts.get("key_codes", {}).items()}
    return ExportedModel(model, names, recorded, float(facts.get("training_seconds", 0)))


class _Seed:
    """The constants of a seed model by name, and which constant each is added to."""

    def __init__(self, content: bytes) -> None:
        graph = onnx.load_from_string(content).graph
        self._nodes = graph.node
        self.constants = {
            one.name.removesuffix(HALF): onnx.numpy_helper.to_array(one).astype(np.float32)
            for one in graph.initializer
            if one.data_type in (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16)
        }

    def added(self, rows: int, columns: int) -> NDArray[np.float32]:
        """Return the only constant of a size that is added to something."""
        found = [
            self.constants[name]
            for node in self._nodes
            if node.op_type == "Add"
            for name in node.input
            if name in self.constants and self.constants[name].shape == (rows, columns)
        ]
        (value,) = found
        return value


def _config(seed: _Seed, step: Weights, facts: dict[str, Any], spec: AudioSpec) -> NCAConfig:
    """Return the size of an exported model."""
    constants = seed.constants
    codes = next(iter(facts["key_codes"].values()))["codes"]
    key_size = len(codes[0])
    partial_genes = constants["into_bins"].shape[0] - 3
    band_genes = constants["seed.band_head.bias"].size // spec.num_mels
    return NCAConfig(
        representation=DUAL,
        channels=step.channels,
        hidden=step.hidden,
        steps_per_hop=int(facts["steps_per_hop"]),
        timbre_size=int(facts["timbre_size"]) - key_size,
        key_size=key_size,
        seed_hidden=constants["seed.trunk.0.bias"].size,
        band_genes=band_genes,
        pitch_genes=constants["into_cells"].shape[0] - band_genes - 3,
        partial_genes=partial_genes,
        readout_hidden=step.readout,
        spec=spec,
    )


def _tables(facts: dict[str, Any]) -> dict[str, Tensor]:
    """Return the timbres, and the codes of all keys; keys that were not recorded have none."""
    vectors, coded = facts["timbres"], facts["key_codes"]
    size = len(next(iter(coded.values()))["codes"][0])
    codes = torch.zeros(len(vectors), NUM_KEYS, size)
    for row, name in enumerate(vectors):
        if name in coded and coded[name]["keys"]:
            codes[row, coded[name]["keys"]] = torch.tensor(coded[name]["codes"]).half().float()
    return {"timbres.weight": torch.tensor(list(vectors.values())), "keys.weight": codes.flatten(0, 1)}


def _step_weights(step: Weights) -> dict[str, Tensor]:
    """Return the weights of the step; the clocks' bias is in the seed."""
    into_hidden = _from_rows(step.into_hidden)
    perceive, envelopes, swells = np.split(into_hidden, [into_hidden.shape[1] - DRIVEN, into_hidden.shape[1] - 1], 1)
    weights = {
        "perceive.weight": perceive,
        "envelopes.weight": envelopes,
        "swells.weight": swells * SWELL_UNIT,
        "clocks.weight": step.from_clocks[: CLOCKS + 1].T,
        "clocks.bias": np.zeros(step.hidden),
        "update.weight": _from_rows(step.update),
        "update.bias": step.update_bias,
        "read_state.weight": step.read_state.T,
        "read_out.weight": step.read_out,
        "read_out.bias": step.read_bias,
    }
    return {name: torch.tensor(np.array(values), dtype=torch.float32) for name, values in weights.items()}


def _from_rows(matrix: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return (N / 4, K, 4), as the kernel has it, as (N, K)."""
    return matrix.transpose(0, 2, 1).reshape(-1, matrix.shape[1])


def _seed_weights(seed: _Seed, model: TNCA, step: Weights) -> dict[str, Tensor]:
    """Return the weights of the seed network."""
    config, constants = model.config, seed.constants
    weights = {
        f"seed.{head}.{part}": torch.tensor(constants[f"seed.{head}.{part}"])
        for head in HEADS
        for part in ("weight", "bias")
    }
    sizes = (config.hidden, 4, config.channels)
    outputs = sum(sizes)
    place, bias = _on_places(seed.added(config.cells, outputs), model.seed.band_place)
    into_cells = torch.cat([torch.tensor(constants["into_cells"]), place]).T
    for name, weight, own in zip(
        ("to_hidden", "to_rates", "to_grid"), into_cells.split(sizes), bias.split(sizes), strict=True
    ):
        weights |= {f"seed.{name}.weight": weight.contiguous(), f"seed.{name}.bias": own}
    fixed = seed.added(config.spec.num_bins, step.readout)
    place, bias = _on_places(fixed, model.seed.bin_place)
    weights["seed.to_readout.weight"] = torch.cat([torch.tensor(constants["into_bins"]), place]).T.contiguous()
    # Exporters fold the bias into the constant, or leave it beside it.
    weights["seed.to_readout.bias"] = bias + torch.tensor(
        constants.get("seed.to_readout.bias", np.zeros(step.readout, np.float32))
    )
    return weights


def _on_places(folded: NDArray[np.float32], places: Tensor) -> tuple[Tensor, Tensor]:
    """Return the weights (P, O) and the bias (O,) that make what was folded (L, O) of the places (L, P)."""
    columns = torch.cat([places.double(), torch.ones(len(places), 1, dtype=torch.float64)], 1)
    wanted = torch.tensor(folded, dtype=torch.float64)
    solved = torch.linalg.lstsq(columns, wanted).solution
    if (columns @ solved - wanted).abs().max() > 1e-3:
        raise ValueError("its constants are not a function of place")
    size = places.shape[1]
    return solved[:size].float(), solved[size].float()
