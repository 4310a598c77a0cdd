"""Measuring what held notes of a bank are like after those that training heard, and writing it into the bank.

    python -m tnca_synth.export.held_bank BANK_DIR [--preset dual] [--without-recordings] [REPRESENTATION ...]

The recordings are those of the SoundFont of the preset. Without them, corrections ease into the mean of what training
measured of what is sustained, which takes a moment. Models stay as they are. Both begin with what training left.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path

from ..engine.bank.bank import CORRECTION, Bank
from ..engine.bank.manifest import MANIFEST
from ..engine.keys.correction import CorrectionArrays
from ..errors import UsageError
from ..training.config.run import DataConfig, load_preset
from ..training.correction.held_notes import with_held_notes, with_mean_after
from ..training.sources.soundfont import SoundFont
from .bank import change_files


def continue_held_notes(
    folder: Path, preset: str, representations: tuple[str, ...] = (), has_recordings: bool = True
) -> dict[str, int]:
    """Measure held notes of some representations of a bank, by default all that have corrections.

    Parameters
    ----------
    folder : Path
        The bank, which is written anew.
    preset : str
        Says which recordings its models were trained on.
    has_recordings : bool
        Whether to measure; see `with_held_notes` and `with_mean_after`.

    Returns
    -------
    Names of the files that were written anew, with their sizes in bytes.

    Raises
    ------
    UsageError
        A representation has no corrections, or was done before, or the preset's recordings are no SoundFont.
    BankError, DatasetError
        The bank or the SoundFont cannot be read.
    """
    bank, data, names = open_corrected(folder, preset, representations, has_recordings)
    changed = {}
    for name in names:
        spec = bank.growth_model(name, provider="cpu").spec
        if has_recordings:
            font = SoundFont(data.soundfont, spec.sample_rate)
            changed[name] = with_held_notes(bank, name, data.instruments, font, print)
        else:
            decaying = frozenset(one.name for one in data.instruments if not one.sustains)
            _, correction = bank.measured(name)
            assert correction is not None
            changed[name] = with_mean_after(correction, spec, decaying)
    return rewrite_corrections(folder, changed)


def open_corrected(
    folder: Path, preset: str, representations: tuple[str, ...] = (), has_recordings: bool = True
) -> tuple[Bank, DataConfig, tuple[str, ...]]:
    """Return a bank, where its recordings are, and which of its representations are meant; see above."""
    data = load_preset(preset).data
    if has_recordings and data.source != "soundfont":
        raise UsageError(f"this is measured on a SoundFont, but preset {preset} reads a {data.source}")
    bank = Bank.load(folder)
    known = tuple(name for name in bank.own_representations if CORRECTION in bank.models_of(name))
    for name in representations:
        if name not in known:
            raise UsageError(f"no corrections of {name!r} in {folder}, only of {', '.join(known) or 'none'}")
    return bank, data, representations or known


def rewrite_corrections(folder: Path, changed: Mapping[str, CorrectionArrays]) -> dict[str, int]:
    """Write the corrections of some representations into a bank; return their files with their sizes in bytes."""
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    written = {manifest["models"][name][CORRECTION]: arrays.to_bytes() for name, arrays in changed.items()}
    return change_files(folder, manifest, written)


def print_sizes(written: Mapping[str, int]) -> None:
    """Print the names and sizes of files."""
    for name, size in written.items():
        print(f"{name}: {size:,} bytes")


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("bank", type=Path, metavar="BANK_DIR")
    parser.add_argument("representations", nargs="*", metavar="REPRESENTATION")
    parser.add_argument("--preset", default="dual", help="names the recordings (default: dual)")
    parser.add_argument("--without-recordings", action="store_true", help="ease into the mean of what was measured")
    given = parser.parse_intermixed_args()
    names = tuple(given.representations)
    written = continue_held_notes(given.bank, given.preset, names, not given.without_recordings)
    print_sizes(written)


if __name__ == "__main__":
    main()
