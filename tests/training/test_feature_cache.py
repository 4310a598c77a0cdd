"""The cache of measured notes gives back what was measured, and runs nothing."""

from __future__ import annotations

import os
import pickle
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import tiny

from tnca_synth.errors import DatasetError
from tnca_synth.training.feature_cache import load_features, store_features
from tnca_synth.training.features import NoteFeatures, extract


def test_notes_come_back_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "notes.npz"
    instruments = ((tiny.REED, 60), (tiny.STRING, 64), (tiny.KIT, 35))
    notes = [extract(tiny.recording(one, key, 90, 0.3), tiny.SPEC, one.inharmonic) for one, key in instruments]
    store_features(path, notes)
    assert os.listdir(tmp_path) == ["notes.npz"]
    for before, after in zip(notes, load_features(path), strict=True):
        for name in (one.name for one in fields(NoteFeatures)):
            wanted, found = getattr(before, name), getattr(after, name)
            if isinstance(wanted, np.ndarray):
                assert found.dtype == wanted.dtype
                np.testing.assert_array_equal(found, wanted)
            else:
                assert found == wanted
                assert isinstance(found, type(wanted) if not isinstance(wanted, np.generic) else object)


def test_no_notes_come_back_as_none(tmp_path: Path) -> None:
    store_features(tmp_path / "none.npz", [])
    assert load_features(tmp_path / "none.npz") == []


class Evil:
    """Runs something when it is unpickled."""

    def __reduce__(self) -> tuple[object, ...]:
        return os.system, ("touch pwned",)


@pytest.mark.parametrize("kind", ["pickle", "object array", "empty", "torn"])
def test_anything_else_is_refused_and_runs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "notes.npz"
    if kind == "object array":
        np.savez(path, count=np.array(1), instrument=np.array([Evil()], object))
    else:
        path.write_bytes({"pickle": pickle.dumps([Evil()]), "empty": b"", "torn": b"PK\x03\x04"}[kind])
    with pytest.raises(DatasetError, match="cannot be read; delete the file"):
        load_features(path)
    assert os.listdir(tmp_path) == ["notes.npz"]
