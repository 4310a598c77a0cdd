"""What shows how an instrument improves: a picture of some notes, and a clip that plays them before and after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Final

import numpy as np

from ...engine.arrays import FloatArray
from ...engine.instrument_files import InstrumentFile
from ...engine.output.audiofile import encode_ogg
from ...engine.spectra.stft import power_spectrogram
from ...midi.spec.general_midi import key_name
from ...whole_files import write_whole
from ..measure.distance import match_rms
from ..measure.recording import Recording
from .figures import LONGEST_S, Player
from .foundation import Foundation

SHOWN: Final = 3
"""Notes in the picture and in the clip."""
RANGE_DB: Final = 80.0
GAP_S: Final = 0.3
PEAK: Final = 0.7
DPI: Final = 80


@dataclass(eq=False)
class Showing:
    """Notes that are shown: recorded, as they were grown at first, and as they are now.

    Parameters
    ----------
    foundation : Foundation
    recordings : to choose from, spread over the keyboard
    """

    foundation: Foundation
    recordings: Sequence[Recording]
    _first: list[FloatArray] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        """Choose the notes."""
        ordered = sorted(self.recordings, key=lambda one: (one.pitch, one.velocity))
        places = np.unique(np.linspace(0, len(ordered) - 1, SHOWN + 2).astype(int)[1:-1])
        self._shown = [ordered[place] for place in places]

    def update(self, instrument: InstrumentFile, beside: Path) -> None:
        """Write picture and clip beside an instrument's file; the first call is what later ones compare with."""
        rate = self.foundation.spec.sample_rate
        player = Player(self.foundation, instrument, rate)
        wanted = [one.audio[: round(LONGEST_S * rate)] for one in self._shown]
        now = [
            match_rms(player.play(one.pitch, one.velocity, one.hold_s, len(audio)), audio)
            for one, audio in zip(self._shown, wanted, strict=True)
        ]
        self._first = self._first or now
        write_whole(picture_of(beside), self._picture(wanted, now))
        write_whole(clip_of(beside), self._clip(wanted, now))

    def _picture(self, wanted: list[FloatArray], now: list[FloatArray]) -> bytes:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        spec = self.foundation.spec
        figure = Figure(figsize=(3.2 * len(wanted), 6.6), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots(3, len(wanted), squeeze=False, sharex="col", sharey=True)
        rows = (("recorded", wanted), ("at first", self._first), ("now", now))
        for row, (label, sounds) in enumerate(rows):
            for axis, audio, heard in zip(axes[row], sounds, wanted, strict=True):
                level = 10.0 * np.log10(power_spectrogram(audio, spec).T + 1e-12)
                loudest = 10.0 * np.log10(power_spectrogram(heard, spec).max() + 1e-12)
                extent = (0.0, len(audio) / spec.sample_rate, 0.0, spec.sample_rate / 2e3)
                axis.imshow(
                    level, origin="lower", aspect="auto", extent=extent, vmin=loudest - RANGE_DB, vmax=loudest,
                    cmap="magma",
                )  # fmt: skip
            axes[row][0].set_ylabel(f"{label}, kHz", fontsize=9)
        for axis, one in zip(axes[0], self._shown, strict=True):
            axis.set_title(f"{key_name(one.pitch)}, velocity {one.velocity}", fontsize=9)
        figure.supxlabel("seconds", fontsize=9)
        drawn = BytesIO()
        figure.savefig(drawn, format="png", dpi=DPI, metadata={"Software": None})
        return drawn.getvalue()

    def _clip(self, wanted: list[FloatArray], now: list[FloatArray]) -> bytes:
        rate = self.foundation.spec.sample_rate
        gap = np.zeros(round(GAP_S * rate), np.float32)
        parts = []
        for heard, before, after in zip(wanted, self._first, now, strict=True):
            gain = np.float32(PEAK / max(float(np.abs(heard).max(initial=0.0)), 1e-6))
            parts += [gain * heard, gap, gain * before, gap, gain * after, gap, gap]
        return encode_ogg(np.clip(np.concatenate(parts), -1.0, 1.0), rate)


def picture_of(path: Path) -> Path:
    """Return where the picture of an instrument's file lies."""
    return path.with_suffix(".png")


def clip_of(path: Path) -> Path:
    """Return where the clip of an instrument's file lies: each note recorded, at first, and now."""
    return path.with_suffix(".ogg")
