"""A synth that costs nothing and whose sound is easy to foretell, in place of a real `OpenSynth`."""

from __future__ import annotations

import time
from types import SimpleNamespace

import numpy as np

from tnca_synth.engine.open import InstrumentSelection, OpenSynth
from tnca_synth.engine.synth import StemBlock

LEVEL = 0.1
LATENCY_FRAMES = 100


class FakeSynth:
    """Sounds `LEVEL` on a MIDI channel while a key is down there, and for `release_frames` after.

    It takes events only `LATENCY_FRAMES` ahead, and remembers when they were due.
    """

    core = "numpy"

    def __init__(
        self,
        selection: InstrumentSelection,
        sample_rate: int = 1000,
        release_frames: float = 50,
        slowness_s: float = 0.0,
    ) -> None:
        self.sample_rate = sample_rate
        self.latency_frames = LATENCY_FRAMES
        self.frame = 0
        self.peak_voices = self.notes_started = self.notes_left_out = 0
        self.substitutions: tuple[str, ...] = ()
        self.silent_keys: tuple[str, ...] = ()
        self.sent: list[tuple[int, bytes]] = []
        self.max_queued = 0
        self.num_ports = 1
        self.fault: float | None = None
        self._selection = selection
        self._release_frames = release_frames
        self._slowness_s = slowness_s
        self._queue: list[tuple[int, bytes]] = []
        self._until = np.zeros(16)  # frame at which each channel falls silent

    @property
    def idle(self) -> bool:
        return not self._queue and self.frame >= self._until.max()

    @property
    def silent(self) -> bool:
        return self.frame >= self._until.max()

    def send(self, data: bytes, at_frame: int | None = None, port: int = 0) -> None:
        assert port == 0
        assert at_frame is not None
        assert at_frame - self.latency_frames >= self.frame or at_frame < self.latency_frames, "sent too late"
        self.sent.append((at_frame, data))
        self._queue.append((at_frame, data))
        self.max_queued = max(self.max_queued, len(self._queue))

    def render(self, num_frames: int, foresight: int = 0) -> np.ndarray:
        return self.render_stems(num_frames).mix

    def render_stems(self, num_frames: int, foresight: int = 0) -> StemBlock:
        time.sleep(self._slowness_s)
        stems = np.zeros((16, num_frames, 2), np.float32)
        start, end = self.frame, self.frame + num_frames
        while start < end:
            while self._queue and self._queue[0][0] <= start:
                self._handle(start, self._queue.pop(0)[1])
            stop = min([end, *(max(at_frame, start) for at_frame, _ in self._queue[:1])])
            sounding = np.arange(start, stop) < self._until[:, None]
            stems[:, start - self.frame : stop - self.frame] = np.where(sounding, LEVEL, 0.0)[..., None]
            start = stop
        self.frame += num_frames
        if self.fault is not None:
            stems[:] = self.fault
        return StemBlock(stems.sum(axis=0), stems)

    def _handle(self, frame: int, data: bytes) -> None:
        kind, channel = data[0] & 0xF0, data[0] & 0x0F
        if kind == 0x90 and data[2]:
            self._selection.instrument_for(0, 0, channel == 9, data[1])
            self._until[channel] = np.inf
            self.notes_started += 1
            self.peak_voices = max(self.peak_voices, int(np.isinf(self._until).sum()))
        elif (kind in (0x80, 0x90) or (kind == 0xB0 and data[1] == 123)) and self._until[channel] == np.inf:
            self._until[channel] = frame + self._release_frames
        elif kind == 0xB0 and data[1] == 120:
            self._until[channel] = min(self._until[channel], frame)


class FakeBank:
    """Two pitched instruments and a kit."""

    only = None
    has_drums = True
    changes = 0
    instruments = (
        SimpleNamespace(name="Piano", program=0, is_drums=False, family="Piano", bank=0),
        SimpleNamespace(name="Violin", program=40, is_drums=False, family="Strings", bank=0),
        SimpleNamespace(name="Standard Kit", program=0, is_drums=True, family="Drums", bank=0),
    )

    def instrument_for(self, program: int, bank: int, is_drums: bool, key: int) -> SimpleNamespace:
        chosen = next((one for one in self.instruments if one.is_drums == is_drums and one.program == program), None)
        return SimpleNamespace(instrument=chosen or self.instruments[0], substituted=chosen is None)

    unlocked_instrument_for = instrument_for

    def named(self, instrument: SimpleNamespace, key: int) -> SimpleNamespace:
        return SimpleNamespace(instrument=instrument, substituted=False)


def fake_ensemble(sample_rate: int = 1000, release_frames: float = 50, slowness_s: float = 0.0) -> OpenSynth:
    selection = InstrumentSelection(FakeBank())
    synth = FakeSynth(selection, sample_rate, release_frames, slowness_s)
    return OpenSynth(synth, selection, "cpu")
