"""The nodes and constants of an ONNX file, as far as the kernel needs them; ONNX Runtime does not tell them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...errors import BankError
from ..arrays import FloatArray
from ..models.graph import NoMessageError, fields_of, nested, packed, text_of

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
        graph = dict(fields_of(memoryview(model)))[7]
        nodes, constants = [], {}
        for number, content in fields_of(nested(graph)):
            if number == 1:
                nodes.append(_node(nested(content)))
            elif number == 5:
                constants.update(_constant(nested(content)))
        return Graph(tuple(nodes), constants)
    except (KeyError, IndexError, ValueError, NoMessageError, UnicodeDecodeError) as error:
        raise BankError("a step model is no ONNX file that can be read") from error


def _node(message: memoryview) -> Node:
    """Return a NodeProto."""
    fields = list(fields_of(message))
    kinds = [text_of(content) for number, content in fields if number == 4]
    return Node("".join(kinds), tuple(text_of(content) for number, content in fields if number == 1))


def _constant(message: memoryview) -> dict[str, FloatArray]:
    """Return a TensorProto by its name, nothing if it is not of float32."""
    sizes: list[int] = []
    name, kind, values = "", 0, None
    for number, content in fields_of(message):
        if number == 1:
            sizes += [content] if isinstance(content, int) else packed(content)
        elif number == 2 and isinstance(content, int):
            kind = content
        elif number == 8:
            name = text_of(content)
        elif number in (4, 9) and isinstance(content, memoryview):  # packed floats and raw data are alike
            values = content
    if kind != _FLOAT or values is None:
        return {}
    return {name: np.frombuffer(values, "<f4").reshape(sizes)}
