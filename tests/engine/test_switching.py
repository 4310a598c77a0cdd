"""Another path takes over while notes sound: without a click, a gap, or a note left behind."""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from tnca_synth.engine.growth.grower import Grower
from tnca_synth.engine.names import REPRESENTATIONS
from tnca_synth.engine.open import assemble_synth
from tnca_synth.engine.voices.voice import CROSSFADE_S, Voice
from tnca_synth.errors import UsageError

pytestmark = pytest.mark.slow

RATE = 22050
DECODERS = ("harmonic", "vocoder", "griffin-lim", "ensemble")


def play(switches: dict[int, str], seconds: float = 1.2, block: int = 441, keys: tuple[int, ...] = (60, 67)):
    """Hold two notes of the church organ from the start, switching decoders at the given frames."""
    ensemble = assemble_synth(sample_rate=RATE, instrument="church-organ", bank_path="low-rate")
    for key in keys:
        ensemble.synth.send(bytes([0x90, key, 100]), at_frame=200)
    out = []
    for start in range(0, int(seconds * RATE), block):
        if start in switches:
            ensemble.set_decoder(switches[start])
        out.append(ensemble.synth.render(block))
    return np.concatenate(out)[:, 0], ensemble


@cache
def steady(decoder: str) -> np.ndarray:
    """Return the notes as one decoder plays them from beginning to end; rendered once."""
    return play({0: decoder})[0]


def high_band(audio: np.ndarray, window: int = 64) -> np.ndarray:
    """Energy of what a click would add: the fourth difference, in short windows."""
    sharp = np.diff(audio, 4) ** 2
    return np.sqrt(sharp[: len(sharp) // window * window].reshape(-1, window).mean(1))


@pytest.mark.parametrize("first", DECODERS)
@pytest.mark.parametrize("second", DECODERS)
def test_a_switch_does_not_click(first: str, second: str) -> None:
    at = 441 * 30
    switched, _ = play({0: first, at: second})
    around = slice((at - 441) // 64, (at + 8 * 441) // 64)
    loudest = max(high_band(steady(name))[around].max() for name in (first, second))
    assert high_band(switched)[around].max() <= 1.25 * loudest + 1e-4


def test_after_the_switch_the_new_decoder_sounds() -> None:
    at = 441 * 20
    switched, ensemble = play({at: "vocoder"})
    whole = steady("vocoder")
    assert ensemble.decoder == "vocoder"
    part = slice(at + 6 * 441, None)
    levels = [20 * np.log10(np.sqrt((one[part] ** 2).mean())) for one in (switched, whole)]
    assert levels[0] == pytest.approx(levels[1], abs=1.0)


def test_the_level_does_not_dip_to_silence_in_between() -> None:
    at = 441 * 20
    audio, _ = play({at: "griffin-lim"})
    blocks = np.sqrt((audio[: len(audio) // 441 * 441].reshape(-1, 441) ** 2).mean(1))
    assert blocks[18:30].min() > 0.25 * blocks[10:18].mean()


def test_a_note_released_during_the_switch_ends() -> None:
    ensemble = assemble_synth(sample_rate=RATE, instrument="trumpet")
    ensemble.synth.send(bytes([0x90, 60, 100]))
    ensemble.synth.render(RATE // 2)
    ensemble.set_decoder("griffin-lim")
    ensemble.synth.send(bytes([0x80, 60, 0]))
    ensemble.synth.render(4 * RATE)
    assert ensemble.synth.active_voices == 0
    assert ensemble.synth.render(256).max() == 0.0


def test_switching_back_and_forth_at_once_keeps_every_note_once() -> None:
    ensemble = assemble_synth(sample_rate=RATE, instrument="church-organ", bank_path="low-rate")
    for key in range(48, 60):
        ensemble.synth.send(bytes([0x90, key, 90]))
    ensemble.synth.render(4096)
    for name in ("vocoder", "harmonic", "griffin-lim", "harmonic"):
        ensemble.set_decoder(name)
        ensemble.synth.render(100)
        assert ensemble.synth.active_voices == 12
    ensemble.synth.render(round(4 * CROSSFADE_S * RATE))
    assert ensemble.synth.active_voices == 12
    ensemble.synth.panic()
    ensemble.synth.render(RATE)
    assert ensemble.synth.active_voices == 0


def above(audio: np.ndarray, cutoff_hz: float = 5000.0) -> np.ndarray:
    """What lies above a frequency, where an organ has little and a click has much."""
    n = np.arange(129) - 64
    low_pass = np.sinc(2.0 * cutoff_hz / RATE * n) * np.hanning(129)
    return np.abs(audio - np.convolve(audio, low_pass / low_pass.sum(), mode="same"))


NEIGHBOURS = [*pairwise((*REPRESENTATIONS, next(iter(REPRESENTATIONS))))]


@pytest.mark.parametrize(("first", "second"), [*NEIGHBOURS, *((second, first) for first, second in NEIGHBOURS)])
def test_another_representation_takes_over_without_a_click_or_a_gap(first: str, second: str) -> None:
    at, sounds = 441 * 30, {}
    for change in ((first, second), (first, first), (second, second)):
        ensemble = assemble_synth(sample_rate=RATE, instrument="church-organ", representation=change[0])
        for key in (60, 66):  # without partials in common, whose phases would tell how loud they are together
            ensemble.synth.send(bytes([0x90, key, 100]), at_frame=200)
        before = ensemble.synth.render(at)
        ensemble.set_representation(change[1])
        sounds[change] = np.concatenate([before, ensemble.synth.render(at)])[:, 0]
        assert ensemble.representation == change[1]
    mixed, old, new = sounds.values()
    around, after = slice(at - 441, at + 4 * 441), slice(at + 441, at + 9 * 441)
    excess = above(mixed)[around].max() - max(above(one)[at - RATE // 4 : at + RATE // 4].max() for one in (old, new))
    assert excess < 10.0 ** (-60.0 / 20.0)
    levels = [10 * np.log10((one[after] ** 2).mean()) for one in (mixed, new)]
    assert levels[0] == pytest.approx(levels[1], abs=2.0)
    blocks = (mixed[around].reshape(-1, 147) ** 2).mean(1)
    assert 10 * np.log10(blocks.min()) > 10 * np.log10((old[around] ** 2).mean()) - 12.0


def test_a_decoder_that_does_not_fit_is_refused() -> None:
    ensemble = assemble_synth(representation="mel")
    assert "harmonic" not in ensemble.decoders
    with pytest.raises(UsageError, match="unknown decoder 'harmonic'"):
        ensemble.set_decoder("harmonic")


def test_each_representation_settles_for_its_own_number_of_hops(monkeypatch: pytest.MonkeyPatch) -> None:
    settled: list[int] = []
    settle = Grower.settle

    def counted(self: Grower, voices: list[Voice], num_hops: int, controls: NDArray[np.float64]) -> None:
        settled.append(num_hops)
        settle(self, voices, num_hops, controls)

    monkeypatch.setattr(Grower, "settle", counted)
    ensemble = assemble_synth(sample_rate=RATE, instrument="church-organ", representation="dual")
    ensemble.synth.send(bytes([0x90, 60, 100]))
    ensemble.synth.render(RATE)
    for name, hops in {"mel": 14, "latent": 21, "multi-scale": 30, "hierarchical": 30, "waveform": 14}.items():
        ensemble.set_representation(name)
        ensemble.synth.render(RATE // 10)
        assert settled.pop() == hops, f"{name}: twice what it settles for, less what its decoder begins with"
    for key in (64, 67, 72, 76):
        ensemble.synth.send(bytes([0x90, key, 100]))
    ensemble.synth.render(RATE)
    ensemble.set_representation("mel")
    ensemble.synth.render(RATE // 10)
    assert settled.pop() == 6, "many notes settle for half as long"
