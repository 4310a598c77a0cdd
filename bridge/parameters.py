"""Parameters of a client, in one table: the engine reads it, and `bridge/parameters.h` is written from it.

``python -m tnca_synth.bridge.parameters > bridge/parameters.h`` writes the header anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ..engine.names import DECODERS, REPRESENTATIONS
from ..midi.spec.general_midi import program_name
from ..midi.spec.growth_controllers import ALIVE_ABOVE, MAX_GROWTH_RATE, MIN_FIRE_RATE

NUM_PROGRAMS: Final = 128
MAX_INSTRUMENT: Final = 255
"""Highest value of the parameter "instrument"."""
REVERB_AT_POWER_UP: Final = 100.0 * 40 / 127


@dataclass(frozen=True)
class Parameter:
    """What a host can automate.

    Attributes
    ----------
    symbol : str
        A name of letters, digits and underscores that never changes: projects rely on it.
    name : str
        For people.
    unit : str
        "" where there is none.
    low, high, default : float
    is_whole : bool
        Whether only whole numbers mean something.
    choices : tuple of str
        Names of the values from `low` on; fewer than there are values where others have no fixed name.
    """

    symbol: str
    name: str
    unit: str
    low: float
    high: float
    default: float
    is_whole: bool = False
    choices: tuple[str, ...] = ()


def _choice(symbol: str, name: str, choices: tuple[str, ...], high: float | None = None) -> Parameter:
    return Parameter(symbol, name, "", 0.0, len(choices) - 1.0 if high is None else high, 0.0, True, choices)


_PROGRAMS: Final = tuple(program_name(program) for program in range(NUM_PROGRAMS))

PARAMETERS: Final = (
    _choice("instrument", "Instrument", ("MIDI program", *_PROGRAMS), MAX_INSTRUMENT),
    _choice("representation", "Representation", ("default", *REPRESENTATIONS)),
    _choice("decoder", "Decoder", ("best", *DECODERS)),
    Parameter("growth_rate", "Growth rate", "x", 0.0, MAX_GROWTH_RATE, 1.0),
    Parameter("fire_rate", "Fire rate", "", MIN_FIRE_RATE, 1.0, 1.0),
    Parameter("life_threshold", "Life threshold", "", ALIVE_ABOVE, ALIVE_ABOVE + 1.0, ALIVE_ABOVE),
    Parameter("damage", "Damage", "%", 0.0, 100.0, 0.0),
    Parameter("morph_x", "Morph X", "", 0.0, 1.0, 0.0),
    Parameter("morph_y", "Morph Y", "", 0.0, 1.0, 0.0),
    _choice("morph_right", "Morph right corner", ("own", *_PROGRAMS)),
    _choice("morph_upper", "Morph upper corner", ("own", *_PROGRAMS)),
    _choice("morph_far", "Morph far corner", ("own", *_PROGRAMS)),
    Parameter("level", "Level", "dB", -60.0, 0.0, 0.0),
    Parameter("tuning", "Tuning", "cents", -100.0, 100.0, 0.0),
    Parameter("reverb", "Reverb", "%", 0.0, 100.0, REVERB_AT_POWER_UP),
    Parameter("chorus", "Chorus", "%", 0.0, 100.0, 0.0),
)
"""In the order of their indices, which projects rely on: further ones go to the end."""

INDEX: Final = {parameter.symbol: index for index, parameter in enumerate(PARAMETERS)}


def header() -> str:
    """Return the table as a C header."""
    lists = dict.fromkeys(parameter.choices[1:] for parameter in PARAMETERS if parameter.choices)
    names = {choices: f"tnca_choices_{number}" for number, choices in enumerate(lists)}
    return "\n".join(
        (
            "/* Written by `python -m tnca_synth.bridge.parameters`: change bridge/parameters.py instead. */",
            "#ifndef TNCA_PARAMETERS_H",
            "#define TNCA_PARAMETERS_H",
            "",
            "enum {",
            *(f"    TNCA_PARAMETER_{one.symbol.upper()} = {index}," for index, one in enumerate(PARAMETERS)),
            f"    TNCA_NUM_PARAMETERS = {len(PARAMETERS)}",
            "};",
            "",
            "typedef struct {",
            "    const char *symbol; /* never changes: projects rely on it */",
            "    const char *name;",
            '    const char *unit; /* "" where there is none */',
            "    float low, high, initial;",
            "    int is_whole; /* only whole numbers mean something */",
            "    const char *first; /* name of the value `low`; null where values have no names */",
            "    const char *const *further; /* names of the values after it */",
            "    unsigned num_choices; /* names in all */",
            "} tnca_parameter;",
            "",
            *(line for choices, name in names.items() for line in _choice_lines(name, choices)),
            "static const tnca_parameter tnca_parameters[TNCA_NUM_PARAMETERS] = {",
            *(_row(one, names.get(one.choices[1:], "0")) for one in PARAMETERS),
            "};",
            "",
            "#endif",
            "",
        )
    )


def _choice_lines(name: str, choices: tuple[str, ...]) -> list[str]:
    quoted = [f'    "{choice}",' for choice in choices]
    return [f"static const char *const {name}[] = {{", *quoted, "};", ""]


def _row(one: Parameter, further: str) -> str:
    numbers = ", ".join(f"{float(value)!r}f" for value in (one.low, one.high, one.default))
    texts = f'"{one.symbol}", "{one.name}", "{one.unit}"'
    first = f'"{one.choices[0]}"' if one.choices else "0"
    return f"    {{{texts}, {numbers}, {int(one.is_whole)}, {first}, {further}, {len(one.choices)}}},"


if __name__ == "__main__":
    print(header(), end="")
