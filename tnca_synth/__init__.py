"""A neural instrument: cellular automata grow the spectrum of every note, from MIDI to sound.

>>> from tnca_synth import render_file
>>> report = render_file("song.mid", "song.wav")

The names below are imported when first used, so that importing the package costs nothing.
"""

from importlib import import_module
from os import curdir, sep
from os.path import exists, join
from typing import TYPE_CHECKING, Any

from .version import __version__

if TYPE_CHECKING:
    from .engine.bank.bank import Bank
    from .engine.instrument_files import InstrumentFile, read_instrument, write_instrument
    from .engine.open import open_synth
    from .engine.render.file import render, render_file
    from .engine.render.song import RenderReport
    from .engine.synth import Synth
    from .live.protocol import LiveOptions
    from .live.session.session import LiveSession
    from .midi.files.song import Song, read_midi_file
    from .training.learning.learn import learn

__all__ = [
    "Bank",
    "InstrumentFile",
    "LiveOptions",
    "LiveSession",
    "RenderReport",
    "Song",
    "Synth",
    "__version__",
    "learn",
    "open_synth",
    "read_instrument",
    "read_midi_file",
    "render",
    "render_file",
    "write_instrument",
]

_HOMES = {
    "Bank": ".engine.bank.bank",
    "InstrumentFile": ".engine.instrument_files",
    "LiveOptions": ".live.protocol",
    "LiveSession": ".live.session.session",
    "RenderReport": ".engine.render.song",
    "Song": ".midi.files.song",
    "Synth": ".engine.synth",
    "learn": ".training.learning.learn",
    "open_synth": ".engine.open",
    "read_instrument": ".engine.instrument_files",
    "read_midi_file": ".midi.files.song",
    "render": ".engine.render.file",
    "render_file": ".engine.render.file",
    "write_instrument": ".engine.instrument_files",
}


def _reach_source_folder() -> None:
    """In the source folder the packages stand beside this one, and not within it as once they are installed."""
    here = __path__[0]
    beside = here.rpartition(sep)[0] or curdir
    if not exists(join(here, "engine")) and exists(join(beside, "engine", "__init__.py")):
        __path__.append(beside)


_reach_source_folder()


def __getattr__(name: str) -> Any:
    """Import a public name on first use (PEP 562) and keep it."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name], __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
