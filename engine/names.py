"""What a user can choose by name, apart from what a bank holds. Light to import: the command line reads it."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Final

from ..errors import UsageError

REPRESENTATIONS: Final = ("mel", "dual", "latent", "multi-scale", "hierarchical", "waveform")
DEFAULT_REPRESENTATION: Final = "dual"

DECODERS: Final = (
    "vocoder",
    "griffin-lim",
    "harmonic",
    "fine-harmonic",
    "latent",
    "ensemble",
    "imported",
    "glides",
    "direct",
)
DEFAULT_DECODERS: Final = {
    "mel": "vocoder",
    "dual": "harmonic",
    "latent": "latent",
    "multi-scale": "fine-harmonic",
    "hierarchical": "glides",
    "waveform": "direct",
}
"""The best decoder of each representation."""

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
AUDIO_SUFFIXES: Final = (".wav", ".flac")


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
