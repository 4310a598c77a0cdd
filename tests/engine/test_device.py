"""A model on a device keeps its state there; when the device fails the CPU goes on, and a line says so."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
import soundfile

from tnca_synth.engine.arrays import FloatArray
from tnca_synth.engine.bank.bank import Bank
from tnca_synth.engine.models import onnx_runtime
from tnca_synth.engine.models.growth_model import OnnxGrowthModel
from tnca_synth.engine.models.interfaces import Genome, HopInputs
from tnca_synth.engine.open import assemble_synth
from tnca_synth.engine.render.file import render_file
from tnca_synth.midi.files.song import parse_midi
from tnca_synth.midi.files.writer import encode_midi_file
from tnca_synth.midi.messages import note_off, note_on, program_change

pytestmark = pytest.mark.slow

RATE = 1000
OUT_OF_MEMORY = "Failed to allocate memory for requested buffer of size 1073741824"


def planted(growth: OnnxGrowthModel, voices: int) -> Genome:
    pitch = np.linspace(48, 72, voices, dtype=np.float32)
    ones = np.ones(voices, np.float32)
    return growth.plant(pitch, 0.7 * ones, np.zeros((voices, growth.timbre_size), np.float32), ones, 0 * ones)


def hops(growth: OnnxGrowthModel, genome: Genome, count: int) -> list[HopInputs]:
    voices, cells = genome["grid"].shape[:2]
    chance = np.random.default_rng(0)
    ones = np.ones(voices, np.float32)
    return [
        HopInputs(
            hop * growth.spec.hop_s * ones,
            -ones,
            (chance.random((voices, growth.steps_per_hop, cells)) < 0.9).astype(np.float32),
            chance.normal(0.0, 0.01, (voices, growth.spec.num_mels)).astype(np.float32),
        )
        for hop in range(count)
    ]


def stepped(growth: OnnxGrowthModel, genome: Genome, driven: list[HopInputs]) -> tuple[list[Any], FloatArray]:
    genome, grown = dict(genome), []
    for hop in driven:
        grown.append(growth.step(genome, hop))
        genome["grid"] = grown[-1].grid
    return grown, genome["grid"]


@pytest.mark.parametrize("representation", ["dual", "mel", "multi-scale", "latent", "waveform"])
@pytest.mark.parametrize("voices", [3, 8, 40])
def test_state_that_stays_on_the_device_grows_alike(representation: str, voices: int) -> None:
    growth = Bank.load().growth_model(representation, "cpu")
    genome = planted(growth, voices)
    driven = hops(growth, genome, 7)
    expected, grid = stepped(growth, genome, driven)
    growth.bind()
    for key in (None, b"same", b"same"):  # a second course of the same voices sends no genes
        course = growth.course(genome, key)
        assert course is not None
        for hop, one in zip(driven, expected, strict=True):
            grown = course.step(hop)
            np.testing.assert_array_equal(grown.alive, one.alive)
            for name, values in one.fields.items():
                np.testing.assert_allclose(grown.fields[name], values, atol=1e-5)
        np.testing.assert_allclose(course.grids(), grid, atol=1e-5)


def test_genes_of_another_key_are_sent_anew() -> None:
    growth = Bank.load().growth_model("dual", "cpu")
    growth.bind()
    one, other = planted(growth, 5), planted(growth, 6)
    other = {name: values[1:] for name, values in other.items()}
    for key, genome in ((b"one", one), (b"other", other)):
        driven = hops(growth, genome, 3)
        course = growth.course(genome, key)
        assert course is not None
        for hop in driven:
            course.step(hop)
        np.testing.assert_allclose(course.grids(), stepped(growth, genome, driven)[1], atol=1e-5)


class Failing(ort.InferenceSession):
    """A session of ONNX Runtime that says it runs on CUDA, and fails as CUDA does after some runs."""

    runs_left = 0

    def get_providers(self) -> list[str]:
        return ["CUDAExecutionProvider", "CPUExecutionProvider"]

    def _count(self) -> None:
        if Failing.runs_left == 0:
            raise RuntimeError(OUT_OF_MEMORY)
        Failing.runs_left -= 1

    def run(self, *arguments: Any, **options: Any) -> Any:
        self._count()
        return super().run(*arguments, **options)

    def run_with_iobinding(self, *arguments: Any, **options: Any) -> Any:
        self._count()
        return super().run_with_iobinding(*arguments, **options)


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> type[Failing]:
    """Let models that are asked to run on CUDA be sessions that fail; their buffers lie in the CPU's memory."""
    real = ort.InferenceSession

    def opened(model: bytes, options: ort.SessionOptions, providers: list[Any]) -> ort.InferenceSession:
        names = [one[0] if isinstance(one, tuple) else one for one in providers]
        kind = Failing if "CUDAExecutionProvider" in names else real
        return kind(model, options, providers=["CPUExecutionProvider"])

    monkeypatch.setattr(onnx_runtime.ort, "InferenceSession", opened)
    monkeypatch.setattr(
        onnx_runtime.ort, "get_available_providers", lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"]
    )
    place = onnx_runtime.place
    for module in ("models.bound_step", "kernel.graph.bound_hop", "kernel.graph.groups"):
        monkeypatch.setattr(f"tnca_synth.engine.{module}.place", lambda values, device: place(values, "cpu"))
    return Failing


SONG = parse_midi(
    encode_midi_file(
        [
            (0, program_change(0, 40)),
            (0, note_on(0, 60, 90)),
            (200, note_on(0, 67, 90)),
            (900, note_off(0, 60)),
            (1000, note_off(0, 67)),
        ],
        RATE,
    )
)


@pytest.mark.parametrize("runs", [0, 1, 2, 9, 40])
def test_a_gpu_that_fails_costs_no_sound(
    tmp_path: Path, failing: type[Failing], runs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever it fails, what is heard is what the CPU alone renders, to rounding: there is no click at all."""
    monkeypatch.setenv("TNCA_SYNTH_CORE", "numpy")  # a GPU has no kernel
    failing.runs_left = runs
    warnings: list[str] = []
    report = render_file(SONG, tmp_path / "a.wav", provider="cuda", bit_depth="32f", warn=warnings.append)
    assert report.provider == "cpu"
    assert warnings == [f"the GPU failed, and the CPU goes on: {OUT_OF_MEMORY}"]
    render_file(SONG, tmp_path / "b.wav", provider="cpu", bit_depth="32f")
    ours, theirs = (soundfile.read(tmp_path / name)[0] for name in ("a.wav", "b.wav"))
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max() < 1e-3 * np.abs(theirs).max()


def test_a_gpu_that_works_is_used_to_the_end(tmp_path: Path, failing: type[Failing]) -> None:
    failing.runs_left = 10**6
    warnings: list[str] = []
    report = render_file(SONG, tmp_path / "a.wav", provider="cuda", warn=warnings.append)
    assert (report.provider, report.core, warnings) == ("cuda", "graph", [])
    assert 10**6 - failing.runs_left > 100


def test_where_the_cpu_is_faster_auto_chooses_it(failing: type[Failing]) -> None:
    """What runs here as CUDA is the CPU without the kernel, which is slower than the kernel."""
    failing.runs_left = 10**6
    ensemble = assemble_synth(provider="auto")
    assert ensemble.provider == "cpu"
    assert "ms a hop" in ensemble.why_provider and "cuda" in ensemble.why_provider
    assert assemble_synth(provider="cuda").provider == "cuda"


def wait_until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_gpu_is_kept_awake_while_nobody_plays_live(failing: type[Failing]) -> None:
    failing.runs_left = 10**6
    live = assemble_synth(provider="cuda", grows_together=True)
    wait_until(lambda: 10**6 - failing.runs_left >= 5)
    live.close()
    runs = 10**6 - failing.runs_left
    time.sleep(0.1)
    assert 10**6 - failing.runs_left == runs  # nothing goes on
    assert assemble_synth(provider="cuda").keep_alive is None  # offline there is no waiting


def test_a_gpu_that_is_lost_is_not_kept_awake(failing: type[Failing]) -> None:
    failing.runs_left = 3
    live = assemble_synth(provider="cuda", grows_together=True)
    growth = live.growth
    assert growth is not None
    wait_until(lambda: "GPU failed" in growth.why_lost)
    live.close()
