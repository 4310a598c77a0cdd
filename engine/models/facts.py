"""What a model file says of itself, checked: each value has a type and a range, and an error names the model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import prod
from typing import Any, Final, NamedTuple

import numpy as np

from ...errors import BankError, UsageError
from ..keys.timbres import TimbreTable
from ..spectra.spec import AudioSpec
from ..values import items, mapping, member, rising_keys, text, vector, whole, wrong

MAX_TIMBRES: Final = 10_000
MAX_SIZE: Final = 4096
"""Of a timbre vector, a latent, a frame of conditions."""
MAX_STATE: Final = 2**24
"""Numbers that a decoder remembers of a note."""
MAX_VALUE: Final = 1e6
"""No trained weight or code is larger."""


class Port(NamedTuple):
    """An input or output of a model: its name, and a size or the name of one for every axis."""

    name: str
    shape: Sequence[int | str | None]


@contextmanager
def facts_of(what: str) -> Iterator[None]:
    """Say in every `BankError` of the block which model's metadata it is about."""
    try:
        yield
    except BankError as error:
        raise BankError(f"the {what}'s metadata is wrong or was not exported by tnca-synth: {error}") from error


def spec_in(facts: Mapping[str, Any]) -> AudioSpec:
    """Return the spec of a model; `BankError` if it is none."""
    name, values = member(facts, "spec")
    try:
        return AudioSpec.from_dict(mapping(name, values, 100))
    except (UsageError, TypeError) as error:
        raise BankError(str(error)) from error


def timbres_in(facts: Mapping[str, Any], timbre_size: int) -> TimbreTable:
    """Return the timbres of a growth model; `BankError` unless all vectors have the size that its graph wants."""
    vectors = {
        name: vector(f"timbres.{name}", values, MAX_SIZE, MAX_VALUE)
        for name, values in mapping(*member(facts, "timbres"), MAX_TIMBRES).items()
    }
    coded = {
        name: _codes(f"key_codes.{name}", table)
        for name, table in mapping("key_codes", facts.get("key_codes", {}), MAX_TIMBRES).items()
    }
    for name, values in vectors.items():
        size = len(values) + (coded[name]["codes"].shape[1] if name in coded else 0)
        if size != timbre_size:
            raise BankError(f"the timbre {name!r} has {size} numbers, expected {timbre_size}")
    if not coded.keys() <= vectors.keys():
        raise BankError("key_codes has timbres that timbres has not")
    return TimbreTable(vectors, coded, timbre_size)


def _codes(where: str, value: object) -> dict[str, Any]:
    table = mapping(where, value, 100)
    keys = rising_keys(*member(table, "keys", where))
    place, rows = member(table, "codes", where)
    codes = [vector(place, row, MAX_SIZE, MAX_VALUE) for row in items(place, rows, len(keys), len(keys))]
    if len({len(code) for code in codes}) != 1:
        raise BankError(f"{place} has codes of different lengths")
    return {"keys": keys, "codes": np.array(codes)}


def state_shapes(inputs: Sequence[Port], prefix: str) -> dict[str, tuple[int, ...]]:
    """Return what a decoder remembers of a note: name -> shape without the voices; `BankError` if that is too much."""
    shapes = {}
    for port in inputs:
        if port.name.startswith(prefix):
            sizes = tuple(whole(f"the shape of {port.name}", size, 0, MAX_STATE) for size in port.shape[1:])
            whole(f"the size of {port.name}", prod(sizes), 0, MAX_STATE)
            shapes[port.name] = sizes
    return shapes


def check_ports(what: str, ports: Sequence[Port], wanted: set[str]) -> None:
    """Raise `BankError` unless a model has exactly the inputs, or outputs, that it is fed with."""
    names = {port.name for port in ports}
    if names != wanted:
        raise BankError(f"the {what} has {', '.join(sorted(names))}, expected {', '.join(sorted(wanted))}"[:300])


def check_kind(facts: Mapping[str, Any], kind: str) -> None:
    """Raise `BankError` unless a model is of a kind."""
    place, value = member(facts, "kind")
    if value != kind:
        raise wrong(place, value, repr(kind))


def representation_in(facts: Mapping[str, Any]) -> str:
    """Return the name of the representation that a model grows."""
    return text(*member(facts, "representation"))
