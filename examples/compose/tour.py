"""When the Saints Go Marching In, for all sixteen General MIDI families and the drums.

A bar of pickup, a chorus in C for a street band, a chorus in D for everybody else, and a close.
"""

from fractions import Fraction

from .drums import play_drums
from .harmony import BEATS_PER_BAR, Chord, below, chord, held
from .notation import Note, Part, Score, moved, notes

_BPM = 132
_HALF = Fraction(1, 2)
_SECOND_KEY = 2
_SECOND_CHORUS = 16 * BEATS_PER_BAR  # beat of the pickup of the second chorus
_END = 33 * BEATS_PER_BAR
_CLOSE_BEATS = 6

_CHANGES = "C C C C C C G7 G7 C C7 F Fm C G7 C"

# The tune as everybody sings it, a pickup bar and fifteen bars.
_TUNE = """
    R C5 E5 F5 | G5*4 | R C5 E5 F5 | G5*4 | R C5 E5 F5 | G5*2 E5*2 | C5*2 E5*2 | D5*4 |
    R E5 E5 D5 | C5*3 C5 | E5*2 G5 G5 | F5*4 | R*2 E5 F5 | G5*2 E5*2 | C5*2 D5*2 | C5*4
"""
_TAG = "C5 A4 Bb4 B4 | C5*6"

_TROMBONE = """
    R*2 G3*2 | E3*4 | R*2 G3*2 | C4*4 | G3*2 C4*2 | E3*2 G3*2 | B3*4 | F3*2 G3 B3 |
    C4*3 R | R*2 Bb3*2 | A3*3 R | R*2 Ab3*2 | G3*2 R*2 | R*2 D3*2 | E3*3 R | E3*2 R*2
"""
_CLARINET = """
    R/2 E5/2 G5/2 C6/2 E6 C6 | Bb5/2 G5/2 E5/2 G5/2 Bb5*2 | A5/2 C6/2 F6/2 C6/2 A5*2 |
    Ab5/2 C6/2 F6/2 C6/2 Ab5 F5 | E5/2 G5/2 C6/2 G5/2 E6 C6 | B5/2 G5/2 F5/2 D5/2 B4/2 D5/2 F5/2 G5/2 |
    E5 G5 C6*2 | A5/2 C#6/2 E6 R*2
"""
_FLUTE = "G5*2 E6*2 | Bb5*2 G5*2 | A5*2 C6*2 | Ab5*2 F5*2 | G5/2 A5/2 B5/2 C6/2 E6*2 | D6*2 B5*2 | C6*4 | B5*4"


def compose() -> Score:
    """Set the tour: about 65 s."""
    score = Score("When the Saints Go Marching In (traditional)", seed=1896, swing=Fraction(2, 3))
    score.tempo(0, _BPM)
    score.ritardando(_END - 4, _END + 2, _BPM, 84)
    chart = _chart()
    _street_band(score, chart)
    _everybody_else(score, chart)
    play_drums(score.part("Drums", 9, 0, 96, 64), _END, _CLOSE_BEATS)
    return score


def _chart() -> list[Chord]:
    """Return the chord of every bar: pickup, first chorus, second chorus a tone higher, close."""
    first = [chord(name) for name in f"C {_CHANGES} A7".split()]
    second = [chord(name, _SECOND_KEY) for name in f"{_CHANGES} G7 C6 C6".split()]
    return first + second


def _bars(first: int, last: int) -> list[tuple[int, int]]:
    """Return (bar, its first beat) for bars first..last; bar 0 is the pickup."""
    return [(bar, bar * BEATS_PER_BAR) for bar in range(first, last + 1)]


def _street_band(score: Score, chart: list[Chord]) -> None:
    """Set brass, reed, ethnic, piano, bass, guitar, ensemble and synth effects."""
    trumpet = score.part("Trumpet", 3, 56, 104, 58)
    trumpet.play(notes(_TUNE), velocity=84, legato=0.9)
    trumpet.play(below(notes(_TAG, _END - 4, _SECOND_KEY), chart), velocity=86)
    _trombone(score.part("Trombone", 5, 57, 92, 80))
    clarinet = score.part("Clarinet", 4, 71, 88, 40)
    clarinet.play(notes(_CLARINET, 9 * BEATS_PER_BAR), velocity=72, legato=0.92)
    _piano(score.part("Piano", 0, 0, 84, 52), chart)
    _bass(score.part("Acoustic bass", 1, 32, 104, 64), chart)
    _guitar(score.part("Guitar", 2, 25, 70, 90), chart)
    _banjo(score.part("Banjo", 14, 105, 74, 30), chart)
    strings = score.part("String ensemble", 6, 48, 62, 44)
    for bar, start in _bars(9, 16):
        strings.play(held(start, 4, chart[bar].keys(60, 71)[1:3]), velocity=54, legato=1.0, accent=0)
    strings.ramp(11, 9 * BEATS_PER_BAR, 17 * BEATS_PER_BAR, (70, 110, 84, 118, 80))
    strings.program(_END - 1, 52)  # the choir joins the last chord
    strings.control(_END - 1, 11, 120)
    strings.play(held(_END, _CLOSE_BEATS, chart[-1].keys(57, 68)[:3]), velocity=70)


def _everybody_else(score: Score, chart: list[Chord]) -> None:
    """Set synth lead, pad and effects, organ, chromatic percussion, strings, pipe, percussive, SFX."""
    melody = notes(_TUNE, _SECOND_CHORUS, _SECOND_KEY)
    half_way = 24 * BEATS_PER_BAR
    early = [note for note in melody if note.start < half_way]
    late = [note for note in melody if note.start >= half_way]
    _lead(score.part("Synth lead", 12, 81, 84, 70), early, below(late, chart))
    _pad(score.part("Synth pad", 13, 98, 72, 64), chart)
    _organ(score.part("Organ", 10, 16, 62, 96), chart)
    _vibraphone(score.part("Vibraphone", 8, 11, 84, 24), chart)
    violin = score.part("Violin", 7, 40, 94, 48)
    violin.play(late + notes(_TAG, _END - 4, _SECOND_KEY), velocity=82, legato=0.97)
    violin.ramp(1, _END, _END + 2, (0, 50))
    _flute(score.part("Flute, then applause", 11, 73, 84, 76))
    _steel_drums(score.part("Steel drums", 15, 114, 84, 108), chart)


def _trombone(part: Part) -> None:
    part.bend_range(12)
    line = notes(_TROMBONE, BEATS_PER_BAR)
    part.play(line, velocity=76, legato=0.92)
    for note in line:
        if note.length >= 2:
            # Slide into the long notes from a minor third below, bent before the earliest possible stroke.
            for step in range(9):
                part.bend(note.start + Fraction(2 * step - 1, 32), -3 / 12 * (1 - step / 8))


def _piano(part: Part, chart: list[Chord]) -> None:
    for bar, start in _bars(1, 15):
        for offset, length in ((0, _HALF), (3 * _HALF, _HALF)):
            part.play(held(start + offset, length, chart[bar].keys(57, 68)[:3]), velocity=62, legato=0.7)
    part.play(held(_END, _CLOSE_BEATS, chart[-1].keys(45, 57)[:3]), velocity=78)


def _bass(part: Part, chart: list[Chord]) -> None:
    for bar, start in _bars(1, 16):
        root = chart[bar].above(33)
        part.play(held(start, 2, [root]) + held(start + 2, 2, [root - 5]), velocity=84, legato=0.9)
    for bar, start in _bars(17, 32):
        root, next_root = chart[bar].above(33), chart[bar + 1].above(33)
        third = root + chart[bar].intervals[1]
        # Walk to the next root through the semitone below it.
        for offset, key in enumerate((root, third, root + 7, next_root - 1)):
            part.play(held(start + offset, 1, [key]), velocity=86, legato=0.88)
    part.play(held(_END, _CLOSE_BEATS, [chart[-1].above(33)]), velocity=90)


def _guitar(part: Part, chart: list[Chord]) -> None:
    for bar, start in _bars(1, 15) + _bars(17, 24):  # bar 16 is left to the pickup
        for offset in (1, 3):
            part.play(held(start + offset, _HALF, chart[bar].keys(52, 64)[:2]), velocity=64, legato=0.8)


def _banjo(part: Part, chart: list[Chord]) -> None:
    for bar, start in _bars(1, 8):
        keys = chart[bar].keys(60, 76)
        for eighth, index in enumerate((0, 2, 3, 1, 2, 3, 0, 2)):
            part.play(held(start + eighth * _HALF, _HALF, [keys[index]]), velocity=64, legato=0.8)


def _lead(part: Part, melody: list[Note], harmony: list[Note]) -> None:
    part.play(melody, velocity=80, legato=0.94)
    part.play(harmony, velocity=70, legato=0.94)
    for note in melody:
        if note.length >= 3:
            # Vibrato by wheel, and a fall of a whole tone (the default bend range) at the end.
            part.ramp(1, note.start + 1, note.start + note.length, (0, 90))
            for step in range(5):
                part.bend(note.start + note.length - Fraction(1, 4) + Fraction(step, 32), -step / 4)
            part.control(note.start + note.length, 1, 0)
            part.bend(note.start + note.length, 0)


def _pad(part: Part, chart: list[Chord]) -> None:
    for pickup in (0, 8 * BEATS_PER_BAR, _SECOND_CHORUS):
        keys = chart[pickup // BEATS_PER_BAR + 1].keys(72, 96)
        sparkle = [Note(pickup + _HALF * index, Fraction(2), key) for index, key in enumerate(keys[:6])]
        part.play(sparkle, velocity=60)
    start = _SECOND_CHORUS + BEATS_PER_BAR
    part.program(start - Fraction(1, 4), 89)
    for bar, beat in _bars(17, 32):
        part.play(held(beat, 4, chart[bar].keys(62, 73)[:2]), velocity=62, legato=1.0, accent=0)
    part.ramp(11, start, _END, (80, 116, 84, 120))
    part.play(held(_END, _CLOSE_BEATS, chart[-1].keys(62, 73)[:2]), velocity=66)


def _organ(part: Part, chart: list[Chord]) -> None:
    for bar, start in _bars(25, 32):
        for offset, length in ((0, 3 * _HALF), (3, _HALF)):
            part.play(held(start + offset, length, chart[bar].keys(62, 73)[1:3]), velocity=66, legato=0.85)
    part.play(held(_END, _CLOSE_BEATS, chart[-1].keys(62, 73)[:2]), velocity=74)


def _vibraphone(part: Part, chart: list[Chord]) -> None:
    for bar, start in _bars(17, 24):
        keys = chart[bar].keys(65, 86)
        for beat, index in enumerate((0, 2, 4, 2)):
            part.play(held(start + beat, 1, [keys[index]]), velocity=62)
        part.pedal(start, start + 2)


def _flute(part: Part) -> None:
    part.play(notes(_FLUTE, 25 * BEATS_PER_BAR, _SECOND_KEY), velocity=74, legato=0.95)
    part.program(_END, 126)
    part.ramp(11, _END + 1, _END + _CLOSE_BEATS, (60, 120, 90, 20))
    part.play(held(_END + 1, _CLOSE_BEATS - 1, [60]), velocity=80)


def _steel_drums(part: Part, chart: list[Chord]) -> None:
    for bar, start in _bars(25, 32):
        keys = chart[bar].keys(67, 86)
        figure = [Note(beat + _HALF, _HALF, keys[index]) for beat, index in enumerate((2, 3, 1, 4))]
        part.play(moved(figure, start), velocity=70, legato=0.9)
