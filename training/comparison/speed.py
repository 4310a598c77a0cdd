"""How fast a path plays and how much memory it takes, each measured in a process of its own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from ...engine.held_notes import PROGRAMS
from ...engine.open import assemble_synth
from ...engine.render.benchmark import WARM_UP_BLOCKS
from ...engine.synth import Synth
from ...errors import TncaError
from ...midi.messages import note_on, program_change

VOICES = 8
BLOCK_SIZE, BLOCKS = 4096, 30
TIMEOUT_S = 300
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
SCRIPT = "import sys; from tnca_synth.training.comparison.speed import probe; probe(*sys.argv[1:])"


@dataclass(frozen=True)
class Speed:
    """What playing costs.

    Attributes
    ----------
    rtf : processor time over audio time for one of eight voices held together, mixing and resampling included: the
        median block's; a busy machine changes it less than time on the clock
    memory_mb : by how much the peak of the process's memory grew from before the bank was opened, in 1e6 bytes; nan
        where the system does not tell
    """

    rtf: float
    memory_mb: float

    @property
    def voices(self) -> float:
        """How many voices one core plays in real time, by `rtf`."""
        return 1.0 / self.rtf


def measure_speed(bank_path: Path | None, representation: str, decoder: str) -> Speed:
    """Play eight voices in a fresh process.

    Raises
    ------
    TncaError
        If that process fails.
    """
    command = [sys.executable, "-c", SCRIPT, representation, decoder, str(bank_path or "")]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False, env={**os.environ, **ONE_THREAD}
    )
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or ["it printed nothing"])[-1]
        raise TncaError(f"the speed of {representation}+{decoder} cannot be measured: {reason}")
    return Speed(**json.loads(done.stdout))


def probe(representation: str, decoder: str, bank_path: str) -> None:
    """Measure in this process, and print a `Speed` as JSON."""
    before = peak_memory_mb()
    ensemble = assemble_synth(
        representation=representation,
        decoder=decoder,
        provider="cpu",
        bank_path=Path(bank_path) if bank_path else None,
    )
    synth = ensemble.synth
    for voice in range(VOICES):
        synth.send(program_change(voice, PROGRAMS[voice % len(PROGRAMS)]))
        synth.send(note_on(voice, 48 + 7 * voice % 36, 80))
    for _ in range(WARM_UP_BLOCKS):
        synth.render(BLOCK_SIZE)
    times_s = [_block_s(synth) for _ in range(BLOCKS)]
    rtf = median(times_s) * synth.sample_rate / (BLOCK_SIZE * VOICES)
    print(json.dumps({"rtf": rtf, "memory_mb": peak_memory_mb() - before}))


def _block_s(synth: Synth) -> float:
    began = time.process_time()
    synth.render(BLOCK_SIZE)
    return time.process_time() - began


def peak_memory_mb() -> float:
    """Return the most memory this process had resident since it began, in 1e6 bytes; nan where Linux's /proc is not.

    `getrusage` is of no use here: a process inherits its figure from the one that started it.
    """
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        return float("nan")
    found = re.search(r"^VmHWM:\s*(\d+) kB$", status, re.MULTILINE)
    return int(found[1]) * 1024 / 1e6 if found else float("nan")
