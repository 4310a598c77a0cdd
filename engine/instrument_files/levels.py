"""How loud the keys of an instrument sound beside others, as manifests and instrument files say it."""

from __future__ import annotations

from typing import Any, Final

from ..values import mapping, member, number, numbers, rising_keys

MAX_LEVEL_DB: Final = 60.0
_MAX_NAMES: Final = 10
KeyLevels = tuple[tuple[int, ...], tuple[float, ...], float]
"""Keys, dB and slope of `engine.bank.instruments.Levels`."""
NO_LEVELS: Final[KeyLevels] = ((60,), (0.0,), 0.0)
"""Of an instrument that sounds as loud as it is grown."""


def levels_in(where: str, value: object) -> KeyLevels:
    """Return checked levels from values of JSON.

    Raises
    ------
    BankError
        A value is missing, of another type or out of its range.
    """
    values = mapping(where, value, _MAX_NAMES)
    keys = rising_keys(*member(values, "keys", where))
    db = numbers(*member(values, "db", where), -MAX_LEVEL_DB, MAX_LEVEL_DB, len(keys), len(keys))
    slope = number(*member(values, "slope_db", where), -MAX_LEVEL_DB, MAX_LEVEL_DB)
    return tuple(keys), tuple(db), slope


def levels_as_json(levels: KeyLevels) -> dict[str, Any]:
    """Return what `levels_in` reads."""
    keys, db, slope_db = levels
    return {"keys": [*keys], "db": [*db], "slope_db": slope_db}
