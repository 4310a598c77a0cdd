"""Measuring how the keys of a bank shall be tuned, and writing it into the bank.

    python -m tnca_synth.export.tuned_bank BANK_DIR [--preset foundation] [--instrument NAME ...]

Keys of instrument files are heard from the recording that serves them. What has a pitch comes out at that of its
recordings, as an independent tracker hears both. What has none is transposed as far as the SoundFont of the preset
says. Models stay as they are. It comes after `refined_bank`.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..engine.arrays import FloatArray
from ..engine.bank.bank import Bank
from ..engine.bank.instruments import BankInstrument, Tuning
from ..engine.bank.manifest import MANIFEST
from ..engine.instrument_files import InstrumentFile, instrument_bytes
from ..engine.keys.motions import MotionTable
from ..engine.keys.parts import REACH, motions_of
from ..engine.keys.stored.table import KeyTable
from ..engine.names import DEFAULT_REPRESENTATION
from ..training.config.run import load_preset
from ..training.correction.tuning import corrected, is_off, measured_errors, moved_to, transposed_tuning
from ..training.measure.hearing import HEARING_RATE
from ..training.sources.soundfont import SoundFont
from ..training.sources.soundfont_file import Preset
from ..training.sources.soundfont_zones import SoundFontZones
from ..training.sources.zone_notes import heard_reach
from ..training.validation.pitch_judge import PitchJudge
from ..training.validation.rendered import NoteRenderer
from .bank import change_files, print_sizes, tuning_as_json

DECODER = "harmonic"


@dataclass
class _Tuner:
    """A bank that is tuned, instrument by instrument."""

    bank: Bank
    soundfont: str

    def __post_init__(self) -> None:
        self._growth = self.bank.growth_model(DEFAULT_REPRESENTATION, provider="cpu")
        self._renderer = NoteRenderer(self.bank, self._growth, DECODER)
        self._font, self._zones = SoundFont(self.soundfont, HEARING_RATE), SoundFontZones(self.soundfont)
        self._judge = PitchJudge()

    def file(self, one: BankInstrument, file: InstrumentFile) -> InstrumentFile:
        """Return a file of the bank whose keys are heard from the recordings that serve them, and in tune."""
        before = motions_of(file.table, one.name)
        reach = heard_reach(self._zones.zones(one.bank, one.program), before.key.tolist())
        table = file.table
        if reach.tolist() != before.reach.tolist():
            now = replace(before, reach=reach)
            old, new = (MotionTable(self._growth.spec, arrays) for arrays in (before, now))
            tuning = moved_to(
                Tuning.of(table), lambda key: old.heard_key(one.name, key), lambda key: new.heard_key(one.name, key)
            )
            table = _tuned(replace(table, extras={**table.extras, REACH: reach.astype(np.int16)}), tuning)
        moved = replace(file, table=table)
        tuning = self.tuning(one, NoteRenderer(self.bank, self._growth, DECODER, file=moved))
        return replace(moved, table=_tuned(table, tuning))

    def tuning(self, one: BankInstrument, renderer: NoteRenderer | None = None) -> Tuning:
        """Return the tuning that an instrument shall have; without a renderer of its own it is one of the models'."""
        renderer = renderer or self._renderer
        known = renderer.choice(one, one.low).instrument.measured

        def heard_key(key: int) -> float:
            return self._growth.motions.heard_key(one.name, key)

        if not one.pitched:
            return transposed_tuning(self._zones.zones(one.bank, one.program), one.low, one.high, heard_key)
        errors = measured_errors(one, renderer, lambda *note: self._recorded(one, *note), self._judge, heard_key)
        before = np.abs([*errors.values()] or [0.0])
        print(f"{one.name:28s} {np.median(before):5.1f} cents off, at most {before.max():5.1f}", flush=True)
        return corrected(known, errors, heard_key) if is_off(errors) else known

    def _recorded(self, one: BankInstrument, key: int, velocity: int, hold_s: float) -> FloatArray:
        return self._font.play(Preset(one.bank, one.program, one.name), key, velocity, hold_s, 0.0)


def tune_bank(folder: Path, preset: str, names: Sequence[str] = ()) -> dict[str, int]:
    """Tune some instruments of a bank, by default all but its kits.

    Returns
    -------
    Names of the instrument files that were written anew, with their sizes in bytes.

    Raises
    ------
    BankError, DatasetError
        The bank or the SoundFont cannot be read.
    """
    bank = Bank.load(folder)
    tuner, listed = _Tuner(bank, load_preset(preset).data.soundfont), bank.listed(DEFAULT_REPRESENTATION)
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    entries = {one["name"]: one for one in manifest["instruments"]}
    written: dict[str, bytes] = {}
    for one in bank.instruments:
        if one.is_drums or (names and one.name not in names):
            continue
        if one.name not in listed:
            entries[one.name]["tuning"] = tuning_as_json(tuner.tuning(one))
            continue
        file, name = listed[one.name].read(), entries[one.name]["files"][DEFAULT_REPRESENTATION]
        content = instrument_bytes(tuner.file(one, file))
        if content != (folder / name).read_bytes():
            written[name] = content
    return change_files(folder, manifest, written)


def _tuned(table: KeyTable, tuning: Tuning) -> KeyTable:
    """Return a key table with another tuning."""
    cents, stretch = (np.array(values, np.float64) for values in (tuning.cents, tuning.inharmonicity))
    return replace(table, tuned_keys=np.array(tuning.keys, np.int64), cents=cents, inharmonicity=stretch)


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("bank", type=Path, metavar="BANK_DIR")
    parser.add_argument("--preset", default="foundation", help="names the SoundFont (default: foundation)")
    parser.add_argument("--instrument", action="append", default=[], help="tune this one alone; may be repeated")
    given = parser.parse_args()
    print_sizes(tune_bank(given.bank, given.preset, given.instrument))


if __name__ == "__main__":
    main()
