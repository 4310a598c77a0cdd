"""Measuring what a bank's notes lack of their recordings, as they sound, while held, in attacks and in releases.

    python -m tnca_synth.export.refined_bank BANK_DIR [--preset foundation] [--only held|attacks|releases]
        [--instrument NAME]

The recordings are those of the SoundFont of the preset; an instrument is asked for by its program. Models stay as they
are. The bank is written every few minutes, and what it has already is left alone: so the command can be ended at any
time and given again. With `--again` the corrections that training measured are measured anew, and the rest as well.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from time import monotonic

import numpy as np

from ..engine.arrays import FloatArray
from ..engine.bank.bank import CORRECTION, Bank
from ..engine.bank.instruments import BankInstrument
from ..engine.bank.manifest import MANIFEST
from ..engine.bank.own_files import instrument_of, timbres_of
from ..engine.instrument_files import InstrumentFile, instrument_bytes
from ..engine.keys.parts import correction_of
from ..engine.keys.stored.correction_arrays import CorrectionArrays
from ..engine.names import DEFAULT_REPRESENTATION
from ..errors import UsageError
from ..training.config.run import load_preset
from ..training.correction.attacks import with_attacks
from ..training.correction.courses import with_courses
from ..training.correction.held_notes import with_held_notes
from ..training.correction.late_courses import are_late, joined, with_room
from ..training.correction.releases import with_releases
from ..training.sources.soundfont import SoundFont
from ..training.sources.soundfont_file import DRUM_BANK, Preset
from .bank import change_files, print_sizes

HELD, ATTACKS, RELEASES = PARTS = ("held", "attacks", "releases")
WRITE_EVERY_S = 180.0


@dataclass
class _Refining:
    """A bank that is measured, instrument by instrument."""

    folder: Path
    representation: str
    font: SoundFont
    parts: Sequence[str]
    again: bool

    def __post_init__(self) -> None:
        self.bank = Bank.load(self.folder)
        self.growth = self.bank.growth_model(self.representation, provider="cpu")

    def run(self, names: Sequence[str], report: Callable[[str], None]) -> dict[str, int]:
        """Measure instruments, all where none is named; return the files that were written with their sizes."""
        written: dict[str, int] = {}
        done: dict[str, InstrumentFile] = {}
        last = monotonic()
        for one, file in self._files(names):
            refined = self._refined(one, file)
            report(f"{one.name}: {_summary(refined)}")
            if refined is not file:
                done[one.name] = refined
            if monotonic() - last > WRITE_EVERY_S:
                written |= self._write(done)
                done, last = {}, monotonic()
        return written | self._write(done)

    def _files(self, names: Sequence[str]) -> Iterator[tuple[BankInstrument, InstrumentFile]]:
        """Yield the instruments with what the bank has of each alone, without the drums of other kits."""
        listed = self.bank.listed(self.representation)
        for one in self.bank.instruments:
            if names and one.name not in names:
                continue
            alone = replace(one, shared={})
            if one.name in listed:
                yield one, listed[one.name].read()
            elif timbres_of(alone, self.growth):
                yield alone, instrument_of(self.bank, alone, self.growth)

    def _refined(self, one: BankInstrument, file: InstrumentFile) -> InstrumentFile:
        """Return an instrument with what it lacks."""
        correction = correction_of(file.table, file.facts.name)
        if correction is None:
            return file
        recorded = partial(_recorded, self.font, one)
        is_new = not correction.totals.size and not are_late(correction, self.growth.spec)
        if self.again or (is_new and len(self.parts) == len(PARTS)):
            file = with_courses(file, self.bank, self.growth, recorded)
            correction = correction_of(file.table, file.facts.name) or correction
        if ATTACKS in self.parts and not correction.onsets.any():
            file = with_attacks(file, self.bank, self.growth, recorded)
        if HELD in self.parts and not one.is_drums and not are_late(correction, self.growth.spec):
            file = with_held_notes(file, self.growth, recorded)
        if RELEASES in self.parts and not one.is_drums and not correction.release_rates.any():
            file = with_releases(file, self.bank, self.growth, recorded, one.pitched)
        return file

    def _write(self, done: Mapping[str, InstrumentFile]) -> dict[str, int]:
        """Write instruments into the bank; return the files that were written with their sizes."""
        if not done:
            return {}
        manifest = json.loads((self.folder / MANIFEST).read_text(encoding="utf-8"))
        names = {one["name"]: one["files"][self.representation] for one in manifest["instruments"] if "files" in one}
        written = {names[name]: instrument_bytes(file) for name, file in done.items() if name in names}
        arrays = CorrectionArrays.from_bytes(Bank.load(self.folder).models_of(self.representation)[CORRECTION])
        spec, every = self.growth.spec, {name: correction_of(file.table, name) for name, file in done.items()}
        arrays = joined(arrays, [one for name, one in every.items() if one is not None and name not in names], spec)
        if any(one is not None and are_late(one, spec) for one in every.values()):
            arrays = with_room(arrays, spec)  # what is read later fits only what is there from the start
        written[manifest["models"][self.representation][CORRECTION]] = arrays.to_bytes()
        return change_files(self.folder, manifest, written)


def refine(
    folder: Path,
    preset: str,
    parts: Sequence[str] = PARTS,
    names: Sequence[str] = (),
    again: bool = False,
    representation: str = DEFAULT_REPRESENTATION,
    report: Callable[[str], None] = print,
) -> dict[str, int]:
    """Measure held notes, attacks and releases of a bank's instruments, where that was not done yet.

    Parameters
    ----------
    folder : Path
        The bank, which is written anew.
    preset : str
        Says which SoundFont its recordings are in.
    parts : of `PARTS`
    names : of instruments; all where it is empty
    again : whether corrections are measured anew, and all else that then follows
    report : hears of each instrument that is done

    Returns
    -------
    Names of the files that were written anew, with their sizes in bytes.

    Raises
    ------
    UsageError
        The representation has no corrections, the bank lacks an instrument, or the preset's source is no SoundFont.
    BankError, DatasetError
        The bank or the SoundFont cannot be read.
    """
    data, bank = load_preset(preset).data, Bank.load(folder)
    if data.source != "soundfont":
        raise UsageError(f"this is measured on a SoundFont, but preset {preset} reads a {data.source}")
    if representation not in bank.representations or CORRECTION not in bank.models_of(representation):
        raise UsageError(f"no corrections of {representation!r} in {folder}")
    unknown = set(names) - {one.name for one in bank.instruments}
    if unknown:
        raise UsageError(f"no instrument {', '.join(sorted(unknown))} in {folder}")
    rate = bank.growth_model(representation, "cpu").spec.sample_rate
    return _Refining(folder, representation, SoundFont(data.soundfont, rate), parts, again).run(names, report)


def _recorded(
    font: SoundFont, one: BankInstrument, key: int, velocity: int, hold_s: float, tail_s: float
) -> FloatArray:
    """Return the recording of a key of a program or a kit."""
    preset = Preset(DRUM_BANK if one.is_drums else one.bank, one.program, one.name)
    return font.play(preset, key, velocity, hold_s, tail_s)


def _summary(file: InstrumentFile) -> str:
    """Say on how many keys of an instrument what is known."""
    correction = correction_of(file.table, file.facts.name)
    if correction is None:
        return "nothing is corrected"
    held, attacks = np.count_nonzero(correction.clock_ends), np.count_nonzero(correction.onsets.any(1))
    released = np.count_nonzero(correction.release_rates.any(1))
    return f"of {len(correction.key)} keys {held} are held on, {attacks} have attacks, {released} fall by a rate"


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("bank", type=Path, metavar="BANK_DIR")
    parser.add_argument("--preset", default="foundation", help="names the recordings (default: foundation)")
    parser.add_argument("--only", choices=PARTS, help="measure this alone")
    parser.add_argument("--instrument", action="append", default=[], metavar="NAME", help="this one; may be repeated")
    parser.add_argument("--representation", default=DEFAULT_REPRESENTATION)
    parser.add_argument("--again", action="store_true", help="measure corrections anew, and what follows from them")
    given = parser.parse_args()
    parts = (given.only,) if given.only else PARTS
    print_sizes(refine(given.bank, given.preset, parts, given.instrument, given.again, given.representation, _say))


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    main()
