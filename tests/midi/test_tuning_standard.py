"""What the numbers of the MIDI Tuning Standard mean, to the last bit that they have."""

from __future__ import annotations

import pytest

from tnca_synth.midi.spec.tuning_standard import Tunings

PROGRAM = (0, 0)
HEAD = bytes.fromhex("7f 7f 08")


def tuned(payload: bytes, key: int, channel: int = 0) -> float:
    tunings = Tunings()
    assert tunings.receive(HEAD + payload)
    return tunings.offset(channel, PROGRAM, key)


@pytest.mark.parametrize(
    ("pitch", "semitones"),
    [((60, 0, 0), 0.0), ((60, 0, 1), 1 / 16384), ((60, 64, 0), 0.5), ((59, 127, 127), -1 / 16384), ((72, 0, 0), 12.0)],
)
def test_a_key_is_tuned_in_steps_of_a_semitone_over_16384(pitch: tuple[int, int, int], semitones: float) -> None:
    assert tuned(bytes((0x02, 0, 1, 60, *pitch)), 60) == pytest.approx(semitones, abs=1e-12)


def test_7f_7f_7f_leaves_a_key_as_it_is() -> None:
    tunings = Tunings()
    for pitch in (bytes((61, 0, 0)), b"\x7f\x7f\x7f"):
        tunings.receive(HEAD + bytes((0x02, 0, 1, 60)) + pitch)
    assert tunings.offset(0, PROGRAM, 60) == 1.0


@pytest.mark.parametrize(("value", "semitones"), [(0, -0.64), (63, -0.01), (64, 0.0), (127, 0.63)])
def test_a_scale_is_tuned_in_cents(value: int, semitones: float) -> None:
    notes = bytes(value if note == 9 else 64 for note in range(12))
    assert tuned(bytes((0x08, 0, 0, 1)) + notes, 69) == pytest.approx(semitones, abs=1e-12)


@pytest.mark.parametrize(("value", "semitones"), [(0, -1.0), (8191, -1 / 8192), (8192, 0.0), (16383, 8191 / 8192)])
def test_a_fine_scale_goes_a_semitone_either_way(value: int, semitones: float) -> None:
    notes = b"".join(bytes((value >> 7, value & 127) if note == 9 else (64, 0)) for note in range(12))
    assert tuned(bytes((0x09, 0, 0, 1)) + notes, 69) == pytest.approx(semitones, abs=1e-12)


@pytest.mark.parametrize(
    ("mask", "channel"), [((0, 0, 1), 0), ((0, 0, 64), 6), ((0, 1, 0), 7), ((1, 0, 0), 14), ((2, 0, 0), 15)]
)
def test_a_scale_is_for_the_channels_whose_bits_are_set(mask: tuple[int, int, int], channel: int) -> None:
    tunings = Tunings()
    tunings.receive(HEAD + bytes((0x08, *mask)) + bytes([74] * 12))
    found = [tunings.offset(index, PROGRAM, 60) for index in range(16)]
    assert found == [0.1 if index == channel else 0.0 for index in range(16)]
