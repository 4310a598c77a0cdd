"""Recorded notes as sound, beside what was measured of them: the codec and the growth of its latents learn from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...engine.arrays import FloatArray
from ...engine.spectra.pitch import MAX_PARTIALS, partial_hz, pitch_to_hz
from ...engine.spectra.spec import AudioSpec
from ..config.run import DataConfig
from ..data.dataset import Measure, NoteSet, load_notes
from ..data.references import recordings_of
from ..sources.soundfont import SoundFont


@dataclass(frozen=True, eq=False, kw_only=True)
class SoundNotes(NoteSet):
    """Notes and their sound.

    Attributes
    ----------
    audio : one float32 (N,) per note, as many hops as the note has spectral frames
    spec : AudioSpec
    """

    audio: list[FloatArray]
    spec: AudioSpec

    def hop_hz(self, chosen: NDArray[np.int64], first: NDArray[np.int64], hops: int) -> NDArray[np.float64]:
        """Return the mean fundamental of notes in each hop from hop `first` (B,) on, (B, T); 0 for unpitched ones."""
        ages = np.maximum(first[:, None] + np.arange(hops + 1), 0) * self.spec.hop_s
        sway = self.motions.sway(self.own_motion[chosen], ages.T).T
        hz = pitch_to_hz(self.pitch.numpy()[chosen][:, None] + sway)
        return 0.5 * (hz[:, 1:] + hz[:, :-1]) * self.pitched.numpy()[chosen][:, None]

    def turns(self, chosen: NDArray[np.int64], first: NDArray[np.int64], hops: int) -> FloatArray:
        """Return cycles per sample of the partials of notes in each hop, float32 (B, T, H); see `hop_hz`."""
        stretch = self.stretch.numpy()[chosen, None].astype(np.float64)
        partials = partial_hz(self.hop_hz(chosen, first, hops), stretch, MAX_PARTIALS)
        return (partials / self.spec.sample_rate).astype(np.float32)


def load_sounds(
    data: DataConfig, spec: AudioSpec, cache: Path, workers: int, report: Callable[[str], None] = lambda _: None,
    with_linear: bool = False, measure: Measure | None = None,
) -> SoundNotes:  # fmt: skip
    """Measure and render every note of a preset's instruments; `DatasetError` if there is none to train on.

    For `with_linear` and `measure` see `dataset.assemble`.
    """
    notes = load_notes(data, spec, cache, workers, report, with_linear, measure)
    if data.source != "soundfont":
        groups: dict[str, list[FloatArray]] = {}
        for one in recordings_of(data, spec.sample_rate):
            groups.setdefault(one.instrument, []).append(one.audio)
        return with_audio(notes, [audio for group in groups.values() for audio in group], spec)
    font = SoundFont(data.soundfont, spec.sample_rate)
    rendered = (font.recordings(one, data.velocities, data.holds_s, data.tail_s) for one in data.instruments)
    return with_audio(notes, [one.audio for group in rendered for one in group], spec)


def with_audio(notes: NoteSet, audio: list[FloatArray], spec: AudioSpec) -> SoundNotes:
    """Put notes and their sounds, in the same order, side by side."""
    lengths = notes.num_frames * spec.hop_length
    padded = [np.pad(one, (0, int(length) - len(one))) for one, length in zip(audio, lengths, strict=True)]
    return SoundNotes(**vars(notes), audio=padded, spec=spec)
