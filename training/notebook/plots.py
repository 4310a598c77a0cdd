"""Pictures for the notebooks, drawn with pyplot, which a notebook shows by itself."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ...engine.arrays import FloatArray
from ...engine.spectra.spec import AudioSpec
from ..comparison.page.pictures import RANGE_DB, spectrogram_db
from ..config.models import ALPHA, LINEAR_LEVEL, LINEAR_TONALITY, MEL_LEVEL, MEL_TONALITY
from .grow import NotebookGrowth, Stage

CHANNEL_NAMES = {
    MEL_LEVEL: "mel level",
    MEL_TONALITY: "mel tonality",
    LINEAR_LEVEL: "linear level",
    LINEAR_TONALITY: "linear tonality",
    ALPHA: "alpha (life)",
}
COLUMNS = 4


def plot_levels(levels: Mapping[str, FloatArray], spec: AudioSpec) -> None:
    """Draw levels of spectral frames (T, F) side by side, in dB."""
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, len(levels), figsize=(3.4 * len(levels), 3.2), squeeze=False, layout="constrained")
    for axis, (title, level) in zip(axes[0], levels.items(), strict=True):
        db = np.maximum(level, 0.0).T * spec.level_scale_db + spec.floor_db
        axis.imshow(db, origin="lower", aspect="auto", vmin=spec.floor_db, vmax=-10.0, cmap="magma")
        axis.set_title(title, fontsize=9)
    axes[0][0].set_ylabel("band" if spec.num_mels == next(iter(levels.values())).shape[1] else "bin")
    figure.supxlabel("spectral frame", fontsize=9)


def plot_stages(stages: list[Stage], wanted: FloatArray, spec: AudioSpec) -> None:
    """Draw the mel levels that the model grew as it learned, and the recording's (T, F) beside them."""
    levels = {f"after {one.iteration} iterations": one.growth.fields["mel"][0, : len(wanted), 0] for one in stages}
    plot_levels({**levels, "recording": wanted}, spec)


def plot_grid(growth: NotebookGrowth) -> None:
    """Draw every channel of the grid over time: cells upwards, spectral frames to the right."""
    from matplotlib import pyplot as plt

    channels = growth.grids.shape[2]
    rows = -(-channels // COLUMNS)
    figure, axes = plt.subplots(rows, COLUMNS, figsize=(3.0 * COLUMNS, 1.9 * rows), squeeze=False, layout="constrained")
    for channel, axis in enumerate(axes.ravel()):
        if channel >= channels:
            axis.set_axis_off()
            continue
        values = growth.grids[:, :, channel].T
        reach = max(float(np.abs(values).max()), 1e-6)
        axis.imshow(values, origin="lower", aspect="auto", vmin=-reach, vmax=reach, cmap="RdBu_r")
        axis.set_title(CHANNEL_NAMES.get(channel, f"hidden {channel}"), fontsize=8)
        axis.set_xticks([])
        axis.set_yticks([])
    figure.supxlabel("time", fontsize=9)
    figure.supylabel("cells, low to high", fontsize=9)


def plot_sounds(sounds: Mapping[str, FloatArray], sample_rate: int) -> None:
    """Draw spectrograms of sounds (N,) side by side, in dB below the loudest moment of the first."""
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(
        1, len(sounds), figsize=(3.4 * len(sounds), 3.2), squeeze=False, sharey=True, layout="constrained"
    )
    loudest = float(spectrogram_db(next(iter(sounds.values()))).max())
    for axis, (title, audio) in zip(axes[0], sounds.items(), strict=True):
        extent = (0.0, len(audio) / sample_rate, 0.0, sample_rate / 2e3)
        image = spectrogram_db(audio)
        axis.imshow(
            image, origin="lower", aspect="auto", extent=extent, vmin=loudest - RANGE_DB, vmax=loudest, cmap="magma"
        )
        axis.set_title(title, fontsize=9)
    axes[0][0].set_ylabel("kHz")
    figure.supxlabel("seconds", fontsize=9)


def plot_learning(level_db: list[float]) -> None:
    """Draw the error of the mel levels over the iterations."""
    from matplotlib import pyplot as plt

    _, axes = plt.subplots(figsize=(6.0, 2.6), layout="constrained")
    axes.plot(np.arange(1, len(level_db) + 1), level_db)
    axes.set_xlabel("iteration")
    axes.set_ylabel("mel level error, dB")
    axes.grid(alpha=0.3)
