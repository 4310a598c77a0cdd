"""Notes that come again are not planted again; notes that have ended are not grown on."""

from __future__ import annotations

import numpy as np
import pytest

from tnca_synth.engine.models.growth_model import OnnxGrowthModel
from tnca_synth.engine.open import assemble_synth
from tnca_synth.midi import messages as midi

from .listening import Event, note, perform

RATE = 22050


@pytest.fixture
def planted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list to which every planting adds how many notes it was for."""
    counts: list[int] = []
    plant = OnnxGrowthModel.plant

    def counted(self: OnnxGrowthModel, *arguments: np.ndarray) -> object:
        counts.append(len(arguments[0]))
        return plant(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(OnnxGrowthModel, "plant", counted)
    return counts


@pytest.mark.parametrize("core", ["auto", "numpy"])
def test_a_note_that_comes_again_is_planted_once(core: str, planted: list[int]) -> None:
    synth = assemble_synth(sample_rate=RATE, instrument="vibraphone", core=core).synth
    perform(synth, [event for k in range(4) for event in note(60, 0.2 * k, 0.2 * k + 0.1)], 0.9)
    assert planted == [1]
    perform(synth, note(60, 0.0, 0.1, velocity=40) + note(72, 0.0, 0.1), 0.3)
    assert sum(planted) == 3, "another velocity and another key are other notes"


def test_a_chord_of_the_same_note_on_two_channels_is_planted_once(planted: list[int]) -> None:
    synth = assemble_synth(sample_rate=RATE, instrument="vibraphone").synth
    chord: list[Event] = [(0.0, midi.note_on(channel, 60, 90)) for channel in (0, 1)]
    assert np.abs(perform(synth, chord, 0.2)).max() > 0.01
    assert planted == [1]


def test_a_note_long_over_is_followed_by_silence_in_blocks_of_any_size() -> None:
    """Blocks of a song are long enough for a released note to end within one."""

    def played(block: int) -> np.ndarray:
        synth = assemble_synth(sample_rate=RATE, instrument="clarinet").synth
        for when, data in note(70, 0.0, 0.1):
            synth.send(data, round(when * RATE))
        return np.concatenate([synth.render(block) for _ in range(40_960 // block)])

    long, short = played(40_960), played(256)
    np.testing.assert_array_equal(long, short)
    assert np.abs(long).max() > 0.01
    assert np.abs(long[-256:]).max() < 1e-5, "but for the end of the reverb"
