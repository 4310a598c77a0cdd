"""Instrument files: of random numbers, of the shipped instruments, and mutated ones."""

from __future__ import annotations

import hashlib
import io
import json
import lzma
import random
import zipfile
from functools import cache
from typing import Any

import numpy as np

from tnca_synth.engine.bank.bank import Bank
from tnca_synth.engine.bank.own_files import instrument_of
from tnca_synth.engine.instrument_files import InstrumentFacts, InstrumentFile, instrument_bytes
from tnca_synth.engine.instrument_files.container import ARRAYS, FACTS
from tnca_synth.engine.keys.correction import CorrectionRoom
from tnca_synth.engine.keys.motions import KeyRoom
from tnca_synth.engine.keys.stored.table import Courses, KeyTable
from tnca_synth.engine.models.growth_model import OnnxGrowthModel
from tnca_synth.engine.spectra.spec import AudioSpec

SPEC = AudioSpec(sample_rate=8000, n_fft=256, hop_length=64, num_mels=16)
MOMENTS = (0, 1, 4, 16, 64)
ROOM = KeyRoom(3, CorrectionRoom("linear", 8, 16, 2, MOMENTS))
FOUNDATION = "5f" * 32
KEYS = (60, 62, 64, 67)


def _numbers(dice: np.random.Generator, *shape: int, most: int = 90) -> np.ndarray:
    return dice.integers(-most, most, shape, np.int8)


def made_table(suffixes: tuple[str, ...] = ("",), keys: tuple[int, ...] = KEYS, seed: int = 3) -> KeyTable:
    """Return a key table of random numbers; two neighbouring keys share a motion."""
    dice = np.random.default_rng(seed)
    timbres, count = len(suffixes), len(suffixes) * len(keys)
    motions, lengths = (count + 1) // 2, dice.integers(8, 20, (count + 1) // 2)
    size = int(lengths.sum())
    return KeyTable(
        suffixes=suffixes,
        vectors=dice.normal(size=(timbres, 4)).astype(np.float32),
        timbre=np.repeat(np.arange(timbres), len(keys)),
        key=np.tile(np.array(keys), timbres),
        codes=dice.normal(size=(count, 3)).astype(np.float16),
        take=np.arange(count) // 2,
        inharmonic_partials=np.zeros((count, 4), np.float32),
        motion=np.arange(count) // 2,
        pace=np.where(np.arange(count) % 2, 1.12, 1.0).astype(np.float32),
        source=2 * np.arange(motions),
        loop=np.where(np.arange(motions) % 2, 0.0, 4.5).astype(np.float32),
        motions=Courses(
            _numbers(dice, size, 4), dice.uniform(1e-3, 2e-3, (motions, 4)).astype(np.float32),
            np.concatenate([[0], np.cumsum(lengths)]), _numbers(dice, motions, 3, 16),
            dice.uniform(1e-3, 2e-3, (motions, 3)).astype(np.float32),
        ),
        motion_rate_hz=43.0,
        corrected=np.arange(count),
        moments=np.array(MOMENTS),
        corrections=Courses(
            _numbers(dice, count * len(MOMENTS), 2), dice.uniform(1e-3, 2e-3, (count, 2)).astype(np.float32),
            np.arange(count + 1) * len(MOMENTS), _numbers(dice, count, 2, 24),
            dice.uniform(1e-3, 2e-3, (count, 2)).astype(np.float32),
        ),
        corrected_field="linear",
        corrected_partials=8,
        tuned_keys=np.array(keys),
        cents=dice.normal(size=len(keys)),
        inharmonicity=dice.uniform(0.0, 1e-3, len(keys)),
    )  # fmt: skip


@cache
def made_instrument(kind: str = "pitched") -> InstrumentFile:
    """Return an instrument of random numbers, for no real foundation."""
    drums = {36: "Bass Drum 1", 38: "Acoustic Snare"} if kind == "kit" else {}
    suffixes = tuple(f":{key}" for key in drums) or ("",)
    facts = InstrumentFacts("kalimba", "dual", FOUNDATION, kind, 60, 67, drums=drums)
    return InstrumentFile(facts, made_table(suffixes, KEYS[:1] if drums else KEYS))


@cache
def made_bytes(kind: str = "pitched") -> bytes:
    """Return the file of `made_instrument`."""
    return instrument_bytes(made_instrument(kind))


@cache
def _shipped() -> tuple[Bank, OnnxGrowthModel]:
    bank = Bank.load()
    return bank, bank.growth_model("dual", "cpu")


@cache
def shipped_instrument(name: str) -> InstrumentFile:
    """Return an instrument of the shipped bank as a file holds it."""
    bank, growth = _shipped()
    return instrument_of(bank, next(one for one in bank.instruments if one.name == name), growth)


def members(content: bytes) -> tuple[dict[str, Any], bytes]:
    """Return what a file says of itself, and its arrays."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return json.loads(archive.read(FACTS)), lzma.decompress(archive.read(ARRAYS))


def packed(facts: object, arrays: bytes, **others: bytes) -> bytes:
    """Return a file of any facts, JSON values or bytes, and arrays; `others` are further members."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr(FACTS, facts if isinstance(facts, bytes) else json.dumps(facts))
        archive.writestr(ARRAYS, lzma.compress(arrays, preset=0))
        for name, content in others.items():
            archive.writestr(name, content)
    return target.getvalue()


def mutated(content: bytes, seed: int) -> bytes:
    """Return a file with a few bytes, a value of its facts, or some of its arrays changed at random."""
    dice = random.Random(seed)
    kind = seed % 4
    if kind == 0:  # bytes of the archive
        data = bytearray(content)
        for _ in range(dice.randint(1, 8)):
            data[dice.randrange(len(data))] = dice.randrange(256)
        return bytes(data)
    if kind == 1:  # a part of it
        start = dice.randrange(len(content))
        return content[:start] + content[start + dice.randint(1, len(content)) :]
    facts, arrays = members(content)
    if kind == 2:  # values of the facts, their hash left as it is
        _change(facts, dice)
        return packed(facts, arrays)
    data = bytearray(arrays)  # arrays that agree with their hash
    for _ in range(dice.randint(1, 20)):
        data[dice.randrange(len(data))] = dice.randrange(256)
    return packed(facts | {"sha256": sha256(bytes(data))}, bytes(data))


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


ODD = (None, -1, 0, 1, 2**31, 2**70, 1e308, "", "x", "\x00", [], {}, [[]], True, "float64", [4, 4], 10**6)


def _change(facts: dict[str, Any], dice: random.Random) -> None:
    """Put an odd value somewhere."""
    place: Any = facts
    while True:
        keys = list(place) if isinstance(place, dict) else range(len(place))
        key = dice.choice(list(keys))
        if isinstance(place[key], dict | list) and place[key] and dice.random() < 0.7:
            place = place[key]
            continue
        place[key] = dice.choice(ODD)
        return
