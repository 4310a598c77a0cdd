"""What a song plays, note by note: the annotation beside its sound."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

from ..engine.bank.interfaces import InstrumentChooser
from ..midi.commands import ChannelsCut, Command, DrumChoke, NoteCut, NoteMove, NoteRelease, NoteStart
from ..midi.files.song import Song
from ..midi.state.interpreter import Interpreter

Note = dict[str, Any]
NameFor = Callable[[int, int, bool, int], str]
"""Gives the name of what plays a program, a bank number, drums or not, on a key."""


def annotate(song: Song, bank: InstrumentChooser, growth_controllers: bool = False) -> list[Note]:
    """Return the notes of a song in order of their onsets, as JSON takes them.

    Each has ``onset_s``, ``offset_s`` (when key and pedals have let go), ``pitch`` (the MIDI key; of drums the drum),
    ``velocity``, ``channel`` (from 1, through all ports), ``program``, ``is_drum``, and ``instrument``, the name of
    what plays it in the bank.
    """
    interpreter = Interpreter(song.num_ports, growth_controllers)
    notes: list[Note] = []
    held: dict[int, Note] = {}

    @cache
    def name_for(program: int, bank_number: int, is_drums: bool, key: int) -> str:
        return bank.instrument_for(program, bank_number, is_drums, key).instrument.name

    for message in song.messages:
        _carry_out(interpreter.handle(message.data, message.port), message.time_s, interpreter, name_for, notes, held)
    for note in held.values():
        note["offset_s"] = _rounded(max(song.duration_s, note["onset_s"]))
    return notes


def _carry_out(
    commands: Iterable[Command],
    time_s: float,
    interpreter: Interpreter,
    name_for: NameFor,
    notes: list[Note],
    held: dict[int, Note],
) -> None:
    def end(note_id: int) -> None:
        if (note := held.pop(note_id, None)) is not None:
            note["offset_s"] = _rounded(time_s)

    for command in commands:
        match command:
            case NoteStart():
                note = _note(command.channel, command.key, command.velocity, time_s, interpreter, name_for)
                held[command.note_id] = note
                notes.append(note)
            case NoteMove():
                # A legato step is a note of its own for whoever reads along.
                end(command.note_id)
                note = _note(command.channel, command.key, command.velocity, time_s, interpreter, name_for)
                held[command.note_id] = note
                notes.append(note)
            case NoteRelease() | NoteCut():
                end(command.note_id)
            case DrumChoke():
                for note_id in [n for n, one in held.items() if _is_of(one, (command.channel,), command.keys)]:
                    end(note_id)
            case ChannelsCut():
                for note_id in [n for n, one in held.items() if _is_of(one, command.channels)]:
                    end(note_id)
            case _:
                pass


def _note(channel: int, key: int, velocity: int, time_s: float, interpreter: Interpreter, name_for: NameFor) -> Note:
    state = interpreter.channels[channel]
    return {
        "onset_s": _rounded(time_s),
        "offset_s": None,
        "pitch": key,
        "velocity": velocity,
        "channel": channel + 1,
        "program": state.program,
        "is_drum": state.is_drums,
        "instrument": name_for(state.program, state.bank, state.is_drums, key),
    }


def _is_of(note: Note, channels: tuple[int, ...], keys: Iterable[int] | None = None) -> bool:
    return note["channel"] - 1 in channels and (keys is None or note["pitch"] in keys)


def _rounded(time_s: float) -> float:
    return round(time_s, 6)
