"""One key of an instrument at several velocities, as sound files with loops."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from ...engine.arrays import FloatArray
from ...engine.output.audiofile import AudioWriter
from ...engine.render.file import render
from ...errors import TncaError
from ...midi.files.song import Song, TimedMessage
from ...midi.messages import CHORUS_SEND, DRUM_CHANNEL, REVERB_SEND, control_change, note_off, note_on, program_change
from .loops import Loop, crossfade, find_loop, level_db, release_s

DECAY_S: Final = 12.0
"""So long a note is held that does not last: most have died away by then."""
LET_GO_S: Final = 1.0
"""When such a note is let go to hear how fast it fades: later there might be nothing left of it."""


class KeyTask(NamedTuple):
    """A key to render.

    Attributes
    ----------
    key, velocities : what to play
    hold_s : how long a note that lasts is held
    instrument : what plays it; None for a kit of the bank, which its program chooses
    program, is_drums : of it
    name, folder, suffix : of the files
    """

    key: int
    velocities: tuple[int, ...]
    hold_s: float
    instrument: str | None
    program: int
    is_drums: bool
    name: str
    folder: str
    suffix: str
    sample_rate: int
    bit_depth: str
    seed: int
    bank: str | None
    representation: str | None
    decoder: str | None


class Sample(NamedTuple):
    """A note in a file.

    Attributes
    ----------
    file : its name
    key, velocity : as played
    level_db : of its loudest moment
    loop : while it is held, if it lasts
    release_s : how long a sampler should let it fade
    """

    file: str
    key: int
    velocity: int
    level_db: float
    loop: Loop | None
    release_s: float


class KeySamples(NamedTuple):
    """What came of a key; `failure` says why there is nothing."""

    samples: list[Sample]
    failure: str = ""


def render_key(task: KeyTask) -> KeySamples:
    """Write the samples of a key; one that makes no sound has none."""
    try:
        return KeySamples([one for velocity in task.velocities if (one := _render_note(task, velocity)) is not None])
    except (TncaError, OSError) as error:
        return KeySamples([], str(error))


def _render_note(task: KeyTask, velocity: int) -> Sample | None:
    rate = task.sample_rate
    audio, release = played_note(task, velocity, task.hold_s)
    loop = None if task.is_drums else find_loop(audio.mean(axis=1), rate, release)
    if loop is None:
        let_go, at = played_note(task, velocity, LET_GO_S)
        fading_s = release_s(let_go.mean(axis=1), rate, at)
        audio, _ = played_note(task, velocity, DECAY_S)
    else:
        fading_s = release_s(audio.mean(axis=1), rate, release)
        audio = crossfade(audio, rate, loop)
    mono = audio.mean(axis=1)
    if not np.any(mono):
        return None
    file = f"{task.name}-{task.key:03}-v{velocity:03}{task.suffix}"
    path = Path(task.folder, file)
    with AudioWriter(path, rate, bit_depth=task.bit_depth, seed=task.seed) as writer:
        writer.write(audio)
    if task.suffix == ".wav":
        append_smpl(path, task.key, rate, loop)
    return Sample(file, task.key, velocity, level_db(mono, rate), loop, fading_s)


def played_note(task: KeyTask, velocity: int, hold_s: float) -> tuple[FloatArray, int]:
    """Return the sound of a note, dry, float32 (N, 2), and the frame at which it is let go."""
    channel = DRUM_CHANNEL if task.is_drums else 0
    messages = [
        (0.0, control_change(channel, REVERB_SEND, 0)),
        (0.0, control_change(channel, CHORUS_SEND, 0)),
        (0.0, program_change(channel, task.program)),
        (0.0, note_on(channel, task.key, velocity)),
        (hold_s, note_off(channel, task.key)),
    ]
    song = Song([TimedMessage(time_s, 0, data) for time_s, data in messages], hold_s, 0, 1, [""], [])
    audio = render(
        song,
        instrument=task.instrument,
        representation=task.representation,
        decoder=task.decoder,
        sample_rate=task.sample_rate,
        seed=task.seed,
        provider="cpu",
        bank_path=task.bank,
    )
    return audio, round(hold_s * task.sample_rate)


def append_smpl(path: Path, key: int, rate: int, loop: Loop | None) -> None:
    """Tell in a WAV file, which is to be complete, its key and its loop, as samplers read them ("smpl" chunk)."""
    loops = b"" if loop is None else struct.pack("<6I", 0, 0, loop.start, loop.end, 0, 0)
    head = struct.pack("<9I", 0, 0, round(1e9 / rate), key, 0, 0, 0, len(loops) // 24, 0)
    chunk = struct.pack("<4sI", b"smpl", len(head + loops)) + head + loops
    with path.open("r+b") as file:
        size = file.seek(0, 2)
        file.write(b"\0" * (size % 2) + chunk)
        file.seek(4)
        file.write(struct.pack("<I", size + size % 2 + len(chunk) - 8))
