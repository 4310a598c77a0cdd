"""Single notes as a user hears them: through the same `Synth` that renders songs, dry and at full band."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import sqrt
from typing import NamedTuple

from ...engine.arrays import FloatArray
from ...engine.bank.added import instrument_file
from ...engine.bank.bank import Bank
from ...engine.bank.chooser import InstrumentSelection
from ...engine.bank.instruments import BankInstrument, KeyChoice
from ...engine.bank.timbre_book import TimbreBook
from ...engine.instrument_files import InstrumentFile
from ...engine.models.growth_model import OnnxGrowthModel
from ...engine.names import representation_of
from ...engine.synth import Synth
from ...engine.voices.voice import num_slots
from ...midi.messages import BANK_MSB, DRUM_CHANNEL, control_change, note_off, note_on, program_change
from ..config.instruments import InstrumentConfig
from ..measure.hearing import HEARING_RATE, hearing_distance

VOLUME, LOUDEST = 7, 127
FOR_ONE_NOTE = 2
"""Voices that a synth for one note has room for."""


class NoteRenderer:
    """Renders single notes on one path of a bank.

    Parameters
    ----------
    bank : Bank
    growth : of the path's representation
    decoder : its name
    sample_rate : of the output in Hz
    file : an instrument that plays alone, instead of those of the bank; `growth` gets to know it
    """

    def __init__(
        self,
        bank: Bank,
        growth: OnnxGrowthModel,
        decoder: str,
        sample_rate: int = HEARING_RATE,
        file: InstrumentFile | None = None,
    ) -> None:
        alone = () if file is None else (instrument_file(file),)
        self._growth = growth
        self._book = TimbreBook((), growth.timbres, growth.motions, alone) if alone else bank.timbre_book(growth)
        self._decoder = bank.decoder(decoder, growth, num_slots(FOR_ONE_NOTE))
        self._sample_rate = sample_rate

    def choice(self, instrument: InstrumentConfig | BankInstrument, key: int) -> KeyChoice:
        """Return what plays a key of an instrument."""
        return self._book.instrument_for(instrument.program, instrument.bank << 7, instrument.is_drums, key)

    def knows(self, instrument: InstrumentConfig, key: int) -> bool:
        """Tell whether the instrument itself plays a key, and no other one in its place."""
        choice = self.choice(instrument, key)
        return not choice.substituted and choice.instrument.name == instrument.name

    def render(
        self, instrument: InstrumentConfig | BankInstrument, key: int, velocity: int, hold_s: float, num_frames: int
    ) -> FloatArray:
        """Render a note that begins at frame 0, float32 (num_frames,): mono, without effects, at full volume."""
        synth = Synth(
            self._growth,
            self._decoder,
            InstrumentSelection(self._book),
            sample_rate=self._sample_rate,
            max_voices=FOR_ONE_NOTE,
            effects=False,
        )
        channel = DRUM_CHANNEL if instrument.is_drums else 0
        asked = (control_change(channel, BANK_MSB, instrument.bank), program_change(channel, instrument.program))
        for message in (*asked, control_change(channel, VOLUME, LOUDEST)):
            synth.send(message, 0)
        synth.send(note_on(channel, key, velocity), 0)
        synth.send(note_off(channel, key), round(hold_s * self._sample_rate))
        mono: FloatArray = synth.render(num_frames).sum(1) / sqrt(2.0)  # in the middle both sides have half the power
        return mono


class RecordedNote(NamedTuple):
    """A recorded note that judges: its key, velocity, how long it is held, and its sound."""

    key: int
    velocity: int
    hold_s: float
    audio: FloatArray


Rendered = Callable[[InstrumentFile, Sequence[RecordedNote]], list[FloatArray]]
"""Notes as an instrument plays them."""


def rendered_by(bank: Bank, growth: OnnxGrowthModel) -> Rendered:
    """Return what renders notes of an instrument for a bank's foundation, at its rate; `growth` gets to know it."""
    decoder, rate = representation_of(growth.representation).default_decoder, growth.spec.sample_rate

    def rendered(file: InstrumentFile, notes: Sequence[RecordedNote]) -> list[FloatArray]:
        renderer, one = NoteRenderer(bank, growth, decoder, rate, file), instrument_file(file).instrument
        return [renderer.render(one, note.key, note.velocity, note.hold_s, len(note.audio)) for note in notes]

    return rendered


def distances(notes: Sequence[RecordedNote], sounds: Sequence[FloatArray], sample_rate: int) -> list[float]:
    """Return how far each sound is from its recording as ears judge it; see `hearing_distance`."""
    return [hearing_distance(note.audio, sound, sample_rate) for note, sound in zip(notes, sounds, strict=True)]
