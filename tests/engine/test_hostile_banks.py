"""A bank that somebody else made is refused at once and in one line if anything in it is not as it should be."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import random
import shutil
import socket
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import tnca_synth.instruments
from tnca_synth.engine.bank.bank import Bank
from tnca_synth.engine.bank.manifest import MANIFEST, parse_manifest
from tnca_synth.engine.keys.stored import npz
from tnca_synth.engine.keys.stored.correction_arrays import CorrectionArrays
from tnca_synth.engine.keys.stored.motion_arrays import MotionArrays
from tnca_synth.engine.models.graph import OPERATORS, check_model
from tnca_synth.engine.models.interfaces import HopInputs
from tnca_synth.engine.models.onnx_runtime import open_session
from tnca_synth.engine.open import assemble_synth
from tnca_synth.engine.trial import try_bank
from tnca_synth.errors import BankError, TncaError
from tnca_synth.midi.messages import note_on

pytestmark = pytest.mark.slow

SHIPPED = Path(tnca_synth.instruments.__path__[0]) / "low_rate"
SEED, STEP = "mel.seed.onnx", "mel.step.onnx"
INSIDES = ("object has no attribute", "NoneType", "not subscriptable", "unhashable", "unexpected keyword", "a bug")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a small bank: the shipped mel models, three instruments."""
    manifest = json.loads((SHIPPED / MANIFEST).read_text())
    manifest["models"] = {"mel": manifest["models"]["mel"]}
    manifest["decoders"] = {}
    manifest["instruments"] = manifest["instruments"][:3]
    wanted = {*manifest["models"]["mel"].values(), "motions.npz"}
    manifest["files"] = {name: facts for name, facts in manifest["files"].items() if name in wanted}
    place = tmp_path / "bank"
    place.mkdir()
    for name in wanted:
        shutil.copy(SHIPPED / name, place)
    (place / MANIFEST).write_text(json.dumps(manifest))
    return place


def replace_file(folder: Path, name: str, content: bytes) -> None:
    """Exchange a file, with a right hash."""
    (folder / name).write_bytes(content)
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["files"][name] = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    (folder / MANIFEST).write_text(json.dumps(manifest))


def use(folder: Path) -> None:
    """Load a bank, look every instrument up and grow a note by three hops."""
    bank = Bank.load(folder)
    growth = bank.growth_model("mel", "cpu")
    book = bank.timbre_book(growth)
    choices = [book.instrument_for(one.program, 0, one.is_drums, 60) for one in book.instruments]
    one = np.ones(1, np.float32)
    genome = growth.plant(60 * one, one, choices[0].timbre[None], one, 0 * one)
    moving = np.array([[choices[0].motion.row, 1.0]])
    for hop in range(3):
        age = np.full((1, 1), hop * growth.spec.hop_s)
        swell = growth.motions.swell(moving, age)[0]
        growth.motions.corrections(moving, age)
        mask = np.ones((1, growth.steps_per_hop, growth.spec.num_mels), np.float32)
        genome["grid"] = growth.step(genome, HopInputs(age[0].astype(np.float32), -one, mask, swell)).grid


def assert_one_line(error: TncaError) -> None:
    text = str(error)
    assert "\n" not in text
    assert len(text) < 700
    assert not any(inside in text for inside in INSIDES), text


def test_the_bank_of_these_tests_is_sound(folder: Path) -> None:
    use(folder)
    try_bank(folder)


NUMBERS = [None, True, "1", "", [], {}, -1, 128, 10**9, 10**400, 0.5, 1e308, float("nan"), float("inf"), -float("inf")]
FIELDS: dict[str, tuple[tuple[str | int, ...], list[Any]]] = {
    "instruments[1].program": (("instruments", 1, "program"), NUMBERS),
    "instruments[1].low": (("instruments", 1, "low"), NUMBERS),
    "instruments[1].high": (("instruments", 1, "high"), NUMBERS),
    "instruments[1].name": (
        ("instruments", 1, "name"),
        [None, 3, "", [], {}, "a\nb", "\x00", "x" * 1000, float("nan")],
    ),
    "instruments[1].is_drums": (("instruments", 1, "is_drums"), [None, 0, 1, "true", [], float("nan")]),
    "instruments[1].pitched": (("instruments", 1, "pitched"), [None, 0, 1, "no", {}]),
    "instruments[1].tuning": (("instruments", 1, "tuning"), [None, 3, "x", [], {}, {"keys": [60]}]),
    "instruments[1].tuning.keys": (
        ("instruments", 1, "tuning", "keys"),
        [None, 60, "60", [], [61, 60], [60, 60], [60.5], [128], [None], list(range(10**5))],
    ),
    "instruments[1].tuning.cents": (
        ("instruments", 1, "tuning", "cents"),
        [None, 0, "0", [], [0.0], {"a": 1}, [1e308] * 73, [float("nan")] * 73, [None] * 73, ["0"] * 73],
    ),
    "instruments[1].tuning.inharmonicity": (
        ("instruments", 1, "tuning", "inharmonicity"),
        [None, [], [-1.0] * 73, [1e308] * 73, [float("inf")] * 73, [[0.0]] * 73],
    ),
    "instruments": (("instruments",), [None, 3, "abc", {}, {"a": 1}]),
    "instruments[1]": (("instruments", 1), [None, 3, "abc", []]),
    "models": (("models",), [None, 3, [], "mel"]),
    "models.mel": (("models", "mel"), [None, 3, [], "mel", {}, {"seed": SEED}]),
    "models.mel.seed": (("models", "mel", "seed"), [None, 3, [], {}, "absent.onnx", "../x", "", "a\nb"]),
    "decoders": (("decoders",), [None, 3, [], "x"]),
    "decoders.": (("decoders",), [{"vocoder": None}, {"vocoder": []}, {"vocoder": "absent"}]),
    "files": (("files",), [None, 3, [], "x"]),
    "files['mel.seed.onnx']": (("files", SEED), [None, 3, [], "x", {}, {"bytes": 3}]),
    "files['mel.seed.onnx'].sha256": (("files", SEED, "sha256"), [None, 3, [], "x", "0" * 63, "G" * 64, "0" * 65]),
    "files['mel.seed.onnx'].bytes": (("files", SEED, "bytes"), [True, "3", [], -1, 0.5, 1e308, 10**12, float("nan")]),
    "format": (("format",), [None, 3, [], "tnca-synth bank 0"]),
}
CASES = [(field, place, value) for field, (place, values) in FIELDS.items() for value in values]


@pytest.mark.parametrize(("field", "place", "value"), CASES)
def test_a_wrong_value_in_the_manifest_is_named_with_what_was_expected(
    field: str, place: tuple[str | int, ...], value: Any
) -> None:
    manifest = json.loads((SHIPPED / MANIFEST).read_text())
    inner = manifest
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = value
    began = time.process_time()
    with pytest.raises(BankError) as caught:
        parse_manifest(json.dumps(manifest).encode())
    assert time.process_time() - began < 0.5
    assert_one_line(caught.value)
    text = str(caught.value)
    assert field in text or "is no number in JSON" in text or "digits" in text
    assert "expected" in text or "missing" in text or "no number" in text or "digits" in text


@pytest.mark.parametrize("data", [b"[" * 100_000, b'{"a":' * 50_000, b"\xff\xfe{}", b"", b"null", b'{"format": NaN}'])
def test_a_manifest_that_is_no_json_object_is_refused(folder: Path, data: bytes) -> None:
    (folder / MANIFEST).write_bytes(data)
    with pytest.raises(BankError, match=MANIFEST) as caught:
        Bank.load(folder)
    assert_one_line(caught.value)


@pytest.mark.parametrize("name", ["../x", "..", ".", "a/b", "a\\b", "C:x", "\\\\host\\x", "/etc/hostname", "a\0b"])
def test_no_file_outside_the_folder_is_meant(folder: Path, name: str) -> None:
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["files"][name] = manifest["files"][SEED]
    (folder / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(BankError, match="a name in files is") as caught:
        Bank.load(folder)
    assert_one_line(caught.value)


@pytest.mark.parametrize("name", [MANIFEST, SEED, "motions.npz"])
@pytest.mark.parametrize("kind", ["pipe", "zero", "folder", "socket", "too long"])
def test_what_is_no_regular_file_is_refused_at_once(folder: Path, name: str, kind: str) -> None:
    path = folder / name
    content = path.read_bytes()
    path.unlink()
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "zero":
        path.symlink_to("/dev/zero")
    elif kind == "folder":
        path.mkdir()
    elif kind == "socket":
        here = os.getcwd()
        os.chdir(folder)  # names of sockets are short
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(name)
        os.chdir(here)
    else:
        path.write_bytes(content + bytes(20 * 2**20))
    began = time.monotonic()
    with pytest.raises(BankError, match=name) as caught:
        Bank.load(folder)
    assert time.monotonic() - began < 2.0
    assert_one_line(caught.value)


def changed_metadata(name: str, key: str, value: Any) -> bytes:
    model = onnx.load(SHIPPED / name)
    for one in model.metadata_props:
        if one.key == key:
            one.value = value if isinstance(value, str) else json.dumps(value)
    return bytes(model.SerializeToString())


SPEC = {
    "sample_rate": 22050,
    "n_fft": 1024,
    "hop_length": 256,
    "num_mels": 80,
    "floor_db": -100.0,
    "level_scale_db": 40.0,
}
METADATA: list[tuple[str, Any]] = [
    *(("spec", value) for value in (None, 3, [], "x", {"a": 1}, "{" * 10_000)),
    *(("spec", {**SPEC, "sample_rate": value}) for value in (10**9, 0, -1, None, "22050", 22050.0, True, 10**400)),
    *(("spec", {**SPEC, "num_mels": value}) for value in (10**9, 0, None)),
    *(("spec", {**SPEC, "n_fft": value}) for value in (10**9, 1023, None)),
    *(("spec", {**SPEC, "floor_db": value}) for value in (float("nan"), 1e308, None, "x", float("-inf"))),
    *(("spec", {**SPEC, "level_scale_db": value}) for value in (0, -1, float("nan"), 1e308, None)),
    *(("steps_per_hop", value) for value in (None, 0, -1, 10**9, 1.5, '"1"', [], float("nan"))),
    *(("timbre_size", value) for value in (None, 0, 39, 10**9, '"40"', [])),
    *(("timbres", value) for value in (None, 3, [], {}, {"violin": None}, {"violin": []}, {"violin": ["1"] * 32})),
    *(("timbres", {"violin": [value] * 32}) for value in (None, float("nan"), 1e308, 10**400, [1], True, "a")),
    *(("key_codes", value) for value in (None, 3, [], {"violin": None}, {"violin": {"keys": [60]}}, {"nobody": {}})),
    ("key_codes", {"violin": {"keys": [60, 61], "codes": [[1.0] * 8]}}),
    ("key_codes", {"violin": {"keys": [61, 60], "codes": [[1.0] * 8] * 2}}),
    ("key_codes", {"violin": {"keys": [60, 61], "codes": [[1.0] * 8, [1.0] * 7]}}),
    *(("representation", value) for value in (None, 3, [], "", "dual\n")),
]


@pytest.mark.parametrize(("key", "value"), METADATA)
def test_wrong_metadata_of_a_model_are_one_line(folder: Path, key: str, value: Any) -> None:
    replace_file(folder, SEED, changed_metadata(SEED, key, value))
    if key in ("spec", "representation"):
        replace_file(folder, STEP, changed_metadata(STEP, key, value))
    began = time.process_time()
    with pytest.raises(TncaError) as caught:
        use(folder)
    assert time.process_time() - began < 2.0
    assert_one_line(caught.value)


def test_bit_flips_with_a_right_hash_play_or_are_one_line(folder: Path) -> None:
    rng = random.Random(0)
    outcomes = {"refused": 0, "played": 0}
    for name, count in ((STEP, 120), (SEED, 40), ("motions.npz", 25), ("mel.correction.npz", 25)):
        whole = (SHIPPED / name).read_bytes()
        for _ in range(count):
            flipped = bytearray(whole)
            flipped[rng.randrange(len(flipped))] ^= 1 << rng.randrange(8)
            replace_file(folder, name, bytes(flipped))
            try:
                use(folder)
            except TncaError as error:
                assert_one_line(error)
                outcomes["refused"] += 1
            else:
                outcomes["played"] += 1
        replace_file(folder, name, whole)
    assert min(outcomes.values()) > 20


def archive(**arrays: Any) -> bytes:
    import io

    target = io.BytesIO()
    np.savez_compressed(target, **arrays)
    return target.getvalue()


def retouch_arrays(**changes: Any) -> dict[str, Any]:
    with np.load(SHIPPED / "mel.correction.npz") as values:
        return {**values, **changes}


def test_an_archive_that_unpacks_to_gigabytes_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "bomb.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as bomb:
        for name in retouch_arrays():
            with bomb.open(f"{name}.npy", "w", force_zip64=True) as file:
                for _ in range(npz.MAX_UNPACKED_BYTES // 2**20 // 8):
                    file.write(bytes(2**20))
    content = path.read_bytes()
    assert len(content) < 2**20
    began = time.process_time()
    with pytest.raises(BankError, match=r"it unpacks to .* bytes, more than") as caught:
        CorrectionArrays.from_bytes(content)
    assert time.process_time() - began < 0.5
    assert_one_line(caught.value)


def test_a_header_that_claims_gigabytes_is_refused(tmp_path: Path) -> None:
    content = archive(**retouch_arrays())
    path = tmp_path / "lies.npz"
    with zipfile.ZipFile(SHIPPED / "mel.correction.npz") as whole, zipfile.ZipFile(path, "w") as lies:
        for name in whole.namelist():
            data = whole.read(name)
            if name == "shapes.npy":
                data = data.replace(b"(733, 8, 80)", b"(9999999999,")
                data = data.replace(b"(9999999999,", b"(999999999,)")
            lies.writestr(name, data)
    assert CorrectionArrays.from_bytes(content).partials == 0
    with pytest.raises(BankError, match="per-key correction cannot be read"):
        CorrectionArrays.from_bytes(path.read_bytes())


class Evil:
    """Runs something when it is unpickled."""

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, ("touch pwned",)


WRONG_ARRAYS = {
    "pickle": {"shapes": np.array([Evil()], object)},
    "text for numbers": {"shapes": np.array(["a"])},
    "numbers for names": {"names": np.arange(3)},
    "not finite": {"shape_scale": np.full((733, 8), np.nan, np.float32)},
    "infinite": {"course_scale": np.full((733, 8), np.inf, np.float32)},
    "other shape": {"courses": np.zeros((3, 3, 3), np.int8)},
    "two axes": {"shapes": np.zeros((733, 8), np.int8)},
    "key 128": {"key": np.full(733, 128)},
    "key below 0": {"key": np.full(733, -1)},
    "unknown timbre": {"timbre": np.full(733, 10_000)},
    "falling moments": {"moments": np.arange(43)[::-1].copy()},
    "more partials than shapes": {"partials": np.array(81)},
    "complex": {"shapes": np.zeros((733, 8, 80), np.complex64)},
    "partials as a list": {"partials": np.array([0])},
}


@pytest.mark.parametrize("kind", WRONG_ARRAYS)
def test_arrays_of_another_kind_are_refused(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BankError, match="per-key correction cannot be read") as caught:
        CorrectionArrays.from_bytes(archive(**retouch_arrays(**WRONG_ARRAYS[kind])))
    assert_one_line(caught.value)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("content", [b"", b"PK", pickle.dumps(Evil())])
def test_what_is_no_archive_is_refused(content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BankError, match="motions cannot be read"):
        MotionArrays.from_bytes(content)
    assert os.listdir(tmp_path) == []


def model(*nodes: Any, weights: Any = (), opsets: Any = (("", 18),), functions: Any = ()) -> bytes:
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        list(nodes), "g", [value("x", TensorProto.FLOAT, [1])], [value("y", TensorProto.FLOAT, [1])], list(weights)
    )
    made = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid(*one) for one in opsets],
        functions=list(functions),
        ir_version=10,
    )
    return bytes(made.SerializeToString())


def subgraph() -> Any:
    value = helper.make_tensor_value_info
    body = [helper.make_node("Identity", ["a"], ["b"])]
    return helper.make_graph(body, "body", [value("a", TensorProto.FLOAT, [1])], [value("b", TensorProto.FLOAT, [1])])


def external() -> Any:
    tensor = numpy_helper.from_array(np.zeros(4, np.float32), "w")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="weights.bin")
    return tensor


def huge() -> Any:
    return TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[2**20, 2**20])


IDENTITY = helper.make_node("Identity", ["x"], ["y"])
PROGRAMS = {
    "a loop": (model(helper.make_node("Loop", ["", "", "x"], ["y"], body=subgraph())), "Loop|subgraphs"),
    "a branch": (
        model(helper.make_node("If", ["x"], ["y"], then_branch=subgraph(), else_branch=subgraph())),
        "If|subgraphs",
    ),
    "a scan": (
        model(helper.make_node("Scan", ["x"], ["y"], body=subgraph(), num_scan_inputs=1)),
        "Scan|subgraphs",
    ),
    "a loop hidden in a known operator": (
        model(helper.make_node("Add", ["x", "x"], ["y"], body=subgraph())),
        "subgraphs",
    ),
    "another domain": (
        model(helper.make_node("Relu", ["x"], ["y"], domain="org.evil"), opsets=(("", 18), ("org.evil", 1))),
        "org.evil",
    ),
    "a node of another domain": (
        model(helper.make_node("Relu", ["x"], ["y"], domain="org.evil")),
        "org.evil:Relu",
    ),
    "an operator that is not ours": (
        model(helper.make_node("NonMaxSuppression", ["x", "x"], ["y"])),
        "NonMaxSuppression",
    ),
    "another contributed operator": (
        model(helper.make_node("Attention", ["x"], ["y"], domain="com.microsoft")),
        "com.microsoft:Attention",
    ),
    "a function": (
        model(
            IDENTITY,
            functions=[helper.make_function("f", "F", ["a"], ["b"], [], [helper.make_opsetid("", 18)])],
        ),
        "functions",
    ),
    "weights in another file": (model(IDENTITY, weights=[external()]), "tensors in other files"),
    "a constant in another file": (
        model(helper.make_node("Constant", [], ["y"], value=external())),
        "tensors in other files",
    ),
    "a tensor of a trillion values": (model(IDENTITY, weights=[huge()]), "1048576 x 1048576"),
}


@pytest.mark.parametrize("kind", PROGRAMS)
def test_a_model_that_is_more_than_our_exports_is_not_run(kind: str) -> None:
    content, told = PROGRAMS[kind]
    with pytest.raises(BankError, match=told) as caught:
        open_session(content, "cpu")
    assert_one_line(caught.value)
    assert "was not exported by tnca-synth" in str(caught.value)


def test_weights_beside_the_current_folder_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "weights.bin").write_bytes(np.arange(4, dtype=np.float32).tobytes())
    with pytest.raises(BankError, match="tensors in other files"):
        open_session(PROGRAMS["weights in another file"][0], "cpu")


def test_every_operator_of_the_shipped_bank_is_known_and_needed() -> None:
    used = set()
    for path in SHIPPED.glob("*.onnx"):
        check_model(path.read_bytes())
        used |= {f"{one.domain}:{one.op_type}".lstrip(":") for one in onnx.load(path).graph.node}
    # What imported vocoders and codecs use beside them.
    imported = {"Erf", "Identity", "LSTM", "LayerNormalization", "Mean", "Tanh"}
    assert used | imported == OPERATORS


@pytest.mark.parametrize("length", [0, 1, 7, 100, 1000, 20_000])
def test_a_model_that_is_cut_off_is_refused(length: int) -> None:
    with pytest.raises(BankError) as caught:
        open_session((SHIPPED / STEP).read_bytes()[:length], "cpu")
    assert_one_line(caught.value)


def with_work(nodes: list[Any], weights: list[Any]) -> bytes:
    """Return the step model with something added to `alive`: a tensor "work" of one value."""
    made = onnx.load(SHIPPED / STEP)
    for node in made.graph.node:
        for index, name in enumerate(node.output):
            if name == "alive":
                node.output[index] = "alive_before"
    made.graph.node.extend([*nodes, helper.make_node("Add", ["alive_before", "work"], ["alive"])])
    made.graph.initializer.extend(weights)
    return bytes(made.SerializeToString())


def filled(name: str, *shape: int) -> list[Any]:
    return [numpy_helper.from_array(np.array(shape), f"{name}_shape")]


def memory_hog() -> bytes:
    fill = helper.make_node("ConstantOfShape", ["hog_shape"], ["hog"])
    return with_work([fill, helper.make_node("ReduceMean", ["hog"], ["work"], keepdims=0)], filled("hog", 2**18, 2**17))


def processor_hog() -> bytes:
    nodes = [helper.make_node("ConstantOfShape", ["m_shape"], ["m0"])]
    # The age keeps this from being worked out when the model is opened.
    nodes += [helper.make_node("Add", ["m0", "age_s"], ["p0"])]
    nodes += [helper.make_node("MatMul", [f"p{i}", "m0"], [f"p{i + 1}"]) for i in range(200)]
    return with_work([*nodes, helper.make_node("ReduceMean", ["p200"], ["work"], keepdims=0)], filled("m", 4096, 4096))


@pytest.mark.parametrize("make", [memory_hog, processor_hog])
def test_a_model_that_takes_all_memory_or_time_is_stopped(folder: Path, make: Callable[[], bytes]) -> None:
    replace_file(folder, STEP, make())
    Bank.load(folder)  # nothing is wrong with it until it is run
    began = time.monotonic()
    with pytest.raises(BankError) as caught:
        try_bank(folder, processor_limit_s=3)
    assert time.monotonic() - began < 60
    assert_one_line(caught.value)


def test_a_synth_is_not_opened_on_such_a_bank(folder: Path) -> None:
    replace_file(folder, STEP, memory_hog())
    with pytest.raises(BankError, match="cannot be run"):
        assemble_synth(bank_path=folder, representation="mel", decoder="griffin-lim")
    shutil.copy(SHIPPED / STEP, folder)
    replace_file(folder, STEP, (folder / STEP).read_bytes())
    ensemble = assemble_synth(bank_path=folder, representation="mel", decoder="griffin-lim")
    ensemble.synth.send(note_on(0, 60, 100))
    assert np.abs(ensemble.synth.render(4096)).max() > 1e-4
