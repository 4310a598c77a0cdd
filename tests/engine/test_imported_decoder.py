"""An imported vocoder decodes what is grown: its mel is near the true one, and calls of any length sound the same."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import librosa
import numpy as np
import onnx
import onnx.helper
import originals
import pytest
import torch
from numpy.typing import NDArray

from tnca_synth.engine.arrays import FloatArray
from tnca_synth.engine.decoders.base import NoteControls
from tnca_synth.engine.decoders.imported.decoder import ImportedDecoder
from tnca_synth.engine.decoders.imported.magnitudes import BinMagnitudes
from tnca_synth.engine.decoders.imported.mel import ImportedMel, foreign_filterbank
from tnca_synth.engine.decoders.parts.istft import InverseSTFT
from tnca_synth.engine.spectra.spec import AudioSpec
from tnca_synth.engine.spectra.stft import hann
from tnca_synth.errors import BankError, UsageError
from tnca_synth.export.imported.layouts import load
from tnca_synth.export.imported.onnx_file import export_imported
from tnca_synth.export.imported.probe import cap_snr_db, own_spec

from .decoding import HOP, RATE, SPEC, decode, harmonic_note, steady, true_fields

pytestmark = pytest.mark.slow

KINDS = ("bigvgan", "vocos")
DB = 20.0 / np.log(10.0)
MEL = ImportedMel(22050, 1024, 256, 80, 0.0, 11025.0, "slaney", 1e-5, centred=False)


@cache
def model(kind: str, lookahead: int | None = None) -> bytes:
    """Return a small vocoder as the engine gets it."""
    torch.manual_seed(0)
    with TemporaryDirectory() as name:
        save, config = {
            "bigvgan": (originals.save_bigvgan, originals.TINY_BIGVGAN),
            "vocos": (originals.save_vocos, originals.FITTING_VOCOS),
        }[kind]
        return export_imported(load(save(Path(name), config)), lookahead)[0]


def snr_db(wanted: FloatArray, found: FloatArray) -> float:
    error = np.sum((wanted.astype(np.float64) - found) ** 2)
    return float(10.0 * np.log10(np.sum(wanted.astype(np.float64) ** 2) / max(error, 1e-30)))


def two_notes() -> tuple[dict[str, FloatArray], NoteControls]:
    notes = [true_fields(harmonic_note(f0_hz=hz, seconds=0.7)) for hz in (220.0, 311.0)]
    fields = {name: np.concatenate([note[name] for note in notes]) for name in notes[0]}
    return fields, steady([220.0, 311.0], fields["mel"].shape[1])


@pytest.mark.parametrize("field", ["mel", "linear"])
@pytest.mark.parametrize("kind", KINDS)
def test_hop_by_hop_is_the_whole_at_60_db_or_better(kind: str, field: str) -> None:
    fields, controls = two_notes()
    decoder = ImportedDecoder(model(kind), SPEC, field)
    assert decoder.consumes == (field,)
    whole = decode(decoder, fields, controls)
    assert whole.shape == (2, (fields["mel"].shape[1] - decoder.lookahead) * HOP)
    assert whole.std() > 1e-3
    for calls in ([1] * 20, [5, 1, 3]):
        assert snr_db(whole, decode(decoder, fields, controls, calls)) > 60.0


@pytest.mark.parametrize("kind", KINDS)
def test_it_sounds_what_the_published_network_makes_of_the_same_frames(kind: str) -> None:
    fields, controls = two_notes()
    decoder = ImportedDecoder(model(kind), SPEC, "linear")
    found = decode(decoder, fields, controls)
    wanted = originally(kind, fields["linear"], controls)
    frames = found.shape[1] // HOP - decoder.full_lookahead  # beyond them the original sees its own end
    assert snr_db(wanted[:, : frames * HOP], found[:, : frames * HOP]) > 60.0


@torch.no_grad()
def originally(kind: str, pair: FloatArray, controls: NoteControls) -> FloatArray:
    """Return what an original network makes of a whole note after long silence, cut at the onset."""
    magnitude = BinMagnitudes(SPEC, "linear")(pair, controls)
    after = np.concatenate([magnitude[:, 1:], magnitude[:, -1:]], 1)
    onset = 0.5 * magnitude[:, :1]
    config = originals.TINY_BIGVGAN if kind == "bigvgan" else originals.FITTING_VOCOS
    mel = MEL if kind == "bigvgan" else ImportedMel(22050, 1024, 256, 80, 0.0, 11025.0, "htk", 1e-7, centred=False)
    silent = np.zeros((2, 60, SPEC.num_bins), np.float32)
    frames = mel.log_mel(np.concatenate([silent, onset, 0.5 * (magnitude + after)], 1))
    turned = torch.from_numpy(frames).transpose(1, 2)
    if kind == "bigvgan":
        audio = originals.bigvgan(config)(turned)[:, 0]
    else:
        backbone, head = originals.vocos(config)
        audio = head(backbone(turned))
    return audio.numpy()[:, 61 * HOP :]


@pytest.mark.parametrize("kind", KINDS)
def test_a_capped_look_ahead_is_kept_and_its_price_is_known(kind: str) -> None:
    fields, controls = two_notes()
    free, capped = (ImportedDecoder(model(kind, cap), SPEC, "linear") for cap in (None, 4))
    assert (capped.lookahead, capped.full_lookahead) == (4, free.lookahead)
    assert free.lookahead > 4
    whole = decode(capped, fields, controls)
    assert snr_db(whole, decode(capped, fields, controls, [1] * 9)) > 60.0
    hops = min(whole.shape[1], decode(free, fields, controls).shape[1])
    assert 0.0 < snr_db(decode(free, fields, controls)[:, :hops], whole[:, :hops]) < 60.0
    assert 0.0 < cap_snr_db(capped) < 60.0

    changed = {name: values.copy() for name, values in fields.items()}
    changed["linear"][:, 24:] = 0.0
    np.testing.assert_array_equal(decode(capped, changed, controls)[:, : 20 * HOP], whole[:, : 20 * HOP])


def test_a_look_ahead_beyond_what_the_network_sees_is_none() -> None:
    decoder = ImportedDecoder(model("vocos", 500), SPEC, "mel")
    assert decoder.lookahead == decoder.full_lookahead == 12


def test_a_slot_that_is_used_again_starts_from_silence() -> None:
    fields, controls = two_notes()
    decoder = ImportedDecoder(model("vocos"), SPEC, "linear")
    before = decode(decoder, fields, controls)
    np.testing.assert_array_equal(decode(decoder, fields, controls), before)


def true_mel(audio: FloatArray, mel: ImportedMel = MEL) -> NDArray[np.float64]:
    """Return the mel as vocoders of HiFi-GAN's line measure it: windows a quarter before to three quarters after."""
    around = (mel.n_fft - mel.hop_length) // 2
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(audio, around), mel.n_fft)[:: mel.hop_length]
    bands = librosa.filters.mel(sr=mel.sample_rate, n_fft=mel.n_fft, n_mels=mel.num_mels, fmin=0, fmax=mel.fmax_hz)
    return np.log(np.maximum(np.abs(np.fft.rfft(windows * hann(mel.n_fft))) @ bands.T, mel.clip))


@pytest.mark.parametrize(
    ("kind", "field", "limit_db"),
    [("tone", "linear", 0.5), ("tone", "mel", 1.0), ("noise", "linear", 1.0), ("noise", "mel", 1.2)],
)
def test_the_mel_is_near_the_true_one(kind: str, field: str, limit_db: float) -> None:
    noise = (0.1 * np.random.default_rng(0).standard_normal(RATE)).astype(np.float32)
    audio = harmonic_note(partials=30) if kind == "tone" else noise
    pair = true_fields(audio, pitched=kind == "tone")[field]
    controls = steady(220.0 if kind == "tone" else 0.0, pair.shape[1])
    magnitude = BinMagnitudes(SPEC, field)(pair, controls)[0]
    found = MEL.log_mel(0.5 * (magnitude[:-1] + magnitude[1:]))
    wanted = true_mel(audio)[: len(found)]
    loud = wanted > wanted.max() - 60.0 / DB
    assert np.abs(found - wanted)[loud].mean() * DB < limit_db


def test_the_bands_are_librosas() -> None:
    for scale, norm in (("slaney", "slaney"), ("htk", None)):
        mel = ImportedMel(24000, 1024, 256, 100, 20.0, 11000.0, scale, 1e-7, centred=True)
        wanted = librosa.filters.mel(
            sr=24000, n_fft=1024, n_mels=100, fmin=20.0, fmax=11000.0, htk=scale == "htk", norm=norm
        )
        np.testing.assert_allclose(foreign_filterbank(mel), wanted, atol=1e-6)


@pytest.mark.parametrize("centred", [True, False])
@pytest.mark.parametrize(("n_fft", "hop"), [(1024, 256), (1280, 320), (512, 160)])
def test_the_inverse_transform_gives_a_signal_back(n_fft: int, hop: int, centred: bool) -> None:
    rng = np.random.default_rng(0)
    signal = rng.standard_normal(hop * 40).astype(np.float32)
    before = n_fft // 2 if centred else (n_fft - hop) // 2
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(signal, (before, n_fft)), n_fft)[::hop][:40]
    spectra = np.fft.rfft(windows * hann(n_fft)).astype(np.complex64)[None]
    inverse = InverseSTFT(n_fft, hop, centred)
    tail = np.zeros((1, inverse.tail_samples), np.float32)
    parts = []
    for part in (spectra[:, :1], spectra[:, 1:7], spectra[:, 7:]):
        sound, tail = inverse.push(part, tail)
        parts.append(sound[0])
    found = np.concatenate(parts)[inverse.lag_hops * hop :]
    inner = slice(n_fft, len(found))
    np.testing.assert_allclose(found[inner], signal[: len(found)][inner], atol=1e-4)


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        (AudioSpec(sample_rate=44100), "it wants 22050 Hz, not 44100"),
        (AudioSpec(hop_length=128), "it wants a hop of 256, not 128"),
        (AudioSpec(sample_rate=24000, n_fft=2048), "it wants 22050 Hz, not 24000; an FFT of 1024, not 2048"),
    ],
)
def test_what_does_not_fit_is_told(spec: AudioSpec, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        ImportedDecoder(model("vocos"), spec, "mel")


def test_another_number_of_bands_fits() -> None:
    spec = AudioSpec(num_mels=160)
    assert ImportedDecoder(model("vocos"), spec, "mel").lookahead == 12
    assert own_spec(MEL) == SPEC


def test_a_file_that_was_not_imported_is_refused() -> None:
    value = onnx.helper.make_tensor_value_info("mel", onnx.TensorProto.FLOAT, [1])
    node = onnx.helper.make_node("Identity", ["mel"], ["audio"])
    audio = onnx.helper.make_tensor_value_info("audio", onnx.TensorProto.FLOAT, [1])
    graph = onnx.helper.make_graph([node], "foreign", [value], [audio])
    foreign = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=9)
    with pytest.raises(BankError, match=r"imported vocoder's metadata is wrong or .* kind is missing"):
        ImportedDecoder(foreign.SerializeToString(), SPEC, "mel")
