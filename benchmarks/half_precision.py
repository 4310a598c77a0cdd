"""What half precision would cost at least: the graph of a hop with weights, or what goes between hops, rounded to it.

    python benchmarks/half_precision.py

All is computed in single precision, on the CPU. A GPU that computes in half precision rounds every value on the way,
too, so it is further from single precision than this. Ten seconds of six instruments, compared before the effects.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

import numpy as np

from tnca_synth.engine.arrays import FloatArray
from tnca_synth.engine.growth import compiled
from tnca_synth.engine.kernel.graph.bound_hop import BoundHop
from tnca_synth.engine.kernel.weights import Weights, read_weights
from tnca_synth.engine.open import assemble_synth
from tnca_synth.engine.spectra.spec import AudioSpec
from tnca_synth.midi.messages import note_off, note_on, program_change

PROGRAMS = (0, 40, 48, 56, 73, 81)
LENGTH_S, ASKED_DB = 10.0, 60.0


def played() -> FloatArray:
    """Return ten seconds of six instruments, grown and sounded by the graph of a hop."""
    synth = assemble_synth(provider="cpu", core="graph", effects=False).synth
    rate = synth.sample_rate
    for channel, program in enumerate(PROGRAMS):
        synth.send(program_change(channel, program), 0)
        synth.send(note_on(channel, 50 + 4 * channel, 90), round(0.1 * channel * rate))
        synth.send(note_off(channel, 50 + 4 * channel), round((LENGTH_S - 1.0) * rate))
    return np.concatenate([synth.render(4410) for _ in range(round(LENGTH_S * rate / 4410))])


def rounded(values: np.ndarray) -> np.ndarray:
    """Return what half precision leaves of values."""
    return values.astype(np.float16).astype(values.dtype)


def rounded_weights(step_model: bytes, spec: AudioSpec) -> Weights | None:
    """Read weights as `read_weights` does, rounded."""
    weights = read_weights(step_model, spec)
    return None if weights is None else weights._replace(
        **{name: rounded(values) for name, values in weights._asdict().items() if values.dtype == np.float32}
    )  # fmt: skip


@contextmanager
def rounded_state(*names: str) -> Iterator[None]:
    """Let parts of the state be rounded after each hop."""
    run = BoundHop.run

    def runs(bound: BoundHop) -> None:
        run(bound)
        for name in names:
            if name in bound._other:
                state = bound.state(name)
                state[...] = rounded(state)

    with mock.patch.object(BoundHop, "run", runs):
        yield


def snr_db(reference: FloatArray, audio: FloatArray) -> float:
    error = float(((audio - reference) ** 2).sum())
    return float(10.0 * np.log10((reference**2).sum() / error)) if error else float("inf")


def main() -> None:
    reference = played()
    found = {"again, in single precision": snr_db(reference, played())}
    with mock.patch.object(compiled, "read_weights", rounded_weights):
        found["weights"] = snr_db(reference, played())
    for names in (("grid",), ("amplitude", "tail")):
        with rounded_state(*names):
            found[" and ".join(names)] = snr_db(reference, played())
    with mock.patch.object(compiled, "read_weights", rounded_weights), rounded_state("grid", "amplitude", "tail"):
        found["all of these"] = snr_db(reference, played())
    print(json.dumps({"asked_db": ASKED_DB, "rounded": {name: round(value, 1) for name, value in found.items()}}))


if __name__ == "__main__":
    main()
