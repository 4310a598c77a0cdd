"""How samples are stored: 16 or 24 bits, or 32 bits of floating point."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import UsageError
from ..arrays import FloatArray
from ..names import BIT_DEPTHS


class SampleFormat(NamedTuple):
    """A way to store a sample.

    Attributes
    ----------
    subtype : what libsndfile calls it
    num_bytes : of one sample
    levels : steps from 0 to full scale; 0 for floating point
    is_dithered : whether rounding is hidden in noise
    """

    subtype: str
    num_bytes: int
    levels: int
    is_dithered: bool = False


FORMATS: Final = dict(
    zip(
        BIT_DEPTHS,
        (
            SampleFormat("PCM_16", 2, 2**15, is_dithered=True),
            # 144 dB below full scale, under any playback's noise: they keep all that the engine computes.
            SampleFormat("PCM_24", 3, 2**23),
            SampleFormat("FLOAT", 4, 0),
        ),
        strict=True,
    )
)


def sample_format(bit_depth: str) -> SampleFormat:
    """Return the format of a name in `BIT_DEPTHS`; `UsageError` for another."""
    if bit_depth not in FORMATS:
        raise UsageError(f"unknown bit depth {bit_depth!r}: expected one of {', '.join(FORMATS)}")
    return FORMATS[bit_depth]


class Quantiser:
    """Rounds blocks to a format. The samples do not depend on how they are cut into blocks.

    Parameters
    ----------
    kind : SampleFormat
    seed : int
        Of the dither.

    Notes
    -----
    Dither with a triangular density over two steps makes the error white and independent of the sound (Lipshitz,
    Wannamaker and Vanderkooy, 1992).
    """

    def __init__(self, kind: SampleFormat, seed: int = 0) -> None:
        self._kind = kind
        self._dice = np.random.Generator(np.random.Philox(seed % 2**63))

    def __call__(self, block: FloatArray) -> NDArray[np.int32] | FloatArray:
        """Return a block, full scale 1: in the upper bits of int32, clipped; or as it is in floating point."""
        kind = self._kind
        if not kind.levels:
            return block.astype(np.float32, copy=False)
        # libsndfile would round each format in its own way.
        steps = block.astype(np.float64) * kind.levels
        if kind.is_dithered:
            dice = self._dice.random((*block.shape, 2))
            steps += dice[..., 0] - dice[..., 1]
        rounded = np.clip(np.rint(steps), -kind.levels, kind.levels - 1).astype(np.int64)
        return (rounded * (2**31 // kind.levels)).astype(np.int32)
