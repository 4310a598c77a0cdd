"""Key tables as bytes: all arrays one after the other, and a list of their names, types and sizes."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ...errors import BankError
from ..keys.parts import correction_of
from ..keys.stored.table import MAX_EXTRAS, MAX_TIMBRES, Courses, KeyTable
from ..values import items, mapping, member, number, whole, wrong

MAX_ARRAYS_BYTES: Final = 64 * 2**20
"""Of all arrays of an instrument; one of 24 recorded notes has 0.1 MB, the shipped piano 0.25 MB."""
MAX_AXIS: Final = 2**22
MAX_AXES: Final = 4
EXTRA: Final = "extra."
"""In front of the name of an extra."""
_TYPES: Final = {
    name: np.dtype(name).newbyteorder("<")
    for name in ("int8", "uint8", "int16", "uint16", "int32", "float16", "float32", "float64")
}
_COURSES: Final = {"motions": "motion", "corrections": "correction"}
_WHOLE: Final = ("timbre", "key", "take", "motion", "source", "corrected", "moments", "tuned_keys")
_EXACT: Final[Mapping[str, str]] = {
    "vectors": "float32", "codes": "float16", "inharmonic_partials": "float32", "pace": "float32", "loop": "float32",
    "cents": "float64", "inharmonicity": "float64",
}  # fmt: skip
_PARTS: Final[Mapping[str, str]] = {"values": "int8", "scale": "float32", "shapes": "int8", "shape_scale": "float32"}


def pack(table: KeyTable) -> tuple[dict[str, Any], bytes]:
    """Return what `instrument.json` says of a table, and the bytes of its arrays."""
    arrays: dict[str, NDArray[Any]] = {}
    for name in _WHOLE:
        arrays[name] = _narrow(getattr(table, name))
    for name, kind in _EXACT.items():
        arrays[name] = getattr(table, name).astype(kind)
    for name in _COURSES:
        courses: Courses = getattr(table, name)
        for part, kind in _PARTS.items():
            arrays[f"{name}.{part}"] = getattr(courses, part).astype(kind)
        arrays[f"{name}.counts"] = _narrow(np.diff(courses.first))
    for name in sorted(table.extras):
        arrays[EXTRA + name] = table.extras[name]
    facts = {
        "timbres": [*table.suffixes],
        "motion_rate_hz": table.motion_rate_hz,
        "corrected_field": table.corrected_field,
        "corrected_partials": table.corrected_partials,
        "arrays": {name: {"type": values.dtype.name, "shape": [*values.shape]} for name, values in arrays.items()},
    }
    return facts, b"".join(_laid_out(name, values).tobytes() for name, values in arrays.items())


def unpack(values: Mapping[str, Any], data: bytes) -> KeyTable:
    """Return the table that `pack` was given; `BankError` for anything else."""
    place, names = member(values, "timbres")
    suffixes = tuple(_suffix(f"{place}[{row}]", one) for row, one in enumerate(items(place, names, MAX_TIMBRES, 1)))
    arrays = _arrays(values, data)
    try:
        table = _table(values, suffixes, arrays)
        correction_of(table, "")  # extras that belong to corrections fit them
        return table
    except KeyError as error:
        raise BankError(f"arrays.{error.args[0]} is missing") from error
    except (ValueError, IndexError, TypeError) as error:
        raise BankError(f"its key table does not fit: {str(error).splitlines()[0][:200]}") from error


def num_bytes_in(values: Mapping[str, Any]) -> int:
    """Return how many bytes the arrays have that `instrument.json` lists; `BankError` for too many."""
    total = sum(_size(name, one) for name, one in _listed(values).items())
    if total > MAX_ARRAYS_BYTES:
        raise BankError(f"its arrays have {total} bytes, expected {MAX_ARRAYS_BYTES} at most")
    return total


def _table(values: Mapping[str, Any], suffixes: tuple[str, ...], arrays: dict[str, NDArray[Any]]) -> KeyTable:
    columns: dict[str, Any] = {name: _of_kind(name, arrays[name], "iu").astype(np.int64) for name in _WHOLE}
    columns |= {name: _of_kind(name, arrays[name], "f").astype(kind) for name, kind in _EXACT.items()}
    for name in _COURSES:
        parts = {part: _of_kind(part, arrays[f"{name}.{part}"], "if").astype(kind) for part, kind in _PARTS.items()}
        counts = _of_kind(name, arrays[f"{name}.counts"], "iu").astype(np.int64)
        columns[name] = Courses(first=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64), **parts)
    field = values.get("corrected_field", "")
    if type(field) is not str or len(field) > 40 or not (field.isprintable()):
        raise wrong("corrected_field", field, "the name of a field")
    return KeyTable(
        suffixes=suffixes,
        motion_rate_hz=number(*member(values, "motion_rate_hz"), 1e-3, 1e6),
        corrected_field=field,
        corrected_partials=whole(*member(values, "corrected_partials"), 0, 4096),
        extras={name.removeprefix(EXTRA): one for name, one in arrays.items() if name.startswith(EXTRA)},
        **columns,
    )


def _arrays(values: Mapping[str, Any], data: bytes) -> dict[str, NDArray[Any]]:
    """Return the arrays by name, once it is known that they fill the bytes exactly."""
    total = num_bytes_in(values)
    if total != len(data):
        raise BankError(f"its arrays have {len(data)} bytes, expected {total}")
    arrays, at = {}, 0
    for name, one in _listed(values).items():
        size = _size(name, one)
        kind, shape = _TYPES[one["type"]], tuple(one["shape"])
        flat = np.frombuffer(data, kind, prod(shape), at).astype(kind.newbyteorder("="))
        # Courses lie moment after moment within each course: so they pack better.
        arrays[name] = flat.reshape(shape[::-1]).T if _by_course(name) else flat.reshape(shape)
        at += size
    return arrays


def _listed(values: Mapping[str, Any]) -> dict[str, Any]:
    return mapping(*member(values, "arrays"), len(_WHOLE) + len(_EXACT) + 10 + MAX_EXTRAS)


def _size(name: str, one: object) -> int:
    """Return how many bytes an array has."""
    where = f"arrays.{name}"
    facts = mapping(where, one, 10)
    place, kind = member(facts, "type", where)
    if type(kind) is not str or kind not in _TYPES:
        raise wrong(place, kind, f"one of {', '.join(_TYPES)}")
    place, shape = member(facts, "shape", where)
    sizes = [whole(f"{place}[{axis}]", size, 0, MAX_AXIS) for axis, size in enumerate(items(place, shape, MAX_AXES))]
    return prod(sizes) * _TYPES[kind].itemsize


def _suffix(where: str, value: object) -> str:
    """Return what follows the name of an instrument in that of a timbre: nothing, or the key of a drum."""
    if value == "":
        return ""
    is_drum = isinstance(value, str) and value.startswith(":") and value[1:].isascii() and value[1:].isdecimal()
    if not is_drum or len(str(value)) > 4 or int(str(value)[1:]) > 127:
        raise wrong(where, value, "an empty text, or a colon and a MIDI key")
    return str(value)


def _of_kind(name: str, values: NDArray[Any], kinds: str) -> NDArray[Any]:
    if values.dtype.kind not in kinds:
        raise ValueError(f"{name} is of type {values.dtype}")
    return values


def _narrow(values: NDArray[np.int64]) -> NDArray[Any]:
    """Return whole numbers in the smallest type that has room for them."""
    low, high = (int(values.min()), int(values.max())) if values.size else (0, 0)
    for kind in ("uint8", "uint16", "int32"):
        limits = np.iinfo(kind)
        if limits.min <= low and high <= limits.max:
            return values.astype(kind)
    raise ValueError(f"whole numbers in {low}..{high} are too large")


def _by_course(name: str) -> bool:
    return name.endswith(".values")


def _laid_out(name: str, values: NDArray[Any]) -> NDArray[Any]:
    turned = values.T if _by_course(name) else values
    return turned.astype(turned.dtype.newbyteorder("<"))
