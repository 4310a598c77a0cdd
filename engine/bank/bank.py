"""A bank: a folder of ONNX models and a manifest that says what plays what, with a hash for every file."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from ...errors import BankError, UsageError
from ..decoders.base import Decoder
from ..decoders.catalogue import Parts, make_decoder
from ..instrument_files import InstrumentFile, parse_instrument
from ..instrument_files.file import foundation_of
from ..keys.motions import KeyRoom
from ..keys.stored.correction_arrays import CorrectionArrays
from ..keys.stored.motion_arrays import MotionArrays
from ..models.growth_model import OnnxGrowthModel
from ..regular_files import read_regular_file
from .added import FileInstrument, Place
from .instruments import BankInstrument, Levels, Tuning
from .manifest import (
    MANIFEST,
    MAX_FILE_BYTES,
    MAX_MANIFEST_BYTES,
    MODEL_PARTS,
    FileFacts,
    InstrumentFacts,
    Manifest,
    OtherBank,
    manifest_bytes,
    parse_manifest,
)
from .timbre_book import TimbreBook

MOTIONS = "motions.npz"
SHIPPED: Final = {"low-rate": "tnca_synth.instruments.low_rate"}
"""Banks that come with the program beside the one that plays unasked, by name."""
CORRECTION = "correction"
"""The part of a representation that is no model but what its models miss."""


class Bank:
    """Loaded models' files, verified against their hashes.

    Attributes
    ----------
    instruments : the instruments that its representations play; some may play only a few of them
    """

    def __init__(
        self,
        manifest: Manifest,
        contents: dict[str, bytes],
        folder: Any = None,
        files: Sequence[FileInstrument] = (),
        places: Mapping[Place, str] | None = None,
    ) -> None:
        self._own = tuple(_instrument(facts) for facts in manifest.instruments)
        self.instruments = (*self._own, *(one.instrument for one in files))
        self._manifest, self._contents, self._folder = manifest, contents, folder
        self._files, self._places = tuple(files), dict(places or {})
        # By folder, once they are read; shared by all that `with_files` makes of this.
        self._others: dict[str, Bank] = {}

    def __repr__(self) -> str:
        """Tell how much it holds."""
        return f"<Bank of {len(self.instruments)} instruments in {len(self.representations)} representations>"

    @classmethod
    def load(cls, path: Path | None = None) -> Bank:
        """Read a bank folder, or one of `SHIPPED` by its name; by default the bank that plays unasked.

        Raises
        ------
        BankError
            The folder, the manifest or a file is missing or no regular file, a field of the manifest is wrong, or a
            file differs from what was exported.
        """
        if path is None or is_shipped(path):
            folder = files("tnca_synth.instruments" if path is None else SHIPPED[str(path)])
        else:
            folder = Path(path)
        return cls._of(folder, _manifest_of(folder))

    @classmethod
    def _of(cls, folder: Any, data: bytes) -> Bank:
        """Return the bank of a folder with a manifest."""
        try:
            manifest = parse_manifest(data)
        except BankError as error:
            raise BankError(f"{folder}/{MANIFEST} is damaged: {error}") from error
        later = {file for one in manifest.instruments for file in one.files.values()}
        now = {name: facts for name, facts in manifest.files.items() if name not in later}
        return cls(manifest, {name: _verified(folder, name, facts) for name, facts in now.items()}, folder)

    @property
    def representations(self) -> tuple[str, ...]:
        """Names of the representations there are models for, here or in the banks beside it."""
        beside = (name for other in self._manifest.others.values() for name in other.representations)
        return (*self._manifest.models, *beside)

    @property
    def own_representations(self) -> tuple[str, ...]:
        """Names of the representations whose models lie in this bank itself."""
        return tuple(self._manifest.models)

    @property
    def sample_rate(self) -> int | None:
        """Rate in Hz at which a synth mixes that plays all of them; None where that is the one representation's."""
        return self._manifest.sample_rate

    def home(self, representation: str) -> Bank:
        """Return the bank that has the models of a representation: this one, or one beside it, which is read now.

        Raises
        ------
        BankError
            That one is missing, damaged or another than this bank's manifest says.
        """
        for name, other in self._manifest.others.items():
            if representation in other.representations:
                if name not in self._others:
                    self._others[name] = _other(self._folder / name, other)
                return self._others[name]
        return self

    @property
    def sha256(self) -> str:
        """What tells it from other banks: a hash of all its files' hashes."""
        hashes = sorted((name, facts.sha256) for name, facts in self._manifest.files.items())
        hashes += sorted((name, other.sha256) for name, other in self._manifest.others.items())
        return hashlib.sha256(repr(hashes).encode()).hexdigest()

    @property
    def decoder_models(self) -> dict[str, bytes]:
        """The decoders' models by name, the contents of their files."""
        return {name: self._contents[file] for name, file in self._manifest.decoders.items()}

    def models_of(self, representation: str) -> dict[str, bytes]:
        """Return what grows a representation by its parts: "seed" and "step", and `CORRECTION` if it was measured."""
        home = self.home(representation)
        return {part: home._contents[file] for part, file in home._manifest.models[representation].items()}

    def model_files(self, representations: Sequence[str]) -> dict[str, bytes]:
        """Return the files of the models alone: what grows, without what was measured for keys, and the decoders'."""
        grown = {self._manifest.models[name][part] for name in representations for part in MODEL_PARTS}
        return {name: self._contents[name] for name in sorted(grown | set(self._manifest.decoders.values()))}

    def manifest_of(
        self, files: Mapping[str, bytes], instruments: Sequence[Mapping[str, Any]], rooms: Mapping[str, KeyRoom]
    ) -> bytes:
        """Return the manifest of a bank with models of this one, whose instruments are files.

        Parameters
        ----------
        files, instruments, rooms : see `manifest_bytes`; the representations are those that have room
        """
        models = {name: {part: self._manifest.models[name][part] for part in MODEL_PARTS} for name in rooms}
        return manifest_bytes(models, self._manifest.decoders, instruments, files, rooms)

    def growth_model(self, representation: str, provider: str = "auto", threads: int = 1) -> OnnxGrowthModel:
        """Open the models of a representation; `UsageError` if the bank has none."""
        known = self.representations
        if representation not in known:
            raise UsageError(f"this bank has no representation {representation!r}, only {', '.join(known)}")
        models, home = self.models_of(representation), self.home(representation)
        measured, room = self.measured(representation), home._manifest.rooms.get(representation)
        return OnnxGrowthModel(models["seed"], models["step"], provider, threads, *measured, room)

    def measured(self, representation: str) -> tuple[MotionArrays | None, CorrectionArrays | None]:
        """Return what was measured for the recorded keys of all instruments: motions, and corrections of growth."""
        models = self.models_of(representation)
        correction = CorrectionArrays.from_bytes(models[CORRECTION]) if CORRECTION in models else None
        return self.home(representation)._motions, correction

    def foundation(self, representation: str) -> str:
        """Return what identifies the models of a representation; see `engine.instrument_files.foundation_id`."""
        manifest = self.home(representation)._manifest
        models = manifest.models[representation]
        seed, step = (manifest.files[models[part]].sha256 for part in MODEL_PARTS)
        return foundation_of(seed, step)

    @cached_property
    def _motions(self) -> MotionArrays | None:
        """What moves the notes of all representations, unpacked when the first of them is opened."""
        return MotionArrays.from_bytes(self._contents[MOTIONS]) if MOTIONS in self._contents else None

    def with_files(self, files: Sequence[FileInstrument], places: Mapping[Place, str]) -> Bank:
        """Return this bank with further instruments, under names of their own, and with what plays in which place."""
        places = self._places | dict(places)
        bank = Bank(self._manifest, self._contents, self._folder, (*self._files, *files), places)
        bank._others = self._others
        return bank

    def timbre_book(self, growth: OnnxGrowthModel, aside: bool = False) -> TimbreBook:
        """Return the instruments as a growth model knows them; for `aside` see `TimbreBook`."""
        known, home = (growth.representation, self.foundation(growth.representation)), self.home(growth.representation)
        files = [
            *home.listed(known[0]).values(),
            *(one for one in self._files if (one.representation, one.foundation) == known),
        ]
        pairs = zip(home._own, home._manifest.instruments, strict=True)
        own = tuple(one for one, facts in pairs if known[0] not in facts.files)
        return TimbreBook(own, growth.timbres, growth.motions, files, self._places, aside, growth.representation)

    def listed(self, representation: str) -> dict[str, FileInstrument]:
        """Return the instruments of this bank that are files in a representation, by name."""
        foundation = self.foundation(representation)
        facts = [one for one in self._manifest.instruments if representation in one.files]
        return {one.name: self._listed(one, representation, foundation) for one in facts}

    def _listed(self, facts: InstrumentFacts, representation: str, foundation: str) -> FileInstrument:
        """Return an instrument of this bank that is a file, which is read when it is first played."""
        name = facts.files[representation]

        def read() -> InstrumentFile:
            content, what = _verified(self._folder, name, self._manifest.files[name]), f"{self._folder}/{name}"
            try:
                found = parse_instrument(content)
            except BankError as error:
                raise BankError(f"{what}: {error}") from error
            if (found.facts.representation, found.facts.foundation) != (representation, foundation):
                raise BankError(f"{what} was made for another foundation than this bank's")
            return found

        return FileInstrument(_instrument(facts), representation, foundation, facts.drums, read)

    def decoder(self, name: str, growth: OnnxGrowthModel, num_slots: int) -> Decoder:
        """Make a decoder for `num_slots` voices of a growth model; `UsageError` if they do not fit."""
        return make_decoder(name, Parts(self.home(growth.representation).decoder_models, growth, num_slots))


def _manifest_of(folder: Any) -> bytes:
    try:
        return _read(folder, MANIFEST, MAX_MANIFEST_BYTES)
    except (OSError, ValueError) as error:
        raise BankError(f"no bank at {folder}: {MANIFEST} cannot be read ({_reason(error)})") from error


def _other(folder: Any, facts: OtherBank) -> Bank:
    """Read a bank that lies beside another one, whose manifest says which it must be."""
    data = _manifest_of(folder)
    if hashlib.sha256(data).hexdigest() != facts.sha256:
        raise BankError(f"{folder} is another bank than the one that belongs there; install it again")
    bank = Bank._of(folder, data)
    missing = [name for name in facts.representations if name not in bank.own_representations]
    if missing:
        raise BankError(f"{folder} has no representation {missing[0]!r}")
    return bank


def is_shipped(path: Path) -> bool:
    """Tell whether it is the name of a bank that comes with the program, and not a folder."""
    return str(path) in SHIPPED and not path.exists()


def _instrument(facts: InstrumentFacts) -> BankInstrument:
    tuning = Tuning(facts.keys, facts.cents, facts.inharmonicity)
    known = (facts.name, facts.program, facts.is_drums, facts.pitched, facts.low, facts.high, tuning)
    return BankInstrument(*known, shared=facts.shared, levels=Levels(*facts.levels), bank=facts.bank)


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
