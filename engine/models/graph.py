"""What an ONNX file may hold, read from its bytes before ONNX Runtime sees them.

A model is a program. ONNX has loops, subgraphs, functions, operators of any domain, and weights in other files; our
exports need none of these, so a file that has them is refused. What is left is a fixed list of operators, each run
once, on tensors of bounded size. The onnx package is no dependency of playing, so this walks through the file's
Protocol Buffers itself (https://protobuf.dev/programming-guides/encoding/); it reads no weights.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Final

from ...errors import BankError

OPERATORS: Final = frozenset((
    "Abs", "Add", "And", "Cast", "Clip", "Concat", "Constant", "ConstantOfShape", "Conv", "ConvTranspose", "Cos",
    "Div", "Elu", "Equal", "Erf", "Exp", "Expand", "Flatten", "Floor", "Gather", "GatherElements", "GatherND",
    "Gemm", "Greater", "GreaterOrEqual", "Identity", "LSTM", "LayerNormalization", "Less", "Log", "MatMul", "Max",
    "MaxPool", "Mean", "Min", "Mod", "Mul", "Neg", "Pad", "Pow", "Range", "ReduceMax", "ReduceMean", "ReduceMin",
    "ReduceSum", "Relu", "Reshape", "Shape", "Sigmoid", "Sin", "Slice", "Softplus", "Split", "Sqrt", "Squeeze",
    "Sub", "Tanh", "Tile", "Transpose", "Unsqueeze", "Where", "com.microsoft:FusedConv",
    "com.microsoft:FusedMatMul",
))  # fmt: skip
"""What the exports of this project use, those of other domains with the domain in front."""
DOMAINS: Final = ("", "ai.onnx", "com.microsoft")
MAX_NODES: Final = 100_000
MAX_ELEMENTS: Final = 2**28
"""Of one tensor in the file."""

_VARINT, _64_BITS, _BYTES, _32_BITS = 0, 1, 2, 5


def check_model(model: bytes) -> None:
    """Check that a file is a graph such as our exports write.

    Raises
    ------
    BankError
        If it is no ONNX model; or has subgraphs, functions, sparse or external tensors, operators or domains that are
        not in `OPERATORS` and `DOMAINS`, more than `MAX_NODES` nodes, or a tensor of more than `MAX_ELEMENTS`.
    """
    try:
        num_graphs = _model(memoryview(model))
    except (IndexError, UnicodeDecodeError, NoMessageError) as error:
        raise BankError("not a model that ONNX Runtime can run: the file is no ONNX model, or is cut off") from error
    if num_graphs != 1:
        raise BankError(f"not a model that ONNX Runtime can run: the file has {num_graphs} graphs, expected 1")


class NoMessageError(ValueError):
    """Bytes are not a message of Protocol Buffers."""


def fields_of(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Give number and content of every field; a content is a number or the bytes of what is nested."""
    position, end = 0, len(message)
    while position < end:
        tag, position = _number(message, position)
        kind = tag & 7
        if kind == _VARINT:
            value, position = _number(message, position)
            yield tag >> 3, value
            continue
        if kind == _BYTES:
            size, position = _number(message, position)
        elif kind in (_64_BITS, _32_BITS):
            size = 8 if kind == _64_BITS else 4
        else:
            raise NoMessageError(f"wire type {kind}")
        if position + size > end:
            raise NoMessageError("cut off")
        yield tag >> 3, message[position : position + size]
        position += size


def _number(message: memoryview, position: int) -> tuple[int, int]:
    """Return a number of 7 bits per byte, and the position behind it."""
    value = shift = 0
    while True:
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
        if shift > 63:
            raise NoMessageError("a number of more than 64 bits")


def nested(content: int | memoryview) -> memoryview:
    """Return the content of a field that is a message."""
    if isinstance(content, int):
        raise NoMessageError("a number where a message is expected")
    return content


def _model(message: memoryview) -> int:
    """Check a ModelProto; return how many graphs it has."""
    num_graphs = 0
    for number, content in fields_of(message):
        if number == 7:
            num_graphs += 1
            _graph(nested(content))
        elif number == 8:
            _domain(nested(content))
        elif number in (20, 25):
            raise _refused("training steps" if number == 20 else "functions")
    return num_graphs


def _domain(message: memoryview) -> None:
    """Check an OperatorSetIdProto."""
    for number, content in fields_of(message):
        if number == 1 and (name := text_of(content)) not in DOMAINS:
            raise _refused(f"operators of the domain {name!r}")


def _graph(message: memoryview) -> None:
    """Check a GraphProto."""
    num_nodes = 0
    for number, content in fields_of(message):
        if number == 1:
            num_nodes += 1
            _node(nested(content))
        elif number == 5:
            _tensor(nested(content))
        elif number == 15:
            raise _refused("sparse tensors")
        elif number in (11, 12):
            _value(nested(content))
    if num_nodes > MAX_NODES:
        raise _refused(f"{num_nodes} nodes, more than {MAX_NODES}")


def _node(message: memoryview) -> None:
    """Check a NodeProto."""
    name = domain = ""
    for number, content in fields_of(message):
        if number == 4:
            name = text_of(content)
        elif number == 7:
            domain = text_of(content)
        elif number == 5:
            _attribute(nested(content))
    full = name if domain in ("", "ai.onnx") else f"{domain}:{name}"
    if full not in OPERATORS:
        raise _refused(f"the operator {full!r}")


def _attribute(message: memoryview) -> None:
    """Check an AttributeProto."""
    for number, content in fields_of(message):
        if number in (5, 10):
            _tensor(nested(content))
        elif number in (6, 11):
            raise _refused("subgraphs, such as loops and branches have")
        elif number in (22, 23):
            raise _refused("sparse tensors")


def _tensor(message: memoryview) -> None:
    """Check a TensorProto."""
    sizes: list[int] = []
    for number, content in fields_of(message):
        if number == 1:
            sizes += [content] if isinstance(content, int) else packed(content)
        elif number == 13 or (number == 14 and content != 0):
            raise _refused("tensors in other files")
    _check_size(sizes)


def packed(message: memoryview) -> Iterator[int]:
    """Give the numbers of a packed field."""
    position = 0
    while position < len(message):
        value, position = _number(message, position)
        yield value


def _value(message: memoryview) -> None:
    """Check the shape in a ValueInfoProto: tensor_type, shape, dim, dim_value."""
    sizes: list[int] = []
    for kind in _within(message, 2):
        for tensor in _within(kind, 1):
            for shape in _within(tensor, 2):
                for size in _within(shape, 1):
                    sizes += [
                        content for number, content in fields_of(size) if number == 1 and isinstance(content, int)
                    ]
    _check_size(sizes)


def _within(message: memoryview, wanted: int) -> Iterator[memoryview]:
    return (nested(content) for number, content in fields_of(message) if number == wanted)


def _check_size(sizes: list[int]) -> None:
    # Negative sizes are huge here; an empty tensor may have any.
    if max(sizes, default=0) > MAX_ELEMENTS or prod(sizes) > MAX_ELEMENTS:
        raise _refused(f"a tensor of {' x '.join(map(str, sizes))}, more than {MAX_ELEMENTS} values,")


def text_of(content: int | memoryview) -> str:
    """Return the content of a field that is text."""
    return bytes(nested(content)).decode()


def _refused(what: str) -> BankError:
    return BankError(f"the model has {what[:200]} and was not exported by tnca-synth; it is not run")
