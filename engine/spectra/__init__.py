"""Spectra: pitch, frames, transposition, tone."""

from .spec import AudioSpec

__all__ = ["AudioSpec"]
