"""Long takes become notes: rendered performances whose notes are known, with what else microphones hear."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import performances
import pytest
import soundfile
from performances import STYLES, one_by_one, perform, room, score

from tnca_synth.errors import DatasetError
from tnca_synth.training.material import Material, understand
from tnca_synth.training.sources.soundfont import SoundFont

pytestmark = pytest.mark.slow

RATE = 22050
PIANO, VIOLIN, KALIMBA, FLUTE, CLARINET = 0, 40, 108, 73, 71


@pytest.fixture(scope="module")
def font() -> SoundFont:
    return SoundFont(performances.SOUNDFONT, RATE)


def saved(folder: Path, audio: np.ndarray, name: str = "take.wav", rate: int = RATE) -> Path:
    path = folder / name
    soundfile.write(path, audio, rate)
    return path


def begins(material: Material) -> list[float]:
    return [float(one.origin.split(" at ")[1].split()[0]) for one in material.recordings]


def judged(material: Material, played) -> performances.Score:
    return score(played, begins(material), [one.pitch for one in material.recordings])


@pytest.mark.parametrize("style", ["detached", "legato", "repeated"])
@pytest.mark.parametrize(("program", "low"), [(PIANO, 48), (VIOLIN, 57), (KALIMBA, 60), (FLUTE, 60)])
def test_notes_of_a_take_in_a_room(tmp_path, font, program, low, style):
    audio, played = perform(font, program, STYLES[style](range(low, low + 12)))
    material = understand(saved(tmp_path, room(audio, RATE)))
    found = judged(material, played)
    assert found.pitch == found.found >= 11
    assert found.false == 0
    assert found.near_20_ms >= 9 and found.near_50_ms >= 11
    assert material.kind == "take" and material.offset is None
    for one in material.recordings:
        assert one.audio.dtype == np.float32 and np.abs(one.audio[: RATE // 50]).max() < 1


def test_a_long_note_whose_level_swings_with_its_vibrato_is_one(tmp_path):
    """Every third swing is as deep as a new bow: violins do that where vibrato moves partials over a resonance."""
    time = np.arange(3 * RATE) / RATE
    rate_hz = 5.5
    phase = 2 * np.pi * 880.0 * time + 0.6 * np.sin(2 * np.pi * rate_hz * time)
    tone = sum(np.sin(number * phase) / number for number in range(1, 6))
    swing = np.floor(rate_hz * time)
    depth_db = np.where(swing % 3 == 2, 8.0, 5.0)
    level_db = -depth_db * np.sin(np.pi * (rate_hz * time - swing)) ** 2
    fade = np.minimum(1.0, np.minimum(time, time[::-1]) / 0.02)
    note = 0.2 * tone * fade * 10.0 ** (level_db / 20.0)
    rest = np.zeros(RATE // 2)
    material = understand(saved(tmp_path, room(np.concatenate([rest, note, rest, note, rest]), RATE, -60)))
    assert begins(material) == pytest.approx([0.5, 4.0], abs=0.05)
    assert [one.pitch for one in material.recordings] == [81, 81]


def test_velocities_come_from_levels(tmp_path, font):
    velocities = (40, 80, 120)
    audio, played = perform(font, PIANO, one_by_one(range(48, 66), 0.5, 0.4, velocities))
    material = understand(saved(tmp_path, room(audio, RATE, -50)))
    assert material.velocities_heard
    by_time = dict(zip(begins(material), material.recordings, strict=True))
    order = [by_time[at].velocity for at in sorted(by_time)]
    true = [one.velocity for one in played]
    assert len(order) == len(true)
    assert np.corrcoef(order, true)[0, 1] > 0.9
    assert np.mean(np.abs(np.array(order) - true)) < 20


@pytest.mark.parametrize("program", [FLUTE, KALIMBA])
def test_notes_that_are_played_alike_are_one_layer(tmp_path, font, program):
    audio, _ = perform(font, program, one_by_one(range(60, 72), 0.5, 0.3))
    material = understand(saved(tmp_path, room(audio, RATE)))
    assert list(material.velocities) == [100]


def test_how_long_notes_were_held(tmp_path, font):
    audio, _ = perform(font, CLARINET, one_by_one(range(60, 64), 1.0, 1.0))
    material = understand(saved(tmp_path, room(audio, RATE, -60)))
    assert [one.hold_s for one in material.recordings] == pytest.approx([1.0] * 4, abs=0.1)
    assert all(one.sustains for one in material.recordings)


@pytest.mark.parametrize("what", ["metronome", "speech", "handling"])
def test_what_is_no_note_is_refused(tmp_path, what):
    sounds = {
        "metronome": lambda: performances.metronome(np.zeros(6 * RATE, np.float32), RATE),
        "speech": lambda: performances.speech(6, RATE),
        "handling": lambda: performances.handling(6, RATE),
    }
    with pytest.raises(DatasetError, match=r"refused; the first: take\.wav at [0-9.]+ s: (unpitched|unsteady|short)"):
        understand(saved(tmp_path, room(sounds[what](), RATE)))


def test_a_take_begins_with_speech_and_hum_and_offset_stay_out_of_it(tmp_path, font):
    audio, played = perform(font, KALIMBA, one_by_one(range(60, 72), 0.6, 0.3))
    time = np.arange(len(audio)) / RATE
    hum = 0.004 * np.sin(2 * np.pi * 50 * time) + 0.002 * np.sin(2 * np.pi * 150 * time)
    whole = np.concatenate([performances.speech(4, RATE), audio + hum]) + 0.03
    material = understand(saved(tmp_path, room(whole, RATE)))
    later = [performances.Played(one.onset_s + 4, one.key, one.velocity, one.hold_s) for one in played]
    found = judged(material, later)
    assert (found.pitch, found.false) == (12, 0)
    assert material.refused
    assert all(abs(one.audio.mean()) < 1e-3 for one in material.recordings)


def test_a_click_track_in_the_room_does_not_cut_notes(tmp_path, font):
    audio, played = perform(font, PIANO, one_by_one(range(48, 72, 3), 1.5, 0.8))
    material = understand(saved(tmp_path, room(performances.metronome(audio, RATE), RATE)))
    found = judged(material, played)
    assert (found.pitch, found.false) == (8, 0)


def test_a_clipped_note_is_left_out_and_named(tmp_path, font):
    audio, played = perform(font, FLUTE, one_by_one(range(60, 66), 0.6, 0.4))
    loud = audio.copy()
    begin, end = int((played[2].onset_s - 0.05) * RATE), int((played[3].onset_s - 0.05) * RATE)
    loud[begin:end] = np.clip(8 * loud[begin:end], -1, 1)
    material = understand(saved(tmp_path, loud))
    assert 62 not in material.pitches and len(material.pitches) == 5
    (clipped,) = [one for one in material.refused if one.kind == "clipped"]
    assert clipped.place.startswith("take.wav at 2.7")


def test_several_takes_in_a_folder_share_their_velocities(tmp_path, font):
    for name, velocity in (("soft", 50), ("loud", 115)):
        audio, _ = perform(font, KALIMBA, one_by_one(range(60, 66), 0.5, 0.4, (velocity,)))
        peak = 0.4 * (velocity / 115) ** 2
        audio *= peak / np.abs(audio).max()
        saved(tmp_path, room(audio, RATE, -40 if velocity > 100 else -30), f"{name}.wav")
    material = understand(tmp_path)
    assert material.kind == "take" and material.pitches == (60, 61, 62, 63, 64, 65)
    soft, loud = (
        [one.velocity for one in material.recordings if one.origin.startswith(name)] for name in ("soft", "loud")
    )
    assert len(soft) == len(loud) == 6
    assert max(soft) < 80 < min(loud)


def test_a_take_in_another_rate_format_and_with_two_audio_channels(tmp_path):
    font = SoundFont(performances.SOUNDFONT, 48000)
    audio, played = perform(font, KALIMBA, one_by_one(range(60, 64), 0.5, 0.4))
    noisy = room(audio, 48000)
    path = saved(tmp_path, np.stack([noisy, 0.5 * noisy], axis=1), "take.ogg", 48000)
    material = understand(path, 44100)
    found = judged(material, played)
    assert (found.pitch, found.false, found.near_20_ms) == (4, 0, 4)
    assert all(0.2 < len(one.audio) / 44100 < 1.0 for one in material.recordings)


def test_a_file_with_one_note_is_that_note_under_its_name(tmp_path, font):
    audio, _ = perform(font, FLUTE, one_by_one([60], 1.0, 1.0))
    for name, key in (("something.wav", 60), ("flute C4.wav", 60), ("flute C5 v90.wav", 72)):
        material = understand(saved(tmp_path, audio, name))
        assert material.pitches == (key,)
