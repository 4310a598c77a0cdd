"""What a voice hands over of what was decoded for it."""

from __future__ import annotations

import numpy as np
import pytest

from tnca_synth.engine.arrays import FloatArray
from tnca_synth.engine.voices.voice import NEVER, Patch, Voice

ONSET, LENGTH = 40, 900
CROSSFADE = 110


def voice(**facts: int) -> Voice:
    """Return a voice from `ONSET` on with sound that counts up from 1."""
    made = Voice(
        note_id=1, channel=0, key=60, slot=0, onset=ONSET, pitch=60.0, velocity=1.0, seed=0,
        patch=Patch(np.zeros(1, np.float32), pitched=True, inharmonicity=0.0), **facts,
    )  # fmt: skip
    made.decoded.audio = np.arange(1, LENGTH + 1, dtype=np.float32)
    made.decoded.until = ONSET + LENGTH
    return made


def taken(facts: dict[str, int], edges: list[int]) -> FloatArray:
    """Return what sounds up to the last edge, taken from edge to edge."""
    one, out = voice(**facts), np.zeros(edges[-1], np.float32)
    for start, stop in zip([0, *edges], edges, strict=False):
        first, audio = one.take_audio(start, stop)
        out[first : first + len(audio)] += audio
    return out


@pytest.mark.parametrize("facts", [{}, {"end": 500}, {"falls_at": 300, "end": 300 + CROSSFADE}, {"rises_at": 200}])
def test_a_voice_is_the_same_in_pieces_of_any_size(facts: dict[str, int]) -> None:
    whole = taken(facts, [ONSET + LENGTH])
    for size in (1, 64, 117, 333):
        edges = [*range(size, ONSET + LENGTH, size), ONSET + LENGTH]
        np.testing.assert_array_equal(taken(facts, edges), whole)
    assert not whole[:ONSET].any()
    sounding = slice(max(ONSET, facts.get("rises_at", -NEVER) + CROSSFADE), facts.get("falls_at", 300))
    np.testing.assert_array_equal(whole[sounding], np.arange(sounding.start, sounding.stop) - ONSET + 1)
    assert not whole[facts.get("end", NEVER) :].any()


def test_a_voice_keeps_nothing_of_what_it_handed_over() -> None:
    one = voice()
    one.take_audio(0, 100)
    assert len(one.decoded.audio) == LENGTH + ONSET - 100
    one.take_audio(100, 200)  # the usual way
    assert len(one.decoded.audio) == LENGTH + ONSET - 200


def test_where_one_voice_takes_over_from_another_their_gains_add_up_to_one() -> None:
    edges = [290, 333, ONSET + LENGTH]
    out = taken({"falls_at": 300, "end": 300 + CROSSFADE}, edges)
    into = taken({"rises_at": 300}, edges)
    np.testing.assert_allclose(out + into, taken({}, edges), rtol=1e-6)
    assert into[300] == 0.0 and out[299 + CROSSFADE] > 0.0
