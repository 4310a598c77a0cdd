"""Notes, networks and banks small enough to make on the spot: everything that training and export need, in seconds."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import torch

from tnca_synth.engine.arrays import FloatArray
from tnca_synth.engine.bank.bank import Bank
from tnca_synth.engine.bank.manifest import MANIFEST, parse_manifest
from tnca_synth.engine.keys.stored.correction_arrays import CorrectionArrays
from tnca_synth.engine.models.growth_model import OnnxGrowthModel
from tnca_synth.engine.spectra.pitch import partial_hz, pitch_to_hz
from tnca_synth.engine.spectra.spec import AudioSpec
from tnca_synth.export.bank import write_bank
from tnca_synth.training.config.instruments import InstrumentConfig
from tnca_synth.training.config.models import ALPHA, LINEAR_LEVEL, MEL_LEVEL, NCAConfig, VocoderConfig
from tnca_synth.training.config.run import DataConfig, TrainConfig
from tnca_synth.training.correction.correction import measure_correction
from tnca_synth.training.data.dataset import NoteSet, assemble
from tnca_synth.training.loop.checkpoint import Checkpoint
from tnca_synth.training.measure.note_features import extract
from tnca_synth.training.measure.recording import Recording, is_held_out_key
from tnca_synth.training.spectral.nca import TNCA
from tnca_synth.training.spectral.vocoder import MelVocoder

torch.set_num_threads(1)  # networks as small as these only wait for a second thread

SPEC = AudioSpec(sample_rate=8000, n_fft=256, hop_length=64, num_mels=16)
REED = InstrumentConfig("reed", program=71, low=60, high=67)
STRING = InstrumentConfig("string", program=25, low=60, high=67, inharmonic=True, sustains=False)
KEYS = tuple(key for key in range(REED.low, REED.high + 1) if not is_held_out_key(key))
"""Keys of both that are trained."""
KIT = InstrumentConfig("kit", program=0, low=35, high=36, pitched=False, drum_keys=True, sustains=False)
INSTRUMENTS = (REED, STRING, KIT)
TIMBRES = ("kit:35", "kit:36", "reed", "string")
VELOCITIES = (60, 90, 120)
LONG_S, SHORT_S, TAIL_S = 1.8, 0.3, 0.2
SIZES = {
    "channels": 8, "hidden": 24, "timbre_size": 4, "seed_hidden": 16, "band_genes": 2, "pitch_genes": 2,
    "partial_genes": 2, "readout_hidden": 8, "key_size": 3,
}  # fmt: skip

MODEL = """
[model]
representation = "mel"
channels = 8
hidden = 16
timbre_size = 4
seed_hidden = 16
"""
PRESET = f"""
iterations = 3
batch_size = 5
pool_size = 6
window_frames = 8
checkpoint_every = 2

[data]
licence = "MIT"
velocities = [64, 90]
holds_s = [[0.2]]
tail_s = 0.1
instruments = [{{ name = "flute", program = 73, low = 71, high = 73 }}]
{MODEL}"""
"""A training of moments; its batch is not to be divided by two or three."""


def sines(
    hz: FloatArray, amplitudes: FloatArray, seconds: float, sample_rate: int, decay_s: float = np.inf
) -> FloatArray:
    """Return a sum of sines that starts at zero, float32 (N,)."""
    time_s = np.arange(round(seconds * sample_rate)) / sample_rate
    waves = amplitudes[:, None] * np.sin(2 * np.pi * np.asarray(hz, np.float64)[:, None] * time_s)
    return (waves.sum(0) * np.exp(-time_s / decay_s)).astype(np.float32)


def recording(
    instrument: InstrumentConfig, key: int, velocity: int, hold_s: float, spec: AudioSpec = SPEC
) -> Recording:
    """Return a synthetic note: a steady or decaying tone, or noise; it dies away in 30 ms once released."""
    rate, seconds = SPEC.sample_rate, hold_s + TAIL_S
    level = (velocity / 127) ** 2
    decay_s = np.inf if instrument.sustains else 0.6
    if instrument.pitched:
        hz = partial_hz(pitch_to_hz(key), 3e-4 if instrument.inharmonic else 0.0, 6)
        audio = sines(hz, 0.3 * level / np.arange(1, 7), seconds, rate, decay_s)
    else:
        noise = np.random.default_rng(1000 * key + velocity).standard_normal(round(seconds * rate))
        audio = 0.1 * level * noise * np.exp(-np.arange(len(noise)) / (0.1 * rate))
    released_s = np.maximum(np.arange(len(audio)) / rate - hold_s, 0.0)
    name = f"{instrument.name}:{key}" if instrument.drum_keys else instrument.name
    faded = (audio * np.exp(-released_s / 0.03)).astype(np.float32)
    return Recording(faded, name, key, velocity, hold_s, instrument.pitched)


@cache
def notes() -> NoteSet:
    """Return 54 notes of two pitched instruments and two drums; not to be changed: tests share it."""
    groups = []
    for one in INSTRUMENTS:
        keys = range(one.low, one.high + 1)
        recordings = [recording(one, k, v, LONG_S if v == 60 else SHORT_S) for k in keys for v in VELOCITIES]
        groups.append([extract(each, SPEC, one.inharmonic) for each in recordings])
    return assemble(groups, SPEC, decaying=frozenset(one.name for one in INSTRUMENTS if not one.sustains))


def config(representation: str = "dual", **changes: object) -> TrainConfig:
    """Return a configuration that trains on `notes` in moments."""
    whole = TrainConfig(
        name=representation,
        seed=5,
        iterations=8,
        batch_size=6,
        window_frames=8,
        pool_size=12,
        learning_rate=1e-2,
        checkpoint_every=4,
        data=DataConfig(soundfont="synthetic.sf2", licence="public domain", instruments=INSTRUMENTS),
        model=NCAConfig(representation, spec=SPEC, **SIZES),
        vocoder=VocoderConfig(hidden=16, band_features=4, bin_hidden=8, spec=SPEC),
    )
    return replace(whole, **changes)


def vocoder_config(**changes: object) -> TrainConfig:
    """Return a configuration that trains a vocoder on `notes`."""
    return config(**{"name": "vocoder", "kind": "vocoder", **changes})


def growth_network(representation: str = "dual", seed: int = 0) -> TNCA:
    """Return a network with random weights whose cells live and stay in range, as trained ones do."""
    torch.manual_seed(seed)
    model = TNCA(NCAConfig(representation, spec=SPEC, **SIZES), len(TIMBRES)).eval()
    with torch.no_grad():
        model.keys.weight.copy_(torch.randn(model.keys.weight.shape).half())
        model.update.weight.normal_(std=0.3)
        model.update.weight[ALPHA] *= 0.05
        model.update.bias[[MEL_LEVEL, LINEAR_LEVEL, ALPHA]] = torch.tensor([1.2, 1.2, 0.8])
        if representation == "dual":
            model.read_out.weight.normal_(std=0.3)
    return model


def vocoder_network(vocoder: VocoderConfig, seed: int = 0) -> MelVocoder:
    """Return a vocoder with random weights."""
    torch.manual_seed(seed)
    return MelVocoder(vocoder).eval()


def checkpoint(train_config: TrainConfig) -> Checkpoint:
    """Return a checkpoint of a network that was never trained."""
    vocoder = train_config.kind == "vocoder"
    model = vocoder_network(train_config.vocoder) if vocoder else growth_network(train_config.model.representation)
    cents, stretch = (tuple(np.interp(KEYS, (60, 64), ends).tolist()) for ends in ((1.5, -2.0), (1e-4, 2e-4)))
    tuning = {name: {"keys": KEYS, "cents": cents, "inharmonicity": stretch} for name in ("reed", "string")}
    drums = {f"kit:{key}": {"keys": (key,), "cents": (0.0,), "inharmonicity": (0.0,)} for key in (35, 36)}
    tuning |= drums
    motions = torch.frombuffer(bytearray(notes().motion_arrays.to_bytes()), dtype=torch.uint8)
    known = Checkpoint(train_config.to_dict(), model.state_dict(), TIMBRES, tuning, motions, 123, 45.6, {})
    if vocoder or train_config.model.representation == "mel":
        return known
    return replace(known, correction=torch.frombuffer(bytearray(corrected().to_bytes()), dtype=torch.uint8))


@cache
def corrected() -> CorrectionArrays:
    """Return what the untrained dual network misses."""
    return measure_correction(growth_network("dual"), notes())


RECORDED = (("kit:35", (35,)), ("kit:36", (36,)), ("reed", KEYS), ("string", KEYS))
"""The recorded keys of `TIMBRES`, as `checkpoint` tells them."""


@cache
def checkpoints() -> tuple[Checkpoint, ...]:
    """Return what the tiny bank is made of."""
    return checkpoint(config("mel")), checkpoint(config("dual")), checkpoint(vocoder_config())


@cache
def bank_files() -> dict[str, bytes]:
    """Return the files of a bank with both representations and a vocoder, exported once per test run."""
    with tempfile.TemporaryDirectory() as name:
        write_bank(Path(name), list(checkpoints()), {"dual": {"mel_db": 1.25}})
        return {path.name: path.read_bytes() for path in Path(name).iterdir()}


def write_tiny_bank(folder: Path) -> Path:
    """Write the bank's files into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in bank_files().items():
        (folder / name).write_bytes(content)
    return folder


@cache
def bank() -> Bank:
    """Return the bank, loaded."""
    return Bank(parse_manifest(bank_files()[MANIFEST]), bank_files())


@cache
def growth_model(representation: str = "dual") -> OnnxGrowthModel:
    """Return `growth_network` as the engine runs it."""
    return bank().growth_model(representation, "cpu")
