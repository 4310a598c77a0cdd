"""Sound files that appear only when they are complete."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import suppress
from difflib import get_close_matches
from pathlib import Path
from types import TracebackType
from typing import Final

import numpy as np
import soundfile

from ...errors import AudioFileError, UsageError
from ...whole_files import part_beside
from ..arrays import FloatArray
from ..names import AUDIO_SUFFIXES, DEFAULT_BIT_DEPTH
from .sample_formats import Quantiser, sample_format

FORMATS: Final = dict(zip(AUDIO_SUFFIXES, ("WAV", "FLAC"), strict=True))
# A WAV file counts its bytes in 32 bits; 4 kB are left for its header.
MAX_WAV_BYTES: Final = 2**32 - 4096
_UNKNOWN_FRAMES: Final = 2**36 - 1
"""More than any FLAC file says it holds."""
_READ_FRAMES: Final = 4096
_FLAC_LENGTH_AT: Final = 18
"""Where the stream information of a FLAC file has 8 bytes of which the lower 36 bits are its length (RFC 9639)."""


class AudioWriter:
    """Streams audio into a WAV or FLAC file.

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
    bit_depth : str
        "16" (dithered), "24", or "32f", floating point, which FLAC does not hold.
    seed : int
        Of the dither.

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
    UsageError
        If the suffix or the bit depth is unknown, or they do not go together.
    AudioFileError
        If the file cannot be written there, now or in `write`.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        sample_rate: int,
        *,
        num_channels: int = 2,
        max_frames: int | None = None,
        bit_depth: str = DEFAULT_BIT_DEPTH,
        seed: int = 0,
    ) -> None:
        self.path = Path(path)
        self.sample_rate = sample_rate
        self.num_channels = num_channels
        self.num_frames = 0
        self.peak = 0.0
        self._kind = sample_format(bit_depth)
        self._quantise = Quantiser(self._kind, seed)
        check_audio_name(self.path, bit_depth)
        self._format = _format_for(self.path, (max_frames or 0) * num_channels * self._kind.num_bytes)
        # A link is followed, so that it stays a link; what it points at is replaced.
        self._target = Path(os.path.realpath(self.path))
        check_place(self.path)
        self.part = part_beside(self._target)
        try:
            self._file = self._open()
        except BaseException:
            self.part.unlink(missing_ok=True)
            raise

    def write(self, block: FloatArray) -> None:
        """Append a block, float32 (N, num_channels), full scale 1; what lies beyond is clipped but in 32f."""
        num_bytes = (self.num_frames + len(block)) * self.num_channels * self._kind.num_bytes
        if self._format == "WAV" and num_bytes > MAX_WAV_BYTES:
            raise self._error("a WAV file holds at most 4 GiB; use .flac, or say max_frames")
        try:
            self._file.write(self._quantise(block))
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

    def _open(self) -> soundfile.SoundFile:
        try:
            # libsndfile does not say why it cannot create a file.
            self.part.open("xb").close()
            name = _system_name(self.part)
            return soundfile.SoundFile(
                name, "w", self.sample_rate, self.num_channels, subtype=self._kind.subtype, format=self._format
            )
        except (soundfile.SoundFileError, OSError, ValueError) as error:
            raise self._error(_reason(error)) from error

    def _error(self, reason: str) -> AudioFileError:
        return _unwritable(self.path, reason)


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


def check_audio_name(path: Path, bit_depth: str = DEFAULT_BIT_DEPTH) -> None:
    """Raise `UsageError` if a name does not say what kind of file is wanted, or one that does not hold such samples."""
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        nearest = get_close_matches(suffix, FORMATS, n=1, cutoff=0.0)[0]
        example = f"{path.stem or 'song'}{nearest}"
        raise UsageError(
            f"cannot write {str(path)!r}: its name must end in {' or '.join(FORMATS)}, for example {example!r}"
        )
    if FORMATS[suffix] == "FLAC" and not sample_format(bit_depth).levels:
        raise UsageError(f"cannot write {str(path)!r}: FLAC holds no floating point; use .wav, or 16 or 24 bits")


def check_place(path: Path) -> None:
    """Raise `AudioFileError` if no file can be written under a path: what is there already is looked at, no more."""
    target = Path(os.path.realpath(path))
    if not target.parent.is_dir():
        raise _unwritable(path, f"there is no folder {str(path.parent)!r}; create it first")
    if not os.access(target.parent, os.W_OK):
        raise _unwritable(path, f"nothing may be written into the folder {str(path.parent)!r}")
    if target.is_dir():
        raise _unwritable(path, "it is a folder")
    if target.exists() and not (target.is_file() and os.access(target, os.W_OK)):
        raise _unwritable(path, "something that may not be overwritten has that name")


def _unwritable(path: Path, reason: str) -> AudioFileError:
    return AudioFileError(f"cannot write {str(path)!r}: {reason}")


def _format_for(path: Path, num_bytes: int) -> str:
    """Return the name of the format that the suffix asks for, RF64 for a WAV file too long to be one."""
    name = FORMATS[path.suffix.lower()]
    return "RF64" if name == "WAV" and num_bytes > MAX_WAV_BYTES else name


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
