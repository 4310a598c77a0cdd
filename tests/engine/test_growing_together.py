"""Small blocks serve many voices: those that soon need a hop are grown with those that need one now."""

from __future__ import annotations

import numpy as np
import pytest

from tnca_synth.engine.kernel.calls import HopCall
from tnca_synth.engine.kernel.model import Kernel
from tnca_synth.engine.models.growth_model import OnnxGrowthModel
from tnca_synth.engine.open import assemble_synth

pytestmark = pytest.mark.slow

RATE, BLOCK = 48000, 128
KEYS = (48, 52, 55, 60, 64, 67, 72)


def play(together: bool, seconds: float = 0.8, release_at: int | None = None, ahead: bool = False) -> np.ndarray:
    """Strike notes at different places within the hops, and hold them; grow them ahead of each block, if wanted."""
    synth = assemble_synth(sample_rate=RATE, instrument="church-organ", grows_together=together).synth
    for index, key in enumerate(KEYS):
        synth.send(bytes([0x90, key, 90]), at_frame=400 + 177 * index)
    if release_at is not None:
        for key in KEYS:
            synth.send(bytes([0x80, key, 64]), at_frame=release_at)
    blocks = []
    for _ in range(round(seconds * RATE / BLOCK)):
        blocks.append(synth.render(BLOCK))
        if ahead:
            synth.grow_ahead(BLOCK)
    return np.concatenate(blocks)


def grown_in(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list to which every run of a step model, or of the kernel, adds how many notes it grew."""
    runs: list[int] = []
    step, run = OnnxGrowthModel.step, Kernel.run

    def counted(self, genome, *inputs):
        runs.append(len(genome["grid"]))
        return step(self, genome, *inputs)

    def counted_run(self: Kernel, call: HopCall) -> None:
        runs.extend([len(call.views.jobs)] * (call.last - call.first))
        run(self, call)

    monkeypatch.setattr(OnnxGrowthModel, "step", counted)
    monkeypatch.setattr(Kernel, "run", counted_run)
    return runs


@pytest.mark.parametrize("ahead", [False, True])
def test_held_notes_sound_the_same(ahead: bool) -> None:
    alone, together = play(False), play(True, ahead=ahead)
    assert np.abs(alone).max() > 0.01
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_fewer_runs_of_the_model_serve_the_same_hops(monkeypatch: pytest.MonkeyPatch) -> None:
    runs, counts = grown_in(monkeypatch), {}
    for together in (False, True):
        runs.clear()
        play(together)
        counts[together] = (len(runs), sum(runs))
    assert counts[True][0] < 0.6 * counts[False][0]
    assert counts[True][1] < 1.1 * counts[False][1]


@pytest.mark.parametrize("ahead", [False, True])
def test_a_release_is_heard_at_most_two_hops_and_a_block_later(ahead: bool) -> None:
    at = 20000
    alone, together = (np.abs(play(mode, release_at=at, ahead=mode and ahead)).max(axis=1) for mode in (False, True))
    np.testing.assert_allclose(together[: at - 10], alone[: at - 10], atol=1e-5)
    late = 2 * 256 * RATE // 22050 + (BLOCK if ahead else 0)
    level = [np.sqrt((one[at + 4000 + shift :][:4000] ** 2).mean()) for one, shift in ((alone, 0), (together, late))]
    assert level[1] <= level[0] * 1.05


def test_a_block_that_was_grown_ahead_runs_models_for_new_notes_only(monkeypatch: pytest.MonkeyPatch) -> None:
    synth = assemble_synth(sample_rate=RATE, instrument="church-organ", grows_together=True).synth
    for key in KEYS:
        synth.send(bytes([0x90, key, 90]))
    for _ in range(20):
        synth.render(BLOCK)
        synth.grow_ahead(BLOCK)
    runs = grown_in(monkeypatch)
    for index in range(20):
        if index == 10:
            synth.send(bytes([0x90, 76, 90]))
        synth.render(BLOCK)
        assert set(runs) == ({1} if index == 10 else set()), "a new note takes others along, or they were not grown"
        synth.grow_ahead(BLOCK)
        assert set(runs) <= {1, len(KEYS), len(KEYS) + 1}
        runs.clear()


def test_growing_ahead_of_silence_does_nothing() -> None:
    synth = assemble_synth(sample_rate=RATE, grows_together=True).synth
    synth.grow_ahead(BLOCK)
    assert not synth.render(BLOCK).any()
    synth.send(bytes([0x90, 60, 90]), synth.frame + 3 * BLOCK)
    synth.grow_ahead(4 * BLOCK)
    assert synth.active_voices == 0 and not synth.render(BLOCK).any()
