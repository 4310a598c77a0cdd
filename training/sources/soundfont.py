"""Recorded notes and where they come from: what every source yields, and the SoundFont source."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import soxr

from ...engine.arrays import FloatArray
from ...errors import DatasetError
from ..config.instruments import InstrumentConfig
from ..measure.recording import Recording
from .soundfont_file import Preset, SoundFontFile, open_file, without_program

PEAK_SILENT = 1e-4
FADE_S = 0.05  # longer than TinySoundFont takes to silence its voices


def _loaded(kind: Callable[[str | bytes], Any], file: SoundFontFile) -> Any:
    """Load a SoundFont; one with chunks of odd length, which TinySoundFont may not take, by a copy without them."""
    try:
        return kind(str(file.path))
    except Exception:
        if not file.is_odd:
            raise
        return kind(file.even_copy())


class SoundFont:
    """Renders single notes from an sf2 or sf3 file through TinySoundFont.

    Notes are rendered at 44.1 kHz and resampled, because TinySoundFont interpolates linearly and would fold
    high partials back at a lower rate.
    """

    RENDER_RATE = 44100

    def __init__(self, path: str | Path, sample_rate: int) -> None:
        try:
            from tinysoundfont import _tinysoundfont as tsf
        except ImportError as error:
            raise DatasetError("a SoundFont needs tinysoundfont: pip install --no-deps tinysoundfont") from error
        self._file = open_file(path)
        try:
            self._font = _loaded(tsf.SoundFont, self._file)
        except Exception as error:  # the binding raises bare exceptions of several kinds
            raise DatasetError(f"{path} is not a readable SoundFont: {error}") from error
        self._font.set_output(tsf.OutputMode.Mono, self.RENDER_RATE, 0.0)
        self.sample_rate = sample_rate

    def render(self, program: int, key: int, velocity: int, hold_s: float, tail_s: float, drums: bool) -> FloatArray:
        """Render one note, float32 (N,) at `sample_rate`, `hold_s` seconds held and `tail_s` after."""
        try:
            return self._note(
                lambda: self._font.channel_set_preset_number(0, program, drums), key, velocity, hold_s, tail_s
            )
        except RuntimeError as error:
            raise DatasetError(without_program(self._file, program, drums)) from error

    def play(self, preset: Preset, key: int, velocity: int, hold_s: float, tail_s: float) -> FloatArray:
        """Render one note of a preset in any bank, otherwise like `render`."""
        index = self._font.get_preset_index(preset.bank, preset.program)
        return self._note(lambda: self._font.channel_set_preset_index(0, index), key, velocity, hold_s, tail_s)

    def _note(self, choose: Callable[[], None], key: int, velocity: int, hold_s: float, tail_s: float) -> FloatArray:
        held, tail = int(hold_s * self.RENDER_RATE), int(tail_s * self.RENDER_RATE)
        audio = np.zeros(held + tail, np.float32)
        view = audio.data.cast("B")
        self._font.reset()
        self._font.render(bytearray(4 * int(FADE_S * self.RENDER_RATE)))  # else the note before fades out in this one
        choose()
        self._font.channel_note_on(0, key, velocity / 127)
        self._font.render(view[: held * 4])
        self._font.channel_note_off(0, key)
        self._font.render(view[held * 4 :])
        if self.sample_rate == self.RENDER_RATE:
            return audio
        return soxr.resample(audio, self.RENDER_RATE, self.sample_rate, quality="VHQ").astype(np.float32)

    def recordings(
        self,
        instrument: InstrumentConfig,
        velocities: tuple[int, ...],
        holds_s: tuple[tuple[float, ...], ...],
        tail_s: float,
    ) -> Iterator[Recording]:
        """Yield the notes of one instrument; each key and velocity once per group of `holds_s`, cycling within it."""
        count = 0
        for key in range(instrument.low, instrument.high + 1):
            for velocity in velocities:
                for group in holds_s:
                    count += 1
                    hold_s = group[count % len(group)]
                    audio = self.render(instrument.program, key, velocity, hold_s, tail_s, instrument.drum_keys)
                    if np.abs(audio).max() < PEAK_SILENT:
                        continue
                    yield Recording(audio, instrument.timbre_name(key), key, velocity, hold_s, instrument.pitched)
