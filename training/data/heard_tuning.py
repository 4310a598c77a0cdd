"""The tuning of every key of an instrument: keys never recorded are tuned as those that lend them their sound."""

from __future__ import annotations

from ...engine.bank.instruments import Tuning
from ...engine.keys.motions import MotionTable


def heard_tuning(recorded: Tuning, motions: MotionTable, timbre: str) -> Tuning:
    """Return the tuning of every key from the first recorded one to the last, of others as they are heard."""
    keys = range(recorded.keys[0], recorded.keys[-1] + 1)
    cents, stretch = zip(*(recorded.at(motions.heard_key(timbre, key)) for key in keys), strict=True)
    return Tuning(tuple(keys), cents, stretch)
