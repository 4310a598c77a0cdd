"""What of a playing synth a status tells: its channels and its growth."""

from __future__ import annotations

from collections.abc import Sequence

from ...engine.open import OpenSynth
from ...midi.messages import NUM_CHANNELS
from ...midi.spec.general_midi import program_name
from ...midi.state.channel import Channel
from ..protocol import GrowthStatus, PartStatus


def parts_of(ensemble: OpenSynth) -> tuple[PartStatus, ...]:
    """Return what each of the 16 channels plays on which a note has begun. Thread: producer."""
    return tuple(
        PartStatus(part.channel + 1, part.instrument, part.stands_in_for, *ensemble.path_name(part.path))
        for part in ensemble.synth.parts()
        if part.channel < NUM_CHANNELS
    )


def growth_of(ensemble: OpenSynth, channel: int) -> GrowthStatus:
    """Return how notes grow on a channel 0..15. Thread: producer."""
    growth = ensemble.synth.channel(channel).growth
    names = ["" if program is None else program_name(program) for program in growth.programs]
    return GrowthStatus(
        growth.rate,
        growth.fire_rate,
        growth.life_threshold,
        growth.morph,
        tuple(ensemble.synth.morphs_into(channel, corner) or name for corner, name in enumerate(names)),
    )


def instrument_of(channel: Channel, ensemble: OpenSynth, parts: Sequence[PartStatus]) -> str:
    """Return the instrument that a channel's program asks for; if the bank lacks it, what has played for it."""
    named = "" if ensemble.book is None else ensemble.book.asked_for(channel.program, channel.bank, channel.is_drums)
    if named:
        return named
    asked = program_name(channel.program)
    played = (part for part in parts if part.channel == channel.index + 1 and part.stands_in_for == asked)
    return next((part.instrument for part in played), asked)
