"""Measuring what a hop of a voice costs, by core; what `tnca-synth bench core` prints.

Processor time of one thread is measured, and all contenders take turns in one run, so that what else a machine does
matters little.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from time import process_time, thread_time
from typing import Any

import numpy as np

from ...midi.messages import note_on, program_change
from ..growth.grower import Grower
from ..held_notes import PROGRAMS, WARM_UP_HOPS, HeldNotes
from ..kernel.cores import AUTO, CORES
from ..kernel.library import library
from ..kernel.weights import Weights, read_weights
from ..open import assemble_synth
from ..spectra.spec import AudioSpec

TURNS, HOPS = 12, 25
"""Turns of each contender, and hops in each."""
GEMM_SIZE = 768
OUTSIDE_RATE, OUTSIDE_BLOCK, OUTSIDE_VOICES, OUTSIDE_BLOCKS = 48_000, 256, 32, 400


def contender(core: str, voices: int, bank_path: Path | None = None) -> HeldNotes:
    """Return held notes of a bank on the default path, grown with a core."""
    ensemble = assemble_synth(provider="cpu", core="numpy", bank_path=bank_path)  # for its bank and models
    growth, bank = ensemble.growth, ensemble.bank
    assert growth is not None and bank is not None
    return HeldNotes(bank, growth, ensemble.decoder, voices, core)


def measure_core(voices: int, bank: Path | None = None) -> dict[str, Any]:
    """Measure hops of so many voices of a bank; return microseconds per voice-hop and shares of the GEMM peak, by core.

    The share is that of the growth model's multiplications alone, of what the processor does in a large matrix product.
    """
    contenders = {core: contender(core, voices, bank) for core in cores_here()}
    times: dict[str, list[float]] = {core: [] for core in contenders}
    peaks = []
    for _ in range(TURNS):
        for core, notes in contenders.items():
            times[core] += [_timed(notes.hop, thread_time) for _ in range(HOPS)]
        peaks.append(gemm_per_s())
    one = next(iter(contenders.values()))
    weights = read_weights(one.step_model, one.spec)
    work = 0 if weights is None else multiplications(weights, one.spec)
    peak = float(np.median(peaks))
    cores = {core: _summary(values, voices, work, peak) for core, values in times.items()}
    ratios = {core: cores["numpy"]["p50"] / us["p50"] for core, us in cores.items()}
    return {"voices": voices, "cores": cores, "ratios": ratios, "gemm_gflops": 2e-9 * peak}


def cores_here() -> tuple[str, ...]:
    """Return the cores that there are."""
    return tuple(core for core in CORES if core != AUTO and (core != "kernel" or library() is not None))


def multiplications(weights: Weights, spec: AudioSpec) -> int:
    """Return how many multiplications with additions a frame of growth and its read-out take."""
    channels, hidden, units = weights.channels, weights.hidden, weights.readout
    into_hidden = hidden * weights.into_hidden.shape[1] * spec.num_mels
    update = 2 * channels * hidden * spec.num_mels
    state = spec.num_mels * channels * units
    return into_hidden + update + state + 3 * spec.num_bins * units  # read between cells, and summed for two values


def gemm_per_s() -> float:
    """Return the multiplications of a large matrix product in a second of processor time."""
    matrix = np.ones((GEMM_SIZE, GEMM_SIZE), np.float32)
    return GEMM_SIZE**3 / min(_timed(lambda: matrix @ matrix, process_time) for _ in range(3))


def measure_outside(core: str, bank: Path | None = None) -> float:
    """Return the share of a core that everything but growing takes: 32 held notes, live, 48 kHz, blocks of 256."""
    synth = assemble_synth(
        provider="cpu",
        core=core,
        sample_rate=OUTSIDE_RATE,
        grows_together=True,
        on_model_error="mute",
        bank_path=bank,
    ).synth
    for channel, program in enumerate(PROGRAMS):
        synth.send(program_change(channel, program))
    for voice in range(OUTSIDE_VOICES):
        synth.send(note_on(voice % len(PROGRAMS), 48 + (voice * 7) % 36, 80))
    grown: list[float] = []
    own = {name: getattr(Grower, name) for name in ("plan", "grow")}

    def timed(name: str) -> Callable[..., Any]:
        def call(self: Grower, *arguments: Any) -> Any:
            began = thread_time()
            result = own[name](self, *arguments)
            grown.append(thread_time() - began)
            return result

        return call

    for name in own:
        setattr(Grower, name, timed(name))
    try:
        for _ in range(WARM_UP_HOPS):
            synth.render(OUTSIDE_BLOCK)
        grown.clear()
        whole = sum(_timed(lambda: synth.render(OUTSIDE_BLOCK), thread_time) for _ in range(OUTSIDE_BLOCKS))
    finally:
        for name, method in own.items():
            setattr(Grower, name, method)
    return (whole - sum(grown)) / (OUTSIDE_BLOCKS * OUTSIDE_BLOCK / OUTSIDE_RATE)


def _timed(work: Callable[[], object], clock: Callable[[], float]) -> float:
    began = clock()
    work()
    return clock() - began


def _summary(times_s: list[float], voices: int, work: int, peak: float) -> dict[str, float]:
    us = 1e6 * np.array(times_s) / voices
    p50, p10, p99 = (float(value) for value in np.quantile(us, (0.5, 0.1, 0.99)))
    return {"p50": p50, "p10": p10, "p99": p99, "max": float(us.max()), "gemm_share": 1e6 * work / (p50 * peak)}
