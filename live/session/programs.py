"""The messages by which a player's choice of an instrument becomes what MIDI says."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from ...engine.bank.interfaces import Instrument
from ...midi.messages import BANK_LSB, BANK_MSB, DRUM_CHANNEL, NUM_CHANNELS, control_change, program_change
from ...midi.state.channel import Channel

DRUM_BANK: Final = 120
"""Bank MSB of drum kits in General MIDI 2."""
MELODIC_CHANNELS: Final = tuple(channel for channel in range(NUM_CHANNELS) if channel != DRUM_CHANNEL)


def program_messages(instrument: Instrument, channels: Iterable[int] = MELODIC_CHANNELS) -> list[bytes]:
    """Return the messages that ask for an instrument on MIDI channels 0..15; the next program change asks anew."""
    bank = DRUM_BANK if instrument.is_drums else instrument.bank
    return [
        data
        for channel in channels
        for data in (
            control_change(channel, BANK_MSB, bank),
            control_change(channel, BANK_LSB, 0),
            program_change(channel, instrument.program),
        )
    ]


def program_of(channel: Channel) -> list[bytes]:
    """Return the messages that ask for the program that a channel has."""
    return [
        control_change(channel.index, BANK_MSB, channel.bank >> 7),
        control_change(channel.index, BANK_LSB, channel.bank & 0x7F),
        program_change(channel.index, channel.program),
    ]
