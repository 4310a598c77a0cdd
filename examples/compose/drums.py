"""The drum channel of the tour: two-beat with a pressed roll, then swing on the ride."""

from fractions import Fraction

from .harmony import BEATS_PER_BAR, held
from .notation import Part

_HALF = Fraction(1, 2)
_KICK, _SNARE, _HAT, _CRASH, _RIDE, _TAMBOURINE, _COWBELL = 36, 38, 44, 49, 51, 54, 56
_TOMS = (50, 47, 45, 41)
_FIRST_SWING_BAR = 17
_LOUD_BAR = 25


def play_drums(part: Part, end: int, close_beats: int) -> None:
    """Play from the first beat to the close, `end` and `close_beats` in beats."""
    _roll(part, 0, BEATS_PER_BAR)
    for bar in range(1, end // BEATS_PER_BAR):
        start = bar * BEATS_PER_BAR
        if bar % 8 == 1:
            _hit(part, start, _CRASH, 84)
        (_swing if bar >= _FIRST_SWING_BAR else _march)(part, start)
        if bar >= _LOUD_BAR:
            _loud(part, start)
        if bar % 8 == 0:
            _fill(part, start + 2)
    _roll(part, end, end + close_beats - 2)
    for key, velocity in ((_CRASH, 96), (_KICK, 100)):
        _hit(part, end, key, velocity)


def _hit(part: Part, beat: Fraction | int, key: int, velocity: int) -> None:
    part.play(held(beat, Fraction(1, 4), [key]), velocity=velocity, accent=8)


def _march(part: Part, start: int) -> None:
    for beat in (0, 2):
        _hit(part, start + beat, _KICK, 82)
        _hit(part, start + beat + 1, _SNARE, 66)
        _hit(part, start + beat + 1 + _HALF, _SNARE, 44)
        _hit(part, start + beat + 1, _HAT, 60)


def _swing(part: Part, start: int) -> None:
    for beat in range(BEATS_PER_BAR):
        _hit(part, start + beat, _RIDE, 64)
        if beat % 2:
            _hit(part, start + beat + _HALF, _RIDE, 54)
            _hit(part, start + beat, _HAT, 62)
            _hit(part, start + beat, _SNARE, 56)
        else:
            _hit(part, start + beat, _KICK, 72)


def _loud(part: Part, start: int) -> None:
    for beat in (1, 3):
        _hit(part, start + beat, _TAMBOURINE, 70)
    _hit(part, start + 3 + _HALF, _COWBELL, 58)


def _fill(part: Part, start: int) -> None:
    for index, key in enumerate(_TOMS):
        _hit(part, start + _HALF * index, key, 78 + 4 * index)


def _roll(part: Part, start: int, end: int) -> None:
    """Press a snare roll that swells."""
    num_strokes = 6 * (end - start)
    for stroke in range(num_strokes):
        _hit(part, start + Fraction(stroke, 6), _SNARE, 24 + 40 * stroke // num_strokes)
