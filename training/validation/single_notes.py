"""Single notes through the models of a bank, without a synthesizer: grown, and decoded; and the rival of a vocoder."""

from __future__ import annotations

import librosa
import numpy as np
from numpy.typing import NDArray

from ...engine.arrays import FloatArray
from ...engine.bank.instruments import KeyChoice
from ...engine.decoders.base import Decoder, NoteControls, lookahead_of
from ...engine.models.growth_model import OnnxGrowthModel
from ...engine.models.interfaces import HopInputs
from ...engine.spectra.pitch import pitch_to_hz
from ...engine.spectra.spec import AudioSpec
from ...engine.spectra.stft import mel_filterbank
from ..measure.recording import Recording

GRIFFIN_LIM_ITERATIONS = 32
NOTE_SLOT = np.zeros(1, np.intp)


def controls(growth: OnnxGrowthModel, choice: KeyChoice, pitch: int, frames: int) -> tuple[NoteControls, float, float]:
    """Return decoder controls of a note, its tuned pitch, and its inharmonicity."""
    cents, stretch = choice.instrument.tuning(pitch) if choice.pitched else (0.0, 0.0)
    tuned = pitch + cents / 100.0
    grown_hz = np.full((1, frames), float(pitch_to_hz(tuned)) if choice.pitched else 0.0)
    sway = growth.motions.sway(np.array([choice.motion]), frame_times(growth, frames)).T
    modes = growth.motions.inharmonic_partials_of(np.array([choice.motion.row]))
    return NoteControls(grown_hz * 2.0 ** (sway / 12.0), np.array([stretch]), grown_hz, modes=modes), tuned, stretch


def frame_times(growth: OnnxGrowthModel, frames: int) -> NDArray[np.float64]:
    """Return the ages in seconds of the frames of one note, (frames, 1)."""
    return np.arange(frames, dtype=np.float64)[:, None] * growth.spec.hop_s


def grow_note(growth: OnnxGrowthModel, choice: KeyChoice, recording: Recording, frames: int) -> dict[str, FloatArray]:
    """Grow one note with the played model, finished as the engine does; fields (1, T, 2, F)."""
    steady, tuned, stretch = controls(growth, choice, recording.pitch, frames)
    motion, times = np.array([choice.motion]), frame_times(growth, frames)
    swell = growth.motions.swell(motion, times)

    def one(value: float) -> FloatArray:
        return np.array([value], np.float32)

    pitched, semitones = one(float(choice.pitched)), choice.motion.semitones
    velocity = one(recording.velocity / 127)
    genome = growth.plant(one(tuned - semitones), velocity, choice.timbre[None], pitched, one(stretch))
    mask = np.ones((1, growth.steps_per_hop, genome["grid"].shape[1]), np.float32)
    grown: dict[str, list[FloatArray]] = {name: [] for name in growth.fields}
    for t in range(frames):
        age_s = t * growth.spec.hop_s
        released = age_s - recording.hold_s if age_s >= recording.hold_s else -1.0
        hop = growth.step(genome, HopInputs(one(age_s), one(released), mask, swell[t]))
        genome["grid"] = hop.grid
        for name, field in hop.fields.items():
            grown[name].append(field)
    fields = {name: np.stack(values, 1) for name, values in grown.items()}
    return growth.finisher.finish(
        fields,
        growth.motions.corrections(motion, times),
        np.full((1, frames), semitones),
        steady.field_hz,
        steady.inharmonicity,
    )


def decode_note(decoder: Decoder, fields: dict[str, FloatArray], steady: NoteControls, seed: int) -> FloatArray:
    """Decode the fields of one note, (1, T, 2, F), to audio ((T - look-ahead) * hop_length,)."""
    ahead = lookahead_of(decoder, bool(steady.pitched[0]))
    first, rest = slice(None, ahead), slice(ahead, None)

    def part(span: slice) -> tuple[dict[str, FloatArray], NoteControls]:
        return {n: f[:, span] for n, f in fields.items()}, steady.during(span)

    decoder.begin(NOTE_SLOT, *part(first), np.array([seed], np.uint64))
    return decoder.decode(NOTE_SLOT, *part(rest))[0]


def griffin_lim(mel_power: FloatArray, spec: AudioSpec, length: int) -> FloatArray:
    """Offline Griffin-Lim from mel power (T, num_mels): the vocoder's rival, by librosa."""
    bank = mel_filterbank(spec)
    power = librosa.util.nnls(bank, mel_power.T)
    magnitude = np.sqrt(power) * spec.n_fft / 4.0
    audio = librosa.griffinlim(
        magnitude,
        n_iter=GRIFFIN_LIM_ITERATIONS,
        hop_length=spec.hop_length,
        n_fft=spec.n_fft,
        length=length,
        random_state=0,
    )
    return audio.astype(np.float32)
