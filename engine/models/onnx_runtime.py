"""Opening ONNX models: the only home of ONNX Runtime.

An instrument talks to nobody. ONNX Runtime's telemetry, which looks up a host and keeps a device id and a database in
the user's cache folder, is switched off before it is imported; child processes inherit that.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import Any
from weakref import WeakValueDictionary

from ...errors import BankError, ModelError
from .facts import Port
from .graph import check_model

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime as ort

PROVIDERS = {"cpu": ["CPUExecutionProvider"], "cuda": ["CUDAExecutionProvider", "CPUExecutionProvider"]}


_sessions: WeakValueDictionary[tuple[bytes, str, int], ort.InferenceSession] = WeakValueDictionary()
"""What is open now; a model that nobody uses any more is freed."""


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
    if session is None:
        session = _sessions[key] = _open(model, provider, threads)
    return session


def _open(model: bytes, provider: str, threads: int) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 4
    check_model(model)
    available = ort.get_available_providers()
    wanted = PROVIDERS["cuda" if provider == "auto" else provider]
    try:
        return ort.InferenceSession(model, options, providers=[p for p in wanted if p in available])
    except Exception as error:  # ONNX Runtime raises one class per status code, without a public base
        reason = str(error).splitlines()[0][:200]
        raise BankError(f"not a model that ONNX Runtime {ort.__version__} can run: {reason}") from error


def run_model(session: ort.InferenceSession, outputs: list[str] | None, inputs: dict[str, Any]) -> list[Any]:
    """Return the outputs of a model; all of them without names.

    Raises
    ------
    ModelError
        If it cannot be run on these inputs.
    """
    try:
        found: list[Any] = session.run(outputs, inputs)
    except Exception as error:  # see `open_session`; a missing input is a ValueError
        reason = str(error).splitlines()[0][:200]
        raise ModelError(f"a model of the bank cannot be run: {reason}") from error
    return found


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
    return "cuda" if session.get_providers()[0] == "CUDAExecutionProvider" else "cpu"


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
