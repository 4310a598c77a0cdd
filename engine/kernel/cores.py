"""Which of its two cores the engine grows voices with: the compiled kernel, or numpy and ONNX Runtime."""

from __future__ import annotations

import os
from typing import Final

from ...errors import UsageError
from ..names import closest
from .library import library

AUTO: Final = "auto"
CORES: Final = (AUTO, "kernel", "graph", "numpy")
"""The best there is; the kernel, or an error where it was not built; the graph of a hop; numpy around the growth model."""
VARIABLE: Final = "TNCA_SYNTH_CORE"
"""Environment variable that says what "auto" means."""


def wanted_core(core: str) -> str:
    """Return which core shall be used where it can do what is asked: "kernel", "graph" or "numpy".

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
    return name if name != AUTO else "graph" if library() is None else "kernel"
