"""A song in another key: melodies move, drums do not, and nothing hangs."""

from __future__ import annotations

import pytest

from tnca_synth.midi import Song, TimedMessage
from tnca_synth.midi.files.transpose import transpose
from tnca_synth.midi.messages import control_change, note_off, note_on


def song(*messages: bytes) -> Song:
    timed = [TimedMessage(0.1 * index, 0, data) for index, data in enumerate(messages)]
    return Song(timed, 10.0, 1, sum(data[0] & 0xF0 == 0x90 and data[2] > 0 for data in messages), [""], [])


def moved(semitones: int, *messages: bytes) -> list[bytes]:
    return [message.data for message in transpose(song(*messages), semitones).messages]


def test_keys_and_their_pressure_move_and_times_stay() -> None:
    before = song(note_on(0, 60, 100), bytes((0xA0, 60, 50)), note_on(0, 60, 0), note_off(0, 60))
    after = transpose(before, -5)
    assert [message.data[1] for message in after.messages] == [55] * 4
    assert [message.time_s for message in after.messages] == [message.time_s for message in before.messages]
    assert after.num_notes == 1


def test_nothing_moves_by_nothing() -> None:
    before = song(note_on(0, 60, 100))
    assert transpose(before, 0) is before


def test_drums_stay_and_so_does_what_became_drums() -> None:
    rhythm_part = bytes.fromhex("f0411042124011150218f7")  # Roland GS: channel 1 plays drums
    messages = moved(7, note_on(9, 36, 100), note_on(0, 40, 100), note_off(0, 40), rhythm_part, note_on(0, 40, 100))
    assert [data[1] for data in messages if data[0] != 0xF0] == [36, 47, 47, 40]


def test_a_note_ends_on_the_key_that_it_began_on() -> None:
    rhythm_part = bytes.fromhex("f0411042124011150218f7")
    messages = moved(7, note_on(0, 40, 100), rhythm_part, note_off(0, 40))
    assert [data[1] for data in messages if data[0] != 0xF0] == [47, 47]


@pytest.mark.parametrize("semitones", [100, -100, 127, -127])
def test_what_leaves_the_keys_is_left_out_and_counted(semitones: int) -> None:
    after = transpose(song(note_on(0, 60, 100), note_off(0, 60), note_on(9, 36, 100), note_off(9, 36)), semitones)
    assert [message.data[0] & 0x0F for message in after.messages] == [9, 9]
    assert after.num_notes == 1
    assert after.warnings == ["1 notes lie beyond the keys 0..127 once transposed: left out"]


def test_the_key_that_a_glide_begins_on_moves_too() -> None:
    assert moved(12, control_change(0, 84, 48)) == [control_change(0, 84, 60)]
    assert moved(12, control_change(9, 84, 48)) == [control_change(9, 84, 48)]
    assert moved(120, control_change(0, 84, 48)) == []


def test_drums_of_one_port_are_none_of_another() -> None:
    rhythm_part = bytes.fromhex("f0411042124011150218f7")  # channel 1 of the second port plays drums
    played = [(1, rhythm_part)] + [(port, note_on(channel, 40, 100)) for channel in (0, 9) for port in (0, 1)]
    before = Song([TimedMessage(0.1, 0, data, port) for port, data in played], 1.0, 1, 4, [""], [], num_ports=2)
    after = [(one.port, one.data[0] & 0x0F, one.data[1]) for one in transpose(before, 7).messages[1:]]
    assert after == [(0, 0, 47), (1, 0, 40), (0, 9, 40), (1, 9, 40)]


def test_keys_that_are_down_on_two_ports_come_up_on_their_own() -> None:
    messages = [(0, note_on(0, 40, 100)), (1, bytes.fromhex("f0411042124011150218f7")), (1, note_on(0, 40, 100))]
    messages += [(0, note_off(0, 40)), (1, note_off(0, 40))]
    before = Song([TimedMessage(0.1, 0, data, port) for port, data in messages], 1.0, 1, 2, [""], [], num_ports=2)
    after = [(one.port, one.data[1]) for one in transpose(before, 7).messages if one.data[0] != 0xF0]
    assert after == [(0, 47), (1, 40), (0, 47), (1, 40)]
