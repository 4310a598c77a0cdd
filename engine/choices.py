"""What a user can choose by name, apart from what a bank holds. Light to import: the command line reads it."""

from typing import Final

REPRESENTATIONS: Final = ("mel", "dual")
DEFAULT_REPRESENTATION: Final = "dual"

DECODERS: Final = ("vocoder", "griffin-lim", "harmonic")
DEFAULT_DECODERS: Final = {"mel": "vocoder", "dual": "harmonic"}
"""The best decoder of each representation."""

PROVIDERS: Final = ("auto", "cpu", "cuda")
DEFAULT_PROVIDER: Final = "auto"

SAMPLE_RATE_RANGE_HZ: Final = (8_000, 192_000)
DEFAULT_SAMPLE_RATE: Final = 44_100
