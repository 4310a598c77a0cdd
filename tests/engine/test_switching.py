"""Another decoder takes over while notes sound: without a click, a gap, or a note left behind."""

from __future__ import annotations

import numpy as np
import pytest

from tnca_synth.engine.ensemble import open_ensemble
from tnca_synth.engine.voices import CROSSFADE_SAMPLES
from tnca_synth.errors import UsageError

RATE = 22050
DECODERS = ("harmonic", "vocoder", "griffin-lim", "ensemble")


def play(switches: dict[int, str], seconds: float = 1.2, block: int = 441, keys: tuple[int, ...] = (60, 67)):
    """Hold two notes of the church organ from the start, switching decoders at the given frames."""
    ensemble = open_ensemble(sample_rate=RATE, instrument="church-organ")
    for key in keys:
        ensemble.synth.send(bytes([0x90, key, 100]), at_frame=200)
    out = []
    for start in range(0, int(seconds * RATE), block):
        if start in switches:
            ensemble.set_decoder(switches[start])
        out.append(ensemble.synth.render(block))
    return np.concatenate(out)[:, 0], ensemble


def high_band(audio: np.ndarray, window: int = 64) -> np.ndarray:
    """Energy of what a click would add: the fourth difference, in short windows."""
    sharp = np.diff(audio, 4) ** 2
    return np.sqrt(sharp[: len(sharp) // window * window].reshape(-1, window).mean(1))


@pytest.mark.parametrize("first", DECODERS)
@pytest.mark.parametrize("second", DECODERS)
def test_a_switch_does_not_click(first: str, second: str) -> None:
    at = 441 * 30
    switched, _ = play({0: first, at: second})
    steady = [play({0: name})[0] for name in (first, second)]
    around = slice((at - 441) // 64, (at + 8 * 441) // 64)
    loudest = max(high_band(one)[around].max() for one in steady)
    assert high_band(switched)[around].max() <= 1.25 * loudest + 1e-4


def test_after_the_switch_the_new_decoder_sounds() -> None:
    at = 441 * 20
    switched, ensemble = play({at: "vocoder"})
    whole, _ = play({0: "vocoder"})
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
    ensemble = open_ensemble(sample_rate=RATE, instrument="trumpet")
    ensemble.synth.send(bytes([0x90, 60, 100]))
    ensemble.synth.render(RATE // 2)
    ensemble.set_decoder("griffin-lim")
    ensemble.synth.send(bytes([0x80, 60, 0]))
    ensemble.synth.render(4 * RATE)
    assert ensemble.synth.active_voices == 0
    assert ensemble.synth.render(256).max() == 0.0


def test_switching_back_and_forth_at_once_keeps_every_note_once() -> None:
    ensemble = open_ensemble(sample_rate=RATE, instrument="church-organ")
    for key in range(48, 60):
        ensemble.synth.send(bytes([0x90, key, 90]))
    ensemble.synth.render(4096)
    for name in ("vocoder", "harmonic", "griffin-lim", "harmonic"):
        ensemble.set_decoder(name)
        ensemble.synth.render(100)
        assert ensemble.synth.active_voices == 12
    ensemble.synth.render(4 * CROSSFADE_SAMPLES)
    assert ensemble.synth.active_voices == 12
    ensemble.synth.panic()
    ensemble.synth.render(RATE)
    assert ensemble.synth.active_voices == 0


def test_a_decoder_that_does_not_fit_is_refused() -> None:
    ensemble = open_ensemble(representation="mel")
    assert "harmonic" not in ensemble.decoders
    with pytest.raises(UsageError, match="unknown decoder 'harmonic'"):
        ensemble.set_decoder("harmonic")
