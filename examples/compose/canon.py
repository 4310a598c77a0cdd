"""Pachelbel's Canon in D: three violins in canon over a ground of eight notes."""

from fractions import Fraction

from .notation import Note, Part, Score, moved, notes

_BEATS_PER_GROUND = 8
_NUM_GROUNDS = 7
_END = _BEATS_PER_GROUND * _NUM_GROUNDS
_BPM = 70

_GROUND = "D3 A2 B2 F#2 G2 D2 G2 A2"

# The figured bass, realised so that no voice moves in parallel octaves or fifths with the ground.
_CHORDS = "A3+D4+F#4 A3+C#4+E4 F#3+B3+D4 F#3+A3+C#4 D3+G3+B3 D3+F#3+A3 D3+G3+B3 C#3+E3+A3"

# What each violin plays in turn, two bars a line; a violin enters a line after the one before it.
_CANON = (
    "F#5 E5 D5 C#5 | B4 A4 B4 C#5",
    "D5 C#5 B4 A4 | G4 F#4 G4 E4",
    "D4/2 F#4/2 A4/2 G4/2 F#4/2 D4/2 F#4/2 E4/2 | D4/2 B3/2 D4/2 A4/2 G4/2 B4/2 A4/2 G4/2",
    "F#4/2 D4/2 E4/2 C#5/2 D5/2 F#5/2 A5/2 A4/2 | B4/2 G4/2 A4/2 F#4/2 D4/2 D5/2 D5*3/4 C#5/4",
    "D5/4 C#5/4 D5/4 D4/4 C#4/4 A4/4 E4/4 F#4/4 D4/4 D5/4 C#5/4 B4/4 C#5/4 F#5/4 A5/4 B5/4 |"
    "G5/4 F#5/4 E5/4 G5/4 F#5/4 E5/4 D5/4 C#5/4 B4/4 A4/4 G4/4 F#4/4 E4/4 G4/4 F#4/4 E4/4",
    "D4/4 E4/4 F#4/4 G4/4 A4/4 E4/4 A4/4 G4/4 F#4/4 B4/4 A4/4 G4/4 A4/4 G4/4 F#4/4 E4/4 |"
    "D4/4 B3/4 B4/4 C#5/4 D5/4 C#5/4 B4/4 A4/4 G4/4 F#4/4 E4/4 B4/4 A4/4 B4/4 A4/4 G4/4",
)
# The note each violin has reached when the canon stops here: together with the bass a chord of D.
_LAST_NOTES = ("F#4*4", "D4*4", "D5*4")


def compose() -> Score:
    """Set the canon: about 55 s."""
    score = Score("Canon in D (J. Pachelbel)", seed=1680)
    score.tempo(0, _BPM)
    score.ritardando(_END - 4, _END, _BPM, 48)
    for voice, pan in enumerate((34, 64, 94)):
        _violin(score.part(f"Violin {voice + 1}", voice, 40, 98, pan), voice)
    _cello(score.part("Violoncello", 3, 42, 100, 58))
    _harpsichord(score.part("Harpsichord", 4, 6, 84, 72))
    return score


def _violin(part: Part, voice: int) -> None:
    first_ground = voice + 1
    for line, text in enumerate(_CANON[: _NUM_GROUNDS - first_ground]):
        start = (first_ground + line) * _BEATS_PER_GROUND
        part.play(notes(text, start), velocity=70 + 3 * line, legato=0.98)
        part.ramp(11, start, start + _BEATS_PER_GROUND, (96, 118, 104))
    part.play(notes(_LAST_NOTES[voice], _END), velocity=78)
    part.ramp(1, _END, _END + 2, (0, 40))
    part.ramp(11, _END + 1, _END + 4, (112, 60))


def _cello(part: Part) -> None:
    for ground in range(_NUM_GROUNDS):
        part.play(notes(_GROUND, ground * _BEATS_PER_GROUND), velocity=72 + ground, legato=0.97)
    part.play(notes("D2*4", _END), velocity=80)
    part.ramp(11, _END + 1, _END + 4, (120, 70))


def _harpsichord(part: Part) -> None:
    for ground in range(_NUM_GROUNDS):
        chords = notes(_CHORDS, ground * _BEATS_PER_GROUND)
        part.play(_strummed(chords) if ground < 3 else _broken(chords), velocity=66, legato=0.9)
    part.play(_strummed(notes("D3+A3+D4+F#4*4", _END)), velocity=70)


def _strummed(chords: list[Note]) -> list[Note]:
    """Delay the notes of each chord one after another, from the bottom."""
    delay = Fraction(1, 24)
    return [
        Note(note.start + delay * _rank(note, chords), note.length - delay * _rank(note, chords), note.key)
        for note in chords
    ]


def _broken(chords: list[Note]) -> list[Note]:
    """Give the top note of each chord the second half of its beat."""
    half = Fraction(1, 2)
    result = []
    for note in chords:
        is_top = _rank(note, chords) == 2
        result += moved([Note(note.start, half, note.key)], half) if is_top else [note]
    return sorted(result, key=lambda note: note.start)


def _rank(note: Note, chords: list[Note]) -> int:
    """Return how many notes of its chord lie below a note."""
    return sum(other.start == note.start and other.key < note.key for other in chords)
