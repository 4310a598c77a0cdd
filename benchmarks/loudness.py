"""Loudness and balance of songs, against FluidSynth with the SoundFont that the instruments learned from.

    python benchmarks/loudness.py SONG.mid ... [--bank BANK] [--seconds 30] [--effects] [--json FILE]

Of each song an excerpt is played by both, from its first note on, and each of its MIDI channels alone: here a stem,
there the excerpt without the others' notes. Loudness is integrated after ITU-R BS.1770-4, by pyloudnorm. Without
--effects both are dry. FluidSynth's gain is one for all songs; levels of banks are measured at it. Channels more than
30 LU below the song are heard by nobody and left out.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import pyloudnorm

from tnca_synth.engine.arrays import FloatArray
from tnca_synth.engine.bank.bank import Bank
from tnca_synth.engine.open import assemble_synth
from tnca_synth.engine.output.sinks import MemorySink
from tnca_synth.engine.render.song import render_song
from tnca_synth.engine.render.song_facts import played_channels
from tnca_synth.midi import read_midi_file
from tnca_synth.midi.files.song import Song
from tnca_synth.midi.files.writer import encode_midi_file
from tnca_synth.midi.messages import DRUM_CHANNEL, NOTE_OFF, NOTE_ON, PROGRAM_CHANGE, is_note_start
from tnca_synth.midi.spec.general_midi import PROGRAM_NAMES
from tnca_synth.training.sources.fluidsynth import GAIN, RATE, play_song

FAINT_LU = 30.0
SONG_LIMIT_LU, CHANNEL_LIMIT_LU = 2.0, 3.0
"""What was asked for."""


@dataclass(frozen=True)
class Channel:
    """A MIDI channel of a song.

    Attributes
    ----------
    channel : 1..16
    programs : that it plays notes on
    there, here : LUFS of FluidSynth and of the bank
    """

    channel: int
    programs: tuple[int, ...]
    there: float
    here: float


@dataclass(frozen=True)
class Measured:
    """A song, LUFS of the whole, and its channels."""

    song: str
    there: float
    here: float
    channels: tuple[Channel, ...]


def excerpt(song: Song, seconds: float) -> Song:
    """Return so many seconds of a song from its first note on; what came before happens at once."""
    begin_s = next(one.time_s for one in song.messages if is_note_start(one.data))
    end_s = min(seconds, song.duration_s - begin_s)
    until = [one for one in song.messages if one.time_s < begin_s + end_s]
    kept = [one._replace(time_s=max(one.time_s - begin_s, 0.0)) for one in until]
    notes = sum(is_note_start(one.data) for one in kept)
    return replace(song, messages=kept, duration_s=end_s, num_notes=notes)


def alone(song: Song, channel: int | None) -> bytes:
    """Return a MIDI file of a song with the notes of one channel 0..15 only, or of all, ended with the song."""
    kept: list[tuple[int, bytes]] = []
    held: set[tuple[int, int]] = set()
    for one in song.messages:
        status, own = one.data[0] & 0xF0, one.data[0] & 0x0F
        is_note = status in (NOTE_ON, NOTE_OFF)
        if is_note and channel is not None and own != channel:
            continue
        if is_note:
            (held.add if is_note_start(one.data) else held.discard)((own, one.data[1]))
        kept.append((round(one.time_s * RATE), one.data))
    end = round(song.duration_s * RATE)
    kept += [(end, bytes((0xB0 | own, 64, 0))) for own in range(16)]
    kept += [(end, bytes((NOTE_OFF | own, key, 64))) for own, key in sorted(held)]
    return encode_midi_file(kept, RATE)


def loudness(audio: FloatArray) -> float:
    """Return LUFS; minus infinity for silence."""
    if len(audio) < RATE:
        audio = np.pad(audio, ((0, RATE - len(audio)), (0, 0)))
    return float(pyloudnorm.Meter(RATE).integrated_loudness(audio.astype(np.float64)))


def measure(path: Path, bank: Bank, soundfont: Path, seconds: float, effects: bool, gain: float) -> Measured:
    """Play a song here and there, whole and channel by channel."""
    song = excerpt(read_midi_file(path), seconds)
    played = played_channels(song)
    ensemble = assemble_synth(bank=bank, sample_rate=RATE, stems=True, effects=effects)
    mix, stems = MemorySink(), {(one.channel - 1,): MemorySink() for one in played}
    render_song(song, ensemble, mix, stem_writers=stems)
    ensemble.close()
    whole = loudness(play_song(alone(song, None), soundfont, gain, effects))
    channels = []
    for one in played:
        there = loudness(play_song(alone(song, one.channel - 1), soundfont, gain, effects))
        here = loudness(stems[one.channel - 1,].audio)
        channels.append(Channel(one.channel, programs_of(song, one.channel - 1), there, here))
    heard = tuple(one for one in channels if one.there > whole - FAINT_LU)
    return Measured(path.stem, whole, loudness(mix.audio), heard)


def programs_of(song: Song, channel: int) -> tuple[int, ...]:
    """Return the programs that a channel 0..15 plays notes on, in their order."""
    program, found = 0, {}
    for one in song.messages:
        if one.data[0] == PROGRAM_CHANGE | channel:
            program = one.data[1]
        elif is_note_start(one.data) and one.data[0] & 0x0F == channel:
            found[program] = None
    return tuple(found)


def name_of(channel: Channel) -> str:
    """Return what a channel plays."""
    if channel.channel == DRUM_CHANNEL + 1:
        return f"kit {channel.programs[0]}"
    return ", ".join(PROGRAM_NAMES[program] for program in channel.programs)


def main() -> None:
    """Print a row for each song and channel, and how many are within what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("songs", nargs="+", type=Path)
    parser.add_argument("--bank", type=Path)
    parser.add_argument("--soundfont", type=Path, default=Path("/usr/share/sounds/sf3/FluidR3Mono_GM.sf3"))
    parser.add_argument("--gain", type=float, default=GAIN, help=f"of FluidSynth (default: {GAIN:g}; its own is 0.2)")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--effects", action="store_true")
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    options = parser.parse_args()
    bank = Bank.load(options.bank)
    print(f"{'':42s} {'FluidSynth':>10s} {'here':>8s} {'more, LU':>8s}")
    songs = []
    for path in options.songs:
        songs.append(measure(path, bank, options.soundfont, options.seconds, options.effects, options.gain))
        for label, one in (
            (songs[-1].song, songs[-1]),
            *((f"  {c.channel:2d} {name_of(c)}", c) for c in songs[-1].channels),
        ):
            print(f"{label[:42]:42s} {one.there:10.1f} {one.here:8.1f} {one.here - one.there:8.1f}", flush=True)
    if options.json:
        options.json.write_text(json.dumps([asdict(one) for one in songs], indent=1))
    channels = [channel for song in songs for channel in song.channels]
    for label, found, limit in (("songs", songs, SONG_LIMIT_LU), ("channels", channels, CHANNEL_LIMIT_LU)):
        more = np.array([one.here - one.there for one in found])
        print(
            f"{np.sum(np.abs(more) <= limit)} of {len(more)} {label} within {limit:g} LU; mean {more.mean():.2f}, "
            f"median {np.median(more):.2f}, farthest {more[np.abs(more).argmax()]:.1f}"
        )


if __name__ == "__main__":
    main()
