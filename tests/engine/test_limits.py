"""A limit of voices that moves while notes sound, and selection anew."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from tnca_synth.engine.open import InstrumentSelection
from tnca_synth.engine.voices import note_on
from tnca_synth.errors import UsageError
from tnca_synth.midi import messages as midi

from .fakes import FakeBank, FakeGrowth, make_synth


def play(synth, keys):
    for index, key in enumerate(keys):
        synth.send(midi.note_on(0, key, 100), synth.frame + 10 * index)
    synth.render(1000)


def test_a_lower_limit_fades_the_released_first_then_the_oldest():
    synth = make_synth(FakeGrowth(release_factor=0.999))
    play(synth, (60, 62, 64, 65))
    synth.send(midi.note_off(0, 64))
    synth.render(1000)
    synth.limit_voices(2)
    synth.render(1)
    assert synth.active_voices == 2
    assert synth.notes_stolen == 2
    for key, remaining in ((65, 1), (62, 0)):
        synth.send(midi.note_off(0, key))
        synth.send(midi.control_change(0, 64, 0))
        synth.render(1)
        assert remaining <= synth.active_voices <= 2


def test_a_limit_steals_like_a_full_synth_and_can_be_lifted():
    synth = make_synth()
    synth.limit_voices(2)
    play(synth, (60, 62, 64))
    assert synth.active_voices == 2 and synth.notes_stolen == 1
    synth.limit_voices(synth.max_voices)
    play(synth, (65, 67))
    assert synth.active_voices == 4


@pytest.mark.parametrize("limit", [0, -1, 10_000])
def test_a_limit_out_of_range_is_refused(limit):
    with pytest.raises(UsageError, match="limit of voices"):
        make_synth().limit_voices(limit)


def test_lowering_the_limit_does_not_click():
    synth = make_synth()
    play(synth, (60, 62, 64, 65))
    before = synth.render(200)
    synth.limit_voices(1)
    after = synth.render(2000)
    steps = np.abs(np.diff(np.concatenate((before, after))[:, 0]))
    assert steps.max() < 0.05


def test_recasting_changes_notes_to_come_only():
    bank = FakeBank()
    selection = InstrumentSelection(bank)
    synth = make_synth(bank=selection)
    play(synth, (60,))
    selection.play_only(SimpleNamespace(name="other", program=40, is_drums=False, bank=0))
    play(synth, (60,))
    assert [program for program, *_ in bank.asked] == [0]
    synth.recast()
    play(synth, (60,))
    assert [program for program, *_ in bank.asked] == [0] and bank.named_ones == [("other", 60)]
    assert synth.active_voices == 3


def test_banks_that_are_asked_for_at_random_fill_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def played(kept: int) -> tuple[np.ndarray, int]:
        monkeypatch.setattr(note_on, "KEPT_CHOICES", kept)
        synth, parts = make_synth(), []
        for number in range(30):
            synth.send(midi.control_change(0, 0, number))
            synth.send(midi.program_change(0, number % 7))
            synth.send(midi.note_on(0, 40 + number % 5, 100))
            parts.append(synth.render(50))
        return np.concatenate(parts), len(synth._note_on._choices)

    bounded, few = played(4)
    remembered, many = played(4096)
    assert few <= 4 < many
    np.testing.assert_array_equal(bounded, remembered)
