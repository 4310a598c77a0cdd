"""A JACK client that is an audio output of as many channels as one likes."""

from __future__ import annotations

import jack
import numpy as np


class Loudspeaker:
    """A JACK client with some channels, as PortAudio sees a device."""

    def __init__(self, name: str, channels: int) -> None:
        self.client = jack.Client(name, no_start_server=True)
        self.ports = [self.client.inports.register(f"in_{index}") for index in range(channels)]
        self.blocks: list[np.ndarray] = []
        self.client.set_process_callback(self.process)
        self.client.activate()
        self.is_there = True

    def process(self, frames: int) -> None:
        self.blocks.append(np.stack([port.get_array().copy() for port in self.ports]))

    def heard(self) -> np.ndarray:
        """Return the loudest of each channel."""
        return np.abs(np.concatenate(self.blocks or [np.zeros((len(self.ports), 1))], axis=1)).max(axis=1)

    def leave(self) -> None:
        """Be unplugged."""
        self.client.deactivate()
        self.client.close()
        self.is_there = False

    def __enter__(self) -> Loudspeaker:
        return self

    def __exit__(self, *_: object) -> None:
        if self.is_there:
            self.leave()
