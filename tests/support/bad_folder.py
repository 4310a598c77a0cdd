"""A folder of notes of which some are of no use, each in another way."""

from __future__ import annotations

import os
import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile

RATE = 22050
LOWEST, HIGHEST = 36, 95
NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")


def name_of(key: int) -> str:
    return f"{NAMES[key % 12]}{key // 12 - 1}"


def note(key: float, seconds: float = 1.0, level: float = 0.3, seed: int = 0) -> np.ndarray:
    """Return a plucked tone with a little noise, float32 (N,) at `RATE`."""
    time = np.arange(int(seconds * RATE)) / RATE
    hz = 440 * 2 ** ((key - 69) / 12)
    partials = [h for h in range(1, 9) if h * hz < 0.45 * RATE]
    phases = np.random.default_rng(seed).uniform(0, 2 * np.pi, len(partials))
    sound = sum(np.sin(2 * np.pi * hz * h * time + p) / h for h, p in zip(partials, phases, strict=True))
    noise = 1e-4 * np.random.default_rng(seed + 1).standard_normal(len(time))
    return (level * sound * np.exp(-2.0 * time / seconds) * np.minimum(1, time / 0.003) + noise).astype(np.float32)


def _write(path: Path, audio: np.ndarray, **options: object) -> None:
    soundfile.write(path, audio, RATE, **options)


def _silent(path: Path, key: int) -> None:
    _write(path, np.zeros(RATE, np.float32))


def _clipped(path: Path, key: int) -> None:
    _write(path, np.clip(8 * note(key), -1, 1))


def _wrong_name(path: Path, key: int) -> None:
    _write(path, note(key + 5, seed=key))


def _not_audio(path: Path, key: int) -> None:
    path.write_text("This is a text, whatever its name says.\n" * 40)


def _no_bytes(path: Path, key: int) -> None:
    path.write_bytes(b"")


def _wav_header(path: Path, rate: int, channels: int, claimed: int, body: bytes) -> None:
    fmt = struct.pack("<HHIIHH", 1, channels, rate, (rate * channels * 2) & 0xFFFFFFFF, (channels * 2) & 0xFFFF, 16)
    path.write_bytes(
        b"RIFF" + struct.pack("<I", claimed) + b"WAVEfmt " + struct.pack("<I", 16) + fmt + b"data"
        + struct.pack("<I", claimed) + body
    )  # fmt: skip


def _huge_length(path: Path, key: int) -> None:
    body = (32767 * note(key)).astype("<i2").tobytes()
    _wav_header(path, RATE, 1, 0x10000000, body[: len(body) // 4])


def _huge_channels(path: Path, key: int) -> None:
    _wav_header(path, 192000, 65535, 0x7FFFFF00, b"\0" * 4096)


def _huge_rate(path: Path, key: int) -> None:
    _wav_header(path, 0xFFFFFFF0, 1, 4096, b"\1\2" * 2048)


def _linked_to_itself(path: Path, key: int) -> None:
    path.symlink_to(path.name)


def _linked_to_nothing(path: Path, key: int) -> None:
    path.symlink_to("nowhere.wav")


def _folder_of_itself(path: Path, key: int) -> None:
    path.mkdir()
    (path / "again").symlink_to("..", target_is_directory=True)


def _empty_folder(path: Path, key: int) -> None:
    path.mkdir()


def _pipe(path: Path, key: int) -> None:
    os.mkfifo(path)


def _two_notes(path: Path, key: int) -> None:
    _write(path, np.concatenate([note(key, 0.9), np.zeros(RATE // 3, np.float32), note(key + 4, 0.9)]))


def _legato(path: Path, key: int) -> None:
    _write(path, np.concatenate([note(key, 3.0)[: RATE // 2], note(key + 3, 3.0)[: RATE // 2]]))


def _not_numbers(path: Path, key: int) -> None:
    audio = note(key)
    audio[100:200] = np.nan
    _write(path, audio, subtype="FLOAT")


def _too_short(path: Path, key: int) -> None:
    _write(path, note(key)[:400])


def _cut_off(path: Path, key: int) -> None:
    _write(path, note(key))
    path.write_bytes(path.read_bytes()[:9000])


def _offset(path: Path, key: int) -> None:
    _write(path, np.full(RATE, 0.25, np.float32))  # a constant offset is no sound


FAULTS: dict[str, tuple[str, Callable[[Path, int], None]]] = {
    "silent": ("silent", _silent), "clipped": ("clipped", _clipped), "wrong name": ("wrong name", _wrong_name),
    "not audio": ("unreadable", _not_audio), "no bytes": ("unreadable", _no_bytes),
    "huge length": ("unreadable", _huge_length), "huge channels": ("unreadable", _huge_channels),
    "huge rate": ("unreadable", _huge_rate), "linked to itself": ("unreadable", _linked_to_itself),
    "linked to nothing": ("unreadable", _linked_to_nothing), "folder of itself": ("folder", _folder_of_itself),
    "empty folder": ("folder", _empty_folder), "pipe": ("unreadable", _pipe), "two notes": ("two notes", _two_notes),
    "legato": ("two notes", _legato), "not numbers": ("damaged", _not_numbers),
    "too short": ("too short", _too_short), "cut off": ("unreadable", _cut_off), "offset": ("silent", _offset),
}  # fmt: skip
"""Ways for a file to be of no use: the kind of the reason that it is left out for, and what makes it so."""


def make(folder: Path, count: int, bad_share: float = 0.3) -> tuple[dict[str, str], int]:
    """Fill a folder with `count` files.

    Good ones are mono or stereo, some with opposed audio channels, WAV, FLAC, AIFF and OGG, of four layers and further
    repeats.

    Returns
    -------
    bad : name -> kind of the reason that is expected
    good : how many notes are of use
    """
    folder.mkdir(parents=True, exist_ok=True)
    kinds = list(FAULTS)
    num_bad = round(bad_share * count)
    bad = {}
    for i in range(count):
        key, layer, repeat = LOWEST + i % 60, 1 + i // 60 % 4, 1 + i // 240
        stem = f"Box_{name_of(key)}_v{layer}_rr{repeat}"
        if i * num_bad // count != (i + 1) * num_bad // count:
            kind, write = FAULTS[kinds[len(bad) % len(kinds)]]
            write(folder / f"{stem}.wav", key)
            bad[f"{stem}.wav"] = kind
            continue
        audio = note(key, level=0.06 * layer, seed=i)
        if i % 7 == 0:
            audio = np.stack([audio, -audio if i % 14 else audio], axis=1)
        ending = (".wav", ".flac", ".aiff", ".ogg")[i % 4]
        _write(folder / f"{stem}{ending}", audio)
    return bad, count - num_bad


def clear(folder: Path) -> None:
    """Remove it all, links to itself included."""
    shutil.rmtree(folder)
