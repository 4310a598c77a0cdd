"""Audio outputs: finding and opening them. The only home of sounddevice and rtmixer.

The callback is rtmixer's, compiled C, and reads PortAudio's single-reader, single-writer ring buffer. It copies what is
there, pads with zeros what is missing, and counts; it takes no lock, not even Python's, allocates nothing and
cannot raise. It stops reading when it finds the ring empty, so that `RingOutput` notices and primes the ring anew.
"""

from __future__ import annotations

import ctypes
import ctypes.util
from contextlib import suppress
from functools import cache
from typing import Any, Final, Protocol

import numpy as np

from ...engine.arrays import FloatArray
from ...errors import DeviceError
from .output_devices import NUM_CHANNELS, OutputDevice

CLIENT_NAME: Final = b"tnca-synth"
"""What JACK shows the output as."""
BYTES_PER_SAMPLE: Final = 4
NO_PORTAUDIO: Final = "PortAudio is missing: on Debian, sudo apt-get install libportaudio2"


class Output(Protocol):
    """What the player asks of an open output; see `RingOutput`."""

    device: str
    sample_rate: int
    block_size: int
    latency_s: float
    in_step_with_midi: bool
    underruns: int

    @property
    def frames_ahead(self) -> int:
        """Frames written and not yet taken."""
        ...

    @property
    def frames_taken(self) -> int:
        """Frames that the callback has taken so far, of those that were written."""
        ...

    @property
    def xruns(self) -> int:
        """Blocks that the device reported as broken."""
        ...

    @property
    def is_running(self) -> bool:
        """Whether the device still asks for blocks."""
        ...

    def write(self, block: FloatArray) -> None:
        """Append a block, float32 (N, 2)."""
        ...

    @property
    def frames_written(self) -> int:
        """Frames written so far, but for those taken back."""
        ...

    def take_back(self, frames_kept: int) -> None:
        """Take back silence that was written last, but for as many frames as are kept, a block at the least."""
        ...

    def keep_playing(self, frames_needed: int) -> None:
        """Let the callback read, now or again after it ran dry, once that many frames are there."""
        ...

    def close(self) -> None:
        """Stop, at once."""
        ...


class RingOutput:
    """An open output, fed through a ring buffer.

    Parameters
    ----------
    device : OutputDevice
    sample_rate : int
        Hz.
    block_size : int
        Frames per callback.

    Attributes
    ----------
    latency_s : seconds from the callback to the loudspeaker, as far as the device says
    in_step_with_midi : whether MIDI arrives at the beginning of a callback's period, as it does in JACK
    underruns : times that the callback found too little in the ring
    frames_written : frames written so far, but for those taken back

    Notes
    -----
    Thread: producer, but for the callback, which is C (see the module's text).
    """

    def __init__(self, device: OutputDevice, sample_rate: int, block_size: int) -> None:
        import rtmixer

        self.device, self.sample_rate, self.block_size = device.name, sample_rate, block_size
        self.in_step_with_midi = device.is_jack
        self.underruns = 0
        channels = min(device.num_channels, NUM_CHANNELS)
        size = 1 << (max(4 * block_size, 32768) - 1).bit_length()
        self._mono = np.empty(size, np.float32) if channels == 1 else None
        self._ring, self._size = rtmixer.RingBuffer(BYTES_PER_SAMPLE * channels, size), size
        self._stream = rtmixer.Mixer(
            device=device.index, samplerate=sample_rate, blocksize=block_size, channels=channels, latency="low"
        )
        # JACK's own latency begins after its graph, where ours ends.
        self.latency_s = 0.0 if self.in_step_with_midi else float(self._stream.latency)
        self._reading: Any = None  # rtmixer's action, while the callback reads
        self._taken = self._xruns = 0  # by readings that have ended
        self.frames_written = 0
        self._stream.start()

    @property
    def frames_ahead(self) -> int:
        """Frames written and not yet taken."""
        return int(self._ring.read_available)

    @property
    def frames_taken(self) -> int:
        """Frames that the callback has taken so far."""
        return self._taken + (int(self._reading.done_frames) if self._reading is not None else 0)

    @property
    def xruns(self) -> int:
        """Blocks that the device reported as broken."""
        return self._xruns + (int(self._reading.stats.output_underflows) if self._reading is not None else 0)

    @property
    def is_running(self) -> bool:
        """Whether the device still asks for blocks."""
        return bool(self._stream.active)

    def write(self, block: FloatArray) -> None:
        """Append a block, float32 (N, 2), N up to the size of the ring."""
        self._ring.write(block if self._mono is None else downmix(block, self._mono))
        self.frames_written += len(block)

    def take_back(self, frames_kept: int) -> None:
        """Take back silence that was written last, but for as many frames as are kept, a block at the least.

        The callback reads one block at a time, so it never reads what is written instead while that is written. If it
        has gone on meanwhile to beyond what is kept, it has found the same silence there.
        """
        self._move_writing(min(frames_kept - self.frames_ahead, 0))
        ahead = self.frames_ahead
        if ahead > frames_kept:  # the distance between reader and writer is counted modulo twice the size
            self._move_writing(2 * self._size - ahead + frames_kept)

    def _move_writing(self, num_frames: int) -> None:
        self._ring.advance_write_index(num_frames)
        self.frames_written += num_frames

    def keep_playing(self, frames_needed: int) -> None:
        """Let the callback read, now or again after it ran dry, once that many frames are there."""
        if self._reading is not None and self._reading not in self._stream.actions:
            self._taken, self._xruns = self.frames_taken, self.xruns
            self._reading = None
            self.underruns += 1
        if self._reading is None and self.frames_ahead >= frames_needed:
            self._reading = self._stream.play_ringbuffer(self._ring)

    def close(self) -> None:
        """Stop, at once."""
        with suppress(Exception):
            self._stream.abort()
        with suppress(Exception):
            self._stream.close()


def list_outputs(refresh: bool = False) -> list[OutputDevice]:
    """Return the audio outputs there are.

    Parameters
    ----------
    refresh : bool
        Look anew: PortAudio knows only what there was when it started. No stream may be open.

    Raises
    ------
    DeviceError
        If PortAudio is missing.
    """
    sounddevice = _sounddevice()
    if refresh:
        # sounddevice has no public name for this; PortAudio has no other way.
        with suppress(Exception):
            sounddevice._terminate()
        sounddevice._initialize()
    apis = sounddevice.query_hostapis()
    devices = [facts for facts in sounddevice.query_devices() if facts["max_output_channels"] > 0]
    usable = {facts["index"] for facts in devices}  # what the system calls its default may have no output
    defaults = [api["default_output_device"] for api in apis]
    first_default = next((index for index in (sounddevice.default.device[1], *defaults) if index in usable), -1)
    return [
        OutputDevice(
            index=facts["index"],
            name=facts["name"],
            host_api=apis[facts["hostapi"]]["name"],
            sample_rate=round(facts["default_samplerate"]),
            is_default=facts["index"] == first_default,
            num_channels=facts["max_output_channels"],
        )
        for facts in devices
    ]


def downmix(block: FloatArray, buffer: FloatArray) -> FloatArray:
    """Return the mean of left and right.

    What is the same on both sides keeps its level, and nothing gets louder than the louder side.

    Parameters
    ----------
    block : ndarray, float32 (N, 2)
    room : ndarray, float32 (M,)
        Where the answer is put, M at least N.

    Returns
    -------
    ndarray, float32 (N,)
        The beginning of `buffer`.
    """
    mono = buffer[: len(block)]
    np.add(block[:, 0], block[:, 1], out=mono)
    mono *= 0.5
    return mono


def open_output(device: OutputDevice, sample_rate: int, block_size: int) -> RingOutput:
    """Open an output.

    Raises
    ------
    DeviceError
        If it cannot be opened so, with what to do about it.
    """
    sounddevice = _sounddevice()
    try:
        return RingOutput(device, sample_rate, block_size)
    except ImportError as error:
        raise DeviceError(f"rtmixer cannot be imported ({error}): pip install rtmixer") from error
    except sounddevice.PortAudioError as error:
        reason = str(error.args[0]) if error.args else "no reason given"
        raise DeviceError(
            f"the audio output {device.name!r} cannot be opened at {sample_rate} Hz with blocks of {block_size}: "
            f"{' '.join(reason.split())}{_hint(reason)}"
        ) from error


def _hint(reason: str) -> str:
    """Return what to do about PortAudio's complaint, or nothing."""
    lower = reason.lower()
    if "sample rate" in lower or "samplerate" in lower:
        return "; leave out --sample-rate to use the device's own"
    if "unavailable" in lower or "busy" in lower:
        return "; another program holds it: close that, or choose another with --audio-out"
    if "permission" in lower:
        return "; join the group that may use the sound card (on Debian: sudo adduser $USER audio)"
    return ""


def _sounddevice() -> Any:
    _name_jack_client()
    try:
        import sounddevice
    except OSError as error:  # the package is there, the library is not
        raise DeviceError(NO_PORTAUDIO) from error
    except ImportError as error:
        raise DeviceError(f"sounddevice cannot be imported ({error}): pip install sounddevice") from error
    return sounddevice


@cache
def _name_jack_client() -> None:
    """Let PortAudio call its JACK client as we are called: it must know before sounddevice starts it."""
    library = ctypes.util.find_library("portaudio")
    with suppress(OSError, AttributeError):  # no PortAudio, or one without JACK
        if library is not None:
            ctypes.CDLL(library).PaJack_SetClientName(ctypes.c_char_p(CLIENT_NAME))  # keeps the address
