"""Held notes, grown hop by hop as a live session does: what is timed to know how fast a way of growing is here."""

from __future__ import annotations

from time import perf_counter
from typing import Final

import numpy as np

from ..midi.commands import NoteStart
from ..midi.messages import NUM_CHANNELS, program_change
from ..midi.state.interpreter import Interpreter
from .bank.bank import Bank
from .bank.chooser import InstrumentSelection
from .bank.path import SignalPath
from .growth.grower import Grower
from .kernel.cores import AUTO
from .models.growth_model import OnnxGrowthModel
from .modulation.channel import ChannelControls
from .voices.note_on import NoteOn
from .voices.voice import Voice, num_slots

PROGRAMS: Final = (0, 40, 48, 56, 73, 81)  # piano, violin, strings, trumpet, flute, saw lead
WARM_UP_HOPS: Final = 20
TURNS: Final = 12


class HeldNotes:
    """Notes of six instruments.

    Parameters
    ----------
    bank, growth : what plays them
    decoder : name
    voices : int
    core : see `kernel.cores`
    """

    def __init__(self, bank: Bank, growth: OnnxGrowthModel, decoder: str, voices: int, core: str = AUTO) -> None:
        made = bank.decoder(decoder, growth, num_slots(voices))
        selection = InstrumentSelection(bank.timbre_book(growth))
        self._grower = Grower(growth, made, voices, 1.0, grows_together=True, core=core)
        interpreter = Interpreter()
        for channel, program in enumerate(PROGRAMS):
            interpreter.handle(program_change(channel, program))
        note_on = NoteOn(interpreter, [SignalPath(growth, made, selection)], 0, growth.spec.sample_rate)
        self.spec, self.step_model = growth.spec, growth.step_model
        self._voices: list[Voice] = [
            note_on.make(0, NoteStart(index, index % len(PROGRAMS), 48 + 7 * index % 36, 80), index, 0)
            for index in range(voices)
        ]
        self._controls = ChannelControls(NUM_CHANNELS)
        self._until = 0
        for _ in range(WARM_UP_HOPS):
            self.hop()

    def hop(self) -> None:
        """Grow all voices by a hop."""
        self._until += self.spec.hop_length
        for voice in self._voices:
            voice.decoded.audio = voice.decoded.audio[:0]
        plans = self._grower.plan(self._voices, self._until)
        for hops in plans:
            self._controls.read(hops.voices, hops.samples, hops.controls)
        self._grower.grow(plans)


def faster_provider(
    bank: Bank, models: dict[str, OnnxGrowthModel], decoder: str, voices: int, core: str
) -> tuple[str, str]:
    """Time so many voices on each provider, in turns; return the faster one, and a line that says why.

    A GPU is slower than the kernel until there are hundreds of voices. The measuring takes half a second.
    """
    contenders = {name: HeldNotes(bank, growth, decoder, voices, core) for name, growth in models.items()}
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(TURNS):
        for name, notes in contenders.items():
            began = perf_counter()
            notes.hop()
            times[name].append(perf_counter() - began)
    middle = {name: float(np.median(values)) for name, values in times.items()}
    best = min(middle, key=lambda name: middle[name])
    measured = ", ".join(f"{name} {1e3 * middle[name]:.1f}" for name in middle)
    return best, f"{best} is the faster here: ms a hop of {voices} voices: {measured}"
