"""Making voices of notes, and carrying them along: legato, retuning, key pressure."""

from __future__ import annotations

from collections.abc import Sequence

from ...midi.commands import NoteMove, NoteStart
from ...midi.messages import DEFAULT_RELEASE_VELOCITY
from ...midi.spec.general_midi import drum_name, kit_name, program_name
from ...midi.state.interpreter import Interpreter
from ..bank.interfaces import Choice, Instrument, Role
from ..bank.path import SignalPath
from ..cache import BoundedCache
from ..hashing import note_seed
from .note_modulation import NoteModulation
from .timbre_pad import Morph, Pad, role_of
from .voice import CROSSFADE_S, Patch, Voice

SOFT_TILT_DB = -1.5
"""dB per octave that the soft pedal takes from the brightness, beside what its lower velocity does."""


def release_speed(velocity: int) -> float:
    """Return how fast the release clock runs for a release velocity: 64 is 1, 127 twice that, 1 half of it.

    Velocity 0 is 1 as well: keyboards that measure no release velocity send it.
    """
    return 2.0 ** ((velocity - DEFAULT_RELEASE_VELOCITY) / 63.0) if velocity else 1.0


KEPT_CHOICES = 4096
"""Answers of banks that are remembered: more than any music asks for, and no flood of messages fills the memory."""


class NoteOn:
    """Casts notes with what the bank has.

    Parameters
    ----------
    interpreter : Interpreter
        Says program, bank and tuning of the channels.
    paths : sequence of Path
        What voices can be on, by number.
    seed : int
        Root of all chance.
    rate : int
        Samples in a second.

    Attributes
    ----------
    substitutions : dict of str to None
        Which instruments stand in for others, each once, in order of appearance.
    silent_keys : dict of str to None
        Which drums were struck that have no sound, likewise.
    played : dict of int to tuple
        For each channel on which a note has begun, what plays its last one, the program asked for, and whether that is
        drums.
    """

    def __init__(self, interpreter: Interpreter, paths: Sequence[SignalPath], seed: int, rate: int) -> None:
        self._interpreter = interpreter
        self._paths = paths
        self._seed = seed
        self._rate = rate
        self._choices: BoundedCache[tuple[int, int, str, int, int, bool, int], Choice] = BoundedCache(KEPT_CHOICES)
        self._first: dict[int, Instrument] = {}  # by channel, until its next program change
        self._corners: dict[tuple[int, int], Instrument] = {}  # by channel and corner, where no program says it
        self.substitutions: dict[str, None] = {}
        self.played: dict[int, tuple[Choice, int, bool]] = {}
        self.silent_keys: dict[str, None] = {}

    def recast(self) -> None:
        """Ask the bank anew what plays each key."""
        self._choices.clear()

    def begin_with(self, channel: int, instrument: Instrument | None) -> None:
        """Let a channel's notes to come be an instrument's, until its next program change; None: its program says."""
        if instrument is None:
            self._first.pop(channel, None)
        else:
            self._first[channel] = instrument

    def morph_into(self, channel: int, corner: int, instrument: Instrument | None) -> None:
        """Put an instrument into a corner of a channel's pad; None: the corner's program says."""
        if instrument is None:
            self._corners.pop((channel, corner), None)
        else:
            self._corners[channel, corner] = instrument

    def morphs_into(self, channel: int, corner: int) -> str:
        """Return the name of what was put into a corner of a channel's pad, "" where a program says."""
        own = self._corners.get((channel, corner))
        return "" if own is None else own.name

    def expect(self, channel: int, program: int, path: int) -> bool:
        """Let what a program means on a channel be made ready, where that is done aside; return whether it is not."""
        state = self._interpreter.channels[channel]
        return self._paths[path].bank.expect(program, state.bank, state.is_drums)

    def first_choice(self, channel: int) -> str:
        """Return the name of what a channel begins with; "" where its program says."""
        first = self._first.get(channel)
        return "" if first is None else first.name

    def is_silent(self, note: NoteStart, path: int) -> bool:
        """Tell whether a note has no sound on a path: its drum is not there."""
        return self._choose(path, note.channel, note.key).is_silent

    def make(self, sample: int, note: NoteStart, slot: int, path: int) -> Voice:
        """Return the voice of a note that begins at `sample`."""
        choice = self._choose(path, note.channel, note.key)
        channel = self._interpreter.channels[note.channel]
        self.played[note.channel] = choice, channel.program, channel.is_drums
        velocity = note.softened_velocity / 127.0
        morph = self._morph(choice, path, note.channel, note.key, velocity)
        pitch = self._pitch(choice, note.channel, note.key)
        voice = Voice(
            note_id=note.note_id,
            channel=note.channel,
            key=note.key,
            slot=slot,
            onset=sample,
            pitch=pitch,
            velocity=velocity,
            seed=note_seed(self._seed, note.note_id),
            patch=_patch(choice, role_of(choice, note.key), velocity, morph),
            path=path,
            tilt_db=SOFT_TILT_DB if note.soft else 0.0,
            key_tuning=self._interpreter.key_tuning(note.channel, note.key),
            morph=morph,
            crossfade=self._samples(CROSSFADE_S),
        )
        if note.glide_from is not None:
            origin = self._pitch(choice, note.channel, note.glide_from) - pitch
            _modulation(voice).glide(sample, 0.0, self._samples(note.glide_s), origin)
        return voice

    def recast_voice(self, voice: Voice, path: int) -> float:
        """Let the same instrument, or what stands in for it, play a voice on another path.

        Return by how many semitones that retunes it.
        """
        before, voice.path = voice.path, path
        role = voice.patch.role
        if role is None or self._paths[before].bank is self._paths[path].bank:
            return 0.0
        choice, old = self._play(path, role), self._play(before, role)
        if voice.morph is not None:
            corners = [self._play(path, corner) for corner in voice.morph.pad.roles]
            voice.morph = Morph(Pad.of(corners, role.key, voice.velocity), voice.morph.place, voice.morph.place)
        voice.patch = _patch(choice, role, voice.velocity, voice.morph)
        retuned = (choice.tuning(role.key)[0] - old.tuning(role.key)[0]) / 100.0
        voice.pitch += retuned
        return retuned

    def move(self, sample: int, voice: Voice, move: NoteMove) -> None:
        """Carry a voice to another key."""
        modulation = _modulation(voice)
        pitch = self._pitch(self._choose(voice.path, move.channel, move.key), move.channel, move.key)
        modulation.glide(sample, pitch - voice.pitch - modulation.tuning, self._samples(move.glide_s))
        voice.key = move.key
        voice.key_tuning = self._interpreter.key_tuning(move.channel, move.key)

    def retune(self, sample: int, voice: Voice) -> None:
        """Bring a voice to what its key is tuned to now."""
        tuning = self._interpreter.key_tuning(voice.channel, voice.key)
        if tuning != voice.key_tuning:
            modulation = _modulation(voice)
            modulation.retune(sample, modulation.tuning + tuning - voice.key_tuning)
            voice.key_tuning = tuning

    def press(self, sample: int, voice: Voice) -> None:
        """Give a voice the pressure of its key."""
        pressure = self._interpreter.channels[voice.channel].key_pressure.get(voice.key, 0.0)
        _modulation(voice).press(sample, pressure)

    def _morph(self, own: Choice, path: int, index: int, key: int, velocity: float) -> Morph | None:
        """Return where a new note is on its channel's pad, None if the channel has no pad.

        Where no program was chosen for a corner, what its neighbour below or to the left has is there, too.
        """
        channel = self._interpreter.channels[index]
        right, upper, far = channel.growth.programs
        if channel.is_drums or (right is None and upper is None and far is None):
            return None
        at_right = own if right is None else self._play(path, self._corner(index, 0, right, key))
        at_upper = own if upper is None else self._play(path, self._corner(index, 1, upper, key))
        nearest = at_right if upper is None else at_upper
        at_far = nearest if far is None else self._play(path, self._corner(index, 2, far, key))
        return Morph(Pad.of((own, at_right, at_upper, at_far), key, velocity), channel.growth.morph)

    def _corner(self, channel: int, corner: int, program: int, key: int) -> Role:
        own = self._corners.get((channel, corner))
        return Role(program, False, key) if own is None else Role(own.program, own.is_drums, key, own.name, own.bank)

    def _play(self, path: int, role: Role) -> Choice:
        """Return what plays a role on a path, even where one instrument plays all channels."""
        bank = self._paths[path].bank
        if role.name:
            return bank.named(role, role.key)
        return bank.unlocked_instrument_for(role.program, 0, role.is_drums, role.key)

    def _pitch(self, choice: Choice, channel: int, key: int) -> float:
        cents, _ = choice.tuning(key)
        return key + cents / 100.0 + self._interpreter.key_tuning(channel, key)

    def _samples(self, time_s: float) -> int:
        return round(time_s * self._rate)

    def _choose(self, path: int, index: int, key: int) -> Choice:
        channel = self._interpreter.channels[index]
        asked = (channel.program, channel.bank, channel.is_drums, key)
        first = None if channel.is_drums else self._first.get(index)
        bank = self._paths[path].bank
        wanted = (path, bank.changes, "" if first is None else first.name, *asked)
        choice = self._choices.get(wanted)
        if choice is None:
            found = bank.instrument_for(*asked) if first is None or bank.only is not None else bank.named(first, key)
            choice = self._choices.keep(wanted, found)
            self._tell(choice, *asked)
        return choice

    def _tell(self, choice: Choice, program: int, _bank: int, is_drums: bool, key: int) -> None:
        """Remember what is not as it was asked for: an instrument or a kit once, not for each of its keys."""
        name = choice.instrument.name
        if is_drums and not choice.instrument.is_drums:
            self.silent_keys["drums: the bank has no kit"] = None
            return
        if choice.substituted:
            self.substitutions[f"{kit_name(program) if is_drums else program_name(program)}: {name}"] = None
        if choice.is_silent:
            self.silent_keys[f"{_drum(key)} of {name}"] = None
        elif choice.drum is not None:
            self.substitutions[f"{_drum(key)}: {_drum(choice.drum)} of {name}"] = None


def _patch(choice: Choice, role: Role, velocity: float, morph: Morph | None) -> Patch:
    """Return what was chosen for the key of a role, struck at a velocity 0..1."""
    motion = choice.motion_at(velocity)
    return Patch(
        timbre=choice.timbre,
        pitched=choice.pitched,
        inharmonicity=choice.tuning(role.key)[1] if morph is None else morph.inharmonicity,
        motion=motion,
        modes=motion.row if morph is None else morph.nearest_motion,
        role=role,
        gain_db=choice.level_db(role.key, velocity),
        release_rate=choice.release_rate(velocity),
    )


def _drum(key: int) -> str:
    """Return what to call a drum."""
    name = drum_name(key)
    return f"drum key {key}" if name is None else f"drum key {key} ({name})"


def _modulation(voice: Voice) -> NoteModulation:
    """Return a voice's own modulation, which it has from the first one on."""
    if voice.modulation is None:
        voice.modulation = NoteModulation()
    return voice.modulation
