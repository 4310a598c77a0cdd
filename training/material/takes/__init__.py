"""Long takes: where their notes begin, what they sound, how loud they are."""

from .reading import is_take, read_takes, sound_files

__all__ = ["is_take", "read_takes", "sound_files"]
