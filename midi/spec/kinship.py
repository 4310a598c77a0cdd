"""How the sounds of General MIDI's programs are made, and which comes nearest to which."""

from functools import lru_cache
from typing import Final, NamedTuple

from ..messages import check_range


class Kin(NamedTuple):
    """Programs that sound because the same is done to the same kind of body.

    Attributes
    ----------
    name : str
    how : str
        What is done: struck, plucked, bowed, blown, sung, synthetic or noise.
    programs : tuple of int
        Those that lie side by side are most alike.
    then : tuple of str
        What comes nearest if there is none of them, nearest first; those of the same `how` follow, then all others.
    """

    name: str
    how: str
    programs: tuple[int, ...]
    then: tuple[str, ...]


KIN: Final = (
    Kin("struck strings", "struck", (*range(6), 15), ("plucked strings", "bars and bells", "plucked basses")),
    Kin("bars and bells", "struck", (*range(8, 15), 108, 112, 113, 114), ("struck strings", "plucked strings")),
    Kin("drums", "struck", (47, 115, 116, 117, 118), ("bars and bells", "struck strings")),
    Kin(
        "plucked strings", "plucked", (6, 7, *range(24, 29), 31, 45, 46, *range(104, 108)),
        ("struck strings", "bars and bells", "plucked basses"),
    ),
    Kin("plucked basses", "plucked", tuple(range(32, 40)), ("plucked strings", "struck strings")),
    Kin("driven guitars", "plucked", (29, 30), ("synth leads", "bowed soloists", "plucked strings")),
    Kin("organs", "blown", tuple(range(16, 24)), ("flutes", "single reeds", "double reeds")),
    Kin("bowed soloists", "bowed", (110, *range(40, 44)), ("bowed ensembles", "single reeds")),
    Kin("bowed ensembles", "bowed", (44, *range(48, 52)), ("bowed soloists", "voices", "synth pads")),
    Kin("voices", "sung", (52, 53, 54, 85), ("synth pads", "bowed ensembles")),
    Kin("brass", "blown", tuple(range(56, 61)), ("brass ensembles", "single reeds")),
    Kin("brass ensembles", "blown", (55, 61, 62, 63), ("brass", "bowed ensembles")),
    Kin("single reeds", "blown", (64, 65, 66, 67, 71), ("double reeds", "flutes", "brass")),
    Kin("double reeds", "blown", (111, 68, 69, 70, 109), ("single reeds", "flutes", "brass")),
    Kin("flutes", "blown", tuple(range(72, 80)), ("single reeds", "double reeds", "organs")),
    Kin("synth leads", "synthetic", (*range(80, 85), 86, 87), ("synth pads", "synth effects", "bowed soloists")),
    Kin("synth pads", "synthetic", tuple(range(88, 96)), ("voices", "bowed ensembles", "synth effects")),
    Kin("synth effects", "synthetic", tuple(range(96, 104)), ("synth pads", "synth leads", "voices")),
    Kin("noises", "noise", tuple(range(119, 128)), ("synth effects", "synth pads", "drums")),
)  # fmt: skip
"""All programs. Organs are blown, and so is what imitates them; pads of synthesizers are next to voices."""

_BY_PROGRAM: Final = {program: kin for kin in KIN for program in kin.programs}
_PLACES: Final = {program: place for place, program in enumerate(_BY_PROGRAM)}


def kin_of(program: int) -> Kin:
    """Return what a program 0..127 is one of.

    Raises
    ------
    ValueError
        If the program is out of range.
    """
    return _BY_PROGRAM[check_range("program", program, 0, 127)]


def distance(program: int, other: int) -> float:
    """Return how unlike two programs 0..127 are made: 0 for the same one, below 1 within one kind.

    Raises
    ------
    ValueError
        If a program is out of range.
    """
    return _ranks(kin_of(program).name)[kin_of(other).name] + abs(_PLACES[program] - _PLACES[other]) / len(_PLACES)


@lru_cache(maxsize=len(KIN))
def _ranks(name: str) -> dict[str, int]:
    """Return which place every kind has in the order of likeness to one."""
    own = next(kin for kin in KIN if kin.name == name)
    alike = [kin.name for kin in KIN if kin.how == own.how]
    order = dict.fromkeys((name, *own.then, *alike, *(kin.name for kin in KIN)))
    return {one: rank for rank, one in enumerate(order)}
