"""A step model whose inputs and outputs lie in fixed places on its device: what stays there is not sent again.

On a GPU each run is then replayed as a CUDA graph, one for each number of voices that there is room for (tier) and for
each of the two directions: grids go to and fro between two buffers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from ..arrays import FloatArray
from .interfaces import Genome, HopInputs
from .onnx_runtime import bound_run, outputs_of, place

TIERS: Final = (8, 32, 128, 512, 1024)
GRID, NEXT_GRID = "grid", "next_grid"


@dataclass(eq=False)
class _Tier:
    """The buffers for so many voices.

    Attributes
    ----------
    inputs : what is sent, by name
    outputs : what is fetched, by name
    grids : the two buffers
    directions : from the first to the second, and back
    key : of the genes that are there
    """

    size: int
    inputs: dict[str, Any] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)
    grids: list[Any] = field(default_factory=list)
    directions: list[Callable[[], None]] = field(default_factory=list)
    key: bytes | None = None


class BoundStep:
    """Runs a step model hop after hop.

    Parameters
    ----------
    session : on a GPU one for graphs
    device : "cuda" or "cpu"
    genome_names, driven_by : inputs
    outputs : with the next grid in front
    """

    def __init__(
        self,
        session: Any,
        device: str,
        genome_names: tuple[str, ...],
        driven_by: tuple[str, ...],
        outputs: list[str],
    ) -> None:
        self._session, self._device = session, device
        self._genes = tuple(name for name in genome_names if name != GRID)
        self._driven_by = driven_by
        self._fetched = [name for name in outputs if name != NEXT_GRID]
        self._shapes = {port.name: [int(size or 0) for size in port.shape[1:]] for port in outputs_of(session)}
        self._tiers: dict[int, _Tier] = {}
        self._now: _Tier | None = None
        self._turn = self._num_voices = 0

    def begin(self, genome: Genome, key: bytes | None = None) -> None:
        """Send what V voices are grown from; genes of a `key` that is there already are not sent again."""
        self._num_voices = len(genome[GRID])
        size = next((tier for tier in TIERS if tier >= self._num_voices), self._num_voices)
        tier = self._now = self._tiers.setdefault(size, _Tier(size))
        self._turn = 0
        if not tier.grids:
            tier.grids = [self._place(self._padded(genome[GRID])) for _ in range(2)]
        else:
            tier.grids[0].update_inplace(self._padded(genome[GRID]))
        if key is None or key != tier.key:
            tier.key = None
            for name in self._genes:
                self._send(tier, name, genome[name])
            tier.key = key

    def step(self, hop: HopInputs) -> list[FloatArray]:
        """Grow them by a hop; return all outputs but the grid."""
        tier = self._now
        assert tier is not None
        for name in self._driven_by:
            self._send(tier, name, getattr(hop, name))
        if not tier.directions:
            self._bind(tier)
        tier.directions[self._turn]()
        self._turn = 1 - self._turn
        return [tier.outputs[name].numpy()[: self._num_voices] for name in self._fetched]

    def grids(self) -> FloatArray:
        """Return their grids now, (V, F, C)."""
        assert self._now is not None
        return self._now.grids[self._turn].numpy()[: self._num_voices]

    def _send(self, tier: _Tier, name: str, values: FloatArray) -> None:
        padded = self._padded(values)
        if name in tier.inputs:
            tier.inputs[name].update_inplace(padded)
        else:
            tier.inputs[name] = self._place(padded)

    def _bind(self, tier: _Tier) -> None:
        """Fix where everything lies, in both directions."""
        for name in self._fetched:
            tier.outputs[name] = self._place(np.zeros((tier.size, *self._shapes[name]), np.float32))
        for direction in range(2):
            inputs = {**tier.inputs, GRID: tier.grids[direction]}
            outputs = {**tier.outputs, NEXT_GRID: tier.grids[1 - direction]}
            graph_id = 2 * tier.size + direction + 1 if self._device == "cuda" else None
            tier.directions.append(bound_run(self._session, inputs, outputs, graph_id))

    def _place(self, values: FloatArray) -> Any:
        return place(values, self._device)

    def _padded(self, values: FloatArray) -> FloatArray:
        """Return values (V, ...) with room for the whole tier; what is beyond the voices is never read."""
        assert self._now is not None
        whole = np.zeros((self._now.size, *values.shape[1:]), np.float32)
        whole[: len(values)] = values
        return whole
