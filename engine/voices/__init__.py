"""Sounding notes."""

from .allocator import VoiceAllocator
from .voice import Voice

__all__ = ["Voice", "VoiceAllocator"]
