"""What a user can choose by name, apart from what a bank holds. Light to import: the command line reads it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

from ..errors import UsageError


@dataclass(frozen=True)
class Representation:
    """What the engine knows of a representation beside its models: a further one is a further row below.

    Attributes
    ----------
    name : str
    default_decoder : the best one; "" where none is known
    settling_hops : hops that a note settles for before this representation sounds it in place of another
    """

    name: str
    default_decoder: str = ""
    settling_hops: int = 16


# After the settling hops of 8 and 12, the levels of 5 notes are off for 0.1 s by 0.2 to 0.4 dB more, in the mean, than
# after twice as many, which take twice as long. Columns of cells that follow each other (multi-scale, hierarchical)
# need more: after 16 hops notes are still 1 to 3 dB too quiet for 0.1 s, after 8 they would be 2 to 6.
_ROWS = (
    Representation("mel", "vocoder", settling_hops=8),
    Representation("dual", "harmonic", settling_hops=8),
    Representation("hierarchical", "glides"),
    Representation("waveform", "direct", settling_hops=8),
    Representation("latent", "latent", settling_hops=12),
    Representation("multi-scale", "fine-harmonic"),
)
REPRESENTATIONS: Final[Mapping[str, Representation]] = {row.name: row for row in _ROWS}
"""By name, in the order of MIDI's numbers 1, 2, ... Songs rely on them: further rows go to the end."""
DEFAULT_REPRESENTATION: Final = "dual"

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
"""In the order of MIDI's numbers 1, 2, ...: further names go to the end."""

PROVIDERS: Final = ("auto", "cpu", "cuda")
DEFAULT_PROVIDER: Final = "auto"

SAMPLE_RATE_RANGE_HZ: Final = (8_000, 192_000)
DEFAULT_SAMPLE_RATE: Final = 44_100

MAX_SEED: Final = 2**63 - 1

BIT_DEPTHS: Final = ("16", "24", "32f")
DEFAULT_BIT_DEPTH: Final = "24"
GAIN_RANGE_DB: Final = (-96.0, 48.0)
LOUDNESS_RANGE_LUFS: Final = (-70.0, 0.0)
TRANSPOSE_RANGE: Final = (-127, 127)
STEM_KINDS: Final = ("channel", "part")
AUDIO_SUFFIXES: Final = (".wav", ".flac")


def representation_of(name: str) -> Representation:
    """Return the row of a representation, also of one that only its bank knows."""
    return REPRESENTATIONS.get(name, Representation(name))


def number_of(names: Iterable[str], name: str) -> int:
    """Return MIDI's number of a representation or decoder; `ValueError` for a name that is not among `names`."""
    return list(names).index(name) + 1


def name_of(names: Iterable[str], number: int) -> str:
    """Return the representation or decoder that has a number in MIDI; "" if none has."""
    return dict(enumerate(names, 1)).get(number, "")


def closest(name: str, known: Iterable[str], kind: str) -> str:
    """Return the known name that equals `name` but for case.

    Raises
    ------
    UsageError
        If there is none; it names the nearest.
    """
    by_lower = {one.lower(): one for one in known}
    wanted = name.strip().lower()
    if wanted in by_lower:
        return by_lower[wanted]
    near = get_close_matches(wanted, by_lower, n=1, cutoff=0.5)
    near += [one for one in by_lower if wanted and wanted in one]
    hint = f"did you mean {by_lower[near[0]]!r}?" if near else f"expected one of {', '.join(by_lower.values())}"
    raise UsageError(f"unknown {kind} {name!r}: {hint}")
