"""The MIDI Tuning Standard: programs that tune single keys, and scales that tune the twelve notes of an octave."""

from collections.abc import Callable
from typing import Final

from ..messages import NUM_CHANNELS

_REAL_TIME: Final = 0x7F
_TUNING: Final = 0x08
_NAME_BYTES: Final = 16
_NUM_KEYS: Final = 128
_NO_CHANGE: Final = b"\x7f\x7f\x7f"


class Tunings:
    """All tuning programs, and the scale of every MIDI channel. Keys sound equally tempered until told otherwise."""

    def __init__(self) -> None:
        self._programs: dict[tuple[int, int], list[float]] = {}  # (bank, program) -> semitones to add, by key
        self._scales = [[0.0] * 12 for _ in range(NUM_CHANNELS)]

    def offset(self, channel: int, program: tuple[int, int], key: int) -> float:
        """Return semitones to add to a key.

        Parameters
        ----------
        channel : int
            MIDI channel, 0..15, whose scale holds.
        program : (int, int)
            Tuning bank and tuning program.
        key : int
        """
        table = self._programs.get(program)
        return self._scales[channel][key % 12] + (table[key] if table else 0.0)

    def tune_note(self, channel: int, note: int, semitones: float) -> None:
        """Tune a note 0..11 (C to B) of a channel's scale."""
        scale = list(self._scales[channel])
        scale[note] = semitones
        self._scales[channel] = scale

    def receive(self, payload: bytes) -> bool:
        """Take a SysEx without its frame; return whether notes that sound must follow at once.

        A message that is no tuning or has the wrong length does nothing. Checksums of bulk dumps are not
        checked: senders disagree about them, and the length tells enough.
        """
        if len(payload) < 4 or payload[0] < 0x7E or payload[2] != _TUNING:
            return False
        action = _ACTIONS.get(payload[3])
        return bool(action and action(self, payload[4:])) and payload[0] == _REAL_TIME

    def _program(self, bank: int, program: int) -> list[float]:
        return self._programs.setdefault((bank, program), [0.0] * _NUM_KEYS)

    def _dump(self, data: bytes) -> bool:
        return self._banked_dump(b"\0" + data)

    def _banked_dump(self, data: bytes) -> bool:
        body = data[2 + _NAME_BYTES : -1]
        if len(body) != 3 * _NUM_KEYS:
            return False
        for key in range(_NUM_KEYS):
            self._tune_key(data[0], data[1], key, body[3 * key : 3 * key + 3])
        return True

    def _notes(self, data: bytes) -> bool:
        return self._banked_notes(b"\0" + data)

    def _banked_notes(self, data: bytes) -> bool:
        if len(data) < 3 or len(data) != 3 + 4 * data[2]:
            return False
        for start in range(3, len(data), 4):
            self._tune_key(data[0], data[1], data[start], data[start + 1 : start + 4])
        return True

    def _tune_key(self, bank: int, program: int, key: int, pitch: bytes) -> None:
        """Tune a key to a semitone and 14 bits of its fraction."""
        if pitch != _NO_CHANGE:
            self._program(bank, program)[key] = pitch[0] + (pitch[1] << 7 | pitch[2]) / 16384 - key

    def _scale_dump(self, data: bytes) -> bool:
        return self._tune_octaves(data, _from_bytes(data[2 + _NAME_BYTES : -1]))

    def _fine_scale_dump(self, data: bytes) -> bool:
        return self._tune_octaves(data, _from_pairs(data[2 + _NAME_BYTES : -1]))

    def _tune_octaves(self, data: bytes, scale: list[float] | None) -> bool:
        if scale is None:
            return False
        self._program(data[0], data[1])[:] = [scale[key % 12] for key in range(_NUM_KEYS)]
        return True

    def _scale(self, data: bytes) -> bool:
        return self._tune_channels(data, _from_bytes(data[3:]))

    def _fine_scale(self, data: bytes) -> bool:
        return self._tune_channels(data, _from_pairs(data[3:]))

    def _tune_channels(self, data: bytes, scale: list[float] | None) -> bool:
        if scale is None:
            return False
        chosen = data[0] << 14 | data[1] << 7 | data[2]  # a bit for each channel, the lowest in the last byte
        for channel in range(NUM_CHANNELS):
            if chosen >> channel & 1:
                self._scales[channel] = scale
        return True


def _from_bytes(data: bytes) -> list[float] | None:
    """Return 12 offsets in semitones, a cent each step, 64 in the middle."""
    return [(value - 64) / 100 for value in data] if len(data) == 12 else None


def _from_pairs(data: bytes) -> list[float] | None:
    """Return 12 offsets in semitones from 14 bits each, a semitone either way."""
    if len(data) != 24:
        return None
    return [((data[i] << 7 | data[i + 1]) - 8192) / 8192 for i in range(0, 24, 2)]


_ACTIONS: Final[dict[int, Callable[[Tunings, bytes], bool]]] = {
    0x01: Tunings._dump,
    0x02: Tunings._notes,
    0x04: Tunings._banked_dump,
    0x05: Tunings._scale_dump,
    0x06: Tunings._fine_scale_dump,
    0x07: Tunings._banked_notes,
    0x08: Tunings._scale,
    0x09: Tunings._fine_scale,
}
