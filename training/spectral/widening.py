"""Beginning a larger model with a smaller one's weights: further bands, further timbres, a wider seed network.

What the smaller model grew, the larger one grows at first, up to how far bands of one spec lie from those of another.
Letters: F cells, G genes, H units of the seed network.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ...engine.bank.bank import Bank
from ...engine.spectra.spec import AudioSpec
from ...engine.spectra.stft import mel_edges_hz
from ...errors import BankError
from ...midi.spec.kinship import distance
from ..config.instruments import InstrumentConfig
from ..config.run import train_config
from ..loop.half_weights import SUFFIX, load_half
from .exported import DUAL, read_exported
from .nca import NUM_KEYS, TNCA

BAND_HEAD, TRUNK = "seed.band_head", "seed.trunk"
TIMBRES, KEYS = "timbres.weight", "keys.weight"
READS_TRUNK = ("band_head", "pitch_head", "partial_head")


@dataclass(frozen=True, eq=False)
class Start:
    """What a model has learnt.

    Attributes
    ----------
    weights : by name, as in a checkpoint
    spec : of its fields
    timbre_names : one per row of its timbre table
    recorded_keys : timbre name -> the keys that have codes of their own
    seconds : the training time it took
    """

    weights: Mapping[str, Tensor]
    spec: AudioSpec
    timbre_names: tuple[str, ...]
    recorded_keys: Mapping[str, Sequence[int]]
    seconds: float


def read_start(path: Path) -> Start | None:
    """Return what the dual model of a bank's folder has learnt, or weights in half precision; None for other files.

    Raises
    ------
    BankError
        The folder is no bank, or the file cannot be read.
    """
    if path.suffix == SUFFIX:
        half = load_half(path)
        spec = train_config(half.config).model.spec
        return Start(half.weights, spec, half.timbre_names, half.recorded_keys, half.seconds)
    if not path.is_dir():
        return None
    bank = Bank.load(path)
    if DUAL not in bank.representations:
        raise BankError(f"the bank {path} has no {DUAL} model to start from, only {', '.join(bank.representations)}")
    models = bank.models_of(DUAL)
    exported = read_exported(models["seed"], models["step"])
    weights, spec = exported.model.state_dict(), exported.model.config.spec
    return Start(weights, spec, exported.timbre_names, exported.recorded_keys, exported.seconds)


def on_bands(weights: Mapping[str, Tensor], before: AudioSpec, after: AudioSpec) -> dict[str, Tensor]:
    """Return weights for another spec: what the seed says of each band is read between those of the one before.

    Bands above all of those before begin as the highest of them.
    """
    at = np.interp(mel_edges_hz(after)[1:-1], mel_edges_hz(before)[1:-1], np.arange(before.num_mels))
    low = torch.from_numpy(np.minimum(at.astype(np.int64), before.num_mels - 2))
    mix = torch.from_numpy(at).float() - low
    changed = dict(weights)
    for part in ("weight", "bias"):
        bands = weights[f"{BAND_HEAD}.{part}"].unflatten(0, (before.num_mels, -1))
        share = mix.view(-1, *[1] * (bands.ndim - 1))
        changed[f"{BAND_HEAD}.{part}"] = torch.lerp(bands[low], bands[low + 1], share).flatten(0, 1)
    return changed


def with_wider_seed(weights: Mapping[str, Tensor], hidden: int, generator: torch.Generator) -> dict[str, Tensor]:
    """Return weights of a seed network with `hidden` units in both layers; nobody listens to the new ones yet."""
    changed = dict(weights)
    before = len(weights[f"{TRUNK}.0.bias"])
    more = hidden - before
    if more <= 0:
        return changed
    for layer in ("0", "2"):
        weight, bias = changed[f"{TRUNK}.{layer}.weight"], changed[f"{TRUNK}.{layer}.bias"]
        fresh = torch.randn(more, weight.shape[1], generator=generator) * weight.std()
        changed[f"{TRUNK}.{layer}.weight"] = torch.cat([weight, fresh])
        changed[f"{TRUNK}.{layer}.bias"] = torch.cat([bias, torch.zeros(more)])
        if layer == "0":
            second = changed[f"{TRUNK}.2.weight"]
            changed[f"{TRUNK}.2.weight"] = torch.cat([second, torch.zeros(len(second), more)], 1)
    for head in READS_TRUNK:
        weight = changed[f"seed.{head}.weight"]
        changed[f"seed.{head}.weight"] = torch.cat([weight, torch.zeros(len(weight), more)], 1)
    return changed


def with_timbres(
    weights: Mapping[str, Tensor],
    before: Sequence[str],
    after: Sequence[str],
    instruments: Sequence[InstrumentConfig],
    recorded: Mapping[str, Sequence[int]],
) -> dict[str, Tensor]:
    """Return weights with a row for each timbre in `after`: its own, or that of the most similar instrument.

    Parameters
    ----------
    before : timbres that the weights have
    instruments : those of `after`, and of `before` as far as their programs are known
    recorded : keys of each of `before` that have codes; others get the code of the nearest of these
    """
    chosen = [before.index(_nearest(name, before, instruments)) for name in after]
    keys = weights[KEYS].unflatten(0, (len(before), NUM_KEYS))
    filled = torch.stack([_filled(keys[row], recorded.get(before[row], ())) for row in chosen])
    return {**weights, TIMBRES: weights[TIMBRES][chosen], KEYS: filled.flatten(0, 1)}


def _filled(codes: Tensor, known: Sequence[int]) -> Tensor:
    """Return codes of all keys (NUM_KEYS, D), each that of the nearest known key."""
    if not known:
        return codes
    keys = np.array(known)
    nearest = np.abs(np.arange(NUM_KEYS)[:, None] - keys).argmin(1)
    return codes[torch.from_numpy(keys[nearest])]


def _nearest(name: str, known: Sequence[str], instruments: Sequence[InstrumentConfig]) -> str:
    """Return the known timbre that a timbre is most like: itself, the same drum of another kit, the nearest program."""
    if name in known:
        return name
    own, is_drum, key = name.partition(":")
    if is_drum:
        drums = [one for one in known if ":" in one]
        return min(drums, key=lambda one: abs(int(one.partition(":")[2]) - int(key))) if drums else known[0]
    programs = {one.name: one.program for one in instruments if not one.drum_keys}
    alike = [one for one in known if one in programs]
    return min(alike, key=lambda one: distance(programs[own], programs[one])) if alike and own in programs else known[0]


def begun(
    start: Start, model: TNCA, names: Sequence[str], instruments: Sequence[InstrumentConfig], seed: int
) -> dict[str, Tensor]:
    """Return weights for a larger model.

    Parameters
    ----------
    start : what the smaller one has learnt
    model, names : the larger one and its timbres
    instruments : see `with_timbres`
    seed : of the random numbers that new units begin with
    """
    config = model.config
    found = start.weights if start.spec == config.spec else on_bands(start.weights, start.spec, config.spec)
    found = with_wider_seed(found, config.seed_hidden, torch.Generator().manual_seed(seed))
    return with_timbres(found, start.timbre_names, names, instruments, start.recorded_keys)
