"""MIDI: raw messages, Standard MIDI Files, General MIDI tables and the state of 16 channels.

This layer knows nothing of sound. It turns files and ports into raw messages, and raw messages into what a
synthesizer must do (`Interpreter`).
"""

from .commands import Command, NoteCut, NoteMove, NoteRelease, NoteStart
from .files.song import Song, TimedMessage, parse_midi, read_midi_file
from .state.channel import Channel
from .state.interpreter import Interpreter

__all__ = [
    "Channel",
    "Command",
    "Interpreter",
    "NoteCut",
    "NoteMove",
    "NoteRelease",
    "NoteStart",
    "Song",
    "TimedMessage",
    "parse_midi",
    "read_midi_file",
]
