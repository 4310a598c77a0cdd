"""Learning many instruments at once: a process for each core, a source for each process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from ..corpus.pool import run_in_processes
from ..engine.bank.bank import Bank
from ..engine.instrument_files import SUFFIX
from ..errors import BankError, TncaError, UsageError
from .learning.foundation import open_foundation
from .learning.learn import learn


class LearnTask(NamedTuple):
    """A source to learn from.

    Attributes
    ----------
    source, output : str
        What the recordings are in, and the instrument's file.
    speed, seed, goes_on
        See `training.learning.learn.learn`.
    bank : str, optional
        Folder of another bank to learn on than the shipped one.
    """

    source: str
    output: str
    speed: str
    seed: int
    goes_on: bool
    bank: str | None = None


class LearnOutcome(NamedTuple):
    """What came of a source: the values of `Learned.as_values`, or why there are none."""

    source: str
    output: str
    values: dict[str, Any]
    failure: str = ""


def learn_one(task: LearnTask) -> LearnOutcome:
    """Learn one instrument; what fails is said in the outcome.

    Where a process died with it before, its file may be there: it goes on from that.
    """
    foundation = None if task.bank is None else open_foundation(Bank.load(Path(task.bank)))
    goes_on = task.goes_on or Path(task.output).is_file()
    try:
        learned = learn(
            task.source, task.output, speed=task.speed, seed=task.seed, goes_on=goes_on, foundation=foundation
        )
    except (TncaError, OSError) as error:
        return LearnOutcome(task.source, task.output, {}, str(error))
    return LearnOutcome(task.source, task.output, learned.as_values())


def learn_all(
    sources: Sequence[Path],
    out: Path,
    *,
    speed: str = "fit",
    seed: int = 0,
    goes_on: bool = False,
    bank: Path | None = None,
    workers: int = 1,
    watch: Callable[[LearnOutcome], None] = lambda outcome: None,
) -> list[LearnOutcome]:
    """Learn an instrument from each of some folders, takes or SoundFonts; one that fails stops no other.

    What is learned does not depend on the number of workers.

    Parameters
    ----------
    out : Path
        Folder for the instruments' files, named after their sources; made if missing.
    goes_on : bool
        Go on from files that are there, instead of refusing.
    workers : int
        Processes, of one thread each.
    watch : callable
        Called with every outcome as it comes.

    Raises
    ------
    UsageError
        Two sources have one name, or a file is there already.
    BankError
        The folder cannot be made.
    """
    outputs = [out / f"{source.resolve().stem}{SUFFIX}" for source in sources]
    for index, output in enumerate(outputs):
        if output.name.casefold() in {one.name.casefold() for one in outputs[:index]}:
            raise UsageError(f"two sources would be learned into {str(output)!r}; rename one")
        if output.exists() and not goes_on:
            raise UsageError(f"{str(output)!r} is there already; say --continue to go on from it")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BankError(f"cannot make the folder {str(out)!r}: {error.strerror}") from error
    tasks = [
        LearnTask(
            str(source), str(output), speed, seed, goes_on and output.is_file(), None if bank is None else str(bank)
        )
        for source, output in zip(sources, outputs, strict=True)
    ]

    def lost(task: LearnTask, reason: str) -> LearnOutcome:
        return LearnOutcome(task.source, task.output, {}, reason)

    found: dict[str, LearnOutcome] = {}
    with closing(run_in_processes(learn_one, tasks, min(workers, len(tasks)), lost)) as outcomes:
        for outcome in outcomes:
            found[outcome.source] = outcome
            watch(outcome)
    return [found[task.source] for task in tasks]
