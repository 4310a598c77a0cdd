"""`tnca-synth instruments`: what can be played, and what to do with instrument files."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import BankError, TncaError, UsageError
from .output import print_error, print_json, print_table

if TYPE_CHECKING:
    from ..engine.instrument_files import InstrumentFile

EXIT_FAILURE = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `instruments`."""
    parser.description = "List the instruments of a bank and of your folder, or look into instrument files."
    _add_bank(parser)
    _add_json(parser)
    parser.set_defaults(act=_list)
    actions = parser.add_subparsers(title="what to do with files", metavar="ACTION")

    def action(name: str, act: Any, text: str) -> argparse.ArgumentParser:
        child = actions.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.", allow_abbrev=False)
        child.set_defaults(act=act)
        return child

    info = action("info", _info, "tell what a file says of itself")
    info.add_argument("file", metavar="FILE", help="instrument file, or the name of one in your folder")
    _add_json(info)
    rename = action("rename", _rename, "give an instrument another name")
    rename.add_argument("file", metavar="FILE", help="instrument file, or the name of one in your folder")
    rename.add_argument("name", metavar="NAME", help="its new name")
    rename.add_argument("-o", "--output", type=Path, metavar="OUT", help="write another file (default: the same)")
    merge = action("merge", _merge, "make one instrument of several: kits with all drums, pitched ones with all keys")
    merge.add_argument(
        "files", nargs="+", metavar="FILE", help="two instrument files or more; of a drum the last counts"
    )
    merge.add_argument("-o", "--output", type=Path, required=True, metavar="OUT", help="file to write")
    merge.add_argument("--name", metavar="NAME", help="of the new instrument (default: of OUT)")
    verify = action("verify", _verify, "read files whole, and tell of each whether the bank can play it")
    verify.add_argument("files", nargs="+", metavar="FILE", help="instrument files, or names in your folder")
    _add_bank(verify)
    _add_json(verify)
    export = action("export", _export, "write an instrument of the bank as a file")
    export.add_argument("name", nargs="?", metavar="NAME", help="name or program 0..127")
    export.add_argument("--all", metavar="DIR", type=Path, help="write a bank whose instruments are files of their own")
    export.add_argument("-o", "--output", type=Path, metavar="OUT", help="file to write (default: NAME.tnca)")
    export.add_argument("--representation", metavar="NAME", help="whose foundation it is for (default: the usual one)")
    _add_bank(export)


def run(arguments: argparse.Namespace) -> int:
    """Do what was asked for."""
    status: int = arguments.act(arguments)
    return status


def _add_bank(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--bank", type=Path, metavar="PATH", help="another bank than the one that is shipped")


def _add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON")


def _list(arguments: argparse.Namespace) -> int:
    """List the instruments by General MIDI program, drums last, then those of the user's folder."""
    from ..engine.bank.bank import Bank
    from ..engine.instrument_files.folder import list_folder

    bank = Bank.load(arguments.bank)
    rows = [
        {"name": one.name, "program": one.program, "family": one.family, "is_drums": one.is_drums}
        for one in sorted(bank.instruments, key=lambda one: (one.is_drums, one.program, one.name))
    ]
    own = [_own_row(listed, bank) for listed in list_folder()]
    if arguments.json:
        print_json([*rows, *own])
        return 0
    shown = [
        (str(one["name"]), "drums" if one["is_drums"] else str(one["program"]), str(one["family"])) for one in rows
    ]
    shown += [(one["name"], "drums" if one["is_drums"] else "-", one["fault"] or "yours") for one in own]
    print_table(("NAME", "PROGRAM", "FAMILY"), shown)
    return 0


def _own_row(listed: Any, bank: Any) -> dict[str, Any]:
    """Return what is shown of a file in the user's folder."""
    facts, fault = listed.facts, listed.fault
    if facts is not None:
        fault = _misfit(facts, bank)
    return {
        "name": listed.path.name if facts is None else facts.name,
        "program": None,
        "family": "yours",
        "is_drums": facts is not None and facts.is_drums,
        "path": str(listed.path),
        "fault": fault,
    }


def _misfit(facts: Any, bank: Any) -> str:
    """Return why a bank cannot play an instrument, "" where it can."""
    if facts.representation not in bank.representations:
        return f"for the {facts.representation} representation, which this bank lacks"
    if facts.foundation != bank.foundation(facts.representation):
        return "for another foundation than this bank's"
    return ""


def _info(arguments: argparse.Namespace) -> int:
    instrument = _read(arguments.file)
    facts, table = instrument.facts, instrument.table
    keys = sorted({int(key) for key in table.key})
    known = {**dataclasses.asdict(facts), "recorded_keys": keys, "extras": sorted(table.extras)}
    if arguments.json:
        print_json(known)
        return 0
    for name, value in known.items():
        if name == "drums":
            value = ", ".join(f"{key} {drum}" for key, drum in sorted(facts.drums.items()))
        elif name == "levels":
            value = _levels(*facts.levels)
        elif isinstance(value, dict):
            value = ", ".join(f"{key} {one}" for key, one in value.items())
        elif isinstance(value, list | tuple):
            value = ", ".join(map(str, value))
        if value not in ("", None):
            print(f"{name.replace('_', ' ')}: {value}")
    return 0


def _levels(keys: Sequence[int], db: Sequence[float], slope_db: float) -> str:
    """Say how much louder than it is grown an instrument sounds."""
    more = ", ".join(
        f"{one:+.1f} dB" + (f" at key {key}" if len(keys) > 1 else "") for key, one in zip(keys, db, strict=True)
    )
    return f"{more} at velocity 127, {slope_db:.1f} dB less with each halving of the velocity"


def _rename(arguments: argparse.Namespace) -> int:
    from ..engine.instrument_files import write_instrument

    path = _path(arguments.file)
    output = arguments.output or path
    write_instrument(output, _read(arguments.file).renamed(arguments.name))
    print(f"{output}: {arguments.name}")
    return 0


def _merge(arguments: argparse.Namespace) -> int:
    from ..engine.instrument_files import write_instrument
    from ..engine.instrument_files.merge import merge_instruments

    merged = merge_instruments([_read(name) for name in arguments.files], arguments.name or arguments.output.stem)
    size = write_instrument(arguments.output, merged)
    print(f"{arguments.output}: {len(merged.table.key)} recorded keys, {size / 1000:.0f} kB")
    return 0


def _verify(arguments: argparse.Namespace) -> int:
    from ..engine.bank.bank import Bank

    bank = Bank.load(arguments.bank)
    results = []
    for name in arguments.files:
        try:
            fault = _misfit(_read(name).facts, bank)
        except TncaError as error:
            fault = str(error).removeprefix(f"{_path(name)}: ")
        results.append({"file": name, "fault": fault})
    if arguments.json:
        print_json(results)
    for one in results if not arguments.json else ():
        if one["fault"]:
            print_error(f"{one['file']}: {one['fault']}")
        else:
            print(f"{one['file']}: as it should be")
    return EXIT_FAILURE if any(one["fault"] for one in results) else 0


def _export(arguments: argparse.Namespace) -> int:
    from ..engine.bank.bank import Bank
    from ..engine.bank.chooser import find_playable
    from ..engine.bank.own_files import bank_of_files, instrument_of
    from ..engine.instrument_files import write_instrument
    from ..engine.names import DEFAULT_REPRESENTATION, closest
    from ..version import __version__

    if (arguments.name is None) == (arguments.all is None):
        raise UsageError("export takes the name of an instrument, or --all DIR")
    bank, versions = Bank.load(arguments.bank), {"tnca-synth": __version__}
    if arguments.all is not None:
        return _write_bank(arguments.all, bank_of_files(bank, versions))
    usual = DEFAULT_REPRESENTATION if DEFAULT_REPRESENTATION in bank.representations else bank.representations[0]
    wanted = closest(arguments.representation or usual, bank.representations, "representation")
    found = find_playable(bank.instruments, arguments.name)
    made = instrument_of(bank, found, bank.growth_model(wanted, "cpu"), versions)
    output = arguments.output or Path(f"{found.name}.tnca")
    size = write_instrument(output, made)
    print(f"{output}: {found.name}, {len(made.table.key)} recorded keys, {size / 1000:.0f} kB")
    return 0


def _write_bank(folder: Path, files: dict[str, bytes]) -> int:
    """Write a bank, its manifest last."""
    from ..whole_files import write_whole

    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            write_whole(folder / name, content)
    except OSError as error:
        raise BankError(f"cannot write the bank to {folder}: {error.strerror}") from error
    print(f"{folder}: {len(files)} files, {sum(map(len, files.values())) / 1e6:.1f} MB")
    return 0


def _path(name: str) -> Path:
    """Return the path of an instrument file that is given so, or by its name in the user's folder."""
    from ..engine.instrument_files import is_file_name
    from ..engine.instrument_files.folder import list_folder
    from ..engine.names import closest

    if is_file_name(name):
        return Path(name).expanduser()
    paths = {one.facts.name: one.path for one in list_folder() if one.facts is not None}
    if not paths:
        raise UsageError(f"no instrument {name!r}: your folder has none; give the path of a file (.tnca)")
    return paths[closest(name, paths, "instrument")]


def _read(name: str) -> InstrumentFile:
    from ..engine.instrument_files import read_instrument

    return read_instrument(_path(name))
