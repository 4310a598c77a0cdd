"""Which audio output is meant, and how many frames a block of it has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ...errors import DeviceError
from ...midi.ports.jack_server import jack_period
from ..protocol import DEFAULT_BLOCK_SIZE, MAX_BLOCK_SIZE, MIN_BLOCK_SIZE

NUM_CHANNELS: Final = 2
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
    num_channels : of one frame; a single one gets the mean of left and right
    """

    index: int
    name: str
    host_api: str
    sample_rate: int
    is_default: bool
    num_channels: int = NUM_CHANNELS

    @property
    def is_jack(self) -> bool:
        """Whether it is reached through a JACK server."""
        return "jack" in self.host_api.lower()


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
        stereo = (one for one in of_api if one.num_channels >= NUM_CHANNELS)
        return next((one for one in of_api if one.is_default), None) or next(stereo, of_api[0])
    found = _fitting(audio_out, of_api)
    if found:
        return found[0]
    known = ", ".join(f"{one.index}: {one.name}" for one in of_api)
    raise DeviceError(f"no audio output matches {audio_out!r}; there are: {known} (see: tnca-synth devices)")


def _fitting(audio_out: str, outputs: list[OutputDevice]) -> list[OutputDevice]:
    """Return the outputs that a number or a name means; a whole name goes before a part of one."""
    if audio_out.isdecimal():
        return [one for one in outputs if one.index == int(audio_out)]
    text = audio_out.lower()
    whole = [one for one in outputs if text == one.name.lower()]
    return whole or [one for one in outputs if text in one.name.lower()]


def default_block_size(device: OutputDevice) -> int:
    """Return how many frames a block has if nobody says: as many as a period of JACK, where that is what plays."""
    period = jack_period() if device.is_jack else None
    return DEFAULT_BLOCK_SIZE if period is None else min(max(period, MIN_BLOCK_SIZE), MAX_BLOCK_SIZE)
