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
