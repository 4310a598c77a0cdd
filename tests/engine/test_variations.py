"""Bank numbers choose variations of programs where a bank has them; elsewhere the program itself plays, unremarked."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tiny

from tnca_synth.engine.arrays import FloatArray
from tnca_synth.engine.bank.bank import Bank
from tnca_synth.engine.bank.chooser import find_instrument, find_playable
from tnca_synth.engine.open import open_synth
from tnca_synth.errors import BankError
from tnca_synth.midi.messages import BANK_LSB, BANK_MSB, control_change, note_on, program_change
from tnca_synth.midi.spec.banks import variation_of

GS_VARIATION = 8
REED, STRING = tiny.REED, tiny.STRING
XG_ON = bytes((0xF0, 0x43, 0x10, 0x4C, 0x00, 0x00, 0x7E, 0x00, 0xF7))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny bank whose string is a variation of the reed's program."""
    folder = tiny.write_tiny_bank(tmp_path_factory.mktemp("variations") / "bank")
    change(folder, bank=GS_VARIATION, program=REED.program)
    return folder


def change(folder: Path, **facts: int) -> None:
    manifest = json.loads((folder / "bank.json").read_text())
    next(one for one in manifest["instruments"] if one["name"] == STRING.name).update(facts)
    (folder / "bank.json").write_text(json.dumps(manifest))


def played(folder: Path, *first: bytes, instrument: str | None = None) -> tuple[FloatArray, tuple[str, ...]]:
    """Return what a note sounds like after some messages, and what stands in for what."""
    synth = open_synth(bank_path=folder, sample_rate=tiny.SPEC.sample_rate, effects=False, instrument=instrument)
    for data in (*first, program_change(0, REED.program), note_on(0, 60, 100)):
        synth.send(data, 0)
    audio = synth.render(4096)
    assert np.abs(audio).max() > 1e-4
    return audio, synth.substitutions


def banks(msb: int, lsb: int) -> tuple[bytes, bytes]:
    return control_change(0, BANK_MSB, msb), control_change(0, BANK_LSB, lsb)


@pytest.mark.parametrize(
    ("first", "expected"),
    [
        (banks(0, 0), REED.name),
        (banks(GS_VARIATION, 0), STRING.name),
        (banks(GS_VARIATION, 3), STRING.name),  # the generation of a GS module
        (banks(121, 1), STRING.name),  # General MIDI 2
        (banks(121, 0), REED.name),
        (banks(9, 0), REED.name),
        (banks(0, GS_VARIATION), REED.name),
        ((XG_ON, *banks(0, GS_VARIATION)), REED.name),
    ],
)
def test_a_bank_number_chooses_a_variation_or_else_the_program(
    folder: Path, first: tuple[bytes, ...], expected: str
) -> None:
    audio, stand_ins = played(folder, *first)
    np.testing.assert_array_equal(audio, played(folder, instrument=expected)[0])
    assert not stand_ins


def test_a_program_number_alone_never_means_a_variation(folder: Path) -> None:
    known = Bank.load(folder).instruments
    variation = next(one for one in known if one.name == STRING.name)
    assert variation.bank == GS_VARIATION
    for find in (find_instrument, find_playable):
        assert find([variation, *known], REED.program).name == REED.name
        assert find(known, STRING.name) is variation


def test_a_manifest_with_a_bank_number_that_midi_lacks_is_refused(tmp_path: Path) -> None:
    folder = tiny.write_tiny_bank(tmp_path / "bank")
    change(folder, bank=128)
    with pytest.raises(BankError, match=r"bank is 128, expected a whole number in 0\.\.127"):
        Bank.load(folder)


@pytest.mark.parametrize(
    ("msb", "lsb", "expected"), [(0, 0, 0), (8, 0, 8), (16, 2, 16), (121, 0, 0), (121, 2, 16), (0, 8, 0)]
)
def test_variations_have_the_numbers_of_gs(msb: int, lsb: int, expected: int) -> None:
    assert variation_of(msb << 7 | lsb) == expected
