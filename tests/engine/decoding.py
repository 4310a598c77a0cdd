"""Known sounds as decoders get them, and what comes out of a decoder in calls of any length."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tiny

from tnca_synth.engine.arrays import FloatArray
from tnca_synth.engine.decoders.base import Decoder, NoteControls, lookahead_of
from tnca_synth.engine.spectra.fields import Fields
from tnca_synth.engine.spectra.pitch import partial_hz
from tnca_synth.engine.spectra.spec import AudioSpec
from tnca_synth.training.measure.note_features import extract
from tnca_synth.training.measure.recording import Recording

SPEC = AudioSpec()
RATE, HOP = SPEC.sample_rate, SPEC.hop_length
A3_HZ = 220.0


def harmonic_note(stretch: float = 0.0, seconds: float = 1.0, f0_hz: float = A3_HZ, partials: int = 10) -> FloatArray:
    """Return a steady tone whose partials fall by 1/h, float32 (N,)."""
    return tiny.sines(partial_hz(f0_hz, stretch, partials), 0.3 / np.arange(1, partials + 1), seconds, RATE)


def true_fields(audio: FloatArray, pitched: bool = True, inharmonic: bool = False) -> Fields:
    """Return what training measures of a note at A3, (1, T, 2, bands or bins)."""
    features = extract(Recording(audio, "one", 57, 100, len(audio) / RATE, pitched), SPEC, inharmonic)
    return {"mel": features.mel[None].astype(np.float32), "linear": features.linear[None].astype(np.float32)}


def flat_fields(level: float, tonality: float, frames: int, voices: int = 1, spec: AudioSpec = SPEC) -> Fields:
    """Return fields alike in every band and at every time."""
    pair = np.array([level, tonality], np.float32)[:, None]
    sizes = {"mel": spec.num_mels, "linear": spec.num_bins}
    return {name: np.broadcast_to(pair, (voices, frames, 2, size)).copy() for name, size in sizes.items()}


def steady(f0_hz: Sequence[float] | float, frames: int, stretch: float = 0.0) -> NoteControls:
    """Return controls of voices that keep their pitch."""
    f0 = np.atleast_1d(np.asarray(f0_hz, np.float64))
    return NoteControls(np.repeat(f0[:, None], frames, 1), np.full(len(f0), stretch))


def decode(
    decoder: Decoder,
    fields: Fields,
    controls: NoteControls,
    calls: Sequence[int] = (),
    slots: Sequence[int] | None = None,
    seeds: Sequence[int] | None = None,
) -> FloatArray:
    """Decode whole notes, float32 (V, (T - lookahead) * HOP).

    `calls` are the frames of the first calls to `decode`; one more takes the rest.
    """
    voices, frames = controls.f0_hz.shape
    at = np.arange(voices) if slots is None else np.array(slots, np.intp)
    chance = np.arange(voices) + 7 if seeds is None else np.array(seeds)
    ends = np.cumsum([lookahead_of(decoder, bool(controls.pitched.all())), *calls])
    spans = [slice(start, end) for start, end in zip([0, *ends], [*ends, frames], strict=True)]
    decoder.begin(at, *part(decoder, fields, controls, spans[0]), chance.astype(np.uint64))
    return np.concatenate([decoder.decode(at, *part(decoder, fields, controls, span)) for span in spans[1:]], 1)


def part(decoder: Decoder, fields: Fields, controls: NoteControls, span: slice) -> tuple[Fields, NoteControls]:
    """Return the frames in `span` of what a decoder consumes."""
    consumed = {name: fields[name][:, span] for name in decoder.consumes}
    return consumed, controls.during(span)


def loudest_hz(audio: FloatArray, rate: int = RATE) -> float:
    """Return the frequency of the largest peak, to a hundredth of a Hz."""
    size = 1 << 18
    spectrum = np.log(np.abs(np.fft.rfft(audio * np.hanning(len(audio)), size)) + 1e-12)
    k = int(np.argmax(spectrum))
    a, b, c = spectrum[k - 1 : k + 2]
    return (k + 0.5 * float((a - c) / (a - 2 * b + c))) * rate / size


def rms_db(audio: FloatArray) -> float:
    """Return the level in dB."""
    return float(10 * np.log10(np.mean(np.square(audio, dtype=np.float64))))


def roughness_at_hops(audio: FloatArray, hop: int = HOP) -> float:
    """Return the sharpest bend of the waveform where hops meet over the sharpest anywhere else: 1 without clicks."""
    bend = np.abs(np.diff(audio, 2))
    seam = np.zeros(len(bend), bool)
    for offset in (-2, -1, 0):
        seam[np.arange(hop + offset, len(bend), hop)] = True
    return float(bend[seam].max() / bend[~seam].max())


def cents(hz: float, reference_hz: float) -> float:
    """Return the interval in cents."""
    return float(1200 * np.log2(hz / reference_hz))


def chunks(frames: int) -> list[list[int]]:
    """Return ways to take `frames` in several calls."""
    return [[1] * (frames - 1), [2] * ((frames - 1) // 2), [5, 1, 3]]
