"""Frames that the kernel takes over from notes that grew alike: the same samples, for less work."""

from __future__ import annotations

import numpy as np
import pytest

from tnca_synth.engine.arrays import FloatArray
from tnca_synth.engine.kernel.model import Kernel
from tnca_synth.engine.open import assemble_synth
from tnca_synth.midi import messages as midi
from tnca_synth.midi.spec.growth_controllers import DAMAGE

from .listening import Event, at, note, perform

RATE = 22050
NONE, LITTLE, USUAL = 0, 400_000, None


def rendered(monkeypatch: pytest.MonkeyPatch, num_bytes: int | None, events: list[Event]) -> tuple[FloatArray, int]:
    """Return what is played with so many bytes of kept frames, and how many frames were taken over."""
    kernels: list[Kernel] = []
    make = Kernel.__init__

    def made(kernel: Kernel, *arguments: object) -> None:
        make(kernel, *arguments)  # type: ignore[arg-type]
        kernels.append(kernel)
        if num_bytes is not None:
            kernel.keep(num_bytes)

    with monkeypatch.context() as patched:
        patched.setattr(Kernel, "__init__", made)
        synth = assemble_synth(sample_rate=RATE, provider="cpu", core="kernel", growth_controllers=True).synth
    return perform(synth, events, 3.0), sum(kernel.keep(0) for kernel in kernels)


def again_and_again(key: int, *lengths_s: float) -> list[Event]:
    return [event for index, length_s in enumerate(lengths_s) for event in note(key, 0.4 * index, length_s)]


ALIKE = again_and_again(60, *[0.2] * 6)
SONGS: dict[str, list[Event]] = {
    "alike": ALIKE,
    "held for other times": again_and_again(60, 0.2, 0.11, 0.35, 0.2, 0.3, 0.35),
    "bent on the way": ALIKE + at(0.9, midi.pitch_bend(0, 8191)) + at(1.3, midi.pitch_bend(0, 0)),
    "another instrument": ALIKE + at(0.9, midi.program_change(0, 40)),
    "coloured": ALIKE + at(0.7, midi.control_change(0, midi.BRIGHTNESS, 110)),
}
WOUNDED = ALIKE + at(0.9, midi.control_change(0, DAMAGE, 60)) + at(1.3, midi.control_change(0, DAMAGE, 0))


@pytest.mark.parametrize("name", SONGS)
def test_what_is_taken_over_changes_no_sample(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    wanted, without = rendered(monkeypatch, NONE, SONGS[name])
    assert without == 0 and np.abs(wanted).max() > 0.01
    for num_bytes in (LITTLE, USUAL):
        got, taken_over = rendered(monkeypatch, num_bytes, SONGS[name])
        assert taken_over > 20
        np.testing.assert_array_equal(got, wanted)


def test_notes_whose_growth_is_tended_are_grown_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted, _ = rendered(monkeypatch, NONE, WOUNDED)
    got, taken_over = rendered(monkeypatch, USUAL, WOUNDED)
    assert taken_over == 0
    np.testing.assert_array_equal(got, wanted)


def test_most_of_a_repeated_note_is_taken_over(monkeypatch: pytest.MonkeyPatch) -> None:
    once = rendered(monkeypatch, USUAL, again_and_again(60, 0.2))[1]
    assert once == 0
    assert rendered(monkeypatch, USUAL, ALIKE)[1] > 5 * 0.2 * 86 * 2  # hops of five notes, twice what they are held
