"""The vocoder decoder is its network, then partials and noise; it remembers just the frames its network sees."""

from __future__ import annotations

import numpy as np
import pytest
import tiny
import torch

from tnca_synth.engine.arrays import FloatArray
from tnca_synth.engine.decoders.base import NoteControls
from tnca_synth.engine.decoders.harmonic import HarmonicDecoder
from tnca_synth.engine.decoders.vocoder import VocoderDecoder
from tnca_synth.engine.spectra.fields import Fields
from tnca_synth.errors import BankError

from .decoding import chunks, decode, flat_fields, loudest_hz, steady

SPEC = tiny.SPEC
HOP = SPEC.hop_length
CONFIG = tiny.config().vocoder
FRAMES = 25


def make(slots: int = 4) -> VocoderDecoder:
    return VocoderDecoder(tiny.bank_files()["vocoder.onnx"], HarmonicDecoder(SPEC, slots), slots)


def random_fields(voices: int = 2, frames: int = FRAMES) -> Fields:
    low, high = np.array([[1.0], [0.0]]), np.array([[2.2], [1.0]])
    mel = np.random.default_rng(0).uniform(low, high, (voices, frames, 2, SPEC.num_mels))
    return {"mel": mel.astype(np.float32)}


@pytest.mark.parametrize("calls", chunks(FRAMES - 1))
def test_any_number_of_hops_in_a_call_gives_the_same_samples(calls: list[int]) -> None:
    controls = steady([220.0, 0.0], FRAMES)
    whole = decode(make(), random_fields(), controls)
    assert whole.shape == (2, (FRAMES - 1) * HOP)
    assert (np.abs(whole).max(1) > 1e-3).all()
    np.testing.assert_allclose(decode(make(), random_fields(), controls, calls), whole, rtol=0, atol=1e-6)


def torch_linear(mel: FloatArray, controls: NoteControls) -> FloatArray:
    """Return the linear side as the network of training reads it from whole notes."""
    network = tiny.vocoder_network(CONFIG)
    with torch.no_grad():
        padded = network.with_history(torch.from_numpy(mel), CONFIG.history_frames)
        f0_hz, stretch = (torch.from_numpy(x).float() for x in (controls.f0_hz, controls.inharmonicity))
        linear = network(padded, f0_hz, stretch).numpy()
    return np.stack([np.maximum(linear[:, :, 0], 0), np.clip(linear[:, :, 1], 0, 1)], 2)


def test_it_sounds_what_the_trained_network_reads_from_the_whole_note() -> None:
    fields, controls = random_fields(), steady([220.0, 0.0], FRAMES, stretch=2e-4)
    wanted = decode(HarmonicDecoder(SPEC, 4), {"linear": torch_linear(fields["mel"], controls)}, controls)
    for calls in ((), (3, 1, 7)):
        np.testing.assert_allclose(decode(make(), fields, controls, calls), wanted, rtol=0, atol=2e-5)


def test_its_network_never_sees_the_future() -> None:
    fields, controls = random_fields(), steady([220.0, 330.0], FRAMES)
    before = torch_linear(fields["mel"], controls)
    fields["mel"][:, 12:] += 0.3
    after = torch_linear(fields["mel"], controls)
    np.testing.assert_array_equal(after[:, :12], before[:, :12])
    assert not np.allclose(after[:, 12], before[:, 12])


def test_a_note_that_is_pitched_sounds_partials_and_one_that_is_not_sounds_none() -> None:
    fields = flat_fields(2.0, 1.0, 126, spec=SPEC)
    f0_hz = 440.0
    audio = decode(make(), fields, steady(f0_hz, 126))[0]
    partial = loudest_hz(audio[HOP * 20 :], SPEC.sample_rate) / f0_hz
    assert partial == pytest.approx(round(partial), abs=0.01)
    noise = decode(make(), fields, steady(0.0, 126))[0][HOP * 20 :]
    spectrum = np.abs(np.fft.rfft(noise)) ** 2
    assert spectrum.max() < 0.05 * spectrum.sum()


def test_a_bend_keeps_the_phase() -> None:
    fields = flat_fields(2.0, 1.0, 60, spec=SPEC)
    controls = NoteControls(440.0 * 2 ** (np.linspace(0, 2, 60)[None] / 12), np.zeros(1))
    np.testing.assert_allclose(
        decode(make(), fields, controls, [1] * 50), decode(make(), fields, controls), rtol=0, atol=1e-6
    )


def test_slots_do_not_disturb_each_other() -> None:
    fields, controls = random_fields(), steady([220.0, 331.0], FRAMES)
    together = decode(make(), fields, controls, slots=[3, 1], seeds=[11, 12])
    shared = make()
    for voice, slot in ((0, 2), (1, 0)):
        one = {"mel": fields["mel"][voice : voice + 1]}
        part = NoteControls(controls.f0_hz[voice : voice + 1], controls.inharmonicity[:1])
        alone = decode(shared, one, part, slots=[slot], seeds=[11 + voice])
        np.testing.assert_allclose(alone[0], together[voice], rtol=0, atol=1e-5)


def test_notes_of_other_slots_may_sound_in_between() -> None:
    fields, controls = random_fields(voices=1), steady(220.0, FRAMES)
    wanted = decode(make(), fields, controls, slots=[2])
    decoder, hops = make(), []
    first = NoteControls(controls.f0_hz[:, :1], controls.inharmonicity)
    slot, seed = np.array([2]), np.array([7], np.uint64)
    decoder.begin(slot, {"mel": fields["mel"][:, :1]}, first, seed)
    for t in range(1, FRAMES):
        hops.append(decoder.decode(slot, {"mel": fields["mel"][:, t : t + 1]}, first))
        decode(decoder, random_fields(frames=4), steady([100.0, 0.0], 4), slots=[0, 3])
    np.testing.assert_allclose(np.concatenate(hops, 1), wanted, rtol=0, atol=1e-6)


def test_a_slot_keeps_nothing_of_its_last_note() -> None:
    decoder, controls = make(), steady([220.0, 0.0], FRAMES)
    first = decode(decoder, random_fields(), controls)
    np.testing.assert_array_equal(decode(decoder, random_fields(), controls), first)


def test_a_file_that_is_no_vocoder_is_refused() -> None:
    with pytest.raises(BankError, match="not a model that ONNX Runtime"):
        VocoderDecoder(b"not ONNX", HarmonicDecoder(SPEC, 4), 4)
