"""The hop as one ONNX graph sounds as the engine does without it, whatever is asked of the voices."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import goldens
import numpy as np
import pytest

from tnca_synth.engine.arrays import FloatArray
from tnca_synth.engine.kernel import cores, library
from tnca_synth.engine.kernel.graph import groups
from tnca_synth.engine.kernel.graph.hops import GraphHops
from tnca_synth.engine.kernel.graph.matrices import noise_table, split_of, transform_of, ways_of
from tnca_synth.engine.open import assemble_synth
from tnca_synth.engine.spectra.spec import AudioSpec
from tnca_synth.errors import ModelError
from tnca_synth.midi import messages as midi
from tnca_synth.midi.spec.growth_controllers import GROWTH_RATE

from .listening import Event, at, control, note
from .listening import played_by as played

pytestmark = pytest.mark.slow

RATE = 22050
LEAST_DB = 90.0


def likeness_db(events: list[Event], duration_s: float = 0.5, **options: Any) -> float:
    """Return the SNR of what the graph plays against what is played without."""
    both = [played(core, events, duration_s, **options) for core in ("numpy", "graph")]
    assert np.abs(both[0]).max() > 0.005
    return goldens.snr_db(*both)


ASKED: dict[str, list[Event]] = {
    "bend and vibrato": control(midi.MODULATION, 100) + at(0.2, midi.pitch_bend(0, -8000)),
    "colour": control(midi.BRIGHTNESS, 120) + control(midi.TIMBRE, 120) + control(midi.BRIGHTNESS, 20, 0.2),
    "pace": control(midi.ATTACK_TIME, 100) + control(midi.DECAY_TIME, 10) + control(midi.RELEASE_TIME, 10),
    "legato": control(midi.PORTAMENTO_TIME, 40) + control(midi.PORTAMENTO, 127) + note(62, 0.25, 0.2),
}


@pytest.mark.parametrize("name", ASKED)
def test_controls_act_alike(name: str) -> None:
    assert likeness_db(note(57, 0.0, 0.35) + ASKED[name], instrument="violin") > LEAST_DB


def test_growth_is_tended_alike() -> None:
    def tended(core: str) -> FloatArray:
        synth = assemble_synth(sample_rate=RATE, provider="cpu", core=core).synth
        synth.send(midi.note_on(0, 57, 100), 0)
        synth.render(3000)  # whose state lies in the graph
        synth.set_growth(0, growth_rate=0.5, fire_rate=0.6, life_threshold=0.6, at_frame=3000)
        synth.damage(0, 0.3, at_frame=4000)
        return synth.render(9000)

    assert goldens.snr_db(tended("numpy"), tended("graph")) > LEAST_DB


def test_pads_of_timbres_act_alike() -> None:
    def morphed(core: str) -> FloatArray:
        synth = assemble_synth(sample_rate=RATE, provider="cpu", core=core).synth
        synth.set_morph(0, 40, 71, 8)
        synth.send(midi.note_on(0, 57, 100), 200)
        for step in range(6):
            synth.set_growth(0, morph=(0.15 * step, 0.12 * step), at_frame=1000 * step)
        synth.send(midi.note_on(1, 50, 100), 500)
        return synth.render(9000)

    assert goldens.snr_db(morphed("numpy"), morphed("graph")) > LEAST_DB


@pytest.mark.usefixtures("knowing")
def test_what_the_growth_keeps_silent_is_set_right_alike() -> None:
    events = note(57, 0.0, 0.3) + note(58, 0.05, 0.3)
    assert likeness_db(events, instrument="violin") > LEAST_DB
    test_pads_of_timbres_act_alike()


def test_notes_that_have_been_held_for_long_sound_alike() -> None:
    """At four times the speed motions come to where they repeat, and corrections to their end."""
    fast = control(GROWTH_RATE, 127)
    assert likeness_db(fast + note(61), 1.5, instrument="church-organ", growth_controllers=True) > LEAST_DB


@pytest.mark.parametrize("bank", [None, "low-rate"])
def test_a_song_sounds_alike(bank: str | None) -> None:
    events: list[Event] = at(
        0.0, *(midi.program_change(channel, program) for channel, program in enumerate((0, 40, 14, 73)))
    )
    for index in range(20):
        events += note(45 + 7 * index % 36, 0.04 * index, 0.1 + 0.03 * (index % 5), index % 4, 50 + 3 * index)
    assert likeness_db(events, 1.1, bank_path=bank, sample_rate=RATE if bank is None else 44100) > LEAST_DB


@pytest.mark.parametrize("key", [42, 51])
def test_drums_that_are_noise_sound_alike(key: int) -> None:
    events = at(0.0, midi.control_change(9, midi.REVERB_SEND, 0)) + note(key, 0.0, 0.3, 9)
    assert likeness_db(events) > LEAST_DB


def test_a_drum_with_resonances_is_as_loud() -> None:
    """The search turns a difference in the last bit into other phases."""
    events = at(0.0, midi.control_change(9, midi.REVERB_SEND, 0)) + note(45, 0.0, 0.3, 9)
    energies = [(played(core, events, 0.5) ** 2).sum() for core in ("numpy", "graph")]
    assert energies[0] == pytest.approx(energies[1], rel=0.02)


def test_blocks_change_no_sample() -> None:
    events = [event for index in range(8) for event in note(40 + 5 * index, 0.02 * index, 0.2)]

    def rendered(block: int) -> FloatArray:
        synth = assemble_synth(sample_rate=RATE, provider="cpu", core="graph", effects=False).synth
        for time_s, message in events:
            synth.send(message, round(time_s * RATE))
        return np.concatenate([synth.render(block) for _ in range(8192 // block)])

    first = rendered(4096)
    assert np.abs(first).max() > 0.01
    np.testing.assert_array_equal(first, rendered(64))
    np.testing.assert_array_equal(first, rendered(1024))


def test_what_a_voice_sounds_like_hardly_depends_on_the_others() -> None:
    def channels(*keys: int) -> FloatArray:
        synth = assemble_synth(sample_rate=RATE, provider="cpu", core="graph", stems=True, effects=False).synth
        for channel, key in enumerate(keys):
            synth.send(midi.note_on(channel, key, 100), 0)
        return synth.render_stems(8192).stems

    alone, among = channels(57)[0], channels(57, 40, 79, 61, 62)[0]
    assert goldens.snr_db(alone, among) > 120.0


@pytest.mark.parametrize(("channel", "before", "key"), [(0, (50, 61), 57), (9, (38, 45), 36)])
def test_a_slot_keeps_nothing_of_its_last_note(channel: int, before: tuple[int, int], key: int) -> None:
    def after(first: int) -> FloatArray:
        synth = assemble_synth(sample_rate=RATE, provider="cpu", core="graph", effects=False, max_voices=1).synth
        synth.send(midi.note_on(channel, first, 100), 0)
        synth.send(midi.control_change(channel, midi.ALL_SOUND_OFF, 0), 3000)
        synth.send(midi.note_on(channel, key, 100), 6000)
        synth.render(6000)
        return synth.render(6000)

    one, other = (after(first) for first in before)
    assert np.abs(one).max() > 0.01
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_model_that_gives_no_number_costs_its_note_alone(monkeypatch: pytest.MonkeyPatch, value: float) -> None:
    ensemble = assemble_synth(sample_rate=RATE, provider="cpu", core="graph", on_model_error="mute")
    assert ensemble.growth is not None
    plant = ensemble.growth.plant

    def planted(*arguments: FloatArray) -> dict[str, FloatArray]:
        genome = plant(*arguments)
        genome["bin"][:, 100:] = value  # at full band the graph reads some bins alone
        return genome

    monkeypatch.setattr(ensemble.growth, "plant", planted)
    ensemble.synth.send(midi.note_on(0, 60, 100), 0)
    audio = ensemble.synth.render(4096)
    assert (ensemble.synth.model_errors, ensemble.synth.active_voices) == (1, 0)
    assert not audio.any()


def test_a_gpu_that_fails_costs_no_sound(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hops since state was last in the slots are grown again, by the CPU."""
    events = note(57, 0.0, 0.3) + note(62, 0.1, 0.3)
    whole = played("graph", events, 0.5)
    lost: list[Exception] = []
    run, runs = groups.BoundHop.run, 0

    def fail(bound: groups.BoundHop) -> None:
        nonlocal runs
        runs += 1
        if runs == 12:
            raise ModelError("out of memory")
        run(bound)

    make = GraphHops.__init__

    def made(hops: GraphHops, *arguments: Any) -> None:
        make(hops, *arguments[:-1], lost.append)

    monkeypatch.setattr(GraphHops, "__init__", made)
    monkeypatch.setattr(groups.BoundHop, "run", fail)
    monkeypatch.setattr(groups.Groups, "device", property(lambda self: "cpu" if lost else "cuda"))
    monkeypatch.setattr("tnca_synth.engine.kernel.graph.bound_hop.place", lambda values, _: _placed(values))
    monkeypatch.setattr("tnca_synth.engine.kernel.graph.groups.place", lambda values, _: _placed(values))
    np.testing.assert_array_equal(whole, played("graph", events, 0.5))
    assert runs > 12
    assert [str(one) for one in lost] == ["out of memory"]


def _placed(values: np.ndarray) -> Any:
    """Place values on the CPU, whatever the device is called."""
    from tnca_synth.engine.models.onnx_runtime import place

    return place(values, "cpu")


@pytest.fixture
def unbuilt(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the library not be there."""
    library.library.cache_clear()
    monkeypatch.setattr(library, "NAMES", ("nothing.so",))
    yield
    library.library.cache_clear()


@pytest.mark.usefixtures("unbuilt")
def test_without_a_compiler_it_plays_live(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(cores.VARIABLE, raising=False)
    assert assemble_synth(provider="cpu", grows_together=True).core == "graph"
    assert assemble_synth(provider="cpu").core == "numpy"
    assert assemble_synth(provider="cpu", decoder="griffin-lim", core="graph").core == "numpy"


@pytest.mark.parametrize("hop", [32, 128, 256, 512])
def test_the_transform_in_two_factors_is_one(hop: int) -> None:
    spec = AudioSpec(n_fft=4 * hop, hop_length=hop)
    outer, inner = split_of(hop)
    into, twiddles, out = transform_of(hop)
    magnitude = np.random.default_rng(1).random(hop + 1).astype(np.float32)
    rows = noise_table(spec)[7] * magnitude[ways_of(hop)].reshape(outer, 2, 1, inner)
    found = (rows.reshape(outer, -1) @ np.concatenate([into, into])) * twiddles
    samples = (out @ found.reshape(-1, inner)).reshape(2 * outer // 2, 2, inner).swapaxes(1, 2).ravel()
    from tnca_synth.engine.decoders.parts.noise import noise_spectra

    wanted = np.fft.irfft(noise_spectra(2 * hop)[7] * magnitude)
    np.testing.assert_allclose(samples, wanted, atol=1e-6)
