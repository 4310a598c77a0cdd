"""Render and measure the recordings of a preset into the cache, so that training finds them there.

python -m tnca_synth.training.prepare PRESET [--cache DIR] [--workers N]
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from .config.run import load_preset
from .data.rendered_notes import rendered_notes


def main() -> None:
    """Fill the cache and say how much there is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("preset")
    parser.add_argument("--cache", type=Path, default=Path("runs/cache"))
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    arguments = parser.parse_args()
    config = load_preset(arguments.preset)
    spec = config.model.spec
    counts = [
        (len(notes), sum(len(note.mel) for note in notes))
        for notes in rendered_notes(config.data, spec, arguments.cache, arguments.workers, print)
    ]
    notes, frames = map(sum, zip(*counts, strict=True))
    print(f"{notes} notes, {frames * spec.hop_s / 60.0:.0f} minutes, are in {arguments.cache}")


if __name__ == "__main__":
    main()
