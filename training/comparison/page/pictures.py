"""Pictures of a comparison: quality against cost, and spectrograms side by side. PNG in memory."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np

from ....engine.arrays import FloatArray
from ....engine.spectra.stft import stft
from ...measure.hearing import HEARING_RATE
from ..run import Comparison, Example
from ..summary import PathResult, frontier

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

RANGE_DB = 80.0
N_FFT, HOP = 2048, 512
DPI = 80
COLUMNS = 5
MARKERS = "os^DvPX*<>"
NUM_COLOURS = 128


def draw_frontier(comparison: Comparison) -> bytes:
    """Draw the distance of every path over its RTF and over its multiplications; a line joins the best at each cost."""
    paths = [one for one in comparison.paths if one.costs is not None and one.speed is not None]
    figure = _figure(12.0, 4.6)
    by_time, by_macs = figure.subplots(1, 2, sharey=True)
    _scatter(by_time, paths, {one.name: one.speed.rtf for one in paths if one.speed}, "RTF of one voice of eight")
    macs = {one.name: one.costs.gmac_per_second for one in paths if one.costs}
    _scatter(by_macs, paths, macs, "GMAC per voice and second, networks alone")
    by_time.set_yscale("log")
    by_time.set_ylabel("Zimtohrli distance to the recordings (mean)")
    for path in comparison.paths:
        if path.costs is None:
            for axes in (by_time, by_macs):
                axes.axhline(path.score, color="grey", linestyle=":")
                axes.text(
                    0.01, path.score, path.name, transform=axes.get_yaxis_transform(), fontsize=6, in_layout=False
                )
    figure.legend(*by_time.get_legend_handles_labels(), loc="outside right center", fontsize=8)
    return _png(figure)


def _scatter(axes: Axes, paths: list[PathResult], cost: dict[str, float], label: str) -> None:
    best = frontier(paths, cost)
    line = [[cost[one.name] for one in best], [one.score for one in best]]
    axes.plot(*line, color="black", linewidth=1, zorder=1, label="best at its cost")
    representations = list(dict.fromkeys(path.route.representation for path in paths if path.route))
    decoders = list(dict.fromkeys(path.route.decoder for path in paths if path.route))
    for path in paths:
        assert path.route is not None
        colour = f"C{representations.index(path.route.representation) % 10}"
        marker = MARKERS[decoders.index(path.route.decoder) % len(MARKERS)]
        axes.scatter(cost[path.name], path.score, color=colour, marker=marker, zorder=2, label=path.name)
    axes.set_xscale("log")
    axes.margins(x=0.15, y=0.15)
    axes.set_xlabel(label)
    axes.grid(alpha=0.3, which="both")


def draw_example(example: Example) -> bytes:
    """Draw the spectrograms of one note, the recording first."""
    rows = -(-len(example.sounds) // COLUMNS)
    figure = _figure(2.6 * COLUMNS, 2.3 * rows)
    axes = figure.subplots(rows, COLUMNS, squeeze=False, sharex=True, sharey=True).ravel()
    loudest = None
    for axis, (name, audio) in zip(axes, example.sounds.items(), strict=False):
        level = spectrogram_db(audio)
        loudest = float(level.max()) if loudest is None else loudest
        extent = (0.0, len(audio) / HEARING_RATE, 0.0, HEARING_RATE / 2e3)
        axis.imshow(
            level, origin="lower", aspect="auto", extent=extent, vmin=loudest - RANGE_DB, vmax=loudest, cmap="magma"
        )
        axis.set_title(name, fontsize=9)
    for axis in axes[len(example.sounds) :]:
        axis.set_axis_off()
    figure.supxlabel("seconds", fontsize=8)
    figure.supylabel("kHz", fontsize=8)
    return _png(figure)


def spectrogram_db(audio: FloatArray) -> FloatArray:
    """Return power in dB, float32 (bins, frames)."""
    level: FloatArray = (20.0 * np.log10(np.abs(stft(audio, N_FFT, HOP)).T + 1e-6)).astype(np.float32)
    return level


def _figure(width: float, height: float) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _png(figure: Figure) -> bytes:
    from PIL import Image

    drawn, small = BytesIO(), BytesIO()
    figure.savefig(drawn, format="png", dpi=DPI)
    Image.open(drawn).convert("RGB").quantize(NUM_COLOURS).save(small, format="png", optimize=True)
    return small.getvalue()
