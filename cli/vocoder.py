"""`tnca-synth vocoder`: vocoders trained elsewhere become decoders."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import BankError, UsageError
from .output import print_json

if TYPE_CHECKING:
    from ..export.imported.layouts import Imported


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `vocoder`."""
    actions = parser.add_subparsers(title="actions", metavar="ACTION", dest="action", required=True)
    told = "turn a BigVGAN or Vocos checkpoint into a decoder"
    child = actions.add_parser("import", help=told, description=f"{told.capitalize()}.", allow_abbrev=False)
    child.add_argument("checkpoint", type=Path, metavar="CHECKPOINT", help="weights as they were published")
    child.add_argument(
        "--config", type=Path, metavar="FILE", help="its config.json or config.yaml (default: the one beside it)"
    )
    child.add_argument("-o", "--output", type=Path, metavar="FILE.onnx", help="write the decoder to a file")
    child.add_argument("--bank", type=Path, metavar="BANK_DIR", help="put it into a bank, as the decoder 'imported'")
    child.add_argument(
        "--lookahead",
        type=_hops,
        metavar="HOPS",
        help="let it see no further: notes answer sooner, at the price of more work and another sound "
        "(default: all that the network sees)",
    )
    child.add_argument("--json", action="store_true", help="print the figures as one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Import, compare with torch, write, and print the figures."""
    if arguments.output is None and arguments.bank is None:
        raise UsageError("nowhere to write to: give -o FILE.onnx, or --bank BANK_DIR, or both")
    from ..export.imported.layouts import load
    from ..export.imported.onnx_file import export_imported

    imported = load(arguments.checkpoint, arguments.config)
    content, parity = export_imported(imported, arguments.lookahead)
    facts = _facts(imported, content, arguments.lookahead) | {"parity": parity}
    facts["files"] = [str(path) for path in _write(content, arguments)]
    if arguments.json:
        print_json(facts)
        return 0
    mel = facts["mel"]
    print(
        f"{facts['architecture']}: {mel['num_mels']} bands up to {mel['fmax_hz']:g} Hz, {mel['sample_rate']} Hz, "
        f"hop {mel['hop_length']}; {facts['bytes']:,} bytes; largest difference from torch {parity:.1e}"
    )
    seen = f"it sees {facts['full_lookahead']} hops ({facts['full_lookahead_s']:.2f} s) ahead"
    if facts["lookahead"] < facts["full_lookahead"]:
        seen += f", capped to {facts['lookahead']}: SNR {facts['cap_snr_db']:.1f} dB on a probe"
    print(seen)
    for file in facts["files"]:
        print(f"The decoder is in {file}")
    return 0


def _write(content: bytes, arguments: argparse.Namespace) -> list[Path]:
    """Write the decoder where it is wanted, the bank first: it may refuse."""
    from ..export.imported.into_bank import put_into_bank
    from ..whole_files import write_whole

    written = []
    if arguments.bank is not None:
        written.append(put_into_bank(content, arguments.bank))
    if arguments.output is not None:
        try:
            write_whole(arguments.output, content)
        except OSError as error:
            raise BankError(f"cannot write {arguments.output}: {error.strerror}") from error
        written.append(arguments.output)
    return written


def _facts(imported: Imported, content: bytes, lookahead: int | None) -> dict[str, Any]:
    from ..engine.decoders.imported.decoder import ImportedDecoder
    from ..export.imported.probe import cap_snr_db, own_spec

    decoder = ImportedDecoder(content, own_spec(imported.mel), "linear")
    facts = {
        "architecture": imported.name,
        "mel": imported.mel.to_dict(),
        "bytes": len(content),
        "lookahead": decoder.lookahead,
        "full_lookahead": decoder.full_lookahead,
        "full_lookahead_s": decoder.full_lookahead * imported.mel.hop_length / imported.mel.sample_rate,
    }
    if decoder.lookahead < decoder.full_lookahead:
        facts["cap_snr_db"] = cap_snr_db(decoder)
    return facts


def _hops(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, got {text!r}")
    return int(text)
