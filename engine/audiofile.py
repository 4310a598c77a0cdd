"""Sound files that appear only when they are complete."""

from __future__ import annotations

import io
import os
import secrets
from collections.abc import Iterator
from contextlib import suppress
from difflib import get_close_matches
from pathlib import Path
from types import TracebackType
from typing import Final

import numpy as np
import soundfile
from numpy.typing import NDArray

from ..errors import AudioFileError
from .spectral import FloatArray

FORMATS: Final = {".wav": "WAV", ".flac": "FLAC"}
# 24 bits lie 144 dB below full scale, under any playback's noise, so they keep all that the engine computes.
# FLAC holds no floats: with 24 bits both kinds of file hold the same samples, and every player reads them.
SUBTYPE: Final = "PCM_24"
BYTES_PER_SAMPLE: Final = 3
# A WAV file counts its bytes in 32 bits; 4 kB are left for its header.
MAX_WAV_BYTES: Final = 2**32 - 4096
_UNKNOWN_FRAMES: Final = 2**36 - 1
"""More than any FLAC file says it holds."""
_READ_FRAMES: Final = 4096
_FLAC_LENGTH_AT: Final = 18
"""Where the stream information of a FLAC file has 8 bytes of which the lower 36 bits are its length (RFC 9639)."""


class AudioWriter:
    """Streams audio into a WAV or FLAC file, 24 bits per sample.

    A context manager. The audio goes to a hidden file in the same folder, which takes the final name when the
    block ends, and is removed when an exception (also `KeyboardInterrupt` or `SystemExit`) ends it: a file
    under the final name is always complete, and an older one stays until then.

    Parameters
    ----------
    path : path-like
        Where the file shall be; its suffix, ``.wav`` or ``.flac``, names the format.
    sample_rate : int
        In Hz.
    num_channels : int
        Audio channels.
    max_frames : int or None
        Upper bound of the frames to come, if known. A WAV file that could pass 4 GiB becomes RF64.

    Attributes
    ----------
    path, sample_rate, num_channels
        As given.
    num_frames : int
        Frames written so far.
    peak : float
        Largest absolute value written so far, before clipping.
    part : Path
        The hidden file.

    Raises
    ------
    AudioFileError
        If the file cannot be written there, now or in `write`, or has an unknown suffix.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        sample_rate: int,
        *,
        num_channels: int = 2,
        max_frames: int | None = None,
    ) -> None:
        self.path = Path(path)
        self.sample_rate = sample_rate
        self.num_channels = num_channels
        self.num_frames = 0
        self.peak = 0.0
        self._format = _format_for(self.path, (max_frames or 0) * num_channels * BYTES_PER_SAMPLE)
        # A link is followed, so that it stays a link; what it points at is replaced.
        self._target = Path(os.path.realpath(self.path))
        self._check_place()
        self.part = self._target.with_name(f".{self._target.stem[:40]}-{secrets.token_hex(4)}.part")
        try:
            self._file = self._open()
        except BaseException:
            self.part.unlink(missing_ok=True)
            raise

    def write(self, block: FloatArray) -> None:
        """Append a block, float32 (N, num_channels), full scale 1; what lies beyond is clipped."""
        num_bytes = (self.num_frames + len(block)) * self.num_channels * BYTES_PER_SAMPLE
        if self._format == "WAV" and num_bytes > MAX_WAV_BYTES:
            raise self._error("a WAV file holds at most 4 GiB; use .flac, or say max_frames")
        try:
            self._file.write(_to_24_bits(block))
        # soundfile asserts that all samples were written.
        except (soundfile.SoundFileError, AssertionError, OSError) as error:
            raise self._error(_reason(error)) from error
        self.num_frames += len(block)
        self.peak = max(self.peak, float(np.abs(block).max(initial=0.0)))

    def close(self) -> None:
        """Complete the file and give it its name."""
        try:
            self._file.close()
            # A full disk can show as late as here, or not at all: trust what can be read back.
            num_readable = soundfile.info(_system_name(self.part)).frames
            if num_readable != self.num_frames:
                raise self._error(f"only {num_readable} of {self.num_frames} frames were stored; is the disk full?")
            os.replace(self.part, self._target)
        except (soundfile.SoundFileError, OSError) as error:
            self.discard()
            raise self._error(_reason(error)) from error
        except BaseException:
            self.discard()
            raise

    def keep(self) -> int:
        """Complete the file with what could be stored, and give it its name; return the frames it holds.

        For a recording, of which a part is better than nothing: after a write has failed, too. Where nothing at all was
        stored, nothing is left.
        """
        with suppress(soundfile.SoundFileError, OSError):
            self._file.close()
        try:
            num_frames = mend(self.part)
            if num_frames or not self.num_frames:
                os.replace(self.part, self._target)
        except AudioFileError as error:
            self.discard()
            raise self._error(str(error)) from error
        except OSError as error:
            self.discard()
            raise self._error(_reason(error)) from error
        if not num_frames and self.num_frames:
            self.discard()
            raise self._error("nothing could be stored; is the disk full?")
        return num_frames

    def leave(self) -> None:
        """Close the hidden file and leave it: its sound is complete as far as it goes."""
        with suppress(soundfile.SoundFileError, OSError):
            self._file.close()

    def discard(self) -> None:
        """Give up: leave nothing of this file behind."""
        with suppress(soundfile.SoundFileError, OSError):
            self._file.close()
        with suppress(OSError):
            self.part.unlink(missing_ok=True)

    def __enter__(self) -> AudioWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.discard()

    def _check_place(self) -> None:
        if not self._target.parent.is_dir():
            raise self._error(f"there is no folder {str(self.path.parent)!r}; create it first")
        if self._target.is_dir():
            raise self._error("it is a folder")
        if self._target.exists() and not (self._target.is_file() and os.access(self._target, os.W_OK)):
            raise self._error("something that may not be overwritten has that name")

    def _open(self) -> soundfile.SoundFile:
        try:
            # libsndfile does not say why it cannot create a file.
            self.part.open("xb").close()
            name = _system_name(self.part)
            return soundfile.SoundFile(
                name, "w", self.sample_rate, self.num_channels, subtype=SUBTYPE, format=self._format
            )
        except (soundfile.SoundFileError, OSError, ValueError) as error:
            raise self._error(_reason(error)) from error

    def _error(self, reason: str) -> AudioFileError:
        return AudioFileError(f"cannot write {str(self.path)!r}: {reason}")


def mend(path: Path) -> int:
    """Set the header of a sound file right that was never closed; return how many frames it holds.

    Raises
    ------
    AudioFileError
        If it is no sound file, or cannot be changed.
    """
    try:
        with soundfile.SoundFile(_system_name(path)) as file:
            kind, num_frames = file.format, int(file.frames)
        if kind != "FLAC":  # opening and closing is enough: libsndfile counts what is there
            with soundfile.SoundFile(_system_name(path), "r+") as file:
                return int(file.frames)
        if num_frames >= _UNKNOWN_FRAMES:
            _set_flac_length(path, _UNKNOWN_FRAMES)  # a length that lasts until the data end
            num_frames = sum(len(block) for block in sound_blocks(path))
            _set_flac_length(path, num_frames)
        return num_frames
    except (soundfile.SoundFileError, OSError) as error:
        raise AudioFileError(f"cannot complete {str(path)!r}: {_reason(error)}") from error


def sound_blocks(path: Path) -> Iterator[FloatArray]:
    """Yield the sound of a file, float32 (N, channels), up to where its data break off."""
    with suppress(soundfile.SoundFileError), soundfile.SoundFile(_system_name(path)) as file:
        while len(block := file.read(_READ_FRAMES, dtype="float32", always_2d=True)):
            yield block


def _set_flac_length(path: Path, num_frames: int) -> None:
    with path.open("r+b") as file:
        file.seek(_FLAC_LENGTH_AT)
        others = int.from_bytes(file.read(8), "big") >> 36
        file.seek(_FLAC_LENGTH_AT)
        file.write((others << 36 | num_frames).to_bytes(8, "big"))


def _system_name(path: Path) -> bytes | str:
    """Return a path as soundfile takes it in any encoding: it cannot encode names that are not UTF-8 itself."""
    return os.fsencode(path) if os.name == "posix" else str(path)


def _format_for(path: Path, num_bytes: int) -> str:
    """Return the name of the format that the suffix asks for, RF64 for a WAV file too long to be one."""
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        nearest = get_close_matches(suffix, FORMATS, n=1, cutoff=0.0)[0]
        example = f"{path.stem or 'song'}{nearest}"
        raise AudioFileError(
            f"cannot write {str(path)!r}: its name must end in {' or '.join(FORMATS)}, for example {example!r}"
        )
    return "RF64" if suffix == ".wav" and num_bytes > MAX_WAV_BYTES else FORMATS[suffix]


def _to_24_bits(block: FloatArray) -> NDArray[np.int32]:
    """Round to 24 bits in the upper bits of int32, clipped: libsndfile would round each format in its own way."""
    levels = np.rint(block.astype(np.float64) * 2**23)
    return np.clip(levels, -(2**23), 2**23 - 1).astype(np.int32) << 8


def _reason(error: Exception) -> str:
    """Return an error's cause in a few words."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    text = str(getattr(error, "error_string", error))
    # This is all that libsndfile says of a write that failed.
    if isinstance(error, AssertionError) or text.startswith("System error"):
        return "the system could not store it; is the disk full?"
    return text or type(error).__name__


def encode_ogg(audio: FloatArray, sample_rate: int) -> bytes:
    """Return mono audio, float32 (N,), as a small Ogg Vorbis file, about 60 kbit/s: to listen to, not to measure."""
    content = io.BytesIO()
    with soundfile.SoundFile(content, "w", sample_rate, 1, subtype="VORBIS", format="OGG") as file:
        file.write(np.clip(audio, -1.0, 1.0).astype(np.float32))
    return content.getvalue()
