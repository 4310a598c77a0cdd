"""Answers that are worth keeping, but not for ever."""

from __future__ import annotations

from typing import TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class BoundedCache(dict[Key, Value]):
    """A dictionary that forgets all it knows when one thing more than `most` is to be kept.

    What is asked for again soon is found anew soon; nothing has to be counted meanwhile.

    Thread: any. What one thread makes it forget, another one still holds: use `get` and `keep`, not a second look.
    """

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    def keep(self, key: Key, value: Value) -> Value:
        """Keep a value; return it."""
        if len(self) >= self._most:
            self.clear()
        self[key] = value
        return value
