"""Recordings to judge a bank by, where they are files: what training did not hear, or all where nothing is held out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ...engine.arrays import FloatArray
from ...engine.bank.bank import Bank
from ...errors import UsageError
from ..config.instruments import InstrumentConfig
from ..config.run import DataConfig
from ..measure.recording import Recording
from ..sources import open_source
from .split import held_out_flags

MOST_NAMED = 5


@dataclass(frozen=True, eq=False)
class Reference:
    """A recording to compare with.

    Attributes
    ----------
    recording : what is to be reached
    is_held_out : whether training did not hear it
    is_new_key : whether it heard no note of its key
    nearest : the recording that a sampler would play in its place, or None where there is no other
    semitones : how far a sampler would have to transpose that
    """

    recording: Recording
    is_held_out: bool
    is_new_key: bool
    nearest: FloatArray | None
    semitones: int


def instruments_to_judge(data: DataConfig, bank: Bank) -> tuple[InstrumentConfig, ...]:
    """Return the instruments that a preset has recordings of and a bank plays.

    Raises
    ------
    UsageError
        The bank plays none of them.
    """
    if data.source == "soundfont":
        recorded = data.instruments
    else:
        names = dict.fromkeys(one.instrument.partition(":")[0] for one in recordings_of(data, _sample_rate(bank)))
        recorded = tuple(_as_in(bank, name) for name in names)
    known = {one.name for one in bank.instruments}
    found = tuple(one for one in recorded if one.name in known)
    if not found:
        raise UsageError(
            f"the bank plays {_some(sorted(known))}, but the preset has recordings of "
            f"{_some([one.name for one in recorded])}: name the preset that it was trained with (--preset FILE.toml)"
        )
    return found


def _sample_rate(bank: Bank) -> int:
    return bank.growth_model(bank.representations[0], "cpu").spec.sample_rate


def _as_in(bank: Bank, name: str) -> InstrumentConfig:
    """Return how a bank plays an instrument of a folder; its program is that of the bank."""
    own = next((one for one in bank.instruments if one.name == name), None)
    if own is None:
        return InstrumentConfig(name, program=0)
    return InstrumentConfig(name, own.program, own.low, own.high, own.pitched, drum_keys=own.is_drums)


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more


@lru_cache(maxsize=2)
def recordings_of(data: DataConfig, sample_rate: int) -> tuple[Recording, ...]:
    """Read the recordings of a folder or NSynth set; `sample_rate` in Hz."""
    return tuple(open_source(data, sample_rate))


def references(instrument: InstrumentConfig, data: DataConfig, sample_rate: int, count: int) -> Iterator[Reference]:
    """Yield recordings of an instrument, from the lowest to the highest: up to `count` of new keys, and of others."""
    own = [one for one in recordings_of(data, sample_rate) if one.instrument.partition(":")[0] == instrument.name]
    flags = held_out_flags(own)
    heard = [one for one, held_out in zip(own, flags, strict=True) if not held_out]
    judged = [one for one, held_out in zip(own, flags, strict=True) if held_out or len(heard) == len(own)]
    heard_keys = {one.pitch for one in heard}
    for is_new in (True, False):
        group = sorted(
            (one for one in judged if (one.pitch not in heard_keys) == is_new),
            key=lambda one: (one.pitch, one.velocity),
        )
        for i in sorted(set(np.linspace(0, len(group) - 1, count).astype(int).tolist())) if group else ():
            yield _reference(group[i], heard, len(heard) < len(own), is_new)


def _reference(recording: Recording, heard: Sequence[Recording], is_held_out: bool, is_new_key: bool) -> Reference:
    others = [one for one in heard if one is not recording and one.instrument == recording.instrument]
    if not others or not recording.pitched:
        return Reference(recording, is_held_out, is_new_key, None, 0)
    nearest = min(
        others, key=lambda one: (abs(one.pitch - recording.pitch), abs(one.velocity - recording.velocity), one.pitch)
    )
    return Reference(recording, is_held_out, is_new_key, nearest.audio, recording.pitch - nearest.pitch)
