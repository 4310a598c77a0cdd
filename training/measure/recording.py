"""One recorded note, and which notes validation alone may see."""

from __future__ import annotations

from dataclasses import dataclass

from ...engine.arrays import FloatArray

HELD_OUT_VELOCITY = 90


@dataclass(frozen=True)
class Loop:
    """What a sampler repeats while a key is held, as a file or an instrument's map says.

    Attributes
    ----------
    begin_s, end_s : seconds from the onset of the recording; the sample at `end_s` is followed by that at `begin_s`
    """

    begin_s: float
    end_s: float


@dataclass(frozen=True, eq=False)
class Recording:
    """One recorded note.

    Attributes
    ----------
    audio : float32 (N,), mono at the spec's sample rate, the onset at sample 0
    instrument : name of the timbre it belongs to
    pitch, velocity : MIDI numbers
    hold_s : seconds from onset to release
    pitched : whether `pitch` names a fundamental
    sustains : whether it keeps its level while held; those of SoundFonts have that from their preset
    origin : where it was read, for messages: a file, or a file and a second in it
    loop : what its file says that a sampler repeats, if anything
    softest : the lowest velocity at which it sounds alike but for its level; 0 where only its own is known
    root : the key whose recording this key is heard from; -1 where that is not known
    """

    audio: FloatArray
    instrument: str
    pitch: int
    velocity: int
    hold_s: float
    pitched: bool = True
    sustains: bool = True
    origin: str = ""
    loop: Loop | None = None
    softest: int = 0
    root: int = -1

    @property
    def held_out(self) -> bool:
        """Whether validation alone may see this note: every fourth pitch, and one velocity layer."""
        return self.velocity == HELD_OUT_VELOCITY or (self.pitched and is_held_out_key(self.pitch))


def is_held_out_key(key: int) -> bool:
    """Tell whether no training hears a key of a pitched instrument: every fourth."""
    return key % 4 == 3
