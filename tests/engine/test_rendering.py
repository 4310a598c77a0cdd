"""Rendering as Python programs call it: arrays, streams, gains, wrong arguments, and workers that are lost."""

from __future__ import annotations

import io
import math
import os
import signal
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path

import mido
import numpy as np
import pytest
import soundfile
from fake_ensemble import LEVEL, fake_ensemble

import tnca_synth
from tnca_synth import open_synth, read_midi_file, render, render_file
from tnca_synth.engine.events import sequencer
from tnca_synth.engine.growth import worker_process
from tnca_synth.engine.mix.limiter import CEILING
from tnca_synth.engine.open import assemble_synth
from tnca_synth.engine.output.gain import Amplifier
from tnca_synth.engine.output.loudness import LoudnessMeter
from tnca_synth.engine.output.sinks import MemorySink
from tnca_synth.engine.render import file
from tnca_synth.engine.voices.progress import Progress
from tnca_synth.errors import MidiFileError, UsageError
from tnca_synth.midi.messages import note_off, note_on, program_change

from .fakes import make_synth

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).parents[2] / "examples"
VIOLIN = program_change(0, 40)


def midi_file(*messages: tuple[int, bytes], end_ms: int = 1000) -> bytes:
    """Return a MIDI file with messages at times in ms."""
    track, last = b"", 0
    for time_ms, data in sorted(messages, key=lambda one: one[0]):
        track += _number(time_ms - last) + data
        last = time_ms
    track += _number(max(end_ms - last, 0)) + b"\xff\x2f\x00"
    return b"MThd" + struct.pack(">IHHH", 6, 0, 1, 500) + b"MTrk" + struct.pack(">I", len(track)) + track


def _number(value: int) -> bytes:
    digits = [value & 0x7F]
    while value := value >> 7:
        digits.append(value & 0x7F | 0x80)
    return bytes(reversed(digits))


TUNE = midi_file((0, VIOLIN), (0, note_on(0, 69, 100)), (300, note_off(0, 69)), end_ms=400)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file, "assemble_synth", lambda **options: fake_ensemble())


def test_an_array_holds_the_samples_of_the_file_and_of_the_stream(tmp_path: Path) -> None:
    audio = render(TUNE, sample_rate=22_050, seed=4)
    assert audio.dtype == np.float32
    assert audio.ndim == 2 and audio.shape[1] == 2
    assert np.abs(audio).max() > 0.05
    report = render_file(io.BytesIO(TUNE), tmp_path / "a.wav", sample_rate=22_050, seed=4, bit_depth="32f")
    stream = io.BytesIO()
    render_file(TUNE, stream, sample_rate=22_050, seed=4, bit_depth="32f")
    np.testing.assert_array_equal(soundfile.read(tmp_path / "a.wav", dtype="float32")[0], audio)
    np.testing.assert_array_equal(soundfile.read(io.BytesIO(stream.getvalue()), dtype="float32")[0], audio)
    assert (report.representation, report.decoder, report.sample_rate, report.seed) == ("dual", "harmonic", 22_050, 4)
    assert (report.bit_depth, report.gain_db, report.loudness_lufs) == ("32f", 0.0, None)
    assert report.instruments == ("violin",)


def test_a_song_that_was_read_already_is_taken(fake: None) -> None:
    assert len(render(read_midi_file(EXAMPLES / "canon.mid"))) > 1000


def pitch_hz(audio: np.ndarray, rate: int) -> float:
    spectrum = np.abs(np.fft.rfft(audio[:, 0] * np.hanning(len(audio)), 1 << 17))
    return float(spectrum.argmax() * rate / (1 << 17))


def test_a_transposed_song_sounds_in_the_other_key() -> None:
    low, high = (render(TUNE, sample_rate=22_050, transpose_semitones=by) for by in (0, 12))
    octaves = math.log2(pitch_hz(high[:6000], 22_050) / pitch_hz(low[:6000], 22_050))
    assert octaves == pytest.approx(1.0, abs=0.05)


def test_a_song_that_is_transposed_away_is_a_wrong_call(fake: None) -> None:
    with pytest.raises(UsageError, match="transposed by 100 semitones, no note is left"):
        render(TUNE, transpose_semitones=100)


@pytest.mark.parametrize("gain_db", [-20.0, 6.0])
def test_gain_is_what_it_says(fake: None, gain_db: float) -> None:
    heard = np.abs(render(TUNE, gain_db=gain_db)).max()
    assert 20 * math.log10(heard / LEVEL) == pytest.approx(gain_db, abs=1e-4)


def test_gain_keeps_below_full_scale_without_a_shift_in_time(fake: None) -> None:
    plain, loud = render(TUNE), render(TUNE, gain_db=40.0)
    assert len(loud) == len(plain)
    assert np.abs(loud).max() <= CEILING
    assert np.flatnonzero(np.abs(loud).max(axis=1))[[0, -1]].tolist() == (
        np.flatnonzero(np.abs(plain).max(axis=1))[[0, -1]].tolist()
    )


@pytest.mark.parametrize("sizes", [(5000,), (1, 10, 30, 4959), (22, 4978)])
def test_an_amplifier_gives_the_same_for_any_blocks(sizes: tuple[int, ...]) -> None:
    audio = np.random.default_rng(2).normal(0.0, 0.3, (5000, 2)).astype(np.float32)
    results = []
    for cuts in ((), np.cumsum(sizes)[:-1]):
        memory = MemorySink()
        amplifier = Amplifier(memory, 12.0, limits_at=44_100)
        for block in np.split(audio, cuts):
            amplifier.write(block)
        amplifier.finish()
        results.append(memory.audio)
    assert results[0].shape == audio.shape
    np.testing.assert_array_equal(*results)


@pytest.mark.parametrize("target", [-14.0, -30.0])
def test_a_song_is_brought_to_a_loudness(tmp_path: Path, target: float) -> None:
    report = render_file(TUNE, tmp_path / "a.wav", normalise_lufs=target, stems_dir=tmp_path / "stems")
    audio, rate = soundfile.read(tmp_path / "a.wav", dtype="float32")
    meter = LoudnessMeter(rate)
    meter.write(audio)
    assert meter.integrated_lufs == pytest.approx(target, abs=0.3)
    assert report.loudness_lufs == pytest.approx(target)
    assert report.gain_db != 0.0
    assert report.peak_dbfs == pytest.approx(20 * math.log10(np.abs(audio).max()), abs=0.01)
    stem, _ = soundfile.read(report.stems[0], dtype="float32")
    if target < -20.0:  # where nothing is limited, one part is the whole
        np.testing.assert_allclose(stem, audio, atol=1e-4)
    assert sorted(os.listdir(tmp_path)) == ["a.wav", "stems"]


def test_silence_has_no_loudness_to_normalise(monkeypatch: pytest.MonkeyPatch) -> None:
    silent = fake_ensemble()
    silent.synth.fault = 0.0  # type: ignore[attr-defined]
    monkeypatch.setattr(file, "assemble_synth", lambda **options: silent)
    told: list[str] = []
    assert not render(TUNE, normalise_lufs=-16.0, warn=told.append).any()
    assert any("the loudness cannot be measured" in text for text in told)


WRONG: list[tuple[dict[str, object], str]] = [
    ({"gain_db": math.nan}, "gain_db: expected a number in -96..48, got nan"),
    ({"gain_db": math.inf}, "gain_db"),
    ({"gain_db": "loud"}, "gain_db"),
    ({"gain_db": True}, "gain_db"),
    ({"gain_db": 100}, "gain_db"),
    ({"normalise_lufs": 3.0}, "normalise_lufs: expected a number in -70..0, got 3.0"),
    ({"normalise_lufs": -16, "gain_db": 1.0}, "exclude each other"),
    ({"transpose_semitones": 1.5}, "transpose_semitones: expected a whole number in -127..127, got 1.5"),
    ({"transpose_semitones": 128}, "transpose_semitones"),
    ({"seed": -1}, "seed"),
    ({"seed": 0.5}, "seed"),
    ({"sample_rate": "44100"}, "sample_rate: expected a whole number, got '44100'"),
    ({"sample_rate": 7}, "sample rate must be in 8000..192000 Hz, got 7"),
    ({"workers": 0}, "workers must be 1 or more, got 0"),
    ({"workers": None}, "workers"),
    ({"provider": "tpu"}, "provider"),
    ({"provider": None}, "provider: expected a name, got None"),
    ({"instrument": 4.5}, "instrument: expected a name, got 4.5"),
    ({"instrument": "kazoo"}, "unknown instrument 'kazoo'"),
    ({"decoder": b"harmonic"}, "decoder: expected a name"),
    ({"representation": "duel"}, "did you mean 'dual'?"),
    ({"bank_path": 5}, "bank_path: expected a path, got 5"),
    ({"progress": 5}, "progress: expected a function, got 5"),
    ({"warn": "loudly"}, "warn: expected a function"),
]


@pytest.mark.parametrize(("options", "told"), WRONG, ids=[str(options) for options, _ in WRONG])
def test_a_wrong_argument_is_a_usage_error_and_writes_nothing(
    tmp_path: Path, options: dict[str, object], told: str
) -> None:
    for call in (lambda: render(TUNE, **options), lambda: render_file(TUNE, tmp_path / "a.wav", **options)):  # type: ignore[arg-type]
        with pytest.raises(UsageError) as error:
            call()
        assert told in str(error.value)
        assert "\n" not in str(error.value)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("out", [None, 5, b"a.wav", object()])
def test_an_output_that_is_none_is_a_usage_error(out: object) -> None:
    with pytest.raises(UsageError, match="out: expected a path, got"):
        render_file(TUNE, out)  # type: ignore[arg-type]


@pytest.mark.parametrize("options", [{"max_voices": 0}, {"max_voices": 2.5}, {"seed": "x"}, {"bank_path": 3.0}])
def test_a_synth_is_not_opened_with_wrong_arguments(options: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        open_synth(**options)  # type: ignore[arg-type]


def test_a_song_without_notes_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(MidiFileError, match="no notes"):
        render_file(midi_file((0, b"\xff\x51\x03\x07\xa1\x20")), tmp_path / "a.wav")
    assert os.listdir(tmp_path) == []


def test_notes_of_no_length_sound(tmp_path: Path) -> None:
    audio = render(midi_file((0, VIOLIN), (100, note_on(0, 69, 100)), (100, note_off(0, 69))), sample_rate=22_050)
    assert np.flatnonzero(np.abs(audio).max(axis=1) > 1e-4)[0] == pytest.approx(2205, abs=400)


def test_a_synth_plays_note_by_note() -> None:
    synth = open_synth(instrument="violin", sample_rate=22_050, max_voices=2)
    synth.send(note_on(0, 69, 100))
    assert np.abs(synth.render(5000)).max() > 0.05
    assert repr(synth) == "<Synth at 22050 Hz, frame 5000, 1 of 2 voices>"


@pytest.mark.parametrize("message", [bytes, bytearray, memoryview, mido.Message.from_bytes], ids=str)
def test_a_message_is_taken_as_bytes_or_as_mido_has_it(message: Callable[[bytes], object]) -> None:
    synth = make_synth()
    synth.send(message(note_on(0, 60, 100)), np.int64(10))  # type: ignore[arg-type]
    assert synth.render(np.int32(1000)).any()


@pytest.mark.parametrize(
    "call",
    [
        lambda synth: synth.send(5),
        lambda synth: synth.send("note on"),
        lambda synth: synth.send(None),
        lambda synth: synth.send(note_on(0, 60, 100), 1.5),
        lambda synth: synth.render(100.0),
        lambda synth: synth.render(100, None),
        lambda synth: synth.limit_voices("4"),
    ],
)
def test_what_a_synth_cannot_take_is_a_usage_error(call: Callable[[object], object]) -> None:
    with pytest.raises(UsageError, match="expected a "):
        call(make_synth())


@pytest.mark.parametrize("options", [None, 5, {"block_size": 64}])
def test_a_session_wants_options(options: object) -> None:
    with pytest.raises(UsageError, match="expected LiveOptions"):
        tnca_synth.LiveSession(options)  # type: ignore[arg-type]


@pytest.mark.parametrize("options", [{"block_size": "64"}, {"block_size": 64.0}, {"max_voices": None}])
def test_live_options_of_wrong_types_are_usage_errors(options: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="must be a whole number in"):
        tnca_synth.LiveOptions(**options)  # type: ignore[arg-type]


def test_public_objects_are_short_to_look_at() -> None:
    ensemble = assemble_synth(max_voices=1)
    session = tnca_synth.LiveSession(tnca_synth.LiveOptions())
    for one in (ensemble, ensemble.synth, ensemble.bank, session):
        assert len(repr(one)) < 100, one
        assert " at 0x" not in repr(one)


LONG = midi_file(
    (0, VIOLIN), *((250 * index, note_on(0, 55 + index % 20, 90)) for index in range(44)),
    *((250 * index + 240, note_off(0, 55 + index % 20)) for index in range(44)), end_ms=11_100,
)  # fmt: skip


TASKS_BEFORE = 6


@pytest.fixture
def in_the_midst(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Give a function that has a signal sent to the helper's process when some of the song is done."""

    def send(number: int) -> None:
        start = worker_process.WorkerProcess.start
        num_tasks = 0

        def stopped(self: worker_process.WorkerProcess, *task: object) -> None:
            nonlocal num_tasks
            num_tasks += 1
            if num_tasks == TASKS_BEFORE:
                assert self._process.pid is not None
                os.kill(self._process.pid, number)
            start(self, *task)  # type: ignore[arg-type]

        monkeypatch.setattr(worker_process.WorkerProcess, "start", stopped)

    return send


@pytest.mark.parametrize("number", [signal.SIGSTOP, signal.SIGKILL])
def test_a_helper_that_stops_or_dies_costs_time_and_no_sample(
    in_the_midst: Callable[[int], None], monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.setattr(sequencer, "STRETCH_SAMPLES", 16_384)
    alone = render(LONG, sample_rate=22_050)
    monkeypatch.setattr(worker_process, "PATIENCE_S", 1.0)
    in_the_midst(number)
    told: list[str] = []
    done_s: list[float] = []
    together = render(
        LONG, sample_rate=22_050, workers=2, warn=told.append, progress=lambda now_s, _: done_s.append(now_s)
    )
    assert done_s != sorted(done_s), "it has not begun again"
    assert [text for text in told if "rendering from the beginning with one process" in text]
    np.testing.assert_array_equal(together, alone)


def test_a_helper_that_is_slow_but_goes_on_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every round of hops counts as progress, however long the whole takes."""
    monkeypatch.setattr(worker_process, "PATIENCE_S", 0.5)
    ours, theirs = worker_process.multiprocessing.Pipe()
    helper = object.__new__(worker_process.WorkerProcess)
    killed: list[bool] = []
    helper._pipe, helper._share = ours, []
    helper._process = type("Process", (), {"kill": lambda self: killed.append(True)})()  # type: ignore[assignment]

    def work() -> None:
        for _ in range(8):
            time.sleep(0.15)
            theirs.send(None)
        nothing = Progress(0).table, [], np.zeros(0, np.float32)
        theirs.send(worker_process.Result([], [], *nothing, ["a line"]))

    threading.Thread(target=work).start()
    assert helper.finish(Progress(1)) == ["a line"]
    assert not killed


@pytest.mark.parametrize(("controller", "workers"), [(26, 1), (27, 1), (7, 3)])
def test_a_song_that_changes_its_path_is_rendered_by_one_process(
    monkeypatch: pytest.MonkeyPatch, controller: int, workers: int
) -> None:
    seen: list[object] = []
    monkeypatch.setattr(file, "assemble_synth", lambda **options: seen.append(options["workers"]) or fake_ensemble())
    song = midi_file((0, note_on(0, 60, 100)), (10, bytes((0xB0, controller, 15))), (11_000, note_off(0, 60)))
    render(song, workers=3, growth_controllers=True)
    assert seen == [workers]


def test_a_short_song_starts_no_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[object] = []
    monkeypatch.setattr(file, "assemble_synth", lambda **options: seen.append(options["workers"]) or fake_ensemble())
    render(midi_file((0, note_on(0, 60, 100)), (20, note_off(0, 60))), workers=3)
    assert seen == [1]
