"""`tnca-synth export`: trained models become a bank that plays without torch."""

from __future__ import annotations

import argparse
import json
import logging
from pathlib import Path
from typing import Any

from ..errors import UsageError
from .output import print_json, print_table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `export`."""
    parser.add_argument(
        "checkpoints",
        type=Path,
        nargs="+",
        metavar="CHECKPOINT",
        help="what `train` left: one growth model per representation, and a vocoder",
    )
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="BANK_DIR", help="folder of the bank")
    parser.add_argument(
        "--metrics", type=Path, metavar="FILE.json", help="what was measured, by preset, for the models' metadata"
    )
    parser.add_argument("--json", action="store_true", help="print sizes and parity as one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Export, compare with torch, and print the figures."""
    metrics = _read_metrics(arguments.metrics) if arguments.metrics else {}
    from ..export.parity import write_checked_bank
    from ..training.loop.checkpoint import load_checkpoint

    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it tells of operators that nobody asked for
    checkpoints = [load_checkpoint(path) for path in arguments.checkpoints]
    sizes, parity = write_checked_bank(arguments.output, checkpoints, metrics)
    total = sum(sizes.values())
    if arguments.json:
        print_json({"bank": str(arguments.output), "bytes": sizes, "total_bytes": total, "parity": parity})
        return 0
    print_table(("FILE", "BYTES"), [(name, f"{size:,}") for name, size in (*sizes.items(), ("all", total))])
    print(f"largest difference from torch: {', '.join(f'{name} {value:.1e}' for name, value in parity.items())}")
    print(f"The bank is in {arguments.output}")
    return 0


def _read_metrics(path: Path) -> dict[str, dict[str, Any]]:
    """Read what was measured: preset name -> figures."""
    try:
        metrics = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read the metrics {path}: {error.strerror}") from error
    except ValueError as error:  # neither JSON nor UTF-8
        raise UsageError(f"{path} is not JSON: {error}") from error
    if not isinstance(metrics, dict) or not all(isinstance(value, dict) for value in metrics.values()):
        raise UsageError(f"{path} must hold one JSON object of objects, by preset name")
    return metrics
