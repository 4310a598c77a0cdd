"""What a bank number says about drums, as each standard reads it once it was switched on.

General MIDI 2 has rhythm banks (MSB 120) and melodic ones (121); they mean the same everywhere. In XG 126 and 127 are
drums, 64 holds sound effects, and any other MSB is melodic. In GS the MSB is a variation of the program and the LSB
the generation of the module: a bank never makes drums there, a SysEx message does.
"""

from typing import Final

from .path_controllers import PATH_BANK

_GM2_DRUMS, _GM2_MELODIC = 120, 121
_XG_DRUMS: Final = (126, 127)
_XG_EFFECTS: Final = 64


_GM2_STEP: Final = 8
"""From one variation to the next in GS, whose numbers are used here; General MIDI 2 counts them one by one."""


def variation_of(bank: int) -> int:
    """Return the number of the variation that a melodic bank means, as GS counts them; 0 is the program itself.

    GS has it in the MSB; its LSB is the generation of the module. General MIDI 2 has bank MSB 121, and in the LSB 1 for
    what is 8 in GS, 2 for 16 and so on. The LSB of XG counts otherwise, and means no variation here.

    Parameters
    ----------
    bank : CC 0 * 128 + CC 32
    """
    msb, lsb = bank >> 7, bank & 127
    return lsb * _GM2_STEP if msb == _GM2_MELODIC else msb


def makes_drums(standard: str, msb: int, on_drum_channel: bool) -> bool | None:
    """Tell whether a bank makes its channel drums or melodic; None if it leaves that as it is.

    Parameters
    ----------
    standard : str
        What was switched on last, see `System`.
    msb : int
        Bank MSB, 0..127.
    on_drum_channel : bool
        Whether the channel is the tenth of its port. Many XG songs send MSB 0 there and mean drums.
    """
    if msb in (_GM2_DRUMS, _GM2_MELODIC):
        return msb == _GM2_DRUMS
    if standard != "xg" or msb == PATH_BANK:
        return None
    if msb in _XG_DRUMS:
        return True
    return None if on_drum_channel and msb != _XG_EFFECTS else False
