"""Events at exact samples, and what they start."""

from .sequencer import Sequencer

__all__ = ["Sequencer"]
