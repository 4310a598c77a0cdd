"""What the engine itself makes of the same events, without a bridge."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tnca_synth import open_synth
from tnca_synth.engine.render.song import TAIL_LIMIT_S, Timeline
from tnca_synth.midi import read_midi_file

Events = list[tuple[int, bytes]]


def engine_sound(events: Events, num_frames: int, rate: int = 48_000) -> np.ndarray:
    """Float32 (2, num_frames)."""
    synth = open_synth(sample_rate=rate)
    for frame, data in events:
        synth.send(data, frame)
    return synth.render(num_frames).T


def song_events(path: Path, rate: int) -> Events:
    """The messages of a song, as `render` sends them."""
    timeline = Timeline(read_midi_file(path), rate, TAIL_LIMIT_S)
    return [(frame, bytes(data)) for frame, data, _ in timeline.messages()]


def difference_db(sound: np.ndarray, expected: np.ndarray) -> float:
    """Level of the difference relative to what was expected, in dB; -inf if they are the same."""
    error = float(np.sum((sound.astype(float) - expected) ** 2))
    return 10 * np.log10(error / float(np.sum(expected.astype(float) ** 2))) if error else -np.inf
