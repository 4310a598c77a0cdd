"""Hold every instrument for minutes and say what becomes of its level.

    python benchmarks/hold.py [--minutes 10] [--representation dual] [--bank PATH] [--json]

A sustaining instrument should stay where it is, a decaying one should end in silence, and nothing may become NaN.
Levels are those of the grown mel field, all bands summed, averaged over a second; of partials where there is no mel.
The range is between the highest and the lowest second. Recordings swell, and so do notes grown from them, for ever;
drift is what is left of that in the mean of a minute: the most that one differs from the first one.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from tnca_synth.engine.bank import Bank
from tnca_synth.engine.seams import HopInputs
from tnca_synth.engine.spectral import power_from_level

SILENCE_DB = -80.0
SETTLED_S = 2
SWELL_S = 60
"""Swells average out over so long."""
HEARD = ("mel", "partials")
"""Fields whose powers add up to a level, the first one that is grown."""


def hold(bank: Bank, representation: str, minutes: float, velocity: int) -> list[dict[str, object]]:
    """Grow one held note per instrument in the middle of its range; return level facts for each."""
    growth = bank.growth_model(representation, "cpu")
    book = bank.timbre_book(growth)
    pitched = [one for one in bank.instruments if not one.is_drums]
    keys = [(one.low + one.high) // 2 for one in pitched]
    choices = [book.instrument_for(one.program, 0, False, key) for one, key in zip(pitched, keys, strict=True)]
    tuning = np.array([one.tuning(key) for one, key in zip(pitched, keys, strict=True)], np.float32)
    shift = np.array([choice.motion.semitones for choice in choices], np.float32)
    genome = growth.plant(
        np.array(keys, np.float32) + tuning[:, 0] / 100 - shift,
        np.full(len(keys), velocity / 127, np.float32),
        np.stack([choice.timbre for choice in choices]),
        np.array([float(choice.pitched) for choice in choices], np.float32),
        np.ascontiguousarray(tuning[:, 1]),
    )
    motions = np.array([choice.motion for choice in choices])
    mask = np.ones((len(keys), growth.steps_per_hop, genome["grid"].shape[1]), np.float32)
    heard = next(name for name in (*HEARD, growth.fields[0]) if name in growth.fields)
    held = np.full(len(keys), -1.0, np.float32)
    hops_per_s = int(1.0 / growth.spec.hop_s)
    seconds = []
    for _ in range(int(minutes * 60)):
        power = np.zeros(len(keys))
        for step in range(hops_per_s):
            age_s = np.full(len(keys), (len(seconds) * hops_per_s + step) * growth.spec.hop_s, np.float32)
            swell = growth.motions.swell(motions, age_s[None].astype(np.float64))[0]
            hop = growth.step(genome, HopInputs(age_s, held, mask, swell))
            genome["grid"] = hop.grid
            power += power_from_level(hop.fields[heard][:, 0], growth.spec).sum(1)
        seconds.append(10 * np.log10(power / hops_per_s + 1e-12))
    levels = np.array(seconds)
    return [_facts(one.name, key, levels[:, i]) for i, (one, key) in enumerate(zip(pitched, keys, strict=True))]


def _facts(name: str, key: int, level_db: np.ndarray) -> dict[str, object]:
    settled = level_db[SETTLED_S:]
    return {
        "instrument": name,
        "key": key,
        "level_db_at_2_s": round(float(settled[0]), 2),
        "level_db_at_end": round(float(settled[-1]), 2),
        "range_db_after_2_s": round(float(settled.max() - settled.min()), 2),
        "drift_db_after_2_s": round(_drift_db(settled), 2),
        "silent_at_end": bool(settled[-1] < SILENCE_DB),
        "finite": bool(np.isfinite(level_db).all()),
    }


def _drift_db(level_db: np.ndarray) -> float:
    """Return how far the mean of any minute is from that of the first, in dB of mean power."""
    usable = level_db[: max(len(level_db) // SWELL_S, 1) * SWELL_S]
    means = 10 * np.log10(np.mean(10 ** (usable.reshape(-1, min(SWELL_S, len(usable))) / 10), axis=1))
    return float(np.abs(means - means[0]).max())


def main() -> None:
    """Parse the arguments and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--velocity", type=int, default=90)
    parser.add_argument("--representation", default="dual")
    parser.add_argument("--bank", type=Path)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    rows = hold(Bank.load(arguments.bank), arguments.representation, arguments.minutes, arguments.velocity)
    if arguments.json:
        print(json.dumps(rows, indent=1))
        return
    for row in rows:
        print("  ".join(f"{key}={value}" for key, value in row.items()))


if __name__ == "__main__":
    main()
