"""Growing voices, hop by hop."""

from .grower import Grower

__all__ = ["Grower"]
