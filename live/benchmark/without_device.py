"""Figures of live play that need no device: a flood of messages, and clicks where sounds change hands."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import numpy as np

from ...engine.arrays import FloatArray
from ...engine.bank.chooser import find_instrument
from ...engine.open import OpenSynth, assemble_synth
from ...engine.synth import Synth
from ...midi.messages import control_change, note_on, program_change, system_exclusive
from .workload import RATE, LiveWorkload

BATCH: Final = 2000
BLOCK: Final = 256
FLOOD_VOICES: Final = 16
SILENT: Final = 1e-4
QUIET_S: Final = 3.0
SYSEX: Final = (
    b"\x7e\x7f\x09\x01", b"\x7e\x7f\x09\x02", b"\x7e\x7f\x09\x03", b"\x7f\x7f\x04\x01\x00\x60",
    b"\x7f\x7f\x04\x03\x00\x41", b"\x7f\x7f\x08\x02\x00\x01\x3c\x3c\x20\x00", b"\x41\x10\x42\x12\x40",
)  # fmt: skip
KINDS: Final = (0x90, *(0x80, 0xA0, 0xB0, 0xB0, 0xB0, 0xC0, 0xD0, 0xE0) * 4)
"""Note-ons are the few that cost: each steals a voice."""
CHANGE_S: Final = 1.5
CHORD: Final = (48, 55, 60, 64)
STEADY_PROGRAM: Final = 19  # church organ
HIGH_PASS_HZ: Final = 5000.0
HIGH_PASS_TAPS: Final = 255


def measure_flood(workload: LiveWorkload) -> dict[str, Any]:
    """Send random messages, valid and not, as fast as they are taken; then see whether anything is stuck or grew."""
    ensemble = _open(workload, FLOOD_VOICES)
    synth, rng = ensemble.synth, np.random.default_rng(2)
    began, memory = perf_counter(), []
    for start in range(0, workload.messages, BATCH):
        for data in random_messages(rng, min(BATCH, workload.messages - start)):
            synth.send(data, synth.frame + synth.latency_frames + int(rng.integers(BLOCK)))
        _next_block(synth)
        memory.append(memory_mb())
    took = perf_counter() - began
    synth.panic()
    synth.render(round(QUIET_S * RATE))
    rest = np.abs(synth.render(RATE // 10)).max()
    return {
        "messages": workload.messages,
        "seconds": took,
        "voices_after_panic": synth.active_voices,
        "level_after_panic": float(rest),
        "is_silent": bool(rest < SILENT and synth.active_voices == 0),
        "model_errors": synth.model_errors,
        "memory_growth_mb": memory[-1] - memory[len(memory) // 5],
    }


def random_messages(rng: np.random.Generator, count: int) -> Iterator[bytes]:
    """Yield messages: mostly valid ones of every kind, some torn, some pure noise."""
    for kind in rng.random(count):
        if kind < 0.75:
            status = KINDS[int(rng.integers(len(KINDS)))] | int(rng.integers(16))
            length = 1 if status & 0xF0 in (0xC0, 0xD0) else 2
            yield bytes((status, *rng.integers(0, 128, length).tolist()))
        elif kind < 0.8:
            yield system_exclusive(SYSEX[int(rng.integers(len(SYSEX)))])
        elif kind < 0.82:
            yield bytes((int(rng.choice([0xF8, 0xFA, 0xFE, 0xFF])),))
        else:
            yield rng.bytes(int(rng.integers(0, 12)))


def measure_clicks(workload: LiveWorkload) -> dict[str, Any]:
    """Change hands while a chord is held; return how far what is above 5 kHz rises over the steady sound, in dBFS."""
    instruments = ("violin", "church-organ")

    def steal(ensemble: OpenSynth) -> None:
        ensemble.synth.send(note_on(0, 67, 1))

    def instrument(ensemble: OpenSynth) -> None:
        assert ensemble.bank is not None
        ensemble.selection.play_only(find_instrument(ensemble.bank.instruments, instruments[0]))
        ensemble.synth.recast()

    results = {
        "stealing_dbfs": _click(workload, steal, len(CHORD)),
        "fewer_voices_dbfs": _click(workload, lambda one: one.synth.limit_voices(2), len(CHORD)),
        "instrument_dbfs": _click(workload, instrument, 16),
        "all_sound_off_dbfs": _click(workload, lambda one: one.synth.send(control_change(0, 120, 0)), 16),
    }
    names = [name for name in _open(workload, 16).decoders if name != workload.decoder]
    for name in names:
        results[f"decoder_{name}_dbfs"] = _click(workload, lambda one, name=name: one.set_decoder(name), 16)  # type: ignore[misc]
    for name in _open(workload, 16).representations:
        if name != workload.representation:
            change = partial(OpenSynth.set_representation, name=name)
            results[f"representation_{name}_dbfs"] = _click(workload, change, 16)
    return results


def _click(workload: LiveWorkload, change: Callable[[OpenSynth], None], max_voices: int) -> float:
    """Return the excess of a change's high frequencies over those of the sound before and after it, in dBFS."""
    ensemble = _open(workload, max_voices)
    synth = ensemble.synth
    synth.send(program_change(0, STEADY_PROGRAM))
    for controller in (91, 93):
        synth.send(control_change(0, controller, 0))
    for key in CHORD:
        synth.send(note_on(0, key, 90))
    blocks = [_next_block(synth) for _ in range(round(CHANGE_S * RATE / BLOCK))]
    change(ensemble)
    blocks += [_next_block(synth) for _ in range(round(CHANGE_S * RATE / BLOCK))]
    high = np.abs(high_pass(np.concatenate(blocks).mean(axis=1)))
    middle = len(high) // 2
    around = high[middle - RATE // 100 : middle + RATE // 10].max()
    before = high[middle - RATE // 2 : middle - RATE // 50].max()
    after = high[middle + RATE // 5 : middle + RATE].max()
    return float(20.0 * np.log10(max(around - max(before, after), 1e-6)))


def _next_block(synth: Synth) -> FloatArray:
    """Do what the player does for each block."""
    block = synth.render(BLOCK)
    synth.grow_ahead(BLOCK)
    return block


def high_pass(signal: FloatArray) -> FloatArray:
    """Return what lies above `HIGH_PASS_HZ`: a step of height 1 leaves about 0.3."""
    n = np.arange(HIGH_PASS_TAPS) - HIGH_PASS_TAPS // 2
    cutoff = 2.0 * HIGH_PASS_HZ / RATE
    low_pass = cutoff * np.sinc(cutoff * n) * np.hanning(HIGH_PASS_TAPS)
    return signal - np.convolve(signal, low_pass / low_pass.sum(), mode="same")


def memory_mb() -> float:
    """Return the resident memory of this process (Linux)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _open(workload: LiveWorkload, max_voices: int) -> OpenSynth:
    return assemble_synth(
        representation=workload.representation,
        decoder=workload.decoder,
        sample_rate=RATE,
        bank_path=workload.bank_path,
        max_voices=max_voices,
        on_model_error="mute",
        grows_together=True,
    )
