"""The compiled kernel sounds as the engine does without it, whatever is asked of the voices."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import goldens
import numpy as np
import pytest
import tiny

from tnca_synth.engine.arrays import FloatArray
from tnca_synth.engine.decoders.griffin_lim import GriffinLimDecoder
from tnca_synth.engine.kernel import cores, library
from tnca_synth.engine.kernel.calls import HopCall
from tnca_synth.engine.kernel.library import INSTRUCTION_SETS
from tnca_synth.engine.kernel.model import Kernel
from tnca_synth.engine.kernel.onnx_file import read_graph
from tnca_synth.engine.kernel.weights import read_weights
from tnca_synth.engine.mix.resampler import Resampler
from tnca_synth.engine.mix.reverb import Reverb
from tnca_synth.engine.names import DECODERS
from tnca_synth.engine.open import assemble_synth
from tnca_synth.engine.spectra.stft import stft
from tnca_synth.engine.synth import Synth
from tnca_synth.errors import BankError, UsageError
from tnca_synth.midi import messages as midi
from tnca_synth.midi.spec.growth_controllers import GROWTH_RATE

from .listening import Event, at, control, note, perform
from .listening import played_by as played

pytestmark = pytest.mark.slow

RATE = 22050
LEAST_DB = 90.0


@pytest.fixture
def standing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let pitches stand still in each hop, as they do without a kernel."""
    make = Kernel.__init__

    def stand(kernel: Kernel, *arguments: object) -> None:
        make(kernel, *arguments)  # type: ignore[arg-type]
        kernel.glide(False)

    monkeypatch.setattr(Kernel, "__init__", stand)


def likeness_db(events: list[Event], duration_s: float = 0.7, **options: object) -> float:
    """Return the SNR of what the kernel plays against what is played without."""
    both = [played(core, events, duration_s, **options) for core in ("numpy", "kernel")]
    assert np.abs(both[0]).max() > 0.005
    return goldens.snr_db(*both)


ASKED: dict[str, list[Event]] = {
    "nothing": [],
    "bend": at(0.2, midi.pitch_bend(0, 3000)) + at(0.35, midi.pitch_bend(0, -8000)),
    "vibrato": control(midi.MODULATION, 100),
    "dark": control(midi.BRIGHTNESS, 20),
    "bright and resonant": control(midi.BRIGHTNESS, 120) + control(midi.TIMBRE, 120),
    "slow attack": control(midi.ATTACK_TIME, 100),
    "fast decay and release": control(midi.DECAY_TIME, 10) + control(midi.RELEASE_TIME, 10),
    "pressure": at(0.2, bytes([0xD0, 90])),
    "soft": control(midi.SOFT_PEDAL, 127),
    "legato": control(midi.PORTAMENTO_TIME, 40) + control(midi.PORTAMENTO, 127) + note(62, 0.3, 0.2),
}


@pytest.mark.usefixtures("standing")
@pytest.mark.parametrize("name", ASKED)
@pytest.mark.parametrize(("instrument", "key"), [("grand-piano", 57), ("violin", 58)])
def test_controls_act_alike(name: str, instrument: str, key: int) -> None:
    assert likeness_db(note(key, 0.0, 0.5) + ASKED[name], instrument=instrument) > LEAST_DB


@pytest.mark.usefixtures("standing")
@pytest.mark.parametrize(
    "growth",
    [{"growth_rate": 0.5}, {"fire_rate": 0.5}, {"life_threshold": 0.6}, {"growth_rate": 2.0}],
    ids=lambda values: next(iter(values)),
)
def test_growth_is_tended_alike(growth: dict[str, float]) -> None:
    def tended(core: str) -> FloatArray:
        synth = assemble_synth(sample_rate=RATE, provider="cpu", core=core).synth
        synth.set_growth(0, **growth, at_frame=0)  # type: ignore[arg-type]
        synth.damage(0, 0.3, at_frame=3000)
        synth.send(midi.note_on(0, 57, 100), 0)
        return synth.render(14000)

    assert goldens.snr_db(tended("numpy"), tended("kernel")) > LEAST_DB


@pytest.mark.usefixtures("standing")
@pytest.mark.parametrize(("instrument", "key"), [("violin", 55), ("church-organ", 61), ("strings", 66)])
def test_notes_that_have_been_held_for_long_sound_alike(instrument: str, key: int) -> None:
    """At four times the speed motions come to where they repeat, and corrections to their end."""
    fast = control(GROWTH_RATE, 127)
    assert likeness_db(fast + note(key), 1.7, instrument=instrument, growth_controllers=True) > LEAST_DB


@pytest.mark.usefixtures("standing")
@pytest.mark.parametrize("program", [43, 51, 101])
def test_instruments_whose_files_are_read_while_others_play_sound_alike(program: int) -> None:
    """Tables of keys grow then, and at four times the speed the clock of the growth comes to where it stops."""
    fast = control(GROWTH_RATE, 127)
    later = at(0.2, midi.program_change(0, 111)) + at(0.3, midi.program_change(0, program)) + note(55, 0.3, 1.6)
    assert likeness_db(fast + note(60, 0.0, 0.1) + later, 1.7, growth_controllers=True) > LEAST_DB


@pytest.mark.usefixtures("standing")
@pytest.mark.parametrize("corners", [(40, 71, 56), (None, 8, None)])
def test_pads_of_timbres_act_alike(corners: tuple[int | None, ...]) -> None:
    def morphed(core: str) -> FloatArray:
        synth = assemble_synth(sample_rate=RATE, provider="cpu", core=core).synth
        synth.set_morph(0, *corners)
        synth.send(midi.note_on(0, 57, 100), 200)
        for step in range(8):
            synth.set_growth(0, morph=(0.12 * step, 0.1 * step), at_frame=1000 * step)
        synth.send(midi.note_on(1, 50, 100), 500)
        return synth.render(14000)

    assert goldens.snr_db(morphed("numpy"), morphed("kernel")) > LEAST_DB


@pytest.mark.usefixtures("standing", "knowing")
@pytest.mark.parametrize(("instrument", "key"), [("grand-piano", 57), ("violin", 58), ("glockenspiel", 71)])
def test_what_the_growth_keeps_silent_is_set_right_alike(instrument: str, key: int) -> None:
    assert likeness_db(note(key, 0.0, 0.4), instrument=instrument) > LEAST_DB


@pytest.mark.usefixtures("standing", "knowing")
def test_what_is_silent_on_pads_is_set_right_alike() -> None:
    test_pads_of_timbres_act_alike((40, 71, 56))


@pytest.mark.usefixtures("standing")
def test_a_song_sounds_alike() -> None:
    events: list[Event] = at(
        0.0, *(midi.program_change(channel, program) for channel, program in enumerate((0, 40, 14, 73)))
    )
    for index in range(24):
        events += note(45 + 7 * index % 36, 0.05 * index, 0.1 + 0.03 * (index % 5), index % 4, 50 + 3 * index)
    assert likeness_db(events, 1.6) > LEAST_DB


def drum(core: str, key: int, **options: object) -> FloatArray:
    events = at(0.0, midi.control_change(9, midi.REVERB_SEND, 0)) + note(key, 0.0, 0.3, 9)
    return played(core, events, 0.6, **options)[:, 0]  # type: ignore[arg-type]


@pytest.mark.parametrize("key", [42, 51, 70])
def test_drums_that_are_noise_sound_alike(key: int) -> None:
    assert goldens.snr_db(drum("numpy", key), drum("kernel", key)) > LEAST_DB


@pytest.mark.parametrize("key", [36, 38, 45, 56])
def test_phases_are_searched_for_as_well(monkeypatch: pytest.MonkeyPatch, key: int) -> None:
    """The search turns a difference in the last bit into other phases, whose spectra are as near to what was grown."""
    grown: list[FloatArray] = []
    magnitudes = GriffinLimDecoder._magnitudes

    def listen(decoder: GriffinLimDecoder, fields: dict[str, FloatArray]) -> FloatArray:
        grown.append(magnitudes(decoder, fields))
        return grown[-1]

    monkeypatch.setattr(GriffinLimDecoder, "_magnitudes", listen)
    sounds = [drum(core, key, bank_path="low-rate") for core in ("numpy", "kernel")]
    wanted = np.concatenate(grown, 1)[0]
    far = [_distance(audio, wanted) for audio in sounds]
    assert 10.0 < far[0] == pytest.approx(far[1], abs=0.5)
    assert goldens.snr_db(*(np.abs(stft(audio, 1024, 256)) for audio in sounds)) > 10.0


def _distance(audio: FloatArray, wanted: FloatArray) -> float:
    """Return how near spectra are to magnitudes (T, N) that were wanted, but for a gain, in dB."""
    found = np.abs(stft(audio, 1024, 256))[3 : len(wanted)]
    wanted = wanted[3 : len(found) + 3]
    return goldens.snr_db(wanted, found * (found * wanted).sum() / (found**2).sum())


def test_pitches_glide_within_a_hop(monkeypatch: pytest.MonkeyPatch) -> None:
    """The phase of a bent tone is the integral of a line from each hop's pitch to the next one's."""
    heard: list[float] = []
    prepare = Kernel.prepare

    def listen(kernel: Kernel, call: HopCall) -> None:
        prepare(kernel, call)
        heard.extend(call.views.f0_hz[:, 0])

    monkeypatch.setattr(Kernel, "prepare", listen)
    events = note(69, 0.0, 2.0) + at(0.0, midi.control_change(0, midi.REVERB_SEND, 0))
    for step in range(20):
        events += at(0.2 + 0.0116 * step, midi.pitch_bend(0, 400 * step))
    gliding = played("kernel", events, 0.6, instrument="saw-lead", bank_path="low-rate")[:, 0]
    hz = np.array(heard)
    assert hz.max() / hz.min() > 1.1
    line = np.interp(np.arange(len(gliding)) / 256, np.arange(len(hz)), hz)
    stepping = played("numpy", events, 0.6, instrument="saw-lead", bank_path="low-rate")[:, 0]
    assert _off_phase(gliding, line) < 0.3 * _off_phase(stepping, line)


def _off_phase(audio: FloatArray, hz: np.ndarray) -> float:
    """Return how far the phase of a bent fundamental strays within a hop from the integral of its pitch, in radians."""
    turned = audio * np.exp(-2j * np.pi * (np.cumsum(hz) - hz) / RATE)
    phase = np.unwrap(np.angle(np.convolve(turned, np.hanning(101), "same")))
    hops = phase[18 * 256 : 38 * 256].reshape(-1, 256)
    return float((hops - hops.mean(1, keepdims=True)).mean(0).std())


def test_workers_and_blocks_change_no_sample() -> None:
    events = [event for index in range(8) for event in note(40 + 5 * index, 0.02 * index, 0.3)]

    def rendered(block: int, workers: int) -> FloatArray:
        ensemble = assemble_synth(sample_rate=RATE, provider="cpu", core="kernel", workers=workers)
        ensemble.wait_for_workers()
        for time_s, message in events:
            ensemble.synth.send(message, round(time_s * RATE))
        audio = np.concatenate([ensemble.synth.render(block) for _ in range(12288 // block)])
        ensemble.close()
        return audio

    first = rendered(4096, 1)
    np.testing.assert_array_equal(first, rendered(64, 1))
    np.testing.assert_array_equal(first, rendered(4096, 3))


@pytest.mark.parametrize(
    ("channel", "before", "key"), [(0, (50, 61), 57), (9, (38, 45), 36)], ids=["with a pitch", "without one"]
)
def test_a_slot_keeps_nothing_of_its_last_note(channel: int, before: tuple[int, int], key: int) -> None:
    def after(first: int) -> FloatArray:
        synth = assemble_synth(sample_rate=RATE, provider="cpu", core="kernel", effects=False, max_voices=1).synth
        synth.send(midi.note_on(channel, first, 100), 0)
        synth.send(midi.control_change(channel, midi.ALL_SOUND_OFF, 0), 3000)
        synth.send(midi.note_on(channel, key, 100), 6000)
        synth.render(6000)
        return synth.render(6000)

    one, other = (after(first) for first in before)
    assert np.abs(one).max() > 0.01
    np.testing.assert_array_equal(one, other)


def test_a_voice_does_not_depend_on_the_others() -> None:
    def channels(*keys: int) -> FloatArray:
        synth = assemble_synth(sample_rate=RATE, provider="cpu", core="kernel", stems=True, effects=False).synth
        for channel, key in enumerate(keys):
            synth.send(midi.note_on(channel, key, 100), 0)
        return synth.render_stems(8192).stems

    np.testing.assert_array_equal(channels(57)[0], channels(57, 40, 79, 61, 62)[0])


@pytest.mark.parametrize("instructions", INSTRUCTION_SETS)
def test_instruction_sets_sound_alike(monkeypatch: pytest.MonkeyPatch, instructions: str) -> None:
    events = note(45, 0.0, 0.3) + note(58, 0.1, 0.3) + control(midi.BRIGHTNESS, 100)
    best = played("kernel", events, 0.5)
    make = Kernel.__init__

    def choose(kernel: Kernel, *arguments: object) -> None:
        make(kernel, *arguments)  # type: ignore[arg-type]
        kernel.choose(instructions)

    monkeypatch.setattr(Kernel, "__init__", choose)
    if instructions != "portable" and not _has(instructions):
        with pytest.raises(UsageError, match=f"no {instructions}"):
            played("kernel", events, 0.1)
        return
    assert goldens.snr_db(best, played("kernel", events, 0.5)) > LEAST_DB


def _has(instructions: str) -> bool:
    with open("/proc/cpuinfo") as file:
        return {"avx2": " avx2 ", "avx512": " avx512dq "}[instructions] in file.read()


def _broken_from(monkeypatch: pytest.MonkeyPatch, value: float) -> Callable[[str], Synth]:
    """Let the genes of what is planted later make it grow a value."""

    def make(core: str) -> Synth:
        ensemble = assemble_synth(sample_rate=RATE, provider="cpu", core=core, on_model_error="mute")
        assert ensemble.growth is not None
        plant = ensemble.growth.plant

        def planted(*arguments: FloatArray) -> dict[str, FloatArray]:
            genome = plant(*arguments)
            genome["bin"][:, 100] = value
            return genome

        monkeypatch.setattr(ensemble.growth, "plant", planted)
        return ensemble.synth

    return make


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_model_that_gives_no_number_costs_its_note_alone(monkeypatch: pytest.MonkeyPatch, value: float) -> None:
    make = _broken_from(monkeypatch, value)
    counts = []
    for core in ("numpy", "kernel"):
        synth = make(core)
        synth.send(midi.note_on(0, 60, 100), 0)
        audio = synth.render(4096)
        assert np.isfinite(audio).all()
        counts.append((synth.model_errors, synth.active_voices, float(np.abs(audio).max())))
    assert counts[0] == counts[1] == (1, 0, 0.0)


@pytest.mark.parametrize("core", ["kernel", "graph"])
def test_a_tiny_bank_is_grown_too(tmp_path: Path, core: str) -> None:
    folder = tiny.write_tiny_bank(tmp_path / "bank")

    def rendered(core: str) -> FloatArray:
        ensemble = assemble_synth(sample_rate=8000, provider="cpu", core=core, bank_path=folder, instrument="reed")
        assert ensemble.core == core
        return perform(ensemble.synth, note(62, 0.0, 0.4), 0.6)

    # Random weights: partials and pitch sway wildly.
    assert goldens.snr_db(rendered("numpy"), rendered(core)) > 30.0


def test_other_paths_do_without_it() -> None:
    fitting = [name for name in DECODERS if name in ("vocoder", "griffin-lim", "ensemble")]
    assert [assemble_synth(core="kernel", decoder=name, provider="cpu").core for name in fitting] == 3 * ["numpy"]
    assert assemble_synth(core="kernel", representation="mel", provider="cpu").core == "numpy"


@pytest.fixture
def unbuilt(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> Iterator[None]:
    """Let the library not be there."""
    library.library.cache_clear()
    monkeypatch.setattr(library, "NAMES", ("nothing.so",))
    yield
    library.library.cache_clear()


@pytest.mark.usefixtures("unbuilt")
def test_without_a_library_the_engine_plays_all_the_same() -> None:
    assert assemble_synth(provider="cpu").core == "numpy"
    with pytest.raises(UsageError, match="the kernel was not built"):
        assemble_synth(provider="cpu", core="kernel")


def test_a_core_is_chosen_by_name_or_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert assemble_synth(provider="cpu").core == "kernel"
    monkeypatch.setenv(cores.VARIABLE, "numpy")
    assert assemble_synth(provider="cpu").core == "numpy"
    assert assemble_synth(provider="cpu", core="kernel").core == "kernel"
    monkeypatch.setenv(cores.VARIABLE, "numpi")
    with pytest.raises(UsageError, match="did you mean 'numpy'"):
        assemble_synth(provider="cpu")


def test_a_model_file_that_is_cut_or_foreign_is_an_error() -> None:
    model = tiny.bank_files()["dual.step.onnx"]
    assert read_weights(model, tiny.SPEC) is not None
    assert read_weights(tiny.bank_files()["mel.step.onnx"], tiny.SPEC) is None
    for damaged in (b"", model[:100], b"\xff" * 40, model[:-20]):
        with pytest.raises(BankError, match="no ONNX file"):
            read_graph(damaged)


@pytest.mark.parametrize("out_rate", [8000, 44100, 48000, 96000, 44056])
def test_it_resamples_as_numpy_does(out_rate: int) -> None:
    def resampled(compiled: bool, block: int) -> FloatArray:
        resampler = Resampler(RATE, out_rate, 2, compiled)
        blocks, taken = [], 0
        for count in [block] * (6144 // block):
            needed = resampler.samples_needed(count)
            blocks.append(resampler.process(sound[:, taken : taken + needed], count))
            taken += needed
        return np.concatenate(blocks, axis=1)

    sound = np.random.default_rng(3).uniform(-1.0, 1.0, (2, 20000)).astype(np.float32)
    sound[1] = 0.0
    compiled = resampled(True, 6144)
    assert np.abs(compiled[0]).max() > 0.5 and not compiled[1].any()
    np.testing.assert_allclose(compiled, resampled(False, 6144), atol=2e-6)
    np.testing.assert_array_equal(compiled, resampled(True, 64))


def test_its_reverb_is_that_of_numpy_and_does_not_depend_on_blocks() -> None:
    def returned(compiled: bool, block: int) -> FloatArray:
        reverb = Reverb(RATE, compiled)
        return np.concatenate([reverb.process(send[at : at + block], at) for at in range(0, len(send), block)], axis=1)

    send = np.zeros(30000, np.float32)
    send[:5000] = np.random.default_rng(5).uniform(-1.0, 1.0, 5000)
    compiled = returned(True, 4096)
    assert np.abs(compiled[:, 20000:]).max() > 1e-3
    assert goldens.snr_db(returned(False, 4096), compiled) > LEAST_DB
    np.testing.assert_array_equal(compiled, returned(True, 118))
    np.testing.assert_array_equal(compiled, returned(True, 30000))
