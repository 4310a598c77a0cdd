"""Keys with a rate of release fall by it and grow on as if held, on all cores; others are ended by their growth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import goldens
import numpy as np
import pytest
from measured import with_correction

from tnca_synth.engine.arrays import FloatArray
from tnca_synth.engine.kernel.model import Kernel
from tnca_synth.engine.keys.stored.correction_arrays import CorrectionArrays
from tnca_synth.engine.keys.stored.releases import HIGHEST, coded_releases, release_rate
from tnca_synth.engine.open import assemble_synth
from tnca_synth.engine.synth import Synth
from tnca_synth.midi import messages as midi

from .listening import Event, at, control, note, perform, roughness

RATE = 22050
HOP = 256
PIANO, VIOLIN, CLARINET = 0, 40, 71
KEY = 62
HELD_S = 0.3
CORES = ["numpy", "kernel", "graph"]
Rates = dict[str, float]


def rated(patch: pytest.MonkeyPatch, **rates: float) -> pytest.MonkeyPatch:
    """Let some instruments, by names with underscores, fall by a rate; no other has one."""

    def change(correction: CorrectionArrays) -> dict[str, np.ndarray]:
        known = {name.replace("_", "-"): coded_releases(np.full(3, rate)) for name, rate in rates.items()}
        return {"release_rates": np.array([known.get(name, [0, 0, 0]) for name, _ in correction.owners], np.int16)}

    return with_correction(patch, change)


@pytest.fixture
def falling(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Let the violin fall by 60 dB a second."""
    return rated(monkeypatch, violin=60.0)


def synth_of(core: str, **options: Any) -> Synth:
    return assemble_synth(**{"sample_rate": RATE, "provider": "cpu", "core": core, "effects": False, **options}).synth


def played(core: str, events: Sequence[Event] = (), length_s: float = HELD_S, key: int = KEY, program: int = VIOLIN,
           duration_s: float = 0.9) -> FloatArray:  # fmt: skip
    begun = at(0.0, midi.program_change(0, program))
    return perform(synth_of(core), begun + note(key, 0.0, length_s) + list(events), duration_s)[:, 0]


def fall_db(audio: FloatArray, held: FloatArray, at_s: float) -> float:
    """Return how far a note is below the one that is held, around a moment."""
    some = slice(round((at_s - 0.02) * RATE), round((at_s + 0.02) * RATE))
    power = [float(np.square(one[some], dtype=np.float64).sum()) for one in (held, audio)]
    return 10.0 * np.log10(power[0] / power[1])


@pytest.mark.parametrize("core", CORES)
def test_a_key_falls_by_its_rate_from_what_is_held(core: str, falling: pytest.MonkeyPatch) -> None:
    audio, held = played(core), played(core, length_s=9.0)
    np.testing.assert_array_equal(audio[: round(HELD_S * RATE)], held[: round(HELD_S * RATE)])
    for since_s in (0.1, 0.3, 0.5):
        assert fall_db(audio, held, HELD_S + since_s) == pytest.approx(60.0 * since_s, abs=0.15)


def test_notes_between_two_velocities_take_a_time_between_theirs() -> None:
    rates = (180.0, 90.0, 60.0)
    found = [release_rate(rates, velocity / 127) for velocity in (1, 60, 76, 92, 108, 124, 127)]
    assert found == pytest.approx([180.0, 180.0, 120.0, 90.0, 72.0, 60.0, 60.0])
    assert release_rate((0.0, 0.0, 0.0), 0.7) == 0.0


def test_loud_notes_fall_by_their_own_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    coded = coded_releases(np.array([90.0, 60.0, 30.0]))
    with_correction(monkeypatch, lambda known: {"release_rates": np.tile(coded, (len(known.key), 1))})
    for velocity, rate in ((20, 90.0), (92, 60.0), (127, 30.0)):
        audio, held = (
            perform(
                synth_of("auto"),
                at(0.0, midi.program_change(0, VIOLIN)) + note(KEY, 0.0, length_s, velocity=velocity),
                0.9,
            )[:, 0]
            for length_s in (HELD_S, 9.0)
        )
        assert fall_db(audio, held, HELD_S + 0.3) == pytest.approx(0.3 * rate, abs=0.2)


@pytest.mark.parametrize("core", CORES)
def test_without_a_rate_nothing_changes(core: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rated(monkeypatch)
    before = played(core)
    rated(monkeypatch, clarinet=60.0)
    np.testing.assert_array_equal(played(core), before)


@pytest.mark.parametrize("core", CORES)
def test_blocks_change_no_sample(core: str, falling: pytest.MonkeyPatch) -> None:
    def rendered(block: int) -> FloatArray:
        synth = synth_of(core)
        for time_s, message in at(0.0, midi.program_change(0, VIOLIN)) + note(KEY, 0.0, HELD_S):
            synth.send(message, round(time_s * RATE))
        return np.concatenate([synth.render(block) for _ in range(12_000 // block)])

    np.testing.assert_array_equal(rendered(12_000), rendered(100))


def test_the_cores_agree(falling: pytest.MonkeyPatch) -> None:
    """Pitches stand still within hops here, as they do without the kernel."""
    make = Kernel.__init__

    def stand(kernel: Kernel, *arguments: object) -> None:
        make(kernel, *arguments)  # type: ignore[arg-type]
        kernel.glide(False)

    falling.setattr(Kernel, "__init__", stand)
    asked = control(midi.RELEASE_TIME, 40) + control(midi.RELEASE_TIME, 90, 0.45)
    for events in ((), asked, note(67, 0.1, 0.02)):
        audio = [played(core, events) for core in CORES]
        assert min(goldens.snr_db(audio[0], other) for other in audio[1:]) > 90.0


def test_release_time_and_release_velocity_scale_the_rate(falling: pytest.MonkeyPatch) -> None:
    held = played("auto", length_s=9.0)
    slow = played("auto", control(midi.RELEASE_TIME, 90))
    fast = played("auto", control(midi.RELEASE_TIME, 40))
    at_s = HELD_S + 0.3
    assert fall_db(slow, held, at_s) < 0.7 * 18.0 and fall_db(fast, held, at_s) > 1.4 * 18.0
    begun = at(0.0, midi.program_change(0, VIOLIN), midi.note_on(0, KEY, 100))
    lifted = perform(synth_of("auto"), begun + at(HELD_S, bytes([0x80, KEY, 127])), 0.9)[:, 0]
    assert fall_db(lifted, held, at_s) == pytest.approx(2.0 * 18.0, abs=1.0)  # less a hop at the usual speed


@pytest.mark.parametrize("length_s", [HELD_S, HELD_S + 0.4 * HOP / RATE, HELD_S + 0.9 * HOP / RATE])
def test_no_release_clicks_even_at_the_highest_rate(length_s: float, monkeypatch: pytest.MonkeyPatch) -> None:
    rated(monkeypatch, violin=HIGHEST)
    audio = played("auto", length_s=length_s)
    start = round(length_s * RATE)
    assert roughness(audio[start - 50 :, None]) < 1.3 * roughness(audio[start - 4000 : start, None])
    assert np.abs(audio[start + 2 * HOP + round(0.02 * RATE) :]).max() < 1e-3 * np.abs(audio).max()


def test_a_change_of_the_clock_makes_no_step(falling: pytest.MonkeyPatch) -> None:
    audio = played("auto", control(midi.RELEASE_TIME, 0, HELD_S + 0.1) + control(midi.RELEASE_TIME, 127, HELD_S + 0.2))
    held = played("auto", length_s=9.0)
    gain = audio[round(HELD_S * RATE) :] / np.where(np.abs(held) > 0.01, held, np.nan)[round(HELD_S * RATE) :]
    steps = np.diff(20.0 * np.log10(np.abs(gain[np.isfinite(gain) & (gain > 1e-4)])))
    assert np.abs(steps).max() < 0.5


def test_a_short_note_is_attacking_while_it_falls(falling: pytest.MonkeyPatch) -> None:
    audio, held = played("auto", length_s=0.03), played("auto", length_s=9.0)
    assert fall_db(audio, held, 0.13) == pytest.approx(6.0, abs=0.2)


def test_a_released_voice_is_over_when_it_has_fallen(falling: pytest.MonkeyPatch) -> None:
    synth = synth_of("auto")
    perform(synth, at(0.0, midi.program_change(0, VIOLIN)) + note(KEY, 0.0, HELD_S), HELD_S + 0.5)
    assert synth.active_voices == 1
    synth.render(round(1.0 * RATE))
    assert synth.active_voices == 0


def test_the_pedal_holds_what_is_released(falling: pytest.MonkeyPatch) -> None:
    pedal = control(midi.SUSTAIN, 127) + control(midi.SUSTAIN, 0, 0.5)
    audio, held = played("auto", pedal), played("auto", length_s=9.0)
    np.testing.assert_array_equal(audio[: round(0.5 * RATE)], held[: round(0.5 * RATE)])
    assert fall_db(audio, held, 0.7) == pytest.approx(12.0, abs=0.2)


def test_repeated_notes_that_are_taken_over_sound_the_same(falling: pytest.MonkeyPatch) -> None:
    """Of other lengths, too: what the growth is told is the same."""
    kernels: list[Kernel] = []
    make = Kernel.__init__

    def known(kernel: Kernel, *arguments: object) -> None:
        make(kernel, *arguments)  # type: ignore[arg-type]
        kernels.append(kernel)

    falling.setattr(Kernel, "__init__", known)
    events = [
        *at(0.0, midi.program_change(0, VIOLIN)),
        *note(KEY, 0.0, 0.3),
        *note(KEY, 1.0, 0.1),
        *note(KEY, 2.0, 0.4),
    ]

    def rendered(num_bytes: int) -> FloatArray:
        synth = synth_of("kernel")
        kernels[-1].keep(num_bytes)
        return perform(synth, events, 2.8)

    audio = rendered(64 << 20)
    assert kernels[-1].keep(0) > 60  # frames; a hop has 11.6 ms
    np.testing.assert_array_equal(audio, rendered(0))


@pytest.mark.parametrize("core", CORES)
def test_on_a_pad_the_rates_of_all_corners_are_mixed(core: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def morphed(length_s: float, **rates: float) -> FloatArray:
        with monkeypatch.context() as patch:
            rated(patch, **rates)
            synth = synth_of(core)
            synth.set_morph(0, CLARINET)
            synth.set_growth(0, morph=(0.5, 0.0), at_frame=0)
            return perform(synth, at(0.0, midi.program_change(0, VIOLIN)) + note(KEY, 0.0, length_s), 0.9)[:, 0]

    held = morphed(9.0)
    both = morphed(HELD_S, violin=20.0, clarinet=60.0)
    assert fall_db(both, held, HELD_S + 0.3) == pytest.approx(12.0, abs=0.2)
    np.testing.assert_array_equal(morphed(HELD_S, violin=20.0), morphed(HELD_S))


def test_a_path_that_takes_over_a_released_note_goes_on_where_it_is(falling: pytest.MonkeyPatch) -> None:
    ensemble = assemble_synth(sample_rate=RATE, provider="cpu", effects=False)
    for time_s, message in at(0.0, midi.program_change(0, VIOLIN)) + note(KEY, 0.0, HELD_S):
        ensemble.synth.send(message, round(time_s * RATE))
    first = ensemble.synth.render(round(0.5 * RATE))
    ensemble.set_decoder("griffin-lim")
    audio = np.concatenate([first, ensemble.synth.render(round(0.3 * RATE))])[:, 0]
    held = played("auto", length_s=9.0)
    for at_s in (0.53, 0.55, 0.58):
        assert fall_db(audio, held, at_s) == pytest.approx(60.0 * (at_s - HELD_S), abs=3.0)
