"""Attacks are set right in samples by what was measured of a key, on both cores, and nothing else is touched."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import goldens
import numpy as np
import pytest
from measured import with_correction

from tnca_synth.engine.arrays import FloatArray
from tnca_synth.engine.bank.bank import Bank
from tnca_synth.engine.growth.delivery import LONGEST_S
from tnca_synth.engine.kernel.model import Kernel
from tnca_synth.engine.keys.stored.correction_arrays import CorrectionArrays
from tnca_synth.engine.keys.stored.onsets import CODE_DB, LENGTH_S, MOMENTS, STEP_S
from tnca_synth.engine.open import assemble_synth
from tnca_synth.midi import messages as midi
from tnca_synth.midi.spec.growth_controllers import GROWTH_RATE

RATE = 22050
VIOLIN, RECORDED, LENT = 40, 58, 59
"""59 was never recorded: it is played by another key, a semitone or so away."""
DIP_DB = -12.0
CORES = ["numpy", "kernel"]


@pytest.fixture
def dipped(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Let the violin's keys, and no other ones, begin 12 dB softer, for 30 ms."""
    return with_violin_onsets(monkeypatch, DIP_DB)


def with_violin_onsets(monkeypatch: pytest.MonkeyPatch, level_db: float) -> pytest.MonkeyPatch:
    def onsets(correction: CorrectionArrays) -> dict[str, np.ndarray]:
        codes = np.zeros((len(correction.key), MOMENTS), np.int8)
        codes[np.array([name == "violin" for name, _ in correction.owners]), :16] = round(level_db / CODE_DB)
        return {"onsets": codes}

    return with_correction(monkeypatch, onsets)


def played(core: str, key: int = RECORDED, program: int = VIOLIN, block: int = 6000, **options: object) -> FloatArray:
    synth = assemble_synth(sample_rate=RATE, provider="cpu", core=core, bank_path="low-rate", **options).synth  # type: ignore[arg-type]
    synth.send(midi.program_change(0, program), 0)
    synth.send(midi.note_on(0, key, 100), 0)
    return np.concatenate([synth.render(block) for _ in range(6000 // block)])[:, 0]


def plain(monkeypatch: pytest.MonkeyPatch, core: str, **options: object) -> FloatArray:
    with monkeypatch.context() as patch:
        with_violin_onsets(patch, 0.0)
        return played(core, **options)  # type: ignore[arg-type]


def gain_db(ours: FloatArray, without: FloatArray, from_s: float, to_s: float) -> float:
    part = slice(round(from_s * RATE), round(to_s * RATE))
    return float(10.0 * np.log10(np.mean(ours[part] ** 2) / np.mean(without[part] ** 2)))


@pytest.mark.parametrize("core", CORES)
def test_an_attack_is_softer_by_what_was_measured_and_nothing_else_is(core: str, dipped: pytest.MonkeyPatch) -> None:
    ours, without = played(core), plain(dipped, core)
    assert gain_db(ours, without, 0.002, 0.029) == pytest.approx(DIP_DB, abs=0.1)
    # What keeps the output free of offsets remembers the attack for a while.
    assert gain_db(ours, without, 0.034, 0.27) == pytest.approx(0.0, abs=0.05)


@pytest.mark.parametrize("core", CORES)
def test_blocks_change_no_bit_of_an_attack(core: str, dipped: pytest.MonkeyPatch) -> None:
    np.testing.assert_array_equal(played(core), played(core, block=100))


def test_an_instrument_without_envelopes_sounds_as_before(dipped: pytest.MonkeyPatch) -> None:
    flute = 73
    np.testing.assert_array_equal(played("auto", 72, flute), plain(dipped, "auto", key=72, program=flute))


def test_a_transposed_key_has_the_attack_of_its_root_key_at_its_pace(dipped: pytest.MonkeyPatch) -> None:
    ours, without = played("auto", LENT), plain(dipped, "auto", key=LENT)
    assert gain_db(ours, without, 0.002, 0.025) == pytest.approx(DIP_DB, abs=0.1)
    assert LENGTH_S / 2.0 ** (6 / 12) < LONGEST_S


@pytest.mark.parametrize("key", [RECORDED, LENT])
def test_both_cores_set_attacks_right_alike(key: int, dipped: pytest.MonkeyPatch) -> None:
    """In each hop pitches stand still here, as they do without the kernel."""
    make = Kernel.__init__

    def stand(kernel: Kernel, *arguments: object) -> None:
        make(kernel, *arguments)  # type: ignore[arg-type]
        kernel.glide(False)

    dipped.setattr(Kernel, "__init__", stand)
    assert goldens.snr_db(*(played(core, key) for core in ("numpy", "kernel"))) > 90.0


@pytest.mark.parametrize("core", CORES)
def test_what_grows_at_another_rate_keeps_its_own_attack(core: str, dipped: pytest.MonkeyPatch) -> None:
    def slow(core: str) -> FloatArray:
        synth = assemble_synth(
            sample_rate=RATE, provider="cpu", core=core, growth_controllers=True, bank_path="low-rate"
        ).synth
        synth.send(midi.program_change(0, VIOLIN), 0)
        synth.send(midi.control_change(0, GROWTH_RATE, 20), 0)
        synth.send(midi.note_on(0, RECORDED, 100), 0)
        return synth.render(6000)[:, 0]

    ours = slow(core)
    with dipped.context() as patch:
        with_violin_onsets(patch, 0.0)
        without = slow(core)
    np.testing.assert_array_equal(ours, without)


@pytest.mark.parametrize("core", CORES)
def test_half_way_to_another_timbre_half_of_the_envelope_is_left(core: str, dipped: pytest.MonkeyPatch) -> None:
    def morphed(core: str) -> FloatArray:
        synth = assemble_synth(sample_rate=RATE, provider="cpu", core=core, bank_path="low-rate").synth
        synth.send(midi.program_change(0, VIOLIN), 0)
        synth.set_morph(0, 73)
        synth.set_growth(0, morph=(0.5, 0.0), at_frame=0)
        synth.send(midi.note_on(0, 62, 100), 0)
        return synth.render(6000)[:, 0]

    ours = morphed(core)
    with dipped.context() as patch:
        with_violin_onsets(patch, 0.0)
        without = morphed(core)
    assert gain_db(ours, without, 0.002, 0.025) == pytest.approx(DIP_DB / 2, abs=0.2)


def stored() -> CorrectionArrays:
    _, correction = Bank.load(Path("low-rate")).measured("dual")
    assert correction is not None
    return correction


def test_envelopes_are_stored_with_the_corrections_and_may_be_absent() -> None:
    some = np.arange(MOMENTS, dtype=np.int8)[None].repeat(len(stored().key), 0)
    with_onsets = replace(stored(), onsets=some)
    read: CorrectionArrays = CorrectionArrays.from_bytes(with_onsets.to_bytes())
    np.testing.assert_array_equal(read.onsets, some)
    without = replace(stored(), onsets=np.zeros((0, 0), np.int8))
    assert b"onsets" not in without.to_bytes()
    assert CorrectionArrays.from_bytes(without.to_bytes()).onsets.size == 0
    with pytest.raises(ValueError, match="onsets of"):
        replace(stored(), onsets=some[:, 1:])


def test_an_envelope_has_ended_where_its_last_moment_is_followed_by_nothing() -> None:
    assert pytest.approx(MOMENTS * STEP_S) == LENGTH_S
