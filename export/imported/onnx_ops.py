"""`Tape` that writes an ONNX graph node by node.

Letters: V voices, C channels, N samples at the rate of a layer, S numbers remembered.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from .ops import Activation, Tape, lag, margins, reach

LAST = 2**31


class Named(NamedTuple):
    """A signal in the graph.

    Attributes
    ----------
    name : of the value
    sizes : of the axes between the voices and the last one
    """

    name: str
    sizes: tuple[int, ...]


class OnnxTape(Tape[Named]):
    """Writes a graph with the inputs "mel", "state" (V, S) and "fresh" (V,), 1 for voices that begin after silence.

    Parameters
    ----------
    silence : float32 (1, S)
        What the network remembers of lasting silence.
    """

    def __init__(self, silence: NDArray[np.float32]) -> None:
        self._silence = silence
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[tuple[object, ...], onnx.TensorProto] = {}
        self._pieces: list[tuple[str, int]] = []  # of the state: name and numbers
        self._taken: list[str] = []
        self._count = 0

    def finish(self, num_mels: int, outputs: dict[str, Named], opset: int) -> onnx.ModelProto:
        """Return the model; `outputs` are its signals by name, to which it adds "next_state"."""
        state = self._opening()
        for name, signal in outputs.items():
            self._nodes.append(helper.make_node("Identity", [signal.name], [name]))
        self._nodes.append(helper.make_node("Concat", self._taken, ["next_state"], axis=1))
        size = self._silence.shape[1]
        info = helper.make_tensor_value_info
        frames = info("mel", TensorProto.FLOAT, ["voices", "frames", num_mels])
        inputs = [
            frames,
            info("state", TensorProto.FLOAT, ["voices", size]),
            info("fresh", TensorProto.FLOAT, ["voices"]),
        ]
        given = [info(name, TensorProto.FLOAT, ["voices", None, *one.sizes]) for name, one in outputs.items()]
        given.append(info("next_state", TensorProto.FLOAT, ["voices", size]))
        constants = list(self._constants.values())
        graph = helper.make_graph([*state, *self._nodes], "imported vocoder", inputs, given, constants)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)

    def _opening(self) -> list[onnx.NodeProto]:
        """Return the nodes that choose between silence and what is remembered, and take it apart."""
        half, axis = self._constant(np.float32(0.5)), self._constant(np.array([1]))
        sizes = self._constant(np.array([size for _, size in self._pieces]))
        silence = self._constant(self._silence)
        return [
            helper.make_node("Greater", ["fresh", half], ["begins"]),
            helper.make_node("Unsqueeze", ["begins", axis], ["begins_row"]),
            helper.make_node("Where", ["begins_row", silence, "state"], ["remembered"]),
            helper.make_node("Split", ["remembered", sizes], [name for name, _ in self._pieces], axis=1),
        ]

    def _constant(self, values: NDArray[np.generic] | np.generic | Tensor) -> str:
        """Return the name of a constant; small equal ones are kept once."""
        array = np.asarray(values.detach().numpy() if isinstance(values, Tensor) else values)
        key = (array.shape, array.dtype.str, array.tobytes() if array.size < 64 else len(self._constants))
        if key not in self._constants:
            name = f"constant_{len(self._constants)}"
            self._constants[key] = numpy_helper.from_array(np.ascontiguousarray(array).reshape(array.shape), name)
        return str(self._constants[key].name)

    def _node(self, kind: str, inputs: Sequence[str], **attributes: Any) -> str:
        self._count += 1
        name = f"{kind.lower()}_{self._count}"
        self._nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def _cut(self, name: str, start: int, end: int, axis: int) -> str:
        places = [self._constant(np.array([value])) for value in (start, end, axis)]
        return self._node("Slice", [name, *places])

    def _extend(self, signal: Named, past: int) -> str:
        """Return a signal with the `past` samples before it, and remember its end."""
        axis = 1 + len(signal.sizes)
        piece = f"past_{len(self._pieces)}"
        self._pieces.append((piece, math.prod(signal.sizes) * past))
        before = self._node("Reshape", [piece, self._constant(np.array([-1, *signal.sizes, past]))])
        whole = self._node("Concat", [before, signal.name], axis=axis)
        self._taken.append(self._node("Flatten", [self._cut(whole, -past, LAST, axis)], axis=1))
        return whole

    def delay(self, signal: Named, samples: int) -> Named:  # noqa: D102
        if not samples:
            return signal
        whole = self._extend(signal, samples)
        return signal._replace(name=self._cut(whole, 0, -samples, 1 + len(signal.sizes)))

    def convolve(self, layer: nn.Conv1d, signal: Named) -> Named:  # noqa: D102
        parts = [self._extend(signal, 2 * lag(layer)), *self._weights(layer.weight, layer.bias)]
        return Named(self._node("Conv", parts, dilations=layer.dilation, group=layer.groups), (layer.out_channels,))

    def _weights(self, weight: Tensor, bias: Tensor | None) -> list[str]:
        return [self._constant(weight), *([] if bias is None else [self._constant(bias)])]

    def upsample(self, layer: nn.ConvTranspose1d, signal: Named) -> Named:  # noqa: D102
        parts = [self._extend(signal, sum(reach(layer))), *self._weights(layer.weight, layer.bias)]
        spread = self._node("ConvTranspose", parts, strides=layer.stride, pads=margins(layer))
        return Named(spread, (layer.out_channels,))

    def activate(self, layer: Activation, signal: Named) -> Named:  # noqa: D102
        past, axis = layer.spreading.shape[-1] - 1, self._constant(np.array([1]))
        flat = self._node("Unsqueeze", [self._extend(signal, past), axis])
        pair = self._node("Conv", [flat, self._constant(layer.spreading)])
        wave = self._node("Sin", [self._node("Mul", [pair, self._constant(layer.alpha)])])
        bump = self._node("Mul", [self._node("Mul", [wave, wave]), self._constant(layer.height)])
        whole = self._extend(Named(self._node("Add", [pair, bump]), (2, *signal.sizes)), past)
        gathered = self._node("Conv", [whole, self._constant(layer.gathering)])
        return signal._replace(name=self._node("Squeeze", [gathered, axis]))

    def add(self, one: Named, other: Named) -> Named:  # noqa: D102
        return one._replace(name=self._node("Add", [one.name, other.name]))

    def mean(self, signals: Sequence[Named]) -> Named:  # noqa: D102
        return signals[0]._replace(name=self._node("Mean", [signal.name for signal in signals]))

    def sound(self, signal: Named, is_tanh: bool) -> Named:  # noqa: D102
        ends = [self._constant(np.float32(-1.0)), self._constant(np.float32(1.0))]
        bounded = self._node("Tanh", [signal.name]) if is_tanh else self._node("Clip", [signal.name, *ends])
        return Named(self._node("Squeeze", [bounded, self._constant(np.array([1]))]), ())

    def turn(self, signal: Named) -> Named:  # noqa: D102
        # The last axis is that of time in one order only; which of the two it is follows from the use.
        return signal._replace(name=self._node("Transpose", [signal.name], perm=[0, 2, 1]))

    def norm(self, layer: nn.LayerNorm, signal: Named) -> Named:  # noqa: D102
        parts = [signal.name, *self._weights(layer.weight, layer.bias)]
        return signal._replace(name=self._node("LayerNormalization", parts, axis=-1, epsilon=layer.eps))

    def linear(self, layer: nn.Linear, signal: Named) -> Named:  # noqa: D102
        product = self._node("MatMul", [signal.name, self._constant(layer.weight.T)])
        return Named(self._node("Add", [product, self._constant(layer.bias)]), (layer.out_features,))

    def gelu(self, signal: Named) -> Named:  # noqa: D102
        root, one, half = (self._constant(np.float32(value)) for value in (math.sqrt(2.0), 1.0, 0.5))
        error = self._node("Erf", [self._node("Div", [signal.name, root])])
        share = self._node("Mul", [signal.name, self._node("Add", [error, one])])
        return signal._replace(name=self._node("Mul", [share, half]))

    def scale(self, factor: Tensor, signal: Named) -> Named:  # noqa: D102
        return signal._replace(name=self._node("Mul", [signal.name, self._constant(factor)]))

    def magnitude_and_phase(self, signal: Named, largest: float) -> tuple[Named, Named]:  # noqa: D102
        half = signal.sizes[0] // 2
        grown = self._node("Exp", [self._cut(signal.name, 0, half, 2)])
        cut = self._node("Min", [grown, self._constant(np.float32(largest))])
        return Named(cut, (half,)), Named(self._cut(signal.name, half, LAST, 2), (half,))
