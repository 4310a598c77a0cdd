"""What a synth checks before it is made, or takes another decoder."""

from __future__ import annotations

from ...errors import UsageError
from ..arguments import MAX_VOICES_LIMIT
from ..bank.path import SignalPath
from ..decoders.base import Decoder


def check_parameters(
    path: SignalPath, sample_rate: int, max_voices: int, fire_rate: float, on_model_error: str
) -> None:
    """Raise `UsageError` for what a synth cannot be made with."""
    if not 1 <= max_voices <= MAX_VOICES_LIMIT:
        raise UsageError(f"max_voices must be in 1..{MAX_VOICES_LIMIT}, got {max_voices}")
    if not 0.0 < fire_rate <= 1.0:
        raise UsageError(f"fire_rate must be above 0 and at most 1, got {fire_rate}")
    if on_model_error not in ("raise", "mute"):
        raise UsageError(f'on_model_error must be "raise" or "mute", got {on_model_error!r}')
    check_path(path, sample_rate)


def check_path(path: SignalPath, sample_rate: int) -> None:
    """Raise `UsageError` if a decoder cannot decode what is grown, or not for sound at this rate."""
    check_fields(path.decoder, path.growth.fields)
    rate = path.growth.spec.sample_rate
    if sample_rate % rate:
        raise UsageError(f"a path at {rate} Hz does not fit a synth at {sample_rate} Hz")


def check_fields(decoder: Decoder, fields: tuple[str, ...]) -> None:
    """Raise `UsageError` if a decoder needs what is not grown."""
    missing = sorted(set(decoder.consumes) - set(fields))
    if missing:
        raise UsageError(f"decoder {decoder.name} needs fields {missing}, but the model grows {list(fields)}")
