"""Rendering faster than real time: a song goes in, a sound file comes out, and no more than a block is in memory."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from time import perf_counter
from typing import Final, Protocol

import numpy as np

from ..errors import AudioFileError, ModelError, UsageError
from ..midi.file import Song, read_midi_file
from ..midi.messages import (
    ALL_NOTES_OFF,
    ALL_SOUND_OFF,
    NUM_CHANNELS,
    SOSTENUTO,
    SUSTAIN,
    control_change,
    is_note_start,
)
from .audiofile import AudioWriter
from .choices import DEFAULT_PROVIDER, DEFAULT_SAMPLE_RATE
from .ensemble import Ensemble, open_ensemble
from .song_facts import PlayedChannel, changes_path, played_channels
from .spectral import FloatArray

BLOCK_FRAMES: Final = 8192
SHORT_SONG_S: Final = 10.0
"""Shorter ones are done before helpers are ready."""
FORESIGHT_S: Final = 24.0
"""How much of the song the synth is told in advance: two of its stretches."""
TAIL_LIMIT_S: Final = 30.0
# A tail cut off by its limit fades out within this time, and its reverb rings out.
_FADE_LIMIT_S: Final = 2.5

Progress = Callable[[float, float], None]
"""Called with (seconds rendered, seconds expected) after every block."""


class Sink(Protocol):
    """What takes audio block by block, such as an `AudioWriter`."""

    def write(self, block: FloatArray) -> None:
        """Append a block, float32 (N, 2)."""
        ...


@dataclass(frozen=True)
class RenderReport:
    """What a rendering was like.

    Attributes
    ----------
    audio_seconds : float
        Length of the sound.
    render_seconds : float
        Time it took, from the first message to the last sample, without loading models.
    rtf : float
        `render_seconds` / `audio_seconds`; below 1 is faster than real time.
    notes : int
        Notes played.
    peak_voices : int
        Most notes that sounded at once.
    peak_dbfs : float
        Largest sample relative to full scale; minus infinity for silence.
    instruments : tuple of str
        Names of the instruments that played, in order of appearance.
    substitutions : tuple of str
        Instruments that stand in for others, each once: "Wanted Program: Playing Instrument".
    silent_keys : tuple of str
        Drums that were struck and have no sound, each once.
    provider : str
        Execution provider that the models really ran on: "cpu" or "cuda".
    stems : tuple of str
        Paths of the stem files.
    channels : tuple of PlayedChannel
        The MIDI channels that played, in the order of the stems.
    """

    audio_seconds: float
    render_seconds: float
    rtf: float
    notes: int
    peak_voices: int
    peak_dbfs: float
    instruments: tuple[str, ...]
    substitutions: tuple[str, ...]
    provider: str
    stems: tuple[str, ...] = ()
    channels: tuple[PlayedChannel, ...] = ()
    silent_keys: tuple[str, ...] = ()


def render_file(
    midi_path: str | os.PathLike[str],
    out_path: str | os.PathLike[str],
    *,
    instrument: str | int | None = None,
    representation: str | None = None,
    decoder: str | None = None,
    sample_rate: int = DEFAULT_SAMPLE_RATE,
    seed: int = 0,
    provider: str = DEFAULT_PROVIDER,
    stems_dir: str | os.PathLike[str] | None = None,
    bank_path: str | os.PathLike[str] | None = None,
    workers: int = 1,
    growth_controllers: bool = False,
    progress: Progress | None = None,
    warn: Callable[[str], None] | None = None,
) -> RenderReport:
    """Render a MIDI file to a WAV or FLAC file, which appears only when it is complete.

    Parameters
    ----------
    midi_path, out_path : path-like
        The suffix of `out_path` names its format.
    stems_dir : path-like, optional
        Folder for one more file per MIDI channel that plays, made if missing; a second port has `channel-17` and so
        on. Stems are what the channels sound
        like before the limiter.
    progress : callable, optional
        Called with (seconds rendered, seconds expected) after every block.
    warn : callable, optional
        Called with one line of text for what is odd but no reason to stop.
    instrument, representation, decoder, sample_rate, seed, provider, bank_path, workers, growth_controllers
        See `engine.ensemble.open_ensemble`. The samples are the same for any number of workers: a song that changes
        its path by controller, which moves sounding notes, is rendered by one.

    Raises
    ------
    MidiFileError, UsageError, BankError, ModelError, AudioFileError
        One line each; nothing is left half-written.
    """
    out = Path(out_path)
    song = read_midi_file(midi_path)
    if out.exists() and out.samefile(midi_path):
        raise UsageError(f"the output {str(out)!r} is the MIDI file itself; name another file")
    ensemble = open_ensemble(
        instrument=instrument,
        representation=representation,
        decoder=decoder,
        sample_rate=sample_rate,
        seed=seed,
        provider=provider,
        stems=stems_dir is not None,
        bank_path=None if bank_path is None else Path(bank_path),
        workers=1 if changes_path(song, growth_controllers) else workers,
        num_ports=song.num_ports,
        growth_controllers=growth_controllers,
    )
    with closing(ensemble):
        warn = warn or (lambda text: None)
        for text in song.warnings:
            warn(f"{os.fspath(midi_path)}: {text}")
        if provider == "cuda" and not ensemble.on_cuda:
            warn("CUDA was asked for, but ONNX Runtime cannot use it here; running on the CPU")
        if song.duration_s > SHORT_SONG_S:
            ensemble.wait_for_helpers()
        report = _render_to_files(song, ensemble, out, None if stems_dir is None else Path(stems_dir), progress, warn)
    for text in report.substitutions:
        warn(f"not in the bank, played by the nearest: {text}")
    for text in report.silent_keys:
        warn(f"not in the bank, silent: {text}")
    return report


def render_song(
    song: Song,
    ensemble: Ensemble,
    writer: Sink,
    *,
    stem_writers: Mapping[int, Sink] | None = None,
    progress: Progress | None = None,
    tail_limit_s: float = TAIL_LIMIT_S,
) -> RenderReport:
    """Play a song into a writer, until its last note has died away.

    Notes that the song leaves sounding are released where it ends, and at latest `tail_limit_s` after its last
    message; what still sounds `tail_limit_s` after that is faded out. So every song ends.

    Parameters
    ----------
    song : Song
    ensemble : Ensemble
        A fresh one, that has not played yet.
    writer : Sink
        Takes the mix, float32 (N, 2) at the synth's sample rate.
    stem_writers : mapping of int to Sink, optional
        Take the sound of MIDI channels (0..15, of a second port 16..31), unlimited; the synth must keep stems.

    Raises
    ------
    UsageError
        If the song has more MIDI ports than the synth.
    ModelError
        If a model gives NaN or infinity.
    """
    started = perf_counter()
    synth, rate = ensemble.synth, ensemble.synth.sample_rate
    if song.num_ports > synth.num_ports:
        raise UsageError(f"the song has {song.num_ports} MIDI ports, the synth {synth.num_ports}: see num_ports")
    timeline = _Timeline(song, rate, tail_limit_s)
    foresight = math.ceil(FORESIGHT_S * rate)
    messages = timeline.messages()
    due = next(messages, None)
    peak = 0.0
    is_over = False
    while not is_over:
        horizon = synth.frame + BLOCK_FRAMES + foresight + synth.latency_frames
        while due is not None and due[0] < horizon:
            synth.send(due[1], due[0], due[2])
            due = next(messages, None)
        peak = max(peak, _render_block(ensemble, writer, stem_writers, foresight))
        if progress is not None:
            progress(min(synth.frame, timeline.end_frame) / rate, timeline.end_frame / rate)
        is_over = synth.frame > timeline.last_note_frame and (synth.silent or synth.frame >= timeline.stop_frame)
    audio_s, render_s = synth.frame / rate, perf_counter() - started
    return RenderReport(
        audio_seconds=audio_s,
        render_seconds=render_s,
        rtf=render_s / audio_s if audio_s else math.inf,
        notes=synth.notes_started,
        peak_voices=synth.peak_voices,
        peak_dbfs=20.0 * math.log10(peak) if peak > 0 else -math.inf,
        instruments=ensemble.casting.instruments,
        substitutions=synth.substitutions,
        silent_keys=synth.silent_keys,
        provider=ensemble.provider,
        channels=played_channels(song),
    )


class _Timeline:
    """When a song's messages are due, and when its rendering must end."""

    def __init__(self, song: Song, sample_rate: int, tail_limit_s: float) -> None:
        self._song = song
        self._rate = sample_rate
        last_s = song.messages[-1].time_s if song.messages else 0.0
        end_s = min(song.duration_s, last_s + tail_limit_s)
        last_note_s = next((m.time_s for m in reversed(song.messages) if is_note_start(m.data)), 0.0)
        # Nothing can begin to sound after the last note, whatever else may follow.
        self.last_note_frame = round(last_note_s * sample_rate)
        self.end_frame = round(max(end_s, last_s) * sample_rate)
        self.cut_frame = self.end_frame + round(tail_limit_s * sample_rate)
        self.stop_frame = self.cut_frame + round(_FADE_LIMIT_S * sample_rate)

    def messages(self) -> Iterator[tuple[int, bytes, int]]:
        """Give (frame, data, port) in time: the song, then the release of all notes, then their cut."""
        for message in self._song.messages:
            yield round(message.time_s * self._rate), message.data, message.port
        for port, channel in product(range(self._song.num_ports), range(NUM_CHANNELS)):
            for controller in (SUSTAIN, SOSTENUTO, ALL_NOTES_OFF):
                yield self.end_frame, control_change(channel, controller, 0), port
        for port, channel in product(range(self._song.num_ports), range(NUM_CHANNELS)):
            yield self.cut_frame, control_change(channel, ALL_SOUND_OFF, 0), port


def _render_block(ensemble: Ensemble, writer: Sink, stem_writers: Mapping[int, Sink] | None, foresight: int) -> float:
    """Render and write one block; return its largest absolute value."""
    stems: Mapping[int, FloatArray] = {}
    if stem_writers:
        mix, all_stems = ensemble.synth.render_stems(BLOCK_FRAMES, foresight)
        stems = {channel: all_stems[channel] for channel in stem_writers}
    else:
        mix = ensemble.synth.render(BLOCK_FRAMES, foresight)
    peak = float(np.abs(mix).max())
    if not math.isfinite(peak):
        raise ModelError("the synth rendered samples that are not numbers; the bank may be damaged")
    writer.write(mix)
    for channel, stem_writer in (stem_writers or {}).items():
        stem_writer.write(stems[channel])
    return peak


@contextmanager
def _folder(path: Path) -> Iterator[None]:
    """Have a folder; one made here goes again if an exception ends the block and it is empty."""
    try:
        is_new = not path.exists()
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise AudioFileError(f"cannot make the folder {str(path)!r}: {error.strerror}") from error
    try:
        yield
    except BaseException:
        if is_new:
            with suppress(OSError):
                path.rmdir()
        raise


def _render_to_files(
    song: Song,
    ensemble: Ensemble,
    out: Path,
    stems_dir: Path | None,
    progress: Progress | None,
    warn: Callable[[str], None],
) -> RenderReport:
    rate = ensemble.synth.sample_rate
    max_frames = _Timeline(song, rate, TAIL_LIMIT_S).stop_frame + BLOCK_FRAMES
    with ExitStack() as files:
        writer = files.enter_context(AudioWriter(out, rate, max_frames=max_frames))
        stem_writers: dict[int, AudioWriter] | None = None
        if stems_dir is not None:
            files.enter_context(_folder(stems_dir))
            stem_writers = {
                played.number - 1: files.enter_context(
                    AudioWriter(stems_dir / f"channel-{played.number:02}{out.suffix}", rate, max_frames=max_frames)
                )
                for played in played_channels(song)
            }
        report = render_song(song, ensemble, writer, stem_writers=stem_writers, progress=progress)
    stems = (stem_writers or {}).values()
    for stem in stems:
        if stem.peak > 1.0:
            warn(f"{stem.path} is {20.0 * math.log10(stem.peak):.1f} dB over full scale and clipped there")
    return replace(report, stems=tuple(str(stem.path) for stem in stems))
