"""Golden renders: what the shipped bank sounded like when the references in `tests/golden` were made.

`python tests/support/goldens.py` prints how near the present sound is to them, `--write` (`make golden`) makes them
anew. References are FLAC files of 24 bits, so they hold a render to 144 dB below full scale.
"""

from __future__ import annotations

import argparse
import json
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnxruntime
import soundfile

import tnca_synth
from tnca_synth.engine.arrays import FloatArray
from tnca_synth.engine.kernel.cores import AUTO, wanted_core
from tnca_synth.engine.open import assemble_synth
from tnca_synth.engine.spectra.stft import stft
from tnca_synth.midi import messages as midi
from tnca_synth.midi.files.song import read_midi_file

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "tests/golden"
FACTS = FOLDER / "golden.json"
RATE, LOW_RATE = 44100, 22050
EXCERPT_S, NOTE_S, HELD_S = 3.0, 0.6, 0.4

EXACT_DB, SEARCHED_DB, STEPPED_DB = 80.0, 12.0, 25.0
"""Signal-to-noise ratios asked of other processors and versions than those of the references. Where phases are searched
for, a difference in the last bit leads to another solution: there the magnitudes of the spectra are compared. And where
the references are of the compiled kernel, but it was not built, pitches go in steps from hop to hop."""

LOW_PATHS = {
    "mel": ("vocoder", "griffin-lim", "ensemble"),
    "dual": ("harmonic", "vocoder", "griffin-lim", "ensemble"),
    "latent": ("latent",),
    "multi-scale": ("fine-harmonic", "vocoder", "griffin-lim", "ensemble"),
    "hierarchical": ("glides",),
    "waveform": ("direct", "vocoder", "griffin-lim", "ensemble"),
}
"""Of the bank at 22,050 Hz, played alone."""
PATHS = {"dual": ("harmonic", "griffin-lim", "ensemble"), "mel": ("vocoder",)}
"""Of the default bank, one of them at half its rate."""
SEARCHING = ("griffin-lim",)
SONGS = ("tour", "canon", "prelude")


class Golden(NamedTuple):
    """A reference: its name, how it is rendered, and whether phases are searched for in it."""

    name: str
    render: Callable[[], FloatArray]
    is_searched: bool
    rate: int = RATE

    @property
    def file(self) -> Path:
        """Where it is stored."""
        return FOLDER / f"{self.name}.flac"

    @property
    def least_db(self) -> float:
        """How near a render must be."""
        if self.is_searched:
            return SEARCHED_DB
        is_alike = json.loads(FACTS.read_text(encoding="utf-8"))["core"] == core()
        return EXACT_DB if is_alike else STEPPED_DB

    def nearness_db(self, audio: FloatArray) -> float:
        """Return how near a render is, in dB: of samples, or of magnitudes where phases are searched for."""
        return (magnitude_snr_db if self.is_searched else snr_db)(self.stored(), audio)

    def stored(self) -> FloatArray:
        """Return what is stored, float32 (N, 2)."""
        audio, rate = soundfile.read(self.file, dtype="float32", always_2d=True)
        assert rate == self.rate
        return audio


def goldens() -> list[Golden]:
    """Return all references."""
    low = [_note(*path, "low-rate") for path in _each(LOW_PATHS)]
    notes = [_note(*path) for path in _each(PATHS)]
    songs = [Golden(f"song-{name}", partial(render_song, name), name == "tour") for name in SONGS]
    return [*songs, *notes, *low, Golden("drums-dual-harmonic", render_drums, True)]


def _each(paths: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, str]]:
    return ((representation, decoder) for representation, decoders in paths.items() for decoder in decoders)


def _note(representation: str, decoder: str, bank: str | None = None) -> Golden:
    rate = RATE if bank is None else LOW_RATE
    name = f"{'note' if bank is None else bank}-{representation}-{decoder}"
    return Golden(name, partial(render_note, representation, decoder, bank, rate), decoder in SEARCHING, rate)


def core() -> str:
    """Return what grows notes here: "kernel" or "numpy"."""
    return wanted_core(AUTO)


def render_song(name: str) -> FloatArray:
    """Render the beginning of an example, float32 (N, 2)."""
    song = read_midi_file(ROOT / f"examples/{name}.mid")
    synth = assemble_synth(sample_rate=RATE, provider="cpu").synth
    for message in song.messages:
        synth.send(message.data, round(message.time_s * RATE))
    return synth.render(round(EXCERPT_S * RATE))


def render_note(representation: str, decoder: str, bank: str | None, rate: int) -> FloatArray:
    """Render a note of a path: two instruments, one of them soft and bent, float32 (N, 2)."""
    path = {"representation": representation, "decoder": decoder}
    synth = assemble_synth(sample_rate=rate, provider="cpu", bank_path=bank, **path).synth
    synth.send(midi.program_change(1, 73), 0)
    synth.send(midi.pitch_bend(1, 2000), 0)
    for channel, key, velocity in ((0, 57, 100), (1, 79, 60)):
        synth.send(midi.note_on(channel, key, velocity), 0)
        synth.send(midi.note_off(channel, key), round(HELD_S * rate))
    return synth.render(round(NOTE_S * rate))


def render_drums() -> FloatArray:
    """Render kick, snare, closed hi-hat, tom and crash, float32 (N, 2)."""
    synth = assemble_synth(sample_rate=RATE, provider="cpu").synth
    for index, key in enumerate((36, 38, 42, 45, 49)):
        synth.send(midi.note_on(9, key, 100), round(0.2 * index * RATE))
    return synth.render(round(1.2 * RATE))


def snr_db(reference: FloatArray, audio: FloatArray) -> float:
    """Return the signal-to-noise ratio of audio that should be a reference, in dB."""
    wanted, got = reference.astype(np.float64), audio.astype(np.float64)
    if wanted.shape != got.shape:
        return -np.inf
    error = float(np.sum((wanted - got) ** 2))
    return float("inf") if error == 0.0 else 10.0 * float(np.log10(np.sum(wanted**2) / error))


def magnitude_snr_db(reference: FloatArray, audio: FloatArray) -> float:
    """Return `snr_db` of the magnitudes of short-time spectra of the left channel."""
    if reference.shape != audio.shape:
        return -np.inf
    return snr_db(*(np.abs(stft(one[:, 0], 1024, 256)) for one in (reference, audio)))


def write() -> None:
    """Make all references anew."""
    FOLDER.mkdir(exist_ok=True)
    for golden in goldens():
        soundfile.write(golden.file, golden.render(), golden.rate, "PCM_24")
    commit = subprocess.run(
        ["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True
    )
    facts = {
        "commit": commit.stdout.strip(),
        "core": core(),
        "tnca-synth": tnca_synth.__version__,
        "numpy": np.__version__,
        "onnxruntime": onnxruntime.__version__,
    }
    FACTS.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> None:
    """Compare, or with `--write` make the references anew; say from which commit and versions they are."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="make the references anew")
    if parser.parse_args(arguments).write:
        write()
    print(FACTS.read_text(encoding="utf-8").strip())
    for golden in goldens():
        print(f"{golden.name:28} {golden.nearness_db(golden.render()):7.1f} dB, at least {golden.least_db:.0f}")


if __name__ == "__main__":
    main()
