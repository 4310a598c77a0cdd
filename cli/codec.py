"""`tnca-synth codec import`: an EnCodec checkpoint becomes ONNX files that the engine plays."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from .output import print_json, print_table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `codec`."""
    actions = parser.add_subparsers(title="actions", metavar="ACTION", dest="action", required=True)
    add = actions.add_parser("import", help="read EnCodec's 24 kHz model", allow_abbrev=False)
    add.add_argument(
        "checkpoint",
        type=Path,
        metavar="CHECKPOINT",
        help="weights of the 24 kHz EnCodec, as the encodec package or transformers saves them (torch or safetensors)",
    )
    add.add_argument(
        "-o", "--output", type=Path, required=True, metavar="FILE.onnx",
        help="the decoder; the encoder is written beside it, as FILE.encoder.onnx",
    )  # fmt: skip
    add.add_argument("--json", action="store_true", help="print files and parity as one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Import, compare with torch, and print the figures."""
    from ..export.codec.encodec import import_codec

    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    sizes, parity = import_codec(arguments.checkpoint, arguments.output)
    if arguments.json:
        print_json({"bytes": {str(path): size for path, size in sizes.items()}, "parity": parity})
        return 0
    print_table(("FILE", "BYTES"), [(str(path), f"{size:,}") for path, size in sizes.items()])
    print(f"largest difference from torch: {parity:.1e}")
    return 0
