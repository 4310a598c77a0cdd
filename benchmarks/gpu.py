"""What a GPU does for the hop of growth, in five minutes: parity, batches, throughput, live voices.

    python benchmarks/gpu.py [--json FILE]

Needs `onnxruntime-gpu`. Without a GPU everything runs on the CPU provider, in the same way (bound buffers, tiers, rows
of hops), and the output says "not run on a GPU": a rehearsal.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from tnca_synth import render
from tnca_synth.engine.bank.bank import Bank
from tnca_synth.engine.held_notes import HeldNotes
from tnca_synth.engine.models.bound_step import TIERS
from tnca_synth.engine.models.growth_model import OnnxGrowthModel
from tnca_synth.engine.models.interfaces import Genome, HopInputs
from tnca_synth.engine.names import DEFAULT_REPRESENTATION, REPRESENTATIONS
from tnca_synth.engine.render.benchmark import machine
from tnca_synth.midi.files.song import Song, TimedMessage
from tnca_synth.midi.messages import note_off, note_on, program_change

PARITY_S = 10.0
ROW = 32
"""Hops in a row offline: see `engine.growth.grower.MOST_HOPS`."""


def opened(provider: str) -> OnnxGrowthModel:
    growth = Bank.load().growth_model(DEFAULT_REPRESENTATION, provider)
    growth.bind()
    return growth


def planted(growth: OnnxGrowthModel, voices: int) -> Genome:
    ones = np.ones(voices, np.float32)
    names = [one.name for one in Bank.load().instruments if not one.is_drums]
    timbre = np.stack([growth.timbres.vector(names[i % len(names)], 60) for i in range(voices)]).astype(np.float32)
    return growth.plant(np.linspace(40, 80, voices, dtype=np.float32), 0.7 * ones, timbre, ones, 0.0 * ones)


def driven(growth: OnnxGrowthModel, genome: Genome, hop: int) -> HopInputs:
    voices, cells = genome["grid"].shape[:2]
    ones = np.ones(voices, np.float32)
    mask = np.ones((voices, growth.steps_per_hop, cells), np.float32)
    return HopInputs(hop * growth.spec.hop_s * ones, -ones, mask, np.zeros((voices, growth.spec.num_mels), np.float32))


def parity() -> dict[str, float]:
    """Compare what is heard of ten seconds of six instruments, and the grids after them."""
    messages = [(0.0, program_change(channel, program)) for channel, program in enumerate((0, 40, 48, 56, 73, 81))]
    messages += [(0.1 * channel, note_on(channel, 50 + 4 * channel, 90)) for channel in range(6)]
    messages += [(PARITY_S - 1.0, note_off(channel, 50 + 4 * channel)) for channel in range(6)]
    timed = sorted((TimedMessage(time_s, 0, data) for time_s, data in messages), key=lambda one: one.time_s)
    song = Song(timed, PARITY_S, 0, 6, [""], [])
    theirs, ours = render(song, provider="cpu"), render(song, provider="cuda")
    error = ((ours - theirs) ** 2).sum()
    return {"snr_db": float(10 * np.log10((theirs**2).sum() / error)) if error else float("inf")}


def rows_of_hops(growth: OnnxGrowthModel, voices: int, seconds: float) -> dict[str, float]:
    """Time the growth alone: rows of 32 hops, as offline, and single hops whose genes lie there, as live."""
    genome = planted(growth, voices)
    hops = [driven(growth, genome, index) for index in range(ROW)]
    single, end, done = [], time.perf_counter() + seconds, 0
    _row(growth, genome, hops, b"warm-up")
    began = time.perf_counter()
    while time.perf_counter() < end:
        _row(growth, genome, hops, None)
        done += ROW
    offline_s = (time.perf_counter() - began) / done
    for index in range(200):
        began = time.perf_counter()
        _row(growth, genome, hops[index % ROW : index % ROW + 1], b"live")
        single.append(time.perf_counter() - began)
    p50, p99 = (1e3 * float(value) for value in np.quantile(single, (0.5, 0.99)))
    return {
        "voices": voices,
        "offline_ms_a_hop": 1e3 * offline_s,
        "voice_seconds_a_second": voices * growth.spec.hop_s / offline_s,
        "live_ms_p50": p50,
        "live_ms_p99": p99,
        "within_half_a_hop": p99 < 500.0 * growth.spec.hop_s,
    }


def _row(growth: OnnxGrowthModel, genome: Genome, hops: list[HopInputs], key: bytes | None) -> None:
    course = growth.course(genome, key)
    assert course is not None
    for hop in hops:
        course.step(hop)
    course.grids()


def whole_hops(growth: OnnxGrowthModel, voices: int, hops: int) -> dict[str, float]:
    """Time whole hops of held notes, by the graph that grows and sounds them."""
    decoder = REPRESENTATIONS[DEFAULT_REPRESENTATION].default_decoder
    notes = HeldNotes(Bank.load(), growth, decoder, voices, "graph")
    times = []
    for _ in range(hops):
        began = time.perf_counter()
        notes.hop()
        times.append(time.perf_counter() - began)
    p50, p99 = (1e3 * float(value) for value in np.quantile(times, (0.5, 0.99)))
    return {"voices": voices, "ms_p50": p50, "ms_p99": p99}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--seconds", type=float, default=8.0, help="for each number of voices (default: 8)")
    parser.add_argument("--voices", type=int, nargs="+", default=list(TIERS))
    arguments = parser.parse_args()
    growth = opened("cuda")
    on_gpu = growth.provider == "cuda"
    print("on a GPU" if on_gpu else "not run on a GPU: a rehearsal on the CPU provider")
    results: dict[str, Any] = {"machine": machine(), "provider": growth.provider, "on_gpu": on_gpu}
    results["parity"] = parity()
    print(f"parity with the CPU over {PARITY_S:g} s: {results['parity']['snr_db']:.1f} dB SNR")
    results["growth"], results["whole"] = [], []
    for voices in arguments.voices:
        one = rows_of_hops(growth, voices, arguments.seconds)
        results["growth"].append(one)
        print(
            f"{voices:5} voices: {one['voice_seconds_a_second']:8.0f} voice-seconds a second offline, "
            f"live p50 {one['live_ms_p50']:.2f} ms, p99 {one['live_ms_p99']:.2f} ms"
        )
        whole = whole_hops(growth, voices, 100 if voices <= 128 else 20)
        results["whole"].append(whole)
        print(f"      whole hops in one graph: p50 {whole['ms_p50']:.2f} ms, p99 {whole['ms_p99']:.2f} ms a hop")
    if growth.why_lost:
        print(growth.why_lost)
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
