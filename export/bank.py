"""From checkpoints to a bank folder: ONNX files that describe themselves, and the manifest that binds them."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..engine.bank.bank import CORRECTION, MOTIONS
from ..engine.bank.instruments import Tuning
from ..engine.bank.manifest import FORMAT, MANIFEST, file_entry
from ..engine.keys.motions import MotionTable
from ..engine.keys.stored.motion_arrays import MotionArrays
from ..errors import BankError, UsageError
from ..training.config.instruments import InstrumentConfig
from ..training.data.heard_tuning import heard_tuning
from ..training.loop.checkpoint import Checkpoint
from .kinds import EXPORTERS

BANK_SUFFIXES = (".onnx", ".npz")
NUM_PROGRAMS = 128


def tuning_entry(name: str, checkpoint: Checkpoint, motions: MotionTable) -> dict[str, list[float]]:
    """Describe the tuning of every key from the first recorded one to the last, of others as they are heard."""
    if name not in checkpoint.tuning:
        return tuning_as_json(Tuning())
    recorded = Tuning(**{column: tuple(values) for column, values in checkpoint.tuning[name].items()})
    return tuning_as_json(heard_tuning(recorded, motions, name))


def tuning_as_json(tuning: Tuning) -> dict[str, list[float]]:
    """Describe a tuning for the manifest."""
    return {
        "keys": list(tuning.keys),
        "cents": [round(value, 2) for value in tuning.cents],
        "inharmonicity": [round(value, 8) for value in tuning.inharmonicity],
    }


def instrument_entry(config: InstrumentConfig, checkpoint: Checkpoint, motions: MotionTable) -> dict[str, Any]:
    """Describe an instrument for the manifest."""
    return {
        "name": config.name,
        "program": config.program,
        "is_drums": config.drum_keys,
        "pitched": config.pitched,
        "low": config.low,
        "high": config.high,
        "tuning": tuning_entry(config.name if config.pitched else "", checkpoint, motions),
        **_shared_entry(config, checkpoint),
    }


def _shared_entry(config: InstrumentConfig, checkpoint: Checkpoint) -> dict[str, Any]:
    """Describe which drums of a kit are those of others, as far as the checkpoint has them."""
    known = set(checkpoint.timbre_names)
    shared = {key: f"{kit}:{key}" for kit, keys in config.like for key in keys if f"{kit}:{key}" in known}
    return {"shared": {str(key): shared[key] for key in sorted(shared)}} if shared else {}


def write_bank(folder: Path, checkpoints: list[Checkpoint], metrics: dict[str, dict[str, Any]]) -> dict[str, int]:
    """Export checkpoints into a bank folder, whole or not at all.

    Parameters
    ----------
    folder : replaced if it holds a bank; other files in it (such as ``__init__.py``) stay
    checkpoints : one growth model per representation, the one with most instruments first, and a vocoder
    metrics : preset name -> what was measured, for the model files' metadata

    Returns
    -------
    File names and their bytes.

    Raises
    ------
    UsageError
        No growth model among the checkpoints, two of one representation, or one with instruments that the first lacks.
    """
    files: dict[str, bytes] = {}
    models: dict[str, dict[str, str]] = {}
    decoders: dict[str, str] = {}
    lead: Checkpoint | None = None
    for checkpoint in checkpoints:
        config = checkpoint.train_config
        known = metrics.get(config.name, {})
        if config.kind not in EXPORTERS:
            raise UsageError(f"a bank has no place for a {config.kind} model")
        exported = EXPORTERS[config.kind](checkpoint, known)
        files |= {f"{name}.onnx": content for name, content in exported.decoders.items()}
        decoders |= {name: f"{name}.onnx" for name in exported.decoders}
        representation = exported.representation
        if not representation:
            continue
        lead = lead or checkpoint
        _check_timbres(lead, checkpoint)
        if representation in models:
            raise UsageError(f"two models of representation {representation!r} were given; a bank holds one of each")
        models[representation] = {part: f"{representation}.{part}.onnx" for part in exported.models}
        files |= {f"{representation}.{part}.onnx": content for part, content in exported.models.items()}
        if checkpoint.correction_bytes:
            name = models[representation][CORRECTION] = f"{representation}.{CORRECTION}.npz"
            files[name] = checkpoint.correction_bytes
    if lead is None:
        raise UsageError("a bank needs at least one growth model")
    files[MOTIONS] = lead.motion_bytes
    motions = MotionTable(lead.train_config.model.spec, MotionArrays.from_bytes(lead.motion_bytes))
    manifest = {
        "format": FORMAT,
        "licence": lead.train_config.data.licence,
        "models": models,
        "decoders": decoders,
        "instruments": [instrument_entry(one, lead, motions) for one in _instruments(lead)],
        "files": {name: file_entry(content) for name, content in files.items()},
    }
    replace_files(folder, files | {MANIFEST: (json.dumps(manifest, indent=1) + "\n").encode()})
    return {name: len(content) for name, content in files.items()}


def _check_timbres(lead: Checkpoint, other: Checkpoint) -> None:
    """Raise `UsageError` where a model has timbres that the first one lacks, whose instruments are the bank's."""
    unknown = set(other.timbre_names) - set(lead.timbre_names)
    if unknown:
        raise UsageError(
            f"the {other.train_config.name} model has instruments that the {lead.train_config.name} model lacks "
            f"({', '.join(sorted(unknown))}): name the model with all of them first"
        )


def _instruments(checkpoint: Checkpoint) -> tuple[InstrumentConfig, ...]:
    """Return a preset's instruments; those of a folder have no preset, and get programs in the order of their names.

    Timbres that are named for their keys, such as ``kit:38``, are the drums of a kit.
    """
    data = checkpoint.train_config.data
    if data.instruments:
        return data.instruments
    keys: dict[str, list[int]] = {}
    kits: set[str] = set()
    for timbre in checkpoint.timbre_names:
        name, is_drum, key = timbre.partition(":")
        recorded = [int(key)] if is_drum else [*checkpoint.tuning.get(timbre, {}).get("keys", ())]
        keys.setdefault(name, []).extend(recorded)
        if is_drum:
            kits.add(name)
    programs = {name: i % NUM_PROGRAMS for i, name in enumerate(sorted(keys.keys() - kits))}
    return tuple(
        InstrumentConfig(
            name,
            programs.get(name, 0),
            min(own, default=0),
            max(own, default=127),
            pitched=name not in kits and not data.is_unpitched(name),
            drum_keys=name in kits,
        )
        for name, own in keys.items()
    )


def change_files(folder: Path, manifest: dict[str, Any], changed: Mapping[str, bytes]) -> dict[str, int]:
    """Write a bank's manifest and some of its files anew; return their names with their sizes in bytes."""
    files = {name: (folder / name).read_bytes() for name in manifest["files"]} | dict(changed)
    entries = {name: file_entry(content) for name, content in files.items()}
    replace_files(folder, files | {MANIFEST: (json.dumps(manifest | {"files": entries}, indent=1) + "\n").encode()})
    return {name: len(content) for name, content in changed.items()}


def print_sizes(written: Mapping[str, int]) -> None:
    """Print the names and sizes of files."""
    for name, size in written.items():
        print(f"{name}: {size:,} bytes")


def replace_files(folder: Path, files: dict[str, bytes]) -> None:
    """Write all files beside the folder first, then move them in, the manifest last."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=".bank-", dir=folder))
        try:
            for name, content in files.items():
                (staging / name).write_bytes(content)
            for stale in folder.iterdir():
                if stale.suffix in BANK_SUFFIXES and stale.name not in files:
                    stale.unlink()
            for name in files:
                os.replace(staging / name, folder / name)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    except OSError as error:
        raise BankError(f"cannot write the bank to {folder}: {error.strerror}") from error
