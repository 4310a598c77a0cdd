"""A bank: a folder of ONNX models and a manifest that says what plays what, with a hash for every file."""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from dataclasses import dataclass, field
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any

from ..errors import BankError, UsageError
from ..midi.general_midi import family_of
from ..midi.kinship import distance
from .decoders.base import Decoder
from .decoders.catalogue import Parts, make_decoder
from .growth import GrowthModel
from .manifest import MANIFEST, MAX_FILE_BYTES, MAX_MANIFEST_BYTES, FileFacts, InstrumentFacts, Manifest, parse_manifest
from .motions import Motion, MotionArrays, MotionTable
from .regular_files import read_regular_file
from .retouching import RetouchArrays
from .seams import NamedInstrument
from .spectral import FloatArray
from .timbres import TimbreTable

MOTIONS = "motions.npz"
SAME_KIND = dict.fromkeys((31, 32, 33, 34), 37)
"""Drums beside those of General MIDI 1 that another can stand in for: sticks and clicks to count in, a side stick."""
RETOUCH = "retouch"
"""The part of a representation that is no model but what its models miss."""


@dataclass(frozen=True)
class Tuning:
    """Measured deviation from equal temperament on some keys, interpolated in between."""

    keys: tuple[int, ...] = (60,)
    cents: tuple[float, ...] = (0.0,)
    inharmonicity: tuple[float, ...] = (0.0,)

    def at(self, key: float) -> tuple[float, float]:
        """Return (cents, inharmonicity B) at a key; the nearest measured key's beyond the ends."""
        return _between(self.keys, self.cents, key), _between(self.keys, self.inharmonicity, key)


def _between(keys: tuple[int, ...], values: tuple[float, ...], key: float) -> float:
    """Return the value at a key, interpolated; `np.interp` would make arrays of both for every note."""
    above = bisect_left(keys, key)
    if above == 0 or above == len(keys):
        return values[min(above, len(keys) - 1)]
    share = (key - keys[above - 1]) / (keys[above] - keys[above - 1])
    return values[above - 1] + share * (values[above] - values[above - 1])


@dataclass(frozen=True)
class Instrument:
    """A playable instrument of a bank.

    Attributes
    ----------
    name : str
    program : General MIDI program 0..127 that it plays
    is_drums : whether it is a drum kit, with a timbre for every key
    pitched : whether its notes have a fundamental
    low, high : the keys it was trained on; others are extrapolated
    """

    name: str
    program: int
    is_drums: bool = False
    pitched: bool = True
    low: int = 0
    high: int = 127
    measured: Tuning = field(default_factory=Tuning)

    @property
    def family(self) -> str:
        """General MIDI family, or "Drums"."""
        return "Drums" if self.is_drums else family_of(self.program)

    def timbre_name(self, key: int) -> str:
        """Return the timbre that plays a key: a kit's nearest drum, else the instrument's own."""
        return f"{self.name}:{min(max(key, self.low), self.high)}" if self.is_drums else self.name

    def tuning(self, key: int) -> tuple[float, float]:
        """Return cents and inharmonicity B of a key."""
        return self.measured.at(key)


@dataclass(frozen=True, eq=False)
class Choice:
    """What plays a key; see `engine.seams.Choice`."""

    instrument: Instrument
    timbre: FloatArray
    pitched: bool
    substituted: bool
    motion: Motion
    drum: int | None = None
    is_silent: bool = False


class TimbreBook:
    """The instruments that one representation has timbres of, with their vectors and what moves them."""

    def __init__(self, instruments: tuple[Instrument, ...], timbres: TimbreTable, motions: MotionTable) -> None:
        self._drums = {
            one.name: [key for key in range(one.low, one.high + 1) if one.timbre_name(key) in timbres]
            for one in instruments
            if one.is_drums
        }
        self.instruments = tuple(
            one for one in instruments if (self._drums[one.name] if one.is_drums else one.name in timbres)
        )
        if not self.instruments:
            raise BankError("a representation has no timbre of any instrument of the bank; export it again")
        self._timbres, self._motions = timbres, motions

    def instrument_for(self, program: int, bank: int, is_drums: bool, key: int) -> Choice:
        """Return what plays a key: the program's own instrument, or the one that sounds in the most similar way.

        A drum that the kit lacks is silent, unless the kit has one of its kind.

        Bank numbers are kept by the channels, but this bank has no variations to choose among.
        """
        candidates = [one for one in self.instruments if one.is_drums == is_drums] or list(self.instruments)
        instrument = min(candidates, key=lambda one: (distance(program, one.program), one.program))
        return self._choice(instrument, instrument.program != program, is_drums, key)

    def named(self, instrument: NamedInstrument, key: int) -> Choice:
        """Return an instrument's own sound on a key, or what stands in for it where there is none of that name."""
        own = next((one for one in self.instruments if one.name == instrument.name), None)
        if own is None:
            return self.instrument_for(instrument.program, 0, instrument.is_drums, key)
        return self._choice(own, False, own.is_drums, key)

    def _choice(self, instrument: Instrument, is_another: bool, is_drums: bool, key: int) -> Choice:
        """Return what an instrument plays on a key of a drum channel or a melodic one."""
        substituted = is_another or instrument.is_drums != is_drums
        played = self._drum(instrument, key) if instrument.is_drums else key
        drum = played if is_drums and instrument.is_drums and played != key else None
        name = instrument.timbre_name(played)
        timbre = self._timbres.vector(name, self._motions.heard_key(name, played))
        motion = self._motions.find(name, played)
        is_silent = is_drums and (not instrument.is_drums or (drum is not None and drum != SAME_KIND.get(key)))
        return Choice(instrument, timbre, instrument.pitched, substituted, motion, drum, is_silent)

    @property
    def has_drums(self) -> bool:
        """Whether there is a drum kit."""
        return any(one.is_drums for one in self.instruments)

    def _drum(self, kit: Instrument, key: int) -> int:
        """Return the drum of a kit that sounds most like the one on a key: its own, one of its kind, else any."""
        wanted = key if key in self._drums[kit.name] else SAME_KIND.get(key, key)
        return min(self._drums[kit.name], key=lambda one: (abs(one - wanted), one))


class Bank:
    """Loaded models' files, verified against their hashes.

    Attributes
    ----------
    instruments : the instruments that its representations play; some may play only a few of them
    """

    def __init__(self, manifest: Manifest, contents: dict[str, bytes]) -> None:
        self.instruments = tuple(_instrument(facts) for facts in manifest.instruments)
        self._manifest, self._contents = manifest, contents

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
        """Return what grows a representation by its parts: "seed" and "step", and `RETOUCH` if it was measured."""
        return {part: self._contents[file] for part, file in self._manifest.models[representation].items()}

    def growth_model(self, representation: str, provider: str = "auto", threads: int = 1) -> GrowthModel:
        """Open the models of a representation; `UsageError` if the bank has none."""
        known = self.representations
        if representation not in known:
            raise UsageError(f"this bank has no representation {representation!r}, only {', '.join(known)}")
        models = self.models_of(representation)
        retouch = RetouchArrays.from_bytes(models[RETOUCH]) if RETOUCH in models else None
        return GrowthModel(models["seed"], models["step"], provider, threads, self._motions, retouch)

    @cached_property
    def _motions(self) -> MotionArrays | None:
        """What moves the notes of all representations, unpacked when the first of them is opened."""
        return MotionArrays.from_bytes(self._contents[MOTIONS]) if MOTIONS in self._contents else None

    def timbre_book(self, growth: GrowthModel) -> TimbreBook:
        """Return the instruments as a growth model knows them."""
        return TimbreBook(self.instruments, growth.timbres, growth.motions)

    def decoder(self, name: str, growth: GrowthModel, num_slots: int) -> Decoder:
        """Make a decoder for `num_slots` voices of a growth model; `UsageError` if they do not fit."""
        return make_decoder(name, Parts(self.decoder_models, growth, num_slots))


def _instrument(facts: InstrumentFacts) -> Instrument:
    tuning = Tuning(facts.keys, facts.cents, facts.inharmonicity)
    return Instrument(facts.name, facts.program, facts.is_drums, facts.pitched, facts.low, facts.high, tuning)


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
