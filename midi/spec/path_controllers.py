"""How MIDI names a path, which is a representation and a decoder: two controllers, and a bank of its own.

Both are numbered from 1, in the order of `engine.names`; 0 is what was chosen outside MIDI.
"""

from typing import Final

REPRESENTATION: Final = 26
DECODER: Final = 27
VALUES_PER_NUMBER: Final = 10
"""Values of a controller that mean the same number, so that a knob can be set to it."""
PATH_BANK: Final = 125
"""Bank MSB, like the SysEx number of non-commercial makers 7D: no system of sounds has it."""
_LSB_PER_REPRESENTATION: Final = 10


def path_value(number: int) -> int:
    """Return the value of CC 26 or CC 27 that means a number, from the middle of its range."""
    return VALUES_PER_NUMBER * number + VALUES_PER_NUMBER // 2


def path_number(value: int) -> int:
    """Return the number that a value of CC 26 or CC 27 means."""
    return value // VALUES_PER_NUMBER


def path_of_bank(lsb: int) -> tuple[int, int]:
    """Return the numbers of representation and decoder that an LSB of the bank names: tens and ones."""
    return divmod(lsb, _LSB_PER_REPRESENTATION)


def bank_of_path(representation: int, decoder: int) -> int:
    """Return the LSB of the bank that names a path."""
    return _LSB_PER_REPRESENTATION * representation + decoder
