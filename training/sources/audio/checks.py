"""Reading one recorded note and refusing what a model must not learn; every refusal is a one-line reason.

The text of an `AudioFileError` raised here is ``kind: what was got, what was expected``, without the path.
"""

from __future__ import annotations

import re
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from ....engine.arrays import FloatArray
from ....errors import AudioFileError
from ..soundfont import PEAK_SILENT

MIN_S: Final = 0.05
MAX_S: Final = 60.0
RATES_HZ: Final = (4000, 768000)
# Samples stored as floats may pass full scale, but not by 24 dB.
MAX_PEAK: Final = 16.0
FULL_SCALE: Final = 0.99
MIN_FLAT_RUN: Final = 3
MIN_FLAT_SAMPLES: Final = 8
SMOOTH_FALL_STEPS: Final = 8
# The mix of two opposed audio channels is almost silence; below this share of the loudest one, that one is taken.
MIN_MIX_SHARE: Final = 0.35
# What programs that write to a pipe put where the number of bytes belongs.
STREAMED_BYTES: Final = 2**31 - 4096
# Of an unfinished WAV file: where its header may end, and how much sound is worth reading.
HEADER_BYTES: Final = 1 << 16
LEAST_UNFINISHED_BYTES: Final = 64
MOST_UNFINISHED_BYTES: Final = 1 << 28
# The same for FLAC, which soundfile cannot read to its end.
UNKNOWN_FRAMES: Final = 2**62


def read_note(path: Path, sample_rate: int) -> FloatArray:
    """Read a sound file as one audio channel.

    Parameters
    ----------
    path : Path
        Anything libsndfile reads, of any sample rate, sample format and number of audio channels.
    sample_rate : int
        Wanted rate in Hz.

    Returns
    -------
    float32 (N,), full scale 1, without the constant offset that some converters add

    Raises
    ------
    AudioFileError
        Unreadable, truncated, damaged, silent, clipped, too short or too long; its text is the reason.
    """
    audio, rate = read_sound(path)
    return mono_note(audio, rate, sample_rate)


def mono_note(audio: FloatArray, rate: float, sample_rate: int) -> FloatArray:
    """Check the sound of a file, float32 (N, audio channels) at `rate`, and make of it what `read_note` returns."""
    for check in (damaged, silent, clipped):
        reason = check(audio)
        if reason:
            raise AudioFileError(reason)
    reason = too_short(len(audio), rate)
    if reason:
        raise AudioFileError(reason)
    return to_mono(audio, rate, sample_rate)


def to_mono(audio: FloatArray, rate: float, sample_rate: int) -> FloatArray:
    """Take out constant offsets, mix, and resample: float32 (N, audio channels) at `rate` becomes float32 (N,)."""
    mono = mix_to_mono(audio - audio.mean(axis=0, dtype=np.float64).astype(np.float32))
    if rate != sample_rate:
        mono = soxr.resample(mono, rate, sample_rate, quality="VHQ")
    return np.ascontiguousarray(mono, np.float32)


def read_sound(path: Path, longest_s: float = MAX_S) -> tuple[FloatArray, int]:
    """Return (audio, sample rate in Hz), float32 (N, audio channels); `AudioFileError` if it cannot be read."""
    if not path.is_file():
        raise AudioFileError("unreadable: there is no such file")
    try:
        with _opened(path) as stream, soundfile.SoundFile(stream) as file:
            rate = file.samplerate
            if not RATES_HZ[0] <= rate <= RATES_HZ[1]:
                raise AudioFileError(f"unreadable: a sample rate of {rate} Hz, expected {RATES_HZ[0]}..{RATES_HZ[1]}")
            if file.frames >= UNKNOWN_FRAMES:
                raise AudioFileError("unreadable: its header does not say how long it is; encode it anew")
            most = int(longest_s * rate)
            audio = file.read(most + 1, dtype="float32", always_2d=True)
            missing = _missing_share(file, len(audio), most)
    except OSError as error:
        raise AudioFileError(f"unreadable: {error.strerror or error}") from error
    except (soundfile.SoundFileError, AssertionError, ValueError) as error:
        raise AudioFileError(f"unreadable: {_cause(error)}") from error
    if missing > 0:
        raise AudioFileError(f"unreadable: it is cut off, {100 * missing:.2g} % of the sound is missing")
    if len(audio) > most:
        raise AudioFileError(f"too long: over {longest_s:g} s")
    return audio, rate


def _opened(path: Path) -> BinaryIO:
    """Open a sound file; one whose header its recorder never finished, with the sizes it should have."""
    with path.open("rb") as stream:
        at = unfinished_data(stream.read(HEADER_BYTES), path.stat().st_size)
        stream.seek(0)
        content = bytearray() if at is None else bytearray(stream.read(MOST_UNFINISHED_BYTES))
    if at is None:
        return path.open("rb")
    content[4:8] = (len(content) - 8).to_bytes(4, "little")
    content[at : at + 4] = (len(content) - at - 4).to_bytes(4, "little")
    return BytesIO(content)


def unfinished_data(head: bytes, file_bytes: int) -> int | None:
    """Return where a WAV file that says it has no sound, but has some, keeps the size of its sound; else None.

    Recorders write a size of 0 first and the true one at the end, which those that lose power never come to.

    Raises
    ------
    AudioFileError
        Its header is unfinished and nothing is behind it.
    """
    if head[:4] != b"RIFF" or head[8:12] != b"WAVE":
        return None
    at = 12
    while at + 8 <= len(head):
        name, size = head[at : at + 4], int.from_bytes(head[at + 4 : at + 8], "little")
        if name == b"data":
            behind = file_bytes - at - 8
            unfinished = size == 0 and int.from_bytes(head[4:8], "little") < at
            if unfinished and behind < LEAST_UNFINISHED_BYTES:
                raise AudioFileError("unreadable: its header is unfinished, and no sound is behind it")
            is_chunk = re.fullmatch(rb"[A-Za-z][A-Za-z0-9_ ]{3}", head[at + 8 : at + 12]) is not None
            return at + 4 if size == 0 and behind >= LEAST_UNFINISHED_BYTES and not is_chunk else None
        at += 8 + size + size % 2
    return None


def _cause(error: Exception) -> str:
    """Return what libsndfile says, without its 'Error opening' and full stop."""
    text = str(getattr(error, "error_string", error)).strip().rstrip(".")
    if "psf_fseek" in text:
        return "it ends sooner than its header says"
    return text.removeprefix("Error : ") or type(error).__name__


def _missing_share(file: soundfile.SoundFile, num_read: int, most: int) -> float:
    """Return which share of the sound the header promises is not there; libsndfile itself says nothing of it."""
    if num_read < min(file.frames, most):
        return 1 - num_read / file.frames
    sizes = re.search(r"^data\s*: (\d+) \(should be (\d+)\)", file.extra_info, re.MULTILINE)
    if not sizes:
        return 0.0
    promised, there = int(sizes[1]), int(sizes[2])
    return max(0.0, 1 - there / promised) if promised < STREAMED_BYTES else 0.0


def damaged(audio: FloatArray) -> str | None:
    """Return why audio holding NaN, infinity or absurd values is unusable, or None."""
    count = int(np.count_nonzero(~np.isfinite(audio)))
    if count:
        return f"damaged: {count} samples are not finite numbers"
    peak = float(np.abs(audio).max(initial=0.0))
    return f"damaged: the peak is {peak:g}, expected about 1; scaled like integers?" if peak > MAX_PEAK else None


def silent(audio: FloatArray) -> str | None:
    """Return why audio without sound is unusable, or None; a constant offset is no sound."""
    peak = _channel_peaks(audio).max(initial=0.0)
    if peak >= PEAK_SILENT:
        return None
    level = f"{20 * np.log10(peak):.0f} dBFS" if peak > 0 else "zero"
    return f"silent: the peak is {level}, expected at least {20 * np.log10(PEAK_SILENT):.0f} dBFS"


def too_short(num_samples: int, sample_rate: float) -> str | None:
    """Return why so few samples are unusable, or None."""
    if num_samples >= MIN_S * sample_rate:
        return None
    return f"too short: {1000 * num_samples / sample_rate:.0f} ms of sound, expected at least {1000 * MIN_S:.0f} ms"


def clipped(audio: FloatArray) -> str | None:
    """Return why audio with flat tops at full scale is unusable, or None; to merely touch full scale is no fault."""
    count = sum(_flat_samples(channel) for channel in audio.T)
    return f"clipped: {count} samples lie in flat tops at full scale" if count >= MIN_FLAT_SAMPLES else None


def _flat_samples(channel: FloatArray) -> int:
    """Count samples in flat tops at full scale.

    A smooth peak also has equal samples at its top once it is quantized: half a run's length beyond the run it has
    fallen by about 4 quantization steps. A clipped one has fallen by three times what was cut off.
    """
    steps = np.abs(np.diff(channel))
    if not steps.any():
        return 0
    equal = np.concatenate([[False], (steps == 0) & (np.abs(channel[1:]) >= FULL_SCALE), [False]])
    begin, end = np.flatnonzero(equal[1:] & ~equal[:-1]), np.flatnonzero(equal[:-1] & ~equal[1:]) + 1
    long = end - begin >= MIN_FLAT_RUN
    begin, end = begin[long], end[long]
    reach = (end - begin) // 2
    last = len(channel) - 1
    level = np.abs(channel[begin])
    sign = np.sign(channel[begin])
    before = level - sign * channel[np.maximum(begin - reach, 0)]
    after = level - sign * channel[np.minimum(end - 1 + reach, last)]
    before[begin < reach] = np.inf
    after[end - 1 + reach > last] = np.inf
    sharp = np.minimum(before, after) > SMOOTH_FALL_STEPS * steps[steps > 0].min()
    return int((end - begin)[sharp].sum())


def mix_to_mono(audio: FloatArray) -> FloatArray:
    """Return the mean of the audio channels that sound, float32 (N,), or the loudest if they cancel each other."""
    audio = audio[:, _channel_peaks(audio) >= PEAK_SILENT]
    mix = audio.mean(axis=1)
    rms = np.sqrt(np.mean(np.square(audio, dtype=np.float64), axis=0))
    if np.sqrt(np.mean(np.square(mix, dtype=np.float64))) < MIN_MIX_SHARE * rms.max():
        return audio[:, int(np.argmax(rms >= 0.999 * rms.max()))]  # the first of those that are equal but for rounding
    return mix


def _channel_peaks(audio: FloatArray) -> NDArray[np.float64]:
    """Return the peak of each audio channel about its mean, float64 (audio channels,)."""
    if not len(audio):
        return np.zeros(audio.shape[1])
    return np.abs(audio - audio.mean(axis=0, dtype=np.float64)).max(axis=0)
