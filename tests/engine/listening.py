"""What tests of MIDI hear: pitch, level, brightness and where something sounds, of songs that they send to a synth."""

from __future__ import annotations

from typing import Any

import numpy as np

from tnca_synth.engine.arrays import FloatArray
from tnca_synth.engine.open import assemble_synth
from tnca_synth.engine.synth import Synth
from tnca_synth.midi import messages as midi

from .fakes import RATE, FakeGrowth, make_synth

Event = tuple[float, bytes]
"""Seconds and a message."""


def at(time_s: float, *messages: bytes) -> list[Event]:
    return [(time_s, message) for message in messages]


def note(key: int, start_s: float = 0.0, length_s: float = 9.0, channel: int = 0, velocity: int = 100) -> list[Event]:
    return [
        (start_s, midi.note_on(channel, key, velocity)),
        (start_s + length_s, midi.note_off(channel, key)),
    ]


def perform(synth: Synth, events: list[Event], duration_s: float) -> FloatArray:
    """Render events in the order of their times; float32 (N, 2)."""
    for time_s, message in sorted(events, key=lambda event: event[0]):
        synth.send(message, round(time_s * synth.sample_rate))
    return synth.render(round(duration_s * synth.sample_rate))


def control(controller: int, value: int, time_s: float = 0.0) -> list[Event]:
    return at(time_s, midi.control_change(0, controller, value))


def played_by(core: str, events: list[Event], duration_s: float, **options: Any) -> FloatArray:
    """Render with the shipped bank, grown by a core."""
    ensemble = assemble_synth(**{"sample_rate": 22050, "provider": "cpu", "core": core, **options})
    assert ensemble.core == core
    return perform(ensemble.synth, events, duration_s)


def play(
    events: list[Event], duration_s: float = 1.0, growth: FakeGrowth | None = None, **options: object
) -> FloatArray:
    """Render with fakes: a note is a cosine of its velocity's level."""
    return perform(make_synth(growth, max_voices=16, **options), events, duration_s)  # type: ignore[arg-type]


def play_bank(instrument: str, events: list[Event], duration_s: float, decoder: str | None = None) -> FloatArray:
    """Render with the shipped bank, dry unless the events say otherwise."""
    synth = assemble_synth(instrument=instrument, sample_rate=RATE, decoder=decoder).synth
    dry = [(0.0, midi.control_change(channel, midi.REVERB_SEND, 0)) for channel in range(16)]
    return perform(synth, dry + events, duration_s)


def part(audio: FloatArray, start_s: float, stop_s: float) -> FloatArray:
    return audio[round(start_s * RATE) : round(stop_s * RATE)]


def pitch_of(audio: FloatArray, size: int = 1 << 18) -> float:
    """MIDI pitch of the strongest partial."""
    mono = audio.mean(axis=1) * np.hanning(len(audio))
    hz = float(np.argmax(np.abs(np.fft.rfft(mono, size)))) * RATE / size
    return 69.0 + 12.0 * np.log2(max(hz, 1.0) / 440.0)


def pitch_track(audio: FloatArray, window: int = 1024, hop: int = 128) -> FloatArray:
    """MIDI pitch of the strongest partial, hop by hop."""
    return np.array([pitch_of(audio[start : start + window], 1 << 15) for start in range(0, len(audio) - window, hop)])


def level_db(audio: FloatArray) -> float:
    return float(10.0 * np.log10(np.mean(np.square(audio, dtype=np.float64)) + 1e-20))


def band_db(audio: FloatArray, key: float) -> float:
    """Level of what sounds within a quarter tone of a key."""
    power = np.abs(np.fft.rfft(audio.mean(axis=1) * np.hanning(len(audio)))) ** 2
    hz = np.fft.rfftfreq(len(audio), 1.0 / RATE)
    pitch = 69.0 + 12.0 * np.log2(np.maximum(hz, 1.0) / 440.0)
    return float(10.0 * np.log10(power[np.abs(pitch - key) < 0.5].sum() / len(audio) + 1e-20))


def centroid_hz(audio: FloatArray) -> float:
    power = np.abs(np.fft.rfft(audio.mean(axis=1) * np.hanning(len(audio)))) ** 2
    return float((power * np.fft.rfftfreq(len(audio), 1.0 / RATE)).sum() / power.sum())


def roughness(audio: FloatArray) -> float:
    """Largest second difference: what a click adds to a smooth sound."""
    return float(np.abs(np.diff(audio, n=2, axis=0)).max())


def gs(address: str, *data: int, wrong_by: int = 0) -> bytes:
    """Return a Roland GS message that writes bytes to an address, with a right checksum unless told."""
    body = bytes.fromhex(address) + bytes(data)
    checksum = (-sum(body) + wrong_by) % 128
    return midi.system_exclusive(bytes((0x41, 0x10, 0x42, 0x12, *body, checksum)))


def xg(address: str, *data: int) -> bytes:
    """Return a Yamaha XG parameter change."""
    return midi.system_exclusive(bytes((0x43, 0x10, 0x4C, *bytes.fromhex(address), *data)))


XG_ON = xg("00 00 7e", 0)
GS_RESET = gs("40 00 7f", 0)
GM2_ON = midi.system_exclusive(bytes.fromhex("7e 7f 09 03"))


def is_noise(audio: FloatArray) -> bool:
    """Tell whether a sound has no pitch, as the fake bank's drums."""
    spectrum = np.abs(np.fft.rfft(audio.mean(axis=1) * np.hanning(len(audio))))
    return bool(spectrum.max() < 12 * np.median(spectrum))
