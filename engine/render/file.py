"""From MIDI to a file, a stream or an array: sources, wishes, places and a second try come together here."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, Final, cast

from ...errors import UsageError
from ...midi.files.song import Song, read_midi_file
from ...midi.files.sources import MidiSource
from ...midi.files.transpose import transpose
from ..arguments import check_callable
from ..arrays import FloatArray
from ..growth.worker_process import WorkerLost
from ..names import DEFAULT_BIT_DEPTH, DEFAULT_PROVIDER, DEFAULT_SAMPLE_RATE
from ..open import OpenSynth, assemble_synth
from ..output.audiofile import AudioWriter
from ..output.gain import Scratch, amplified, gain_to
from ..output.loudness import LoudnessMeter
from ..output.places import OutputPlaces, made_folder, plan_places
from ..output.sinks import Both, MemorySink, RestSink, Sink, Stem
from ..output.wav_stream import WavStream
from ..wanted_instruments import InstrumentSource, Wanted
from .song import BLOCK_FRAMES, TAIL_LIMIT_S, Progress, RenderReport, Timeline, render_song
from .song_facts import changes_path
from .stem_names import name_stems
from .wishes import Wishes

SHORT_SONG_S: Final = 10.0
"""Shorter ones are done before workers are ready."""

Warn = Callable[[str], None]


def render_file(
    midi: MidiSource | Song,
    out: str | os.PathLike[str] | BinaryIO,
    *,
    instrument: Wanted | None = None,
    instruments: Sequence[InstrumentSource] = (),
    mapping: Mapping[str, Wanted] | None = None,
    representation: str | None = None,
    decoder: str | None = None,
    sample_rate: int = DEFAULT_SAMPLE_RATE,
    seed: int = 0,
    provider: str = DEFAULT_PROVIDER,
    stems_dir: str | os.PathLike[str] | None = None,
    stems_by: str = "channel",
    bank_path: str | os.PathLike[str] | None = None,
    workers: int = 1,
    growth_controllers: bool = False,
    gain_db: float = 0.0,
    normalise_lufs: float | None = None,
    transpose_semitones: int = 0,
    bit_depth: str = DEFAULT_BIT_DEPTH,
    progress: Progress | None = None,
    warn: Warn | None = None,
) -> RenderReport:
    """Render MIDI to a WAV or FLAC file, which appears only when it is complete, or as WAV into a stream.

    Parameters
    ----------
    midi : path, bytes, binary file object, mido.MidiFile or Song
        What to play.
    out : path-like or binary file object
        The suffix of a path names its format. A stream needs only `write`; its header says that the length is unknown.
    stems_dir : path-like, optional
        Folder for one more file per MIDI channel that plays, made if missing. Stems are what the channels sound
        like before the limiter.
    stems_by : "channel" or "part"
        What a stem is: a MIDI channel, or all channels that play the same part (see `engine.render.stem_names`).
    gain_db : float
        Makes all louder or softer, -96..48 dB; the mix stays below full scale by a limiter.
    normalise_lufs : float, optional
        Integrated loudness (ITU-R BS.1770) to bring the mix to, -70..0 LUFS; the stems get the same gain.
    transpose_semitones : int
        Moves all keys but those of drums, -127..127.
    bit_depth : str
        "16" (dithered by `seed`), "24" or "32f", floating point.
    progress : callable, optional
        Called with (seconds rendered, seconds expected) after every block.
    warn : callable, optional
        Called with one line of text for what is odd but no reason to stop.
    instrument, instruments, mapping, representation, decoder, sample_rate, seed, provider, bank_path, workers,
    growth_controllers
        See `engine.open.assemble_synth`; of an instrument that is a kit from a file the drums alone are played. The
        samples are the same for any number of workers: a song that changes its path by controller, which moves
        sounding notes, is rendered by one.

    Raises
    ------
    MidiFileError, UsageError, BankError, ModelError, AudioFileError
        One line each; nothing is left half-written.
    """
    wishes = Wishes(
        instrument=instrument,
        instruments=instruments,
        mapping=mapping,
        representation=representation,
        decoder=decoder,
        sample_rate=sample_rate,
        seed=seed,
        provider=provider,
        bank_path=_path("bank_path", bank_path),
        workers=workers,
        growth_controllers=growth_controllers,
        gain_db=gain_db,
        normalise_lufs=normalise_lufs,
        transpose_semitones=transpose_semitones,
        bit_depth=bit_depth,
        stems_by=stems_by,
    )
    check_callable("progress", progress)
    check_callable("warn", warn)
    is_stream = hasattr(out, "write")
    mix = None if is_stream else _path("out", out)
    folder = _path("stems_dir", stems_dir)
    warn = warn or (lambda text: None)
    song = _song(midi, wishes, warn)
    source = Path(midi) if isinstance(midi, str | os.PathLike) else None
    names = {} if folder is None else name_stems(song, stems_by)
    places = plan_places(mix, folder, names, source, bit_depth)
    with closing(_open(song, wishes, bool(names))) as ensemble, ExitStack() as files:
        rate = ensemble.synth.sample_rate
        max_frames = Timeline(song, rate, TAIL_LIMIT_S).stop_frame + BLOCK_FRAMES

        def opened(path: Path) -> AudioWriter:
            writer = AudioWriter(path, rate, max_frames=max_frames, bit_depth=bit_depth, seed=seed)
            return files.enter_context(writer)

        writer = WavStream(cast(BinaryIO, out), rate, bit_depth=bit_depth, seed=seed) if mix is None else opened(mix)
        files.enter_context(made_folder(folder))
        stems = {stem: opened(path) for stem, path in places.stems.items()}
        report = _render(song, wishes, ensemble, writer, stems, _scratch_folder(places), progress, warn)
    for one in stems.values():
        if one.peak > 1.0 and bit_depth != "32f":
            warn(f"{one.path} is {20.0 * math.log10(one.peak):.1f} dB over full scale and clipped there")
    return replace(report, stems=tuple(str(one.path) for one in stems.values()))


def render(
    midi: MidiSource | Song,
    *,
    instrument: Wanted | None = None,
    instruments: Sequence[InstrumentSource] = (),
    mapping: Mapping[str, Wanted] | None = None,
    representation: str | None = None,
    decoder: str | None = None,
    sample_rate: int = DEFAULT_SAMPLE_RATE,
    seed: int = 0,
    provider: str = DEFAULT_PROVIDER,
    bank_path: str | os.PathLike[str] | None = None,
    workers: int = 1,
    growth_controllers: bool = False,
    gain_db: float = 0.0,
    normalise_lufs: float | None = None,
    transpose_semitones: int = 0,
    progress: Progress | None = None,
    warn: Warn | None = None,
) -> FloatArray:
    """Render MIDI to an array, float32 (num_frames, 2), full scale 1: the samples of `render_file` before rounding.

    Parameters are those of `render_file`, and so is what it raises.
    """
    wishes = Wishes(
        instrument=instrument,
        instruments=instruments,
        mapping=mapping,
        representation=representation,
        decoder=decoder,
        sample_rate=sample_rate,
        seed=seed,
        provider=provider,
        bank_path=_path("bank_path", bank_path),
        workers=workers,
        growth_controllers=growth_controllers,
        gain_db=gain_db,
        normalise_lufs=normalise_lufs,
        transpose_semitones=transpose_semitones,
        bit_depth="32f",
    )
    check_callable("progress", progress)
    check_callable("warn", warn)
    warn = warn or (lambda text: None)
    memory = MemorySink()
    song = _song(midi, wishes, warn)
    with closing(_open(song, wishes, False)) as ensemble:
        _render(song, wishes, ensemble, memory, {}, None, progress, warn)
    return memory.audio


def _render(
    song: Song,
    wishes: Wishes,
    ensemble: OpenSynth,
    mix: Sink,
    stems: Mapping[Stem, Sink],
    scratch_folder: Path | None,
    progress: Progress | None,
    warn: Warn,
) -> RenderReport:
    """Render into sinks, with the gain that is wished for."""
    rate = ensemble.synth.sample_rate
    if wishes.normalise_lufs is None:
        with amplified(mix, stems, wishes.gain_db, rate) as (louder, louder_stems):
            report = _play(song, wishes, ensemble, louder, louder_stems, progress, warn)
        return _completed(report, wishes, wishes.gain_db, louder.peak)
    meter = LoudnessMeter(rate)
    with ExitStack() as files:
        whole = files.enter_context(Scratch(scratch_folder))
        parts = {stem: files.enter_context(Scratch(scratch_folder)) for stem in stems}
        report = _play(song, wishes, ensemble, Both(whole, meter), parts, progress, warn)
        loudness = meter.integrated_lufs
        if not math.isfinite(loudness):
            warn("the loudness cannot be measured: silent, or shorter than 0.4 s; the gain stays 0 dB")
        gain_db = gain_to(wishes.normalise_lufs, loudness)
        with amplified(mix, stems, gain_db, rate) as (louder, louder_stems):
            for sink, scratch in [(louder, whole), *((louder_stems[stem], parts[stem]) for stem in parts)]:
                for block in scratch.blocks():
                    sink.write(block)
    return replace(_completed(report, wishes, gain_db, louder.peak), loudness_lufs=loudness + gain_db)


def _completed(report: RenderReport, wishes: Wishes, gain_db: float, peak: float) -> RenderReport:
    """Return a report with what was done to the sound of the synth, and the peak of what was written."""
    peak_dbfs = 20.0 * math.log10(peak) if peak > 0.0 else -math.inf
    return replace(report, seed=wishes.seed, bit_depth=wishes.bit_depth, gain_db=gain_db, peak_dbfs=peak_dbfs)


def _play(
    song: Song,
    wishes: Wishes,
    ensemble: OpenSynth,
    mix: Sink,
    stems: Mapping[Stem, Sink],
    progress: Progress | None,
    warn: Warn,
) -> RenderReport:
    """Render into sinks; if a worker process is lost, once more from the beginning without any."""
    if wishes.provider == "cuda" and not ensemble.on_cuda:
        warn("CUDA was asked for, but ONNX Runtime cannot use it here; running on the CPU")
    ensemble.wait_for_workers()
    rest, rests = RestSink(mix), {stem: RestSink(sink) for stem, sink in stems.items()}
    try:
        report = render_song(song, ensemble, rest, stem_writers=rests, progress=progress)
    except WorkerLost as error:
        warn(f"{error}; rendering from the beginning with one process")
        ensemble.close()
        for one in (rest, *rests.values()):
            one.begin_again()
        with closing(_open(song, replace(wishes, workers=1), bool(stems))) as alone:
            report = render_song(song, alone, rest, stem_writers=rests, progress=progress)
    if ensemble.growth is not None and ensemble.growth.why_lost:
        warn(ensemble.growth.why_lost)
    for text in report.substitutions:
        warn(f"not in the bank, played by the nearest: {text}")
    for text in report.silent_keys:
        warn(f"not in the bank, silent: {text}")
    if report.notes_left_out:
        warn(f"{report.notes_left_out} notes left out: so many began at once that they could not be told apart")
    return report


def _open(song: Song, wishes: Wishes, stems: bool) -> OpenSynth:
    alone = song.duration_s <= SHORT_SONG_S or changes_path(song, wishes.growth_controllers)
    return assemble_synth(
        instrument=wishes.instrument,
        instruments=wishes.instruments,
        mapping=wishes.mapping,
        kits_play_drums_alone=True,
        representation=wishes.representation,
        decoder=wishes.decoder,
        sample_rate=wishes.sample_rate,
        seed=wishes.seed,
        provider=wishes.provider,
        stems=stems,
        bank_path=wishes.bank_path,
        workers=min(wishes.workers, 1) if alone else wishes.workers,
        num_ports=song.num_ports,
        growth_controllers=wishes.growth_controllers,
    )


def _song(midi: MidiSource | Song, wishes: Wishes, warn: Warn) -> Song:
    """Return what to play, and tell what is odd about it."""
    song = midi if isinstance(midi, Song) else read_midi_file(midi)
    song = transpose(song, wishes.transpose_semitones)
    if not song.num_notes:
        raise UsageError(f"transposed by {wishes.transpose_semitones} semitones, no note is left")
    name = os.fspath(midi) if isinstance(midi, str | os.PathLike) else str(getattr(midi, "name", "MIDI data"))
    for text in song.warnings:
        warn(f"{name}: {text}")
    return song


def _path(name: str, value: object) -> Path | None:
    """Return an argument that is a path; `UsageError` if it is anything else."""
    if value is None and name != "out":
        return None
    if not isinstance(value, str | os.PathLike) or isinstance(value, bytes):
        raise UsageError(f"{name}: expected a path, got {value!r}")
    return Path(value)


def _scratch_folder(places: OutputPlaces) -> Path | None:
    """Return a folder where there is room for what the files will hold; None is the system's."""
    if places.mix is not None:
        return Path(os.path.realpath(places.mix)).parent
    return places.folder
