"""The source that the data section of a preset names."""

from __future__ import annotations

from ..config.run import DataConfig
from .base import RecordingSource
from .folder import FolderSource
from .nsynth import NSynthSource


def open_source(data: DataConfig, sample_rate: int) -> RecordingSource:
    """Open the folder or NSynth set of a preset; `sample_rate` in Hz is that of the recordings to yield.

    Raises
    ------
    DatasetError
        There is no such folder, or nothing in it is wanted.
    """
    if data.source == "nsynth":
        return NSynthSource(
            data.path, sample_rate, families=data.families, instruments=data.chosen, limit=data.limit or None
        )
    return FolderSource(
        data.path,
        sample_rate,
        instrument=data.instrument or None,
        middle_c_octave=data.middle_c_octave,
        unpitched=data.unpitched,
        drums=data.drums,
        velocity=data.velocity,
    )
