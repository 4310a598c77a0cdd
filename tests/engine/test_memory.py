"""What is closed is freed, at once and without the collector of circles, which live play keeps away."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from tnca_synth.engine.events.sequencer import STRETCH_SAMPLES
from tnca_synth.engine.models.onnx_runtime import open_session
from tnca_synth.engine.open import assemble_synth
from tnca_synth.engine.synth import Synth
from tnca_synth.midi import messages as midi

from .fakes import make_synth

pytestmark = pytest.mark.slow


@pytest.fixture
def no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def play(synth: Synth) -> None:
    for key in (60, 64, 67):
        synth.send(midi.note_on(0, key, 100))
    synth.render(3000)
    synth.send(midi.pitch_bend(0, 2000))
    synth.send(midi.control_change(0, midi.ALL_SOUND_OFF, 0))
    synth.render(3000)
    synth.panic()
    synth.grow_ahead(100)


@pytest.mark.parametrize("grows_together", [False, True])
def test_a_synth_frees_its_parts(no_collector: None, grows_together: bool) -> None:
    synth = make_synth(grows_together=grows_together, effects=True)
    play(synth)
    parts = [weakref.ref(one) for one in (synth, synth._sequencer, synth._growers, synth._growers._growers[0])]
    del synth
    assert [part() for part in parts] == [None] * len(parts)


def test_a_synth_frees_its_parts_while_it_is_growing(no_collector: None) -> None:
    """As at the end of a song: what follows is known, so it has been begun."""
    synth = make_synth()
    synth.send(midi.note_on(0, 60, 100))
    synth.render(3000, foresight=2 * STRETCH_SAMPLES)
    (grower,) = synth._growers._growers
    parts = [weakref.ref(one) for one in (synth, grower)]
    del synth, grower
    assert [part() for part in parts] == [None, None]


def test_a_closed_ensemble_frees_its_models(no_collector: None) -> None:
    ensemble = assemble_synth(sample_rate=22050)
    play(ensemble.synth)
    ensemble.set_decoder("griffin-lim")
    ensemble.synth.render(2000)
    growth, bank = ensemble.growth, ensemble.bank
    assert growth is not None and bank is not None
    parts = [weakref.ref(one) for one in (ensemble.synth, ensemble.catalogue, growth, growth._step, growth._seed, bank)]
    ensemble.close()
    del ensemble, growth, bank
    assert [part() for part in parts] == [None] * len(parts)


def test_models_in_use_are_shared_and_others_are_not_kept(no_collector: None) -> None:
    first = assemble_synth(sample_rate=22050)
    second = assemble_synth(sample_rate=44100)
    assert first.growth is not None and second.growth is not None
    assert first.growth._step is second.growth._step
    session = weakref.ref(first.growth._step)
    del first
    assert session() is not None
    del second
    assert session() is None
    assert callable(open_session)


def test_opening_and_closing_leaves_no_objects(no_collector: None) -> None:
    def count() -> int:
        synth = make_synth()
        play(synth)
        del synth
        return len(gc.get_objects())

    count()
    before = count()
    for _ in range(20):
        after = count()
    assert after - before < 50
