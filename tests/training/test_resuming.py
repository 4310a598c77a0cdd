"""What may differ when a run goes on, and what must not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tiny

from tnca_synth.errors import UsageError
from tnca_synth.training.config.run import DataConfig
from tnca_synth.training.loop.resuming import check_resumable

CONFIG = tiny.config()
CHECKPOINT = replace(
    tiny.checkpoint(CONFIG),
    iteration=4,
    tuning={name: vars(tuning) for name, tuning in tiny.notes().tuning.items()},
    timbre_names=tiny.notes().timbre_names,
)
PATH = Path("run") / "checkpoint.pt"


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "other"},
        {"iterations": 100},
        {"iterations": 4},
        {"checkpoint_every": 7},
        {"validate_every": 7},
        {"started_from": "elsewhere.pt"},
        {"data": replace(CONFIG.data, soundfont="/moved/synthetic.sf2", licence="MIT")},
    ],
)
def test_names_places_and_lengths_may_differ(changes: dict[str, Any]) -> None:
    check_resumable(PATH, CHECKPOINT, replace(CONFIG, **changes), tiny.notes())


def test_a_folder_may_have_moved() -> None:
    before, now = (replace(CONFIG, data=DataConfig("folder", path)) for path in ("here", "/there"))
    check_resumable(PATH, replace(CHECKPOINT, config=before.to_dict()), now, tiny.notes())


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"seed": 6}, "another configuration: seed 5, now 6;"),
        ({"learning_rate": 0.5, "batch_size": 3}, "batch_size 6, now 3, learning_rate 0.01, now 0.5;"),
        ({"model": replace(CONFIG.model, hidden=99)}, "model.hidden 24, now 99;"),
        ({"data": replace(CONFIG.data, velocities=(1,))}, "data.velocities 4 entries, now 1 entries;"),
        ({"data": replace(CONFIG.data, instruments=(replace(tiny.REED, low=61), tiny.STRING, tiny.KIT))},
         "data.instruments[0].low 60, now 61;"),
    ],
)  # fmt: skip
def test_what_must_not_differ_is_named_with_the_way_out(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_resumable(PATH, CHECKPOINT, replace(CONFIG, **changes), tiny.notes())
    assert told in str(caught.value)
    assert f"--start-from {PATH}" in str(caught.value)


def test_other_recordings_are_no_way_to_go_on() -> None:
    fewer = replace(
        CHECKPOINT, tuning=CHECKPOINT.tuning | {"reed": {"keys": (60,), "cents": (0,), "inharmonicity": (0,)}}
    )
    with pytest.raises(UsageError, match="other recordings"):
        check_resumable(PATH, fewer, CONFIG, tiny.notes())


def test_fewer_iterations_than_are_done_are_refused() -> None:
    with pytest.raises(UsageError, match="has 4 iterations already, more than 3"):
        check_resumable(PATH, CHECKPOINT, replace(CONFIG, iterations=3), tiny.notes())
