"""Which of its two cores the engine grows voices with: the compiled kernel, or numpy and ONNX Runtime."""

from __future__ import annotations

import os
from typing import Final

from ...errors import UsageError
from ..names import closest
from .library import library

AUTO: Final = "auto"
CORES: Final = (AUTO, "kernel", "graph", "numpy")
"""The best there is; the kernel, else an error; the graph of a hop; numpy around the growth model."""
VARIABLE: Final = "TNCA_SYNTH_CORE"
"""Environment variable that says what "auto" means."""


def wanted_core(core: str, by_the_hop: bool = False) -> str:
    """Return which core shall be used where it can do what is asked: "kernel", "graph" or "numpy".

    Parameters
    ----------
    core : of `CORES`
    by_the_hop : whether voices are grown a hop at a time, as live: then the graph takes less time than numpy, which
        does as well where many hops are grown in a row

    Raises
    ------
    UsageError
        If the name is unknown, or the kernel is asked for and was not built.
    """
    name = closest(core, CORES, "core")
    if name == AUTO:
        name = closest(os.environ.get(VARIABLE) or AUTO, CORES, f"core in {VARIABLE}")
    if name == "kernel" and library() is None:
        raise UsageError("the kernel was not built: install a C compiler and then tnca-synth again")
    if name != AUTO:
        return name
    return "kernel" if library() is not None else "graph" if by_the_hop else "numpy"
