"""Time two mel vocoders in turns, on the same frames, and tell how far what they read is apart.

Processor time, not the clock's, and one call of each by turns: what else the machine does falls on both.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from time import thread_time

import numpy as np
from numpy.typing import NDArray

from tnca_synth.engine.models.onnx_runtime import open_session, read_metadata

Inputs = dict[str, NDArray[np.float32]]


def frames_of(voices: int, hops: int, history: int, bands: int) -> Inputs:
    """Return frames of any sound, of voices from low to high."""
    chance = np.random.default_rng(0)
    level_and_tonality = np.array([[2.5], [1.0]], np.float32)
    return {
        "mel": chance.random((voices, history + hops, 2, bands), np.float32) * level_and_tonality,
        "f0_hz": np.repeat(np.geomspace(50.0, 2000.0, voices, dtype=np.float32)[:, None], hops, 1),
        "stretch": np.full(voices, 1e-4, np.float32),
    }


def main() -> None:
    """Compare the vocoder files that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", type=Path, nargs=2)
    parser.add_argument("--sizes", nargs="+", default=["1x1", "6x2", "16x2", "32x2", "32x8"], help="voices x hops")
    parser.add_argument("--turns", type=int, default=40)
    chosen = parser.parse_args()
    sessions = [open_session(path.read_bytes(), "cpu") for path in chosen.models]
    facts = read_metadata(sessions[0])
    print("| voices x hops | us per voice-hop, first | second | ratio | largest difference |\n|---|---|---|---|---|")
    for size in chosen.sizes:
        voices, hops = (int(number) for number in size.split("x"))
        inputs = frames_of(voices, hops, facts["history_frames"], facts["spec"]["num_mels"])
        one, other = (session.run(None, inputs)[0] for session in sessions)
        spent = np.empty((chosen.turns, 2))
        for turn in spent:
            for index, session in enumerate(sessions):
                began = thread_time()
                session.run(None, inputs)
                turn[index] = thread_time() - began
        first, second = 1e6 * np.median(spent, axis=0) / (voices * hops)
        print(f"| {size} | {first:.0f} | {second:.0f} | {first / second:.2f} | {np.abs(one - other).max():.1g} |")


if __name__ == "__main__":
    main()
