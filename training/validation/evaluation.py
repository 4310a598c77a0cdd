"""Held-out notes played by a bank, against their recordings: distance, pitch, level; and the baselines beside them."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

import numpy as np
import soxr
from numpy.typing import NDArray

from ...engine.arrays import FloatArray
from ...engine.bank.bank import Bank
from ...engine.bank.instruments import KeyChoice
from ...engine.spectra.stft import mel_filterbank, power_spectrogram
from ..config.instruments import InstrumentConfig
from ..data.references import Reference
from ..measure.distance import stft_distance, top_error_db
from ..measure.hearing import HEARING_RATE, hearing_distance
from ..measure.note_features import extract
from ..measure.recording import Recording
from .anchors import ANCHORS, anchors, opus_rate
from .held_out import SAMPLER, sampler
from .opinion import visqol_mos
from .pitch_judge import PitchJudge
from .rendered import NoteRenderer
from .single_notes import controls, decode_note, griffin_lim, grow_note


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
