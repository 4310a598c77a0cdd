"""Recorded notes from files: a folder of WAV and FLAC notes, and the NSynth layout.

Every source is a `RecordingSource`: iterate it for `Recording`s, then read its `report`.
"""

from .base import RecordingSource, Skipped, SourceReport
from .folder import FolderSource
from .nsynth import NSynthSource
from .opening import open_source

__all__ = ["FolderSource", "NSynthSource", "RecordingSource", "Skipped", "SourceReport", "open_source"]
