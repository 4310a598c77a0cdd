"""Bach's Prelude in C major BWV 846 for piano, joined by a flute and strings."""

from fractions import Fraction

from .notation import Note, Part, Score, key_of, notes

_BPM = 76
_BEATS_PER_BAR = 4
_FIRST_FLUTE_BAR = 2

# Bars 1-19. Bach breaks every chord alike: bass, tenor, then the three upper notes twice; all of it twice a
# bar.
_BARS = (
    "C4 E4 G4 C5 E5",
    "C4 D4 A4 D5 F5",
    "B3 D4 G4 D5 F5",
    "C4 E4 G4 C5 E5",
    "C4 E4 A4 E5 A5",
    "C4 D4 F#4 A4 D5",
    "B3 D4 G4 D5 G5",
    "B3 C4 E4 G4 C5",
    "A3 C4 E4 G4 C5",
    "D3 A3 D4 F#4 C5",
    "G3 B3 D4 G4 B4",
    "G3 Bb3 E4 G4 C#5",
    "F3 A3 D4 A4 D5",
    "F3 Ab3 D4 F4 B4",
    "E3 C4 E4 G4 C5",
    "E3 F3 A3 C4 F4",
    "D3 F3 A3 C4 F4",
    "G2 D3 G3 B3 F4",
    "C3 E3 G3 C4 E4",
)
_CLOSE = "C2+C3+G3+C4+E4*4"

# A line of chord notes that prepares and resolves with the harmony; two bars of rest, then a bar each.
_FLUTE = """
    D5*2 G5*2 | E5*3 G5 | C6*3 B5 | A5*2 F#5*2 | G5*3 B5 | C6*2 B5 G5 | A5*3 G5 | F#5*2 A5*2 | B5*2 D6*2 |
    Bb5*2 C#6*2 | D6*3 A5 | Ab5*2 B5*2 | C6*3 G5 | A5*2 E5*2 | F5*2 A5*2 | G5*2 F5 D5 | E5*7
"""


def compose() -> Score:
    """Set the prelude: about 65 s."""
    score = Score("Prelude in C major BWV 846 (J. S. Bach)", seed=846)
    end = _BEATS_PER_BAR * len(_BARS)
    # The tempo leans into the middle of every four bars and eases off again.
    for bar in range(len(_BARS) - 1):
        score.tempo(_BEATS_PER_BAR * bar, _BPM + (-2, 1, 2, 0)[bar % 4])
    score.ritardando(end - 4, end, _BPM, 44)
    _piano(score.part("Piano", 0, 0, 104, 64), end)
    _flute(score.part("Flute", 1, 73, 88, 78))
    _strings(score.part("Strings", 2, 48, 66, 50), end)
    return score


def _piano(part: Part, end: int) -> None:
    for bar, text in enumerate(_BARS):
        start = bar * _BEATS_PER_BAR
        arch = (0, 3, 5, 2)[bar % 4]
        for half in (0, 2):
            part.play(_figure(text, start + half), velocity=58 + arch, accent=8, looseness=5)
            part.pedal(start + half, start + half + 2)
    part.play(notes(_CLOSE, end), velocity=56)
    part.pedal(end, end + _BEATS_PER_BAR)


def _figure(text: str, start: int) -> list[Note]:
    """Break a chord of five notes over two beats, the two lowest held as Bach writes them."""
    keys = [key_of(pitch) for pitch in text.split()]
    sixteenth = Fraction(1, 4)
    held = [Note(Fraction(start), Fraction(2), keys[0]), Note(start + sixteenth, Fraction(7, 4), keys[1])]
    upper = [Note(start + sixteenth * (2 + index), sixteenth, key) for index, key in enumerate(keys[2:] + keys[2:])]
    return held + upper


def _flute(part: Part) -> None:
    start = _FIRST_FLUTE_BAR * _BEATS_PER_BAR
    melody = notes(_FLUTE, start)
    part.play(melody, velocity=70, legato=0.97, accent=4)
    for note in melody:
        if note.length >= 2:
            part.ramp(11, note.start, note.start + note.length, (92, 116, 96))
            part.ramp(1, note.start + note.length / 3, note.start + note.length, (0, 36))


def _strings(part: Part, end: int) -> None:
    """Hold two inner notes of each bar's chord."""
    for bar, text in enumerate(_BARS):
        if bar >= _FIRST_FLUTE_BAR:
            inner = "+".join(text.split()[2:4])
            part.play(notes(f"{inner}*4", bar * _BEATS_PER_BAR), velocity=54, legato=1.0, accent=0)
            part.ramp(11, bar * _BEATS_PER_BAR, (bar + 1) * _BEATS_PER_BAR, (84, 104, 84))
    part.play(notes("G3+C4+E4*4", end), velocity=52)
    part.ramp(11, end, end + _BEATS_PER_BAR, (96, 40))
