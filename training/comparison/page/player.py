"""Playing held-out notes on every path of a bank, with the sampler beside them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import soxr

from ....engine.arrays import FloatArray
from ....engine.bank.bank import Bank
from ....engine.decoders.base import Decoder, lookahead_of
from ....engine.decoders.catalogue import MAKERS
from ....errors import UsageError
from ...validation.evaluation import PitchJudge, controls, decode_note, grow_note, sampler
from ..measures import RATE, Measures, measure
from ..notes import HeldOutNote

SAMPLER = "sampler"


class Route(NamedTuple):
    """A representation and what decodes it."""

    representation: str
    decoder: str

    def __str__(self) -> str:
        return f"{self.representation}+{self.decoder}"


@dataclass(frozen=True)
class NoteRow:
    """One note on one path, measured; see `Measures` and `HeldOutNote`."""

    path: str
    instrument: str
    kind: str
    pitch: int
    velocity: int
    pitched: bool
    measures: Measures

    @property
    def note(self) -> tuple[str, int, int]:
        """Instrument, pitch and velocity: what the same note has on every path."""
        return self.instrument, self.pitch, self.velocity

    def to_dict(self) -> dict[str, Any]:
        """Return one flat row of plain values."""
        facts = asdict(self)
        measures = facts.pop("measures")
        return facts | measures


def fitting_routes(bank: Bank) -> list[Route]:
    """Return every representation of a bank with every decoder that can decode it."""
    found = []
    for representation in bank.representations:
        growth = bank.growth_model(representation, "cpu")
        for decoder in MAKERS:
            try:
                bank.decoder(decoder, growth, 1)
            except UsageError:
                continue
            found.append(Route(representation, decoder))
    return found


class NotePlayer:
    """Plays notes through some routes of a bank.

    Parameters
    ----------
    bank : Bank
    routes : at least one
    """

    def __init__(self, bank: Bank, routes: list[Route]) -> None:
        self.growth = {name: bank.growth_model(name, "cpu") for name in dict.fromkeys(one[0] for one in routes)}
        self.books = {name: bank.timbre_book(growth) for name, growth in self.growth.items()}
        self.decoders = {one: bank.decoder(one.decoder, self.growth[one.representation], 1) for one in routes}
        self._judge = PitchJudge()

    def play(self, note: HeldOutNote) -> dict[str, FloatArray]:
        """Return what the sampler and every route make of a note, each float32 at `RATE`, as long as its recording.

        Routes whose representation does not know the instrument are left out.
        """
        played = {} if note.lower is None else {SAMPLER: sampler(note.lower, RATE, note.semitones)}
        for representation in self.growth:
            played |= self._play_on(representation, note)
        return {path: audio[: len(note.recording.audio)] for path, audio in played.items()}

    def _play_on(self, representation: str, note: HeldOutNote) -> dict[str, FloatArray]:
        """Grow a note once, and decode it by every decoder of the representation."""
        growth, recording, instrument = self.growth[representation], note.recording, note.instrument
        book = self.books[representation]
        choice = book.instrument_for(instrument.program, 0, instrument.drum_keys, recording.pitch)
        if choice.substituted or choice.instrument.name != instrument.name:
            return {}
        decoders: dict[str, Decoder] = {
            str(route): decoder for route, decoder in self.decoders.items() if route.representation == representation
        }
        spec = growth.spec
        seconds = len(recording.audio) / RATE
        frames = (
            int(seconds / spec.hop_s)
            + 1
            + max(lookahead_of(decoder, recording.pitched) for decoder in decoders.values())
        )
        fields = grow_note(growth, choice, recording, frames)
        steady = controls(growth, choice, recording.pitch, frames)[0]
        played = {}
        for path, decoder in decoders.items():
            audio = decode_note(decoder, fields, steady, recording.pitch)
            played[path] = audio if spec.sample_rate == RATE else soxr.resample(audio, spec.sample_rate, RATE)
        return played

    def measure(self, note: HeldOutNote, played: dict[str, FloatArray]) -> list[NoteRow]:
        """Measure what was played against the recording."""
        recording = note.recording
        rows = []
        for path, audio in played.items():
            cents = float("nan")
            if recording.pitched:
                cents = self._judge.cents_between(audio, recording.audio, RATE)
            measures = measure(audio, recording.audio, recording.pitched, cents)
            facts = (note.instrument.name, note.kind, recording.pitch, recording.velocity, recording.pitched)
            rows.append(NoteRow(path, *facts, measures))
        return rows
