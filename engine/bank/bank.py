"""A bank: a folder of ONNX models and a manifest that says what plays what, with a hash for every file."""

from __future__ import annotations

import hashlib
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from ...errors import BankError, UsageError
from ..decoders.base import Decoder
from ..decoders.catalogue import Parts, make_decoder
from ..keys.correction import CorrectionArrays
from ..keys.motions import MotionArrays
from ..models.growth_model import OnnxGrowthModel
from ..regular_files import read_regular_file
from .instruments import BankInstrument, TimbreBook, Tuning
from .manifest import MANIFEST, MAX_FILE_BYTES, MAX_MANIFEST_BYTES, FileFacts, InstrumentFacts, Manifest, parse_manifest

MOTIONS = "motions.npz"
CORRECTION = "correction"
"""The part of a representation that is no model but what its models miss."""


class Bank:
    """Loaded models' files, verified against their hashes.

    Attributes
    ----------
    instruments : the instruments that its representations play; some may play only a few of them
    """

    def __init__(self, manifest: Manifest, contents: dict[str, bytes]) -> None:
        self.instruments = tuple(_instrument(facts) for facts in manifest.instruments)
        self._manifest, self._contents = manifest, contents
        self._grown: WeakValueDictionary[tuple[str, str, int], OnnxGrowthModel] = WeakValueDictionary()

    def __repr__(self) -> str:
        """Tell how much it holds."""
        return f"<Bank of {len(self.instruments)} instruments in {len(self.representations)} representations>"

    @classmethod
    def load(cls, path: Path | None = None) -> Bank:
        """Read a bank folder; the shipped one by default.

        Raises
        ------
        BankError
            The folder, the manifest or a file is missing or no regular file, a field of the manifest is wrong, or a
            file differs from what was exported.
        """
        folder = files("tnca_synth.instruments") if path is None else Path(path)
        try:
            data = _read(folder, MANIFEST, MAX_MANIFEST_BYTES)
        except (OSError, ValueError) as error:
            raise BankError(f"no bank at {folder}: {MANIFEST} cannot be read ({_reason(error)})") from error
        try:
            manifest = parse_manifest(data)
        except BankError as error:
            raise BankError(f"{folder}/{MANIFEST} is damaged: {error}") from error
        return cls(manifest, {name: _verified(folder, name, facts) for name, facts in manifest.files.items()})

    @property
    def representations(self) -> tuple[str, ...]:
        """Names of the representations it has models for."""
        return tuple(self._manifest.models)

    @property
    def decoder_models(self) -> dict[str, bytes]:
        """The decoders' models by name, the contents of their files."""
        return {name: self._contents[file] for name, file in self._manifest.decoders.items()}

    def models_of(self, representation: str) -> dict[str, bytes]:
        """Return what grows a representation by its parts: "seed" and "step", and `CORRECTION` if it was measured."""
        return {part: self._contents[file] for part, file in self._manifest.models[representation].items()}

    def growth_model(self, representation: str, provider: str = "auto", threads: int = 1) -> OnnxGrowthModel:
        """Open the models of a representation; `UsageError` if the bank has none.

        Who asks for one that is in use shares it: it has no state.
        """
        known = self.representations
        if representation not in known:
            raise UsageError(f"this bank has no representation {representation!r}, only {', '.join(known)}")
        key = (representation, provider, threads)
        model = self._grown.get(key)
        if model is None:
            model = self._grown[key] = self._open(representation, provider, threads)
        return model

    def _open(self, representation: str, provider: str, threads: int) -> OnnxGrowthModel:
        models = self.models_of(representation)
        correction = CorrectionArrays.from_bytes(models[CORRECTION]) if CORRECTION in models else None
        return OnnxGrowthModel(models["seed"], models["step"], provider, threads, self._motions, correction)

    @cached_property
    def _motions(self) -> MotionArrays | None:
        """What moves the notes of all representations, unpacked when the first of them is opened."""
        return MotionArrays.from_bytes(self._contents[MOTIONS]) if MOTIONS in self._contents else None

    def timbre_book(self, growth: OnnxGrowthModel) -> TimbreBook:
        """Return the instruments as a growth model knows them."""
        return TimbreBook(self.instruments, growth.timbres, growth.motions)

    def decoder(self, name: str, growth: OnnxGrowthModel, num_slots: int) -> Decoder:
        """Make a decoder for `num_slots` voices of a growth model; `UsageError` if they do not fit."""
        return make_decoder(name, Parts(self.decoder_models, growth, num_slots))


def _instrument(facts: InstrumentFacts) -> BankInstrument:
    tuning = Tuning(facts.keys, facts.cents, facts.inharmonicity)
    return BankInstrument(facts.name, facts.program, facts.is_drums, facts.pitched, facts.low, facts.high, tuning)


def _verified(folder: Any, name: str, facts: FileFacts) -> bytes:
    try:
        content = _read(folder, name, MAX_FILE_BYTES if facts.num_bytes is None else facts.num_bytes)
    except FileNotFoundError as error:
        raise BankError(f"{folder}/{name} is missing from the bank; install it again") from error
    except (OSError, ValueError) as error:
        raise BankError(f"{folder}/{name} cannot be read ({_reason(error)}); install it again") from error
    if hashlib.sha256(content).hexdigest() != facts.sha256:
        raise BankError(f"{folder}/{name} is damaged: its hash differs from the bank's manifest; install it again")
    return content


def _read(folder: Any, name: str, max_bytes: int) -> bytes:
    """Return a file of a bank; the shipped one may lie in an archive."""
    place = folder / name
    return read_regular_file(place, max_bytes) if isinstance(place, Path) else place.read_bytes()


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
