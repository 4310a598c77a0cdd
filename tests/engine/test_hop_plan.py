"""Hops are planned before they are grown, so that whoever knows the controls reads them once for all."""

from __future__ import annotations

import numpy as np
import pytest

from tnca_synth.engine.growth.grower import MOST_HOPS, Grower
from tnca_synth.engine.growth.hop_plan import HopPlan, Job, plans_of
from tnca_synth.engine.modulation.channel import ChannelControls
from tnca_synth.engine.voices.voice import Patch, Voice
from tnca_synth.midi import messages as midi

from .fakes import make_synth

HOP = 100


def voice(slot: int, onset: int) -> Voice:
    """Return a note."""
    patch = Patch(np.zeros(1, np.float32), pitched=True, inharmonicity=0.0)
    return Voice(
        note_id=1, channel=0, key=60, slot=slot, onset=onset, pitch=60.0, velocity=1.0, seed=0, patch=patch
    )  # fmt: skip


def plans(most_hops: int = 4) -> list[HopPlan]:
    """Plan a new note of 6 hops with 2 frames of look-ahead, and one of 9 that has grown 7 frames."""
    new, old = voice(slot=0, onset=50), voice(slot=1, onset=0)
    old.decoded.until = 500
    return plans_of([Job(new, 6, True, 8, 2, 0), Job(old, 9, False, 9, 2, 7)], most_hops, HOP, 1400)


def test_every_frame_of_a_voice_is_planned_once_at_the_sample_of_its_hop() -> None:
    made = plans()
    frames: dict[int, list[int]] = {0: [], 1: []}
    samples: dict[int, list[int]] = {0: [], 1: []}
    for hops in made:
        for row, job in enumerate(hops.jobs):
            frames[job.voice.slot] += hops.frames[: job.num_frames, row].tolist()
            samples[job.voice.slot] += hops.samples[: job.num_frames, row].tolist()
    assert frames == {0: [*range(8)], 1: [*range(7, 16)]}
    assert samples[0] == [50, 50, *range(50, 650, HOP)]  # what is looked ahead at begins with the note
    assert samples[1] == [*range(500, 1400, HOP)]
    assert [len(hops.jobs) for hops in made] == [2, 2, 1]
    assert all(job.num_hops <= 4 for hops in made for job in hops.jobs)


def test_what_has_ended_is_left_out_and_the_rest_keeps_its_controls() -> None:
    second = plans()[1]
    second.controls[:] = second.numbers[:, 0][None, :, None]  # each voice's slot
    assert second.left(HOP) is second
    by_slot = {job.voice.slot: job.voice for job in second.jobs}
    by_slot[0].decoded.until, by_slot[0].end = 450, 500  # half a hop is one
    by_slot[1].decoded.until, by_slot[1].end = 900, 1100
    rest = second.left(HOP)
    assert rest is not None
    assert [(job.voice.slot, job.num_hops) for job in rest.jobs] == [(1, 2), (0, 1)]
    assert (rest.controls == np.array([1, 0])[None, :, None]).all() and rest.controls.shape[0] == 2
    by_slot[1].end = 900
    rest = second.left(HOP)
    assert rest is not None and [job.voice.slot for job in rest.jobs] == [0]
    by_slot[0].end = 450
    assert second.left(HOP) is None


def test_controls_are_read_before_growing_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    grow, read = Grower.grow, ChannelControls.read

    def growing(self: Grower, made: list[HopPlan]) -> None:
        calls.append("grow")
        grow(self, made)
        calls.append("grown")

    def reading(self: ChannelControls, *arguments: object) -> object:
        calls.append("read")
        return read(self, *arguments)

    monkeypatch.setattr(Grower, "grow", growing)
    monkeypatch.setattr(ChannelControls, "read", reading)
    synth = make_synth()
    synth.send(midi.note_on(0, 60, 100))
    hops = 3 * MOST_HOPS
    synth.render(hops * synth._sequencer._grower._growers[0].hop)
    first = calls[: calls.index("grown")]
    assert first.count("read") >= 3 and first[-1] == "grow" and "read" not in first[first.index("grow") :]
