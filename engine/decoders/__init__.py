"""Decoders: grown spectral frames become sound."""

from .base import Decoder

__all__ = ["Decoder"]
