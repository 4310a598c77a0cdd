"""Measuring how fast the engine renders held notes; what `tnca-synth bench` prints."""

from __future__ import annotations

import os
import platform
import subprocess
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from ...errors import UsageError
from ...midi.messages import note_on, program_change
from ..open import MAX_VOICES, assemble_synth

WARM_UP_BLOCKS = 5
PROGRAMS = (0, 40, 48, 56, 73, 81)  # piano, violin, strings, trumpet, flute, saw lead


@dataclass(frozen=True)
class Workload:
    """What is timed: `voices` notes of six instruments, or of one if it is named, held, rendered in equal blocks."""

    voices: int
    block_size: int
    blocks: int
    representation: str
    decoder: str | None
    provider: str
    bank_path: Path | None
    instrument: str | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.voices <= MAX_VOICES:
            raise UsageError(f"--voices must be in 1..{MAX_VOICES}, got {self.voices}")
        if self.block_size < 1 or self.blocks < 1:
            raise UsageError("--block-size and --blocks must be at least 1")


def measure(workload: Workload) -> dict[str, Any]:
    """Render a workload; return block times in ms (p50, p99, max) and the real-time factor.

    The real-time factor is the median block's: compute time over audio time, below 1 is faster than real time.
    """
    ensemble = assemble_synth(
        instrument=workload.instrument,
        representation=workload.representation,
        decoder=workload.decoder,
        provider=workload.provider,
        bank_path=workload.bank_path,
    )
    synth = ensemble.synth
    for channel, program in enumerate(PROGRAMS):
        synth.send(program_change(channel, program))
    for voice in range(workload.voices):
        synth.send(note_on(voice % len(PROGRAMS), 48 + (voice * 7) % 36, 80))
    for _ in range(WARM_UP_BLOCKS):
        synth.render(workload.block_size)
    times_ms = np.empty(workload.blocks)
    sounding = 0
    for block in range(workload.blocks):
        began = perf_counter()
        synth.render(workload.block_size)
        times_ms[block] = 1e3 * (perf_counter() - began)
        sounding += synth.active_voices
    block_ms = 1e3 * workload.block_size / synth.sample_rate
    return {
        "voices": workload.voices,
        "mean_sounding": sounding / workload.blocks,
        "block_size": workload.block_size,
        "sample_rate": synth.sample_rate,
        "p50_ms": float(np.median(times_ms)),
        "p99_ms": float(np.quantile(times_ms, 0.99)),
        "max_ms": float(times_ms.max()),
        "rtf": float(np.median(times_ms)) / block_ms,
        "provider": ensemble.provider,
    }


def machine() -> dict[str, str]:
    """Say what was measured on: processor, cores, Python and the commit, as far as they are known."""
    facts = {"processor": _processor(), "cores": str(os.cpu_count()), "python": platform.python_version()}
    folder = Path(__file__).resolve().parent
    try:
        commit = subprocess.run(
            ["git", "-C", str(folder), "rev-parse", "--short", "HEAD"],
            capture_output=True,
            text=True,
            timeout=5,
            check=True,
        )
        facts["commit"] = commit.stdout.strip()
    except (OSError, subprocess.SubprocessError):
        facts["commit"] = "unknown"
    return facts


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
