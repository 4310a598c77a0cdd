"""What the channels of a synth play, for people to see."""

from __future__ import annotations

from typing import NamedTuple

from ...midi.spec.general_midi import program_name
from ..bank.interfaces import Choice
from ..bank.path import SignalPath


class PlayedPart(NamedTuple):
    """A MIDI channel on which a note has begun.

    Attributes
    ----------
    channel : 0..15, of a second port 16..31
    instrument : what its last note was played by
    stands_in_for : the General MIDI program that was asked for, where the bank lacks it; else ""
    path : what its notes are grown and sounded by now
    """

    channel: int
    instrument: str
    stands_in_for: str
    path: SignalPath


def played_part(channel: int, choice: Choice, program: int, is_drums: bool, path: SignalPath) -> PlayedPart:
    """Return what a channel plays, whose last note a choice has played."""
    stands_in_for = program_name(program) if choice.substituted and not is_drums else ""
    return PlayedPart(channel, choice.instrument.name, stands_in_for, path)
