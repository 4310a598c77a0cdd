"""Playing a synth before anybody listens, so that no first-time cost hits a note."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ..midi.messages import note_on
from .player import LiveSynth

CHORDS: Final = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
FEW_CHORDS: Final = (1, 8)
CHORD_S: Final = 0.03
SILENCE_S: Final = 0.02
LOWEST_KEY: Final = 36


def warm_up(synth: LiveSynth, block_size: int, chords: Sequence[int] = CHORDS) -> None:
    """Play chords of these sizes through all models, in blocks as they will be asked for, and fall silent."""
    for size in chords:
        if size > synth.max_voices:
            break
        for index in range(size):
            synth.send(note_on(0, LOWEST_KEY + index % 64, 64))
        _render(synth, CHORD_S, block_size)
        synth.panic()
        _render(synth, SILENCE_S, block_size)


def _render(synth: LiveSynth, duration_s: float, block_size: int) -> None:
    for _ in range(-(-round(duration_s * synth.sample_rate) // block_size)):
        synth.render(block_size)
