"""Measuring how loud the instruments of a bank shall be, and writing it into its manifest.

    python -m tnca_synth.export.level_bank BANK_DIR [--preset foundation] [--instrument NAME ...]

They come out as loud, beside each other and at each velocity, as FluidSynth plays them with the SoundFont of the
preset. Models and instrument files stay as they are. It comes after all that changes levels; again changes little.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..engine.bank.bank import Bank
from ..engine.bank.instruments import BankInstrument, Levels
from ..engine.bank.manifest import MANIFEST
from ..engine.instrument_files.levels import levels_as_json
from ..engine.open import assemble_synth
from ..training.config.run import load_preset
from ..training.correction.levels import measured_levels
from ..training.sources.fluidsynth import RATE
from .bank import change_files


def level_bank(folder: Path, preset: str, names: Sequence[str] = ()) -> dict[str, Levels]:
    """Measure the levels of some instruments, by default of all, and write the bank's manifest anew.

    Returns
    -------
    The levels by instrument.

    Raises
    ------
    BankError
        The bank cannot be read.
    DatasetError
        FluidSynth or the SoundFont is not there.
    """
    bank, soundfont = Bank.load(folder), Path(load_preset(preset).data.soundfont)
    ensemble = assemble_synth(bank=bank, sample_rate=RATE, effects=False, provider="cpu")
    found: dict[str, Levels] = {}
    for one in bank.instruments:
        if not names or one.name in names:
            found[one.name] = measured_levels(ensemble, one, soundfont)
            print(f"{one.name:28s} {min(found[one.name].db):6.1f} .. {max(found[one.name].db):5.1f} dB", flush=True)
    known = {one.name: one for one in bank.instruments}
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    for entry in manifest["instruments"]:
        if entry["name"] in found:
            entry["levels"] = levels_as_json(with_shared(known[entry["name"]], found, known).facts)
    change_files(folder, manifest, {})
    return found


def with_shared(kit: BankInstrument, found: dict[str, Levels], known: dict[str, BankInstrument]) -> Levels:
    """Return the levels of a kit with those of the drums that it shares with others; other instruments' as they are."""
    own = found[kit.name]
    if not kit.shared:
        return own
    owners = {key: timbre.rpartition(":") for key, timbre in kit.shared.items()}
    levels = {owner: found.get(owner, known[owner].levels) for owner, _, _ in owners.values()}
    has_own = own != Levels()
    db = dict(zip(own.keys, own.db, strict=True)) if has_own else {}
    db |= {key: round(levels[owner].at(int(drum), 1.0), 1) for key, (owner, _, drum) in owners.items()}
    keys = tuple(sorted(db))
    slope = own.slope_db if has_own else float(np.median([one.slope_db for one in levels.values()]))
    return Levels(keys, tuple(db[key] for key in keys), round(slope, 2))


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("bank", type=Path, metavar="BANK_DIR")
    parser.add_argument("--preset", default="foundation", help="names the SoundFont (default: foundation)")
    parser.add_argument("--instrument", action="append", default=[], help="measure this one alone; may be repeated")
    given = parser.parse_args()
    level_bank(given.bank, given.preset, given.instrument)


if __name__ == "__main__":
    main()
