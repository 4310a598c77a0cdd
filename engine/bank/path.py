"""A signal path: growth model, decoder and the bank that says what plays a key."""

from __future__ import annotations

from typing import NamedTuple

from ..decoders.base import Decoder
from ..models.interfaces import GrowthModel
from .interfaces import InstrumentChooser


class SignalPath(NamedTuple):
    """A way from notes to sound.

    Attributes
    ----------
    growth : grows the notes
    decoder : sounds them, and those of no other path; with as many slots as `voices.num_slots` says
    bank : says what plays a key, as `growth` knows it
    """

    growth: GrowthModel
    decoder: Decoder
    bank: InstrumentChooser
