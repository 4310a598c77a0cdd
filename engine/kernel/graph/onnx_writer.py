"""Writing an ONNX model, operator by operator; the onnx package is no dependency of playing.

See https://github.com/onnx/onnx/blob/main/onnx/onnx.proto for the numbers of the fields.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import pack
from typing import Final, NamedTuple

import numpy as np

OPSET: Final = 18
IR_VERSION: Final = 8
KINDS: Final = {"float32": 1, "int32": 6, "int64": 7, "float64": 11}
"""TensorProto.DataType of what arrays hold."""
Attribute = int | float | str | Sequence[int]
Size = int | str
"""Of an axis: a number, or the name of one that differs from run to run."""


class Writer:
    """A graph under construction: every method that adds something returns its name."""

    def __init__(self) -> None:
        self._nodes: list[_Node] = []
        self._renamed: dict[str, str] = {}
        self._constants: list[bytes] = []
        self._inputs: list[bytes] = []
        self._outputs: list[bytes] = []
        self._count = 0

    def input(self, name: str, shape: Sequence[Size], kind: str = "float32") -> str:
        """Add an input."""
        self._inputs.append(_value(name, shape, kind))
        return name

    def output(self, name: str, value: str, shape: Sequence[Size], kind: str = "float32") -> None:
        """Let a value be given under a name."""
        self._renamed[value] = name
        self._outputs.append(_value(name, shape, kind))

    def constant(self, values: np.ndarray | float | Sequence[int]) -> str:
        """Add numbers that stay: float32, integers as int64."""
        array = np.asarray(values)
        name = self._new()
        array = array.astype(np.int64 if array.dtype.kind in "iu" else np.float32)
        shape = b"".join(_whole(1, size) for size in array.shape)
        content = _whole(2, KINDS[array.dtype.name]) + _text(8, name) + _bytes(9, array.tobytes())
        self._constants.append(shape + content)
        return name

    def add(self, kind: str, *inputs: str, domain: str = "", **attributes: Attribute) -> str:
        """Add an operator with one output; an input "" is one that it does without."""
        return self.split(kind, *inputs, count=1, domain=domain, **attributes)[0]

    def split(self, kind: str, *inputs: str, count: int, domain: str = "", **attributes: Attribute) -> list[str]:
        """Add an operator with several outputs."""
        outputs = [self._new() for _ in range(count)]
        self._nodes.append(_Node(kind, domain, inputs, outputs, attributes))
        return outputs

    def model(self) -> bytes:
        """Return the model, as the content of a file."""
        graph = b"".join(
            (
                *(_bytes(1, one.message(self._renamed)) for one in self._nodes),
                _text(2, "hop"),
                *(_bytes(5, one) for one in self._constants),
                *(_bytes(11, one) for one in self._inputs),
                *(_bytes(12, one) for one in self._outputs),
            )
        )
        sets = b"".join(_bytes(8, _text(1, domain) + _whole(2, version)) for domain, version in _SETS)
        return _whole(1, IR_VERSION) + _bytes(7, graph) + sets

    def _new(self) -> str:
        self._count += 1
        return f"v{self._count}"


_SETS = (("", OPSET), ("com.microsoft", 1))


class _Node(NamedTuple):
    """An operator."""

    kind: str
    domain: str
    inputs: Sequence[str]
    outputs: Sequence[str]
    attributes: dict[str, Attribute]

    def message(self, renamed: dict[str, str]) -> bytes:
        """Return a NodeProto in which some values have other names."""
        ends = [_text(1, renamed.get(name, name)) for name in self.inputs]
        ends += [_text(2, renamed.get(name, name)) for name in self.outputs]
        told = [_bytes(5, _attribute(name, value)) for name, value in self.attributes.items()]
        return b"".join((*ends, _text(4, self.kind), *told, _text(7, self.domain) if self.domain else b""))


def _attribute(name: str, value: Attribute) -> bytes:
    if isinstance(value, float):
        content, kind = _tag(2, 5) + pack("<f", value), 1
    elif isinstance(value, int):
        content, kind = _whole(3, value), 2
    elif isinstance(value, str):
        content, kind = _text(4, value), 3
    else:
        content, kind = b"".join(_whole(8, one) for one in value), 7
    return _text(1, name) + content + _whole(20, kind)


def _value(name: str, shape: Sequence[Size], kind: str) -> bytes:
    sizes = b"".join(_bytes(1, _text(2, size) if isinstance(size, str) else _whole(1, size)) for size in shape)
    tensor = _whole(1, KINDS[kind]) + _bytes(2, sizes)
    return _text(1, name) + _bytes(2, _bytes(1, tensor))


def _tag(number: int, kind: int) -> bytes:
    return _varint(number << 3 | kind)


def _whole(number: int, value: int) -> bytes:
    return _tag(number, 0) + _varint(value)


def _bytes(number: int, content: bytes) -> bytes:
    return _tag(number, 2) + _varint(len(content)) + content


def _text(number: int, content: str) -> bytes:
    return _bytes(number, content.encode())


def _varint(value: int) -> bytes:
    """Return a number of 7 bits per byte; negative ones are those of 64 bits."""
    value &= (1 << 64) - 1
    content = bytearray()
    while value > 0x7F:
        content.append(value & 0x7F | 0x80)
        value >>= 7
    content.append(value)
    return bytes(content)
