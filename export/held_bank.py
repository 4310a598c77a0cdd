"""Measuring what held notes of a bank are like after those that training heard, and writing it into the bank.

    python -m tnca_synth.export.held_bank BANK_DIR [--preset dual] [REPRESENTATION ...]

The recordings are those of the preset's SoundFont. Models stay as they are; doing it again changes nothing.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from ..engine.bank import RETOUCH, Bank
from ..engine.manifest import MANIFEST
from ..errors import UsageError
from ..training.config import load_preset
from ..training.held_notes import with_held_notes
from ..training.recordings import SoundFont
from .bank_writer import file_facts, replace_files


def continue_held_notes(folder: Path, preset: str, representations: tuple[str, ...] = ()) -> dict[str, int]:
    """Measure held notes of some representations of a bank, by default all that have corrections.

    Parameters
    ----------
    folder : Path
        The bank, which is written anew.
    preset : str
        Says which recordings its models were trained on.

    Returns
    -------
    Names of the files that were written anew, with their sizes in bytes.

    Raises
    ------
    UsageError
        A representation has no corrections, or the preset's recordings are no SoundFont.
    BankError, DatasetError
        The bank or the SoundFont cannot be read.
    """
    data = load_preset(preset).data
    if data.source != "soundfont":
        raise UsageError(f"held notes are measured on a SoundFont, but preset {preset} reads a {data.source}")
    bank = Bank.load(folder)
    known = tuple(name for name in bank.representations if RETOUCH in bank.models_of(name))
    for name in representations:
        if name not in known:
            raise UsageError(f"no corrections of {name!r} in {folder}, only of {', '.join(known) or 'none'}")
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    files = {name: (folder / name).read_bytes() for name in manifest["files"]}
    written = {}
    for name in representations or known:
        spec = bank.growth_model(name, provider="cpu").spec
        font = SoundFont(data.soundfont, spec.sample_rate)
        file = manifest["models"][name][RETOUCH]
        files[file] = with_held_notes(bank, name, data.instruments, font, print).to_bytes()
        written[file] = len(files[file])
    manifest["files"] = {name: file_facts(content) for name, content in files.items()}
    replace_files(folder, files | {MANIFEST: (json.dumps(manifest, indent=1) + "\n").encode()})
    return written


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("bank", type=Path, metavar="BANK_DIR")
    parser.add_argument("representations", nargs="*", metavar="REPRESENTATION")
    parser.add_argument("--preset", default="dual", help="names the recordings (default: dual)")
    arguments = parser.parse_args()
    for name, size in continue_held_notes(arguments.bank, arguments.preset, tuple(arguments.representations)).items():
        print(f"{name}: {size:,} bytes")


if __name__ == "__main__":
    main()
