"""What every source of recordings has in common: skip what is unusable, name it, go on, sum up at the end."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from ...errors import AudioFileError, DatasetError
from ..measure.recording import Recording

MAX_LISTED_PER_KIND = 20


@dataclass(frozen=True)
class Skipped:
    """A file that was left out.

    Attributes
    ----------
    path : the file, or the table whose row was wrong
    reason : one line, its kind before the colon: ``"silent: the peak is -96 dBFS"``
    """

    path: Path
    reason: str

    @property
    def kind(self) -> str:
        """The reason in a word or two, such as ``clipped``."""
        return self.reason.partition(":")[0]


@dataclass(frozen=True)
class SourceReport:
    """What an iteration over a source gave: how many recordings, what was skipped and why, and what else is to say."""

    recordings: int
    skipped: tuple[Skipped, ...] = ()
    remarks: tuple[str, ...] = ()

    def kinds(self) -> dict[str, int]:
        """Return how many files were skipped for each kind of reason, the most frequent first."""
        return dict(Counter(item.kind for item in self.skipped).most_common())

    def summary(self) -> str:
        """Return the counts, the remarks, then one line per skipped file; of each kind of reason the first 20."""
        lines = [f"{self.recordings} recordings, {len(self.skipped)} skipped{self._counts()}", *self.remarks]
        for kind, count in self.kinds().items():
            same = [item for item in self.skipped if item.kind == kind]
            lines += [f"  {item.path}: {item.reason}" for item in same[:MAX_LISTED_PER_KIND]]
            if count > MAX_LISTED_PER_KIND:
                lines.append(f"  and {count - MAX_LISTED_PER_KIND} more: {kind}")
        return "\n".join(lines)

    def _counts(self) -> str:
        return " (" + ", ".join(f"{count} {kind}" for kind, count in self.kinds().items()) + ")" if self.skipped else ""


class RecordingSource(Protocol):
    """Recorded notes: iterate to the end, then read `report`. Each iteration begins anew."""

    def __iter__(self) -> Iterator[Recording]:
        """Yield every usable note; raise `DatasetError` at the end if there was none."""
        ...

    @property
    def report(self) -> SourceReport:
        """What the latest iteration has yielded and skipped so far."""
        ...


class HasPath(Protocol):
    """An entry of a source: at least the path by which a report names it."""

    @property
    def path(self) -> Path:
        """The file to name."""
        ...


Entry = TypeVar("Entry", bound=HasPath)


class CheckedSource(ABC, Generic[Entry]):
    """A `RecordingSource` over files: a subclass lists its entries and loads one.

    Parameters
    ----------
    where : str
        What messages call this source.
    limit : int or None
        Stop after so many recordings.
    """

    def __init__(self, where: str, limit: int | None = None) -> None:
        if limit is not None and limit < 1:
            raise DatasetError(f"limit must be at least 1, got {limit}")
        self._where = where
        self._limit = limit
        self._recordings = 0
        self._skipped: list[Skipped] = []
        self._remarks: list[str] = []

    @abstractmethod
    def _entries(self) -> Iterable[Entry]:
        """Return what there is to load; `DatasetError` where the whole source is of no use."""

    @abstractmethod
    def _load(self, entry: Entry) -> Recording:
        """Load one entry; the text of an `AudioFileError` is the reason to skip it."""

    @property
    def report(self) -> SourceReport:
        """What the latest iteration has yielded and skipped so far."""
        return SourceReport(self._recordings, tuple(self._skipped), tuple(self._remarks))

    def __iter__(self) -> Iterator[Recording]:
        """Yield every usable note; raise `DatasetError` at the end if there was none."""
        self._recordings, self._skipped, self._remarks = 0, [], []
        for entry in self._entries():
            if self._recordings == self._limit:
                return
            try:
                recording = self._load(entry)
            except AudioFileError as error:
                self._skipped.append(Skipped(entry.path, str(error)))
                continue
            self._recordings += 1
            yield recording
        if not self._recordings:
            raise DatasetError(self._nothing_usable())

    def _nothing_usable(self) -> str:
        if not self._skipped:
            return f"nothing to read in {self._where}"
        first = self._skipped[0]
        counts = ", ".join(f"{count} {kind}" for kind, count in self.report.kinds().items())
        return f"no usable recording in {self._where}: {counts}; the first: {first.path}: {first.reason}"
