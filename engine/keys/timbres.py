"""Timbre vectors of a growth model: the instrument's own, and its colour on each recorded key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...errors import BankError
from ..arrays import FloatArray
from .stored.table import KeyTable


class TimbreTable:
    """What a growth model's metadata says of timbres.

    Parameters
    ----------
    vectors : name -> numbers, one vector per timbre
    key_codes : name -> {"keys": recorded MIDI keys, rising; "codes": a vector for each}; float16 values
    size : numbers of a timbre with its code, which what `add` brings must have; 0 where any will do
    """

    def __init__(
        self, vectors: Mapping[str, ArrayLike], key_codes: Mapping[str, dict[str, Any]], size: int = 0
    ) -> None:
        self._size = size
        self._vectors = {name: np.array(values, np.float32) for name, values in vectors.items()}
        self._keys: dict[str, NDArray[np.float32]] = {}
        self._codes: dict[str, FloatArray] = {}
        for name, table in key_codes.items():
            self._keys[name] = np.array(table["keys"], np.float32)
            self._codes[name] = np.array(table["codes"], np.float16).astype(np.float32)

    def add(self, name: str, table: KeyTable) -> None:
        """Add the timbres of an instrument under its name; one that is known is replaced.

        Raises
        ------
        BankError
            They have another size than the model takes.
        """
        if self._size and table.timbre_size != self._size:
            raise BankError(f"its timbres have {table.timbre_size} numbers, this foundation takes {self._size}")
        for row, suffix in enumerate(table.suffixes):
            own = table.timbre == row
            self._keys[name + suffix] = table.key[own].astype(np.float32)
            self._codes[name + suffix] = table.codes[own].astype(np.float32)
            self._vectors[name + suffix] = table.vectors[row]

    def __contains__(self, name: str) -> bool:
        """Tell whether it has a timbre of that name."""
        return name in self._vectors

    def vector(self, name: str, key: float) -> FloatArray:
        """Return the timbre of a key, float32 (D,): recorded keys have codes, and others lie between theirs."""
        if name not in self._codes:
            return self._vectors[name]
        keys, codes = self._keys[name], self._codes[name]
        at = float(np.interp(key, keys, np.arange(len(keys))))
        low = int(at)
        code = codes[low] + np.float32(at - low) * (codes[min(low + 1, len(codes) - 1)] - codes[low])
        return np.concatenate((self._vectors[name], code.astype(np.float32)))

    def own_vector(self, name: str) -> FloatArray:
        """Return the part of a timbre that all its keys share, float32 (D,)."""
        return self._vectors[name]

    def coded(self, name: str) -> tuple[NDArray[np.float32], NDArray[np.float16]]:
        """Return the recorded keys (K,) of a timbre and their codes (K, C); none of both where it has no codes."""
        if name not in self._codes:
            return np.zeros(0, np.float32), np.zeros((0, 0), np.float16)
        return self._keys[name], self._codes[name].astype(np.float16)
