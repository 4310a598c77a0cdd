"""Where sound goes: files, streams, memory, loudness."""

from .audiofile import AudioWriter

__all__ = ["AudioWriter"]
