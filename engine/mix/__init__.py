"""From voices to the buses and the output."""

from .limiter import Limiter
from .mixer import Mixer
from .rack import Rack
from .resampler import Resampler

__all__ = ["Limiter", "Mixer", "Rack", "Resampler"]
