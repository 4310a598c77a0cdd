"""Playing a synth before anybody listens, so that no first-time cost hits a note."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from time import perf_counter, sleep
from typing import Final

from ...midi.messages import note_on
from .interfaces import LiveSynth

CHORDS: Final = (1, 2, 4, 8, 16, 32, 64)
SWITCHED: Final = 8
"""Notes that are held while paths are switched."""
SWITCHED_AFTER_S: Final = 0.25
"""By then notes are old enough to settle in another representation; younger ones grow there from their onset."""
CHORD_S: Final = 0.03
SILENCE_S: Final = 0.02
LOWEST_KEY: Final = 36
MEASURED_NOTES: Final = 12
USUAL_SHARE: Final = 0.75
PAUSE_S: Final = 0.01
"""Before each note that is measured: what lies idle for some blocks has left the processor's caches, as between notes
that are played; notes in a tight loop would look a third cheaper than they are."""


def warm_up(synth: LiveSynth, block_size: int) -> None:
    """Play chords of all sizes through all models, in blocks as they will be asked for, and fall silent."""
    for size in CHORDS:
        if size > synth.max_voices:
            break
        _strike(synth, size)
        _render(synth, CHORD_S, block_size)
        _silence(synth, block_size)


def warm_up_switching(synth: LiveSynth, block_size: int, switches: Iterable[Callable[[], None]]) -> None:
    """Hold a chord while the synth is switched from path to path, and fall silent."""
    _strike(synth, min(SWITCHED, synth.max_voices))
    _render(synth, SWITCHED_AFTER_S, block_size)
    for switch in switches:
        switch()
        _render(synth, CHORD_S, block_size)
    _silence(synth, block_size)


def note_cost_s(synth: LiveSynth, block_size: int) -> float:
    """Return how long the block takes in which a note starts: what three of four starts stay below, in seconds.

    A start costs more than a hop of a sounding note: its genome is planted, and its decoder begins. The slowest are
    left out: on a machine with other work they tell of that.
    """
    costs = []
    for index in range(MEASURED_NOTES):
        synth.send(note_on(0, LOWEST_KEY + 4 * index, 64))
        sleep(PAUSE_S)
        began_s = perf_counter()
        synth.render(block_size)
        costs.append(perf_counter() - began_s)
        _silence(synth, block_size)
    return sorted(costs)[int(USUAL_SHARE * MEASURED_NOTES)]


def _strike(synth: LiveSynth, size: int) -> None:
    for index in range(size):
        synth.send(note_on(0, LOWEST_KEY + index % 64, 64))


def _silence(synth: LiveSynth, block_size: int) -> None:
    synth.panic()
    _render(synth, SILENCE_S, block_size)


def _render(synth: LiveSynth, duration_s: float, block_size: int) -> None:
    for _ in range(-(-round(duration_s * synth.sample_rate) // block_size)):
        synth.render(block_size)
