"""Work shared out on a Ray cluster, in the place of `corpus.pool` on one machine."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import redirect_stdout
from typing import Any, Final

import ray
from ray.exceptions import RayError, RayTaskError

from ..errors import UsageError
from .pool import Attempt, Place, Result, Task

WINDOW: Final = 2
"""Tasks for each processor of the cluster that are handed over: one at work, one to follow."""
POLL_S: Final = 5.0
START_S: Final = "300"
"""How long a busy machine may take to start a cluster."""
NEW_CLUSTER: Final = "local"
_PASSED_ON: Final = ("OPENBLAS_NUM_THREADS", "PYTHONPATH")


def run_on_ray(
    work: Callable[[Task], Result],
    tasks: Iterable[Task],
    address: str,
    num_processes: int,
    lost: Callable[[Task, str], Result],
    place: Place[Task],
) -> Generator[Result, None, None]:
    """Give the results of tasks as `run_in_processes` does.

    Parameters
    ----------
    address : str
        Of a running cluster, or "auto" to find it. "local" starts one on this machine, with `num_processes`
        processors, that ends with this process.

    Raises
    ------
    UsageError
        If there is no such cluster.
    """
    _connect(address, num_processes)
    # Ray prints a long message on the standard output for every worker that dies; here that is nothing to tell.
    with open(os.devnull, "w", encoding="utf-8") as nowhere, redirect_stdout(nowhere):
        yield from _run(work, tasks, lost, place)


def _run(
    work: Callable[[Task], Result], tasks: Iterable[Task], lost: Callable[[Task, str], Result], place: Place[Task]
) -> Generator[Result, None, None]:
    try:
        remote = ray.remote(num_cpus=1, max_retries=0)(work)
        waiting, again = map(Attempt[Task], tasks), list[Attempt[Task]]()
        running: dict[ray.ObjectRef[Result], Attempt[Task]] = {}
        while True:
            room = WINDOW * max(int(ray.cluster_resources().get("CPU", 1)), 1) - len(running)  # type: ignore[no-untyped-call]
            for attempt in _some(again, waiting, room):
                running[remote.remote(attempt.task)] = attempt
            if not running:
                return
            done, _ = ray.wait(list(running), timeout=POLL_S)
            for reference in done:
                attempt = running.pop(reference)
                task = attempt.task
                try:
                    yield ray.get(reference)
                except RayTaskError as error:  # no task raises: its module is not there, or another one
                    yield lost(task, f"a worker of the cluster cannot do it: {str(error.cause).splitlines()[0]}")
                except RayError:
                    if why := attempt.why_no_more(place(task)):
                        yield lost(task, why)
                    else:
                        again.append(attempt)
    finally:
        ray.shutdown()


def _some(again: list[Attempt[Task]], waiting: Iterator[Attempt[Task]], room: int) -> Iterator[Attempt[Task]]:
    for _ in range(room):
        attempt = again.pop() if again else next(waiting, None)
        if attempt is None:
            return
        yield attempt


def _connect(address: str, num_processes: int) -> None:
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    # "local" is said: without an address Ray joins whatever cluster ran here before.
    options: dict[str, Any] = {"address": address}
    if address == NEW_CLUSTER:
        options |= {"num_cpus": num_processes, "include_dashboard": False}
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # an instrument talks to nobody that it was not told of
    os.environ.setdefault("RAY_raylet_start_wait_time_s", START_S)
    try:
        ray.init(**options, runtime_env={"env_vars": environment}, log_to_driver=False, logging_level=logging.ERROR)
    except Exception as error:  # a node that does not start in time raises nothing narrower
        raise UsageError(f"no Ray cluster at {address!r}: {str(error).splitlines()[0]}") from error
