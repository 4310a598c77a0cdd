"""SFZ files: text that maps samples to keys and velocities."""

from .reading import read_sfz

__all__ = ["read_sfz"]
