"""Songs to measure with, made by chance: drums and 8 parts, 2 to 3 minutes each.

python benchmarks/made_songs.py SONGS --number 40
"""

from __future__ import annotations

import argparse
import itertools
import random
from collections.abc import Callable
from pathlib import Path

from tnca_synth.midi.files.writer import encode_midi_file
from tnca_synth.midi.messages import control_change, note_off, note_on, program_change

RATE = 960
PROGRESSIONS = ([0, 7, 9, 5], [9, 5, 0, 7], [0, 9, 5, 7], [0, 5, 7, 7], [2, 7, 0, 9])
PROGRAMS = (
    (33, 34, 32, 38), (0, 1, 4, 5), (24, 25, 27, 28), (48, 49, 50, 52), (40, 41, 73, 71), (56, 61, 57, 65),
    (80, 81, 87, 75), (88, 89, 11, 46),
)  # fmt: skip
Messages = list[tuple[int, bytes]]


def song(seed: int, minutes: float | None = None) -> bytes:
    """Return a song as a MIDI file: drums and bass, piano, guitar, strings, melody, brass, lead and arpeggio."""
    chance = random.Random(seed)
    beat = RATE * 60 // chance.randint(88, 138)
    bars = round((minutes or chance.uniform(2.0, 3.0)) * 60 * RATE / (4 * beat))
    density = chance.uniform(0.25, 0.75)  # 3 to 10 held notes on average, as in songs that people have written
    root, progression = chance.randint(0, 11), chance.choice(PROGRESSIONS)
    messages: Messages = []
    for channel, programs in enumerate(PROGRAMS):
        messages.append((0, program_change(channel, chance.choice(programs))))
        messages.append((0, control_change(channel, 7, chance.randint(70, 110))))
        messages.append((0, control_change(channel, 10, chance.randint(20, 107))))
    for bar in range(bars):
        begin, chord = 4 * beat * bar, root + progression[bar % 4]
        minor = progression[bar % 4] in (2, 9)
        triad = [chord, chord + (3 if minor else 4), chord + 7]
        playing = [part for part in range(8) if part == 0 or chance.random() < density]
        for part in playing:
            messages += PARTS[part](chance, part, begin, beat, triad)
        messages += drums(chance, begin, beat)
    return encode_midi_file(messages, RATE)


def struck(channel: int, begin: int, length: int, key: int, velocity: int) -> Messages:
    return [(begin, note_on(channel, key, velocity)), (begin + max(length, 1), note_off(channel, key))]


def bass(chance: random.Random, channel: int, begin: int, beat: int, triad: list[int]) -> Messages:
    keys = [28 + triad[chance.choice((0, 0, 2))] % 12 for _ in range(8)]
    return [
        one for i, key in enumerate(keys) for one in struck(channel, begin + i * beat // 2, beat * 4 // 10, key, 90)
    ]


def chords(chance: random.Random, channel: int, begin: int, beat: int, triad: list[int]) -> Messages:
    base = {1: 48, 2: 52, 3: 55}[channel]
    times = [0, 4 * beat] if channel == 3 else [0, beat, 2 * beat, 3 * beat, 4 * beat]
    made: Messages = []
    for start, stop in itertools.pairwise(times):
        for tone in triad:
            made += struck(channel, begin + start, (stop - start) * 9 // 10, base + tone % 12, chance.randint(55, 85))
    return made


def melody(chance: random.Random, channel: int, begin: int, beat: int, triad: list[int]) -> Messages:
    made: Messages = []
    at = 0
    while at < 4 * beat:
        length = beat * chance.choice((1, 1, 2, 3)) // 2
        if chance.random() < 0.75:
            key = 60 + chance.choice((0, 12)) + (chance.choice(triad) + chance.choice((0, 0, 2))) % 12
            made += struck(channel, begin + at, min(length, 4 * beat - at) * 9 // 10, key, chance.randint(65, 110))
        at += length
    return made


def arpeggio(chance: random.Random, channel: int, begin: int, beat: int, triad: list[int]) -> Messages:
    keys = [60 + triad[i % 3] % 12 + 12 * (i // 3 % 2) for i in range(8)]
    return [one for i, key in enumerate(keys) for one in struck(channel, begin + i * beat // 2, beat // 2, key, 70)]


def drums(chance: random.Random, begin: int, beat: int) -> Messages:
    made: Messages = []
    for eighth in range(8):
        at = begin + eighth * beat // 2
        made += struck(9, at, beat // 8, chance.choice((42, 42, 42, 46)), chance.randint(50, 90))
        if eighth % 4 == 0:
            made += struck(9, at, beat // 8, 36, 100)
        if eighth % 4 == 2:
            made += struck(9, at, beat // 8, 38, 95)
    return made


PARTS: dict[int, Callable[[random.Random, int, int, int, list[int]], Messages]] = {
    0: bass, 1: chords, 2: chords, 3: chords, 4: melody, 5: melody, 6: melody, 7: arpeggio,
}  # fmt: skip


def main() -> None:
    """Write songs into a folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--number", type=int, default=200)
    parser.add_argument("--minutes", type=float, help="of each (default: 2 to 3)")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    for seed in range(arguments.number):
        (arguments.folder / f"song-{seed:03}.mid").write_bytes(song(seed, arguments.minutes))


if __name__ == "__main__":
    main()
