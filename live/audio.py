"""Audio outputs: finding and opening them. The only home of sounddevice and rtmixer.

The callback is rtmixer's, compiled C, and reads PortAudio's single-reader, single-writer ring buffer. It copies what is
there, pads with zeros what is missing, and counts; it takes no lock, not even Python's, allocates nothing and
cannot raise. It stops reading when it finds the ring empty, so that `RingOutput` notices and primes the ring anew.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, Protocol

from ..engine.spectral import FloatArray
from ..errors import DeviceError

NUM_CHANNELS: Final = 2
BYTES_PER_FRAME: Final = 4 * NUM_CHANNELS
NO_PORTAUDIO: Final = "PortAudio is missing: on Debian, sudo apt-get install libportaudio2"
NO_OUTPUT: Final = (
    "there is no audio output: plug one in, start a JACK server (jackd), or join the group that may use "
    "the sound card (on Debian: sudo adduser $USER audio)"
)


@dataclass(frozen=True)
class OutputDevice:
    """An audio output.

    Attributes
    ----------
    index : PortAudio's number
    sample_rate : its own, Hz
    """

    index: int
    name: str
    host_api: str
    sample_rate: int
    is_default: bool


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
        """Take back silence that was written last, but for as many frames as are kept, two blocks at the least."""
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
        self.in_step_with_midi = "jack" in device.host_api.lower()
        self.underruns = 0
        size = 1 << (max(4 * block_size, 32768) - 1).bit_length()
        self._ring, self._size = rtmixer.RingBuffer(BYTES_PER_FRAME, size), size
        self._stream = rtmixer.Mixer(
            device=device.index, samplerate=sample_rate, blocksize=block_size, channels=NUM_CHANNELS, latency="low"
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
        """Append a block, float32 (N, 2)."""
        self._ring.write(block)
        self.frames_written += len(block)

    def take_back(self, frames_kept: int) -> None:
        """Take back silence that was written last, but for as many frames as are kept, two blocks at the least.

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
    defaults = [api["default_output_device"] for api in apis]
    first_default = next((index for index in (sounddevice.default.device[1], *defaults) if index >= 0), -1)
    return [
        OutputDevice(
            index=facts["index"],
            name=facts["name"],
            host_api=apis[facts["hostapi"]]["name"],
            sample_rate=round(facts["default_samplerate"]),
            is_default=facts["index"] == first_default,
        )
        for facts in sounddevice.query_devices()
        if facts["max_output_channels"] >= NUM_CHANNELS
    ]


def find_output(audio_out: str | None, host_api: str | None, outputs: list[OutputDevice]) -> OutputDevice:
    """Return the output that a number or a part of a name means, the default one for None.

    Raises
    ------
    DeviceError
        If there is none; it lists what there is.
    """
    if not outputs:
        raise DeviceError(NO_OUTPUT)
    of_api = [one for one in outputs if host_api is None or host_api.lower() in one.host_api.lower()]
    if not of_api:
        known = ", ".join(dict.fromkeys(one.host_api for one in outputs))
        hint = " (start a JACK server first: jackd)" if host_api and "jack" in host_api.lower() else ""
        raise DeviceError(f"no audio output of host API {host_api!r}{hint}; there are: {known}")
    if audio_out is None:
        return next((one for one in of_api if one.is_default), of_api[0])
    for one in of_api:
        is_number = audio_out.isdecimal()
        if (is_number and one.index == int(audio_out)) or (not is_number and audio_out.lower() in one.name.lower()):
            return one
    known = ", ".join(f"{one.index}: {one.name}" for one in of_api)
    raise DeviceError(f"no audio output matches {audio_out!r}; there are: {known} (see: tnca-synth devices)")


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
    try:
        import sounddevice
    except OSError as error:  # the package is there, the library is not
        raise DeviceError(NO_PORTAUDIO) from error
    except ImportError as error:
        raise DeviceError(f"sounddevice cannot be imported ({error}): pip install sounddevice") from error
    return sounddevice
