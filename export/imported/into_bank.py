"""An imported vocoder takes its place in a bank that is there, whole or not at all."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from ...engine.bank.bank import Bank
from ...engine.bank.manifest import MANIFEST
from ...engine.decoders.imported.decoder import ImportedDecoder
from ...errors import BankError, UsageError
from ...whole_files import write_whole

KEY = "imported"
"""Of the decoder, in the manifest and on the command line."""


def put_into_bank(content: bytes, folder: Path) -> Path:
    """Add the decoder to a bank, in place of the one that was imported before.

    The file is named for its hash and the manifest is replaced last, at once: until then the bank is what it was.

    Raises
    ------
    BankError
        There is no bank in the folder, or it cannot be written to.
    UsageError
        The vocoder fits no representation of the bank.
    """
    _check_fit(content, Bank.load(folder))
    digest = hashlib.sha256(content).hexdigest()
    name = f"vocoder-imported-{digest[:8]}.onnx"
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        before = manifest["decoders"].get(KEY)
        manifest["decoders"][KEY] = name
        manifest["files"].pop(before, None)
        manifest["files"][name] = {"sha256": digest, "bytes": len(content)}
        write_whole(folder / name, content)
        write_whole(folder / MANIFEST, (json.dumps(manifest, indent=1) + "\n").encode())
        if before not in (None, name):
            (folder / before).unlink(missing_ok=True)
    except OSError as error:
        raise BankError(f"cannot write to the bank {folder}: {error.strerror}") from error
    return folder / name


def _check_fit(content: bytes, bank: Bank) -> None:
    """Raise `UsageError` if no representation of the bank fits."""
    reasons = []
    for representation in bank.representations:
        growth = bank.growth_model(representation, "cpu")
        try:
            ImportedDecoder(content, growth.spec, "linear" if "linear" in growth.fields else "mel")
        except UsageError as error:
            reasons.append(str(error))
        else:
            return
    raise UsageError(reasons[0] if reasons else "the bank grows nothing that could be decoded")
