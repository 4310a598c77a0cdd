"""What the operating system and Python are asked for, so that sound is not kept waiting."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

CONTROL_PRIORITY: Final = 2
PRODUCER_PRIORITY: Final = 4
"""Above every ordinary thread and below audio servers: JACK's clients have 5 at the least."""
SWITCH_INTERVAL_S: Final = 0.0002


def promote_thread(priority: int) -> bool:
    """Ask for real-time scheduling of this thread and of those it starts; return whether it was granted."""
    if not hasattr(os, "sched_setscheduler"):
        return False
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(priority))
    except OSError:
        return False
    return True


def demote_thread() -> None:
    """Give this thread ordinary scheduling, whatever started it."""
    if hasattr(os, "sched_setscheduler"):
        with suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


@contextmanager
def undisturbed() -> Iterator[None]:
    """Keep Python's collector away and let threads hand over quickly."""
    interval = sys.getswitchinterval()
    gc.collect()
    gc.freeze()
    gc.disable()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    try:
        yield
    finally:
        sys.setswitchinterval(interval)
        gc.enable()
        gc.unfreeze()
