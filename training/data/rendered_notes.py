"""Measured notes of the instruments of a SoundFont, rendered once and then kept."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path

import torch

from ...engine.spectra.spec import AudioSpec
from ...errors import DatasetError
from ..config.instruments import InstrumentConfig
from ..config.run import DataConfig
from ..measure.note_features import NoteFeatures, extract
from ..sources.soundfont import SoundFont
from ..sources.soundfont_file import check_programs
from .feature_cache import has_features, load_features, save_features

FEATURES_VERSION = 7


def render_features(instrument: InstrumentConfig, data: DataConfig, spec: AudioSpec) -> list[NoteFeatures]:
    """Render and measure every note of one instrument."""
    font = SoundFont(data.soundfont, spec.sample_rate)
    recordings = font.recordings(instrument, data.velocities, data.holds_s, data.tail_s)
    return [extract(recording, spec, instrument.inharmonic) for recording in recordings]


def cache_path(cache: Path, instrument: InstrumentConfig, data: DataConfig, spec: AudioSpec) -> Path:
    """Return where the notes of an instrument are kept: what they depend on is in the name."""
    recorded = {name: value for name, value in asdict(instrument).items() if name != "sustains"}
    rendered = {name: getattr(data, name) for name in ("soundfont", "velocities", "holds_s", "tail_s")}
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
