"""Standard MIDI files: reading and writing."""

from .song import Song, read_midi_file

__all__ = ["Song", "read_midi_file"]
