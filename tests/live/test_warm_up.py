"""What is played before anybody listens."""

from __future__ import annotations

from tnca_synth.live.producer.warm_up import SWITCHED, note_cost_s, warm_up, warm_up_switching

from ..engine.fakes import make_synth

BLOCK = 128


def test_notes_sound_at_every_switch_and_none_afterwards() -> None:
    synth, heard = make_synth(sample_rate=48000), []
    switches = [lambda: heard.append(synth.active_voices)] * 3
    warm_up_switching(synth, BLOCK, switches)
    assert heard == [SWITCHED] * 3
    assert synth.active_voices == 0
    assert not synth.render(4800).any()


def test_warming_up_ends_in_silence_and_a_note_costs_something() -> None:
    synth = make_synth(sample_rate=48000)
    warm_up(synth, BLOCK)
    assert synth.peak_voices > 1
    assert note_cost_s(synth, BLOCK) > 0.0
    assert synth.active_voices == 0
    assert not synth.render(4800).any()
