"""Does a C callback beat a Python one? Underruns and xruns of three ways to feed PortAudio from a busy producer.

    jackd -R -P 70 -d dummy -r 48000 -p 128 &
    python benchmarks/audio_callbacks.py --seconds 10

The producer does what the engine does: short NumPy calls and Python, for a given share of each period, under
SCHED_FIFO below JACK's threads. Two blocks are kept ahead. `late` counts blocks that the callback found missing,
`xruns` what the JACK server reported to an outside client.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
import threading
from collections.abc import Callable
from functools import partial
from time import perf_counter, sleep

import jack
import numpy as np
import rtmixer
import sounddevice as sd

RATE, LEAD_BLOCKS, SETTLING_S = 48000, 2, 0.5


def work(duration_s: float, state: np.ndarray) -> None:
    """Spend time as the engine does: many small NumPy calls, all under the GIL."""
    end = perf_counter() + duration_s
    while perf_counter() < end:
        np.maximum(state @ state, 0.0, out=state)
        state += 0.01


class PythonCallback:
    """A queue of blocks read by a Python callback."""

    def __init__(self, period: int) -> None:
        self.blocks: list[np.ndarray] = []
        self.late = 0
        self.wake = threading.Semaphore(0)
        self.stream = sd.OutputStream(RATE, period, channels=2, dtype="float32", latency="low", callback=self._call)

    def _call(self, out: np.ndarray, frames: int, time: object, status: object) -> None:
        if self.blocks:
            out[:] = self.blocks.pop(0)
        else:
            out[:] = 0.0
            self.late += 1
        self.wake.release()

    def wait_for_room(self) -> None:
        while len(self.blocks) >= LEAD_BLOCKS:
            self.wake.acquire(timeout=0.1)

    def write(self, block: np.ndarray) -> None:
        self.blocks.append(block)


class CCallback:
    """A ring buffer read by rtmixer's callback, polled."""

    def __init__(self, period: int) -> None:
        self.period = period
        self.stream = rtmixer.Mixer(samplerate=RATE, blocksize=period, channels=2, latency="low")
        self.ring = rtmixer.RingBuffer(8, 4096)
        self.late = 0
        self.action = None

    def wait_for_room(self) -> None:
        while self.ring.read_available > (LEAD_BLOCKS - 1) * self.period:
            sleep(0.0002)

    def write(self, block: np.ndarray) -> None:
        self.ring.write(block)
        if self.action is None or self.action not in self.stream.actions:
            self.late += self.action is not None
            if self.ring.read_available >= LEAD_BLOCKS * self.period or self.action is None:
                self.action = self.stream.play_ringbuffer(self.ring)


class Blocking:
    """PortAudio's own blocking stream."""

    def __init__(self, period: int) -> None:
        self.late = 0
        self.stream = sd.OutputStream(RATE, period, channels=2, dtype="float32", latency=LEAD_BLOCKS * period / RATE)

    def wait_for_room(self) -> None:
        pass

    def write(self, block: np.ndarray) -> None:
        self.late += bool(self.stream.write(block))


def produce(kind: type, period: int, share: float, seconds: float, on_settled: Callable[[], None]) -> tuple[int, float]:
    output = kind(period)
    state, block = np.zeros((24, 24)), np.zeros((period, 2), np.float32)
    result: list[tuple[int, float]] = []

    def run() -> None:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(4))
        output.stream.start()
        for _ in range(LEAD_BLOCKS):
            output.write(block)
        begin = perf_counter() + SETTLING_S
        settled = False
        while perf_counter() < begin + seconds:
            output.wait_for_room()
            work(share * period / RATE, state)
            output.write(block)
            if not settled and perf_counter() > begin:
                settled, output.late = True, 0
                on_settled()
        result.append((output.late, output.stream.latency))
        output.stream.stop()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    output.stream.close()
    return result[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--share", type=float, nargs="+", default=[0.3, 0.6])
    parser.add_argument("--periods", type=int, nargs="+", default=[64, 128, 256])
    arguments = parser.parse_args()
    sys.setswitchinterval(0.0005)
    gc.freeze()
    gc.disable()
    observer = jack.Client("observer", no_start_server=True)
    xruns = [0]
    observer.set_xrun_callback(lambda delay: xruns.__setitem__(0, xruns[0] + 1))
    observer.activate()
    print("| period | producer's share | output | late blocks | xruns | reported latency ms |")
    print("|---|---|---|---|---|---|")
    for period in arguments.periods:
        observer.blocksize = period
        for share in arguments.share:
            for kind in (PythonCallback, CCallback, Blocking):
                late, latency = produce(kind, period, share, arguments.seconds, partial(xruns.__setitem__, 0, 0))
                row = (period, share, kind.__name__, late, xruns[0], f"{1e3 * latency:.1f}")
                print("| " + " | ".join(map(str, row)) + " |", flush=True)


if __name__ == "__main__":
    main()
