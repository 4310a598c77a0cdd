"""What a user brings to learn from: files of many kinds become notes, and every doubt is named."""

from .material import Finding, Material, Note, Offset, Wishes
from .understand import understand

__all__ = ["Finding", "Material", "Note", "Offset", "Wishes", "understand"]
