"""The nodes and constants of an ONNX file, as far as the kernel needs them; ONNX Runtime does not tell them.

An ONNX file is a Protocol Buffers message: fields of a number and a kind, one after the other. Field numbers are those
of onnx.proto.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from ...errors import BankError
from ..spectral import FloatArray

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_FLOAT = 1
"""TensorProto.DataType of float32."""


class Node(NamedTuple):
    """An operator with the names of its inputs."""

    kind: str
    inputs: tuple[str, ...]


class Graph(NamedTuple):
    """The nodes of a model in order, and its float32 constants by name."""

    nodes: tuple[Node, ...]
    constants: dict[str, FloatArray]


def read_graph(model: bytes) -> Graph:
    """Return the graph of an ONNX file; `BankError` if it is none."""
    try:
        graph = dict(_fields(memoryview(model)))[7]
        assert isinstance(graph, memoryview)
        nodes, constants = [], {}
        for number, value in _fields(graph):
            if number == 1 and isinstance(value, memoryview):
                nodes.append(_node(value))
            elif number == 5 and isinstance(value, memoryview):
                constants.update(_constant(value))
        return Graph(tuple(nodes), constants)
    except (KeyError, IndexError, ValueError, AssertionError, StopIteration, UnicodeDecodeError) as error:
        raise BankError("a step model is no ONNX file that can be read") from error


def _node(message: memoryview) -> Node:
    fields = [(number, value) for number, value in _fields(message) if isinstance(value, memoryview)]
    inputs = tuple(str(value, "utf-8") for number, value in fields if number == 1)
    return Node(next(str(value, "utf-8") for number, value in fields if number == 4), inputs)


def _constant(message: memoryview) -> dict[str, FloatArray]:
    """Return a tensor by its name, nothing for one that is not float32 or lies in another file."""
    dims: list[int] = []
    name, kind, values = "", 0, None
    for number, value in _fields(message):
        if number == 1:
            dims += [value] if isinstance(value, int) else list(_varints(value))
        elif number == 2 and isinstance(value, int):
            kind = value
        elif number == 8 and isinstance(value, memoryview):
            name = str(value, "utf-8")
        elif number in (4, 9) and isinstance(value, memoryview):  # packed floats and raw data are alike
            values = np.frombuffer(value, "<f4") if len(value) % 4 == 0 else None
    if kind != _FLOAT or values is None:
        return {}
    return {name: values.reshape(dims)}


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Give the number and the value of each field of a message."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        kind = key & 7
        if kind == _VARINT:
            value, at = _varint(message, at)
            yield key >> 3, value
            continue
        if kind == _BYTES:
            length, at = _varint(message, at)
        elif kind in (_FIXED64, _FIXED32):
            length = 8 if kind == _FIXED64 else 4
        else:
            raise ValueError(f"fields of kind {kind} are not known")
        if at + length > len(message):
            raise ValueError("a field is longer than its message")
        yield key >> 3, message[at : at + length]
        at += length


def _varints(packed: memoryview) -> Iterator[int]:
    at = 0
    while at < len(packed):
        value, at = _varint(packed, at)
        yield value


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """Return a number of seven bits a byte, the lowest first, and where the next thing begins."""
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise ValueError("a number is longer than 64 bits")
