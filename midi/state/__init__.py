"""What messages do: channels, keys and pedals."""

from .channel import Channel
from .interpreter import Interpreter

__all__ = ["Channel", "Interpreter"]
