"""EnCodec's 24 kHz model, from its own checkpoint or that of transformers, becomes what `CodecDecoder` plays."""

from __future__ import annotations

import re
from pathlib import Path

from ...errors import BankError
from ...training.codec.codec import ENCODEC_24KHZ, Codec
from ...whole_files import write_whole
from ..imported.containers import Weights
from ..imported.weights import fill, read_weights
from .streaming import PARITY_LIMIT, decoder_parity, encoder_parity, export_decoder, export_encoder

NAMES = re.compile(r"(?:\w+\.)*?(encoder|decoder)\.(?:model|layers)\.(.+)")


def read_encodec(path: Path) -> Codec:
    """Return the codec of a checkpoint: a state dict of `encodec` or `transformers`, by torch or as safetensors.

    The quantiser is left out: what is grown is continuous.

    Raises
    ------
    BankError
        It cannot be read, or is not the 24 kHz EnCodec.
    """
    codec = Codec(ENCODEC_24KHZ)
    fill(codec, named_as_here(read_weights(path)), "the 24 kHz EnCodec")
    return codec.eval()


def named_as_here(weights: Weights) -> Weights:
    """Give weights the names of `training.codec.codec.Codec`; those of neither encoder nor decoder are dropped."""
    matches = {name: NAMES.fullmatch(name) for name in weights}
    named = {}
    for name, match in matches.items():
        if match is not None:
            inner = re.sub(r"conv(tr)?\.conv(tr)?\.", "conv.", match[2])
            named[f"{match[1]}.layers.{inner}"] = weights[name]
    if not named:
        raise BankError("the checkpoint holds neither an encoder nor a decoder: is it one of EnCodec's?")
    return named


def import_codec(checkpoint: Path, target: Path) -> tuple[dict[Path, int], float]:
    """Write a checkpoint's decoder to `target`, and its encoder beside it.

    Returns
    -------
    Bytes by file, and the largest difference from torch.

    Raises
    ------
    BankError
        The checkpoint cannot be read, or an exported model differs by more than `PARITY_LIMIT`.
    """
    codec = read_encodec(checkpoint)
    origin = {"data": "imported", "checkpoint": checkpoint.name}
    files = {target: export_decoder(codec, origin), encoder_path(target): export_encoder(codec, origin)}
    difference = max(decoder_parity(codec, files[target]), encoder_parity(codec, files[encoder_path(target)]))
    if not difference <= PARITY_LIMIT:
        raise BankError(f"the exported codec differs from torch by {difference:.2g}, more than {PARITY_LIMIT:g}")
    for path, content in files.items():
        _write(path, content)
    return {path: len(content) for path, content in files.items()}, difference


def encoder_path(target: Path) -> Path:
    """Return where the encoder of a decoder in `target` goes."""
    return target.with_name(f"{target.stem}.encoder{target.suffix}")


def _write(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, content)
    except OSError as error:
        raise BankError(f"cannot write {path}: {error.strerror}") from error
