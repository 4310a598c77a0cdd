"""Mutated instrument files: how many are refused, how many are played, and whether any does harm.

    python benchmarks/fuzz_instruments.py [--files 20000] [--seed 1] [--instrument violin]

Each file is the shipped instrument with bytes, parts, facts or arrays changed at random. It must be refused in a line,
or be played with finite samples. The report is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
from collections import Counter
from pathlib import Path
from time import perf_counter

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

from own_files import mutated, shipped_instrument

from tnca_synth.engine.instrument_files import instrument_bytes, parse_instrument
from tnca_synth.engine.open import assemble_synth
from tnca_synth.errors import BankError
from tnca_synth.midi.messages import note_on

FRAMES = 2000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--instrument", default="violin")
    arguments = parser.parse_args()
    content = instrument_bytes(shipped_instrument(arguments.instrument))
    refused: Counter[str] = Counter()
    played, slowest_s, began_s = 0, 0.0, perf_counter()
    for number in range(arguments.files):
        start_s = perf_counter()
        line = outcome(mutated(content, arguments.seed * 10**9 + number), number)
        slowest_s = max(slowest_s, perf_counter() - start_s)
        if line:
            refused[" ".join(line.split()[:3])] += 1
        else:
            played += 1
    print(json.dumps({
        "instrument": arguments.instrument, "files": arguments.files, "refused": sum(refused.values()),
        "played": played, "seconds": round(perf_counter() - began_s, 1), "slowest_s": round(slowest_s, 3),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1000,
        "reasons": dict(refused.most_common(12)),
    }, indent=1))  # fmt: skip


def outcome(content: bytes, number: int) -> str:
    """Return why a file is refused, "" once it has sounded."""
    try:
        instrument = parse_instrument(content)
        if number % 50:  # a synth takes longer to open than thousands of files to read
            return ""
        synth = assemble_synth(instrument=instrument, sample_rate=22_050, max_voices=2, effects=False).synth
    except BankError as error:
        line = str(error)
        assert "\n" not in line and len(line) < 400, line
        return line
    synth.send(note_on(0, 60 + number % 24, 100))
    assert np.isfinite(synth.render(FRAMES)).all()
    return ""


if __name__ == "__main__":
    main()
