"""Reverb and chorus: they ring, die away, sleep, and do not care how time is cut."""

from __future__ import annotations

import numpy as np
import pytest

from tnca_synth.engine.arrays import FloatArray
from tnca_synth.engine.mix.chorus import DEPTH_S, RATE_HZ, Chorus
from tnca_synth.engine.mix.rack import Rack, SendReturn
from tnca_synth.engine.mix.reverb import DECAY_S, Reverb

RATE = 22050


def rms_db(audio: FloatArray) -> float:
    return float(10 * np.log10(np.mean(np.square(audio, dtype=np.float64)) + 1e-30))


def returned(effect: Reverb | Chorus, send: FloatArray, block_size: int) -> FloatArray:
    line, out = SendReturn(effect), np.zeros((2, len(send)), np.float32)
    for start in range(0, len(send), block_size):
        line.process(send[start : start + block_size], start, out[:, start : start + block_size])
    return out


def bursts(length: int) -> FloatArray:
    send = np.zeros(length, np.float32)
    noise = np.random.default_rng(1).uniform(-1, 1, length).astype(np.float32)
    for start in (100, 1000, 30_000, 95_000):
        send[start : start + 700] = noise[start : start + 700]
    return send


@pytest.mark.parametrize("block_size", [1, 64, 127, 4096])
@pytest.mark.parametrize("kind", [Reverb, Chorus])
def test_block_sizes_change_nothing(kind: type[Reverb] | type[Chorus], block_size: int) -> None:
    send = bursts(3000 if block_size == 1 else 110_000)
    whole = returned(kind(RATE), send, len(send))
    assert np.abs(whole).max() > 0.1
    np.testing.assert_allclose(returned(kind(RATE), send, block_size), whole, rtol=0, atol=1e-6)


def test_the_reverb_dies_away_in_its_time_and_on_both_sides() -> None:
    send = np.zeros(3 * RATE, np.float32)
    send[:200] = np.random.default_rng(1).uniform(-1, 1, 200)
    out = returned(Reverb(RATE), send, 4096)
    early, late = (rms_db(out[:, start : start + 4410]) for start in (RATE // 2, RATE // 2 + 11025))
    assert 0.6 * DECAY_S < 0.5 * 60.0 / (early - late) < 1.1 * DECAY_S
    assert abs(rms_db(out[0]) - rms_db(out[1])) < 1.0
    assert abs(np.corrcoef(out[0, 4000:30_000], out[1, 4000:30_000])[0, 1]) < 0.3
    assert rms_db(out[:, 2 * RATE : 2 * RATE + 4000]) < rms_db(out[:, :4000]) - 70


def test_the_reverb_gives_noise_back_ten_db_below() -> None:
    send = np.random.default_rng(1).uniform(-1, 1, 4 * RATE).astype(np.float32)
    out = returned(Reverb(RATE), send, 4096)[:, 2 * RATE :]
    assert rms_db(out) - rms_db(send) == pytest.approx(-10.0, abs=1.0)


def test_highs_die_before_lows() -> None:
    send = np.zeros(2 * RATE, np.float32)
    send[0] = 1.0
    power = np.abs(np.fft.rfft(returned(Reverb(RATE), send, 4096)[0, RATE : RATE + 8192])) ** 2
    assert power[4 * len(power) // 5 :].mean() < 0.01 * power[: len(power) // 5].mean()


@pytest.mark.parametrize(("low_hz", "high_hz", "db_per_s"), [(100, 1000, 47), (4000, 6000, 82), (9000, 11000, 151)])
def test_each_band_dies_in_its_own_time(low_hz: float, high_hz: float, db_per_s: float) -> None:
    """By the decay of 60 dB in 1.3 s, and by the damping of 0.18 at each passage of a line."""
    send = np.zeros(2 * RATE, np.float32)
    send[:64] = np.random.default_rng(3).uniform(-1, 1, 64)
    out = returned(Reverb(RATE), send, 4096)
    hz = np.fft.rfftfreq(4096, 1 / RATE)

    def level_db(at_s: float) -> float:
        starts = [round(at_s * RATE) + 1024 * index for index in range(4)]
        pieces = np.stack([out[:, start : start + 4096] for start in starts]) * np.hanning(4096)
        power = np.abs(np.fft.rfft(pieces)) ** 2
        return float(10 * np.log10(power[..., (hz > low_hz) & (hz < high_hz)].mean()))

    assert (level_db(0.1) - level_db(0.6)) / 0.5 == pytest.approx(db_per_s, rel=0.025)


def test_the_chorus_swings_in_pitch_by_its_depth() -> None:
    send = np.sin(2 * np.pi * 1000 * np.arange(4 * RATE) / RATE).astype(np.float32)
    left, right = returned(Chorus(RATE), send, 4096)[:, RATE : 3 * RATE]
    pieces = left[: 20 * 2048].reshape(20, 2048) * np.hanning(2048)
    hz = np.argmax(np.abs(np.fft.rfft(pieces, 1 << 17)), axis=1) * RATE / (1 << 17)
    swing = 2 * np.pi * RATE_HZ * DEPTH_S * 1000
    assert np.ptp(hz) / 2 == pytest.approx(swing, rel=0.1)
    assert np.abs(left - right).max() > 0.1


def test_an_effect_sleeps_when_it_has_rung_out() -> None:
    calls = []

    class Counted(Chorus):
        def process(self, send: FloatArray, start: int) -> FloatArray:
            calls.append(len(send))
            return super().process(send, start)

    line = SendReturn(Counted(RATE))
    send, out = np.zeros(20_000, np.float32), np.zeros((2, 20_000), np.float32)
    send[5000:5010] = 1.0
    line.process(send, 0, out)
    assert calls == [10 + line._effect.tail_samples]
    assert line.rings_until == 5010 + line._effect.tail_samples
    assert not out[:, line.rings_until :].any()


def test_closing_the_rack_fades_out_without_a_jump() -> None:
    rack, out = Rack(RATE), np.zeros((2, 8192), np.float32)
    send = np.zeros((1, 2, 8192), np.float32)
    send[0, :, :4000] = np.sin(2 * np.pi * 300 * np.arange(4000) / RATE)
    for start in range(0, 8192, 1024):
        if start == 3 * 1024:
            send[..., start:] = 0.0
            rack.close(start, np.linspace(1, 0, 111, dtype=np.float32))
        rack.process(send[..., start : start + 1024], start, out[:, start : start + 1024])
    smooth = np.abs(np.diff(out[:, :3000])).max()
    assert np.abs(np.diff(out[:, 3000:])).max() < 1.5 * smooth
    assert not out[:, 3 * 1024 + 111 :].any()
    assert rack.rings_until <= 3 * 1024 + 111
