"""Banks: what plays a key."""

from .bank import Bank

__all__ = ["Bank"]
