"""The bank that ships, played by the engine that ships: no fakes."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from tnca_synth.cli import main
from tnca_synth.engine.arrays import FloatArray
from tnca_synth.engine.bank.bank import Bank
from tnca_synth.engine.models.interfaces import HopInputs
from tnca_synth.engine.open import assemble_synth
from tnca_synth.engine.spectra.stft import power_from_level
from tnca_synth.engine.synth import Synth
from tnca_synth.midi.messages import control_change, note_off, note_on, pitch_bend, program_change
from tnca_synth.midi.spec.general_midi import FAMILY_NAMES

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).parent.parent / "examples"
RATE = 44_100
PATHS = (("dual", "harmonic"), ("dual", "griffin-lim"), ("mel", "vocoder"), ("mel", "griffin-lim"))


@pytest.fixture(scope="module")
def bank() -> Bank:
    return Bank.load()


def play(synth: Synth, num_frames: int, block_size: int) -> FloatArray:
    """Play a little music: two instruments, drums, a bend, a pedal, a volume ramp."""
    synth.send(program_change(1, 40), 0)
    synth.send(note_on(0, 60, 100), 500)
    synth.send(note_on(1, 67, 80), 1777)
    synth.send(note_on(9, 38, 110), 2500)
    synth.send(control_change(0, 64, 127), 2600)
    synth.send(note_off(0, 60), 4000)
    for step in range(8):
        synth.send(pitch_bend(1, 1000 * step), 3000 + 300 * step)
        synth.send(control_change(1, 7, 100 - 8 * step), 3100 + 300 * step)
    blocks = []
    done = 0
    while done < num_frames:
        blocks.append(synth.render(min(block_size, num_frames - done)))
        done += len(blocks[-1])
    return np.concatenate(blocks)


def test_the_bank_is_small_and_one_more_instrument_costs_little() -> None:
    folder = files("tnca_synth.instruments")
    suffixes = (".onnx", ".npz", ".json", ".tnca")
    sizes = [
        {one.name: len(one.read_bytes()) for one in place.iterdir() if one.name.endswith(suffixes)}
        for place in (folder, folder / "low_rate")
    ]
    manifest = json.loads((folder / "bank.json").read_text())
    variations = sum(sizes[0][one["files"]["dual"]] for one in manifest["instruments"] if one.get("bank"))
    assert variations <= 2_000_000 and sum(sizes[0].values()) - variations <= 10_000_000
    first = ("dual.", "mel.", "vocoder.", "motions.", "bank.")
    assert sum(size for name, size in sizes[1].items() if name.startswith(first)) <= 10_000_000
    assert sum(sizes[1].values()) <= 24_000_000  # with what four further representations add
    timbre_size = Bank.load().growth_model("dual", "cpu").timbre_size
    largest_entry = max(len(json.dumps(entry)) for entry in manifest["instruments"])
    text_bytes_of_a_number = 24
    assert largest_entry + len(manifest["models"]) * timbre_size * text_bytes_of_a_number < 100_000


def test_every_general_midi_family_and_a_drum_kit_play(bank: Bank) -> None:
    families = {instrument.family for instrument in bank.instruments}
    assert families == {*FAMILY_NAMES, "Drums"}
    assert len([one for one in bank.instruments if not one.is_drums]) >= 16


def test_models_describe_themselves(bank: Bank) -> None:
    for representation in bank.representations:
        facts = bank.growth_model(representation, "cpu").metadata
        assert {"opset", "spec", "timbres", "seed", "data", "licence", "metrics", "training_seconds"} <= set(facts)


@pytest.mark.parametrize("decoder", ["harmonic", "griffin-lim"])
def test_a_note_sounds_within_a_millisecond_of_its_time(bank: Bank, decoder: str) -> None:
    onset = 10_007
    for instrument in bank.instruments:
        synth = assemble_synth(instrument=None if instrument.is_drums else instrument.name, decoder=decoder).synth
        key = 38 if instrument.is_drums else (instrument.low + instrument.high) // 2
        synth.send(note_on(9 if instrument.is_drums else 0, key, 100), onset)
        level = np.abs(synth.render(onset + RATE // 10)).max(1)
        loudest = level[: onset + RATE // 20].max()
        first = int(np.argmax(level > 3e-4 * loudest))  # envelopes of attacks let the first samples be soft
        assert abs(first - onset) <= RATE // 1000, f"{instrument.name} sounds {first - onset} frames off"


@pytest.mark.parametrize(("representation", "decoder"), PATHS)
def test_block_sizes_change_nothing(representation: str, decoder: str) -> None:
    def fresh() -> Synth:
        return assemble_synth(representation=representation, decoder=decoder).synth

    length = RATE // 4
    whole = play(fresh(), length, length)
    assert np.abs(whole).max() > 1e-3
    for block_size in (64, 127, 256, 4096):
        assert np.abs(play(fresh(), length, block_size) - whole).max() <= 1e-6
    single = play(fresh(), 3000, 1)
    assert np.abs(single - whole[:3000]).max() <= 1e-6


def test_the_seed_decides_the_noise() -> None:
    first, again, other = (play(assemble_synth(seed=seed).synth, 8000, 4096) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("representation", ["dual", "mel"])
def test_notes_held_for_half_a_minute_stay_finite_and_struck_ones_fade(representation: str) -> None:
    bank = Bank.load(Path("low-rate"))
    growth = bank.growth_model(representation, "cpu")
    book = bank.timbre_book(growth)
    voices = [one for one in bank.instruments if not one.is_drums]
    keys = np.array([(one.low + one.high) // 2 for one in voices], np.float32)
    choices = [book.instrument_for(one.program, 0, False, int(key)) for one, key in zip(voices, keys, strict=True)]
    motions = np.array([choice.motion for choice in choices])
    count = len(voices)
    pitched = np.array([float(choice.pitched) for choice in choices], np.float32)
    timbres = np.stack([choice.timbre for choice in choices])
    keys -= np.array([choice.motion.semitones for choice in choices], np.float32)
    genome = growth.plant(keys, np.full(count, 0.7, np.float32), timbres, pitched, np.zeros(count, np.float32))
    mask = np.ones((count, growth.steps_per_hop, growth.spec.num_mels), np.float32)
    levels = []
    for hop in range(int(30 / growth.spec.hop_s)):
        age_s = np.full(count, hop * growth.spec.hop_s, np.float32)
        swell = growth.motions.swell(motions, age_s[None].astype(np.float64))[0]
        grown = growth.step(genome, HopInputs(age_s, np.full(count, -1.0, np.float32), mask, swell))
        genome["grid"] = grown.grid
        levels.append(10 * np.log10(power_from_level(grown.fields["mel"][:, 0], growth.spec).sum(1) + 1e-12))
    level_db = np.array(levels)
    assert np.isfinite(level_db).all()
    by_name = {one.name: level_db[:, i] for i, one in enumerate(voices)}
    for name in ("grand-piano", "fingered-bass", "vibraphone"):
        assert by_name[name][-1] < by_name[name][20] - 40, f"{name} does not fade"
    for name in ("violin", "flute", "brass-section"):
        held = by_name[name][172:]
        assert np.ptp(held) < 6.0, f"{name} sways more than its recording"
        assert np.ptp(np.convolve(held, np.ones(344) / 344, "valid")) < 1.0, f"{name} does not hold its level over 4 s"


HELD = {
    "church-organ": (60, 0.1), "strings": (62, 0.2), "choir": (62, 0.0), "brass-section": (61, 0.1),
    "saw-lead": (62, -0.1), "space-voice": (60, 0.0), "goblin": (60, -0.1), "flute": (78, -0.1),
    "overdriven-guitar": (62, -17.7),
}  # fmt: skip
"""A key of each, and how far its recording's level in seconds 6 to 11 is from that in seconds 1 to 4."""


def test_held_notes_sound_on_as_their_recordings_do() -> None:
    synth = assemble_synth(sample_rate=22_050, effects=False, stems=True, bank_path="low-rate").synth
    programs = {one.name: one.program for one in Bank.load(Path("low-rate")).instruments}
    for channel, (name, (key, _)) in enumerate(HELD.items()):
        synth.send(program_change(channel, programs[name]), 0)
        synth.send(note_on(channel, key, 90), synth.latency_frames)
    stems = synth.render_stems(11 * 22_050).stems.sum(2).astype(np.float64)

    def level(channel: int, start_s: float, stop_s: float) -> float:
        return float(10 * np.log10(np.mean(stems[channel, int(start_s * 22_050) : int(stop_s * 22_050)] ** 2)))

    for channel, (name, (_, recorded)) in enumerate(HELD.items()):
        change = level(channel, 6.0, 11.0) - level(channel, 1.0, 4.0)
        assert abs(change - recorded) <= 1.0, f"{name}: {change:.2f} dB, recorded {recorded}"
        if abs(recorded) < 1.0:
            steps = [level(channel, at + 0.1, at + 1.1) - level(channel, at - 1.1, at - 0.1) for at in (3.8, 4.0, 4.3)]
            assert np.abs(steps).max() <= 1.5, f"{name}: steps of {steps} dB about 4 s"


def test_the_command_renders_an_example(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "prelude.flac"
    assert main(["render", str(EXAMPLES / "prelude.mid"), "-o", str(out), "--json", "--sample-rate", "22050"]) == 0
    report = json.loads(capsys.readouterr().out)
    expected = {
        "audio_seconds",
        "render_seconds",
        "rtf",
        "notes",
        "peak_voices",
        "peak_dbfs",
        "instruments",
        "provider",
    }
    assert expected <= set(report)
    assert report["notes"] == 381 and report["provider"] == "cpu" and -24 < report["peak_dbfs"] <= 0
    assert out.stat().st_size > 100_000
