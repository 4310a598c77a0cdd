"""Small blocks serve many voices: those that soon need a hop are grown with those that need one now."""

from __future__ import annotations

import numpy as np
import pytest

from tnca_synth.engine.ensemble import open_ensemble
from tnca_synth.engine.growth import GrowthModel

RATE, BLOCK = 48000, 128
KEYS = (48, 52, 55, 60, 64, 67, 72)


def play(together: bool, seconds: float = 0.8, release_at: int | None = None) -> np.ndarray:
    """Strike notes at different places within the hops, and hold them."""
    synth = open_ensemble(sample_rate=RATE, instrument="church-organ", grows_together=together).synth
    for index, key in enumerate(KEYS):
        synth.send(bytes([0x90, key, 90]), at_frame=400 + 177 * index)
    if release_at is not None:
        for key in KEYS:
            synth.send(bytes([0x80, key, 64]), at_frame=release_at)
    return np.concatenate([synth.render(BLOCK) for _ in range(round(seconds * RATE / BLOCK))])


def test_held_notes_sound_the_same() -> None:
    alone, together = play(False), play(True)
    assert np.abs(alone).max() > 0.01
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_fewer_runs_of_the_model_serve_the_same_hops(monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[int] = []
    step = GrowthModel.step

    def counted(self, genome, *inputs):
        runs.append(len(genome["grid"]))
        return step(self, genome, *inputs)

    monkeypatch.setattr(GrowthModel, "step", counted)
    counts = {}
    for together in (False, True):
        runs.clear()
        play(together)
        counts[together] = (len(runs), sum(runs))
    assert counts[True][0] < 0.6 * counts[False][0]
    assert counts[True][1] < 1.1 * counts[False][1]


def test_a_release_is_heard_at_most_two_hops_later() -> None:
    at = 20000
    alone, together = (np.abs(play(mode, release_at=at)).max(axis=1) for mode in (False, True))
    np.testing.assert_allclose(together[: at - 10], alone[: at - 10], atol=1e-5)
    late = 2 * 256 * RATE // 22050
    level = [np.sqrt((one[at + 4000 + shift :][:4000] ** 2).mean()) for one, shift in ((alone, 0), (together, late))]
    assert level[1] <= level[0] * 1.05
