"""Notes rendered from the SoundFont that `make test` installs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tnca_synth.engine.spectra.pitch import pitch_to_hz
from tnca_synth.engine.spectra.spec import AudioSpec
from tnca_synth.errors import DatasetError
from tnca_synth.training.config.instruments import InstrumentConfig
from tnca_synth.training.config.run import DataConfig
from tnca_synth.training.data.dataset import load_notes
from tnca_synth.training.measure.tuning_and_tonality import estimate_tuning
from tnca_synth.training.sources.soundfont import SoundFont

pytestmark = pytest.mark.slow

SPEC = AudioSpec()
PATH = DataConfig().soundfont
FLUTE = InstrumentConfig("flute", program=73, low=71, high=73)
KIT = InstrumentConfig("kit", program=0, low=38, high=40, pitched=False, drum_keys=True)


@pytest.fixture(scope="module")
def font() -> SoundFont:
    return SoundFont(PATH, SPEC.sample_rate)


def loudest_hz(audio: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(audio * np.hanning(len(audio)), 1 << 17))
    return float(np.argmax(spectrum)) * SPEC.sample_rate / (1 << 17)


@pytest.mark.parametrize(("program", "key"), [(73, 72), (19, 57), (40, 76)])
def test_a_note_has_its_pitch(font: SoundFont, program: int, key: int) -> None:
    audio = font.render(program, key, 100, 0.8, 0.2, drums=False)
    assert len(audio) == pytest.approx(SPEC.sample_rate, abs=2)
    cents, _ = estimate_tuning(audio[: int(0.8 * SPEC.sample_rate)], float(pitch_to_hz(key)), SPEC, inharmonic=False)
    assert abs(cents) < 25.0


def test_the_flutes_loudest_partial_is_a_harmonic_of_its_key(font: SoundFont) -> None:
    ratio = loudest_hz(font.render(73, 72, 100, 0.8, 0.0, drums=False)[4000:]) / float(pitch_to_hz(72))
    assert ratio == pytest.approx(round(ratio), abs=0.02)
    assert round(ratio) in (1, 2)


def test_a_note_begins_at_its_first_sample_and_falls_silent_after_release(font: SoundFont) -> None:
    audio = font.render(73, 72, 100, 0.5, 0.8, drums=False)
    loud = np.abs(audio).max()
    assert np.abs(audio[: int(0.05 * SPEC.sample_rate)]).max() > 0.01 * loud
    assert np.abs(audio[-500:]).max() < 0.05 * loud


def test_velocity_makes_it_louder(font: SoundFont) -> None:
    soft, hard = (np.abs(font.render(0, 60, v, 0.3, 0.1, drums=False)).max() for v in (30, 120))
    assert hard > 2 * soft


def test_rendering_one_note_does_not_colour_the_next(font: SoundFont) -> None:
    first = font.render(73, 72, 100, 0.2, 0.1, drums=False)
    font.render(19, 40, 127, 0.3, 0.0, drums=False)  # still sounding when its rendering ends
    np.testing.assert_array_equal(font.render(73, 72, 100, 0.2, 0.1, drums=False), first)


def test_recordings_cover_keys_velocities_and_holds(font: SoundFont) -> None:
    found = list(font.recordings(FLUTE, (64, 90), ((0.1, 0.2, 0.3), (0.4,)), tail_s=0.1))
    assert [(one.pitch, one.velocity) for one in found[::2]] == [(k, v) for k in (71, 72, 73) for v in (64, 90)]
    assert {one.hold_s for one in found} == {0.1, 0.2, 0.3, 0.4}
    assert all(one.instrument == "flute" and one.pitched for one in found)
    assert [one.held_out for one in found[::2]] == [True, True, False, True, False, True]


def test_every_drum_is_a_timbre_of_its_own(font: SoundFont) -> None:
    found = list(font.recordings(KIT, (100,), ((0.1,),), tail_s=0.1))
    assert [one.instrument for one in found] == ["kit:38", "kit:39", "kit:40"]
    assert not np.array_equal(found[0].audio, found[1].audio)


@pytest.mark.parametrize("content", [b"", b"RIFF\x00\x00\x00\x00sfbk", b"not a SoundFont at all" * 100])
def test_what_is_not_a_soundfont_is_an_error_of_one_line(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "wrong.sf2"
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=r"wrong\.sf2 is not a readable SoundFont") as caught:
        SoundFont(path, SPEC.sample_rate)
    assert "\n" not in str(caught.value)


def test_a_missing_soundfont_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="apt-get install fluidr3mono-gm-soundfont"):
        SoundFont(tmp_path / "absent.sf3", SPEC.sample_rate)


def test_notes_are_rendered_once_and_then_read_from_the_cache(tmp_path: Path) -> None:
    data = DataConfig(velocities=(64,), holds_s=((0.1,),), tail_s=0.1, instruments=(FLUTE,))
    told: list[str] = []
    first = load_notes(data, SPEC, tmp_path, workers=1, report=told.append)
    again = load_notes(data, SPEC, tmp_path, workers=1, report=told.append)
    assert [text.partition("-")[0] for text in told if text.startswith("rendered")] == ["rendered flute"]
    assert first.mel.equal(again.mel)
    assert len(first.features) == 3
    assert list(first.indices(held_out=True)) == [0]
    changed = DataConfig(velocities=(65,), holds_s=((0.1,),), tail_s=0.1, instruments=(FLUTE,))
    load_notes(changed, SPEC, tmp_path, workers=1, report=told.append)
    assert len([text for text in told if text.startswith("rendered")]) == 2


def test_a_preset_without_instruments_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="lists no instruments"):
        load_notes(DataConfig(), SPEC, tmp_path)
