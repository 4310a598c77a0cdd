"""A neural instrument: cellular automata grow the spectrum of every note, from MIDI to sound.

>>> from tnca_synth import render_file
>>> report = render_file("song.mid", "song.wav")

The names below are imported when first used, so that importing the package costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .engine.bank import Bank
    from .engine.offline import RenderReport, render_file
    from .engine.synth import Synth
    from .midi.file import read_midi_file

__version__ = "0.1.0"

__all__ = ["Bank", "RenderReport", "Synth", "__version__", "read_midi_file", "render_file"]

_HOMES = {
    "Bank": ".engine.bank",
    "RenderReport": ".engine.offline",
    "Synth": ".engine.synth",
    "read_midi_file": ".midi.file",
    "render_file": ".engine.offline",
}


def __getattr__(name: str) -> Any:
    """Import a public name on first use (PEP 562) and keep it."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name], __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
