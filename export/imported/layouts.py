"""Which vocoder a configuration describes, and the mel it was trained on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from ...engine.decoders.imported.mel import ImportedMel
from ...errors import BankError, UsageError
from .containers import Weights
from .networks.bigvgan import BigVGAN, BigVGANConfig
from .networks.vocos import Vocos, VocosConfig
from .sizes import check_bigvgan, check_vocos
from .weights import fill, find_config, named_as, read_weights


@dataclass(frozen=True, eq=False)
class Imported:
    """A vocoder with its weights.

    Attributes
    ----------
    name : "BigVGAN" or "Vocos"
    network : BigVGAN or Vocos
    mel : ImportedMel
        What it is fed.
    centred_window : bool or None
        Of what gives spectra: whether frame t lies around sample ``t * hop_length``, or half a hop later.
    """

    name: str
    network: BigVGAN | Vocos
    mel: ImportedMel
    centred_window: bool | None = None


def load(checkpoint: Path, config: Path | None = None) -> Imported:
    """Read a checkpoint of BigVGAN or Vocos.

    Parameters
    ----------
    config : its `config.json` or `config.yaml`; the one beside the checkpoint by default

    Raises
    ------
    BankError
        A file is missing or damaged, or they do not belong together.
    UsageError
        It is another vocoder than these.
    """
    if not checkpoint.is_file():
        raise BankError(f"cannot read the checkpoint {checkpoint}: no such file")
    imported = describe(find_config(checkpoint, config))
    weights = read_weights(checkpoint)
    network = imported.network.eval()
    fill(network, _of_network(named_as(weights, network.state_dict()), imported.name), imported.name)
    return imported


def describe(values: Mapping[str, Any]) -> Imported:
    """Return the vocoder of a configuration, its weights not yet filled in; errors as `load` has them."""
    try:
        if "upsample_rates" in values:
            return _bigvgan(values)
        if EXPECTED.keys() <= values.keys():
            return _vocos(values)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise BankError(f"the configuration is incomplete or wrong: {error!r}") from error
    raise UsageError(
        "the configuration is neither BigVGAN's ('upsample_rates') nor Vocos' ('feature_extractor', 'backbone', "
        "'head'): other vocoders cannot be imported"
    )


def _of_network(weights: Weights, name: str) -> Weights:
    """Leave out what Vocos keeps beside its network: the filters of its features, and the window of its transform."""
    if name != "Vocos":
        return weights
    return {
        key: value
        for key, value in weights.items()
        if key.startswith(("backbone.", "head.")) and not key.startswith("head.istft.")
    }


def _bigvgan(values: Mapping[str, Any]) -> Imported:
    known = {one.name for one in fields(BigVGANConfig)}
    shape = {name: _frozen(value) for name, value in values.items() if name in known}
    config = BigVGANConfig(**shape | {"resblock": str(values.get("resblock", "1"))})
    if config.activation not in ("snake", "snakebeta") or config.resblock not in ("1", "2"):
        raise UsageError(
            f"BigVGAN with activation {config.activation!r} and resblock {config.resblock!r} is not known: "
            "expected snake or snakebeta, and 1 or 2"
        )
    check_bigvgan(config)
    network = BigVGAN(config)
    hop = int(values["hop_size"])
    if network.hop != hop:
        raise BankError(f"the configuration contradicts itself: hop_size {hop}, but upsampling by {network.hop}")
    if values["win_size"] != values["n_fft"]:
        raise UsageError(f"windows of {values['win_size']} in an FFT of {values['n_fft']} samples are not supported")
    mel = ImportedMel(
        sample_rate=int(values["sampling_rate"]),
        n_fft=int(values["n_fft"]),
        hop_length=hop,
        num_mels=config.num_mels,
        fmin_hz=float(values["fmin"]),
        fmax_hz=float(values.get("fmax") or values["sampling_rate"] / 2),
        scale="slaney",
        clip=1e-5,
        centred=False,
    )
    mel.check()
    return Imported("BigVGAN", network, mel)


def _vocos(values: Mapping[str, Any]) -> Imported:
    parts = {part: str(values[part]["class_path"]).rpartition(".")[2] for part in EXPECTED}
    for part, expected in EXPECTED.items():
        if parts[part] != expected:
            raise UsageError(f"Vocos with the {part} {parts[part]} cannot be imported, only with {expected}")
    features, backbone, head = (values[part].get("init_args", {}) for part in EXPECTED)
    if backbone.get("adanorm_num_embeddings") is not None:
        raise UsageError("Vocos with conditional norms cannot be imported: it decodes codes, not a mel")
    shape = {name: int(backbone[name]) for name in ("input_channels", "dim", "intermediate_dim", "num_layers")}
    hop = int(head["hop_length"])
    mel = ImportedMel(
        sample_rate=int(features.get("sample_rate", 24000)),
        n_fft=int(features.get("n_fft", 1024)),
        hop_length=int(features.get("hop_length", 256)),
        num_mels=int(features.get("n_mels", 100)),
        fmin_hz=0.0,
        fmax_hz=int(features.get("sample_rate", 24000)) / 2,
        scale="htk",
        clip=1e-7,
        centred=features.get("padding", "center") == "center",
    )
    agree = (mel.n_fft, mel.hop_length, mel.num_mels) == (int(head["n_fft"]), hop, shape["input_channels"])
    if not agree:
        raise BankError("the configuration contradicts itself: the head, the backbone and the features differ in size")
    config = VocosConfig(**shape, n_fft=int(head["n_fft"]))
    mel.check()
    check_vocos(config)
    return Imported("Vocos", Vocos(config), mel, head.get("padding", "same") == "center")


EXPECTED = {
    "feature_extractor": "MelSpectrogramFeatures",
    "backbone": "VocosBackbone",
    "head": "ISTFTHead",
}
"""The classes of the mel version of Vocos."""


def _frozen(value: Any) -> Any:
    return tuple(_frozen(one) for one in value) if isinstance(value, list) else value
