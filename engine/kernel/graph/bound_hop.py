"""A hop's graph on fixed places in the memory of a device: what stays there is not sent again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

from ....errors import ModelError
from ...models.onnx_runtime import bound_run, place, reason_of

STATE: Final = ("grid", "amplitude", "tail")
"""Inputs that come back as outputs of the same name after `NEXT`; they go to and fro between two buffers."""
NEXT: Final = "next_"


class BoundHop:
    """Runs a graph hop after hop on the same voices.

    Parameters
    ----------
    session : of ONNX Runtime
    device : "cpu" or "cuda"
    fixed : inputs that stay as they are, by name, arrays or what `place` gave
    told : inputs that every hop has anew
    state : of `STATE`, those that the graph has
    given : outputs that are fetched
    """

    def __init__(
        self,
        session: Any,
        device: str,
        fixed: Mapping[str, Any],
        told: Mapping[str, np.ndarray],
        state: Mapping[str, np.ndarray],
        given: Mapping[str, np.ndarray],
    ) -> None:
        self._device, self._turn = device, 0
        self._arrays = {**told, **given, **state}
        self._other = {name: np.zeros_like(values) for name, values in state.items()}
        self._placed = {name: self._place(values) for name, values in self._arrays.items()}
        both = [{name: self._placed[name] for name in state}, {n: self._place(v) for n, v in self._other.items()}]
        self._states = both
        kept = {
            name: self._place(values) if isinstance(values, np.ndarray) else values for name, values in fixed.items()
        }
        inputs = {**kept, **{name: self._placed[name] for name in told}}
        outputs = {name: self._placed[name] for name in given}
        self._runs: list[Callable[[], None]] = []
        for one, other in (both, both[::-1]):
            coming = {NEXT + name: value for name, value in other.items()}
            self._runs.append(bound_run(session, {**inputs, **one}, {**outputs, **coming}))

    def _place(self, values: np.ndarray) -> Any:
        return place(values, self._device)

    def tell(self, name: str, values: np.ndarray) -> None:
        """Set an input of the next hop."""
        array = self._arrays[name]
        array[...] = values
        if self._device != "cpu":  # there it is the array
            self._placed[name].update_inplace(array)

    def begin(self, name: str, values: np.ndarray) -> None:
        """Set a part of the state that the next hop begins with."""
        array = (self._arrays, self._other)[self._turn][name]
        array[...] = values
        if self._device != "cpu":
            self._states[self._turn][name].update_inplace(array)

    def run(self) -> None:
        """Compute a hop; `ModelError` if that cannot be done."""
        try:
            self._runs[self._turn]()
        except Exception as error:  # ONNX Runtime raises one class per status code, without a public base
            raise ModelError(f"the graph of a hop cannot be run: {reason_of(error)}") from error
        self._turn = 1 - self._turn

    def given(self, name: str) -> np.ndarray:
        """Return an output of the last hop; the next one writes over it."""
        return self._arrays[name] if self._device == "cpu" else np.asarray(self._placed[name].numpy())

    def state(self, name: str) -> np.ndarray:
        """Return a part of the state after the last hop."""
        if self._device == "cpu":
            return (self._arrays, self._other)[self._turn][name]
        return np.asarray(self._states[self._turn][name].numpy())
