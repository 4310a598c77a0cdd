"""Measuring how the keys of a bank shall be tuned, and writing it into the bank.

    python -m tnca_synth.export.tuned_bank BANK_DIR [--preset foundation] [--instrument NAME ...]

What has a pitch comes out at that of its recordings, as an independent tracker hears both. What has none is transposed
as far as the SoundFont of the preset says. Models stay as they are. It comes after `refined_bank`; again changes little.
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
from ..engine.instrument_files import instrument_bytes
from ..engine.names import DEFAULT_REPRESENTATION
from ..training.config.run import load_preset
from ..training.correction.tuning import corrected, is_off, measured_errors, transposed_tuning
from ..training.measure.hearing import HEARING_RATE
from ..training.sources.soundfont import SoundFont
from ..training.sources.soundfont_zones import SoundFontZones
from ..training.validation.evaluation import PitchJudge
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

    def tuning(self, one: BankInstrument) -> Tuning:
        """Return the tuning that an instrument shall have."""
        known = self._renderer.choice(one, one.low).instrument.measured  # of a file, it is read now

        def heard_key(key: int) -> float:
            return self._growth.motions.heard_key(one.name, key)

        if not one.pitched:
            return transposed_tuning(self._zones.zones(0, one.program), one.low, one.high, heard_key)
        errors = measured_errors(one, self._renderer, lambda *note: self._recorded(one, *note), self._judge)
        before = np.abs([*errors.values()] or [0.0])
        print(f"{one.name:28s} {np.median(before):5.1f} cents off, at most {before.max():5.1f}", flush=True)
        return corrected(known, errors, heard_key) if is_off(errors) else known

    def _recorded(self, one: BankInstrument, key: int, velocity: int, hold_s: float) -> FloatArray:
        return self._font.render(one.program, key, velocity, hold_s, 0.0, drums=False)


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
        tuning, entry = tuner.tuning(one), entries[one.name]
        if one.name not in listed:
            entry["tuning"] = tuning_as_json(tuning)
            continue
        file = listed[one.name].read()
        table = replace(
            file.table,
            tuned_keys=np.array(tuning.keys, np.int64),
            cents=np.array(tuning.cents, np.float64),
            inharmonicity=np.array(tuning.inharmonicity, np.float64),
        )
        content = instrument_bytes(replace(file, table=table))
        name = entry["files"][DEFAULT_REPRESENTATION]
        if content != (folder / name).read_bytes():
            written[name] = content
    return change_files(folder, manifest, written)


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
