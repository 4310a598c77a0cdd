"""What an instrument is learned on: the trained growth of a bank, and the timbres that it knows.

Letters: K known keys (a timbre on a recorded key), D numbers of a timbre vector.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...engine.bank.bank import Bank
from ...engine.models.growth_model import OnnxGrowthModel
from ...engine.spectra.spec import AudioSpec
from ...errors import UsageError
from ..spectral.exported import read_exported
from ..spectral.nca import NUM_KEYS, TNCA

REPRESENTATION = "dual"
"""What learned instruments are grown in: the one whose read-out follows single partials."""


@dataclass(frozen=True, eq=False)
class KnownKeys:
    """All recorded keys of all timbres of a foundation.

    Attributes
    ----------
    names : of timbres
    row : int64 (K,), of `names`
    key : int64 (K,), MIDI key
    pitched : bool (K,)
    """

    names: tuple[str, ...]
    row: NDArray[np.int64]
    key: NDArray[np.int64]
    pitched: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Foundation:
    """A trained growth with everything that it knows; nothing of it is changed by learning.

    Attributes
    ----------
    bank : where it comes from
    model : TNCA
    known : KnownKeys
    """

    bank: Bank
    model: TNCA
    known: KnownKeys

    @property
    def spec(self) -> AudioSpec:
        """How its frames measure sound."""
        return self.model.config.spec

    @cached_property
    def growth(self) -> OnnxGrowthModel:
        """The growth as the engine runs it, opened when it is first asked for."""
        return self.bank.growth_model(REPRESENTATION, provider="cpu")

    def codes_of(self, known: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        """Return the timbre vectors and the key codes of some of K."""
        rows = torch.from_numpy(self.known.row[known])
        keys = torch.from_numpy(self.known.key[known])
        return self.model.timbres.weight[rows], self.model.keys.weight[rows * NUM_KEYS + keys]


def open_foundation(bank: Bank | None = None) -> Foundation:
    """Open what a bank's growth was trained to; the shipped one by default.

    Raises
    ------
    UsageError
        The bank has no representation that instruments can be learned in.
    BankError
        Its models are of another version.
    """
    bank = bank or Bank.load()
    if REPRESENTATION not in bank.representations:
        raise UsageError(
            f"instruments are learned in the representation {REPRESENTATION!r}, but this bank has only "
            f"{', '.join(bank.representations)}"
        )
    models = bank.models_of(REPRESENTATION)
    exported = read_exported(models["seed"], models["step"])
    model = exported.model.requires_grad_(False)
    unpitched = {one.name for one in bank.instruments if not one.pitched}
    owners = [
        (row, key, name.partition(":")[0] not in unpitched)
        for row, name in enumerate(exported.timbre_names)
        for key in exported.recorded_keys.get(name, ())
    ]
    rows, keys, pitched = zip(*owners, strict=True)
    known = KnownKeys(exported.timbre_names, np.array(rows), np.array(keys), np.array(pitched))
    return Foundation(bank, model, known)
