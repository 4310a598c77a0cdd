"""The clock of the growth may stop on a key: what is grown stays then, on both cores, and nothing else is touched."""

from __future__ import annotations

import goldens
import numpy as np
import pytest
from measured import with_correction

from tnca_synth.engine.arrays import FloatArray
from tnca_synth.engine.kernel.model import Kernel
from tnca_synth.engine.keys.stored.correction_arrays import CorrectionArrays
from tnca_synth.engine.open import assemble_synth
from tnca_synth.midi import messages as midi

RATE, PIANO, KEY = 22050, 0, 62
"""A recorded key: beyond the end of a clock, courses of other keys keep no pace."""
END_FRAMES = 20
END = END_FRAMES * 256
CORES = ["numpy", "kernel"]


@pytest.fixture
def stopped(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Let the clock of the piano's growth stop after 0.23 s."""
    return with_ends(monkeypatch, END_FRAMES)


def with_ends(monkeypatch: pytest.MonkeyPatch, frames: int) -> pytest.MonkeyPatch:
    def ends(correction: CorrectionArrays) -> dict[str, np.ndarray]:
        return {"clock_ends": np.array([frames if name == "grand-piano" else 0 for name, _ in correction.owners])}

    return with_correction(monkeypatch, ends)


def played(core: str, block: int = 22_000, program: int = PIANO, morph: bool = False) -> FloatArray:
    synth = assemble_synth(sample_rate=RATE, provider="cpu", core=core, effects=False).synth
    synth.send(midi.program_change(0, program), 0)
    if morph:
        synth.set_morph(0, 40)
        synth.set_growth(0, morph=(0.5, 0.0), at_frame=0)
    synth.send(midi.note_on(0, KEY, 100), 0)
    return np.concatenate([synth.render(block) for _ in range(22_000 // block)])[:, 0]


def running(monkeypatch: pytest.MonkeyPatch, core: str, **options: int) -> FloatArray:
    with monkeypatch.context() as patch:
        with_ends(patch, 0)
        return played(core, **options)


def level_db(audio: FloatArray) -> float:
    return float(10.0 * np.log10(np.mean(audio.astype(np.float64) ** 2)))


@pytest.mark.parametrize("core", CORES)
def test_what_is_grown_fades_no_more_where_its_clock_has_stopped(core: str, stopped: pytest.MonkeyPatch) -> None:
    ours, without = played(core), running(stopped, core)
    np.testing.assert_array_equal(ours[: END - 1024], without[: END - 1024])
    fallen = [level_db(one[-4000:]) - level_db(one[END : END + 4000]) for one in (ours, without)]
    assert fallen[0] > fallen[1] + 3.0


@pytest.mark.parametrize("core", CORES)
def test_blocks_change_no_bit_where_a_clock_stops(core: str, stopped: pytest.MonkeyPatch) -> None:
    np.testing.assert_array_equal(played(core), played(core, block=1000))


def test_both_cores_stop_a_clock_alike(stopped: pytest.MonkeyPatch) -> None:
    """In each hop pitches stand still here, as they do without the kernel."""
    make = Kernel.__init__

    def stand(kernel: Kernel, *arguments: object) -> None:
        make(kernel, *arguments)  # type: ignore[arg-type]
        kernel.glide(False)

    stopped.setattr(Kernel, "__init__", stand)
    assert goldens.snr_db(played("numpy"), played("kernel")) > 80.0
    assert goldens.snr_db(played("numpy", morph=True), played("kernel", morph=True)) > 60.0


def test_another_instrument_keeps_its_clock(stopped: pytest.MonkeyPatch) -> None:
    flute = 73
    np.testing.assert_array_equal(played("auto", program=flute), running(stopped, "auto", program=flute))


@pytest.mark.parametrize("core", CORES)
def test_on_a_pad_the_clock_runs_as_long_as_that_of_any_corner(core: str, stopped: pytest.MonkeyPatch) -> None:
    np.testing.assert_array_equal(played(core, morph=True), running(stopped, core, morph=True))
