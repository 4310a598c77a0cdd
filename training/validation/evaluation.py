"""Held-out notes played by a bank, against their recordings: distance, pitch, level; and the baselines beside them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace

import librosa
import numpy as np
import soxr
from numpy.typing import NDArray

from ...engine.arrays import FloatArray
from ...engine.bank.bank import Bank
from ...engine.bank.instruments import KeyChoice
from ...engine.decoders.base import Decoder, NoteControls, lookahead_of
from ...engine.models.growth_model import OnnxGrowthModel
from ...engine.models.interfaces import HopInputs
from ...engine.spectra.pitch import pitch_to_hz
from ...engine.spectra.spec import AudioSpec
from ...engine.spectra.stft import mel_filterbank, power_spectrogram
from ..config.instruments import InstrumentConfig
from ..config.run import DataConfig
from ..data.references import Reference, references
from ..measure.distance import stft_distance, top_error_db
from ..measure.hearing import HEARING_RATE, hearing_distance
from ..measure.note_features import extract
from ..measure.recording import HELD_OUT_VELOCITY, Recording, is_held_out_key
from ..sources.soundfont import SoundFont
from .anchors import ANCHORS, anchors, opus_rate
from .opinion import visqol_mos
from .rendered import NoteRenderer

HOLD_S, TAIL_S = 1.5, 0.8
VELOCITIES = (64, 90)
SAMPLER = "sampler"
SAMPLER_SEMITONES = 3
RECORDED_BESIDE = 2  # semitones from a key never recorded to the recorded one that is heard beside it
GRIFFIN_LIM_ITERATIONS = 32
NOTE_SLOT = np.zeros(1, np.intp)


@dataclass(frozen=True)
class NoteResult:
    """One held-out note, one path.

    Attributes
    ----------
    path : what made the sound: "mel+vocoder", "dual+harmonic", "sampler", "Opus 24 kb/s", ...
    zimtohrli, visqol : distance and opinion score by `training.measure.hearing`
    top_db : log-spectral error in dB above 10 kHz, nan where there is nothing
    distance : `stft_distance` to the recording
    mel_db : mean absolute mel level error in dB, nan where the path grows no mel
    cents : pitch against the recording's by an independent tracker, nan where either has none
    is_new_key : whether the key was never recorded; else only its velocity was not
    """

    instrument: str
    pitch: int
    velocity: int
    pitched: bool
    path: str
    zimtohrli: float
    visqol: float
    top_db: float
    distance: float
    mel_db: float = float("nan")
    cents: float = float("nan")
    is_new_key: bool = False


def held_out_keys(instrument: InstrumentConfig) -> list[int]:
    """Keys that training never saw; every fourth, or four drums of a kit (whose held-out layer is the velocity)."""
    if instrument.pitched:
        return [key for key in range(instrument.low, instrument.high + 1) if is_held_out_key(key)]
    return list(range(instrument.low, instrument.high + 1, 8))


def reference_notes(instrument: InstrumentConfig, data: DataConfig, max_keys: int) -> Iterable[Reference]:
    """Yield held-out recordings at 48 kHz, each with the recording three semitones lower (for the sampler).

    Of pitched instruments both kinds are heard: keys never recorded, and beside each a recorded key in the velocity
    that was not, so that all of the keyboard is judged. Of folders and NSynth sets it is what they hold.
    """
    if data.source != "soundfont":
        yield from references(instrument, data, HEARING_RATE, max_keys)
        return
    font = SoundFont(data.soundfont, HEARING_RATE)
    keys = held_out_keys(instrument)
    chosen = [keys[i] for i in np.unique(np.linspace(0, len(keys) - 1, max_keys).astype(int))]
    for held_out in chosen:
        beside = held_out + RECORDED_BESIDE if held_out + RECORDED_BESIDE <= instrument.high else held_out - 1
        both = [(held_out, velocity) for velocity in VELOCITIES] + [(beside, HELD_OUT_VELOCITY)]
        for key, velocity in both if instrument.pitched else [(held_out, HELD_OUT_VELOCITY)]:
            audio = font.render(instrument.program, key, velocity, HOLD_S, TAIL_S, instrument.drum_keys)
            if np.abs(audio).max() < 1e-3:
                continue
            low = font.render(
                instrument.program, key - SAMPLER_SEMITONES, velocity, HOLD_S, TAIL_S, instrument.drum_keys
            )
            recording = Recording(audio, instrument.timbre_name(key), key, velocity, HOLD_S, instrument.pitched)
            is_new_key = instrument.pitched and is_held_out_key(key)
            yield Reference(recording, True, is_new_key, low, SAMPLER_SEMITONES)


def sampler(nearest: FloatArray, sample_rate: int, semitones: int = SAMPLER_SEMITONES) -> FloatArray:
    """Transpose another recording up by resampling, as a sampler does."""
    return soxr.resample(nearest, sample_rate * 2 ** (semitones / 12), sample_rate, quality="VHQ")


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


class PitchJudge:
    """SwiftF0, a pitch tracker that is not ours, on the sustained part of notes."""

    def __init__(self) -> None:
        from swift_f0 import SwiftF0

        self._tracker = SwiftF0(threads=1, spin=False)

    def cents_between(self, audio: FloatArray, reference: FloatArray, sample_rate: int) -> float:
        """Return the median pitch of `audio` over that of `reference` in cents; nan if either has none."""
        part = slice(int(0.25 * sample_rate), int(1.4 * sample_rate))
        a, b = (self._median_hz(x[part], sample_rate) for x in (audio, reference))
        return float(1200 * np.log2(a / b)) if a > 0 and b > 0 else float("nan")

    def _median_hz(self, audio: FloatArray, sample_rate: int) -> float:
        peak = float(np.abs(audio).max(initial=0.0))
        if peak < 1e-4:
            return 0.0
        result = self._tracker.detect(audio * (0.5 / peak), sample_rate)
        voiced = result.pitch_hz[result.confidence >= 0.5]
        return float(np.median(voiced)) if len(voiced) >= 5 else 0.0


class Evaluator:
    """Plays held-out notes through a bank's paths.

    Parameters
    ----------
    bank : Bank
    paths : (representation, decoder) pairs
    """

    def __init__(self, bank: Bank, paths: tuple[tuple[str, str], ...]) -> None:
        representations = dict.fromkeys(representation for representation, _ in paths)
        self._growth = {name: bank.growth_model(name, "cpu") for name in representations}
        self._books = {name: bank.timbre_book(growth) for name, growth in self._growth.items()}
        self._renderers = {path: NoteRenderer(bank, self._growth[path[0]], path[1]) for path in paths}
        self._spec = next(iter(self._growth.values())).spec
        mel = next((growth for growth in self._growth.values() if "mel" in growth.fields), None)
        asked = mel is not None and any(decoder == "vocoder" for _, decoder in paths)
        self._vocoder = bank.decoder("vocoder", mel, 1) if mel is not None and asked else None
        self._judge = PitchJudge()

    def note(self, reference: Reference, instrument: InstrumentConfig) -> list[NoteResult]:
        """Measure one held-out note, recorded at 48 kHz, on every path, baseline and anchor."""
        recording, played = reference.recording, dict[str, FloatArray]()
        if reference.nearest is not None:
            played[SAMPLER] = sampler(reference.nearest, HEARING_RATE, reference.semitones)
        played |= anchors(recording.audio)
        at = (instrument, recording.pitch, recording.velocity, recording.hold_s, len(recording.audio))
        played |= {"+".join(path): renderer.render(*at) for path, renderer in self._renderers.items()}
        truth = extract(replace(recording, audio=self._as_trained(recording.audio)), self._spec, instrument.inharmonic)
        played |= self._from_true_mel(recording, truth.mel, instrument)
        mel_db = {name: self._mel_error_db(name, recording, truth.mel, instrument) for name in self._growth}
        return [
            self._result(reference, path, audio, mel_db.get(path.partition("+")[0], float("nan")))
            for path, audio in played.items()
        ]

    def _as_trained(self, audio: FloatArray) -> FloatArray:
        """Return a recording at the rate of the models."""
        resampled: FloatArray = soxr.resample(audio, HEARING_RATE, self._spec.sample_rate, quality="VHQ")
        return resampled

    def _choice(self, representation: str, instrument: InstrumentConfig, key: int) -> KeyChoice:
        return self._books[representation].instrument_for(instrument.program, 0, instrument.drum_keys, key)

    def _mel_error_db(
        self, representation: str, recording: Recording, truth: NDArray[np.float16], instrument: InstrumentConfig
    ) -> float:
        """Return the mean error of grown mel levels in dB; nan where the representation grows none."""
        growth, frames = self._growth[representation], len(truth)
        if "mel" not in growth.fields:
            return float("nan")
        choice = self._choice(representation, instrument, recording.pitch)
        grown = grow_note(growth, choice, recording, frames)["mel"][0, :, 0]
        return float(np.abs(grown - truth[:, 0].astype(np.float32)).mean() * self._spec.level_scale_db)

    def _from_true_mel(
        self, recording: Recording, mel: NDArray[np.float16], instrument: InstrumentConfig
    ) -> dict[str, FloatArray]:
        """Return what vocoder and Griffin-Lim make of the recording's own mel."""
        if self._vocoder is None:
            return {}
        name, spec = next(iter(self._books)), self._spec
        choice = self._choice(name, instrument, recording.pitch)
        steady, _, _ = controls(self._growth[name], choice, recording.pitch, len(mel))
        audio = decode_note(self._vocoder, {"mel": mel[None].astype(np.float32)}, steady, recording.pitch)
        recorded = self._as_trained(recording.audio)
        rival = griffin_lim(power_spectrogram(recorded, spec) @ mel_filterbank(spec).T, spec, len(recorded))
        both = {"true mel+vocoder": audio, "true mel+Griffin-Lim 32": rival}
        return {path: soxr.resample(one, spec.sample_rate, HEARING_RATE, quality="VHQ") for path, one in both.items()}

    def _result(self, reference: Reference, path: str, audio: FloatArray, mel_db: float) -> NoteResult:
        recording = reference.recording
        length = len(recording.audio)
        audio = np.pad(audio[:length], (0, max(0, length - len(audio))))
        cents = float("nan")
        if recording.pitched:
            cents = self._judge.cents_between(audio, recording.audio, HEARING_RATE)
        return NoteResult(
            instrument=recording.instrument.split(":")[0],
            pitch=recording.pitch,
            velocity=recording.velocity,
            pitched=recording.pitched,
            path=path,
            zimtohrli=hearing_distance(recording.audio, audio, HEARING_RATE),
            visqol=visqol_mos(recording.audio, audio, HEARING_RATE),
            top_db=top_error_db(audio, recording.audio),
            distance=stft_distance(self._as_trained(audio), self._as_trained(recording.audio)),
            mel_db=mel_db,
            cents=cents,
            is_new_key=reference.is_new_key,
        )


def summarise(results: list[NoteResult]) -> dict[str, dict[str, dict[str, float]]]:
    """Return path -> instrument (and "all") -> means over notes.

    They are those of `NoteResult`, with the shares of notes `within_10_cents` and `within_5_cents`, and `opus_kbps`,
    the rate at which Opus leaves the same notes as far from themselves (see `anchors.opus_rate`).
    """
    table: dict[str, dict[str, dict[str, float]]] = {}
    for path in dict.fromkeys(result.path for result in results):
        here = [result for result in results if result.path == path]
        pitched = [result for result in here if result.pitched]
        groups = {"all": here, "pitched": pitched}
        groups["new keys"] = [result for result in pitched if result.is_new_key]
        groups["new velocity"] = [result for result in pitched if not result.is_new_key]
        for result in here:
            groups.setdefault(result.instrument, []).append(result)
        table[path] = {name: _means(group) for name, group in groups.items() if group}
    for path, groups_of in table.items():
        for name, means in groups_of.items():
            by_anchor = {anchor: table[anchor][name]["zimtohrli"] for anchor in ANCHORS if anchor in table}
            means["opus_kbps"] = float("nan") if path in ANCHORS else opus_rate(means["zimtohrli"], by_anchor)
    return table


def _means(group: list[NoteResult]) -> dict[str, float]:
    cents = np.array([result.cents for result in group])
    heard = np.abs(cents[np.isfinite(cents)])
    mel = np.array([result.mel_db for result in group])
    top = np.array([result.top_db for result in group])
    top = top[np.isfinite(top)]
    return {
        **{name: float(np.mean([getattr(one, name) for one in group])) for name in ("zimtohrli", "visqol", "distance")},
        "top_db": float(top.mean()) if len(top) else float("nan"),
        "mel_db": float(np.mean(mel)) if np.isfinite(mel).all() else float("nan"),
        **{f"within_{most}_cents": float((heard <= most).mean()) if len(heard) else float("nan") for most in (10, 5)},
        "notes": len(group),
        "pitch_heard": len(heard),
    }


def as_rows(results: list[NoteResult]) -> list[dict[str, object]]:
    """Return plain rows for JSON."""
    return [asdict(result) for result in results]
