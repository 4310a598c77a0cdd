"""An observer outside the instrument: writes MIDI at exact frames of a JACK server and captures what sounds.

Needs JACK-Client (in the extra `dev`), which is imported only here.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import warnings
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep
from types import TracebackType
from typing import Any, BinaryIO, Final

import numpy as np

from ...engine.arrays import FloatArray
from ...errors import DeviceError
from ..audio.realtime import CONTROL_PRIORITY, demote_thread, promote_thread, undisturbed

JACK_PRIORITY: Final = 70
CONNECT_TIMEOUT_S: Final = 10.0
SERVER_VARIABLE: Final = "JACK_DEFAULT_SERVER"
_LATE: Final = re.compile(r"XRun: client = (.+) was not finished")


class JackProbe:
    """A JACK client with a MIDI output and two audio inputs.

    Attributes
    ----------
    sample_rate, block_size : of the server
    xruns : int
        That the server has reported.
    """

    def __init__(self, name: str = "probe") -> None:
        jack = _jack()
        try:
            self._client = jack.Client(name, no_start_server=True)
        except jack.JackError as error:
            raise DeviceError("no JACK server runs: jackd -R -d dummy -r 48000 -p 128") from error
        self.sample_rate, self.block_size = int(self._client.samplerate), int(self._client.blocksize)
        self.name = self._client.name
        self.xruns = 0
        self._midi = self._client.midi_outports.register("out")
        self._audio = [self._client.inports.register(side) for side in ("left", "right")]
        self._due: deque[tuple[int, bytes]] = deque()
        self._blocks: list[tuple[int, FloatArray]] = []
        self._is_capturing = False
        self._frame = 0
        self._client.set_process_callback(self._process)
        self._client.set_xrun_callback(self._count_xrun)
        self._client.activate()

    @property
    def frame(self) -> int:
        """First frame of the server's present period."""
        return self._frame

    def connect_midi(self, part_of_name: str = "tnca-synth") -> None:
        """Connect the MIDI output to an input of the instrument."""
        for port in self._await_ports(part_of_name, is_midi=True, is_input=True):
            self._client.connect(self._midi, port)

    def connect_audio(self, part_of_name: str = "tnca-synth") -> None:
        """Capture what an instrument puts out."""
        sources = self._await_ports(part_of_name, is_audio=True, is_output=True)
        for source, target in zip(sources, self._audio, strict=False):
            self._client.connect(source, target)

    def send(self, data: bytes, frame: int | None = None) -> int:
        """Write a message at a frame, by default the first of the next period; frames must not go back."""
        when = self._frame + 2 * self.block_size if frame is None else frame
        self._due.append((when, data))
        return when

    @contextmanager
    def capture(self) -> Iterator[list[tuple[int, FloatArray]]]:
        """Collect (first frame, float32 (N, 2)) of every period within the block."""
        self._blocks = []
        self._is_capturing = True
        try:
            yield self._blocks
        finally:
            self._is_capturing = False

    def set_period(self, period: int) -> None:
        """Let the server work in periods of so many frames."""
        if period != self.block_size:
            self._client.blocksize = self.block_size = period

    def close(self) -> None:
        """Leave the server."""
        with suppress(Exception):
            self._client.deactivate()
            self._client.close()

    def __enter__(self) -> JackProbe:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _await_ports(self, part_of_name: str, **kind: bool) -> list[Any]:
        deadline = monotonic() + CONNECT_TIMEOUT_S
        while monotonic() < deadline:
            ports: list[Any] = self._client.get_ports(part_of_name, **kind)
            if ports:
                return ports
            sleep(0.05)
        raise DeviceError(f"no JACK port called {part_of_name!r} appeared")

    def _process(self, frames: int) -> None:
        """Thread: JACK's own, of this process."""
        start = self._frame = int(self._client.last_frame_time)
        self._midi.clear_buffer()
        while self._due and self._due[0][0] < start + frames:
            when, data = self._due.popleft()
            self._midi.write_midi_event(max(when - start, 0), data)
        if self._is_capturing:
            block = np.stack([port.get_array() for port in self._audio], axis=1)
            self._blocks.append((start, block))

    def _count_xrun(self, delay_us: float) -> None:
        self.xruns += 1


class JackServer:
    """A JACK server with the dummy driver, real-time if that is granted; or one that is running already.

    A context manager.

    Parameters
    ----------
    sample_rate, period : int
    name : str, optional
        Of a server of one's own; clients of this process and its children use it while it runs. By default the
        server everybody uses, which is only started if it does not run.

    Raises
    ------
    DeviceError
        If it cannot be started, or a running one has another rate.
    """

    def __init__(self, sample_rate: int = 48000, period: int = 128, name: str | None = None) -> None:
        self._rate, self._period, self._name = sample_rate, period, name
        self._process: subprocess.Popen[bytes] | None = None
        self._log: Path | None = None

    def late_clients(self) -> Counter[str]:
        """Return how often the server waited in vain for each client; nothing for one that ran already."""
        if self._log is None:
            return Counter()
        return Counter(_LATE.findall(self._log.read_text(errors="replace")))

    def start(self) -> None:
        """Start it, or find it running."""
        if self._name is not None:
            os.environ[SERVER_VARIABLE] = self._name
        if not _is_running():
            handle, name = tempfile.mkstemp(prefix="jackd-", suffix=".log")
            self._forget_log()
            self._log = Path(name)
            with os.fdopen(handle, "wb") as log:
                self._process = _start_server(self._rate, self._period, log)
        with JackProbe("setup") as probe:
            if probe.sample_rate != self._rate:
                raise DeviceError(f"the JACK server runs at {probe.sample_rate} Hz, not at {self._rate}")
            probe.set_period(self._period)

    def stop(self) -> None:
        """Stop it, if it was started here. Clients go on looking for it by its name, until the context ends."""
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            process.wait()

    def __enter__(self) -> JackServer:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self._forget_log()
        if self._name is not None:
            os.environ.pop(SERVER_VARIABLE, None)

    def _forget_log(self) -> None:
        if self._log is not None:
            self._log.unlink(missing_ok=True)
            self._log = None


def _is_running() -> bool:
    jack = _jack()
    with warnings.catch_warnings(), suppress(jack.JackError):
        warnings.simplefilter("ignore")
        jack.Client("query", no_start_server=True).close()
        return True
    return False


def _start_server(sample_rate: int, period: int, log: BinaryIO) -> subprocess.Popen[bytes]:
    if shutil.which("jackd") is None:
        raise DeviceError("jackd is missing: on Debian, sudo apt-get install jackd2")
    driver = ["-d", "dummy", "-r", str(sample_rate), "-p", str(period)]
    for realtime in (["-R", "-P", str(JACK_PRIORITY)], ["-r"]):
        process = subprocess.Popen(["jackd", *realtime, *driver], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = monotonic() + CONNECT_TIMEOUT_S
        while process.poll() is None and monotonic() < deadline:
            if _is_running():
                return process
            sleep(0.1)
        process.kill()
        process.wait()
    raise DeviceError("jackd does not start: try it by hand, jackd -r -d dummy")


def _jack() -> Any:
    try:
        import jack
    except ImportError as error:
        raise DeviceError("this needs JACK-Client: pip install JACK-Client") from error
    except OSError as error:
        raise DeviceError("JACK is missing: on Debian, sudo apt-get install jackd2") from error
    return jack


@contextmanager
def quiet_observation() -> Iterator[None]:
    """Keep this process from being late itself while it observes: no collector, and real-time priority if granted."""
    promote_thread(CONTROL_PRIORITY)
    try:
        with undisturbed():
            yield
    finally:
        demote_thread()
