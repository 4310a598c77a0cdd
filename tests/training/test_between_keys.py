"""Keys between recorded ones: told from both neighbours, and played from the nearest."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import tiny

from tnca_synth.training.data.between_keys import line_weights, notes_between
from tnca_synth.training.learning.foundation import Foundation, open_foundation
from tnca_synth.training.learning.instrument import About, make_instrument, with_attacks, with_codes_between
from tnca_synth.training.learning.notes import nearest_reach, note_set
from tnca_synth.training.measure.note_features import NoteFeatures, extract
from tnca_synth.training.measure.recording import Recording
from tnca_synth.training.spectral.nca import TNCA

LOW, HIGH = 60, 64


def recorded(key: int, velocity: int = 100, gain: float = 1.0) -> Recording:
    one = tiny.recording(tiny.REED, key, velocity, 0.8)
    return replace(one, audio=one.audio * np.float32(gain), instrument="mine")


def measured(key: int, velocity: int = 100, gain: float = 1.0) -> NoteFeatures:
    return replace(extract(recorded(key, velocity, gain), tiny.SPEC, inharmonic=False), held_out=False)


def loudest_bin(note: NoteFeatures) -> int:
    return int(note.linear[10:40, 0].astype(np.float32).mean(0).argmax())


def level_db(note: NoteFeatures) -> float:
    return float(note.linear[10:40, 0].astype(np.float32).mean(0).max()) * tiny.SPEC.level_scale_db


def test_a_key_between_two_sounds_at_its_pitch_and_between_their_levels() -> None:
    softer = measured(LOW), measured(HIGH, gain=0.25)  # 12 dB
    told = {note.pitch: note for note in notes_between(softer, tiny.SPEC)}
    assert sorted(told) == [61, 62, 63]
    for key, note in told.items():
        assert loudest_bin(note) == loudest_bin(measured(key))
        share = (key - LOW) / (HIGH - LOW)
        assert level_db(note) == pytest.approx(level_db(measured(key)) - 12.0 * share, abs=1.5)


def test_what_one_recording_has_for_itself_averages_out() -> None:
    keys = (54, 57, 60, 64, 67, 70)
    notes = [measured(key, gain=4.0 if key == 60 else 1.0) for key in keys]
    told = {note.pitch: note for note in notes_between(notes, tiny.SPEC)}
    beside = {note.pitch: note for note in notes_between([one for one in notes if one.pitch in (60, 64)], tiny.SPEC)}
    louder, louder_beside = (level_db(one[61]) - level_db(measured(61)) for one in (told, beside))
    assert louder_beside > 8.0 and 1.0 < louder < 0.6 * louder_beside


def test_weights_of_keys_around_follow_a_line_exactly() -> None:
    keys = [50, 53, 57, 58, 62]
    weights = line_weights(keys, 55)
    assert weights.sum() == pytest.approx(1.0) and weights @ np.array(keys) == pytest.approx(55.0)
    np.testing.assert_allclose(line_weights([60, 64], 61), [0.75, 0.25], atol=1e-9)


def test_layers_that_one_neighbour_lacks_are_not_told() -> None:
    notes = [measured(LOW, 40), measured(LOW, 110), measured(HIGH, 108)]
    assert {note.velocity for note in notes_between(notes, tiny.SPEC)} == {110, 108}


def test_what_is_held_out_or_far_apart_tells_nothing() -> None:
    notes = [measured(LOW), replace(measured(HIGH), held_out=True), measured(LOW + 17)]
    assert notes_between(notes, tiny.SPEC) == []


def test_of_keys_far_apart_every_second_one_between_is_told() -> None:
    keys = [note.pitch for note in notes_between([measured(60), measured(67)], tiny.SPEC)]
    assert keys == [62, 64, 65]


def test_a_key_is_heard_from_the_nearest_recorded_one() -> None:
    assert nearest_reach({"mine": {49, 52, 57}}) == {("mine", 49): 50, ("mine", 52): 54, ("mine", 57): 57}
    by_zones = nearest_reach({"mine": {49, 52, 57}}, (50, 53, 60))
    assert by_zones == {("mine", 49): 50, ("mine", 52): 53, ("mine", 57): 57}
    assert nearest_reach({"mine": {49, 57}}, (48, 50, 54, 60)) == {("mine", 49): 54, ("mine", 57): 57}


@pytest.fixture(scope="module")
def foundation() -> Foundation:
    return open_foundation(tiny.bank())


def model_of(foundation: Foundation) -> TNCA:
    model = TNCA(foundation.model.config, 1)
    weights = foundation.model.state_dict() | {
        name: value for name, value in model.state_dict().items() if name in ("timbres.weight", "keys.weight")
    }
    model.load_state_dict(weights)
    return model.eval()


def test_an_instrument_has_the_keys_between_with_codes_motions_and_attacks_of_their_neighbours(
    foundation: Foundation,
) -> None:
    recordings = [recorded(LOW), recorded(HIGH)]
    features = [extract(one, tiny.SPEC, inharmonic=False) for one in recordings]
    notes = note_set(foundation, features, judges=False, with_between=True)
    model = with_codes_between(model_of(foundation), notes)
    made = make_instrument(foundation, model, notes, About("mine"), (0,), {})
    table = with_attacks(foundation, made, recordings).table
    assert table.key.tolist() == [60, 61, 62, 63, 64] and len(table.corrected) == 5
    np.testing.assert_allclose(table.codes[2], (table.codes[0] + table.codes[4]) / 2, atol=2e-3)
    assert set(table.source.tolist()) <= {0, 4}
    assert table.extras["onsets"][1].tolist() == table.extras["onsets"][0].tolist()
    assert table.extras["onsets"][3].tolist() == table.extras["onsets"][4].tolist()
    assert table.extras["reach"].tolist() == [60, 61, 62, 63, 64]
