"""The compiled kernel as Python sees it: its structures, and the library they are handed to.

It is loaded by `ctypes`, so that building it needs a C compiler and nothing of Python's. Where it was not built, there
is none, and the engine does the same with numpy and ONNX Runtime.
"""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

Int, Double, Pointer = ctypes.c_int64, ctypes.c_double, ctypes.c_void_p
NAMES = ("_hop.so", "_hop.dll")
NUM_FACTS = 17
"""Columns of a voice's facts, see hop.h."""
INSTRUCTION_SETS = ("portable", "avx2", "avx512")
"""What it can be told to use, by number."""


def _members(text: str, kind: type[Any]) -> list[tuple[str, type[Any]]]:
    return [(name, kind) for name in text.split()]


class Model(ctypes.Structure):
    """`Model` of hop.h."""

    _fields_ = (
        *_members("slots cells channels hidden readout bins hop n_fft alpha level rate", Int),
        *_members("partials courses swells noise_rows lobe_steps lobe_size onset_frames", Int),
        *_members("iterations search_frames moment_count silent_hops", Int),
        *_members("floor_db level_scale_db tonality_db quiet_level heard_level faint_level dip_db alive_above", Double),
        *_members("liveliest", Double),
        *_members("least_drift least_density clear_bins lobe_bins momentum window_sum loud_db even_db", Double),
        *_members("silence_peak", Double),
        *_members("into_hidden from_clocks clock_rates update update_bias swelling read_state read_out", Pointer),
        *_members("read_bias bin_low bin_share bin_octave codes swell_shapes first_code last_code code_loop", Pointer),
        *_members("code_rate modes correction_row moments correction_courses corrections correction_totals", Pointer),
        *_members("clock_ends lobe noise noise_window onset_amplitude onset_magnitude", Pointer),
        *_members("window tail_window", Pointer),
    )


class Call(ctypes.Structure):
    """`Call` of hop.h."""

    _fields_ = (
        *_members("voices rounds first last found", Int),
        *_members("jobs seeds facts controls pitch planted f0_hz age_s release_age_s", Pointer),
        *_members("journey corners mask life audio peaks alive broken", Pointer),
    )


class GeneArrays(ctypes.Structure):
    """`GeneArrays` of hop.h."""

    _fields_ = _members("grid cell rates bin", Pointer)


class Reverb(ctypes.Structure):
    """`Reverb` of hop.h."""

    _fields_ = (
        ("size", Int),
        ("damping", Double),
        *_members("delays matrix feed out lines before entering", Pointer),
    )


@cache
def library() -> ctypes.CDLL | None:
    """Load the kernel; None where it was not built, or was built of other sources."""
    folder = Path(__file__).parent
    for path in (folder / name for name in NAMES):
        try:
            found = ctypes.CDLL(str(path))
            found.tnca_size.restype = Int
            sizes = [found.tnca_size(Int(index)) for index in range(5)]
            found.tnca_make.restype = Pointer
            found.tnca_resample.restype = found.tnca_reverberate.restype = None
            found.tnca_reverberate.argtypes = (Pointer, Pointer, Int, Pointer)
            found.tnca_resample.argtypes = (Pointer, Pointer, Int, Int, Int, Int, Int, Pointer)
        except (OSError, AttributeError):
            continue
        if sizes == [ctypes.sizeof(one) for one in (Model, Call, GeneArrays, Reverb)] + [NUM_FACTS]:
            found.tnca_choose.restype = found.tnca_best.restype = found.tnca_keep.restype = Int
            found.tnca_choose.argtypes = found.tnca_glide.argtypes = found.tnca_keep.argtypes = (Pointer, Int)
            found.tnca_free.restype = found.tnca_glide.restype = None
            found.tnca_free.argtypes = (Pointer,)
            for function in (found.tnca_plant, found.tnca_know, found.tnca_prepare, found.tnca_run):
                function.restype, function.argtypes = None, (Pointer, Pointer)
            return found
    return None


def best_instructions() -> str:
    """Return which of `INSTRUCTION_SETS` the kernel uses; "" where there is none."""
    known = library()
    return "" if known is None else INSTRUCTION_SETS[known.tnca_best()]


def address(values: np.ndarray) -> int:
    """Return where an array that lies in one piece begins; it must be kept alive."""
    assert values.flags.c_contiguous
    return values.ctypes.data
