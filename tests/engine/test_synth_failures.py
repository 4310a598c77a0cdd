"""Models that misbehave, wishes that cannot be met, and renders that last."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from tnca_synth.engine.synth import Synth
from tnca_synth.errors import ModelError, UsageError
from tnca_synth.midi import messages as midi

from .fakes import HOP, RATE, FakeBank, FakeDecoder, FakeGrowth, make_synth

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_model_that_grows_no_numbers_raises_one_clear_line(value: float) -> None:
    synth = make_synth(FakeGrowth(broken_from_age_s=0.1, broken_value=value))
    synth.send(midi.note_on(2, 60, 100), 0)
    with pytest.raises(ModelError, match=r"grew NaN or infinity in mel .*pitch 60\.00 of MIDI channel 3") as caught:
        synth.render(RATE)
    assert "\n" not in str(caught.value)
    assert synth.active_voices == 0
    assert not synth.render(RATE).any()


def test_a_decoder_that_gives_no_numbers_raises() -> None:
    synth = make_synth(decoder=FakeDecoder(8, nan_after_hops=3))
    synth.send(midi.note_on(0, 60, 100), 0)
    with pytest.raises(ModelError, match="decoder fake gave no finite sound"):
        synth.render(RATE)


def test_a_level_that_runs_away_counts_as_broken() -> None:
    synth = make_synth(FakeGrowth(broken_from_age_s=0.1, broken_value=1e9))
    synth.send(midi.note_on(0, 60, 100), 0)
    with pytest.raises(ModelError):
        synth.render(RATE)


@pytest.mark.parametrize("nan_after_hops", [None, 5])
@pytest.mark.parametrize("block_size", [100, 5000])
def test_muting_cuts_only_the_broken_note(nan_after_hops: int | None, block_size: int) -> None:
    growth = FakeGrowth(broken_from_age_s=0.06, broken_above_pitch=65.0)
    if nan_after_hops is not None:
        growth = FakeGrowth()
    synth = make_synth(growth, FakeDecoder(8, nan_after_hops=nan_after_hops), on_model_error="mute")
    reference = make_synth()
    for one in (synth, reference):
        one.send(midi.note_on(0, 60, 100), 0)
    synth.send(midi.note_on(0, 70, 100), 0)
    audio = np.concatenate([synth.render(block_size) for _ in range(5000 // block_size)])
    assert np.isfinite(audio).all()
    if nan_after_hops is None:
        assert synth.model_errors == 1
        assert synth.active_voices == 1
        np.testing.assert_allclose(audio[6 * HOP :], reference.render(5000)[6 * HOP :], atol=1e-6)
    else:
        assert synth.model_errors == 2
        assert synth.active_voices == 0


def test_muting_cuts_at_the_same_sample_in_any_block_size() -> None:
    def rendered(block_size: int) -> np.ndarray:
        synth = make_synth(FakeGrowth(broken_from_age_s=0.06), on_model_error="mute")
        synth.send(midi.note_on(0, 60, 100), 33)
        return np.concatenate([synth.render(block_size) for _ in range(5000 // block_size)])

    np.testing.assert_array_equal(rendered(50), rendered(5000))


def test_the_synth_goes_on_after_an_error() -> None:
    growth = FakeGrowth(broken_from_age_s=0.1)
    synth = make_synth(growth)
    synth.send(midi.note_on(0, 60, 100), 0)
    with pytest.raises(ModelError):
        synth.render(RATE)
    growth.broken_from_age_s = np.inf
    synth.send(midi.note_on(0, 60, 100))
    assert np.abs(synth.render(RATE)).max() > 0.05


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"max_voices": 0}, "max_voices must be in 1..1024, got 0"),
        ({"fire_rate": 0.0}, "fire_rate must be above 0 and at most 1, got 0.0"),
        ({"sample_rate": 7999}, "sample_rate must be in 8000..192000 Hz, got 7999"),
        ({"on_model_error": "ignore"}, "on_model_error must be"),
    ],
)
def test_impossible_parameters_are_named(options: dict, text: str) -> None:
    with pytest.raises(UsageError, match=text):
        make_synth(**options)


def test_a_decoder_that_the_model_cannot_feed_is_refused() -> None:
    decoder = FakeDecoder(8)
    decoder.consumes = ("linear",)
    with pytest.raises(UsageError, match=r"needs fields \['linear'\], but the model grows \['mel'\]"):
        Synth(FakeGrowth(), decoder, FakeBank())


def test_malformed_messages_do_nothing() -> None:
    synth = make_synth()
    for data in (
        b"",
        b"\x90",
        b"\x90\x3c",
        b"\xb0\x78",
        b"\xb0\x78\xff",
        b"\x90\x3c\x40\x40",
        b"\xf0\x01",
        b"\x3c\x40",
    ):
        synth.send(data)
    assert synth.idle
    assert not synth.render(1000).any()


def test_a_negative_length_is_refused_and_zero_is_fine() -> None:
    synth = make_synth()
    assert synth.render(0).shape == (0, 2)
    with pytest.raises(UsageError, match="must be 0 or more, got -1 and 0"):
        synth.render(-1)


def test_idle_waits_for_queue_voices_and_what_is_under_way() -> None:
    synth = make_synth(sample_rate=44100)
    assert synth.idle
    synth.send(midi.note_on(0, 60, 100), 2000)
    assert not synth.idle
    synth.send(midi.note_off(0, 60), 4000)
    parts = []
    while not synth.idle:
        parts.append(synth.render(64))
    assert len(parts) * 64 > 4000
    assert np.abs(np.concatenate(parts)).max() > 0.05
    assert not synth.render(44100).any()


def test_memory_does_not_grow_over_a_long_render() -> None:
    synth = make_synth(FakeGrowth(release_factor=0.3), sample_rate=44100, max_voices=4)

    def play(num_rounds: int) -> None:
        for index in range(num_rounds):
            start = synth.frame + synth.latency_frames
            for step in range(20):
                synth.send(midi.pitch_bend(step % 16, 100 * (index % 50) + step), start + 10 * step)
                synth.send(midi.control_change(step % 16, midi.VOLUME, (index + step) % 128), start + 10 * step)
            synth.send(midi.note_on(index % 3, 40 + index % 40, 90), start)
            synth.send(midi.note_off(index % 3, 40 + index % 40), start + 1000)
            synth.render(2000)

    play(40)
    tracemalloc.start()
    before = tracemalloc.take_snapshot()
    play(80)
    after = tracemalloc.take_snapshot()
    tracemalloc.stop()
    ignored = (tracemalloc.Filter(False, "*fakes.py"), tracemalloc.Filter(False, tracemalloc.__file__))
    growth = sum(
        stat.size_diff
        for stat in after.filter_traces(ignored).compare_to(before.filter_traces(ignored), "filename")
        if "engine" in stat.traceback[0].filename or "midi" in stat.traceback[0].filename
    )
    # What lives between blocks may be remade and so count as new, once: buffers of a few hundred kB at most.
    assert growth < 300_000
