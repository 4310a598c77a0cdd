"""Time the step models of two banks in turns, on the same notes, and tell how far what they grow is apart.

Processor time, not the clock's, and a few hops of each by turns: what else the machine does falls on both.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from time import thread_time

import numpy as np

from tnca_synth.engine.bank.bank import Bank
from tnca_synth.engine.models.growth_model import GrownHop, OnnxGrowthModel
from tnca_synth.engine.models.interfaces import Genome, HopInputs

TURN_HOPS = 8


def notes(growth: OnnxGrowthModel, voices: int) -> Genome:
    """Plant notes of all timbres, from low to high."""
    timbres = [growth.timbres.vector(name, 60.0) for name in sorted(growth.metadata["timbres"])]
    ones = np.ones(voices, np.float32)
    timbre = np.stack([timbres[voice % len(timbres)] for voice in range(voices)]).astype(np.float32)
    return growth.plant(np.linspace(40, 90, voices, dtype=np.float32), 0.7 * ones, timbre, ones, 0.0 * ones)


def grow(growth: OnnxGrowthModel, voices: int) -> Iterator[tuple[float, GrownHop]]:
    """Yield seconds of processor time that each turn of hops takes, and the last hop of it."""
    genome = notes(growth, voices)
    ones = np.ones(voices, np.float32)
    mask = np.ones((voices, growth.steps_per_hop, genome["grid"].shape[1]), np.float32)
    swell = np.zeros((voices, growth.spec.num_mels), np.float32)
    hop = 0
    while True:
        began = thread_time()
        for _ in range(TURN_HOPS):
            grown = growth.step(genome, HopInputs(ones * np.float32(hop * growth.spec.hop_s), -ones, mask, swell))
            genome["grid"], hop = grown.grid, hop + 1
        yield thread_time() - began, grown


def main() -> None:
    """Compare the banks that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("banks", type=Path, nargs=2)
    parser.add_argument("--representation", default="dual")
    parser.add_argument("--voices", type=int, nargs="+", default=[1, 6, 9, 16, 32, 64])
    parser.add_argument("--turns", type=int, default=40)
    chosen = parser.parse_args()
    models = [Bank.load(path).growth_model(chosen.representation, "cpu") for path in chosen.banks]
    print("| voices | us per voice-hop, first | second | ratio | largest difference |\n|---|---|---|---|---|")
    for voices in chosen.voices:
        spent, apart = np.empty((chosen.turns, 2)), 0.0
        both = zip(*(grow(model, voices) for model in models), strict=True)
        for turn, ((first_s, one), (second_s, other)) in zip(range(chosen.turns), both, strict=False):
            spent[turn] = first_s, second_s
            apart = max(apart, *(float(np.abs(one.fields[name] - other.fields[name]).max()) for name in one.fields))
        first, second = 1e6 * np.median(spent, axis=0) / TURN_HOPS / voices
        print(f"| {voices} | {first:.1f} | {second:.1f} | {first / second:.2f} | {apart:.1g} |")


if __name__ == "__main__":
    main()
