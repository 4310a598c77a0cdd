"""Draw what the growth controls do as spectrograms.

python benchmarks/growth_picture.py docs/growth.png [--bank PATH]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from tnca_synth.engine.arrays import FloatArray
from tnca_synth.engine.open import OpenSynth, assemble_synth
from tnca_synth.engine.spectra.spec import AudioSpec
from tnca_synth.engine.spectra.stft import power_spectrogram
from tnca_synth.midi import messages

SPEC = AudioSpec()
RATE = SPEC.sample_rate
DURATION_S = 2.4


def plain(_: OpenSynth) -> None:
    """Ask for nothing."""


def damage(ensemble: OpenSynth) -> None:
    """Three wounds, of one, two and three quarters."""
    for at_s, share in ((0.5, 0.25), (1.0, 0.5), (1.6, 0.75)):
        ensemble.synth.damage(0, share, round(at_s * RATE))


def morph(ensemble: OpenSynth) -> None:
    """From here to the clarinet and back."""
    ensemble.set_morph(0, "clarinet")
    ensemble.synth.set_growth(0, morph=(1.0, 0.0), at_frame=round(0.8 * RATE))
    ensemble.synth.set_growth(0, morph=(0.0, 0.0), at_frame=round(1.6 * RATE))


def still(ensemble: OpenSynth) -> None:
    """Growth stands still for a second."""
    ensemble.synth.set_growth(0, growth_rate=0.0, at_frame=round(0.3 * RATE))
    ensemble.synth.set_growth(0, growth_rate=1.0, at_frame=round(1.4 * RATE))


def slow(ensemble: OpenSynth) -> None:
    """A tenth of the speed."""
    ensemble.synth.set_growth(0, growth_rate=0.1)


def fast(ensemble: OpenSynth) -> None:
    """Four times the speed."""
    ensemble.synth.set_growth(0, growth_rate=4.0)


def sparse(ensemble: OpenSynth) -> None:
    """One cell in ten updates."""
    ensemble.synth.set_growth(0, fire_rate=0.1)


def threshold(ensemble: OpenSynth) -> None:
    """Hardly a cell may live, for a while."""
    ensemble.synth.set_growth(0, life_threshold=1.1, at_frame=round(0.6 * RATE))
    ensemble.synth.set_growth(0, life_threshold=0.1, at_frame=round(1.6 * RATE))


PICTURES: tuple[tuple[str, str, int, Callable[[OpenSynth], None]], ...] = (
    ("trumpet", "trumpet, untouched", 60, plain),
    ("trumpet", "trumpet, damage: ¼ at 0.5 s, ½ at 1 s, ¾ at 1.6 s", 60, damage),
    ("trumpet", "trumpet, life threshold 1.1 from 0.6 to 1.6 s", 60, threshold),
    ("trumpet", "trumpet, fire rate 0.1", 60, sparse),
    ("violin", "violin to clarinet at 0.8 s, back at 1.6 s", 67, morph),
    ("grand-piano", "piano, growth stands still from 0.3 to 1.4 s", 60, still),
    ("grand-piano", "piano, growth rate 0.1", 60, slow),
    ("grand-piano", "piano, growth rate 4", 60, fast),
)


def render(instrument: str, key: int, set_up: Callable[[OpenSynth], None], bank: Path | None) -> FloatArray:
    """Return a held note under a control."""
    ensemble = assemble_synth(instrument=instrument, bank_path=bank, sample_rate=RATE, effects=False, max_voices=2)
    set_up(ensemble)
    ensemble.synth.send(messages.note_on(0, key, 100), 0)
    return ensemble.synth.render(round(DURATION_S * RATE))[:, 0]


def main() -> None:
    """Parse the arguments and draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("output", type=Path)
    parser.add_argument("--bank", type=Path)
    arguments = parser.parse_args()
    figure = Figure(figsize=(15, 6.4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(2, 4, sharex=True, sharey=True)
    for axis, (instrument, title, key, set_up) in zip(axes.flat, PICTURES, strict=True):
        audio = render(instrument, key, set_up, arguments.bank)
        db = 10 * np.log10(power_spectrogram(audio, SPEC).T + 1e-11)
        extent = (0.0, DURATION_S, 0.0, RATE / 2000)
        axis.imshow(db, origin="lower", aspect="auto", vmin=-100, vmax=-30, cmap="magma", extent=extent)
        axis.set_title(title, fontsize=9)
    for axis in axes[:, 0]:
        axis.set_ylabel("kHz")
    for axis in axes[1]:
        axis.set_xlabel("s")
    figure.savefig(arguments.output, dpi=80)


if __name__ == "__main__":
    main()
