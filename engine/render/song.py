"""Rendering faster than real time: a song goes in, a sound file comes out, and no more than a block is in memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from time import perf_counter
from typing import Final

import numpy as np

from ...errors import ModelError, UsageError
from ...midi.files.song import Song
from ...midi.messages import (
    ALL_NOTES_OFF,
    ALL_SOUND_OFF,
    NUM_CHANNELS,
    SOSTENUTO,
    SUSTAIN,
    control_change,
    is_note_start,
)
from ..arrays import FloatArray
from ..names import DEFAULT_BIT_DEPTH
from ..open import OpenSynth
from ..output.sinks import Sink, Stem
from .song_facts import PlayedChannel, played_channels

BLOCK_FRAMES: Final = 8192
FORESIGHT_S: Final = 24.0
"""How much of the song the synth is told in advance: two of its stretches."""
TAIL_LIMIT_S: Final = 30.0
# A tail cut off by its limit fades out within this time, and its reverb rings out.
_FADE_LIMIT_S: Final = 2.5

Progress = Callable[[float, float], None]
"""Called with (seconds rendered, seconds expected) after every block."""


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
    representation, decoder : str
        What grew and what sounded the notes of channels that chose nothing else.
    sample_rate : int
        In Hz.
    notes_left_out : int
        Notes not played because more began at once than anyone hears; see `engine.events.crowd`.
    seed : int
        Root of all chance.
    bit_depth : str
        Of the file: "16", "24" or "32f".
    gain_db : float
        What the synth's sound was raised by.
    loudness_lufs : float or None
        Integrated loudness (ITU-R BS.1770) of what was written, before limiting; None unless it was asked for.
    stems : tuple of str
        Paths of the stem files.
    core : str
        What grew the voices: "kernel", compiled, or "numpy".
    channels : tuple of PlayedChannel
        The MIDI channels that played, in the order of the stems.
    why_provider : str
        Why "auto" chose the provider, where there was a GPU; else "".
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
    representation: str
    decoder: str
    sample_rate: int
    notes_left_out: int = 0
    seed: int = 0
    bit_depth: str = DEFAULT_BIT_DEPTH
    gain_db: float = 0.0
    loudness_lufs: float | None = None
    stems: tuple[str, ...] = ()
    core: str = "numpy"
    channels: tuple[PlayedChannel, ...] = ()
    silent_keys: tuple[str, ...] = ()
    why_provider: str = ""


def render_song(
    song: Song,
    ensemble: OpenSynth,
    writer: Sink,
    *,
    stem_writers: Mapping[Stem, Sink] | None = None,
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
    stem_writers : mapping of Stem to Sink, optional
        Take the sound of MIDI channels, summed and unlimited; the synth must keep stems.

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
    timeline = Timeline(song, rate, tail_limit_s)
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
        instruments=ensemble.selection.instruments,
        substitutions=synth.substitutions,
        silent_keys=synth.silent_keys,
        provider=ensemble.provider if ensemble.growth is None else ensemble.growth.provider,
        why_provider=ensemble.why_provider,
        core=ensemble.core,
        channels=played_channels(song),
        representation=ensemble.representation,
        decoder=ensemble.decoder,
        sample_rate=rate,
        notes_left_out=synth.notes_left_out,
    )


class Timeline:
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


def _render_block(ensemble: OpenSynth, writer: Sink, stem_writers: Mapping[Stem, Sink] | None, foresight: int) -> float:
    """Render and write one block; return its largest absolute value."""
    stems: Mapping[Stem, FloatArray] = {}
    if stem_writers:
        mix, all_stems = ensemble.synth.render_stems(BLOCK_FRAMES, foresight)
        stems = {stem: all_stems[list(stem)].sum(axis=0) for stem in stem_writers}
    else:
        mix = ensemble.synth.render(BLOCK_FRAMES, foresight)
    peak = float(np.abs(mix).max())
    if not math.isfinite(peak):
        raise ModelError("the synth rendered samples that are not numbers; the bank may be damaged")
    writer.write(mix)
    for stem, stem_writer in (stem_writers or {}).items():
        stem_writer.write(stems[stem])
    return peak
