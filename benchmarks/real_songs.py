"""Songs to measure with, made of real ones: pieces of one length, copies, or one long song.

    python benchmarks/real_songs.py cut FOLDER OUT --songs 200 --seconds 60
    python benchmarks/real_songs.py copy FOLDER OUT --songs 200
    python benchmarks/real_songs.py join SOURCE OUT.mid --minutes 60

A piece begins with what the song has set by then: programs, controllers, SysEx. Pieces without notes are left out.
The songs of a folder, or one, are joined one after the other, again and again, each after a General MIDI reset.
Copies differ in a message that means nothing: so `render-corpus` gives each a seed of its own, and varies it by that.
"""

from __future__ import annotations

import argparse
from contextlib import suppress
from itertools import count, cycle, islice
from pathlib import Path

from tnca_synth.errors import MidiFileError
from tnca_synth.midi.files.song import Song, read_midi_file
from tnca_synth.midi.files.writer import encode_midi_file
from tnca_synth.midi.messages import NOTE_OFF, NOTE_ON, is_note_start

RATE = 960
LEAST_NOTES = 20
NOBODYS = 0x7D
"""The maker of SysEx that is for no instrument."""
GM_ON = bytes([0xF0, 0x7E, 0x7F, 0x09, 0x01, 0xF7])
Messages = list[tuple[int, bytes]]


def is_note(data: bytes) -> bool:
    """Tell whether a message starts or ends a note."""
    return data[0] & 0xF0 in (NOTE_ON, NOTE_OFF)


def piece(song: Song, start_s: float, length_s: float) -> Messages:
    """Return the messages of a piece of the first port of a song; notes that sounded before are not in it."""
    made: Messages = []
    for message in song.messages:
        frame = round((message.time_s - start_s) * RATE)
        if message.port == 0 and frame < length_s * RATE and (frame >= 0 or not is_note(message.data)):
            made.append((max(frame, 0), message.data))
    return made


def songs_of(source: Path) -> dict[str, Song]:
    """Return the songs of a folder, or the one of a file, by name; files that cannot be read are left out."""
    read: dict[str, Song] = {}
    for path in sorted(source.rglob("*.mid")) if source.is_dir() else [source]:
        with suppress(MidiFileError):
            read[path.stem.replace(" ", "-")] = read_midi_file(path)
    return read


def cut(folder: Path, out: Path, songs: int, seconds: float) -> int:
    """Write pieces of the songs of a folder: the first of each, then the second of each; return how many."""
    read = songs_of(folder)
    out.mkdir(parents=True, exist_ok=True)
    made = 0
    for index in count():
        left = {name: song for name, song in read.items() if song.duration_s >= (index + 0.5) * seconds}
        for name, song in left.items():
            messages = piece(song, index * seconds, seconds)
            if made < songs and sum(is_note_start(data) for _, data in messages) >= LEAST_NOTES:
                (out / f"{name}-{index:02}.mid").write_bytes(encode_midi_file(messages, RATE))
                made += 1
        if made == songs or not left:
            return made
    raise AssertionError


def copy(folder: Path, out: Path, songs: int) -> int:
    """Write the songs of a folder, and again, until there are so many; return how many."""
    out.mkdir(parents=True, exist_ok=True)
    for number, (name, song) in enumerate(islice(cycle(songs_of(folder).items()), songs)):
        messages = [(0, bytes([0xF0, NOBODYS, *divmod(number, 128), 0xF7])), *piece(song, 0.0, song.duration_s)]
        (out / f"{name}-{number:03}.mid").write_bytes(encode_midi_file(messages, RATE))
    return len(list(out.glob("*.mid")))


def joined(songs: list[Song], minutes: float) -> bytes:
    """Return songs one after the other, and again, until they fill some minutes."""
    made: Messages = []
    start_s = 0.0
    for song in cycle(songs):
        if start_s >= 60.0 * minutes:
            return encode_midi_file(made, RATE)
        start = round(start_s * RATE)
        made += [(start, GM_ON), *((start + frame, data) for frame, data in piece(song, 0.0, song.duration_s))]
        start_s += song.duration_s
    raise AssertionError


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("cut", "copy", "join"))
    parser.add_argument("source", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--songs", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--minutes", type=float, default=60.0)
    arguments = parser.parse_args()
    if arguments.what == "cut":
        print(f"{cut(arguments.source, arguments.out, arguments.songs, arguments.seconds)} pieces")
    elif arguments.what == "copy":
        print(f"{copy(arguments.source, arguments.out, arguments.songs)} songs")
    else:
        arguments.out.write_bytes(joined(list(songs_of(arguments.source).values()), arguments.minutes))


if __name__ == "__main__":
    main()
