"""How MIDI names a path, which is a representation and a decoder: two controllers, and a bank of its own.

Both are numbered from 1; 0 is what was chosen outside MIDI.
"""

from typing import Final

REPRESENTATION: Final = 26
DECODER: Final = 27
VALUES_PER_NUMBER: Final = 10
"""Values of a controller that mean the same number, so that a knob can be set to it."""
REPRESENTATIONS: Final = ("mel", "dual", "hierarchical", "waveform", "latent", "multi-scale")
DECODERS: Final = (
    "vocoder",
    "griffin-lim",
    "harmonic",
    "ensemble",
    "latent",
    "direct",
    "imported",
    "fine-harmonic",
    "glides",
)
"""What the numbers 1, 2, ... mean. Songs rely on them: further names go to the end."""
PATH_BANK: Final = 125
"""Bank MSB, like the SysEx number of non-commercial makers 7D: no system of sounds has it."""
_LSB_PER_REPRESENTATION: Final = 10


def path_value(names: tuple[str, ...], name: str) -> int:
    """Return a value of CC 26 or CC 27 that means a name, from the middle of its range; ValueError for others."""
    return VALUES_PER_NUMBER * (names.index(name) + 1) + VALUES_PER_NUMBER // 2


def path_number(value: int) -> int:
    """Return the number that a value of CC 26 or CC 27 means."""
    return value // VALUES_PER_NUMBER


def path_of_bank(lsb: int) -> tuple[int, int]:
    """Return the numbers of representation and decoder that an LSB of the bank names: tens and ones."""
    return divmod(lsb, _LSB_PER_REPRESENTATION)


def named(names: tuple[str, ...], number: int) -> str:
    """Return the name that has a number; "" if none has."""
    return names[number - 1] if 1 <= number <= len(names) else ""


def bank_of_path(representation: int, decoder: int) -> int:
    """Return the LSB of the bank that names a path."""
    return _LSB_PER_REPRESENTATION * representation + decoder
