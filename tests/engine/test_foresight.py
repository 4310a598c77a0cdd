"""What is known of the future is grown ahead; what is heard is the same."""

from __future__ import annotations

import numpy as np
import pytest

from tnca_synth.engine.arrays import FloatArray
from tnca_synth.engine.events import sequencer
from tnca_synth.engine.synth import Synth
from tnca_synth.errors import UsageError
from tnca_synth.midi import messages as midi

from .fakes import HOP, RATE, FakeGrowth, make_synth, set_up

STRETCH_SAMPLES = 8192
LENGTH = 3 * STRETCH_SAMPLES


@pytest.fixture(autouse=True)
def short_stretches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sequencer, "STRETCH_SAMPLES", STRETCH_SAMPLES)


def send_song(synth: Synth) -> None:
    """Send more notes than voices, cuts, bends, volumes and effects, until shortly before the end."""
    set_up(synth)
    for index in range(60):
        start = index * LENGTH // 70
        channel, key = index % 3, 48 + index % 17
        synth.send(midi.note_on(channel, key, 60 + index), start)
        synth.send(midi.note_off(channel, key), start + 4000 + 997 * (index % 11))
        synth.send(midi.control_change(channel, midi.VOLUME, 127 - index), start + 50)
        synth.send(midi.control_change(channel, 91, index), start + 2000)
        synth.send(midi.pitch_bend(channel, 100 * index), start + 333)
        if index % 9 == 4:
            synth.send(midi.control_change(channel, midi.ALL_SOUND_OFF, 0), start + 1234)


def rendered(block: int, foresight: int) -> FloatArray:
    synth = make_synth(max_voices=4, effects=True)
    send_song(synth)
    audio = np.concatenate([synth.render(block, foresight) for _ in range(LENGTH // block)])
    assert synth.notes_stolen > 0
    return audio


def test_foresight_changes_nothing_about_the_sound() -> None:
    plain = rendered(LENGTH // 512, 0)
    assert np.abs(plain).max() > 0.1
    for block in (LENGTH // 96, LENGTH):
        np.testing.assert_allclose(rendered(block, 2 * STRETCH_SAMPLES), plain, atol=1e-6)


def test_notes_of_one_stretch_grow_together_whenever_they_begin() -> None:
    growth = FakeGrowth()
    synth = make_synth(growth)
    for index in range(5):
        synth.send(midi.note_on(0, 60 + index, 100), 5 * HOP * index)
        synth.send(midi.note_off(0, 60 + index), 5 * HOP * index + 4 * HOP)
    synth.render(HOP, STRETCH_SAMPLES)
    assert growth.batch_sizes[0] == 5
    assert synth.frame == HOP


def test_a_note_sent_for_what_was_foreseen_plays_late_but_plays() -> None:
    synth = make_synth()
    set_up(synth)
    synth.render(HOP, STRETCH_SAMPLES)
    synth.send(midi.note_on(0, 60, 127), 10 * HOP)
    audio = synth.render(3 * STRETCH_SAMPLES)
    onset = int(np.flatnonzero(audio[:, 0])[0])
    assert 10 * HOP < onset <= 2 * STRETCH_SAMPLES


def test_panic_silences_what_was_grown_ahead() -> None:
    synth = make_synth(effects=True)
    set_up(synth)
    synth.send(midi.control_change(0, 91, 127), 0)
    synth.send(midi.note_on(0, 60, 127), 0)
    assert synth.render(10 * HOP, 2 * STRETCH_SAMPLES).any()
    synth.panic()
    fading = synth.render(RATE // 100)
    assert fading.any()
    assert not synth.render(2 * STRETCH_SAMPLES).any()
    assert synth.idle
    synth.send(midi.note_on(0, 60, 127))
    assert synth.render(10 * HOP).any()


def test_silence_with_messages_queued_is_silent_and_not_idle() -> None:
    synth = make_synth()
    synth.send(midi.note_on(0, 60, 127), 0)
    synth.send(midi.note_off(0, 60), 2 * HOP)
    synth.send(midi.control_change(0, midi.VOLUME, 50), 3 * STRETCH_SAMPLES)
    synth.render(HOP, STRETCH_SAMPLES)
    assert not synth.silent
    synth.render(STRETCH_SAMPLES)
    assert synth.silent
    assert not synth.idle


def test_a_negative_foresight_is_refused() -> None:
    with pytest.raises(UsageError, match="0 or more, got 5 and -1"):
        make_synth().render(5, -1)
