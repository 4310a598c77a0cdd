"""What several tests of the engine begin with."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from tnca_synth.engine.arrays import FloatArray
from tnca_synth.engine.keys import correction
from tnca_synth.engine.keys.stored.correction_arrays import CorrectionArrays


@pytest.fixture
def knowing(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the total levels of every second key be known, as softer or louder than what is grown."""
    asked: list[int] = []

    def totals(arrays: CorrectionArrays) -> FloatArray:
        asked.append(len(arrays.key))
        level = np.zeros((len(arrays.key), len(arrays.moments), 2), np.float32)
        level[::2] = 1.0, 1.9
        level[::4, :, 1] = 2.4
        return level

    monkeypatch.setattr(correction, "_totals_of", totals)
    yield
    assert asked  # or nothing was tested
