"""`SharedModels`: what all clients' synths are made of, loaded once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from ...engine.bank.added import FileInstrument, Place
from ...engine.bank.bank import Bank
from ...engine.bank.timbre_book import TimbreBook
from ...engine.instrument_files.folder import list_folder
from ...engine.models.growth_model import OnnxGrowthModel
from ...engine.names import DEFAULT_SAMPLE_RATE
from ...engine.open import MAX_VOICES, OpenSynth, assemble_synth
from ...midi.messages import note_off, note_on
from ..instruments import InstrumentList
from ..link import EngineLink

_WARM_KEYS: Final = (48, 60, 72)
_WARM_FRAMES: Final = 2048


class SharedBank(Bank):
    """A bank whose growth models, with their tables of keys, are opened once for all synths.

    The bank's own instruments that are files are read once, too. Where a user has others, tables grow with those that a
    synth plays: then each synth has its own.
    """

    _models: dict[tuple[str, str, int], OnnxGrowthModel] | None = None
    _books: dict[int, TimbreBook] | None = None  # by the identity of such a growth model

    def growth_model(self, representation: str, provider: str = "auto", threads: int = 1) -> OnnxGrowthModel:
        """Return the models of a representation, as `Bank.growth_model` opens them."""
        if self._manifest.rooms or list_folder():
            return super().growth_model(representation, provider, threads)
        if self._models is None:
            self._models = {}
        key = (representation, provider, threads)
        if key not in self._models:
            self._models[key] = super().growth_model(*key)
        return self._models[key]

    def timbre_book(self, growth: OnnxGrowthModel, aside: bool = False) -> TimbreBook:
        """Return the instruments as a growth model knows them, see `Bank.timbre_book`; one book for a shared model."""
        if growth not in (self._models or {}).values():
            return super().timbre_book(growth, aside)
        if self._books is None:
            self._books = {}
        if id(growth) not in self._books:
            self._books[id(growth)] = super().timbre_book(growth, aside)
        return self._books[id(growth)]

    def with_files(self, files: Sequence[FileInstrument], places: Mapping[Place, str]) -> Bank:
        """Return this bank with further instruments; without any it shares on."""
        return super().with_files(files, places) if files or places else self


class SharedModels:
    """A bank with its usual models open. Thread: any.

    Attributes
    ----------
    bank : Bank
    instruments : InstrumentList
        What can be chosen.
    """

    def __init__(self) -> None:
        self.bank = SharedBank.load()
        self.instruments = InstrumentList(self.bank)
        self._usual = self._synth(DEFAULT_SAMPLE_RATE, 0, MAX_VOICES)  # holds on to the models that it opened
        self._times_warmed = 0
        self.warm_up()

    def warm_up(self) -> None:
        """Play a few notes that nobody hears.

        What is called for the first time takes longer, and so does what a process writes to for the first time after it
        was forked. Each time they are other notes, which have to be planted.
        """
        self._times_warmed += 1
        for key in (key + self._times_warmed for key in _WARM_KEYS):
            self._usual.synth.send(note_on(0, key, 100))
            self._usual.synth.send(note_off(0, key), self._usual.synth.frame + _WARM_FRAMES // 2)
        self._usual.synth.render(_WARM_FRAMES)

    def make(self, link: EngineLink) -> OpenSynth:
        """Return a synth at power-up for a link."""
        return self._synth(link.sample_rate, link.seed, link.max_voices)

    def _synth(self, sample_rate: int, seed: int, max_voices: int) -> OpenSynth:
        return assemble_synth(
            sample_rate=sample_rate,
            seed=seed,
            provider="cpu",
            bank=self.bank,
            max_voices=max_voices,
            on_model_error="mute",
        )
