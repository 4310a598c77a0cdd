"""The layout of the NSynth dataset (Engel et al., 2017): `examples.json` beside a folder `audio`."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ...engine.regular_files import is_plain_name
from ...errors import AudioFileError, DatasetError
from ..measure.recording import Recording
from .audio.checks import MIN_S, read_note
from .audio.envelope import fades_while_held, trim
from .base import CheckedSource

# Every NSynth note lasts 4 s; its key is released after 3 s.
HOLD_S: Final = 3.0


@dataclass(frozen=True)
class NSynthEntry:
    """One note of `examples.json`: its sound file, its fields and its name."""

    path: Path
    fields: dict[str, Any]
    name: str


class NSynthSource(CheckedSource[NSynthEntry]):
    """Notes in the NSynth layout, in the order of their names.

    Parameters
    ----------
    path : path-like
        A folder such as ``nsynth-valid``, with `examples.json` and `audio/`.
    sample_rate : int
        Of the recordings to yield, in Hz.
    families, instruments : collection of str
        `instrument_family_str` and `instrument_str` to take; empty takes all.
    limit : int or None
        Stop after so many recordings.

    Raises
    ------
    DatasetError
        Not such a folder, or no note matches; while iterating: no recording was usable.
    """

    def __init__(
        self,
        path: str | Path,
        sample_rate: int,
        *,
        families: Collection[str] = (),
        instruments: Collection[str] = (),
        limit: int | None = None,
    ) -> None:
        super().__init__(f"the NSynth folder {path}", limit)
        self.path = Path(path)
        self.sample_rate = sample_rate
        notes = _read_examples(self.path / "examples.json")
        self._notes = [
            NSynthEntry(self.path / "audio" / f"{name}.wav", notes[name], name)
            for name in sorted(notes)
            if _wanted(notes[name], "instrument_family_str", families)
            and _wanted(notes[name], "instrument_str", instruments)
        ]
        if not self._notes:
            raise DatasetError(_no_match(notes, families, instruments, self.path))

    def instruments(self) -> list[str]:
        """Return the names of the instruments of all notes that are wanted."""
        return sorted({str(one.fields.get("instrument_str")) for one in self._notes})

    def _entries(self) -> Iterator[NSynthEntry]:
        yield from self._notes

    def _load(self, entry: NSynthEntry) -> Recording:
        if not is_plain_name(entry.name):
            raise AudioFileError(f"bad entry: examples.json: the name {entry.name!r} leads out of the folder audio")
        pitch = _integer(entry.fields, "pitch", 0)
        velocity = _integer(entry.fields, "velocity", 1)
        instrument = entry.fields.get("instrument_str")
        if not isinstance(instrument, str) or not instrument:
            raise AudioFileError(f"bad entry: examples.json: instrument_str must be a name, got {instrument!r}")
        audio, cut = trim(read_note(entry.path, self.sample_rate), self.sample_rate)
        hold_s = max(HOLD_S - cut / self.sample_rate, MIN_S)
        hold_s = min(hold_s, len(audio) / self.sample_rate)
        sustains = not fades_while_held(audio, hold_s, self.sample_rate)
        return Recording(audio, instrument, pitch, velocity, hold_s, sustains=sustains, origin=entry.path.name)


def _read_examples(path: Path) -> dict[str, dict[str, Any]]:
    if not path.is_file():
        raise DatasetError(f"there is no {path}; expected the NSynth layout: examples.json beside audio/*.wav")
    try:
        notes = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DatasetError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{path} is not valid JSON: {error}") from error
    if not isinstance(notes, dict) or not all(isinstance(fields, dict) for fields in notes.values()):
        raise DatasetError(f"{path} is not NSynth's: expected an object that holds an object for every note")
    return notes


def _wanted(fields: dict[str, Any], key: str, values: Collection[str]) -> bool:
    return not values or fields.get(key) in values


def _no_match(
    notes: dict[str, dict[str, Any]], families: Collection[str], instruments: Collection[str], path: Path
) -> str:
    if not notes:
        return f"{path / 'examples.json'} lists no notes"
    there = sorted({str(fields.get("instrument_family_str")) for fields in notes.values()})
    wanted = ", ".join([*families, *instruments])
    return f"no note in {path} matches {wanted}; its families are {', '.join(there)}"


def _integer(fields: dict[str, Any], key: str, lowest: int) -> int:
    value = fields.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or not lowest <= value <= 127:
        raise AudioFileError(f"bad entry: examples.json: {key} must be in {lowest}..127, got {value!r}")
    return value
