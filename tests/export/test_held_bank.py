"""What follows the notes that training heard, written into a bank."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tiny

from tnca_synth.engine.bank.bank import CORRECTION, Bank
from tnca_synth.engine.keys.correction import CorrectionArrays
from tnca_synth.errors import UsageError
from tnca_synth.export.held_bank import continue_held_notes
from tnca_synth.training.correction.held_notes import measured_ends, with_mean_after

pytestmark = pytest.mark.slow

FILE = "dual.correction.npz"


def corrections(folder: Path) -> CorrectionArrays:
    arrays: CorrectionArrays = CorrectionArrays.from_bytes(Bank.load(folder).models_of("dual")[CORRECTION])
    return arrays


def test_a_bank_without_recordings_at_hand_eases_into_the_mean(tmp_path: Path) -> None:
    folder = tiny.write_tiny_bank(tmp_path / "bank")
    old, others = corrections(folder), {p.name: p.read_bytes() for p in folder.iterdir() if p.suffix == ".onnx"}
    written = continue_held_notes(folder, "dual", has_recordings=False)
    assert written == {FILE: (folder / FILE).stat().st_size}
    assert {p.name: p.read_bytes() for p in folder.iterdir() if p.suffix == ".onnx"} == others
    new = corrections(folder)  # its hash is right, or loading would fail
    for row, end in enumerate(measured_ends(old, tiny.SPEC)):
        np.testing.assert_array_equal(new.courses[row, : end + 1], old.courses[row, : end + 1])
        known = old.courses[row, : end + 1][old.moments[: end + 1] >= old.moments[end] / 2]
        np.testing.assert_array_equal(new.courses[row, -1], np.round(known.mean(0)))
    again = continue_held_notes(folder, "dual", ("dual",), has_recordings=False)
    assert again == written and corrections(folder).to_bytes() == new.to_bytes()


def test_what_decays_keeps_its_last_moment() -> None:
    old: CorrectionArrays = CorrectionArrays.from_bytes(tiny.bank().models_of("dual")[CORRECTION])
    new = with_mean_after(old, tiny.SPEC, frozenset(("string", "kit")))
    ends = measured_ends(old, tiny.SPEC)
    for row, (name, _) in enumerate(old.owners):
        is_kept = bool((new.courses[row, -1] == old.courses[row, ends[row]]).all())
        assert is_kept or name == "reed"


def test_representations_without_corrections_and_presets_of_folders_are_refused(tmp_path: Path) -> None:
    folder = tiny.write_tiny_bank(tmp_path / "bank")
    with pytest.raises(UsageError, match="no corrections of 'mel'"):
        continue_held_notes(folder, "dual", ("mel",))
    preset = tmp_path / "own.toml"
    preset.write_text('[data]\nsource = "folder"\npath = "notes"\n', encoding="utf-8")
    with pytest.raises(UsageError, match="reads a folder"):
        continue_held_notes(folder, str(preset))
