"""Whether a run can go on from a checkpoint: what may differ, and what must not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from ...errors import UsageError
from ..config.run import TrainConfig
from ..data.dataset import NoteSet
from .checkpoint import Checkpoint

FREE: Final = frozenset(
    {
        "name", "started_from", "iterations", "checkpoint_every", "validate_every", "compile", "data.path",
        "data.soundfont", "data.licence", "data.instrument",
    }
)  # fmt: skip
"""Names, places, how long and how often: they change nothing of what was learned so far."""
MOST_NAMED: Final = 3


def check_resumable(path: Path, checkpoint: Checkpoint, config: TrainConfig, notes: NoteSet) -> None:
    """Raise `UsageError` where a checkpoint cannot go on as a configuration, naming what differs."""
    changes = [text for name, text in _changes(checkpoint.train_config.to_dict(), config.to_dict()) if name not in FREE]
    if not changes and _recorded(checkpoint) != _keys(notes):
        changes = ["other recordings"]
    if changes:
        more = f" and {len(changes) - MOST_NAMED} more" if len(changes) > MOST_NAMED else ""
        raise UsageError(
            f"{path} was trained with another configuration: {', '.join(changes[:MOST_NAMED])}{more}; "
            f"resume with the same, or begin a new run with its weights: --start-from {path}"
        )
    if config.iterations < checkpoint.iteration:
        raise UsageError(f"{path} has {checkpoint.iteration} iterations already, more than {config.iterations}")


def _changes(before: Any, now: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Yield the dotted names of values that differ, and what they were and are."""
    if isinstance(before, dict) and isinstance(now, dict):
        for key in dict.fromkeys([*before, *now]):
            yield from _changes(before.get(key), now.get(key), f"{name}.{key}" if name else key)
    elif isinstance(before, (list, tuple)) and isinstance(now, (list, tuple)) and len(before) == len(now):
        for i, (old, new) in enumerate(zip(before, now, strict=True)):
            yield from _changes(old, new, f"{name}[{i}]")
    elif before != now:
        yield name, f"{name} {_short(before)}, now {_short(now)}"


def _short(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return f"{len(value)} entries"
    return repr(value) if isinstance(value, str) else str(value)


def _recorded(checkpoint: Checkpoint) -> list[tuple[str, tuple[int, ...]]]:
    names = checkpoint.timbre_names
    return [(_place(name, len(names)), tuple(checkpoint.tuning.get(name, {"keys": ()})["keys"])) for name in names]


def _keys(notes: NoteSet) -> list[tuple[str, tuple[int, ...]]]:
    names = notes.timbre_names
    return [(_place(name, len(names)), notes.tuning[name].keys if name in notes.tuning else ()) for name in names]


def _place(name: str, count: int) -> str:
    """Return what a timbre is known by: its name, but where it is the only one, which may be that of its folder."""
    return name if count > 1 else ""
