"""From a user's wishes to a synth that is ready to play: the one place where bank, models and `Synth` meet."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ..errors import UsageError
from .arguments import check_number, check_text
from .bank.added import Place, check_foundation, instrument_file
from .bank.bank import Bank, is_shipped
from .bank.chooser import InstrumentSelection, find_playable
from .bank.instruments import BankInstrument
from .bank.path import SignalPath as SynthPath
from .bank.timbre_book import TimbreBook
from .decoders.base import Decoder
from .growth.grower import Grower
from .growth.worker_process import WorkerProcess
from .held_notes import faster_provider
from .instrument_files import InstrumentFile, is_file_name
from .kernel.cores import AUTO
from .models.growth_model import OnnxGrowthModel
from .models.keep_alive import KeepAlive
from .names import (
    DECODERS,
    DEFAULT_PROVIDER,
    DEFAULT_REPRESENTATION,
    DEFAULT_SAMPLE_RATE,
    PROVIDERS,
    REPRESENTATIONS,
    SAMPLE_RATE_RANGE_HZ,
    closest,
    representation_of,
)
from .routing.path_catalogue import PathCatalogue
from .synth import Synth
from .trial import try_bank
from .voices.voice import num_slots
from .wanted_instruments import (
    InstrumentSource,
    Wanted,
    add_file,
    check_wanted,
    find_wanted,
    load_bank,
    representation_of_file,
)

MAX_VOICES = 64
WORKERS_LIMIT_S = 10.0
"""How long workers are waited for; mostly it takes half a second."""


@dataclass(frozen=True)
class Recipe:
    """What a worker process needs to grow as its owner does; see `assemble_synth`."""

    representation: str
    decoder: str
    bank_path: Path | None
    max_voices: int
    core: str
    sample_rate: int | None

    def __call__(self) -> Grower:
        """Load the bank and make a grower."""
        bank = Bank.load(self.bank_path)
        growth = bank.growth_model(self.representation, provider="cpu")
        decoder = bank.decoder(self.decoder, growth, num_slots(self.max_voices))
        return Grower(growth, decoder, self.max_voices, fire_rate=1.0, core=self.core, sample_rate=self.sample_rate)


@dataclass(eq=False, repr=False)
class OpenSynth:
    """A synth with what is known about it.

    Attributes
    ----------
    synth : Synth
    selection : InstrumentSelection
        Knows which instruments have played.
    provider : str
        Execution provider that the growth model really runs on: "cpu" or "cuda".
    representation, decoder : str
        What was chosen for all channels.
    growth : GrowthModel, optional
        What grows the notes.
    bank : Bank, optional
        Where all of it comes from.
    worker_processes : list of WorkerProcess
        Processes that grow notes beside this one.
    why_provider : str
        Why "auto" chose the provider; "" where there was nothing to choose.
    keep_alive : KeepAlive, optional
        What keeps a GPU awake while nobody plays.
    catalogue : PathCatalogue, optional
        The other representations and decoders to choose among.
    book : TimbreBook, optional
        What plays a key on the path that was chosen first.
    files : mapping of str to Path
        Instruments that come from files, by name.
    """

    synth: Synth
    selection: InstrumentSelection
    provider: str
    representation: str = DEFAULT_REPRESENTATION
    decoder: str = REPRESENTATIONS[DEFAULT_REPRESENTATION].default_decoder
    growth: OnnxGrowthModel | None = None
    bank: Bank | None = None
    worker_processes: list[WorkerProcess] = field(default_factory=list)
    catalogue: PathCatalogue | None = None
    book: TimbreBook | None = None
    files: Mapping[str, Path] = field(default_factory=dict)
    why_provider: str = ""
    keep_alive: KeepAlive | None = None

    def __post_init__(self) -> None:
        """Know no channel that has a path of its own."""
        self._chosen: dict[int | None, tuple[str, str]] = {}

    def __repr__(self) -> str:
        """Tell what it plays."""
        return f"<OpenSynth of {self.representation} and {self.decoder} on {self.provider}>"

    def wait_for_workers(self) -> None:
        """Wait until all workers are ready, or have failed to come up; without it they join when they are."""
        for worker_process in self.worker_processes:
            worker_process.wait(WORKERS_LIMIT_S)

    def close(self) -> None:
        """End the workers; the synth must not be used any more."""
        if self.keep_alive is not None:
            self.keep_alive.close()
        while self.worker_processes:
            self.worker_processes.pop().close()

    @property
    def representations(self) -> tuple[str, ...]:
        """Names of the representations to choose among."""
        return (self.representation,) if self.catalogue is None else self.catalogue.representations

    @property
    def decoders(self) -> tuple[str, ...]:
        """Names of the decoders that can sound what is grown."""
        return self.decoders_of(self.representation)

    def decoders_of(self, representation: str) -> tuple[str, ...]:
        """Names of the decoders that can sound what a representation grows; all of them are opened to know."""
        return (self.decoder,) if self.catalogue is None else self.catalogue.decoders(representation)

    def set_path(
        self, representation: str | None = None, decoder: str | None = None, channel: int | None = None
    ) -> None:
        """Let notes be grown and sounded otherwise from now on; sounding ones cross over (see `Synth.set_path`).

        Parameters
        ----------
        representation : str, optional
            None is the one chosen before.
        decoder : str, optional
            None is the best for the representation, or the one chosen before if that was not the best and fits.
        channel : int, optional
            MIDI channel, 0..15 on the first port; all by default.

        Raises
        ------
        UsageError
            A name is unknown, or the decoder does not fit what is grown.
        """
        own, own_decoder = self._chosen.get(channel, (self.representation, self.decoder))
        name = closest(representation or own, self.representations, "representation")
        if self.catalogue is None:
            return
        if decoder is None:
            special = own_decoder if own_decoder != representation_of(own).default_decoder else ""
            decoder = self.catalogue.best_decoder(name, special)
        decoder = closest(decoder, self.decoders_of(name), "decoder")
        path = self.catalogue.path(name, decoder)
        assert path is not None
        self.synth.set_path(path, channel)
        self._chosen[channel] = name, decoder
        if channel is None:
            self._chosen.clear()
            self.representation, self.decoder = name, decoder

    def path_name(self, path: SynthPath) -> tuple[str, str]:
        """Return the names of representation and decoder of a path that the synth takes."""
        return (self.representation, self.decoder) if self.catalogue is None else self.catalogue.name(path)

    def set_representation(self, name: str, channel: int | None = None) -> None:
        """Let another representation grow the notes of a MIDI channel, or of all; see `set_path`."""
        self.set_path(representation=name, channel=channel)

    def set_decoder(self, name: str, channel: int | None = None) -> None:
        """Let another decoder sound the notes of a MIDI channel, or of all; see `set_path`."""
        self.set_path(decoder=name, channel=channel)

    def begin_with(self, instrument: Wanted, channel: int | None = None) -> None:
        """Let notes to come of a MIDI channel 0..15, or of all but the drums, be an instrument's.

        Each channel keeps it until its next program change.

        Parameters
        ----------
        instrument : str, int, path-like or InstrumentFile
            As `assemble_synth` has it.
        channel : int, optional

        Raises
        ------
        UsageError
            There is no such instrument, or no bank.
        """
        self.synth.begin_with(self._instrument(instrument), channel)

    def lock_instrument(self, instrument: Wanted) -> None:
        """Let an instrument play all notes to come but the drums, whatever programs are asked for; see `begin_with`."""
        self.selection.play_only(self._instrument(instrument))
        self.synth.begin_with(None)  # what was chosen before would go on playing
        self.synth.recast()

    def follow_midi(self) -> None:
        """Let programs say again what plays notes to come: no instrument is locked, none was chosen before MIDI did."""
        self.selection.play_only(None)
        self.synth.begin_with(None)
        self.synth.recast()

    @property
    def locked_instrument(self) -> str:
        """Name of the instrument that plays all but the drums; "" where programs say."""
        return "" if self.selection.only is None else self.selection.only.name

    def make_ready(self, wanted: Wanted) -> str:
        """Return the name of an instrument, once its file is read, if it is one of a file.

        Thread: any, so that the one which makes the sound need not read it.

        Raises
        ------
        UsageError, BankError
            There is no such instrument, or its file cannot be read or is for another foundation.
        """
        if self.bank is None or self.book is None:
            raise UsageError(f"without a bank there is no instrument {wanted!r}")
        if not isinstance(wanted, int) and (isinstance(wanted, InstrumentFile) or is_file_name(wanted)):
            self.bank, self.files, name = add_file(self.bank, self.book, self.files, wanted)
        else:
            name = find_playable(self.bank.instruments, wanted if isinstance(wanted, int) else str(wanted)).name
        self.book.load(name)
        return name

    def _instrument(self, wanted: Wanted) -> BankInstrument:
        name = self.make_ready(wanted)
        assert self.bank is not None
        return find_playable(self.bank.instruments, name)

    def set_morph(
        self, channel: int, right: str | int, upper: str | int | None = None, far: str | int | None = None
    ) -> None:
        """Let notes to come on a MIDI channel morph into instruments of the bank; see `Synth.set_morph`.

        Raises
        ------
        UsageError
            A name is unknown, or there is no bank.
        """
        known = () if self.bank is None else tuple(one for one in self.bank.instruments if not one.is_drums)
        corners = [None if name is None else find_playable(known, name) for name in (right, upper, far)]
        for corner, one in enumerate(corners):
            if one is not None:
                self.synth.morph_into(channel, corner, self._instrument(one.name) if one.is_own else None)
        self.synth.set_morph(channel, *(None if one is None else one.program for one in corners))

    def replace_instrument(self, name: str, instrument: InstrumentFile) -> None:
        """Let notes to come of an instrument from a file sound as another file of it says; see `TimbreBook.replace`.

        Thread: any.

        Raises
        ------
        BankError
            It is for another foundation, or does not fit.
        """
        if self.book is None or self.growth is None or self.bank is None:
            raise UsageError(f"without a bank there is no instrument {name!r}")
        known = self.growth.representation
        check_foundation(instrument_file(instrument), known, self.bank.foundation(known), f"the instrument {name!r}")
        self.book.replace(name, instrument)

    @property
    def core(self) -> str:
        """What grows the voices of the first path: "kernel" or "numpy"."""
        return self.synth.core

    @property
    def on_cuda(self) -> bool:
        """Whether the growth model runs on a GPU."""
        return self.provider == "cuda"


def assemble_synth(
    *,
    instrument: Wanted | None = None,
    is_locked: bool = True,
    instruments: Sequence[InstrumentSource] = (),
    mapping: Mapping[str, Wanted] | None = None,
    representation: str | None = None,
    decoder: str | None = None,
    sample_rate: int = DEFAULT_SAMPLE_RATE,
    seed: int = 0,
    provider: str = DEFAULT_PROVIDER,
    stems: bool = False,
    bank_path: str | os.PathLike[str] | None = None,
    bank: Bank | None = None,
    max_voices: int = MAX_VOICES,
    on_model_error: Literal["raise", "mute"] = "raise",
    effects: bool = True,
    grows_together: bool = False,
    workers: int = 1,
    core: str = AUTO,
    num_ports: int = 1,
    growth_controllers: bool = False,
    loads_aside: bool = False,
    kits_play_drums_alone: bool = False,
) -> OpenSynth:
    """Load a bank and make a synth that plays it.

    Parameters
    ----------
    instrument : str, int, path-like or InstrumentFile, optional
        Plays every part but the drums: its name in the bank or in the user's folder, in any case, a program 0..127, or
        an instrument file (`*.tnca`). A kit from a file plays the drums, too.
    is_locked : bool
        Whether it does so for good; else each MIDI channel begins with it, and its next program change holds.
    instruments : sequence of str, path-like or InstrumentFile
        Further instrument files, to be chosen by name.
    mapping : mapping of str, optional
        What plays in the place of a program: "0", "8:0" (bank and program), "drums:0" or "drums" -> as `instrument`.
    representation, decoder : str, optional
        Names from `engine.names`; None is what an instrument file is for, the usual one, or what the bank has; of a
        decoder the best that fits.
    sample_rate : int
        Of the output in Hz.
    seed : int
        Root of all chance.
    provider : str
        Execution provider that is asked for: "auto", "cpu" or "cuda".
    stems : bool
        Whether MIDI channels are kept apart.
    bank_path : path-like, optional
        Another bank than the shipped one.
    bank : Bank, optional
        One that is loaded already, from `bank_path`; its models are shared by all synths that play it.
    max_voices, on_model_error, effects, grows_together, num_ports, growth_controllers
        As `Synth` has them.
    workers : int
        Processes that grow notes, this one included; on a GPU this one does all. Close the ensemble to end them. A
        script that asks for more than one guards its main part, as `multiprocessing` wants it.

    core : str
        What voices are grown with: "kernel", compiled, or "numpy"; "auto" is what the environment variable
        `TNCA_SYNTH_CORE` says, else the kernel if there is one.
    loads_aside : bool
        Whether files of instruments are read in a thread of their own when they are first asked for; see `TimbreBook`.
    kits_play_drums_alone : bool
        Whether a kit from a file leaves the melodic parts as they are.

    Raises
    ------
    UsageError
        If a name is unknown, an argument of another type or out of range, or the kernel asked for and not built.
    BankError
        If the bank, a model in it or an instrument's file is missing, damaged or foreign.
    """
    low, high = SAMPLE_RATE_RANGE_HZ
    for name, value in (("sample_rate", sample_rate), ("seed", seed), ("workers", workers), ("max_voices", max_voices)):
        check_number(name, value, whole=True)
    check_wanted(instrument, instruments, mapping)
    for name, text in (("representation", representation), ("decoder", decoder)):
        check_text(name, text, is_optional=True)
    check_text("provider", provider)
    if bank_path is not None and not isinstance(bank_path, str | os.PathLike):
        raise UsageError(f"bank_path: expected a path, got {bank_path!r}")
    folder = None if bank_path is None else Path(bank_path)
    if not low <= sample_rate <= high:
        raise UsageError(f"the sample rate must be in {low}..{high} Hz, got {sample_rate}")
    if workers < 1:
        raise UsageError(f"the number of workers must be 1 or more, got {workers}")
    provider = closest(provider, PROVIDERS, "provider")
    representation = None if representation is None else closest(representation, REPRESENTATIONS, "representation")
    decoder = None if decoder is None else closest(decoder, DECODERS, "decoder")
    if bank is None:
        bank, folder = load_bank(folder, (instrument, *instruments, *(mapping or {}).values()))
        if folder is not None and not is_shipped(folder):
            try_bank(folder)
    representation = _representation(bank, representation, instrument, decoder)
    growth = bank.growth_model(representation, provider=provider)
    growth, why_provider = _faster(bank, representation, growth, provider, max_voices, core)
    provider = growth.provider if why_provider else provider
    found = find_wanted(bank, representation, instrument, instruments, mapping)
    bank, chosen = found.bank, found.chosen
    if chosen is not None and chosen.is_own and chosen.is_drums:
        bank = bank.with_files((), {Place(True, None): chosen.name})
        chosen = None if kits_play_drums_alone else chosen
    book = bank.timbre_book(growth, loads_aside)
    for name in found.asked_for:
        book.load(name)
    selection = InstrumentSelection(book, chosen if is_locked else None)
    decoder, first = _open_decoder(bank, representation, growth, decoder, num_slots(max_voices))
    recipe = Recipe(representation, decoder, folder, max_voices, core, bank.sample_rate)
    worker_processes = [WorkerProcess(recipe) for _ in range(workers - 1)] if growth.provider == "cpu" else []
    synth = Synth(
        growth,
        first,
        selection,
        sample_rate=sample_rate,
        internal_rate=bank.sample_rate,
        max_voices=max_voices,
        seed=seed,
        stems=stems,
        on_model_error=on_model_error,
        effects=effects,
        grows_together=grows_together,
        worker_processes=worker_processes,
        core=core,
        num_ports=num_ports,
        growth_controllers=growth_controllers,
    )
    if not is_locked:
        synth.begin_with(chosen)
    catalogue = PathCatalogue(bank, selection, max_voices, provider, loads_aside)
    catalogue.adopt(representation, decoder, growth, first)
    synth.find_paths_with(catalogue.find)
    return OpenSynth(
        synth,
        selection,
        growth.provider,
        representation,
        decoder,
        growth,
        bank,
        worker_processes,
        catalogue,
        book,
        found.paths,
        why_provider,
        KeepAlive(growth) if grows_together and growth.provider == "cuda" else None,
    )


def _faster(
    bank: Bank, representation: str, growth: OnnxGrowthModel, provider: str, max_voices: int, core: str
) -> tuple[OnnxGrowthModel, str]:
    """Return the model on the faster provider, where "auto" has a GPU to choose, and why it is that one."""
    if provider != "auto" or growth.provider == "cpu":
        return growth, ""
    models = {"cuda": growth, "cpu": bank.growth_model(representation, "cpu")}
    decoder, _ = _open_decoder(bank, representation, growth, None, num_slots(max_voices))
    best, why = faster_provider(bank, models, decoder, max_voices, core)
    return models[best], why


def _representation(bank: Bank, wanted: str | None, instrument: Wanted | None, decoder: str | None) -> str:
    """Return the representation that is asked for, else that of an instrument file, else the usual one or any.

    Where only a decoder is asked for whose model lies in a bank beside, it is the one that is best sounded by it.
    """
    there = bank.representations
    wanted = wanted or representation_of_file(instrument)
    usual = DEFAULT_REPRESENTATION if DEFAULT_REPRESENTATION in there else next(iter(there), DEFAULT_REPRESENTATION)
    if wanted is not None or decoder is None or decoder in bank.home(usual).decoder_models:
        return wanted or usual
    sounded = (name for name in there if REPRESENTATIONS[name].default_decoder == decoder)
    return next((name for name in sounded if decoder in bank.home(name).decoder_models), usual)


def _open_decoder(
    bank: Bank, representation: str, growth: OnnxGrowthModel, wanted: str | None, slots: int
) -> tuple[str, Decoder]:
    """Open the decoder that is asked for, else the best one of those that fit and that the bank has models of."""
    if wanted is not None:
        return wanted, bank.decoder(wanted, growth, slots)
    for name in dict.fromkeys((REPRESENTATIONS[representation].default_decoder, *DECODERS)):
        try:
            return name, bank.decoder(name, growth, slots)
        except UsageError:
            continue
    raise UsageError(f"no decoder fits the {representation} representation of this bank")


def open_synth(
    *,
    instrument: Wanted | None = None,
    instruments: Sequence[InstrumentSource] = (),
    mapping: Mapping[str, Wanted] | None = None,
    representation: str | None = None,
    decoder: str | None = None,
    sample_rate: int = DEFAULT_SAMPLE_RATE,
    seed: int = 0,
    provider: str = DEFAULT_PROVIDER,
    stems: bool = False,
    bank_path: str | os.PathLike[str] | None = None,
    max_voices: int = MAX_VOICES,
    effects: bool = True,
) -> Synth:
    """Return a synth that plays a bank, for messages in and frames out.

    Parameters are those of `assemble_synth`, and so is what it raises.
    """
    return assemble_synth(
        instrument=instrument,
        instruments=instruments,
        mapping=mapping,
        representation=representation,
        decoder=decoder,
        sample_rate=sample_rate,
        seed=seed,
        provider=provider,
        stems=stems,
        bank_path=bank_path,
        max_voices=max_voices,
        effects=effects,
    ).synth
