"""A library of notes: an instrument leaves for any sampler."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable
from contextlib import closing
from os import PathLike
from pathlib import Path
from typing import Final, NamedTuple

from ...engine.bank.bank import Bank
from ...engine.names import DEFAULT_BIT_DEPTH, DEFAULT_REPRESENTATION, DEFAULT_SAMPLE_RATE
from ...engine.output.audiofile import check_audio_name
from ...engine.render.stem_names import safe_name
from ...engine.render.wishes import Wishes
from ...engine.wanted_instruments import find_wanted
from ...errors import AudioFileError, UsageError
from ...version import __version__
from ...whole_files import PART
from ..pool import run_in_processes
from .note import KeySamples, KeyTask, Sample, render_key
from .sfz import sfz_text

SAMPLES: Final = "samples"
MAX_LAYERS: Final = 127
HOLD_RANGE_S: Final = (2.0, 60.0)
Watch = Callable[[int, int], None]


class Library(NamedTuple):
    """What was written.

    Attributes
    ----------
    sfz : the file for samplers
    samples : the notes
    silent_keys : keys that make no sound
    """

    sfz: Path
    samples: list[Sample]
    silent_keys: list[int]


def render_library(
    instrument: str | int,
    out: str | PathLike[str],
    *,
    keys: tuple[int, int] | None = None,
    key_step: int = 1,
    layers: int = 4,
    hold_s: float = 4.0,
    suffix: str = ".wav",
    sample_rate: int = DEFAULT_SAMPLE_RATE,
    bit_depth: str = DEFAULT_BIT_DEPTH,
    seed: int = 0,
    bank_path: str | PathLike[str] | None = None,
    representation: str | None = None,
    decoder: str | None = None,
    workers: int = 1,
    watch: Watch = lambda done, number: None,
) -> Library:
    """Render the notes of an instrument into a folder with an SFZ file; it appears when all of it is there.

    Parameters
    ----------
    instrument : str or int
        Name in the bank, a drum kit's too, a program, or an instrument's file.
    keys : (int, int), optional
        Lowest and highest key; those that the instrument was trained on by default.
    key_step : int
        How far sampled keys are apart. Keys between are played by the nearest.
    layers : int
        Velocities of each key, evenly up to 127.
    hold_s : float
        How long notes that last are held before they are let go; they get a loop. Others are held for 12 s.
    watch : callable
        Called with (keys done, keys in all).

    Raises
    ------
    UsageError
        A wrong call, or the folder is there already.
    AudioFileError, ModelError
        A note could not be rendered; nothing is left.
    """
    folder = Path(out)
    wishes = Wishes(seed=seed, sample_rate=sample_rate, bit_depth=bit_depth)
    if not 1 <= layers <= MAX_LAYERS:
        raise UsageError(f"the number of velocities must be in 1..{MAX_LAYERS}, got {layers}")
    if not HOLD_RANGE_S[0] <= hold_s <= HOLD_RANGE_S[1]:
        raise UsageError(f"notes must be held for {HOLD_RANGE_S[0]:g}..{HOLD_RANGE_S[1]:g} s, got {hold_s}")
    if folder.exists():
        raise UsageError(f"{str(folder)!r} is there already; name another folder")
    bank = Bank.load(None if bank_path is None else Path(bank_path))
    found = find_wanted(bank, representation or DEFAULT_REPRESENTATION, instrument).chosen
    assert found is not None
    told = None if found.is_drums and not found.is_own else str(instrument)
    name = safe_name(found.name)
    check_audio_name(Path(f"{name}{suffix}"), wishes.bit_depth)
    low, high = (found.low, found.high) if keys is None else keys
    if not 0 <= low <= high <= 127 or key_step < 1:
        raise UsageError(f"keys must be in 0..127, from low to high, got {low}..{high} in steps of {key_step}")
    wanted = range(low, high + 1, key_step)
    velocities = tuple(round(127 * (layer + 1) / layers) for layer in range(layers))
    part = folder.with_name(f".{folder.name}-{secrets.token_hex(4)}{PART}")
    tasks = [
        KeyTask(
            key, velocities, hold_s, told, found.program, found.is_drums, name, str(part / SAMPLES), suffix,
            sample_rate, bit_depth, seed, None if bank_path is None else str(bank_path), representation, decoder,
        )
        for key in wanted
    ]  # fmt: skip
    try:
        (part / SAMPLES).mkdir(parents=True)
        samples = _render_all(tasks, workers, watch)
        title = f"{found.name}, rendered by tnca-synth {__version__}"
        text = sfz_text(title, samples, found.is_drums, SAMPLES, (low, high))
        (part / f"{name}.sfz").write_text(text, encoding="utf-8")
        part.rename(folder)
    except OSError as error:
        raise AudioFileError(f"cannot write {str(folder)!r}: {error.strerror}") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return Library(folder / f"{name}.sfz", samples, sorted(set(wanted) - {one.key for one in samples}))


def _render_all(tasks: list[KeyTask], workers: int, watch: Watch) -> list[Sample]:
    samples: list[Sample] = []

    def lost(task: KeyTask, reason: str) -> KeySamples:
        return KeySamples([], f"key {task.key}: {reason}")

    with closing(run_in_processes(render_key, tasks, min(workers, len(tasks)), lost)) as results:
        for done, result in enumerate(results, 1):
            if result.failure:
                raise AudioFileError(result.failure)
            samples += result.samples
            watch(done, len(tasks))
    if not samples:
        raise UsageError("none of these keys makes a sound")
    return sorted(samples, key=lambda one: (one.key, one.velocity))
