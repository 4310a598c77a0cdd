"""Songs as FluidSynth plays them with a SoundFont: how loud instruments are beside each other, and at each velocity.

TinySoundFont, which notes are read with, takes velocity for amplitude where the standard takes its square, and takes
all of an attenuation where other players take four tenths of it (as the synthesizers did that the SoundFonts were made
on).
"""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from typing import Final

import numpy as np

from ...engine.arrays import FloatArray
from ...errors import DatasetError

RATE: Final = 44_100
GAIN: Final = 0.6
"""Of FluidSynth, whose default is 0.2: typical songs reach peaks of -4 dBFS with it."""


def play_song(midi: bytes, soundfont: Path, gain: float = GAIN, effects: bool = False) -> FloatArray:
    """Return what FluidSynth makes of a MIDI file, float32 (N, 2) at `RATE`.

    Raises
    ------
    DatasetError
        FluidSynth is not there, or fails.
    """
    with tempfile.TemporaryDirectory() as name:
        song, sound = Path(name, "song.mid"), Path(name, "song.raw")
        song.write_bytes(midi)
        on = "1" if effects else "0"
        command = [
            "fluidsynth",
            "-niq",
            "-g",
            str(gain),
            "-R",
            on,
            "-C",
            on,
            "-r",
            str(RATE),
            "-T",
            "raw",
            "-O",
            "float",
            "-E",
            "little",
        ]
        command += ["-o", "synth.dynamic-sample-loading=1", "-F", str(sound), str(soundfont), str(song)]
        try:
            done = subprocess.run(command, capture_output=True, text=True)
        except OSError as error:
            raise DatasetError("fluidsynth cannot be started; on Debian: apt-get install fluidsynth") from error
        if done.returncode or not sound.exists():
            raise DatasetError(f"fluidsynth failed: {(done.stderr or done.stdout).strip()[-200:]}")
        return np.fromfile(sound, "<f4").reshape(-1, 2)
