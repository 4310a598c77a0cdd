"""Rendering a corpus: songs in, a folder of sound and annotations out, from one core to a cluster."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from time import perf_counter
from typing import Any, Final

from ..engine.bank.bank import Bank
from ..engine.open import assemble_synth
from ..engine.render.benchmark import machine
from ..errors import AudioFileError, BankError, MidiFileError, UsageError
from ..version import __version__
from ..whole_files import PART, write_whole
from .journal import HEADER, JOURNAL, MANIFEST, Journal
from .options import CorpusOptions
from .pool import run_in_processes
from .render import SONGS, Outcome, SongTask, failed_row, render_song_task, song_folder, take_remains
from .songs import SongFile, find_songs

LAYOUT: Final = 1
"""Of the folder; see docs/corpora.md."""


@dataclass
class CorpusState:
    """How far a corpus is.

    Attributes
    ----------
    songs : int
        In all.
    done, failed, found : int
        Rendered by this run, failed in it, and there already.
    audio_s : float
        Sound rendered by this run.
    bytes_done, bytes_all : int
        Of the MIDI files that this run has to render: a measure of the work.
    started : float
        When it began, by `time.perf_counter`.
    failures : list of (str, str)
        Source and reason of each failed song.
    """

    songs: int
    bytes_all: int
    found: int = 0
    done: int = 0
    failed: int = 0
    audio_s: float = 0.0
    bytes_done: int = 0
    work_s: float = 0.0
    work_cpu_s: float = 0.0
    started: float = field(default_factory=perf_counter)
    failures: list[tuple[str, str]] = field(default_factory=list)

    @property
    def elapsed_s(self) -> float:
        """Seconds since it began."""
        return perf_counter() - self.started

    @property
    def speed(self) -> float:
        """Seconds of sound a second."""
        return self.audio_s / max(self.elapsed_s, 1e-9)

    @property
    def left_s(self) -> float | None:
        """Seconds that are left as far as can be told; None before the first song is done."""
        return self.elapsed_s * (self.bytes_all - self.bytes_done) / self.bytes_done if self.bytes_done else None


Watch = Callable[[CorpusState], None]


def render_corpus(
    places: Iterable[str | PathLike[str]],
    out: str | PathLike[str],
    options: CorpusOptions,
    *,
    workers: int = 1,
    ray_address: str | None = None,
    resume: bool = False,
    watch: Watch = lambda state: None,
    warn: Callable[[str], None] = lambda text: None,
) -> CorpusState:
    """Render songs into a folder, described in docs/corpora.md.

    What is in the folder does not depend on the number of workers, nor on how often the work was interrupted. A song
    that fails is told of in `CorpusState.failures` and in the manifest, and stops nothing.

    Parameters
    ----------
    places : iterable of path-like
        See `corpus.songs.find_songs`.
    workers : int
        Processes on this machine, each of one thread.
    ray_address : str, optional
        Let a Ray cluster do the work: see `corpus.ray_cluster.run_on_ray`. The folder must be one that all its
        machines share.
    resume : bool
        Whether to finish a corpus that is there already, of the same options. Songs that failed are tried again.
    watch : callable
        Called after every song.
    warn : callable
        Called with one line for what is odd.

    Raises
    ------
    UsageError, BankError
        A wrong call; nothing has been written.
    AudioFileError
        The disk is full: what was rendered is there, and `resume` goes on.
    """
    songs = find_songs(places)
    made_by = _made_by(options)
    folder = Path(out)
    _prepare(folder, options, made_by, resume, warn)
    with Journal(folder) as journal:
        _remove_parts(folder)
        for song_id in [one for one in journal.places if not song_folder(folder, one).is_dir()]:
            if song_id not in journal.failed:
                journal.forget(song_id)
        left = [song for song in songs if song.id not in journal.places or song.id in journal.failed]
        state = CorpusState(len(songs), sum(song.num_bytes for song in left), found=len(songs) - len(left))
        sizes = {song.id: song.num_bytes for song in left}
        tasks = _tasks(left, folder, options, made_by)
        with closing(_outcomes(tasks, min(workers, max(len(left), 1)), ray_address)) as outcomes:
            try:
                for outcome in outcomes:
                    _take(outcome, journal, state, sizes, warn)
                    watch(state)
            except OSError as error:  # the journal's: the outcomes raise none
                raise AudioFileError(f"cannot go on with {str(folder)!r}: {error.strerror}; --resume does") from error
        _remove_parts(folder)
        journal.finish(made_by["version"])
    return state


def _outcomes(tasks: Iterator[SongTask], workers: int, ray_address: str | None) -> Generator[Outcome, None, None]:
    def lost(task: SongTask, reason: str) -> Outcome:
        return Outcome(failed_row(task, reason))

    if ray_address is None:
        return run_in_processes(render_song_task, tasks, workers, lost, take_remains)
    from .ray_cluster import run_on_ray

    return run_on_ray(render_song_task, tasks, ray_address, workers, lost, take_remains)


def _take(
    outcome: Outcome, journal: Journal, state: CorpusState, sizes: dict[str, int], warn: Callable[[str], None]
) -> None:
    """Write down what came of a song."""
    row = outcome.row
    if outcome.is_full:
        raise AudioFileError(f"the disk is full ({row['reason']}); make room, and --resume goes on")
    journal.append(row)
    state.bytes_done += sizes[row["id"]]
    state.work_s += outcome.seconds
    state.work_cpu_s += outcome.cpu_s
    if row["status"] == "done":
        state.done += 1
        state.audio_s += row["audio_seconds"]
    else:
        state.failed += 1
        state.failures.append((row["source"], row["reason"]))
        warn(f"{row['source']} failed: {row['reason']}")


def _tasks(
    songs: Iterable[SongFile], folder: Path, options: CorpusOptions, made_by: dict[str, str]
) -> Iterator[SongTask]:
    corpus = str(folder.resolve())
    for song in songs:
        try:
            yield SongTask(song, song.read(), corpus, options, made_by)
        except MidiFileError as error:
            yield SongTask(song, b"", corpus, options, made_by, unreadable=str(error))


def _made_by(options: CorpusOptions) -> dict[str, str]:
    """Return what makes the sound what it is; what is wished for is tried on the bank."""
    ensemble = assemble_synth(
        bank_path=options.bank,
        instrument=options.instrument,
        representation=options.representation,
        decoder=options.decoder,
        provider="cpu",
    )
    assert ensemble.bank is not None
    return {
        "version": __version__,
        "commit": machine()["commit"],
        "bank_sha256": _sha256(ensemble.bank, options.instrument),
        "options": json.dumps(options.to_dict()),
    }


def _sha256(bank: Bank, instrument: str | None) -> str:
    """Return a hash of a bank, and of the instrument's file, if it is one."""
    path = None if instrument is None else Path(instrument)
    if path is None or not path.is_file():
        return bank.sha256
    return hashlib.sha256(bank.sha256.encode() + path.read_bytes()).hexdigest()


def _prepare(
    folder: Path, options: CorpusOptions, made_by: dict[str, str], resume: bool, warn: Callable[[str], None]
) -> None:
    """Make the folder of a corpus, or see to it that the one there is the same corpus."""
    header = folder / HEADER
    try:
        if not header.exists():
            if folder.is_dir() and any(folder.iterdir()):
                raise UsageError(f"{str(folder)!r} holds something else than a corpus; name another folder")
            (folder / SONGS).mkdir(parents=True, exist_ok=True)
            facts = {"layout": LAYOUT, **made_by, "options": options.to_dict()}
            write_whole(header, json.dumps(facts, indent=1).encode())
            return
        facts = json.loads(header.read_bytes())
    except OSError as error:
        raise AudioFileError(f"cannot write into {str(folder)!r}: {error.strerror}") from error
    if not resume:
        what = "an unfinished corpus" if (folder / JOURNAL).exists() or not (folder / MANIFEST).exists() else "a corpus"
        raise UsageError(f"{str(folder)!r} holds {what}: say --resume to go on with it, or name another folder")
    _check_same(facts, options, made_by, str(folder), warn)


def _check_same(
    facts: dict[str, Any], options: CorpusOptions, made_by: dict[str, str], name: str, warn: Callable[[str], None]
) -> None:
    before = facts.get("options", {})
    for option, value in options.to_dict().items():
        if before.get(option) != value:
            raise UsageError(f"{name!r} was begun with {option} {before.get(option)!r}, not {value!r}")
    if facts.get("bank_sha256") != made_by["bank_sha256"]:
        raise BankError(f"{name!r} was begun with another bank")
    if (facts.get("version"), facts.get("commit")) != (made_by["version"], made_by["commit"]):
        warn(f"{name!r} was begun by version {facts.get('version')} ({facts.get('commit')}); songs to come may differ")


def _remove_parts(folder: Path) -> None:
    """Remove what workers left that were killed."""
    for part in folder.glob(f"{SONGS}/*/.*{PART}"):
        shutil.rmtree(part, ignore_errors=True)
