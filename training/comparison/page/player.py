"""Playing held-out notes on every path of a bank, with the sampler and the anchors beside them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from ....engine.arrays import FloatArray
from ....engine.bank.bank import Bank
from ....engine.decoders.catalogue import MAKERS
from ....errors import UsageError
from ...measure.hearing import HEARING_RATE
from ...validation.anchors import anchors
from ...validation.held_out import SAMPLER, sampler
from ...validation.pitch_judge import PitchJudge
from ...validation.rendered import NoteRenderer
from ..measures import Measures, measure
from ..notes import HeldOutNote


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
        growth = {name: bank.growth_model(name, "cpu") for name in dict.fromkeys(one.representation for one in routes)}
        self._renderers = {str(one): NoteRenderer(bank, growth[one.representation], one.decoder) for one in routes}
        self._judge = PitchJudge()

    def play(self, note: HeldOutNote) -> dict[str, FloatArray]:
        """Return what sampler, anchors and routes make of a note, float32 at `HEARING_RATE`, as long as its recording.

        Routes whose representation does not know the instrument are left out.
        """
        recording, instrument = note.recording, note.instrument
        length = len(recording.audio)
        played = {} if note.lower is None else {SAMPLER: sampler(note.lower, HEARING_RATE, note.semitones)[:length]}
        played |= anchors(recording.audio)
        for path, renderer in self._renderers.items():
            if renderer.knows(instrument, recording.pitch):
                played[path] = renderer.render(
                    instrument, recording.pitch, recording.velocity, recording.hold_s, length
                )
        return played

    def measure(self, note: HeldOutNote, played: dict[str, FloatArray]) -> list[NoteRow]:
        """Measure what was played against the recording."""
        recording, instrument = note.recording, note.instrument
        rows = []
        for path, audio in played.items():
            cents = float("nan")
            if recording.pitched:
                cents = self._judge.cents_between(audio, recording.audio, HEARING_RATE)
            measures = measure(audio, recording, instrument.sustains, cents)
            facts = (instrument.name, note.kind, recording.pitch, recording.velocity, recording.pitched)
            rows.append(NoteRow(path, *facts, measures))
        return rows
