"""A hierarchical model small enough to train in a test: notes of `tiny` measured and heard, 8 bands and 20 of noise."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import tiny
import torch

from tnca_synth.engine.spectra.spec import AudioSpec
from tnca_synth.training.codec.notes import SoundNotes, with_audio
from tnca_synth.training.config.models import ALPHA, MEL_LEVEL, HierarchicalConfig
from tnca_synth.training.config.run import TrainConfig
from tnca_synth.training.data.dataset import assemble
from tnca_synth.training.hierarchical.nca import HierarchicalNCA
from tnca_synth.training.hierarchical.targets import measure_stages
from tnca_synth.training.loop.checkpoint import Checkpoint
from tnca_synth.training.measure.note_features import extract

SPEC = AudioSpec(sample_rate=8000, n_fft=512, hop_length=256, num_mels=16)
STAGES = HierarchicalConfig(
    channels=8, hidden=16, timbre_size=4, seed_hidden=16, band_genes=2, pitch_genes=2, partial_genes=2, key_size=3,
    fine_hidden=8, decoder_hidden=6, detail_genes=2, noise_bands=20, spec=SPEC,
)  # fmt: skip


def config(**changes: object) -> TrainConfig:
    """Return a configuration that trains on `notes` in moments."""
    own = {"kind": "hierarchical", "hierarchical": STAGES, "stages_join": (0.25, 0.5, 0.75)}
    return tiny.config(**{"representation": "mel", "name": "hierarchical", **own, **changes})


@cache
def notes() -> SoundNotes:
    """Return 18 notes of one instrument with all that the stages learn from; not to be changed: tests share it."""
    one = tiny.REED
    recordings = [
        tiny.recording(one, key, velocity, tiny.LONG_S if velocity == 60 else tiny.SHORT_S)
        for key in range(one.low, one.high + 1)
        for velocity in tiny.VELOCITIES
    ]
    group = [extract(each, SPEC, one.inharmonic) for each in recordings]
    found = assemble([group], SPEC, with_linear=False, measure=measure_stages(STAGES))
    return with_audio(found, [each.audio for each in recordings], SPEC)


def network(seed: int = 0) -> HierarchicalNCA:
    """Return a network with random weights whose cells live and stay in range, as trained ones do."""
    torch.manual_seed(seed)
    model = HierarchicalNCA(STAGES, len(tiny.TIMBRES)).eval()
    with torch.no_grad():
        model.keys.weight.copy_(torch.randn(model.keys.weight.shape).half())
        update = model.columns[0].get_submodule("update")
        assert isinstance(update, torch.nn.Linear)
        update.weight.normal_(std=0.3)
        update.weight[ALPHA] *= 0.05
        update.bias[[MEL_LEVEL, ALPHA]] = torch.tensor([1.2, 0.8])
        for head in (model.refinement.detail, model.decoder.change):
            head.weight.normal_(std=0.1)
    return model


@cache
def checkpoint() -> Checkpoint:
    """Return a checkpoint of a network that was never trained."""
    like = tiny.checkpoint(tiny.config("mel"))
    return replace(like, config=config().to_dict(), weights=network().state_dict())
