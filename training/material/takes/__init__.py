"""Long takes: where their notes begin, what they sound, how loud they are."""

from .reading import read_takes

__all__ = ["read_takes"]
