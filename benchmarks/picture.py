"""Draw held-out notes, recorded above grown, as spectrograms to a PNG.

python benchmarks/picture.py docs/spectrograms.png [--path dual+harmonic] [--bank PATH]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from tnca_synth.engine.bank.bank import Bank
from tnca_synth.engine.spectra.stft import power_spectrogram
from tnca_synth.training.config.run import load_preset
from tnca_synth.training.measure.distance import match_rms, stft_distance
from tnca_synth.training.sources.soundfont import SoundFont
from tnca_synth.training.validation.held_out import HOLD_S, TAIL_S
from tnca_synth.training.validation.rendered import NoteRenderer

NOTES = (("grand-piano", 55, 64), ("clarinet", 67, 64), ("violin", 71, 64), ("trumpet", 63, 64), ("choir", 63, 64))


def main() -> None:
    """Parse the arguments and draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("output", type=Path)
    parser.add_argument("--path", default="dual+harmonic")
    parser.add_argument("--bank", type=Path)
    arguments = parser.parse_args()
    representation, _, decoder_name = arguments.path.partition("+")
    bank = Bank.load(arguments.bank)
    growth = bank.growth_model(representation, "cpu")
    spec = growth.spec
    renderer = NoteRenderer(bank, growth, decoder_name, spec.sample_rate)
    data = load_preset("dual").data
    font = SoundFont(data.soundfont, spec.sample_rate)
    instruments = {one.name: one for one in data.instruments}
    figure = Figure(figsize=(3.0 * len(NOTES), 5.4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(2, len(NOTES), squeeze=False, sharey=True)
    for column, (name, key, velocity) in enumerate(NOTES):
        instrument = instruments[name]
        recorded = font.render(instrument.program, key, velocity, HOLD_S, TAIL_S, False)
        grown = renderer.render(instrument, key, velocity, HOLD_S, len(recorded))
        axes[0][column].set_title(f"{name}, key {key}: {stft_distance(grown, recorded):.2f}", fontsize=9)
        for row, audio in enumerate((recorded, match_rms(grown, recorded))):
            db = 10 * np.log10(power_spectrogram(audio, spec).T + 1e-11)
            extent = (0.0, len(recorded) / spec.sample_rate, 0.0, spec.sample_rate / 2000)
            axes[row][column].imshow(
                db, origin="lower", aspect="auto", vmin=-100, vmax=-20, cmap="magma", extent=extent
            )
    for row, label in enumerate(("recorded (never trained on), kHz", f"grown ({arguments.path}), kHz")):
        axes[row][0].set_ylabel(label)
    for axis in axes[1]:
        axis.set_xlabel("s")
    figure.savefig(arguments.output, dpi=80)


if __name__ == "__main__":
    main()
