"""Notes written as text, parts that play them, and a score that becomes a type 1 MIDI file."""

import os
import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Final

import mido

TICKS_PER_BEAT: Final = 480

_STEPS: Final = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_ACCIDENTALS: Final = {"": 0, "#": 1, "b": -1}
_TOKEN: Final = re.compile(r"(?P<pitches>[^*/]+)(?:\*(?P<times>\d+))?(?:/(?P<parts>\d+))?")
_PITCH: Final = re.compile(r"(?P<step>[A-G])(?P<accidental>[#b]?)(?P<octave>-?\d)")
# At one tick notes end first, controllers follow, and new notes see both.
_OFF_RANK, _CONTROL_RANK, _ON_RANK = range(3)
_MIN_NOTE_TICKS: Final = 10


@dataclass(frozen=True)
class Note:
    """One note: start and length in beats, and its MIDI key."""

    start: Fraction
    length: Fraction
    key: int


def key_of(pitch: str) -> int:
    """Return the MIDI key of a pitch such as "F#4"; C4 is 60.

    Raises
    ------
    ValueError
        If the text is no pitch.
    """
    match = _PITCH.fullmatch(pitch)
    if match is None:
        raise ValueError(f"a pitch must look like F#4, got {pitch!r}")
    return 12 * (int(match["octave"]) + 1) + _STEPS[match["step"]] + _ACCIDENTALS[match["accidental"]]


def notes(text: str, start: Fraction | int = 0, transpose: int = 0) -> list[Note]:
    """Read notes from text.

    Parameters
    ----------
    text : str
        Pitches parted by blanks, each a beat long; `*3` is three beats, `/4` a quarter of a beat, `*3/2` one
        and a half. `R` is a rest, `C4+E4` a chord and `|` a bar line, which is only for the eye.
    start : Fraction or int
        Where the text begins, in beats.
    transpose : int
        Semitones to add.

    Raises
    ------
    ValueError
        If a token cannot be read.
    """
    result = []
    position = Fraction(start)
    for token in text.replace("|", " ").split():
        match = _TOKEN.fullmatch(token)
        if match is None:
            raise ValueError(f"a note must look like C4, C4*2 or C4+E4/2, got {token!r}")
        length = Fraction(int(match["times"] or 1), int(match["parts"] or 1))
        if match["pitches"] != "R":
            keys = [key_of(pitch) + transpose for pitch in match["pitches"].split("+")]
            result += [Note(position, length, key) for key in keys]
        position += length
    return result


def moved(source: Iterable[Note], beats: Fraction | int) -> list[Note]:
    """Return the notes moved later by so many beats."""
    return [replace(note, start=note.start + beats) for note in source]


class Score:
    """Parts under one tempo map.

    Parameters
    ----------
    title : str
        Name of the first track.
    seed : int
        Of the small irregularities that make it sound played.
    swing : Fraction
        Where in a beat its second half begins: 1/2 is even, 2/3 swings.
    """

    def __init__(self, title: str, seed: int, swing: Fraction = Fraction(1, 2)) -> None:
        self._title = title
        self._random = random.Random(seed)
        self._swing = swing
        self._tempos: list[tuple[int, mido.MetaMessage]] = []
        self._parts: list[Part] = []

    def tick(self, beat: Fraction | float) -> int:
        """Return the tick of a beat, swung."""
        whole, rest = divmod(beat, 1)
        first, second = self._swing, 1 - self._swing
        swung = rest * 2 * first if rest < Fraction(1, 2) else first + (rest * 2 - 1) * second
        return round((whole + swung) * TICKS_PER_BEAT)

    def tempo(self, beat: Fraction | int, bpm: float) -> None:
        """Set the tempo in beats per minute from a beat on."""
        self._tempos.append((self.tick(beat), mido.MetaMessage("set_tempo", tempo=round(60e6 / bpm))))

    def ritardando(self, start: int, end: int, from_bpm: float, to_bpm: float) -> None:
        """Slow down evenly, every half beat, between two beats."""
        num_steps = 2 * (end - start)
        for step in range(num_steps + 1):
            self.tempo(start + Fraction(step, 2), from_bpm + (to_bpm - from_bpm) * step / num_steps)

    def part(self, name: str, channel: int, program: int, volume: int, pan: int) -> "Part":
        """Add a part on a MIDI channel 0..15 with its program, volume (CC 7) and pan (CC 10)."""
        part = Part(self, name, channel)
        for controller, value in ((0, 0), (32, 0)):
            part.control(0, controller, value)
        part.program(0, program)
        for controller, value in ((7, volume), (10, pan), (11, 127)):
            part.control(0, controller, value)
        self._parts.append(part)
        return part

    def irregularity(self, width: float) -> float:
        """Return a random number in -width..width, small ones likelier."""
        return (self._random.random() - self._random.random()) * width

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the score as a type 1 MIDI file, tempo in the first track."""
        file = mido.MidiFile(type=1, ticks_per_beat=TICKS_PER_BEAT)
        file.tracks.append(_track(self._title, sorted(self._tempos, key=lambda timed: timed[0])))
        file.tracks += (part.track() for part in self._parts)
        file.save(path)


class Part:
    """What one instrument plays; made by `Score.part`."""

    def __init__(self, score: Score, name: str, channel: int) -> None:
        self._score = score
        self._name = name
        self._channel = channel
        self._events: list[tuple[int, int, mido.Message]] = []

    def play(
        self,
        music: Iterable[Note],
        velocity: int,
        legato: float = 0.95,
        accent: int = 6,
        looseness: float = 6,
    ) -> None:
        """Play notes.

        Parameters
        ----------
        music : iterable of Note
            The notes, by start.
        velocity : int
            Velocity of a note off the beat, before the irregularities.
        legato : float
            Part of its length that a note is held.
        accent : int
            Added to the velocity on the first beat of a bar of four; half of it on the other beats.
        looseness : float
            Greatest irregularity of a start in ticks, and of a velocity.
        """
        for note in music:
            beat_accent = (accent if note.start % 4 == 0 else accent / 2) if note.start % 1 == 0 else 0
            level = round(velocity + beat_accent + self._score.irregularity(looseness))
            start = max(0, self._score.tick(note.start) + round(self._score.irregularity(looseness)))
            end = self._score.tick(note.start + note.length * Fraction(legato).limit_denominator(100))
            self._strike(note.key, start, max(end, start + _MIN_NOTE_TICKS), min(max(level, 1), 127))

    def _strike(self, key: int, start: int, end: int, velocity: int) -> None:
        on = mido.Message("note_on", channel=self._channel, note=key, velocity=velocity)
        off = mido.Message("note_off", channel=self._channel, note=key, velocity=64)
        self._events += [(start, _ON_RANK, on), (end, _OFF_RANK, off)]

    def control(self, beat: Fraction | float, controller: int, value: int) -> None:
        """Send a control change."""
        self._send(beat, mido.Message("control_change", channel=self._channel, control=controller, value=value))

    def program(self, beat: Fraction | float, program: int) -> None:
        """Change the program."""
        self._send(beat, mido.Message("program_change", channel=self._channel, program=program))

    def bend_range(self, semitones: int) -> None:
        """Set the pitch bend range (RPN 0) at the start, and deselect the parameter."""
        for controller, value in ((101, 0), (100, 0), (6, semitones), (38, 0), (101, 127), (100, 127)):
            self.control(0, controller, value)

    def bend(self, beat: Fraction | float, position: float) -> None:
        """Bend to a position -1..1 of the bend range."""
        pitch = min(round(position * 8192), 8191)
        self._send(beat, mido.Message("pitchwheel", channel=self._channel, pitch=pitch))

    def ramp(self, controller: int, start: Fraction | int, end: Fraction | int, values: Sequence[int]) -> None:
        """Move a controller through values spread evenly over a span of beats, eight steps between two."""
        num_steps = 8 * (len(values) - 1)
        for step in range(num_steps + 1):
            index = min(step // 8, len(values) - 2)
            value = values[index] + (values[index + 1] - values[index]) * (step / 8 - index)
            self.control(start + Fraction(step, num_steps) * (end - start), controller, round(value))

    def pedal(self, start: Fraction | int, end: Fraction | int) -> None:
        """Hold the sustain pedal, down just after the first notes and up just before the end."""
        self.control(start + Fraction(1, 16), 64, 127)
        self.control(end - Fraction(1, 32), 64, 0)

    def _send(self, beat: Fraction | float, message: mido.Message) -> None:
        self._events.append((self._score.tick(beat), _CONTROL_RANK, message))

    def track(self) -> mido.MidiTrack:
        """Return the part as a MIDI track."""
        ordered = sorted(self._events, key=lambda event: event[:2])
        return _track(self._name, [(tick, message) for tick, _, message in ordered])


def _track(name: str, timed: Iterable[tuple[int, mido.Message]]) -> mido.MidiTrack:
    track = mido.MidiTrack([mido.MetaMessage("track_name", name=name)])
    last_tick = 0
    for tick, message in timed:
        track.append(message.copy(time=tick - last_tick))
        last_tick = tick
    return track
