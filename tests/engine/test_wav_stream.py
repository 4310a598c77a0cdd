"""Sound goes into pipes: no seeking, every format, and readers know what it is."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tnca_synth.engine.output.audiofile import AudioWriter
from tnca_synth.engine.output.wav_stream import WavStream
from tnca_synth.errors import AudioFileError


class Pipe(io.RawIOBase):
    """Takes bytes and nothing else."""

    def __init__(self) -> None:
        self.data = bytearray()

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def write(self, data) -> int:  # type: ignore[no-untyped-def, override]
        self.data += bytes(data)
        return len(data)


@pytest.mark.parametrize(("bit_depth", "subtype"), [("16", "PCM_16"), ("24", "PCM_24"), ("32f", "FLOAT")])
def test_a_stream_holds_the_samples_of_the_file(tmp_path: Path, bit_depth: str, subtype: str) -> None:
    audio = np.random.default_rng(1).uniform(-1.2, 1.2, (3000, 2)).astype(np.float32)
    pipe = Pipe()
    stream = WavStream(pipe, 48_000, bit_depth=bit_depth, seed=9)  # type: ignore[arg-type]
    with AudioWriter(tmp_path / "file.wav", 48_000, bit_depth=bit_depth, seed=9) as writer:
        for block in np.split(audio, [1, 500, 2000]):
            stream.write(block)
            writer.write(block)
    stream.close()
    (tmp_path / "stream.wav").write_bytes(pipe.data)
    info = soundfile.info(tmp_path / "stream.wav")
    assert (info.subtype, info.samplerate, info.channels, info.frames) == (subtype, 48_000, 2, 3000)
    heard, _ = soundfile.read(tmp_path / "stream.wav", dtype="float64")
    np.testing.assert_array_equal(heard, soundfile.read(tmp_path / "file.wav", dtype="float64")[0])


def test_a_reader_that_is_gone_is_left_to_the_caller_and_a_full_disk_is_one_line() -> None:
    class Broken(Pipe):
        def __init__(self, error: OSError) -> None:
            super().__init__()
            self.error = error

        def write(self, data) -> int:  # type: ignore[no-untyped-def, override]
            raise self.error

    with pytest.raises(BrokenPipeError):
        WavStream(Broken(BrokenPipeError(32, "Broken pipe")), 48_000)  # type: ignore[arg-type]
    with pytest.raises(AudioFileError, match=r"cannot write the sound to the stream: .*No space left"):
        WavStream(Broken(OSError(28, "No space left on device")), 48_000)  # type: ignore[arg-type]
