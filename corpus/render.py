"""Rendering one song of a corpus: a folder that appears when all of it is there."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import secrets
import shutil
from contextlib import suppress
from functools import cache
from io import RawIOBase
from multiprocessing import parent_process
from pathlib import Path
from time import perf_counter, process_time
from typing import Any, Final, NamedTuple

import numpy as np

from ..engine.open import OpenSynth, assemble_synth
from ..engine.render.file import render_file
from ..engine.render.song import RenderReport
from ..engine.render.stem_names import name_stems
from ..errors import MidiFileError, TncaError
from ..midi.files.song import Song, parse_midi
from ..whole_files import PART
from .notes import annotate
from .options import CorpusOptions
from .songs import SongFile
from .variation import humanised, with_random_growth, with_random_instruments

SONGS: Final = "songs"
FACTS: Final = "song.json"
SOURCE: Final = "source.mid"
REACHED: Final = ".reached"
"""How many seconds of a song are rendered, as long as it is not done."""
MIX: Final = "mix"
STEMS: Final = "stems"
SHARD_CHARACTERS: Final = 2
"""Of its hash in the folder above a song's: 256 folders, so that a million songs make no folder of a million."""

PART_BYTES: Final = 4
"""Of chance, in the name of a folder that is being filled."""
PROBE_BYTES: Final = 2**20
"""Where so little cannot be written, the disk is full."""

Row = dict[str, Any]
"""What the manifest says of a song."""


class SongTask(NamedTuple):
    """A song to render; it can be sent to another machine that shares the folder of the corpus.

    Attributes
    ----------
    made_by : version, commit, bank and options, which go into every row
    unreadable : why there are no data, "" if there are
    """

    song: SongFile
    data: bytes
    corpus: str
    options: CorpusOptions
    made_by: dict[str, str]
    unreadable: str = ""


class Outcome(NamedTuple):
    """What came of a song.

    Attributes
    ----------
    row : of the manifest
    seconds, cpu_s : that the work took, on the clock and of the processor
    is_full : whether it failed because the disk is full, as all others would
    """

    row: Row
    seconds: float = 0.0
    cpu_s: float = 0.0
    is_full: bool = False


def song_folder(corpus: Path, song_id: str) -> Path:
    """Return where the files of a song are."""
    return corpus / SONGS / song_id.rpartition("-")[2][:SHARD_CHARACTERS] / song_id


def row_of(corpus: Path, song_id: str) -> Row | None:
    """Return the row of a song whose folder is there, else None."""
    return _read_row(song_folder(corpus, song_id))


def _read_row(folder: Path) -> Row | None:
    path = folder / FACTS
    try:
        row: Row = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    del row["played"]
    row["files"].append({"file": FACTS, "md5": file_md5(path)})
    return row


def render_song_task(task: SongTask) -> Outcome:
    """Render a song of a corpus, unless it is there already; what fails is said in its row."""
    corpus, song = Path(task.corpus), task.song
    if (row := row_of(corpus, song.id)) is not None:
        return Outcome(row)
    began, cpu_began = perf_counter(), process_time()
    is_full = False
    final = song_folder(corpus, song.id)
    part = final.with_name(f".{song.id}-{secrets.token_hex(PART_BYTES)}{PART}")
    try:
        part.mkdir(parents=True)
        _render(task, part)
        _publish(part, final)
        row = _read_row(final) or failed_row(task, f"{final / FACTS} cannot be read back")
    except Exception as error:
        row, is_full = failed_row(task, _reason(error)), _is_full(error, part)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return Outcome(row, perf_counter() - began, process_time() - cpu_began, is_full)


def take_remains(task: SongTask) -> float:
    """Remove what killed workers left of a song; return how many seconds of it were rendered."""
    final = song_folder(Path(task.corpus), task.song.id)
    reached_s = 0.0
    for part in final.parent.glob(f".{final.name}-{'?' * 2 * PART_BYTES}{PART}"):
        with suppress(OSError, ValueError):
            reached_s = float((part / REACHED).read_bytes())
        shutil.rmtree(part, ignore_errors=True)
    return reached_s


def failed_row(task: SongTask, reason: str) -> Row:
    """Return the row of a song that could not be rendered."""
    return {**_head(task), "status": "failed", "reason": reason}


def _head(task: SongTask) -> Row:
    song = task.song
    seed = task.options.song_seed(song.id)
    return {"id": song.id, "source": song.source, "source_sha256": song.sha256, "seed": seed, **task.made_by}


def _render(task: SongTask, part: Path) -> None:
    """Write the files of a song into a folder."""
    if task.unreadable:
        raise MidiFileError(task.unreadable)
    options = task.options
    ensemble = _ensemble(options.bank, options.representation, options.decoder, options.instrument)
    seed = options.song_seed(task.song.id)
    song = _varied(parse_midi(task.data, task.song.source), options, ensemble, seed)
    (part / SOURCE).write_bytes(task.data)
    warnings: list[str] = []
    with (part / REACHED).open("wb", buffering=0) as reached:
        report = render_file(
            song,
            part / f"{MIX}{options.format}",
            stems_dir=part / STEMS if options.stems else None,
            progress=_Progress(reached),
            warn=warnings.append,
            **options.arguments(seed),
        )
    (part / REACHED).unlink()
    row = {**_head(task), "status": "done", "reason": "", **_facts(report, part), "warnings": warnings}
    if options.stems:
        names = name_stems(song, options.stems)
        stems = {f"{STEMS}/{name}{options.format}": [channel + 1 for channel in stem] for stem, name in names.items()}
        row["stems"] = [{"file": file, "channels": channels} for file, channels in stems.items()]
    notes = annotate(song, ensemble.selection, options.growth_controllers)
    (part / FACTS).write_text(json.dumps({**row, "played": notes}, allow_nan=False), encoding="utf-8")


class _Progress:
    """Notes block by block how far a song is, for those who find the file when this process has been killed.

    Ends this process, between two blocks, if that is gone which it works for.
    """

    def __init__(self, file: RawIOBase) -> None:
        self._file = file

    def __call__(self, done_s: float, song_s: float) -> None:
        owner = parent_process()
        if owner is not None and not owner.is_alive():
            raise SystemExit
        self._file.seek(0)
        self._file.write(f"{done_s:10.3f}".encode())


@cache
def _ensemble(bank: str | None, representation: str | None, decoder: str | None, instrument: str | None) -> OpenSynth:
    """Open what all songs of this process are played with: its models stay loaded, and songs share them."""
    return assemble_synth(
        bank_path=bank, representation=representation, decoder=decoder, instrument=instrument, provider="cpu"
    )


def _varied(song: Song, options: CorpusOptions, ensemble: OpenSynth, seed: int) -> Song:
    chance = np.random.default_rng(seed)
    if options.random_instruments:
        assert ensemble.bank is not None
        song = with_random_instruments(song, ensemble.bank.instruments, chance)
    if options.humanise_ms or options.humanise_velocity:
        song = humanised(song, options.humanise_ms, options.humanise_velocity, chance)
    if options.random_growth:
        song = with_random_growth(song, options.random_growth, chance)
    return song


def _facts(report: RenderReport, part: Path) -> Row:
    """Return what is known of a rendering, but for the time that it took, which no two runs share."""
    files = sorted(path for path in part.rglob("*") if path.is_file())
    return {
        "audio_seconds": report.audio_seconds,
        "sample_rate": report.sample_rate,
        "notes": report.notes,
        "notes_left_out": report.notes_left_out,
        "peak_dbfs": report.peak_dbfs if report.peak_dbfs > -np.inf else None,
        "loudness_lufs": report.loudness_lufs,
        "instruments": list(report.instruments),
        "substitutions": list(report.substitutions),
        "representation": report.representation,
        "decoder": report.decoder,
        "provider": report.provider,
        "core": report.core,
        "stems": [],
        "files": [{"file": path.relative_to(part).as_posix(), "md5": file_md5(path)} for path in files],
    }


def file_md5(path: Path) -> str:
    """Return the MD5 of a file, which data sets have as a check on copies."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _publish(part: Path, final: Path) -> None:
    """Give a finished folder its name; where another worker was first, its files are the same."""
    for path in [*(one for one in part.rglob("*") if one.is_file()), part]:
        _store(path)
    try:
        part.rename(final)
    except OSError:
        if not (final / FACTS).is_file():
            raise
        return
    _store(final.parent)


def _store(path: Path) -> None:
    """Let the disk have what was written, else a power cut could leave names with nothing in them."""
    if os.name == "nt" and path.is_dir():
        return
    file = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def _reason(error: Exception) -> str:
    if isinstance(error, TncaError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    return f"unexpected {type(error).__name__}: {error}"


def _is_full(error: BaseException | None, part: Path) -> bool:
    """Tell whether there is no room left; libsndfile does not say why it could not write, so that is tried."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        error = error.__cause__
    probe = part / "probe"
    try:
        probe.write_bytes(bytes(PROBE_BYTES))
        _store(probe)
    except OSError:
        return True
    return False
