"""What was measured for each recorded key."""

from .correction import CorrectionTable
from .motions import MotionTable
from .timbres import TimbreTable
from .zones import KeyZones

__all__ = ["CorrectionTable", "KeyZones", "MotionTable", "TimbreTable"]
