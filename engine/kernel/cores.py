"""Which of its two cores the engine grows voices with: the compiled kernel, or numpy and ONNX Runtime."""

from __future__ import annotations

import os
from typing import Final

from ...errors import UsageError
from ..names import closest
from .library import library

AUTO: Final = "auto"
CORES: Final = (AUTO, "kernel", "numpy")
"""The best there is; the kernel, where it can do what is asked, else an error; numpy and ONNX Runtime."""
VARIABLE: Final = "TNCA_SYNTH_CORE"
"""Environment variable that says what "auto" means."""


def wants_kernel(core: str) -> bool:
    """Return whether the kernel shall be used where it can be.

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
    return name != "numpy" and library() is not None
