"""Ports that come, go and fall silent, on a MIDI system made of lists."""

from __future__ import annotations

import pytest

from tnca_synth.errors import DeviceError
from tnca_synth.midi.held_keys import HeldKeys
from tnca_synth.midi.inputs import MidiInputs, choose, first_hardware, stable_name
from tnca_synth.midi.messages import control_change, note_off, note_on, pitch_bend, system_exclusive


class FakeBackend:
    def __init__(self, *present: str, name: str = "ALSA") -> None:
        self.name, self.present = name, list(present)
        self.listeners: dict[str, object] = {}
        self.closed: list[str] = []

    def names(self):
        return list(self.present)

    def open(self, index, on_message):
        name = self.present[index]
        self.listeners[name] = on_message
        return lambda: self.closed.append(name)

    def open_virtual(self, on_message):
        self.listeners["virtual"] = on_message
        return lambda: self.closed.append("virtual")


class Stage:
    def __init__(self, *wanted: str, backend: FakeBackend | None = None) -> None:
        self.backend = backend or FakeBackend("Midi Through:0 14:0", "Piano:Piano MIDI 1 20:0", "Pads 24:0")
        self.now_s = 1.0
        self.arrivals = []
        self.notices: list[str] = []
        self.inputs = MidiInputs(
            wanted, self.arrivals.append, self.notices.append, lambda: self.backend, lambda: self.now_s
        )
        self.inputs.start()

    def play(self, port: str, *messages: bytes) -> None:
        for data in messages:
            self.backend.listeners[port](data)

    @property
    def received(self) -> list[bytes]:
        return [arrival.data for arrival in self.arrivals]


PIANO = "Piano:Piano MIDI 1 20:0"


def test_the_first_port_that_is_hardware_is_opened():
    stage = Stage()
    assert stage.inputs.open_names == ("Piano:Piano MIDI 1",)
    stage.now_s = 5.0
    stage.play(PIANO, note_on(0, 60, 100))
    assert stage.arrivals == [(5.0, "Piano:Piano MIDI 1", note_on(0, 60, 100))]


def test_without_hardware_a_virtual_port_is_announced_until_a_keyboard_comes():
    stage = Stage(backend=FakeBackend("Midi Through:0 14:0"))
    assert stage.inputs.open_names == ("tnca-synth",)
    assert "tnca-synth" in stage.notices[0]
    stage.backend.present.append(PIANO)
    stage.inputs.poll()
    assert "Piano:Piano MIDI 1" in stage.inputs.open_names
    assert "found" in stage.notices[-1]


def test_several_ports_play_at_once_by_number_and_by_part_of_a_name():
    stage = Stage("2", "piano")
    assert stage.inputs.open_names == ("Pads", "Piano:Piano MIDI 1")
    stage.play("Pads 24:0", note_on(9, 36, 90))
    stage.play(PIANO, note_on(0, 60, 100))
    assert stage.received == [note_on(9, 36, 90), note_on(0, 60, 100)]


def test_a_port_that_is_not_there_is_an_error_that_lists_what_is():
    with pytest.raises(DeviceError, match=r"'organ'; there are: 0: Midi Through:0, 1: Piano"):
        Stage("organ")


def test_unplugging_releases_what_sounds_and_plugging_in_finds_the_port_by_name():
    stage = Stage()
    stage.play(PIANO, note_on(0, 60, 100), note_on(1, 62, 100), note_off(1, 62), control_change(0, 64, 127))
    stage.backend.present.remove(PIANO)
    stage.inputs.poll()
    assert stage.received[4:] == [note_off(0, 60), control_change(0, 64, 0)]
    assert stage.inputs.open_names == () and stage.backend.closed == [PIANO]
    assert "gone" in stage.notices[-1]
    renumbered = "Piano:Piano MIDI 1 32:0"
    stage.backend.present.append(renumbered)
    stage.inputs.poll()
    stage.play(renumbered, note_on(0, 64, 100))
    assert stage.received[-1] == note_on(0, 64, 100)
    assert "back" in stage.notices[-1]


def test_active_sensing_that_stops_releases_the_notes_and_is_not_delivered():
    stage = Stage()
    stage.play(PIANO, b"\xfe", note_on(0, 60, 100))
    stage.now_s += 0.2
    stage.play(PIANO, b"\xfe")
    stage.now_s += 0.25
    stage.inputs.check_sensing()
    assert stage.received == [note_on(0, 60, 100)]
    stage.now_s += 0.1
    stage.inputs.check_sensing()
    stage.inputs.check_sensing()
    assert stage.received == [note_on(0, 60, 100), note_off(0, 60)]


def test_a_port_that_never_sent_active_sensing_may_be_silent():
    stage = Stage()
    stage.play(PIANO, note_on(0, 60, 100))
    stage.now_s += 100.0
    stage.inputs.check_sensing()
    assert stage.received == [note_on(0, 60, 100)]


def test_sysex_arrives_whole():
    stage = Stage()
    data = system_exclusive(bytes(2000))
    stage.play(PIANO, data)
    assert stage.received == [data]


def test_no_midi_at_all_is_a_notice_unless_a_port_was_named():
    def nothing():
        raise DeviceError("no MIDI system works here")

    notices: list[str] = []
    inputs = MidiInputs((), list.append, notices.append, nothing)
    inputs.start()
    inputs.poll()
    inputs.close()
    assert notices == ["no MIDI system works here"]
    with pytest.raises(DeviceError):
        MidiInputs(("piano",), list.append, notices.append, nothing).start()


def test_a_system_that_breaks_while_it_is_asked_counts_as_unplugged():
    stage = Stage()

    def broken():
        raise RuntimeError("server gone")

    stage.backend.names = broken
    stage.inputs.poll()
    assert stage.inputs.open_names == ()


def test_jack_programs_are_not_taken_for_hardware():
    jack = FakeBackend("sequencer:out", "system:midi_capture_1", name="Jack")
    assert first_hardware(jack.names(), jack) == ["system:midi_capture_1"]


def test_names_and_numbers():
    assert stable_name("Piano:Piano MIDI 1 20:0") == "Piano:Piano MIDI 1"
    assert stable_name("system:midi_capture_1") == "system:midi_capture_1"
    assert choose("1", ["a", "b"]) == "b"
    with pytest.raises(DeviceError, match="there are: none"):
        choose("0", [])


def test_held_keys_knows_what_is_not_at_rest():
    held = HeldKeys()
    for data in (
        note_on(0, 60, 1), note_on(0, 60, 1), note_on(0, 61, 1), note_on(0, 61, 0), b"\x90", b"\xf8",
        control_change(2, 66, 1), control_change(2, 64, 1), control_change(2, 64, 0),
        pitch_bend(3, 100), pitch_bend(4, 100), pitch_bend(4, 0),
    ):  # fmt: skip
        held.follow(data)
    assert held.release() == [note_off(0, 60), control_change(2, 66, 0), pitch_bend(3, 0)]
    assert held.release() == []
