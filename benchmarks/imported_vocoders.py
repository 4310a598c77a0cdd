"""What the published configurations cost as decoders: random weights cost what trained ones do.

    python benchmarks/imported_vocoders.py [NAME ...]

One JSON object a line. Times are those of the processor, one thread.
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from tnca_synth.engine.decoders.base import NoteControls
from tnca_synth.engine.decoders.imported.decoder import ImportedDecoder
from tnca_synth.export.imported.layouts import Imported, describe
from tnca_synth.export.imported.onnx_file import after_silence, export_imported
from tnca_synth.export.imported.ops import TorchTape
from tnca_synth.export.imported.probe import own_spec

CALLS = (1, 16)
AUDIO_S = 0.25
LARGE = {
    "resblock": "1", "upsample_rates": [4, 4, 2, 2, 2, 2], "upsample_kernel_sizes": [8, 8, 4, 4, 4, 4],
    "upsample_initial_channel": 1536, "resblock_kernel_sizes": [3, 7, 11],
    "resblock_dilation_sizes": [[1, 3, 5]] * 3, "activation": "snakebeta", "snake_logscale": True,
    "use_tanh_at_final": False, "use_bias_at_final": False, "num_mels": 80, "n_fft": 1024, "hop_size": 256,
    "win_size": 1024, "sampling_rate": 22050, "fmin": 0, "fmax": None,
}  # fmt: skip
CONFIGS = {
    "vocos-24khz": {
        "feature_extractor": {"class_path": "MelSpectrogramFeatures", "init_args": {"padding": "center"}},
        "backbone": {
            "class_path": "VocosBackbone",
            "init_args": {"input_channels": 100, "dim": 512, "intermediate_dim": 1536, "num_layers": 8},
        },
        "head": {
            "class_path": "ISTFTHead",
            "init_args": {"dim": 512, "n_fft": 1024, "hop_length": 256, "padding": "center"},
        },
    },
    "bigvgan-base-22khz-80band": LARGE
    | {"upsample_rates": [8, 8, 2, 2], "upsample_kernel_sizes": [16, 16, 4, 4], "upsample_initial_channel": 512},
    "bigvgan-v2-22khz-80band-256x": LARGE,
    "bigvgan-v2-44khz-128band-256x": LARGE | {"num_mels": 128, "sampling_rate": 44100},
    "bigvgan-v2-44khz-128band-512x": LARGE
    | {
        "num_mels": 128, "sampling_rate": 44100, "n_fft": 2048, "win_size": 2048, "hop_size": 512,
        "upsample_rates": [8, 4, 2, 2, 2, 2], "upsample_kernel_sizes": [16, 8, 4, 4, 4, 4],
    },
}  # fmt: skip


@torch.no_grad()
def random_vocoder(name: str) -> Imported:
    """Return a vocoder of a published configuration with random weights."""
    torch.manual_seed(0)
    imported = describe(CONFIGS[name])
    window = torch.hann_window(14, periodic=False)[1:-1]
    for key, values in imported.network.eval().named_buffers():
        if key.endswith("filter"):
            values.copy_(window / window.sum())
    return imported


@torch.no_grad()
def gmac_per_second(imported: Imported) -> float:
    """Return the multiplications, in thousands of millions, that a second of sound takes."""
    frames = 8
    tape = TorchTape(after_silence(imported))
    with FlopCounterMode(display=False) as counter:
        imported.network.stream(torch.zeros(1, frames, imported.mel.num_mels), tape)
    seconds = frames * imported.mel.hop_length / imported.mel.sample_rate
    return counter.get_total_flops() / 2e9 / seconds


def rtf(decoder: ImportedDecoder, hops: int) -> float:
    """Return processor time over sound for one voice, `hops` at a time."""
    spec, slots = own_spec(decoder.mel), np.zeros(1, np.intp)
    rng = np.random.default_rng(0)
    field = rng.uniform(0.5, 2.0, (1, hops, 2, spec.num_bins)).astype(np.float32)
    controls = NoteControls(np.full((1, hops), 220.0), np.zeros(1))
    decoder.begin(slots, {"linear": field}, controls, np.zeros(1, np.uint64))
    calls = max(2, round(AUDIO_S / (hops * spec.hop_s)))
    start = time.process_time()
    for _ in range(calls):
        decoder.decode(slots, {"linear": field}, controls)
    return (time.process_time() - start) / (calls * hops * spec.hop_s)


def measure(name: str) -> dict[str, object]:
    """Return the figures of one configuration."""
    imported = random_vocoder(name)
    start = time.process_time()
    content, parity = export_imported(imported)
    imported_s = time.process_time() - start
    start = time.process_time()
    decoder = ImportedDecoder(content, own_spec(imported.mel), "linear")
    opened_s = time.process_time() - start
    figures: dict[str, object] = {
        "name": name,
        "parameters": sum(one.numel() for one in imported.network.parameters()),
        "bytes": len(content),
        "parity": parity,
        "import_s": round(imported_s, 1),
        "open_s": round(opened_s, 1),
        "lookahead_hops": decoder.full_lookahead,
        "lookahead_s": round(decoder.full_lookahead * own_spec(imported.mel).hop_s, 3),
        "state_bytes_per_voice": 4 * after_silence(imported).shape[1],
        "gmac_per_second": round(gmac_per_second(imported), 1),
    }
    return figures | {f"rtf_{hops}_hops": round(rtf(decoder, hops), 2) for hops in CALLS}


if __name__ == "__main__":
    torch.set_num_threads(1)
    for wanted in sys.argv[1:] or CONFIGS:
        print(json.dumps(measure(wanted)), flush=True)
