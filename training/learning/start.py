"""Where fitting starts: what the foundation knows that sounds most like the notes.

Letters: N notes, C candidates of a note, T frames, F bands, D numbers of a vector.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...engine.arrays import FloatArray
from ...engine.spectra.spec import AudioSpec
from ...engine.spectra.stft import level_from_power, mel_filterbank, power_spectrogram
from ..measure.note_features import NoteFeatures
from ..measure.recording import Recording
from .foundation import Foundation

HEARD_FRAMES = 60
"""Of each note, 0.7 s: attack and the beginning of the decay tell instruments apart."""
STEP_FRAMES = 3
MOST_HEARD = 8
"""Notes that are compared with all candidates, spread over the keyboard; the others choose among the best timbres."""
MOST_DRUMS = 64
"""Timbres that a drum is compared with."""
KEYS_OF_EACH = 2
"""Known keys of each timbre, nearest in pitch, that a note is compared with."""
MIXED = 3
"""Timbres that a start is mixed of."""
SHARPNESS = 1.5
"""Per dB of error: how quickly a timbre that is further away counts less in the mixture."""
HALF_DB = 15.0
"""A band counts half as much in a comparison for each so many dB that it is softer than the loudest: the noise of a
room, and what a microphone leaves out, tell nothing of an instrument."""
SOUNDING = 0.25
"""Level, 10 dB, from which a band counts in a comparison."""


@dataclass(frozen=True, eq=False)
class Start:
    """Codes to begin with.

    Attributes
    ----------
    vector : float32 (D,), the instrument's
    codes : MIDI key -> float32 (D',), of each recorded key
    names : of the timbres it is mixed of, the nearest first
    shares : of each of them
    error_db : mean error of the nearest one's levels
    """

    vector: Tensor
    codes: dict[int, Tensor]
    names: tuple[str, ...]
    shares: tuple[float, ...]
    error_db: float


def loudness_db(foundation: Foundation, recordings: Sequence[Recording]) -> FloatArray:
    """Return how loud the foundation's instruments are in the mean where recordings are, dB (N,)."""
    chosen = [_candidates(foundation, one.pitch, one.pitched, 1) for one in recordings]
    rows = np.repeat(np.arange(len(recordings)), [len(own) for own in chosen])
    facts = [[float(one.pitch), one.velocity / 127.0, float(one.pitched)] for one in recordings]
    level = _grown(foundation, np.concatenate(chosen), *torch.tensor(facts)[torch.from_numpy(rows)].T)
    db = _power_db(level, foundation.spec.level_scale_db, foundation.spec.floor_db)
    return np.array([float(np.mean(db[rows == n])) for n in range(len(recordings))], np.float32)


def _power_db(level: FloatArray, scale_db: float, floor_db: float) -> FloatArray:
    """Return the mean power of levels (N, T, F) in dB, (N,)."""
    power = 10.0 ** ((np.maximum(level, 0.0) * scale_db + floor_db) / 10.0)
    return np.asarray(10.0 * np.log10(power.sum(2).mean(1) + 1e-12), np.float32)


def heard_db(audio: FloatArray, spec: AudioSpec) -> float:
    """Return the power of a recording over the frames that are compared, dB, as `loudness_db` measures it."""
    heard = audio[: HEARD_FRAMES * spec.hop_length]
    level = level_from_power(power_spectrogram(heard, spec) @ mel_filterbank(spec).T, spec)
    return float(_power_db(level[None, ::STEP_FRAMES], spec.level_scale_db, spec.floor_db)[0])


def nearest_starts(foundation: Foundation, notes: Sequence[NoteFeatures]) -> dict[str, Start]:
    """Return the start for each timbre of some notes, by its name."""
    groups: dict[str, list[NoteFeatures]] = {}
    for note in notes:
        groups.setdefault(note.instrument, []).append(note)
    return {name: nearest_start(foundation, own) for name, own in groups.items()}


def programs_of(foundation: Foundation, starts: dict[str, Start]) -> tuple[int, ...]:
    """Return the programs of the instruments that the first timbre starts from, the nearest first."""
    programs = {one.name: one.program for one in foundation.bank.instruments}
    names = [name.partition(":")[0] for name in next(iter(starts.values())).names]
    return tuple(dict.fromkeys(programs[name] for name in names))


def nearest_start(foundation: Foundation, notes: Sequence[NoteFeatures]) -> Start:
    """Return the start for one timbre's notes."""
    ordered = sorted(notes, key=lambda note: (note.pitch, note.velocity))
    heard = [ordered[i] for i in np.unique(np.linspace(0, len(ordered) - 1, MOST_HEARD).astype(int))]
    errors, _ = _errors(foundation, heard, None if ordered[0].pitched else _nearest_drums(foundation, ordered[0].pitch))
    means = {name: float(np.mean(values)) for name, values in errors.items()}
    names = sorted(means, key=means.__getitem__)[:MIXED]
    weights = np.exp(-SHARPNESS * (np.array([means[name] for name in names]) - means[names[0]]))
    shares = weights / weights.sum()
    _, best = _errors(foundation, ordered, names)
    codes: dict[int, list[Tensor]] = {}
    for index, note in enumerate(ordered):
        own = [foundation.codes_of(best[name][index : index + 1])[1][0] for name in names]
        codes.setdefault(note.pitch, []).append(sum(float(s) * c for s, c in zip(shares, own, strict=True)))  # type: ignore[arg-type]
    rows = [foundation.known.names.index(name) for name in names]
    vector = (torch.tensor(shares, dtype=torch.float32)[:, None] * foundation.model.timbres.weight[rows]).sum(0)
    means_of = {key: torch.stack(own).mean(0) for key, own in codes.items()}
    return Start(vector, means_of, tuple(names), tuple(shares.tolist()), means[names[0]])


def _nearest_drums(foundation: Foundation, key: int) -> list[str]:
    """Return the timbres without a pitch whose keys lie nearest, which in kits are drums of the same kind."""
    known = foundation.known
    apart = np.where(known.pitched, np.inf, np.abs(known.key - key))
    rows = known.row[np.argsort(apart, kind="stable")[: int((~known.pitched).sum())]]
    return [known.names[row] for row in dict.fromkeys(rows.tolist())][:MOST_DRUMS]


def _candidates(foundation: Foundation, key: int, pitched: bool, each: int) -> NDArray[np.int64]:
    """Return the known keys of every timbre of a kind that lie nearest to a key, `each` of them."""
    known = foundation.known
    chosen = []
    for row in range(len(known.names)):
        own = np.flatnonzero((known.row == row) & (known.pitched == pitched))
        chosen.append(own[np.argsort(np.abs(known.key[own] - key), kind="stable")[:each]])
    return np.concatenate(chosen)


def _errors(
    foundation: Foundation, notes: Sequence[NoteFeatures], only: Sequence[str] | None
) -> tuple[dict[str, list[float]], dict[str, NDArray[np.int64]]]:
    """Return, by timbre, its error in dB on each note and which of its known keys it has it with."""
    known = foundation.known
    allowed = range(len(known.names)) if only is None else [known.names.index(name) for name in only]
    chosen, rows = [], []
    for index, note in enumerate(notes):
        own = _candidates(foundation, note.pitch, note.pitched, KEYS_OF_EACH)
        own = own[np.isin(known.row[own], list(allowed))]
        chosen.append(own)
        rows.append(np.full(len(own), index))
    which, row = np.concatenate(chosen), np.concatenate(rows)
    facts = [[note.pitch + note.tuning_cents / 100.0, note.velocity / 127.0, float(note.pitched)] for note in notes]
    pitch, velocity, pitched = torch.tensor(facts, dtype=torch.float32)[torch.from_numpy(row)].T
    grown = _grown(foundation, which, pitch, velocity, pitched)
    scale = foundation.spec.level_scale_db
    error = np.array([_apart_db(grown[i], notes[n], scale) for i, n in enumerate(row)])
    found: dict[str, list[float]] = {}
    best: dict[str, NDArray[np.int64]] = {}
    for timbre in sorted(set(known.row[which].tolist())):
        mine = [np.flatnonzero((known.row[which] == timbre) & (row == n)) for n in range(len(notes))]
        places = [own[np.argmin(error[own])] for own in mine]
        found[known.names[timbre]] = error[places].tolist()
        best[known.names[timbre]] = which[places]
    return found, best


def _apart_db(grown: FloatArray, note: NoteFeatures, scale_db: float) -> float:
    """Return the mean difference of grown levels (T, F) and a note's, in dB; what is loud counts most."""
    wanted = note.mel[:HEARD_FRAMES:STEP_FRAMES, 0].astype(np.float32)
    grown = grown[: len(wanted)]
    loudest = np.maximum(grown, wanted)
    counts = np.exp2((loudest - loudest.max()) * scale_db / HALF_DB) * (loudest > SOUNDING)
    return float((np.abs(grown - wanted) * counts).sum() / max(counts.sum(), 1e-9) * scale_db)


@torch.no_grad()
def _grown(
    foundation: Foundation, which: NDArray[np.int64], pitch: Tensor, velocity: Tensor, pitched: Tensor
) -> FloatArray:
    """Grow notes with known codes while held; mel levels (N, T, F) of every `STEP_FRAMES`-th frame."""
    model, hop_s = foundation.model, foundation.spec.hop_s
    planted = model.seed(pitch, velocity, torch.cat(foundation.codes_of(which), 1), pitched, torch.zeros(len(pitch)))
    grid, ones = planted["grid"], torch.ones(len(pitch))
    mask = torch.ones(len(pitch), model.config.steps_per_hop, grid.shape[1])
    still, levels = torch.zeros(len(pitch), grid.shape[1]), []
    for frame in range(HEARD_FRAMES):
        grid = model.step(grid, planted, ones * frame * hop_s, -ones, mask, still)
        if frame % STEP_FRAMES == 0:
            levels.append(grid[..., 0])
    return np.asarray(torch.stack(levels, 1).numpy())
