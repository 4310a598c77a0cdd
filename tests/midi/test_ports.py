"""Ports that come, go and fall silent, on a MIDI system made of lists."""

from __future__ import annotations

import sys

import pytest

from tnca_synth.errors import DeviceError
from tnca_synth.midi.messages import control_change, note_off, note_on, pitch_bend, system_exclusive
from tnca_synth.midi.ports.backends import RtMidiBackend
from tnca_synth.midi.ports.inputs import MidiInputs
from tnca_synth.midi.ports.port_names import choose, hardware, port_names, stable_name
from tnca_synth.midi.ports.stuck_notes import KeysDown


class FakeBackend:
    """A MIDI system made of a list; `refuses` holds the names that cannot be opened."""

    virtual_name = "tnca-synth"

    def __init__(self, *present: str | None, name: str = "ALSA") -> None:
        self.name, self.present = name, list(present)
        self.listeners: dict[str, object] = {}
        self.refuses: set[str] = set()
        self.closed: list[str] = []

    def ports(self):
        return port_names(self.present, self.name)

    def open(self, port, on_message):
        if port.raw in self.refuses:
            raise DeviceError(f"{port.raw} is busy")
        self.listeners[port.raw] = on_message
        return lambda: self.closed.append(port.raw)

    def open_virtual(self, on_message):
        self.listeners["virtual"] = on_message
        return lambda: self.closed.append("virtual")

    def close(self):
        self.closed.append("system")


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

    stage.backend.ports = broken
    stage.inputs.poll()
    assert stage.inputs.open_names == ()


def test_jack_programs_are_not_taken_for_hardware():
    ports = port_names(["sequencer:out", "system:midi_capture_1"], "Jack")
    assert [port.raw for port in hardware(ports, "Jack")] == ["system:midi_capture_1"]


@pytest.mark.parametrize(
    ("system", "index", "raw", "name"),
    [
        ("ALSA", 0, "Piano:Piano MIDI 1 20:0", "Piano:Piano MIDI 1"),
        ("ALSA", 0, " 20:0", ""),
        ("Jack", 0, "system:midi_capture_1", "system:midi_capture_1"),
        ("Jack", 0, "a2j:Keystation [20] (capture): Keystation MIDI 1", "a2j:Keystation (capture): Keystation MIDI 1"),
        ("Jack", 0, "keyboard-01:out", "keyboard:out"),
        ("Jack", 0, "Midi-Bridge:Piano 24:0:(capture_0) Piano MIDI 1", "Midi-Bridge:Piano:(capture_0) Piano MIDI 1"),
        ("Windows MultiMedia", 1, "Keystation 1", "Keystation"),
        ("Windows MultiMedia", 0, "Keystation 49", "Keystation 49"),
        ("CoreMIDI", 1, "Keystation Port 1", "Keystation Port 1"),
    ],
)
def test_names_lose_the_numbers_that_change_when_another_port_comes(system, index, raw, name):
    assert stable_name(raw, system, index) == name


def test_a_number_means_a_place_in_the_list_and_a_whole_name_goes_before_a_part():
    ports = port_names(["Nano 2 16:0", "Nano 20:0", "Nano 24:0"], "ALSA")
    assert choose("1", ports).raw == "Nano 20:0"
    assert choose("2", ports, [ports[2]]).raw == "Nano 24:0", "whatever was chosen before"
    assert choose("nano", ports).raw == "Nano 20:0"
    assert choose("nano (2)", ports).raw == "Nano 24:0"
    assert choose("NANO 24:0", ports).raw == "Nano 24:0"
    assert choose("ano", ports, [ports[0]]).raw == "Nano 20:0"
    with pytest.raises(DeviceError, match="there are: none"):
        choose("0", [])
    with pytest.raises(DeviceError, match=r"'3'; there are: 0: Nano 2, 1: Nano, 2: Nano \(2\)"):
        choose("3", ports)


def test_the_last_of_33_ports_is_opened_by_number_and_by_name():
    names = [f"Box:Box MIDI {number} 20:{number}" for number in range(33)]
    for wanted in ("32", "midi 32"):
        assert Stage(wanted, backend=FakeBackend(*names)).inputs.open_names == ("Box:Box MIDI 32",)


TWINS = ("Keystation 20:0", "Keystation 24:0")


def test_two_keyboards_of_one_make_are_opened_both_and_each_number_opens_its_own():
    for wanted in (("0", "1"), ("keystation", "keystation"), ("keystation", "keystation (2)")):
        stage = Stage(*wanted, backend=FakeBackend(*TWINS))
        assert stage.inputs.open_names == ("Keystation", "Keystation (2)")
        stage.play(TWINS[0], note_on(0, 60, 100))
        stage.play(TWINS[1], note_on(0, 64, 100))
        assert [arrival.port for arrival in stage.arrivals] == ["Keystation", "Keystation (2)"]
    assert list(Stage("1", backend=FakeBackend(*TWINS)).backend.listeners) == [TWINS[1]]


def test_plugging_in_another_of_its_make_before_it_does_not_change_who_is_who():
    stage = Stage("0", backend=FakeBackend("Keystation 24:0"))
    stage.play("Keystation 24:0", note_on(0, 60, 100))
    stage.backend.present.insert(0, "Keystation 20:0")
    stage.inputs.poll()
    assert stage.backend.closed == [] and list(stage.backend.listeners) == ["Keystation 24:0"]
    stage.backend.present.remove("Keystation 24:0")
    stage.inputs.poll()
    stage.inputs.poll()
    assert stage.received == [note_on(0, 60, 100), note_off(0, 60)], "the one that was played is gone"
    assert stage.inputs.open_names == () and list(stage.backend.listeners) == ["Keystation 24:0"]
    stage.backend.present.append("Keystation 28:0")
    stage.inputs.poll()
    assert stage.inputs.open_names == ("Keystation",) and "Keystation 28:0" in stage.backend.listeners


def test_the_second_of_two_comes_back_as_the_second():
    stage = Stage("1", backend=FakeBackend(*TWINS))
    stage.backend.present.remove(TWINS[1])
    stage.inputs.poll()
    assert stage.inputs.open_names == (), "the first is not taken for it"
    stage.backend.present.insert(0, "Keystation 16:0")  # now it is before the other
    stage.inputs.poll()
    assert stage.inputs.open_names == ("Keystation (2)",) and "Keystation 16:0" in stage.backend.listeners


def test_two_that_come_back_together_are_told_apart_by_their_order():
    stage = Stage("1", backend=FakeBackend(*TWINS))
    stage.backend.present.clear()
    stage.inputs.poll()
    stage.backend.present[:] = ["Keystation 32:0", "Keystation 36:0"]
    stage.inputs.poll()
    assert list(stage.backend.listeners) == [TWINS[1], "Keystation 36:0"]


def test_two_ports_of_exactly_the_same_name_are_both_opened():
    stage = Stage("0", "1", backend=FakeBackend("Keystation", "Keystation", name="CoreMIDI"))
    assert stage.inputs.open_names == ("Keystation", "Keystation (2)")


def test_a_port_that_vanishes_while_it_is_listed_keeps_the_others_in_their_places():
    stage = Stage("2", backend=FakeBackend("Pads 16:0", None, "Piano 24:0"))
    assert stage.inputs.open_names == ("Piano",)
    with pytest.raises(DeviceError, match="no MIDI input port matches '1'"):
        Stage("1", backend=FakeBackend("Pads 16:0", None, "Piano 24:0"))


def test_nameless_ports_can_be_opened_by_number():
    stage = Stage("1", backend=FakeBackend("", " 20:0"))
    assert stage.inputs.open_names == ("nameless port (2)",)
    stage.play(" 20:0", note_on(0, 60, 100))
    assert stage.received == [note_on(0, 60, 100)]


def test_a_keyboard_that_another_program_holds_is_told_and_the_next_is_taken():
    backend = FakeBackend("Piano 20:0", "Pads 24:0")
    backend.refuses.add("Piano 20:0")
    stage = Stage(backend=backend)
    assert stage.inputs.open_names == ("Pads",)
    assert stage.notices == ["Piano 20:0 is busy"]
    with pytest.raises(DeviceError, match="busy"):
        Stage("piano", backend=backend)


def test_a_port_that_cannot_be_opened_when_it_comes_back_is_tried_again():
    stage = Stage("piano")
    stage.backend.present.remove(PIANO)
    stage.inputs.poll()
    stage.backend.present.append(PIANO)
    stage.backend.refuses.add(PIANO)
    stage.inputs.poll()
    assert stage.inputs.open_names == ()
    stage.backend.refuses.clear()
    stage.inputs.poll()
    assert stage.inputs.open_names == ("Piano:Piano MIDI 1",)


def test_the_clock_of_a_keyboard_is_a_sign_of_life_and_goes_no_further():
    stage = Stage()
    stage.play(PIANO, b"\xfe", note_on(0, 60, 100))
    for _ in range(50):  # a second of clock, without the active sensing that it replaces
        stage.now_s += 0.02
        stage.play(PIANO, b"\xf8")
        stage.inputs.check_sensing()
    assert stage.received == [note_on(0, 60, 100)]
    stage.play(PIANO, b"\xf1\x20", b"\xf9")
    stage.now_s += 0.34
    stage.inputs.check_sensing()
    assert stage.received == [note_on(0, 60, 100), note_off(0, 60)]


def test_a_clock_alone_promises_nothing():
    stage = Stage()
    stage.play(PIANO, b"\xf8", note_on(0, 60, 100))
    stage.now_s += 10.0
    stage.inputs.check_sensing()
    assert stage.received == [note_on(0, 60, 100)]


class FakeRtMidi:
    """Stands in for the module rtmidi, with one client of which some names cannot be told."""

    def __init__(self, *names: bytes | Exception) -> None:
        self.names = list(names)
        self.clients: list[FakeRtMidi] = []
        self.opened: list[int] = []
        self.deleted = False

    def MidiIn(self, api, name):
        client = FakeRtMidi()
        client.names = self.names
        self.clients.append(client)
        return client

    def get_port_count(self):
        return len(self.names)

    def get_port_name(self, index, encoding):
        assert encoding is None, "rtmidi would drop what is not UTF-8"
        if isinstance(self.names[index], Exception):
            raise self.names[index]
        return self.names[index]

    def open_port(self, index, name):
        self.opened.append(index)

    def ignore_types(self, sysex, timing, active_sense):
        self.ignored = (sysex, timing, active_sense)

    def set_callback(self, callback):
        self.callback = callback

    def delete(self):
        self.deleted = True


@pytest.fixture
def rtmidi(monkeypatch: pytest.MonkeyPatch) -> FakeRtMidi:
    module = FakeRtMidi(b"Fl\xfcgel 20:0", RuntimeError("vanished"), b"", "Klavier \u97f3 24:0".encode())
    monkeypatch.setitem(sys.modules, "rtmidi", module)
    return module


def test_names_of_any_encoding_are_listed_and_a_port_that_vanishes_is_left_out(rtmidi: FakeRtMidi):
    ports = RtMidiBackend(2, "ALSA").ports()
    assert [(port.index, port.name) for port in ports] == [(0, "Flügel"), (2, ""), (3, "Klavier 音")]


def test_a_port_is_opened_where_it_is_now_and_one_that_is_gone_is_not(rtmidi: FakeRtMidi):
    system = RtMidiBackend(2, "ALSA")
    port = system.ports()[-1]
    rtmidi.names.insert(0, b"another 16:0")
    heard: list[bytes] = []
    system.open(port, heard.append)
    client = rtmidi.clients[-1]
    assert client.opened == [4] and client.ignored == (False, False, False), "SysEx, clock and sensing come"
    client.callback(([0xF8], 0.0), None)
    assert heard == [b"\xf8"]
    rtmidi.names.pop()
    with pytest.raises(DeviceError, match="the port 'Klavier 音' is gone"):
        system.open(port, heard.append)
    assert rtmidi.clients[-1].deleted


def test_one_client_looks_and_closing_ends_it(rtmidi: FakeRtMidi):
    system = RtMidiBackend(2, "ALSA")
    for _ in range(3):
        system.ports()
    assert len(rtmidi.clients) == 1
    system.close()
    assert rtmidi.clients[0].deleted


def test_other_ports_can_be_chosen_while_playing():
    stage = Stage("piano")
    stage.play(PIANO, note_on(0, 60, 100))
    stage.inputs.choose_anew(("pads",))
    assert stage.received == [note_on(0, 60, 100), note_off(0, 60)] and stage.backend.closed == [PIANO]
    assert stage.inputs.open_names == ("Pads",)
    stage.inputs.choose_anew(("organ",))
    assert stage.inputs.open_names == () and "no MIDI input port matches 'organ'" in stage.notices[-1]
    stage.inputs.choose_anew(())
    assert stage.inputs.open_names == ("Piano:Piano MIDI 1",)
    assert stage.inputs.present_names == ("Midi Through:0", "Piano:Piano MIDI 1", "Pads")


def test_a_midi_system_that_starts_later_is_found():
    systems: list[FakeBackend] = []

    def find():
        if not systems:
            raise DeviceError("no MIDI system works here")
        return systems[0]

    notices: list[str] = []
    inputs = MidiInputs((), list.append, notices.append, find)
    inputs.start()
    for _ in range(6):
        inputs.poll()
    assert inputs.open_names == () and notices == ["no MIDI system works here"], "told once"
    systems.append(FakeBackend("system:midi_capture_1", name="Jack"))
    for _ in range(6):
        inputs.poll()
    assert inputs.open_names == ("system:midi_capture_1",)
    inputs.close()
    assert systems[0].closed == ["system:midi_capture_1", "system"]


def test_held_keys_knows_what_is_not_at_rest():
    held = KeysDown()
    for data in (
        note_on(0, 60, 1), note_on(0, 60, 1), note_on(0, 61, 1), note_on(0, 61, 0), b"\x90", b"\xf8",
        control_change(2, 66, 1), control_change(2, 64, 1), control_change(2, 64, 0),
        pitch_bend(3, 100), pitch_bend(4, 100), pitch_bend(4, 0),
    ):  # fmt: skip
        held.follow(data)
    assert held.release() == [note_off(0, 60), control_change(2, 66, 0), pitch_bend(3, 0)]
    assert held.release() == []
