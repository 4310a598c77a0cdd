"""How a training run tells that it lives: a bar on a terminal, lines in a log."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from .loop import Losses, Progress

LOG_EVERY_S: Final = 30.0


class ProgressReport:
    """Shows iterations, loss and time left; a context in which `console` may log besides.

    Parameters
    ----------
    console : where to; a line every half a minute where it is no terminal, beginning with the first iteration
    iterations, done : of the whole run, and before it begins or goes on
    """

    def __init__(self, console: Console, iterations: int, done: int) -> None:
        self._console, self._done = console, done
        self._bar = Bar(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[loss]}"),
            TimeElapsedColumn(), TimeRemainingColumn(), console=console, disable=not console.is_terminal,
        )  # fmt: skip
        self._task = self._bar.add_task("train", total=iterations, completed=done, loss="the first iteration")
        self._first_s: float | None = None
        self._next_s = 0.0

    def __enter__(self) -> ProgressReport:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def say(self, text: str) -> None:
        """Log a line as it is."""
        tell(self._console, text)

    def step(self, step: Progress) -> None:
        """Tell that an iteration is done."""
        self._bar.update(self._task, completed=step.iteration, loss=_shown(step.losses))
        now = time.monotonic()
        last = step.iteration == step.iterations
        if not self._console.is_terminal and (now >= self._next_s or last):
            self.say(f"iteration {step.iteration} of {step.iterations}, {_shown(step.losses)}{self._left(step, now)}")
            self._next_s = now + LOG_EVERY_S
        if self._first_s is None:  # the first one may compile and is no measure of the others
            self._first_s, self._done = now, step.iteration

    def _left(self, step: Progress, now: float) -> str:
        if self._first_s is None or step.iteration <= self._done:
            return ""
        each_s = (now - self._first_s) / (step.iteration - self._done)
        return f", {each_s:.2g} s each, {duration((step.iterations - step.iteration) * each_s)} left"


def tell(console: Console, text: str) -> None:
    """Log text as it is, with the time; into a log that is no terminal line by line, however long they are."""
    if console.is_terminal:
        console.log(text, markup=False, highlight=False)
        return
    for line in text.splitlines():
        console.print(f"{time.strftime('%H:%M:%S')} {line}", markup=False, highlight=False, soft_wrap=True)


def duration(seconds: float) -> str:
    """Return a duration in words: ``40 s``, ``12 min``, ``3 h 5 min``."""
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def _shown(losses: Losses) -> str:
    name, value = next(iter(losses.items()))
    return f"{name} {value:.2f}"
