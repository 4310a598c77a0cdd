"""Measured notes on disk: they come back as they were, and nothing in their file is ever run."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import tiny

from tnca_synth.training.config.instruments import InstrumentConfig
from tnca_synth.training.config.run import DataConfig
from tnca_synth.training.data.feature_cache import ARRAYS, COLUMNS, has_features, load_features, save_features
from tnca_synth.training.data.rendered_notes import cache_path
from tnca_synth.training.measure.note_features import NoteFeatures, extract

pytestmark = pytest.mark.slow


def some_notes() -> list[NoteFeatures]:
    return [extract(tiny.recording(tiny.REED, key, 60, 0.1 * n), tiny.SPEC, False) for n, key in enumerate((60, 62), 1)]


def test_notes_come_back_as_they_were(tmp_path: Path) -> None:
    notes = some_notes()
    save_features(tmp_path / "a.npz", notes)
    found = load_features(tmp_path / "a.npz")
    assert found is not None
    assert has_features(tmp_path / "a.npz")
    for one, other in zip(found, notes, strict=True):
        for name in COLUMNS:
            assert getattr(one, name) == getattr(other, name)
        for name in ARRAYS:
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
            assert getattr(one, name).dtype == np.float16
    assert not list(tmp_path.glob("*.part"))


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return exec, ("raise SystemExit('run')",)


@pytest.mark.parametrize("kind", ["pickle", "pickle in an npz", "torn", "empty", "absent"])
def test_what_is_not_ours_is_not_run_but_measured_anew(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a.npz"
    save_features(path, some_notes())
    if kind == "pickle":
        path.write_bytes(pickle.dumps(Evil()))
    elif kind == "pickle in an npz":
        values = dict(np.load(path))
        np.savez(path, **values | {"pitch": np.array([Evil(), Evil()], object)})
    elif kind == "torn":
        path.write_bytes(path.read_bytes()[:-500])
    elif kind == "empty":
        path.write_bytes(b"")
    else:
        path.unlink()
    assert load_features(path) is None
    assert has_features(path) is (kind == "pickle in an npz")


def test_an_instruments_name_cannot_lead_out_of_the_cache(tmp_path: Path) -> None:
    instrument = InstrumentConfig("../../outside", program=0)
    path = cache_path(tmp_path, instrument, DataConfig(instruments=(instrument,)), tiny.SPEC)
    assert path.parent == tmp_path
    assert path.suffix == ".npz"
