"""From a user's wishes to a synth that is ready to play: the one place where bank, models and `Synth` meet."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from ..errors import UsageError
from .bank import Bank
from .choices import (
    DECODERS,
    DEFAULT_DECODERS,
    DEFAULT_PROVIDER,
    DEFAULT_REPRESENTATION,
    DEFAULT_SAMPLE_RATE,
    PROVIDERS,
    REPRESENTATIONS,
    SAMPLE_RATE_RANGE_HZ,
    closest,
)
from .decoders.base import Decoder
from .growth import GrowthModel
from .helpers import Helper
from .hops import HopGrower
from .seams import Choice, InstrumentChooser
from .synth import Synth
from .voices import num_slots

MAX_VOICES = 64


class NamedInstrument(Protocol):
    """What is asked of a bank's instrument to find it by name."""

    @property
    def name(self) -> str:
        """Name for people."""
        ...

    @property
    def program(self) -> int:
        """General MIDI program 0..127 that it plays."""
        ...

    @property
    def is_drums(self) -> bool:
        """Whether it is a drum kit."""
        ...


class Casting:
    """Chooses instruments from a bank, all alike if so told, and remembers which.

    Parameters
    ----------
    bank : InstrumentChooser
        What is chosen from.
    only : NamedInstrument or None
        Plays whatever is not on a drum channel.
    """

    def __init__(self, bank: InstrumentChooser, only: NamedInstrument | None = None) -> None:
        self._bank = bank
        self._only = only
        self._chosen: dict[str, None] = {}

    def play_only(self, only: NamedInstrument | None) -> None:
        """Play whatever is not on a drum channel with one instrument, or with what it asks for; see `Synth.recast`."""
        self._only = only

    @property
    def instruments(self) -> tuple[str, ...]:
        """Names of the instruments that played, in order of appearance."""
        return tuple(self._chosen)

    def instrument_for(self, program: int, bank: int, is_drums: bool, key: int) -> Choice:
        """Return what plays a key (see `engine.seams.InstrumentChooser`)."""
        if self._only is not None and not is_drums:
            program, bank, is_drums = self._only.program, 0, self._only.is_drums
        return self.guest_for(program, bank, is_drums, key)

    def guest_for(self, program: int, bank: int, is_drums: bool, key: int) -> Choice:
        """Return what plays a key, whatever `play_only` says: in a pad of timbres."""
        choice = self._bank.instrument_for(program, bank, is_drums, key)
        self._chosen[choice.instrument.name] = None
        return choice


@dataclass(frozen=True)
class Recipe:
    """What a helper needs to grow as its owner does; see `open_ensemble`."""

    representation: str
    decoder: str
    bank_path: Path | None
    max_voices: int

    def __call__(self) -> HopGrower:
        """Load the bank and make a grower."""
        bank = Bank.load(self.bank_path)
        growth = bank.growth_model(self.representation, provider="cpu")
        decoder = bank.decoder(self.decoder, growth, num_slots(self.max_voices))
        return HopGrower(growth, decoder, self.max_voices, fire_rate=1.0)


@dataclass(eq=False)
class Ensemble:
    """A synth with what is known about it.

    Attributes
    ----------
    synth : Synth
    casting : Casting
        Knows which instruments have played.
    provider : str
        Execution provider that the growth model really runs on: "cpu" or "cuda".
    representation, decoder : str
        What was chosen.
    growth : GrowthModel, optional
        What grows the notes.
    bank : Bank, optional
        Where all of it comes from.
    helpers : list of Helper
        Processes that grow notes beside this one.
    """

    synth: Synth
    casting: Casting
    provider: str
    representation: str = DEFAULT_REPRESENTATION
    decoder: str = DEFAULT_DECODERS[DEFAULT_REPRESENTATION]
    growth: GrowthModel | None = None
    bank: Bank | None = None
    helpers: list[Helper] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Know no decoder yet but the synth's own."""
        self._decoders: dict[str, Decoder | None] = {}  # None for one that does not fit what is grown

    def close(self) -> None:
        """End the helpers; the synth must not be used any more."""
        while self.helpers:
            self.helpers.pop().close()

    @property
    def decoders(self) -> tuple[str, ...]:
        """Names of the decoders that can sound what is grown."""
        names = DECODERS if self.bank is not None and self.growth is not None else (self.decoder,)
        return tuple(name for name in names if self._decoder(name) is not None)

    def adopt(self, name: str, decoder: Decoder) -> None:
        """Know the decoder that the synth was made with."""
        self._decoders[name] = decoder

    def set_decoder(self, name: str) -> None:
        """Let another decoder sound all notes from now on; sounding ones cross over (see `Synth.set_decoder`).

        Raises
        ------
        UsageError
            The name is unknown, or the decoder does not fit what is grown.
        """
        name = closest(name, self.decoders, "decoder")
        decoder = self._decoder(name)
        if decoder is not None and name != self.decoder:
            self.synth.set_decoder(decoder)
            self.decoder = name

    def _decoder(self, name: str) -> Decoder | None:
        """Return a decoder, made when it is first asked for; None if it does not fit."""
        if name not in self._decoders and self.bank is not None and self.growth is not None:
            try:
                self._decoders[name] = self.bank.decoder(name, self.growth, num_slots(self.synth.max_voices))
            except UsageError:
                self._decoders[name] = None
        return self._decoders.get(name)

    def set_morph(self, channel: int, right: str, upper: str | None = None, far: str | None = None) -> None:
        """Let notes to come on a MIDI channel morph into instruments of the bank; see `Synth.set_morph`.

        Raises
        ------
        UsageError
            A name is unknown, or there is no bank.
        """
        known = () if self.bank is None else tuple(one for one in self.bank.instruments if not one.is_drums)
        programs = [None if name is None else find_instrument(known, name).program for name in (right, upper, far)]
        self.synth.set_morph(channel, *programs)

    @property
    def on_cuda(self) -> bool:
        """Whether the growth model runs on a GPU."""
        return self.provider == "cuda"


def open_ensemble(
    *,
    instrument: str | None = None,
    representation: str | None = None,
    decoder: str | None = None,
    sample_rate: int = DEFAULT_SAMPLE_RATE,
    seed: int = 0,
    provider: str = DEFAULT_PROVIDER,
    stems: bool = False,
    bank_path: Path | None = None,
    max_voices: int = MAX_VOICES,
    on_model_error: Literal["raise", "mute"] = "raise",
    effects: bool = True,
    grows_together: bool = False,
    workers: int = 1,
) -> Ensemble:
    """Load a bank and make a synth that plays it.

    Parameters
    ----------
    instrument : str, optional
        Plays every part but the drums; its name in the bank, in any case.
    representation, decoder : str, optional
        Names from `engine.choices`; None is the best one, of a decoder the best for the representation.
    sample_rate : int
        Of the output in Hz.
    seed : int
        Root of all chance.
    provider : str
        Execution provider that is asked for: "auto", "cpu" or "cuda".
    stems : bool
        Whether MIDI channels are kept apart.
    bank_path : Path, optional
        Another bank than the shipped one.
    max_voices, on_model_error, effects, grows_together
        As `Synth` has them.
    workers : int
        Processes that grow notes, this one included; on a GPU this one does all. Close the ensemble to end them. A
        script that asks for more than one guards its main part, as `multiprocessing` wants it.

    Raises
    ------
    UsageError
        If a name is unknown or the sample rate out of range.
    BankError
        If the bank or a model in it is missing, damaged or foreign.
    """
    low, high = SAMPLE_RATE_RANGE_HZ
    if not low <= sample_rate <= high:
        raise UsageError(f"the sample rate must be in {low}..{high} Hz, got {sample_rate}")
    if workers < 1:
        raise UsageError(f"the number of workers must be 1 or more, got {workers}")
    representation = closest(representation or DEFAULT_REPRESENTATION, REPRESENTATIONS, "representation")
    decoder = closest(decoder or DEFAULT_DECODERS[representation], DECODERS, "decoder")
    provider = closest(provider, PROVIDERS, "provider")
    bank = Bank.load(bank_path)
    only = None if instrument is None else find_instrument(bank.instruments, instrument)
    growth = bank.growth_model(representation, provider=provider)
    casting = Casting(bank.timbre_book(growth), only)
    first = bank.decoder(decoder, growth, num_slots(max_voices))
    recipe = Recipe(representation, decoder, bank_path, max_voices)
    helpers = [Helper(recipe) for _ in range(workers - 1)] if growth.provider == "cpu" else []
    synth = Synth(
        growth,
        first,
        casting,
        sample_rate=sample_rate,
        max_voices=max_voices,
        seed=seed,
        stems=stems,
        on_model_error=on_model_error,
        effects=effects,
        grows_together=grows_together,
        helpers=helpers,
    )
    ensemble = Ensemble(synth, casting, growth.provider, representation, decoder, growth, bank, helpers)
    ensemble.adopt(decoder, first)
    return ensemble


def find_instrument(instruments: Iterable[NamedInstrument], name: str) -> NamedInstrument:
    """Return the instrument of that name, in any case; an unknown name raises `UsageError` with the nearest."""
    by_name = {one.name: one for one in instruments}
    return by_name[closest(name, by_name, "instrument")]
