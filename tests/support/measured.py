"""A bank whose keys were measured to be as a test wants them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from tnca_synth.engine.bank.bank import Bank
from tnca_synth.engine.keys.stored.correction_arrays import CorrectionArrays
from tnca_synth.engine.keys.stored.motion_arrays import MotionArrays


def with_correction(
    monkeypatch: pytest.MonkeyPatch, change: Callable[[CorrectionArrays], dict[str, np.ndarray]]
) -> pytest.MonkeyPatch:
    """Let banks have a correction with other values in some of its fields."""
    known = Bank.measured

    def measured(bank: Bank, representation: str) -> tuple[MotionArrays | None, CorrectionArrays | None]:
        motions, correction = known(bank, representation)
        assert correction is not None
        return motions, replace(correction, **change(correction))

    monkeypatch.setattr(Bank, "measured", measured)
    return monkeypatch
