"""MIDI: raw messages, Standard MIDI Files, General MIDI tables and the state of 16 channels.

This layer knows nothing of sound. It turns files and ports into raw messages, and raw messages into what a
synthesizer must do (`Performance`).
"""

from .channel import Channel
from .commands import Command, NoteCut, NoteMove, NoteRelease, NoteStart
from .file import Song, TimedMessage, parse_midi, read_midi_file
from .performance import Performance

__all__ = [
    "Channel",
    "Command",
    "NoteCut",
    "NoteMove",
    "NoteRelease",
    "NoteStart",
    "Performance",
    "Song",
    "TimedMessage",
    "parse_midi",
    "read_midi_file",
]
