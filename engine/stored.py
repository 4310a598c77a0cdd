"""Arrays of a dataclass as bytes, and back."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import BankError


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
        values: dict[str, Any] = {name: np.asarray(getattr(self, name)) for name in _names(self)}
        np.savez_compressed(target, **values)
        return target.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> Any:
        """Read what `to_bytes` wrote; anything else raises `BankError`."""
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as stored:
                return cls(**{name: _plain(stored[name]) for name in _names(cls)})
        except Exception as error:  # numpy, zip and zlib raise many kinds
            kind = type(error).__name__
            raise BankError(f"the bank's {cls.WHAT} cannot be read ({kind}); export it again") from error


def _names(kind: Any) -> Iterable[str]:
    return (one.name for one in fields(kind))


def _plain(values: Any) -> Any:
    """Return names as a tuple and single values as Python's own; arrays as they are."""
    if values.ndim == 0:
        return values.item()
    return tuple(values.tolist()) if values.dtype.kind == "U" else values
