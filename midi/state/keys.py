"""The notes of one MIDI channel: keys, pedals, mono mode and portamento."""

from collections.abc import Callable

from ..commands import Command, DrumChoke, NoteCut, NoteMove, NoteRelease, NoteStart
from ..spec.general_midi import EXCLUSIVE_DRUMS
from .channel import Channel
from .pedals import Pedals


class ChannelKeys:
    """Turns keys of a channel into notes.

    Parameters
    ----------
    channel : Channel
        Its continuous state.
    next_id : callable
        Gives a new note id, larger than all before.
    """

    def __init__(self, channel: Channel, next_id: Callable[[], int]) -> None:
        self.channel = channel
        self.held = Pedals()
        self._next_id = next_id
        self._stack: list[int] = []  # keys down in mono mode; the last one sounds
        self._last_key: int | None = None

    def press(self, key: int, velocity: int) -> list[Command]:
        """Strike a key."""
        channel = self.channel
        if key not in channel.keys:
            return []
        channel.key_pressure.pop(key, None)
        source = channel.take_portamento_source()
        glides = channel.has_portamento or source is not None
        origin = (source if source is not None else self._last_key) if glides else None
        self._last_key = key
        if channel.is_drums:
            stopped = EXCLUSIVE_DRUMS.get(key)
            chokes: list[Command] = [] if stopped is None else [DrumChoke(channel.index, stopped)]
            return chokes + self._strike(key, velocity, None)
        carried = self._carry(key, source)
        if carried is not None:
            return [self._move(carried, key, velocity, glides, is_stroke=True)]
        releases: list[Command] = [*self.held.damp_pedalled()] if channel.is_mono else []
        return releases + self._strike(key, velocity, origin)

    def lift(self, key: int, velocity: int) -> list[Command]:
        """Let go of a key; in mono mode the note returns to the key that was struck before it and is still down."""
        if key not in self._stack:
            return [*self.held.lift_key(key, velocity)]
        is_current = self._stack[-1] == key
        self._stack.remove(key)
        if not self._stack:
            return [*self.held.lift_key(key, velocity)]
        note_id = self.held.move_key(key, self._stack[-1]) if is_current else None
        if note_id is None:
            return []
        self._last_key = self._stack[-1]
        return [self._move(note_id, self._last_key, velocity, self.channel.has_portamento, is_stroke=False)]

    def set_mono(self, is_mono: bool) -> list[Command]:
        """Let one note or many sound at a time; either way all keys are let go of."""
        self.channel.is_mono = is_mono
        return self.lift_all()

    def lift_all(self) -> list[Command]:
        """Let go of every key; the pedals hold what they hold."""
        self._stack.clear()
        return [*self.held.lift_all_keys()]

    def release_all(self) -> list[NoteRelease]:
        """Release every note whatever holds it; the pedals stay where they are."""
        self._stack.clear()
        return self.held.release_all()

    def cut_all(self) -> list[NoteCut]:
        """Cut every note whatever holds it; the pedals stay where they are."""
        self._stack.clear()
        return self.held.cut_all()

    def lift_pedals(self) -> list[Command]:
        """Lift both pedals that hold notes."""
        return [*self.held.set_sustain(False), *self.held.set_sostenuto(False)]

    def forget(self) -> None:
        """Forget which key was the last one; no glide begins there."""
        self._last_key = None

    def _carry(self, key: int, source: int | None) -> int | None:
        """Return the note that a stroke carries to another key instead of starting one, None if none does."""
        if self.channel.is_mono:
            current = self._stack[-1] if self._stack else None
            if key in self._stack:
                self._stack.remove(key)
            self._stack.append(key)
            return None if current is None else self.held.move_key(current, key)
        return None if source is None else self.held.move_key(source, key)

    def _strike(self, key: int, velocity: int, origin: int | None) -> list[Command]:
        """Start a note, which takes the string of the one that a pedal may still hold on this key."""
        channel = self.channel
        commands: list[Command] = [*self.held.damp_key(key)]
        note_id = self._next_id()
        self.held.press_key(key, note_id)
        glide_s = channel.portamento_s
        if origin is None or origin == key or glide_s == 0.0:
            return [*commands, NoteStart(note_id, channel.index, key, velocity, channel.is_soft_pedal_down)]
        note = NoteStart(note_id, channel.index, key, velocity, channel.is_soft_pedal_down, origin, glide_s)
        return [*commands, note]

    def _move(self, note_id: int, key: int, velocity: int, glides: bool, is_stroke: bool) -> NoteMove:
        channel = self.channel
        glide_s = channel.portamento_s if glides else 0.0
        return NoteMove(note_id, channel.index, key, velocity, channel.is_soft_pedal_down, glide_s, is_stroke)
