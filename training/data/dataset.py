"""Recorded notes as tensors: every frame of every note in one array, with what seeds the notes beside it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...engine.bank.instruments import Tuning
from ...engine.keys.motions import Motion, MotionTable
from ...engine.keys.stored.motion_arrays import MotionArrays
from ...engine.spectra.spec import AudioSpec
from ...engine.spectra.transpose import LINEAR
from ...errors import DatasetError
from ..config.run import DataConfig
from ..measure.motions import Reach, measure_motions
from ..measure.note_features import NoteFeatures, extract
from ..sources import open_source
from ..sources.zone_notes import zone_reach
from .rendered_notes import kept_bins, rendered_notes
from .split import describe, hold_out

EMPTY = np.zeros((0, 2, 0), np.float16)
NO_SWAY = np.zeros(0, np.float16)
AUDIBLE_LEVEL = 0.02
Measure = Callable[[NoteFeatures], dict[str, NDArray[np.float16]]]
"""Further fields (T, 2, bands) of a note by name, from its linear side."""
Choose = Callable[[list[NoteFeatures]], list[NoteFeatures]]
"""Marks which notes of a group training must not hear; see `split`."""


@dataclass(frozen=True, eq=False)
class NoteSet:
    """Notes of all instruments.

    Attributes
    ----------
    features : list of NoteFeatures, one per note, without their arrays, which are in `mel` and `linear`
    mel, linear : float16 (frames of all notes, 2, bands or bins)
    bins : int64 (bins,), which linear bins are kept; None for all
    offset, num_frames : int64 (notes,), where a note's frames begin and how many there are
    pitch, velocity, pitched, stretch, hold_s : float32 (notes,); pitch includes the measured tuning
    softest : float32 (notes,), the lowest velocity at which a note is alike but for its level
    timbre : int64 (notes,), row of the timbre table
    last_audible : int64 (notes, bands), last frame in which a band sounds
    timbre_names : one per row of the timbre table
    tuning : timbre name -> measured tuning
    own_key : low, high and mix (notes,), where a note's key lies among its timbre's recorded keys (`between`)
    lent_key : the same among the other recorded keys, as if this one had not been recorded
    decaying : names of instruments that fade out while held
    motion_arrays, motions : what moves each timbre and recorded key, as it is stored and as it is read
    own_motion, lent_motion : float64 (notes, 2), rows of `engine.keys.motions.Motion`, as for the keys
    further : other fields by name, float16 (frames of all notes, 2, bands)
    """

    features: list[NoteFeatures]
    mel: Tensor
    linear: Tensor
    offset: NDArray[np.int64]
    num_frames: NDArray[np.int64]
    pitch: Tensor
    velocity: Tensor
    pitched: Tensor
    stretch: Tensor
    hold_s: Tensor
    timbre: Tensor
    last_audible: Tensor
    timbre_names: tuple[str, ...]
    tuning: dict[str, Tuning]
    own_key: tuple[Tensor, Tensor, Tensor]
    lent_key: tuple[Tensor, Tensor, Tensor]
    decaying: frozenset[str]
    motion_arrays: MotionArrays
    motions: MotionTable
    own_motion: NDArray[np.float64]
    lent_motion: NDArray[np.float64]
    softest: Tensor
    bins: NDArray[np.int64] | None = None
    further: dict[str, Tensor] = field(default_factory=dict)

    def all_frames(self, name: str) -> Tensor:
        """Return all frames of field `name`, float16 (frames of all notes, 2, bands or bins)."""
        return {"mel": self.mel, "linear": self.linear, **self.further}[name]

    def frames(self, name: str, note: int) -> Tensor:
        """Return one note's frames of field `name`, float16 (T, 2, bands or bins)."""
        return self.all_frames(name)[self.offset[note] : self.offset[note] + self.num_frames[note]]

    def kept(self, name: str) -> slice | NDArray[np.int64]:
        """Return which bands or bins of field `name` its frames have."""
        return self.bins if name == LINEAR and self.bins is not None else slice(None)

    def indices(self, held_out: bool) -> NDArray[np.int64]:
        """Return the notes to train on, or those held out."""
        return np.array([i for i, note in enumerate(self.features) if note.held_out == held_out], np.int64)


def between(key: float, recorded: Sequence[int]) -> tuple[int, int, float]:
    """Return the recorded keys at or below and at or above a key, and how far it is from the one to the other, 0..1.

    Beyond the ends both are the last recorded key; with none recorded, the key itself.
    """
    below = max((one for one in recorded if one <= key), default=None)
    above = min((one for one in recorded if one >= key), default=None)
    low = above if below is None else below
    high = below if above is None else above
    if low is None or high is None:
        return int(key), int(key), 0.0
    return low, high, (key - low) / (high - low) if high > low else 0.0


def _key_columns(
    features: Sequence[NoteFeatures], heard: Sequence[float], tuning: dict[str, Tuning], without_own: bool
) -> tuple[Tensor, Tensor, Tensor]:
    found: dict[tuple[str, int], tuple[int, int, float]] = {}
    for note, key in zip(features, heard, strict=True):
        at = (note.instrument, note.pitch)
        if at not in found:
            keys = tuning[note.instrument].keys if note.instrument in tuning else ()
            others = [one for one in keys if one != note.pitch]
            found[at] = between(key, others if without_own and others else keys)
    low, high, mix = zip(*(found[note.instrument, note.pitch] for note in features), strict=True)
    return torch.tensor(low), torch.tensor(high), torch.tensor(mix, dtype=torch.float32)


def measure_tuning(notes: Iterable[NoteFeatures]) -> dict[str, Tuning]:
    """Median tuning per timbre and key over the notes that training may see."""
    found: dict[str, dict[int, list[tuple[float, float]]]] = {}
    for note in notes:
        if not note.held_out:
            found.setdefault(note.instrument, {}).setdefault(note.pitch, []).append(
                (note.tuning_cents, note.inharmonicity)
            )
    tables = {}
    for name, keys in found.items():
        ordered = sorted(keys)
        medians = [np.median(keys[key], axis=0) for key in ordered]
        tables[name] = Tuning(tuple(ordered), tuple(float(m[0]) for m in medians), tuple(float(m[1]) for m in medians))
    return tables


def assemble(
    groups: Iterable[list[NoteFeatures]],
    spec: AudioSpec,
    with_linear: bool = True,
    decaying: frozenset[str] = frozenset(),
    measure: Measure | None = None,
    bins: NDArray[np.int64] | None = None,
    choose: Choose = hold_out,
    reach: Reach | None = None,
) -> NoteSet:
    """Lay the features of all notes into tensors.

    Parameters
    ----------
    groups : all features of an instrument, or several, taken one by one so that no more than one is held twice
    spec : what they were measured with
    with_linear : keep the linear side, six times the size of the mel side
    decaying : names of instruments that fade out while held
    measure : what else to keep of each note
    bins : which linear bins their linear side has; None for all
    choose : marks what training must not hear of a group
    reach : see `measure_motions`
    """
    features: list[NoteFeatures] = []
    mels, linears = [], []
    further: dict[str, list[NDArray[np.float16]]] = {}
    for group in map(choose, filter(None, groups)):
        for values in [measure(note) for note in group] if measure else []:
            for name, value in values.items():
                further.setdefault(name, []).append(value)
        mel, linear = _join(group, "mel"), _join(group, "linear") if with_linear else EMPTY
        mels.append(mel)
        linears.append(linear)
        features += _viewing(group, mel, linear)
    if not features:
        raise DatasetError("there is no note to train on")
    names = tuple(sorted({note.instrument for note in features}))
    row = {name: i for i, name in enumerate(names)}
    tuning = measure_tuning(features)
    lengths = np.array([len(note.mel) for note in features], np.int64)
    last_audible = torch.from_numpy(np.stack([_last_audible(note) for note in features]))
    arrays = measure_motions(features, spec, decaying, reach)
    motions = MotionTable(spec, arrays)
    heard = [_heard_key(note, motions) for note in features]
    flat = Tuning()
    tuned = [tuning.get(note.instrument, flat).at(key) for note, key in zip(features, heard, strict=True)]
    features = [replace(note, mel=EMPTY, linear=EMPTY, sway=NO_SWAY) for note in features]

    def column(values: Iterable[float]) -> Tensor:
        return torch.tensor(list(values), dtype=torch.float32)

    return NoteSet(
        features=features,
        mel=_concatenate(mels),
        linear=_concatenate(linears),
        offset=np.concatenate([[0], np.cumsum(lengths)[:-1]]),
        num_frames=lengths,
        pitch=column(note.pitch + cents / 100 for note, (cents, _) in zip(features, tuned, strict=True)),
        velocity=column(note.velocity / 127 for note in features),
        pitched=column(float(note.pitched) for note in features),
        stretch=column(b for _, b in tuned),
        hold_s=column(note.hold_s for note in features),
        timbre=torch.tensor([row[note.instrument] for note in features]),
        last_audible=last_audible,
        timbre_names=names,
        tuning=tuning,
        own_key=_key_columns(features, heard, tuning, without_own=False),
        lent_key=_key_columns(features, heard, tuning, without_own=True),
        decaying=decaying,
        motion_arrays=arrays,
        motions=motions,
        own_motion=_motions(features, motions, without_own=False),
        lent_motion=_motions(features, motions, without_own=True),
        softest=column((note.softest or note.velocity) / 127 for note in features),
        bins=bins,
        further={name: _concatenate(parts) for name, parts in further.items()},
    )


def _heard_key(note: NoteFeatures, motions: MotionTable) -> float:
    """Return the key whose recording a note is heard from: as a SoundFont says, or as motions tell."""
    return float(note.root) if note.root >= 0 else motions.heard_key(note.instrument, note.pitch)


def _motions(features: list[NoteFeatures], motions: MotionTable, without_own: bool) -> NDArray[np.float64]:
    return np.array([_motion(note, motions, without_own) for note in features], np.float64)


def _motion(note: NoteFeatures, motions: MotionTable, without_own: bool) -> Motion:
    if note.root < 0:
        return motions.find(note.instrument, note.pitch, without_own)
    row, pace = motions.find(note.instrument, note.root)
    return Motion(row, pace * 2.0 ** ((note.pitch - note.root) / 12.0))


def _join(group: list[NoteFeatures], name: str) -> NDArray[np.float16]:
    return np.concatenate([getattr(note, name) for note in group])


def _viewing(group: list[NoteFeatures], mel: NDArray[Any], linear: NDArray[Any]) -> list[NoteFeatures]:
    """Let notes view the joined arrays, so that the single ones can go."""
    ends = np.cumsum([len(note.mel) for note in group])
    spans = [slice(end - len(note.mel), end) for note, end in zip(group, ends, strict=True)]
    return [replace(note, mel=mel[span], linear=linear[span]) for note, span in zip(group, spans, strict=True)]


def _concatenate(parts: list[NDArray[Any]]) -> Tensor:
    """Concatenate, freeing each part as it is copied."""
    joined = np.empty((sum(len(part) for part in parts), *parts[0].shape[1:]), parts[0].dtype)
    at = 0
    while parts:
        part = parts.pop(0)
        joined[at : at + len(part)] = part
        at += len(part)
    return torch.from_numpy(joined)


def _last_audible(note: NoteFeatures) -> NDArray[np.int64]:
    audible = note.mel[:, 0] > AUDIBLE_LEVEL
    return np.where(audible.any(0), len(audible) - 1 - audible[::-1].argmax(0), -1)


def read_folder_features(data: DataConfig, spec: AudioSpec, report: Callable[[str], None]) -> list[list[NoteFeatures]]:
    """Measure the notes of a folder or an NSynth set, one group per instrument; `report` hears what was skipped."""
    source = open_source(data, spec.sample_rate)
    groups: dict[str, list[NoteFeatures]] = {}
    for recording in source:
        groups.setdefault(recording.instrument, []).append(extract(recording, spec, inharmonic=False))
    report(source.report.summary())
    return list(groups.values())


def fading(groups: Iterable[list[NoteFeatures]]) -> frozenset[str]:
    """Return the instruments most of whose notes fade out while they are held, as they were recorded."""
    fade: dict[str, list[bool]] = defaultdict(list)
    for group in groups:
        for note in group:
            fade[note.instrument.split(":")[0]].append(not note.sustains)
    return frozenset(name for name, own in fade.items() if 2 * sum(own) > len(own))


def load_notes(
    data: DataConfig,
    spec: AudioSpec,
    cache: Path,
    workers: int = 2,
    report: Callable[[str], None] = lambda _: None,
    with_linear: bool = True,
    measure: Measure | None = None,
) -> NoteSet:
    """Render the notes of a preset, or read them from `cache` where an equal preset left them.

    Folders and NSynth sets are read each time. For `with_linear` and `measure` see `assemble`.

    Raises
    ------
    DatasetError
        No SoundFont, a program that it lacks, no instruments, or no note to train on.
    """
    if data.source != "soundfont":
        report(f"reading the recordings in {data.path}")
        folder = read_folder_features(data, spec, report)
        notes = assemble(folder, spec, with_linear, fading(folder), measure)
    elif not data.instruments:
        raise DatasetError("the preset lists no instruments")
    else:
        decaying = frozenset(one.name for one in data.instruments if not one.sustains)
        rendered = rendered_notes(data, spec, cache, workers, report)
        reach = zone_reach(data.soundfont, data.instruments) if data.zones else None
        bins = kept_bins(data, spec)
        notes = assemble(rendered, spec, with_linear, decaying, measure, bins, reach=reach)
    report(describe(notes.features))
    return notes
