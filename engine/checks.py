"""What a synth checks before it is made, or takes another decoder."""

from __future__ import annotations

import math
from numbers import Integral, Real
from operator import index

from ..errors import UsageError
from .decoders.base import Decoder
from .seams import GrowthModel

MAX_VOICES_LIMIT = 1024


def check_parameters(
    growth: GrowthModel, decoder: Decoder, max_voices: int, fire_rate: float, on_model_error: str
) -> None:
    """Raise `UsageError` for what a synth cannot be made with."""
    if not 1 <= max_voices <= MAX_VOICES_LIMIT:
        raise UsageError(f"max_voices must be in 1..{MAX_VOICES_LIMIT}, got {max_voices}")
    if not 0.0 < fire_rate <= 1.0:
        raise UsageError(f"fire_rate must be above 0 and at most 1, got {fire_rate}")
    if on_model_error not in ("raise", "mute"):
        raise UsageError(f'on_model_error must be "raise" or "mute", got {on_model_error!r}')
    check_fields(decoder, growth.fields)


def check_path(growth: GrowthModel, decoder: Decoder, sample_rate: int) -> None:
    """Raise `UsageError` if a decoder cannot decode what is grown, or not at this rate."""
    check_fields(decoder, growth.fields)
    if growth.spec.sample_rate != sample_rate:
        raise UsageError(f"a path at {growth.spec.sample_rate} Hz does not fit a synth at {sample_rate} Hz")


def check_channel(channel: int | None, num_channels: int) -> int | None:
    """Return a MIDI channel, or None for all; raise `UsageError` for others."""
    if channel is not None and not 0 <= channel < num_channels:
        raise UsageError(f"the channel must be in 0..{num_channels - 1}, got {channel}")
    return channel


def check_fields(decoder: Decoder, fields: tuple[str, ...]) -> None:
    """Raise `UsageError` if a decoder needs what is not grown."""
    missing = sorted(set(decoder.consumes) - set(fields))
    if missing:
        raise UsageError(f"decoder {decoder.name} needs fields {missing}, but the model grows {list(fields)}")


def check_number(name: str, value: object, limits: tuple[float, float] | None = None, *, whole: bool = False) -> None:
    """Raise `UsageError` for what is no finite number within limits, or no whole one."""
    kind = "a whole number" if whole else "a number"
    expected = kind if limits is None else f"{kind} in {limits[0]:g}..{limits[1]:g}"
    is_number = isinstance(value, Integral if whole else Real) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value) or (limits is not None and not limits[0] <= value <= limits[1]):  # type: ignore[arg-type, operator]
        raise UsageError(f"{name}: expected {expected}, got {value!r}")


def check_whole(name: str, value: int) -> int:
    """Return a whole number of any integer type; `UsageError` for anything else."""
    try:
        return index(value)
    except TypeError:
        raise UsageError(f"{name}: expected a whole number, got {value!r}") from None


def check_text(name: str, value: object, *, is_optional: bool = False) -> None:
    """Raise `UsageError` for what is no text; None may be allowed."""
    if not isinstance(value, str) and not (is_optional and value is None):
        raise UsageError(f"{name}: expected a name, got {value!r}")


def check_callable(name: str, value: object) -> None:
    """Raise `UsageError` for what is neither None nor can be called."""
    if value is not None and not callable(value):
        raise UsageError(f"{name}: expected a function, got {value!r}")
