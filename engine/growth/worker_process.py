"""A process that grows voices for another one: what it is asked and gives back, and how it is watched."""

from __future__ import annotations

import multiprocessing
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import fields
from functools import partial
from multiprocessing.connection import Connection
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import ModelError, TncaError
from ..arrays import FloatArray
from ..keys.stored.correction_arrays import CorrectionArrays
from ..keys.stored.motion_arrays import MotionArrays
from ..voices.progress import Progress
from ..voices.voice import Decoded, Voice
from .grower import Grower

CLOSE_S = 2.0
PATIENCE_S = 20.0
"""A worker that shows no progress for so long, such as one that was stopped, is given up."""

_SENT = tuple(field.name for field in fields(Voice) if field.name not in ("patch", "modulation", "decoded"))
_GIVEN_BACK = ("end", "morph")
_DECODED = tuple(field.name for field in fields(Decoded) if field.name != "audio")
_sent_of, _given_back_of, _decoded_of = attrgetter(*_SENT), attrgetter(*_GIVEN_BACK), attrgetter(*_DECODED)
_SILENCE = np.zeros(0, np.float32)

AddedKeys = tuple[MotionArrays, CorrectionArrays | None]
MakeGrower = Callable[[], Grower]
"""Makes the grower of a worker, like that of its owner, in the worker's process: something that can be pickled."""


class Task(NamedTuple):
    """What a worker is asked to do.

    Attributes
    ----------
    new : voices that it has not grown yet
    facts, decoded : of every voice to grow, what `_SENT` and `_DECODED` name
    progress : float64 (V, 8), their rows of `Progress.table`
    until : see `Grower.plan`
    controls : of each plan that comes of it, float64 (R, V, K)
    added : keys of instruments that were added to the table of motions since the task before, see `MotionTable.added`
    """

    new: list[Voice]
    facts: list[tuple[Any, ...]]
    decoded: list[tuple[Any, ...]]
    progress: NDArray[np.float64]
    until: int
    controls: Sequence[NDArray[np.float64]]
    added: Sequence[AddedKeys] = ()


class Result(NamedTuple):
    """What came of it.

    Attributes
    ----------
    facts, decoded : of the voices in the order of the task, what `_GIVEN_BACK` and `_DECODED` name
    progress : float64 (V, 8), their rows of `Progress.table`
    lengths, audio : how many samples each was given, and all of them in a row
    failures : see `Grower.failures`
    """

    facts: list[tuple[Any, ...]]
    decoded: list[tuple[Any, ...]]
    progress: NDArray[np.float64]
    lengths: list[int]
    audio: FloatArray
    failures: list[str]


class WorkerLost(ModelError):
    """A worker has ended or was given up; the voices that it grew are lost."""


def serve(pipe: Connection, make: MakeGrower) -> None:
    """Grow what is asked for until the other side of the pipe is gone. Runs in the worker's process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the owner decides what Ctrl-C means
    voices: dict[int, Voice] = {}
    try:
        grower = make()
        grower.after_round = partial(pipe.send, None)  # shows that it goes on
        pipe.send(None)
        while True:
            task: Task = pipe.recv()
            try:
                pipe.send(_work(grower, voices, task))
            except TncaError as error:
                pipe.send(error)
    except (EOFError, OSError, TncaError):
        return


def _work(grower: Grower, voices: dict[int, Voice], task: Task) -> Result:
    for arrays, correction in task.added:
        grower.growth.motions.add(arrays, correction)
    voices.update((voice.slot, voice) for voice in task.new)
    slot_at = _SENT.index("slot")
    share = [voices[facts[slot_at]] for facts in task.facts]
    for voice, facts, decoded in zip(share, task.facts, task.decoded, strict=True):
        _set(voice, _SENT, facts)
        _set(voice.decoded, _DECODED, decoded)
        voice.decoded.audio = _SILENCE
    slots = [voice.slot for voice in share]
    grower.progress.table[slots] = task.progress
    plans = grower.plan(share, task.until)
    for hops, controls in zip(plans, task.controls, strict=True):
        hops.controls[:] = controls
    grower.grow(plans)
    failures, grower.failures = grower.failures, []
    audio = [voice.decoded.audio for voice in share]
    return Result(
        facts=[_given_back_of(voice) for voice in share],
        decoded=[_decoded_of(voice.decoded) for voice in share],
        progress=grower.progress.table[slots],
        lengths=[len(one) for one in audio],
        audio=np.concatenate((_SILENCE, *audio)),
        failures=failures,
    )


def _set(one: Voice | Decoded, names: tuple[str, ...], values: tuple[Any, ...]) -> None:
    for name, value in zip(names, values, strict=True):
        setattr(one, name, value)


class WorkerProcess:
    """A process that grows voices for this one. It starts by itself; until it `is_ready`, work goes on without it.

    Thread: producer.
    """

    def __init__(self, make: MakeGrower) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs, make), name="tnca-synth-helper", daemon=True)
        with interrupts_ignored():
            self._process.start()
        theirs.close()
        self._share: list[Voice] = []
        self._has_started = False
        self._num_added = 0

    @property
    def is_ready(self) -> bool:
        """Whether it takes voices: never, if its process did not come up."""
        if not self._has_started:
            try:
                self._has_started = self._pipe.poll() and self._pipe.recv() is None
            except (EOFError, OSError):
                return False
        return self._has_started

    def wait(self, limit_s: float) -> None:
        """Wait until it is ready, or has failed."""
        if not self._has_started:
            with suppress(OSError):
                self._pipe.poll(limit_s)

    def start(
        self,
        share: list[Voice],
        progress: NDArray[np.float64],
        is_new: list[bool],
        until: int,
        controls: Sequence[NDArray[np.float64]],
        added: Sequence[AddedKeys],
    ) -> None:
        """Begin to grow voices; `finish` must follow.

        Parameters
        ----------
        progress : float64 (V, 8), their rows of `Progress.table`
        until, controls : see `Task`
        added : all of `MotionTable.added`
        """
        self._share = share
        new = [voice for voice, first in zip(share, is_new, strict=True) if first]
        unknown = [*added[self._num_added :]]
        self._num_added = len(added)
        with self._watched():
            facts, decoded = [_sent_of(voice) for voice in share], [_decoded_of(voice.decoded) for voice in share]
            self._pipe.send(Task(new, facts, decoded, progress, until, controls, unknown))

    def finish(self, progress: Progress) -> list[str]:
        """Wait until the voices are grown, and note how far they are; return what broke, one line each."""
        result: Result | TncaError | None = None
        while result is None:
            with self._watched():
                result = self._pipe.recv()
        if isinstance(result, TncaError):
            raise result
        ends = np.cumsum(result.lengths).tolist()
        progress.table[[voice.slot for voice in self._share]] = result.progress
        rows = zip(self._share, result.facts, result.decoded, result.lengths, ends, strict=True)
        for voice, facts, decoded, length, end in rows:
            _set(voice, _GIVEN_BACK, facts)
            _set(voice.decoded, _DECODED, decoded)
            voice.decoded.audio = np.concatenate((voice.decoded.audio, result.audio[end - length : end]))
        return result.failures

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """Kill the process if what is asked of its pipe here takes too long: half a message would block for ever."""
        timer = threading.Timer(PATIENCE_S, self._process.kill)
        timer.daemon = True
        timer.start()
        try:
            yield
        except (EOFError, OSError) as error:
            raise WorkerLost("a worker process ended or stopped while it grew notes") from error
        finally:
            timer.cancel()

    def close(self) -> None:
        """End the process; one that is still starting has nothing to finish."""
        if not self.is_ready:
            self._process.kill()
        self._pipe.close()
        self._process.join(CLOSE_S)
        if self._process.is_alive():
            self._process.kill()


@contextmanager
def interrupts_ignored() -> Iterator[None]:
    """Let what is started here ignore Ctrl-C from its first moment on."""
    if threading.current_thread() is not threading.main_thread():  # only there handlers can be set
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
