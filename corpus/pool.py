"""Work shared out among processes of this machine: a process that dies costs no more than what it was at."""

from __future__ import annotations

import multiprocessing
import signal
import sys
from collections.abc import Callable, Generator, Iterable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any, Final, Generic, TypeVar

from ..engine.growth.worker_process import interrupts_ignored

MAX_DEATHS: Final = 30
"""So often processes may die at various places of a task: somebody kills them, and the next one may live longer."""
SAME_PLACE: Final = 3
"""So often in a row they may die at one place of it: the task itself kills them."""
NOWHERE: Final = 8
"""So often in a row they may die before it has begun, or at a place that nobody knows."""
CLOSE_S: Final = 5.0

Task = TypeVar("Task")
Result = TypeVar("Result")
Place = Callable[[Task], float]


def unknown(task: object) -> float:
    """Return the place that tasks have of which it is not known how far they are."""
    return 0.0


@dataclass(eq=False)
class Attempt(Generic[Task]):
    """A task, and what became of the processes that were at it.

    Attributes
    ----------
    deaths, in_a_row : int
        Of processes: all, and the last ones at the same place.
    place : float
        Where the last one died: seconds of a song or any other measure, 0 if nothing of the task was done.
    """

    task: Task
    deaths: int = 0
    in_a_row: int = 0
    place: float = 0.0

    def why_no_more(self, place: float) -> str:
        """Count a death; return why the task is given up, or "" if another process is to try."""
        self.in_a_row = self.in_a_row + 1 if place == self.place else 1
        self.deaths, self.place = self.deaths + 1, place
        if self.in_a_row >= (SAME_PLACE if place else NOWHERE):
            where = f"at the same place, {place:.1f} s after its beginning" if place else "in a row"
            return f"its process died {self.in_a_row} times {where}; killed for want of memory?"
        if self.deaths >= MAX_DEATHS:
            return f"its process was killed {self.deaths} times, each time at another place"
        return ""


def run_in_processes(
    work: Callable[[Task], Result],
    tasks: Iterable[Task],
    num_processes: int,
    lost: Callable[[Task, str], Result],
    place: Place[Task] = unknown,
) -> Generator[Result, None, None]:
    """Give the results of tasks as they are done; tasks are begun in their order.

    Parameters
    ----------
    work : callable
        Something that processes can import. It raises nothing: what fails is a result.
    tasks : iterable
        Taken one by one when a process is free.
    lost : callable
        Makes the result of a task whose processes died too often (see `Attempt`); also told why.
    place : callable
        Returns how far a task was whose process died, and clears away what that one left.
    """
    processes = [_Process[Task, Result](work) for _ in range(num_processes)]
    waiting, again = map(Attempt[Task], tasks), list[Attempt[Task]]()
    try:
        while True:
            for process in processes:
                if process.attempt is None and (given := again.pop() if again else next(waiting, None)) is not None:
                    process.begin(given)
            busy = [process for process in processes if process.attempt is not None]
            if not busy:
                return
            wait([handle for process in busy for handle in process.handles])
            for process in busy:
                if process.has_died:
                    attempt = process.take()
                    processes[processes.index(process)] = _Process(work)
                    if why := attempt.why_no_more(place(attempt.task)):
                        yield lost(attempt.task, why)
                    else:
                        again.append(attempt)
                elif process.result is not None:
                    yield process.take_result()
    finally:
        for process in processes:
            process.end()
        for process in processes:
            process.join()


class _Process(Generic[Task, Result]):
    """A process that does one task after another."""

    def __init__(self, work: Callable[[Task], Result]) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, work), name="tnca-synth-worker", daemon=True)
        with interrupts_ignored():
            self._process.start()
        theirs.close()
        self.attempt: Attempt[Task] | None = None
        self.result: Result | None = None

    @property
    def handles(self) -> list[Any]:
        """What becomes ready when there is something to ask about."""
        return [self._pipe, self._process.sentinel]

    def begin(self, attempt: Attempt[Task]) -> None:
        """Hand over a task; that the process is dead shows later."""
        self.attempt = attempt
        with suppress(OSError):
            self._pipe.send(attempt.task)

    @property
    def has_died(self) -> bool:
        """Whether it died before it was done; else the result is taken in, if there is one."""
        try:
            if self.result is None and self._pipe.poll():
                self.result = self._pipe.recv()
        except (EOFError, OSError):
            return True
        return self.result is None and not self._process.is_alive()

    def take(self) -> Attempt[Task]:
        """Return the task that a dead process leaves."""
        self.end()
        self.join()
        assert self.attempt is not None
        return self.attempt

    def take_result(self) -> Result:
        """Return the result, and be free again."""
        assert self.result is not None
        result, self.result, self.attempt = self.result, None, None
        return result

    def end(self) -> None:
        """Let it stop at once; it removes what it has begun."""
        self._pipe.close()
        self._process.terminate()

    def join(self) -> None:
        """Wait until it has ended."""
        self._process.join(CLOSE_S)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()


def _serve(pipe: Connection, work: Callable[[Any], Any]) -> None:
    """Do what is asked for until the other side of the pipe is gone. Runs in the worker's process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the owner decides what Ctrl-C means
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with suppress(EOFError, OSError):
        while True:
            pipe.send(work(pipe.recv()))
