"""How far notes are from the pitch of their recordings, by a tracker that is not ours."""

from __future__ import annotations

import numpy as np

from ...engine.arrays import FloatArray


class PitchJudge:
    """SwiftF0, a pitch tracker that is not ours, on the sustained part of notes."""

    def __init__(self) -> None:
        from swift_f0 import SwiftF0

        self._tracker = SwiftF0(threads=1, spin=False)

    def cents_between(self, audio: FloatArray, reference: FloatArray, sample_rate: int) -> float:
        """Return the median pitch of `audio` over that of `reference` in cents; nan if either has none."""
        part = slice(int(0.25 * sample_rate), int(1.4 * sample_rate))
        a, b = (self._median_hz(x[part], sample_rate) for x in (audio, reference))
        return float(1200 * np.log2(a / b)) if a > 0 and b > 0 else float("nan")

    def _median_hz(self, audio: FloatArray, sample_rate: int) -> float:
        peak = float(np.abs(audio).max(initial=0.0))
        if peak < 1e-4:
            return 0.0
        result = self._tracker.detect(audio * (0.5 / peak), sample_rate)
        voiced = result.pitch_hz[result.confidence >= 0.5]
        return float(np.median(voiced)) if len(voiced) >= 5 else 0.0
