"""Measuring how the attacks of a bank differ from recorded ones, and writing it into the bank.

    python -m tnca_synth.export.attack_bank BANK_DIR [--preset dual] [REPRESENTATION ...]

The recordings are those of the SoundFont of the preset. Models stay as they are. It comes last: what it measures
is what the bank renders.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from ..training.correction.attacks import with_attacks
from ..training.sources.soundfont import SoundFont
from .held_bank import open_corrected, print_sizes, rewrite_corrections


def measure_attacks(folder: Path, preset: str, representations: tuple[str, ...] = ()) -> dict[str, int]:
    """Measure the attacks of some representations of a bank, by default of all that have corrections.

    Parameters and errors are those of `held_bank.continue_held_notes`.

    Returns
    -------
    Names of the files that were written anew, with their sizes in bytes.
    """
    bank, data, names = open_corrected(folder, preset, representations)
    changed = {}
    for name in names:
        font = SoundFont(data.soundfont, bank.growth_model(name, provider="cpu").spec.sample_rate)
        changed[name] = with_attacks(bank, name, data.instruments, font, print)
    return rewrite_corrections(folder, changed)


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("bank", type=Path, metavar="BANK_DIR")
    parser.add_argument("representations", nargs="*", metavar="REPRESENTATION")
    parser.add_argument("--preset", default="dual", help="names the recordings (default: dual)")
    given = parser.parse_intermixed_args()
    print_sizes(measure_attacks(given.bank, given.preset, tuple(given.representations)))


if __name__ == "__main__":
    main()
