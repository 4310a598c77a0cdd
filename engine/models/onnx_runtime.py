"""Opening ONNX models: the only home of ONNX Runtime.

An instrument talks to nobody. ONNX Runtime's telemetry, which looks up a host and keeps a device id and a database in
the user's cache folder, is switched off before it is imported; child processes inherit that.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from hashlib import sha256
from typing import Any, Final
from weakref import WeakKeyDictionary, WeakValueDictionary

from ...errors import BankError, ModelError
from ..arrays import FloatArray
from .facts import Port
from .graph import check_model

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime as ort

CUDA: Final = "CUDAExecutionProvider"
PROVIDERS = {"cpu": ["CPUExecutionProvider"], "cuda": [CUDA, "CPUExecutionProvider"]}

_sessions: WeakValueDictionary[tuple[bytes, str, int], ort.InferenceSession] = WeakValueDictionary()
"""What is open now; a model that nobody uses any more is freed."""


_spares: WeakKeyDictionary[ort.InferenceSession, ort.InferenceSession] = WeakKeyDictionary()
"""For each session on a GPU the one on the CPU that takes its place if the GPU fails."""
_lost: WeakKeyDictionary[ort.InferenceSession, str] = WeakKeyDictionary()
"""Sessions whose GPU has failed, and why."""


def open_session(model: bytes, provider: str, threads: int = 1) -> ort.InferenceSession:
    """Open a model from memory; who opens one that is in use shares it, which has no state.

    Parameters
    ----------
    provider : "cpu", "cuda" (falls back to the CPU: ask `session_provider` what came of it), or "auto"
    threads : intra-op threads; idle ones sleep, since spinning ones would take the core the audio needs

    Raises
    ------
    BankError
        The bytes are not an ONNX model this ONNX Runtime can run, or one that `check_model` refuses.
    """
    key = (sha256(model).digest(), provider, threads)
    session = _sessions.get(key)
    if session is None or session in _lost:
        session = _sessions[key] = _open(model, provider, threads)
        if session.get_providers()[0] == CUDA:
            _spares[session] = open_session(model, "cpu", threads)
    return session


def open_for_graphs(model: bytes) -> ort.InferenceSession:
    """Open a model on a GPU so that its runs can be captured as CUDA graphs: with bound inputs and outputs alone.

    See https://onnxruntime.ai/docs/execution-providers/CUDA-ExecutionProvider.html, `enable_cuda_graph`.
    """
    return _open(model, "cuda", 1, {"enable_cuda_graph": "1"})


def _open(
    model: bytes, provider: str, threads: int, cuda_options: dict[str, str] | None = None
) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 4
    check_model(model)
    available = ort.get_available_providers()
    wanted = PROVIDERS["cuda" if provider == "auto" else provider]
    try:
        chosen = [(one, cuda_options or {}) if one == CUDA else one for one in wanted if one in available]
        return ort.InferenceSession(model, options, providers=chosen)
    except Exception as error:  # ONNX Runtime raises one class per status code, without a public base
        reason = str(error).splitlines()[0][:200]
        raise BankError(f"not a model that ONNX Runtime {ort.__version__} can run: {reason}") from error


def run_model(session: ort.InferenceSession, outputs: list[str] | None, inputs: dict[str, Any]) -> list[Any]:
    """Return the outputs of a model; all of them without names.

    If a GPU fails, for want of memory or because it is gone, the CPU does it, now and from then on.

    Raises
    ------
    ModelError
        If it cannot be run on these inputs.
    """
    if session in _lost:
        session = _spares[session]
    try:
        found: list[Any] = session.run(outputs, inputs)
    except Exception as error:  # see `open_session`; a missing input is a ValueError
        if session in _spares:
            note_lost(session, error)
            return run_model(session, outputs, inputs)
        raise ModelError(f"a model of the bank cannot be run: {reason_of(error)}") from error
    return found


def note_lost(session: ort.InferenceSession, error: Exception) -> None:
    """Let the CPU run a model from now on: its GPU has failed."""
    _lost[session] = f"the GPU failed, and the CPU goes on: {reason_of(error)}"


def why_lost(session: ort.InferenceSession) -> str:
    """Return one line about the failure of a session's GPU; "" where there was none."""
    return _lost.get(session, "")


def reason_of(error: Exception) -> str:
    """Return the beginning of what ONNX Runtime says of a failure."""
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


def place(values: FloatArray, device: str) -> ort.OrtValue:
    """Return a copy of values in the memory of "cpu" or "cuda"; it stays where it is, and has `update_inplace`."""
    return ort.OrtValue.ortvalue_from_numpy(values, device, 0)


def bound_run(
    session: ort.InferenceSession,
    inputs: dict[str, ort.OrtValue],
    outputs: dict[str, ort.OrtValue],
    graph_id: int | None = None,
) -> Callable[[], None]:
    """Return what runs a model on values where they lie; with `graph_id` as a CUDA graph, captured at the first run."""
    binding, options = session.io_binding(), None
    for name, value in inputs.items():
        binding.bind_ortvalue_input(name, value)
    for name, value in outputs.items():
        binding.bind_ortvalue_output(name, value)
    if graph_id is not None:  # else without options, which cost more than a small graph
        options = ort.RunOptions()
        options.add_run_config_entry("gpu_graph_id", str(graph_id))
    return partial(session.run_with_iobinding, binding, options)


def inputs_of(session: ort.InferenceSession) -> list[Port]:
    """Return what a model is fed with."""
    with _names_as_text():
        return [Port(one.name, one.shape) for one in session.get_inputs()]


def outputs_of(session: ort.InferenceSession) -> list[Port]:
    """Return what a model gives."""
    with _names_as_text():
        return [Port(one.name, one.shape) for one in session.get_outputs()]


def session_provider(session: ort.InferenceSession) -> str:
    """Return "cuda" or "cpu", whichever the session really uses."""
    return "cuda" if session.get_providers()[0] == CUDA and session not in _lost else "cpu"


def read_metadata(session: ort.InferenceSession) -> dict[str, Any]:
    """Return the JSON values stored in a model file; strings that are not JSON stay strings."""
    values: dict[str, Any] = {}
    with _names_as_text():
        texts = session.get_modelmeta().custom_metadata_map
    for key, text in texts.items():
        try:
            values[key] = json.loads(text)
        except (ValueError, RecursionError):
            values[key] = text
    return values


@contextmanager
def _names_as_text() -> Iterator[None]:
    """Turn text of a model that is not UTF-8 into a `BankError`."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise BankError("a model of the bank is damaged: its names or metadata are not UTF-8") from error
