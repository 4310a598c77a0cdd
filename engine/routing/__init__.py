"""Which signal path a channel takes, and changes under sounding notes."""

from .path_catalogue import PathCatalogue
from .program_switch import ProgramSwitch

__all__ = ["PathCatalogue", "ProgramSwitch"]
