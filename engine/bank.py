"""A bank: a folder of ONNX models and a manifest that says what plays what, with a hash for every file."""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_left
from dataclasses import dataclass, field
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any

from ..errors import BankError, UsageError
from ..midi.general_midi import family_of
from .decoders.base import Decoder
from .decoders.catalogue import Parts, make_decoder
from .growth import GrowthModel
from .motions import Motion, MotionArrays, MotionTable
from .retouching import RetouchArrays
from .spectral import FloatArray
from .timbres import TimbreTable

FORMAT = "tnca-synth bank 1"
MANIFEST = "bank.json"
MOTIONS = "motions.npz"
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
        """Return what plays a key: the program's own instrument, or the nearest of its family, or the nearest at all.

        Bank numbers are kept by the channels, but this bank has no variations to choose among.
        """
        candidates = [one for one in self.instruments if one.is_drums == is_drums] or list(self.instruments)
        wanted = "Drums" if is_drums else family_of(program)
        family = [one for one in candidates if one.family == wanted] or candidates
        instrument = min(family, key=lambda one: (abs(one.program - program), one.program))
        substituted = instrument.program != program or instrument.is_drums != is_drums
        key = self._drum(instrument, key) if instrument.is_drums else key
        name = instrument.timbre_name(key)
        timbre = self._timbres.vector(name, self._motions.heard_key(name, key))
        motion = self._motions.find(name, key)
        return Choice(instrument, timbre, instrument.pitched, substituted, motion)

    @property
    def has_drums(self) -> bool:
        """Whether there is a drum kit."""
        return any(one.is_drums for one in self.instruments)

    def _drum(self, kit: Instrument, key: int) -> int:
        """Return the nearest key of a kit that has a timbre."""
        return min(self._drums[kit.name], key=lambda one: (abs(one - key), one))


class Bank:
    """Loaded models' files, verified against their hashes.

    Attributes
    ----------
    instruments : the instruments that its representations play; some may play only a few of them
    """

    def __init__(self, manifest: dict[str, Any], contents: dict[str, bytes]) -> None:
        self.instruments = tuple(_instrument(values) for values in manifest["instruments"])
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
            The folder, the manifest or a file is missing, or a file differs from what was exported.
        """
        folder = files("tnca_synth.instruments") if path is None else Path(path)
        try:
            manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise BankError(f"no bank at {folder}: {MANIFEST} cannot be read") from error
        except json.JSONDecodeError as error:
            raise BankError(f"{folder}/{MANIFEST} is damaged: {error}") from error
        if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
            raise BankError(f"{folder}/{MANIFEST} is not a bank of this version (expected format {FORMAT!r})")
        try:
            _check_manifest(manifest)
            contents = {name: _verified(folder, name, facts) for name, facts in manifest["files"].items()}
            return cls(manifest, contents)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise BankError(f"{folder}/{MANIFEST} is damaged: {error} is missing or wrong") from error

    @property
    def representations(self) -> tuple[str, ...]:
        """Names of the representations it has models for."""
        return tuple(self._manifest["models"])

    @property
    def decoder_models(self) -> dict[str, bytes]:
        """The decoders' models by name, the contents of their files."""
        return {name: self._contents[file] for name, file in self._manifest["decoders"].items()}

    def models_of(self, representation: str) -> dict[str, bytes]:
        """Return what grows a representation by its parts: "seed" and "step", and `RETOUCH` if it was measured."""
        return {part: self._contents[file] for part, file in self._manifest["models"][representation].items()}

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


def _check_manifest(manifest: dict[str, Any]) -> None:
    """Raise `KeyError` or `ValueError` for a missing part, or a file name that leads out of the folder."""
    listed = [models[part] for models in manifest["models"].values() for part in {"seed", "step"} | models.keys()]
    for name in (*listed, *manifest["decoders"].values()):
        if name not in manifest["files"]:
            raise KeyError(name)
    for name in manifest["files"]:
        if Path(name).name != name:
            raise ValueError(f"file name {name!r}")
    for instrument in manifest["instruments"]:
        _instrument(instrument)


def _instrument(values: dict[str, Any]) -> Instrument:
    tuning = Tuning(**{name: tuple(column) for name, column in values["tuning"].items()})
    facts = {name: values[name] for name in ("name", "program", "is_drums", "pitched", "low", "high")}
    return Instrument(measured=tuning, **facts)


def _verified(folder: Any, name: str, facts: dict[str, Any]) -> bytes:
    try:
        content = (folder / name).read_bytes()
    except OSError as error:
        raise BankError(f"{folder}/{name} is missing from the bank; install it again") from error
    if hashlib.sha256(content).hexdigest() != facts["sha256"]:
        raise BankError(f"{folder}/{name} is damaged: its hash differs from the bank's manifest; install it again")
    return content
