"""Work shared out among processes of this machine: a process that dies costs no more than what it was at."""

from __future__ import annotations

import multiprocessing
import signal
import sys
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from typing import Any, Final, Generic, TypeVar

from ..engine.growth.workers import interrupts_ignored

MAX_DEATHS: Final = 8
"""So often a task is given to another process when its own died; then it is given up."""
CLOSE_S: Final = 5.0
LOST: Final = f"its process died {MAX_DEATHS} times; killed for want of memory?"

Task = TypeVar("Task")
Result = TypeVar("Result")


def run_in_processes(
    work: Callable[[Task], Result], tasks: Iterable[Task], num_processes: int, lost: Callable[[Task, str], Result]
) -> Generator[Result, None, None]:
    """Give the results of tasks as they are done; tasks are begun in their order.

    Parameters
    ----------
    work : callable
        Something that processes can import. It raises nothing: what fails is a result.
    tasks : iterable
        Taken one by one when a process is free.
    lost : callable
        Makes the result of a task whose process died `MAX_DEATHS` times; also told why.
    """
    processes = [_Process(work) for _ in range(num_processes)]
    waiting, again = iter(tasks), list[tuple[Task, int]]()
    try:
        while True:
            for process in processes:
                if process.task is None and (given := again.pop() if again else _next(waiting)) is not None:
                    process.begin(*given)
            busy = [process for process in processes if process.task is not None]
            if not busy:
                return
            wait([handle for process in busy for handle in process.handles])
            for process in busy:
                if process.has_died:
                    task, deaths = process.take()
                    processes[processes.index(process)] = _Process(work)
                    if deaths >= MAX_DEATHS:
                        yield lost(task, LOST)
                    else:
                        again.append((task, deaths))
                elif process.result is not None:
                    yield process.take_result()
    finally:
        for process in processes:
            process.end()
        for process in processes:
            process.join()


def _next(tasks: Iterator[Task]) -> tuple[Task, int] | None:
    for task in tasks:
        return task, 0
    return None


class _Process(Generic[Task, Result]):
    """A process that does one task after another."""

    def __init__(self, work: Callable[[Task], Result]) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, work), name="tnca-synth-worker", daemon=True)
        with interrupts_ignored():
            self._process.start()
        theirs.close()
        self.task: Task | None = None
        self.result: Result | None = None
        self._deaths = 0

    @property
    def handles(self) -> list[Any]:
        """What becomes ready when there is something to ask about."""
        return [self._pipe, self._process.sentinel]

    def begin(self, task: Task, deaths: int) -> None:
        """Hand over a task; that the process is dead shows later."""
        self.task, self._deaths = task, deaths
        with suppress(OSError):
            self._pipe.send(task)

    @property
    def has_died(self) -> bool:
        """Whether it died before it was done; else the result is taken in, if there is one."""
        try:
            if self.result is None and self._pipe.poll():
                self.result = self._pipe.recv()
        except (EOFError, OSError):
            return True
        return self.result is None and not self._process.is_alive()

    def take(self) -> tuple[Task, int]:
        """Return the task that a dead process leaves, and how often one has died with it."""
        self.end()
        self.join()
        assert self.task is not None
        return self.task, self._deaths + 1

    def take_result(self) -> Result:
        """Return the result, and be free again."""
        assert self.result is not None
        result, self.result, self.task = self.result, None, None
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
