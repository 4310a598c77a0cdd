"""Arrays of a dataclass as bytes, and back."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable
from dataclasses import MISSING, Field, fields
from math import prod
from typing import Any, Final

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from ....errors import BankError

MAX_UNPACKED_BYTES: Final = 256 * 2**20
"""Of all arrays together; those of the shipped bank have 1.5 MB at most."""
NUM_KEYS: Final = 128
_KINDS: Final = {"int": "iu", "str": "U", "tuple[str, ...]": "U", "float": "fiu", "FloatArray": "f"}
"""By how a field is declared: kinds of dtype that it may be stored as. Other arrays are of whole numbers."""


class KeyedArrays:
    """Serialises a dataclass of arrays, numbers and names of M recorded keys; the same values give the same bytes."""

    timbre: NDArray[np.int64]
    key: NDArray[np.int64]
    names: tuple[str, ...]

    WHAT = "arrays"
    """What error messages call it."""

    @property
    def owners(self) -> list[tuple[str, int]]:
        """Timbre and key of each of M."""
        return [(self.names[row], int(key)) for row, key in zip(self.timbre, self.key, strict=True)]

    def to_bytes(self) -> bytes:
        """Return the values as a compressed npz file."""
        target = io.BytesIO()
        values: dict[str, Any] = {one.name: np.asarray(getattr(self, one.name)) for one in fields(self)}  # type: ignore[arg-type]
        for one in fields(self):  # type: ignore[arg-type]
            if _is_optional(one) and not values[one.name].size:
                del values[one.name]
        np.savez_compressed(target, **values)
        return target.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> Any:
        """Read what `to_bytes` wrote; anything else raises `BankError`."""
        try:
            made = cls(**_unpacked(content, fields(cls)))  # type: ignore[arg-type]
            made._check_owners()
        except Exception as error:  # numpy, zip and zlib raise many kinds
            reason = str(error).splitlines()[0][:200] if isinstance(error, ValueError) else type(error).__name__
            raise BankError(f"the bank's {cls.WHAT} cannot be read ({reason}); export it again") from error
        return made

    def _check_owners(self) -> None:
        """Raise `ValueError` for keys or timbres that are not there."""
        if self.timbre.shape != self.key.shape or self.key.ndim != 1:
            raise ValueError(f"{self.timbre.shape} timbres do not fit {self.key.shape} keys")
        for name, values, count in (("timbre", self.timbre, len(self.names)), ("key", self.key, NUM_KEYS)):
            if np.any((values < 0) | (values >= count)):
                raise ValueError(f"{name} must be in 0..{count - 1}")


def _unpacked(content: bytes, wanted: Iterable[Field[Any]]) -> dict[str, Any]:
    """Return the values of fields, once it is known that none takes more memory than any honest one.

    A file of an earlier version may lack fields that have defaults.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        stored = set(archive.namelist())
        needed = [one for one in wanted if f"{one.name}.npy" in stored or not _is_optional(one)]
        members = {one.name: archive.getinfo(f"{one.name}.npy") for one in needed}
        num_bytes = sum(member.file_size for member in members.values())
        if num_bytes > MAX_UNPACKED_BYTES:
            raise ValueError(f"it unpacks to {num_bytes} bytes, more than {MAX_UNPACKED_BYTES}")
        return {one.name: _checked(one, archive.read(members[one.name])) for one in needed}


def _is_optional(one: Field[Any]) -> bool:
    """Tell whether a field has a value that stands where nothing was measured: an empty array, which is not stored."""
    return one.default_factory is not MISSING


def _checked(one: Field[Any], data: bytes) -> Any:
    """Return an array, a name or a number as it is declared; `ValueError` if it is of another kind, or not finite."""
    file = io.BytesIO(data)
    version = npy.read_magic(file)
    header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, _, dtype = header(file)
    kinds = _KINDS.get(str(one.type), "iu")
    # What is allocated follows from the header, so its sizes must fit the bytes that are there.
    if dtype.kind not in kinds or prod(shape) * dtype.itemsize != len(data) - file.tell():
        raise ValueError(f"{one.name} is of type {dtype} and shape {shape}, which does not fit")
    if (str(one.type) in ("int", "str", "float")) != (shape == ()):
        raise ValueError(f"{one.name} has the shape {shape}")
    file.seek(0)
    values = npy.read_array(file, allow_pickle=False)
    if dtype.kind == "f" and not np.isfinite(values).all():
        raise ValueError(f"{one.name} has values that are not finite")
    return _plain(values)


def _plain(values: Any) -> Any:
    """Return names as a tuple and single values as Python's own; arrays as they are."""
    if values.ndim == 0:
        return values.item()
    return tuple(values.tolist()) if values.dtype.kind == "U" else values
