"""An instrument that leaves as samples sounds in another sampler, sfizz, as it does here."""

from __future__ import annotations

import struct
import time
from pathlib import Path

import numpy as np
import pysfizz
import pytest
import soundfile

from tnca_synth.corpus.samples import note as note_module
from tnca_synth.corpus.samples.library import Library, render_library
from tnca_synth.corpus.samples.loops import Loop, crossfade, find_loop, release_s
from tnca_synth.engine.arrays import FloatArray
from tnca_synth.errors import UsageError

RATE = 44_100
BLOCK = 256


def db(audio: FloatArray, start_s: float, stop_s: float) -> float:
    return float(10 * np.log10((audio[round(start_s * RATE) : round(stop_s * RATE)] ** 2).mean() + 1e-20))


def bands_db(audio: FloatArray, start_s: float, stop_s: float) -> FloatArray:
    """Return the levels of third-octave bands from 100 Hz on that are within 40 dB of the loudest."""
    part = audio[round(start_s * RATE) : round(stop_s * RATE)]
    power = np.abs(np.fft.rfft(part * np.hanning(len(part)))) ** 2
    edges = 100 * 2 ** (np.arange(20) / 3) * len(part) / RATE
    levels = 10 * np.log10(np.add.reduceat(power, edges.astype(int))[:-1] + 1e-20)
    return np.maximum(levels, levels.max() - 40)


def in_sfizz(sfz: Path, key: int, velocity: int, hold_s: float, length_s: float) -> FloatArray:
    """Return what sfizz plays of a note, mono, without the gain that sfizz gives everything."""
    synth = pysfizz.Synth(RATE, BLOCK)
    assert synth.load_sfz_file(sfz)
    synth.render_note(key, velocity, 0.1, 0.2)  # it loads what a note needs while the note sounds
    time.sleep(0.3)
    synth._synth.all_sound_off()
    return synth.render_note(key, velocity, hold_s, length_s).mean(axis=0) / sfizz_gain(sfz.parent)


def sfizz_gain(folder: Path) -> float:
    """Return the gain of a file that is played as it is."""
    soundfile.write(folder / "plain.wav", np.full(RATE, 0.25), RATE)
    (folder / "plain.sfz").write_text("<region> sample=plain.wav")
    synth = pysfizz.Synth(RATE, BLOCK)
    assert synth.load_sfz_file(folder / "plain.sfz")
    return float(synth.render_note(60, 127, 0.5, 0.5).max()) / 0.25


def here(library: Library, key: int, velocity: int, hold_s: float, instrument: str, program: int) -> FloatArray:
    task = note_module.KeyTask(
        key, (velocity,), hold_s, instrument, program, False, "", "", ".wav", RATE, "24", 0, None, None, None
    )
    return note_module.played_note(task, velocity, hold_s)[0].mean(axis=1)


@pytest.fixture(scope="module")
def violin(tmp_path_factory: pytest.TempPathFactory) -> Library:
    return render_library("violin", tmp_path_factory.mktemp("violin") / "lib", keys=(69, 70), key_step=2, layers=2)


@pytest.mark.slow
@pytest.mark.parametrize("velocity", [127, 64, 96])
def test_sfizz_plays_it_as_we_do(violin: Library, velocity: int) -> None:
    theirs = in_sfizz(violin.sfz, 69, velocity, 2.0, 2.6)
    ours = here(violin, 69, velocity, 2.0, "violin", 40)
    for span in ((0.0, 0.2), (0.5, 1.0), (1.5, 2.0)):
        assert db(theirs, *span) == pytest.approx(db(ours, *span), abs=1.5 if velocity == 96 else 1.0)  # between layers
        assert np.abs(bands_db(theirs, *span) - bands_db(ours, *span)).mean() < 2.0
    assert db(theirs, 2.0, 2.3) == pytest.approx(db(ours, 2.0, 2.3), abs=3.0)


@pytest.mark.slow
def test_a_held_note_goes_on_without_a_click(violin: Library) -> None:
    theirs = in_sfizz(violin.sfz, 69, 127, 12.0, 12.0)
    levels = [db(theirs, start / 10, start / 10 + 0.1) for start in range(10, 118)]
    assert max(levels) - min(levels) < 6.0
    assert np.mean(levels[-20:]) == pytest.approx(np.mean(levels[:20]), abs=1.0)
    steps = np.abs(np.diff(theirs, 2))
    assert steps[round(4 * RATE) :].max() < 1.5 * steps[RATE : 3 * RATE].max()


@pytest.mark.slow
def test_a_key_that_was_not_sampled_is_played_by_its_neighbour(violin: Library) -> None:
    loudest_hz = float(np.argmax(np.abs(np.fft.rfft(in_sfizz(violin.sfz, 70, 100, 1.0, 1.0)))))
    partial = loudest_hz / (440.0 * 2 ** (1 / 12))
    assert partial == pytest.approx(round(partial), rel=0.02)


@pytest.mark.slow
def test_what_dies_away_is_not_looped_and_fades_as_fast_when_let_go(tmp_path: Path) -> None:
    library = render_library("grand-piano", tmp_path / "lib", keys=(60, 60), layers=1, suffix=".flac")
    (sample,) = library.samples
    assert sample.loop is None
    theirs = in_sfizz(library.sfz, 60, 127, 1.0, 1.5)
    ours = here(library, 60, 127, 1.0, "grand-piano", 0)
    assert db(theirs, 0.5, 1.0) == pytest.approx(db(ours, 0.5, 1.0), abs=0.5)
    assert db(theirs, 1.0, 1.15) == pytest.approx(db(ours, 1.0, 1.15), abs=4.0)


@pytest.mark.slow
def test_drums_play_to_their_end(tmp_path: Path) -> None:
    library = render_library("standard-kit", tmp_path / "lib", keys=(36, 38), key_step=2, layers=1)
    text = library.sfz.read_text()
    assert text.count("loop_mode=one_shot") == 2 and "lokey=38 hikey=38" in text
    snare = in_sfizz(library.sfz, 38, 127, 0.02, 0.5)
    assert db(snare, 0.02, 0.1) > -50


@pytest.mark.slow
def test_the_file_tells_its_key_and_its_loop(violin: Library) -> None:
    sample = violin.samples[0]
    assert sample.loop is not None
    data = (violin.sfz.parent / "samples" / sample.file).read_bytes()
    assert struct.unpack("<I", data[4:8])[0] == len(data) - 8
    chunks, at = {}, 12
    while at < len(data):
        name, size = struct.unpack("<4sI", data[at : at + 8])
        chunks[name] = data[at + 8 : at + 8 + size]
        at += 8 + size + size % 2
    assert at == len(data)
    smpl = struct.unpack("<15I", chunks[b"smpl"])
    assert (smpl[3], smpl[7], smpl[11], smpl[12]) == (69, 1, sample.loop.start, sample.loop.end)
    assert soundfile.info(violin.sfz.parent / "samples" / sample.file).frames > sample.loop.end


@pytest.mark.slow
def test_the_number_of_workers_changes_no_byte(tmp_path: Path, violin: Library) -> None:
    again = render_library("violin", tmp_path / "lib", keys=(69, 70), key_step=1, layers=2, workers=2)
    for sample in violin.samples:
        assert (again.sfz.parent / "samples" / sample.file).read_bytes() == (
            violin.sfz.parent / "samples" / sample.file
        ).read_bytes()


def test_wrong_calls_leave_nothing(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="unknown instrument"):
        render_library("kazoo", tmp_path / "lib")
    with pytest.raises(UsageError, match="there already"):
        render_library("violin", tmp_path)
    with pytest.raises(UsageError, match="number of velocities"):
        render_library("violin", tmp_path / "lib", layers=0)
    with pytest.raises(UsageError, match="keys must be"):
        render_library("violin", tmp_path / "lib", keys=(60, 50))
    assert not list(tmp_path.iterdir())


def tone(seconds: float, decay_db_per_s: float = 0.0, hz: float = 441.0) -> FloatArray:
    time_s = np.arange(round(seconds * RATE)) / RATE
    return (0.3 * np.sin(2 * np.pi * hz * time_s) * 10 ** (-decay_db_per_s * time_s / 20)).astype(np.float32)


def test_a_steady_tone_repeats_in_whole_periods() -> None:
    loop = find_loop(tone(4.0), RATE, 4 * RATE)
    assert loop is not None
    periods = (loop.end + 1 - loop.start) * 441.0 / RATE
    assert periods == pytest.approx(round(periods), abs=0.02)


def test_a_tone_that_dies_away_has_no_loop() -> None:
    assert find_loop(tone(4.0, decay_db_per_s=6.0), RATE, 4 * RATE) is None
    assert find_loop(tone(1.0), RATE, RATE) is None


def test_a_crossfade_joins_ends_that_do_not_fit() -> None:
    """Of a gliding tone no two places are alike: without a crossfade there is a step."""
    time_s = np.arange(3 * RATE) / RATE
    glide = np.stack([np.sin(2 * np.pi * (300 * time_s + 5 * time_s**2))] * 2, axis=1).astype(np.float32)
    loop = Loop(RATE, 2 * RATE - 51)
    joined = crossfade(glide, RATE, loop)
    once = np.concatenate([joined[: loop.end + 1], joined[loop.start : loop.end + 1]])
    raw = np.concatenate([glide[: loop.end + 1], glide[loop.start : loop.end + 1]])
    smooth = np.abs(np.diff(glide[:, 0], 2)).max()
    assert np.abs(np.diff(raw[:, 0], 2)).max() > 5 * smooth
    assert np.abs(np.diff(once[:, 0], 2)).max() < 1.5 * smooth
    assert np.abs(np.diff(joined[:, 0], 2)).max() < 1.5 * smooth  # past the end, too


def test_a_release_lasts_as_long_as_the_fall_is_slow() -> None:
    fading = np.concatenate([tone(1.0), tone(2.0, decay_db_per_s=39.0)])
    assert release_s(fading, RATE, RATE) == pytest.approx(2.0, rel=0.05)
