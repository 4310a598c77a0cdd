"""Measured notes of the instruments of a SoundFont, rendered once and then kept."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ...engine.spectra.spec import AudioSpec
from ...errors import DatasetError
from ..config.instruments import InstrumentConfig
from ..config.run import DataConfig
from ..measure.note_features import NoteFeatures, extract
from ..sources.soundfont import SoundFont
from ..sources.soundfont_file import check_programs
from ..sources.soundfont_zones import SoundFontZones
from ..sources.zone_notes import zone_recordings
from .feature_cache import has_features, load_features, save_features

FEATURES_VERSION = 8
RENDERED_BY = ("soundfont", "velocities", "holds_s", "tail_s", "zones", "thinned_above_hz", "thinned")


def render_features(instrument: InstrumentConfig, data: DataConfig, spec: AudioSpec) -> list[NoteFeatures]:
    """Render and measure every note of one instrument."""
    font = SoundFont(data.soundfont, spec.sample_rate)
    if data.zones:
        zones = SoundFontZones(data.soundfont)
        recordings = zone_recordings(font, zones, instrument, data.velocities, data.holds_s[0], data.tail_s)
    else:
        recordings = font.recordings(instrument, data.velocities, data.holds_s, data.tail_s)
    kept = kept_bins(data, spec)
    notes = [extract(recording, spec, instrument.inharmonic) for recording in recordings]
    return notes if kept is None else [replace(note, linear=note.linear[:, :, kept]) for note in notes]


def kept_bins(data: DataConfig, spec: AudioSpec) -> NDArray[np.int64] | None:
    """Return which linear bins are kept; None for all."""
    if not data.thinned_above_hz:
        return None
    bins = np.arange(spec.num_bins)
    first = int(data.thinned_above_hz * spec.n_fft / spec.sample_rate)
    return bins[(bins <= first) | ((bins - first) % data.thinned == 0)]


def cache_path(cache: Path, instrument: InstrumentConfig, data: DataConfig, spec: AudioSpec) -> Path:
    """Return where the notes of an instrument are kept: what they depend on is in the name."""
    recorded = {name: value for name, value in asdict(instrument).items() if name not in ("sustains", "like")}
    rendered = {name: getattr(data, name) for name in RENDERED_BY}
    values = {**rendered, "instruments": recorded, "spec": spec.to_dict(), "version": FEATURES_VERSION}
    digest = hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]
    return cache / f"{re.sub(r'[^A-Za-z0-9-]', '_', instrument.name)}-{digest}.npz"


def _render_to_cache(job: tuple[InstrumentConfig, DataConfig, AudioSpec, Path]) -> Path:
    instrument, data, spec, path = job
    torch.set_num_threads(1)
    save_features(path, render_features(instrument, data, spec))
    return path


def rendered_notes(
    data: DataConfig, spec: AudioSpec, cache: Path, workers: int, report: Callable[[str], None]
) -> Iterator[list[NoteFeatures]]:
    """Yield the notes of every instrument of a SoundFont, from the cache where they are there already."""
    check_programs(data.soundfont, data.instruments)
    cache.mkdir(parents=True, exist_ok=True)
    jobs = [(one, data, spec, cache_path(cache, one, data, spec)) for one in data.instruments]
    missing = [job for job in jobs if not has_features(job[-1])]
    if missing:
        report(f"rendering {len(missing)} of {len(jobs)} instruments from {data.soundfont}")
        with ProcessPoolExecutor(max_workers=min(workers, len(missing))) as pool:
            for path in pool.map(_render_to_cache, missing):
                report(f"rendered {path.stem}")
    for _, _, _, path in jobs:
        notes = load_features(path)
        if notes is None:
            raise DatasetError(f"{path} is damaged: remove it, and its notes are rendered anew")
        yield notes
