"""Instruments of a bank as instrument files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ...errors import BankError, UsageError
from ...midi.spec.general_midi import drum_name
from ..instrument_files import SUFFIX, InstrumentFacts, InstrumentFile, instrument_bytes
from ..instrument_files.levels import NO_LEVELS, levels_as_json
from ..keys.parts import table_of
from ..models.growth_model import OnnxGrowthModel
from ..names import DEFAULT_REPRESENTATION
from .bank import Bank
from .instruments import BankInstrument
from .manifest import MANIFEST


def instrument_of(
    bank: Bank, instrument: BankInstrument, growth: OnnxGrowthModel, versions: Mapping[str, str] | None = None
) -> InstrumentFile:
    """Return an instrument of a bank as a file holds it, for the growth model that plays it.

    Parameters
    ----------
    versions : of the programs that make the file

    Raises
    ------
    UsageError
        The growth model does not know the instrument.
    BankError
        The bank lacks what was measured for its keys.
    """
    listed = bank.listed(growth.representation).get(instrument.name)
    if listed is not None:
        file = listed.read()
        return replace(file, facts=replace(file.facts, levels=instrument.levels.facts))
    timbres = timbres_of(instrument, growth)
    if not timbres:
        raise UsageError(f"the {growth.representation} representation has no timbre of {instrument.name}")
    motions, correction = bank.measured(growth.representation)
    if motions is None:
        raise BankError(f"the bank has no motions, which a file of {instrument.name} would hold")
    tuning = instrument.measured
    try:
        table = table_of(
            timbres, growth.timbres, motions, correction, (tuning.keys, tuning.cents, tuning.inharmonicity)
        )
    except ValueError as error:
        raise BankError(f"{instrument.name} cannot be written as a file: {error}") from error
    facts = InstrumentFacts(
        name=instrument.name,
        representation=growth.representation,
        foundation=bank.foundation(growth.representation),
        kind="kit" if instrument.is_drums else "pitched" if instrument.pitched else "unpitched",
        low=instrument.low,
        high=instrument.high,
        programs=(instrument.program,),
        licence=str(growth.metadata.get("licence", "")),
        versions=versions or {},
        drums={int(suffix[1:]): drum_name(int(suffix[1:])) or f"drum {suffix[1:]}" for suffix in timbres if suffix},
        levels=instrument.levels.facts,
        learned_from=(str(growth.metadata.get("data", "")),) if growth.metadata.get("data") else (),
    )
    return InstrumentFile(facts, table)


def bank_of_files(
    bank: Bank, versions: Mapping[str, str] | None = None, representations: Sequence[str] = ()
) -> dict[str, bytes]:
    """Return the files of a bank whose instruments are files of their own, and which sounds as another one does.

    What was measured for keys lies in those files then; the models stay as they are.

    Parameters
    ----------
    versions : of the programs that make the files
    representations : those of its own to take over; none means all

    Raises
    ------
    BankError
        As `instrument_of`.
    """
    growths = {name: bank.growth_model(name, "cpu") for name in representations or bank.own_representations}
    listed = {name: bank.listed(name) for name in growths}
    entries: list[dict[str, Any]] = []
    files = bank.model_files(tuple(growths))
    for one in bank.instruments:
        own: dict[str, str] = {}
        for name, growth in growths.items():
            file = listed[name].get(one.name)
            if file is not None or timbres_of(one, growth):
                suffix = "" if name == DEFAULT_REPRESENTATION else f".{name}"
                own[name] = f"{one.name}{suffix}{SUFFIX}"
                files[own[name]] = instrument_bytes(
                    instrument_of(bank, one, growth, versions) if file is None else file.read()
                )
        drums = [int(suffix[1:]) for suffix in timbres_of(one, next(iter(growths.values())))] if one.is_drums else []
        entries.append(instrument_entry(one, own, drums))
    manifest = bank.manifest_of(files, entries, {name: growth.motions.room for name, growth in growths.items()})
    return files | {MANIFEST: manifest}


def instrument_entry(one: BankInstrument, files: Mapping[str, str], drums: Sequence[int] = ()) -> dict[str, Any]:
    """Return what a manifest says of an instrument that is a file for each of some representations.

    Parameters
    ----------
    files : representation -> file name
    drums : keys of a kit
    """
    entry: dict[str, Any] = {
        "name": one.name, "program": one.program, "is_drums": one.is_drums, "pitched": one.pitched,
        "low": one.low, "high": one.high, "files": dict(files),
    }  # fmt: skip
    levels = one.levels.facts
    told: dict[str, Any] = {} if levels == NO_LEVELS else {"levels": levels_as_json(levels)}
    told |= {"bank": one.bank} if one.bank else {}
    return entry | told | ({"drums": [*drums]} if one.is_drums else {})


def timbres_of(instrument: BankInstrument, growth: OnnxGrowthModel) -> dict[str, str]:
    """Return the timbres of an instrument by what follows its name."""
    if not instrument.is_drums:
        return {"": instrument.name} if instrument.name in growth.timbres else {}
    keys = range(instrument.low, instrument.high + 1)
    return {f":{key}": instrument.timbre_name(key) for key in keys if instrument.timbre_name(key) in growth.timbres}
