"""Typed keys sound for a moment, as long as they are held, or under the pedal; and none sounds for ever."""

import itertools

from tnca_synth.live.screen.typed_keys import BLACK_KEYS, OFFSETS, WHITE_KEYS, TypedKeys

C4, E4 = 60, 64
ON, OFF = 0x90, 0x80
REPEAT_DELAY_S, REPEAT_S = 0.5, 0.04


class Piano(TypedKeys):
    def __init__(self) -> None:
        self.sent: list[bytes] = []
        super().__init__(self.sent.append)

    def told(self) -> list[tuple[int, int]]:
        taken, self.sent[:] = [(data[0], data[1]) for data in self.sent], []
        return taken

    def hold(self, key: str, from_s: float, to_s: float) -> None:
        """Press a key as a terminal tells of it: once, after a delay again, and then often."""
        self.press(key, from_s)
        for time_s in itertools.takewhile(lambda t: t < to_s, itertools.count(from_s + REPEAT_DELAY_S, REPEAT_S)):
            self.tick(time_s)
            self.press(key, time_s)


def test_the_two_rows_are_a_piano() -> None:
    white = [OFFSETS[key] for key in WHITE_KEYS]
    assert white == [0, 2, 4, 5, 7, 9, 11, 12, 14, 16, 17]
    for index, key in enumerate(BLACK_KEYS.rstrip()):
        if key != " ":
            assert OFFSETS[key] == white[index] + 1


def test_a_stroke_rings_and_ends() -> None:
    piano = Piano()
    assert piano.press("a", 1.0)
    assert piano.held == {"a"}
    piano.tick(1.7)
    assert piano.told() == [(ON, C4)]
    piano.tick(1.81)
    assert piano.told() == [(OFF, C4)]
    assert not piano.held


def test_other_characters_are_not_played() -> None:
    piano = Piano()
    assert not piano.press("1", 0.0)
    assert piano.told() == []


def test_shifted_letters_are_the_same_keys() -> None:
    piano = Piano()
    assert piano.press("A", 0.0)
    assert piano.held == {"a"}


def test_two_strokes_are_two_notes() -> None:
    piano = Piano()
    piano.press("a", 0.0)
    piano.press("a", 0.3)
    assert piano.told() == [(ON, C4), (OFF, C4), (ON, C4)]


def test_a_held_key_sounds_until_it_is_let_go() -> None:
    piano = Piano()
    piano.hold("a", 0.0, 5.0)
    told = piano.told()
    assert told == [(ON, C4), (OFF, C4), (ON, C4)]
    piano.tick(5.3)
    assert piano.told() == [(OFF, C4)]


def test_the_second_held_key_is_struck_once() -> None:
    piano = Piano()
    piano.hold("a", 0.0, 2.0)
    piano.tick(3.0)
    piano.told()
    piano.hold("d", 4.0, 6.0)
    assert piano.told() == [(ON, E4)]
    piano.tick(6.3)
    assert piano.told() == [(OFF, E4)]


def test_strokes_at_another_pace_are_still_strokes_once_the_delay_is_known() -> None:
    piano = Piano()
    piano.hold("a", 0.0, 2.0)
    piano.tick(3.0)
    piano.told()
    for time_s in (4.0, 4.3, 4.6):
        piano.press("a", time_s)
    assert [kind for kind, _ in piano.told()] == [ON, OFF, ON, OFF, ON]


def test_octave_and_touch_keep_to_their_ranges_and_sounding_notes_end_where_they_began() -> None:
    piano = Piano()
    piano.press("a", 0.0)
    piano.shift_octave(1)
    piano.press("d", 0.1)
    piano.tick(2.0)
    assert piano.told() == [(ON, C4), (ON, E4 + 12), (OFF, C4), (OFF, E4 + 12)]
    for _ in range(20):
        piano.shift_octave(1)
        piano.shift_velocity(1)
    assert (piano.octave, piano.velocity) == (8, 127)
    piano.press("'", 3.0)
    assert piano.sent[-1] == bytes([ON, 125, 127])
    for _ in range(20):
        piano.shift_octave(-1)
        piano.shift_velocity(-1)
    assert (piano.octave, piano.velocity) == (-1, 16)
    piano.press("a", 3.0)
    assert piano.sent[-1] == bytes([ON, 0, 16])


def test_the_pedal_goes_down_and_up() -> None:
    piano = Piano()
    piano.toggle_pedal()
    assert piano.pedal
    piano.toggle_pedal()
    assert piano.sent == [bytes([0xB0, 64, 127]), bytes([0xB0, 64, 0])]


def test_releasing_all_leaves_nothing() -> None:
    piano = Piano()
    piano.press("a", 0.0)
    piano.toggle_pedal()
    piano.told()
    piano.release_all()
    assert piano.told() == [(OFF, C4), (0xB0, 64)]
    assert not piano.pedal
    piano.release_all()
    assert piano.told() == []
