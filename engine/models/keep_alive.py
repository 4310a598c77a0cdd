"""Keeping a GPU awake while nobody plays: it lowers its clocks after some seconds, and the next notes come late."""

from __future__ import annotations

from threading import Event, Thread
from typing import Final

import numpy as np

from ...errors import ModelError
from .growth_model import OnnxGrowthModel

EVERY_S: Final = 0.02


class KeepAlive:
    """Plants a note that nobody hears now and then, until it is closed or the GPU fails.

    Thread: one of its own; runs of a model do not disturb each other.
    """

    def __init__(self, growth: OnnxGrowthModel) -> None:
        self._growth = growth
        self._closed = Event()
        self._thread = Thread(target=self._run, name="tnca-synth-keep-alive", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        one = np.ones(1, np.float32)
        timbre = np.zeros((1, self._growth.timbre_size), np.float32)
        while not self._closed.wait(EVERY_S) and not self._growth.why_lost:
            try:
                self._growth.plant(60.0 * one, 0.5 * one, timbre, one, 0.0 * one)
            except ModelError:  # told of where notes are played
                return

    def close(self) -> None:
        """End the thread."""
        self._closed.set()
        self._thread.join()
