"""Long takes whose notes are known: notes of a SoundFont played one after another, with the noises of a room."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tnca_synth.training.sources.audio.envelope import levels_db, onset
from tnca_synth.training.sources.soundfont import SoundFont
from tnca_synth.training.sources.soundfont_file import Preset

RATE = 44100
SOUNDFONT = "/usr/share/sounds/sf3/FluidR3Mono_GM.sf3"


@dataclass(frozen=True)
class Played:
    """A note of a performance: when it is first heard, which key, how hard, how long it is held."""

    onset_s: float
    key: int
    velocity: int
    hold_s: float


def perform(
    font: SoundFont, program: int, notes: Sequence[Played], tail_s: float = 1.0, bank: int = 0
) -> tuple[np.ndarray, list[Played]]:
    """Play notes; return float32 (N,) at the font's rate, and the notes with the seconds at which they are heard.

    `onset_s` of what is asked for is when the key goes down. A note is heard from where its level comes within 10 dB
    of what still sounds of the others.
    """
    rate = font.sample_rate
    end_s = max(note.onset_s + note.hold_s for note in notes) + tail_s + 0.5
    audio = np.zeros(int(end_s * rate), np.float32)
    alone = []
    for note in notes:
        sound = font.play(Preset(bank, program, ""), note.key, note.velocity, note.hold_s, tail_s)
        at = int(note.onset_s * rate)
        sound = sound[: len(audio) - at]
        audio[at : at + len(sound)] += sound
        alone.append((at, sound))
    heard = [
        Played(_heard_s(audio, at, sound, rate), note.key, note.velocity, note.hold_s)
        for note, (at, sound) in zip(notes, alone, strict=True)
    ]
    return audio * np.float32(0.5 / np.abs(audio).max()), heard


def _heard_s(audio: np.ndarray, at: int, sound: np.ndarray, rate: int) -> float:
    begin = onset(sound, rate) + int(0.002 * rate)  # `onset` leaves 2 ms before it
    own = levels_db(sound, rate, 0.001, 0.01)
    rest = levels_db(audio[at : at + len(sound)] - sound, rate, 0.001, 0.01)
    audible = np.flatnonzero(own >= rest - 10.0)
    later = audible[audible >= begin / rate * 1000]
    return at / rate + (later[0] / 1000 if len(later) else begin / rate)


def one_by_one(
    keys: Sequence[int], hold_s: float, gap_s: float, velocities: Sequence[int] = (90,), begin_s: float = 0.7
) -> list[Played]:
    """Return notes in turn, `gap_s` of rest between them; velocities go round."""
    step = hold_s + gap_s
    return [Played(begin_s + i * step, key, velocities[i % len(velocities)], hold_s) for i, key in enumerate(keys)]


def room(audio: np.ndarray, rate: int, noise_db: float = -40.0, seed: int = 0) -> np.ndarray:
    """Add the noise of a room, below the peak of the take, more of it in the bass as rooms have it."""
    rng = np.random.default_rng(seed)
    white = rng.standard_normal(len(audio))
    spectrum = np.fft.rfft(white)
    hz = np.fft.rfftfreq(len(audio), 1 / rate)
    spectrum /= np.maximum(hz, 60.0) ** 0.5
    noise = np.fft.irfft(spectrum, len(audio))
    level = np.abs(audio).max() * 10 ** (noise_db / 20)
    return (audio + noise * level / np.sqrt(np.mean(noise**2))).astype(np.float32)


def metronome(audio: np.ndarray, rate: int, every_s: float = 0.6, level: float = 0.15, seed: int = 0) -> np.ndarray:
    """Add the clicks of a metronome: 15 ms of a 1.8 kHz ring with a knock of noise."""
    rng = np.random.default_rng(seed)
    time = np.arange(int(0.04 * rate)) / rate
    click = (np.sin(2 * np.pi * 1800 * time) + 0.5 * rng.standard_normal(len(time))) * np.exp(-time / 0.006)
    mixed = audio.copy()
    for at in range(int(0.1 * rate), len(audio) - len(click), int(every_s * rate)):
        mixed[at : at + len(click)] += (level * click).astype(np.float32)
    return mixed


def speech(duration_s: float, rate: int, seed: int = 0) -> np.ndarray:
    """Return something like a voice that speaks: syllables of a gliding buzz through formants, and hisses, (N,)."""
    rng = np.random.default_rng(seed)
    out = np.zeros(int(duration_s * rate), np.float32)
    at = 0
    while at < len(out) - rate // 2:
        length = int(rng.uniform(0.08, 0.25) * rate)
        time = np.arange(length) / rate
        if rng.random() < 0.3:
            sound = 0.3 * rng.standard_normal(length)
        else:
            begin_hz, end_hz = rng.uniform(90, 190, 2)
            wobble = 1 + 0.04 * np.sin(2 * np.pi * rng.uniform(2, 5) * time)
            hz = (begin_hz + (end_hz - begin_hz) * time / time[-1]) * wobble
            phase = 2 * np.pi * np.cumsum(hz) / rate
            formants = rng.uniform([300, 900, 2200], [800, 1800, 2900])
            gains = [sum(1 / (1 + ((h * hz.mean() - f) / 120) ** 2) for f in formants) for h in range(1, 25)]
            sound = sum(gain * np.sin(h * phase) for h, gain in enumerate(gains, 1)) / 3
        out[at : at + length] += (sound * np.hanning(length)).astype(np.float32)
        at += length + int(rng.uniform(0.0, 0.15) * rate)
    return 0.3 * out / np.abs(out).max()


def handling(duration_s: float, rate: int, seed: int = 0) -> np.ndarray:
    """Return bumps and scrapes of a hand on the microphone or of breath, (N,)."""
    rng = np.random.default_rng(seed)
    out = np.zeros(int(duration_s * rate), np.float32)
    for at in np.sort(rng.uniform(0.05, 0.85, 3)) * len(out):
        length = int(rng.uniform(0.05, 0.3) * rate)
        spectrum = np.fft.rfft(rng.standard_normal(length))
        hz = np.fft.rfftfreq(length, 1 / rate)
        low = rng.uniform(100, 800)
        sound = np.fft.irfft(spectrum / (1 + (hz / low) ** 2), length) * np.hanning(length)
        part = out[int(at) : int(at) + length]
        part += (0.2 * sound / np.abs(sound).max())[: len(part)].astype(np.float32)
    return out


@dataclass(frozen=True)
class Score:
    """How well the notes of a performance were found.

    Attributes
    ----------
    played : notes that were played
    found : of them, those of which one begins within 100 ms
    pitch : of them, those of the right key
    near_20_ms, near_50_ms : of them, those that begin within 20 and 50 ms
    false : what was found and not played
    """

    played: int
    found: int
    pitch: int
    near_20_ms: int
    near_50_ms: int
    false: int


def score(played: Sequence[Played], onsets_s: Sequence[float], keys: Sequence[int]) -> Score:
    """Compare what was found with what was played, each note with the nearest in time that no other has."""
    taken: set[int] = set()
    errors, right = [], 0
    for note in played:
        free = [i for i in range(len(onsets_s)) if i not in taken]
        nearest = min(free, key=lambda i: abs(onsets_s[i] - note.onset_s), default=None)
        if nearest is None or abs(onsets_s[nearest] - note.onset_s) > 0.1:
            continue
        taken.add(nearest)
        errors.append(abs(onsets_s[nearest] - note.onset_s))
        right += keys[nearest] == note.key
    near = [sum(one < limit for one in errors) for limit in (0.02, 0.05)]
    return Score(len(played), len(errors), right, *near, len(onsets_s) - len(taken))


STYLES = {
    "detached": lambda keys: one_by_one(keys, 0.6, 0.4),
    "legato": lambda keys: one_by_one(keys, 0.5, 0.0),
    "repeated": lambda keys: one_by_one([key for low in keys[::3] for key in (low, low, low)], 0.4, 0.08),
    "dynamics": lambda keys: one_by_one(keys, 0.6, 0.3, (40, 80, 120)),
}
"""Ways to play a row of keys: with rests, without, each key thrice with a short rest, at three velocities."""
