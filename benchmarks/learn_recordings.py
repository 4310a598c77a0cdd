"""Learn an instrument from some keys of a folder of recordings, and judge it on keys that it did not get.

python benchmarks/learn_recordings.py FOLDER [--keys 12] [--judged 12] [--speed fit] [--bank DIR] [--json FILE]

The folder is read as `learn` reads it. Keys to learn from are spread over all; what is judged are recordings of keys
between them, beside a sampler that has the same recordings: the nearest one resampled and as loud.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import tempfile
from dataclasses import asdict
from pathlib import Path

import numpy as np

from tnca_synth.engine.bank.bank import Bank
from tnca_synth.training.learning.figures import Judgement, judge
from tnca_synth.training.learning.foundation import Foundation, open_foundation
from tnca_synth.training.learning.learn import learn
from tnca_synth.training.learning.outcome import Learned
from tnca_synth.training.material import Wishes, understand
from tnca_synth.training.measure.recording import Recording


def spread(values: list[int], count: int) -> list[int]:
    """Return so many of some values, spread over all, the outermost ones among them; of one the middle."""
    if count == 1:
        return [values[len(values) // 2]]
    return [values[i] for i in np.unique(np.round(np.linspace(0, len(values) - 1, count)).astype(int))]


def split(folder: Path, sample_rate: int, keys: int, judged: int) -> tuple[list[Recording], list[Recording]]:
    """Return the recordings to learn from, and those to judge by."""
    recordings = understand(folder, sample_rate, Wishes(trust_pitch=True)).recordings
    known = sorted({one.pitch for one in recordings})
    own = set(spread(known, keys))
    others = [key for key in known if key not in own and (keys == 1 or min(own) < key < max(own))]
    left = [one for one in recordings if one.pitch in set(others)]
    return [one for one in recordings if one.pitch in own], spread_notes(left, judged)


def spread_notes(notes: list[Recording], count: int) -> list[Recording]:
    """Return so many notes of different keys and layers."""
    return [notes[i] for i in spread([*range(len(notes))], count)] if notes else []


def learned_from(
    foundation: Foundation, source: Path, own: list[Recording], speed: str, output: Path
) -> tuple[Learned, float]:
    """Learn from the files of some recordings; return that, and the processor time in seconds."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / output.stem
        folder.mkdir()
        for one in own:
            shutil.copy(source / one.origin, folder)
        began = resource.getrusage(resource.RUSAGE_SELF).ru_utime
        learned = learn(folder, output, speed=speed, wishes=Wishes(trust_pitch=True), foundation=foundation)
    return learned, resource.getrusage(resource.RUSAGE_SELF).ru_utime - began


def summary(found: Judgement) -> dict[str, float]:
    """Return means and shares."""
    return {
        "judged": len(found.notes),
        "grown": round(found.distance, 5),
        "sampler": round(found.sampler, 5),
        "nearer": round(found.nearer, 3),
        "better_in_the_mean": round(1.0 - found.distance / found.sampler, 3),
    }


def main() -> None:
    """Learn, judge, and print a line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--keys", type=int, default=12)
    parser.add_argument("--judged", type=int, default=12)
    parser.add_argument("--speed", choices=("fit", "full"), default="fit")
    parser.add_argument("--bank", type=Path, help="whose growth is the foundation: a folder, or low-rate")
    parser.add_argument("-o", "--output", type=Path, help="where to keep the instrument")
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    foundation = open_foundation(Bank.load(chosen.bank))
    own, others = split(chosen.folder, foundation.spec.sample_rate, chosen.keys, chosen.judged)
    with tempfile.TemporaryDirectory() as place:
        output = chosen.output or Path(place) / f"{chosen.folder.resolve().name}.tnca"
        learned, cpu_s = learned_from(foundation, chosen.folder, own, chosen.speed, output)
    found = judge(foundation, learned.instrument, others, own, are_unheard=True)
    report = {"name": learned.instrument.facts.name, "cpu_s": round(cpu_s, 1), **learned.as_values(), **summary(found)}
    print(json.dumps(report))
    if chosen.json:
        chosen.json.write_text(json.dumps({**report, "rows": [asdict(one) for one in found.notes]}, indent=1))


if __name__ == "__main__":
    main()
