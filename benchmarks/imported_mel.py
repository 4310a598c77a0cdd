"""How near the mel that imported vocoders are fed comes to the one they were trained on.

    python benchmarks/imported_mel.py [SOUNDFONT]

Recorded notes are measured as this engine measures them, turned into the mel of the 22 kHz BigVGAN, and compared with
that mel measured directly: mean absolute error in dB over what is at most 60 dB under the loudest band.
"""

from __future__ import annotations

import sys
from functools import partial

import librosa
import numpy as np
import tinysoundfont

from tnca_synth.engine.arrays import FloatArray
from tnca_synth.engine.decoders.base import NoteControls
from tnca_synth.engine.decoders.imported.magnitudes import BinMagnitudes
from tnca_synth.engine.decoders.imported.mel import ImportedMel
from tnca_synth.engine.spectra.spec import AudioSpec
from tnca_synth.engine.spectra.stft import hann
from tnca_synth.training.measure.note_features import extract
from tnca_synth.training.measure.recording import Recording

SPEC = AudioSpec()
MEL = ImportedMel(22050, 1024, 256, 80, 0.0, 11025.0, "slaney", 1e-5, centred=False)
NOTES = (
    ("piano", 0, 48), ("piano", 0, 72), ("organ", 19, 48), ("guitar", 24, 52), ("violin", 40, 67), ("trumpet", 56, 60),
    ("flute", 73, 79),
)  # fmt: skip
DB = 20.0 / np.log(10.0)


def record(soundfont: str, program: int, key: int) -> FloatArray:
    """Return a second of a note held throughout."""
    synth = tinysoundfont.Synth(samplerate=SPEC.sample_rate)
    synth.program_select(0, synth.sfload(soundfont), 0, program)
    synth.noteon(0, key, 90)
    stereo = np.frombuffer(bytes(synth.generate(SPEC.sample_rate)), np.float32).reshape(-1, 2)
    return stereo.mean(1).astype(np.float32)


def true_mel(audio: FloatArray) -> FloatArray:
    """Return the mel as the vocoder's training measured it."""
    padded = np.pad(audio, (MEL.n_fft - MEL.hop_length) // 2)
    windows = np.lib.stride_tricks.sliding_window_view(padded, MEL.n_fft)[:: MEL.hop_length]
    bands = librosa.filters.mel(sr=MEL.sample_rate, n_fft=MEL.n_fft, n_mels=MEL.num_mels, fmin=0, fmax=MEL.fmax_hz)
    return np.log(np.maximum(np.abs(np.fft.rfft(windows * hann(MEL.n_fft))) @ bands.T, MEL.clip)).astype(np.float32)


def error_db(audio: FloatArray, key: int, field: str) -> float:
    """Return the mean error of one note."""
    features = extract(Recording(audio, "note", key, 90, len(audio) / SPEC.sample_rate, True), SPEC, False)
    pair = np.asarray(getattr(features, field), np.float32)[None]
    f0_hz = np.full(pair.shape[:2], 440.0 * 2.0 ** ((key - 69) / 12))
    magnitude = BinMagnitudes(SPEC, field)(pair, NoteControls(f0_hz, np.zeros(1)))[0]
    found, wanted = MEL.log_mel(0.5 * (magnitude[:-1] + magnitude[1:])), true_mel(audio)
    count = min(len(found), len(wanted))
    loud = wanted[:count] > wanted.max() - 60.0 / DB
    return float(np.abs(found[:count] - wanted[:count])[loud].mean() * DB)


if __name__ == "__main__":
    play = partial(record, sys.argv[1] if len(sys.argv) > 1 else "/usr/share/sounds/sf3/FluidR3Mono_GM.sf3")
    rows = [(name, key, play(program, key)) for name, program, key in NOTES]
    errors = {field: [error_db(audio, key, field) for _, key, audio in rows] for field in ("linear", "mel")}
    for index, (name, key, _) in enumerate(rows):
        print(f"{name:8} {key}: from linear {errors['linear'][index]:.2f} dB, from mel {errors['mel'][index]:.2f} dB")
    print(f"mean: from linear {np.mean(errors['linear']):.2f} dB, from mel {np.mean(errors['mel']):.2f} dB")
