"""The paths of a bank by name: its representations and the decoders that fit them, opened when first asked for."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from ...errors import UsageError
from ..bank.bank import Bank
from ..bank.chooser import InstrumentSelection
from ..bank.path import SignalPath
from ..decoders.base import Decoder
from ..models.growth_model import OnnxGrowthModel
from ..models.onnx_runtime import open_session
from ..names import DECODERS, REPRESENTATIONS, name_of, representation_of
from ..voices.voice import num_slots


class PathCatalogue:
    """Paths that a synth can take.

    Parameters
    ----------
    bank : Bank
    selection : Casting
        Its wishes hold for every path.
    max_voices : int
    provider : str
        Execution provider of all models.
    loads_aside : bool
        See `TimbreBook`.
    """

    def __init__(
        self, bank: Bank, selection: InstrumentSelection, max_voices: int, provider: str, loads_aside: bool = False
    ) -> None:
        self._loads_aside = loads_aside
        self._bank, self._selection = bank, selection
        self._num_slots, self._provider = num_slots(max_voices), provider
        self._grown: dict[str, tuple[OnnxGrowthModel, InstrumentSelection]] = {}
        self._paths: dict[tuple[str, str], SignalPath | None] = {}  # None where a decoder does not fit
        self._open: list[object] = []  # sessions that decoders to come will share

    def adopt(self, representation: str, decoder: str, growth: OnnxGrowthModel, first: Decoder) -> None:
        """Know the path that a synth was made with."""
        self._grown[representation] = growth, self._selection
        self._paths[representation, decoder] = SignalPath(growth, first, self._selection)

    @property
    def representations(self) -> tuple[str, ...]:
        """Names of the representations to choose among."""
        return tuple(name for name in REPRESENTATIONS if name in self._bank.representations)

    def open_all(self) -> None:
        """Open all models at once, on as many cores as there are; who asks for a path later need not wait."""
        provider = next((growth.provider for growth, _ in self._grown.values()), self._provider)
        with ThreadPoolExecutor() as pool:
            homes = {id(home): home for home in map(self._bank.home, self.representations)}
            models = [model for home in homes.values() for model in home.decoder_models.values()]
            decoding = [pool.submit(open_session, model, provider) for model in models]
            for opened in [pool.submit(self._growth, name) for name in self.representations]:
                opened.result()
            self._open = [one.result() for one in decoding]

    def decoders(self, representation: str) -> tuple[str, ...]:
        """Names of the decoders that can sound what a representation grows."""
        return tuple(name for name in DECODERS if self.path(representation, name) is not None)

    def best_decoder(self, representation: str, preferred: str = "") -> str:
        """Return the name of the preferred decoder if it fits, else of the representation's best."""
        for name in (preferred, representation_of(representation).default_decoder, *DECODERS):
            if name in DECODERS and self.path(representation, name) is not None:
                return name
        raise UsageError(f"no decoder fits the {representation} representation of this bank")

    def path(self, representation: str, decoder: str) -> SignalPath | None:
        """Return a path; None if the decoder does not fit."""
        wanted = (representation, decoder)
        if wanted not in self._paths:
            growth, selection = self._growth(representation)
            try:
                made = self._bank.decoder(decoder, growth, self._num_slots)
            except UsageError:
                self._paths[wanted] = None
            else:
                self._paths[wanted] = SignalPath(growth, made, selection)
        return self._paths[wanted]

    def find(self, path: SignalPath, representation: int, decoder: int) -> SignalPath | None:
        """Return the path that MIDI's numbers name; 0 is what `path` has.

        A decoder that does not fit gives way to the best one; None if there is no such representation.
        """
        own, own_decoder = self.name(path)
        name = own if representation == 0 else name_of(REPRESENTATIONS, representation)
        if name not in self.representations:
            return None
        wanted = name_of(DECODERS, decoder) or (own_decoder if name == own else "")
        return self.path(name, self.best_decoder(name, wanted))

    def _growth(self, representation: str) -> tuple[OnnxGrowthModel, InstrumentSelection]:
        if representation not in self._grown:
            growth = self._bank.growth_model(representation, self._provider)
            self._grown[representation] = (
                growth,
                self._selection.over(self._bank.timbre_book(growth, self._loads_aside)),
            )
        return self._grown[representation]

    def name(self, path: SignalPath) -> tuple[str, str]:
        """Return the names of representation and decoder of a path that was opened."""
        return next(names for names, known in self._paths.items() if known is path or known == path)
