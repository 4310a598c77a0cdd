"""Damage MIDI files at random, read each and perform what was read: `python benchmarks/fuzz_midi.py`.

Every file must end in a song that keeps its promises or in a `MidiFileError`, quickly. File number N of a
seed is always the same, so `--seed S --first N --count 1 --keep FOLDER` brings a culprit back. Exit status 1
on any other exception or a slow file.
"""

import argparse
import faulthandler
import json
import platform
import random
import struct
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from tnca_synth.errors import MidiFileError
from tnca_synth.midi import Interpreter, NoteCut, NoteMove, NoteRelease, NoteStart, Song, parse_midi
from tnca_synth.midi.messages import SYSTEM_EXCLUSIVE

SLOW_S: Final = 5.0
_HANG_S: Final = 60.0
_EXAMPLES: Final = Path(__file__).parents[1] / "examples"
_SHARE_OF_EXAMPLES: Final = 0.2
_NASTY: Final = (
    b"MTrk", b"MThd", b"RIFF", b"\xff\xff\xff\x7f", b"\xff\xff\xff\xff", b"\x00\xf0\x02\x01\x02",
    b"\x00\xf7\x02\x01\xf7", b"\x00\xff\x51\x03\x00\x00\x00", b"\x00\xff\x51\x03\xff\xff\xff",
    b"\x00\xff\x51\x01\x00", b"\x00\xff\x2f\x00", b"\x00\xff\x59\x02\x20\x09", b"\x00\xff\x03\x00",
    b"\x00\xff\x54\x01\xff", b"\x00\xf4", b"\x00\xff", b"\x00\xb0\x78\x00", b"\x00\xb0\x40\x7f",
    b"\x00\xb0\x42\x7f", b"\x00\xf0\x05\x7e\x7f\x09\x01\xf7", b"\x00\xf7\x01\xff", b"\x80", b"\x00",
)  # fmt: skip


@dataclass
class Report:
    """What became of the files."""

    seed: int
    count: int
    python: str = platform.python_version()
    elapsed_s: float = 0.0
    processor_s: float = 0.0
    slowest_ms: float = 0.0
    slowest_file: int = -1
    notes_started: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)


def generated_file(rng: random.Random) -> bytes:
    """Return a sound little file of random events, format and division."""
    file_format, num_tracks = rng.choice(((0, 1), (1, 1), (1, 3), (1, 6), (2, 3)))
    division = rng.choice((1, 24, 96, 480, 960, 32767, -24 * 256 + 80, -25 * 256 + 40, -29 * 256 + 80, -30 * 256 + 4))
    tracks = b"".join(_chunk(b"MTrk", _generated_track(rng)) for _ in range(num_tracks))
    data = _chunk(b"MThd", struct.pack(">HHh", file_format, num_tracks, division)) + tracks
    if rng.random() < 0.1:
        body = b"RMIDdata" + struct.pack("<L", len(data)) + data
        data = b"RIFF" + struct.pack("<L", len(body)) + body
    return data


def _generated_track(rng: random.Random) -> bytes:
    events = b"".join(_generated_event(rng) for _ in range(rng.randrange(60)))
    return events + b"\x00\xff\x2f\x00"


def _generated_event(rng: random.Random) -> bytes:
    delta = rng.choice((b"\x00", b"\x10", b"\x60", b"\x81\x00"))
    kind = rng.choice((0x80, 0x90, 0x90, 0x90, 0xA0, 0xB0, 0xB0, 0xC0, 0xD0, 0xE0, 0xF0, 0xFF))
    if kind == 0xF0:
        return delta + b"\xf0" + bytes((4, *(rng.randrange(128) for _ in range(3)), 0xF7))
    if kind == 0xFF:
        return delta + rng.choice(
            (b"\xff\x51\x03\x07\xa1\x20", b"\xff\x03\x02ab", b"\xff\x08\x01x", b"\xff\x59\x02\x00\x00")
        )
    num_bytes = 1 if kind in (0xC0, 0xD0) else 2
    # Few keys, and the controllers that do something, so that things meet.
    first = (
        rng.choice((0, 6, 7, 32, 38, 64, 66, 96, 98, 100, 101, 120, 121, 123, 126))
        if kind == 0xB0
        else rng.randrange(128)
    )
    return delta + bytes((kind | rng.choice((0, 1, 9)), first, rng.randrange(128)))[: 2 + num_bytes]


def _chunk(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack(">L", len(body)) + body


def flip_bytes(data: bytes, _other: bytes, rng: random.Random) -> bytes:
    """Change a few bytes anywhere; half of the time to data bytes, which are likelier to be read on."""
    damaged = bytearray(data)
    values = rng.choice((range(128), (0, 1, 0x7F, 0x80, 0xF0, 0xF7, 0xFF, rng.randrange(256))))
    for _ in range(min(len(data), rng.choice((1, 1, 2, 4, 16)))):
        damaged[rng.randrange(len(damaged))] = rng.choice(values)
    return bytes(damaged)


def truncate(data: bytes, _other: bytes, rng: random.Random) -> bytes:
    """Cut the end off."""
    return data[: rng.randrange(len(data) + 1)]


def splice(data: bytes, other: bytes, rng: random.Random) -> bytes:
    """Go on with another file somewhere."""
    return data[: rng.randrange(len(data) + 1)] + other[rng.randrange(len(other) + 1) :]


def lie_about_a_length(data: bytes, _other: bytes, rng: random.Random) -> bytes:
    """Change the length field of a chunk."""
    chunks = [index for index in range(len(data) - 8) if data[index : index + 4] in (b"MThd", b"MTrk", b"data")]
    if not chunks:
        return data
    position = rng.choice(chunks) + 4
    true_size = int.from_bytes(data[position : position + 4], "big")
    size = rng.choice((0, 1, 5, true_size - 1, true_size + 1, true_size * 2, 0x7FFFFFFF, 0xFFFFFFFF))
    return data[:position] + (size & 0xFFFFFFFF).to_bytes(4, "big") + data[position + 4 :]


def insert_events(data: bytes, _other: bytes, rng: random.Random) -> bytes:
    """Put odd events into a track and make its length right, so that the reader gets that far."""
    start = data.find(b"MTrk", rng.randrange(len(data) + 1))
    if start < 0:
        return data
    end = start + 8 + int.from_bytes(data[start + 4 : start + 8], "big")
    body = data[start + 8 : end]
    for _ in range(rng.choice((1, 1, 2, 5))):
        position = rng.choice((0, max(0, len(body) - 4), rng.randrange(len(body) + 1)))
        event = rng.choice((rng.choice(_NASTY), _generated_event(rng), rng.randbytes(rng.randrange(1, 9))))
        body = body[:position] + event + body[position:]
    return data[:start] + _chunk(b"MTrk", body) + data[end:]


_MUTATIONS: Final[Sequence[Callable[[bytes, bytes, random.Random], bytes]]] = (
    flip_bytes,
    truncate,
    splice,
    lie_about_a_length,
    insert_events,
    insert_events,
)


def damaged_file(seed: int, index: int, examples: Sequence[bytes]) -> bytes:
    """Return damaged file number `index` of a seed."""
    rng = random.Random(f"{seed}:{index}")
    data, other = (rng.choice(examples) if rng.random() < _SHARE_OF_EXAMPLES else generated_file(rng) for _ in range(2))
    for _ in range(rng.choice((0, 1, 1, 1, 2, 3))):
        data = rng.choice(_MUTATIONS)(data, other, rng)
    return data


def perform(data: bytes) -> tuple[str, int]:
    """Read and perform a file; return the outcome and the number of notes started.

    Raises
    ------
    AssertionError
        If a song or an error breaks its promises.
    """
    song = _song_or_error(data)
    if isinstance(song, str):
        assert song.startswith("fuzz.mid: "), song
        assert song.isprintable(), song
        return "MidiFileError", 0
    times = [message.time_s for message in song.messages]
    assert times == sorted(times), "times must not fall"
    assert 0 <= times[0] <= times[-1] <= song.duration_s <= 24 * 3600, "times must lie in the song"
    interpreter = Interpreter(song.num_ports)
    commands = [command for message in song.messages for command in interpreter.handle(message.data, message.port)]
    commands += interpreter.all_notes_off()
    started = [command.note_id for command in commands if isinstance(command, NoteStart)]
    carried = sum(isinstance(command, NoteMove) and command.is_stroke for command in commands)
    ended = [command.note_id for command in commands if isinstance(command, NoteRelease | NoteCut)]
    # SysEx may let parts of a module listen to other channels, or hear some keys alone.
    if all(message.data[0] != SYSTEM_EXCLUSIVE for message in song.messages):
        assert len(started) + carried == song.num_notes, "every note-on starts a note or carries one along"
    assert sorted(ended) == started, "every note ends once"
    return ("song with warnings" if song.warnings else "song"), len(started)


def _song_or_error(data: bytes) -> Song | str:
    try:
        return parse_midi(data, "fuzz.mid")
    except MidiFileError as error:
        return str(error)


def run(seed: int, first: int, count: int, keep: Path | None) -> Report:
    """Damage, read and perform `count` files from number `first` on; write culprits into `keep`."""
    examples = [path.read_bytes() for path in sorted(_EXAMPLES.glob("*.mid"))]
    report = Report(seed, count)
    began = time.perf_counter()
    for index in range(first, first + count):
        data = damaged_file(seed, index, examples)
        faulthandler.dump_traceback_later(_HANG_S, exit=True, file=sys.__stderr__)
        start = time.process_time()  # other work on the machine is no fault of ours
        try:
            outcome, num_notes = perform(data)
        except Exception:
            outcome, num_notes = "failure", 0
            report.failures.append(f"file {index}: {traceback.format_exc(limit=-3)}")
        took_ms = (time.process_time() - start) * 1000
        report.processor_s += took_ms / 1000
        report.notes_started += num_notes
        report.outcomes[outcome] = report.outcomes.get(outcome, 0) + 1
        if took_ms > SLOW_S * 1000:
            report.failures.append(f"file {index}: took {took_ms:.0f} ms")
        if took_ms > report.slowest_ms:
            report.slowest_ms, report.slowest_file = took_ms, index
        if keep is not None:
            (keep / f"fuzz-{seed}-{index}.mid").write_bytes(data)
    faulthandler.cancel_dump_traceback_later()
    report.elapsed_s = time.perf_counter() - began
    return report


def main() -> int:
    """Parse the options, run, print and return the exit status."""
    parser = argparse.ArgumentParser(description="Fuzz the MIDI reader and Performance.")
    parser.add_argument("--count", type=int, default=2000, help="number of files")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="number of the first file")
    parser.add_argument("--keep", type=Path, help="write every file into this folder")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    report = run(options.seed, options.first, options.count, options.keep)
    if options.json:
        print(json.dumps(asdict(report)))
    else:
        print(f"{report.count} files of seed {report.seed} in {report.elapsed_s:.1f} s")
        print(f"reading and performing them took {report.processor_s:.1f} s of processor time")
        print(f"{report.outcomes}, {report.notes_started} notes started")
        print(f"slowest {report.slowest_ms:.1f} ms, file {report.slowest_file}")
        print("\n".join(report.failures) or "no failures")
    return 1 if report.failures else 0


if __name__ == "__main__":
    sys.exit(main())
