"""The ensemble decoder: its parts agree in phase, in calls of any length, and it is as good as the better of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tnca_synth.engine.arrays import FloatArray
from tnca_synth.engine.decoders.base import NoteControls
from tnca_synth.engine.decoders.combined.blend import EnsembleDecoder, GuidedGriffinLim
from tnca_synth.engine.decoders.griffin_lim import GriffinLimDecoder
from tnca_synth.engine.decoders.harmonic import HarmonicDecoder
from tnca_synth.engine.spectra.fields import Fields
from tnca_synth.training.measure.distance import stft_distance

from .decoding import A3_HZ, HOP, RATE, SPEC, chunks, decode, flat_fields, harmonic_note, rms_db, steady, true_fields

SUSTAIN = slice(RATE // 5, 4 * RATE // 5)


def make(slots: int = 4) -> EnsembleDecoder:
    return EnsembleDecoder(HarmonicDecoder(SPEC, slots), SPEC, slots, "linear")


def mixed(fields: Fields, controls: NoteControls, share: float) -> FloatArray:
    """Decode one note with a share of Griffin-Lim."""
    return decode(make(), fields, replace(controls, blend=np.full(controls.f0_hz.shape, share)))


@pytest.mark.parametrize("calls", chunks(12))
def test_any_number_of_hops_in_a_call_gives_the_same_samples(calls: list[int]) -> None:
    rng = np.random.default_rng(0)
    fields = flat_fields(1.0, 0.5, 15, voices=2)
    fields["linear"] += rng.uniform(0, 0.5, fields["linear"].shape).astype(np.float32)
    f0 = np.array([[220.0], [0.0]]) * np.linspace(1, 1.1, 15)
    controls = NoteControls(f0, np.array([0.0, 0.0]))
    whole = decode(make(), fields, controls)
    assert whole.shape == (2, 12 * HOP)
    assert np.abs(whole).max() > 0.01
    np.testing.assert_allclose(decode(make(), fields, controls, calls), whole, rtol=0, atol=1e-6)


def test_without_its_second_part_it_is_the_leader() -> None:
    fields = true_fields(harmonic_note())
    controls = steady(A3_HZ, fields["linear"].shape[1])
    alone = decode(HarmonicDecoder(SPEC, 1), fields, controls)
    together = mixed(fields, controls, 0.0)
    np.testing.assert_allclose(together, alone[:, : together.shape[1]], atol=1e-6)


def test_the_parts_do_not_cancel() -> None:
    note = harmonic_note()
    fields = true_fields(note)
    controls = steady(A3_HZ, fields["linear"].shape[1])
    leader, second, both = (mixed(fields, controls, share)[0][SUSTAIN] for share in (0.0, 1.0, 0.3))
    assert np.corrcoef(leader, second)[0, 1] > 0.98
    assert rms_db(both) == pytest.approx(rms_db(leader), abs=0.3)
    unguided = decode(GriffinLimDecoder(SPEC, 1), fields, controls)[0]
    assert abs(np.corrcoef(leader, unguided[SUSTAIN][: len(leader)])[0, 1]) < 0.9  # what guiding is for


def test_the_second_part_brings_back_what_the_leader_misses() -> None:
    note = harmonic_note()
    note = (note + 0.03 * np.random.default_rng(1).standard_normal(len(note))).astype(np.float32)
    fields = true_fields(note)
    controls = steady(A3_HZ, fields["linear"].shape[1])
    heard = note[: (fields["linear"].shape[1] - 3) * HOP]
    distances = [stft_distance(mixed(fields, controls, share)[0], heard) for share in (0.0, 0.15, 0.3, 0.6)]
    assert distances == sorted(distances, reverse=True)


def test_the_guide_is_what_it_sounds_like() -> None:
    """With the guide's own magnitudes, guided Griffin-Lim gives the guide back."""
    note = harmonic_note()
    fields = true_fields(note)
    frames = fields["linear"].shape[1]
    guided = GuidedGriffinLim(SPEC, 1, "linear")
    hops = np.concatenate([np.zeros(HOP, np.float32), note])[: frames * HOP].reshape(1, -1, HOP)
    slots = np.array([0])
    guided.begin_guided(slots, {"linear": fields["linear"][:, :3]}, hops[:, :3])
    rest = hops.shape[1]
    audio = guided.decode_guided(slots, {"linear": fields["linear"][:, 3:rest]}, hops[:, 3:])[0]
    error = audio[SUSTAIN] - note[: len(audio)][SUSTAIN]
    assert rms_db(error) < rms_db(note[SUSTAIN]) - 25


def test_a_share_that_moves_glides_from_hop_to_hop() -> None:
    note = harmonic_note()
    fields = true_fields(note)
    controls = steady(A3_HZ, fields["linear"].shape[1])
    shares = np.where(np.arange(controls.f0_hz.shape[1]) < 20, 0.0, 1.0)[None]
    leader, second, moved = mixed(fields, controls, 0.0), mixed(fields, controls, 1.0), replace(controls, blend=shares)
    found = decode(make(), fields, moved)[0]
    turning = next(hop for hop in range(10, 30) if not np.array_equal(found[: HOP * hop], leader[0, : HOP * hop])) - 1
    hop = slice(turning * HOP, (turning + 1) * HOP)
    rise = np.arange(1, HOP + 1) / HOP
    np.testing.assert_allclose(found[hop], leader[0, hop] + rise * (second[0, hop] - leader[0, hop]), atol=1e-6)
    np.testing.assert_allclose(found[hop.stop :], second[0, hop.stop :], atol=1e-6)
