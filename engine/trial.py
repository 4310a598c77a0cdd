"""A first run of a bank that somebody else made, in a process of its own, with a limit of time and memory.

`model_graph` keeps loops out, so whatever is left ends; but one operator may still ask for any amount of memory and
time, which follows from values that only running gives. ONNX Runtime can be stopped between operators, not within one,
and optimises (that is, runs) parts of a graph while it opens it. A process can be stopped anywhere. The shipped bank is
part of the package and is not tried.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

from ..errors import BankError, TncaError, UsageError
from ..midi.messages import note_on
from .bank.bank import Bank
from .bank.chooser import InstrumentSelection
from .decoders.imported.decoder import ImportedDecoder
from .models.growth_model import OnnxGrowthModel
from .names import DECODERS, REPRESENTATIONS
from .synth import Synth
from .voices.voice import num_slots

PROCESSOR_LIMIT_S: Final = 20
WALL_LIMIT_S: Final = 120
MEMORY_LIMIT_BYTES: Final = 4 * 2**30
"""Of addresses beyond what the process has when it begins; the shipped bank takes a tenth of it."""
_VOICES: Final = 4
_FRAMES: Final = 2048
_RATE: Final = 48_000


def try_bank(path: Path, processor_limit_s: int = PROCESSOR_LIMIT_S) -> None:
    """Let every model of a bank sound a moment.

    Raises
    ------
    BankError
        If one of them cannot be run, or not within the limits.
    """
    code = "import sys; from tnca_synth.engine.trial import main; sys.exit(main(*sys.argv[1:]))"
    # As -c puts the current folder in front, which this process may not have.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PYTHONSAFEPATH": "1"}
    try:
        done = subprocess.run(
            [sys.executable, "-c", code, os.fspath(path.absolute()), str(processor_limit_s)],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=WALL_LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise BankError(f"{path}: its models did not sound a first note within {WALL_LIMIT_S} s") from error
    except OSError as error:
        raise BankError(f"{path}: its models cannot be tried: {error.strerror}") from error
    if done.returncode != 0:
        said = done.stdout.decode("utf-8", "replace").strip()
        limits = f"{processor_limit_s} s of processor time and {MEMORY_LIMIT_BYTES / 2**30:.0f} GiB"
        raise BankError(said or f"{path}: its models did not sound a first note within {limits}; they are not run")


def main(path: str, processor_limit_s: str) -> int:
    """Try a bank; return 0, or 1 after a line on stdout that says why not. Runs in a process of its own."""
    _limit(int(processor_limit_s))
    sys.stdout.reconfigure(encoding="utf-8", errors="replace")  # type: ignore[union-attr]
    try:
        _play_everything(Bank.load(Path(path)))
    except (TncaError, MemoryError) as error:
        print(error if isinstance(error, TncaError) else f"{path}: its models need too much memory")
        return 1
    return 0


def _limit(processor_s: int) -> None:
    """Bound processor time and memory from here on, where the system can."""
    with suppress(ImportError, OSError, ValueError):
        import resource

        used = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_CPU, (processor_s, processor_s))
        resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY_LIMIT_BYTES,) * 2)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _play_everything(bank: Bank) -> None:
    """Sound a chord with each representation, by all decoders that have models, or else by the first that fits."""
    for representation in (name for name in REPRESENTATIONS if name in bank.representations):
        growth = bank.growth_model(representation, "cpu")
        with_models = [name for name in DECODERS if name in bank.home(representation).decoder_models]
        has_sounded = [
            _sounds(bank, growth, name) for name in (*with_models, REPRESENTATIONS[representation].default_decoder)
        ]
        if not any(has_sounded):
            any(_sounds(bank, growth, name) for name in DECODERS)


def _sounds(bank: Bank, growth: OnnxGrowthModel, decoder_name: str) -> bool:
    """Sound a chord by a decoder; return whether it fits what is grown: one that does not will never be run."""
    try:
        decoder = bank.decoder(decoder_name, growth, num_slots(_VOICES))
    except UsageError:
        return False
    if isinstance(decoder, ImportedDecoder):
        decoder.sound_silence()  # what it looks ahead would take seconds
        return False
    selection = InstrumentSelection(bank.timbre_book(growth), None)
    synth = Synth(growth, decoder, selection, sample_rate=_RATE, max_voices=_VOICES, on_model_error="raise")
    for key in range(60, 60 + _VOICES):
        synth.send(note_on(0, key, 100))
    synth.render(_FRAMES)
    return True
