"""What held notes and attacks lack of their recordings, measured on a bank and written into it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tiny

from tnca_synth.engine.arrays import FloatArray
from tnca_synth.engine.bank.bank import Bank
from tnca_synth.engine.bank.own_files import instrument_of
from tnca_synth.engine.instrument_files import write_instrument
from tnca_synth.engine.keys.parts import correction_of
from tnca_synth.engine.keys.stored.correction_arrays import CorrectionArrays
from tnca_synth.engine.keys.stored.releases import STEP
from tnca_synth.errors import UsageError
from tnca_synth.export import refined_bank
from tnca_synth.export.added_instruments import add_instruments
from tnca_synth.export.refined_bank import refine
from tnca_synth.training.correction.late_courses import are_late
from tnca_synth.training.sources.soundfont_file import DRUM_BANK, Preset
from tnca_synth.training.validation.rendered import NoteRenderer

pytestmark = pytest.mark.slow

FILE = "dual.correction.npz"
RATE = tiny.SPEC.sample_rate


class Sudden:
    """A SoundFont whose notes begin at once, and then as the bank renders them: another attack and no other fault."""

    sample_rate = RATE

    def __init__(self, *_: object) -> None:
        self._renderer = NoteRenderer(tiny.bank(), tiny.bank().growth_model("dual", "cpu"), "harmonic", RATE)

    def play(self, preset: Preset, key: int, velocity: int, hold_s: float, tail_s: float) -> FloatArray:
        count, is_drums = round((hold_s + tail_s) * RATE), preset.bank == DRUM_BANK
        instrument = {one.program: one for one in tiny.INSTRUMENTS if one.is_drums == is_drums}[preset.program]
        grown = self._renderer.render(instrument, key, velocity, hold_s, count)
        gain = np.interp(np.arange(count) / RATE, [0.0, 0.02, 0.04], [3.0, 2.0, 1.0])
        return (grown * gain).astype(np.float32)


class Falling(Sudden):
    """A SoundFont whose notes go on as the bank grows them when they are held, and fall by 150 dB a second."""

    def play(self, preset: Preset, key: int, velocity: int, hold_s: float, tail_s: float) -> FloatArray:
        audio = super().play(preset, key, velocity, hold_s + tail_s, 0.0)
        since_s = np.maximum(np.arange(len(audio)) / RATE - hold_s, 0.0)
        return (audio * 10.0 ** (-150.0 * since_s / 20.0)).astype(np.float32)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(refined_bank, "SoundFont", Sudden)
    return tiny.write_tiny_bank(tmp_path / "bank")


def corrections(folder: Path) -> CorrectionArrays:
    _, correction = Bank.load(folder).measured("dual")  # its hash is right, or loading would fail
    assert correction is not None
    return correction


def rows_of(arrays: CorrectionArrays, name: str) -> list[int]:
    return [row for row, (owner, _) in enumerate(arrays.owners) if owner.split(":")[0] == name]


def quiet(_: str) -> None:
    """Say nothing."""


def test_a_bank_sounds_the_attacks_of_its_recordings(folder: Path) -> None:
    written = refine(folder, "dual", ("attacks",), ("reed",), report=quiet)
    assert written == {FILE: (folder / FILE).stat().st_size}
    new = corrections(folder)
    rows = rows_of(new, "reed")
    others = [row for row in range(len(new.key)) if row not in rows]
    assert (new.onsets[rows, :3] > 12).all()  # 6 dB and more, while the note of an untrained network lasts
    assert not new.onsets[others].any() and not new.onsets[rows, 25:].any()
    assert new.moments.tolist() == tiny.corrected().moments.tolist()
    again = Bank.load(folder)
    renderers = [NoteRenderer(one, one.growth_model("dual", "cpu"), "harmonic", RATE) for one in (tiny.bank(), again)]
    before, after = (one.render(tiny.REED, 60, 64, 0.5, 4000) for one in renderers)
    recorded = Sudden().play(Preset(0, 71, ""), 60, 64, 0.5, 0.0)
    errors = [float(np.sum((one[:300] - recorded[:300]) ** 2)) for one in (before, after)]
    assert errors[1] < 0.3 * errors[0]


def test_a_bank_falls_by_the_rates_of_its_recordings(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refined_bank, "SoundFont", Falling)
    said: list[str] = []
    refine(folder, "dual", ("releases",), report=said.append)
    new = corrections(folder)
    reed = rows_of(new, "reed")
    np.testing.assert_allclose(new.release_rates[reed] * STEP, 150.0, atol=3.0)
    assert not new.release_rates[rows_of(new, "kit")].any()
    assert said[0] == f"reed: of {len(reed)} keys 0 are held on, 0 have attacks, {len(reed)} fall by a rate"
    again = Bank.load(folder)
    renderers = [NoteRenderer(one, one.growth_model("dual", "cpu"), "harmonic", RATE) for one in (tiny.bank(), again)]
    before, after = (one.render(tiny.REED, 60, 80, 0.15, 4000) for one in renderers)
    recorded = Falling().play(Preset(0, 71, ""), 60, 80, 0.15, 0.35)
    errors = [float(np.sum((one[1400:3000] - recorded[1400:3000]) ** 2)) for one in (before, after)]
    assert errors[1] < 0.1 * errors[0]


def test_what_was_done_is_left_alone_and_the_rest_is_done(folder: Path) -> None:
    """Each instrument is measured once, in however many goes."""
    models = {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix == ".onnx"}
    refine(folder, "dual", ("held",), ("reed",), report=quiet)
    first = corrections(folder)
    assert first.clock_ends[rows_of(first, "reed")].all() and not first.clock_ends[rows_of(first, "string")].any()
    said: list[str] = []
    refine(folder, "dual", report=said.append)
    both = corrections(folder)
    reed = rows_of(both, "reed")
    np.testing.assert_array_equal(both.courses[reed], first.courses[reed])
    assert both.onsets[reed].any() and both.onsets[rows_of(both, "kit")].any()
    assert not both.clock_ends[rows_of(both, "kit")].any() and are_late(both, tiny.SPEC)
    assert [line.partition(":")[0] for line in said] == ["reed", "string", "kit"]
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix == ".onnx"} == models


def test_an_instrument_that_is_a_file_of_the_bank_is_refined_in_its_file(folder: Path, tmp_path: Path) -> None:
    bank = Bank.load(folder)
    one = next(one for one in bank.instruments if one.name == "reed")
    write_instrument(tmp_path / "reed.tnca", instrument_of(bank, one, bank.growth_model("dual", "cpu")))
    preset = tmp_path / "tiny.toml"
    preset.write_text('[data]\ninstruments = [{ name = "reed", program = 71 }]\n', encoding="utf-8")
    add_instruments(folder, [tmp_path / "reed.tnca"], str(preset))
    assert {"reed.tnca", FILE} == set(refine(folder, "dual", names=("reed",), report=quiet))
    file = Bank.load(folder).listed("dual")["reed"].read()
    found = correction_of(file.table, "reed")
    assert found is not None and found.clock_ends.all() and found.onsets.any()
    again = Bank.load(folder)
    audio = NoteRenderer(again, again.growth_model("dual", "cpu"), "harmonic", RATE).render(tiny.REED, 60, 64, 0.5, 800)
    assert np.abs(audio).max() > 0.0


def test_what_cannot_be_measured_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no corrections of 'mel'"):
        refine(folder, "dual", representation="mel")
    with pytest.raises(UsageError, match="no instrument oboe"):
        refine(folder, "dual", names=("oboe",))
    preset = tmp_path / "own.toml"
    preset.write_text('[data]\nsource = "folder"\npath = "notes"\n', encoding="utf-8")
    with pytest.raises(UsageError, match="reads a folder"):
        refine(folder, str(preset))
