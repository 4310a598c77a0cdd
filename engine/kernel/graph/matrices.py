"""The constant matrices of the graph of a hop: what reads bins between cells, and a transform in two factors.

Letters: F cells, N bins; P and Q of `split_of`.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...arrays import FloatArray
from ...decoders.parts.noise import noise_spectra
from ...spectra.spec import AudioSpec
from ...spectra.stft import bins_among_bands

SPAN_CELLS: Final = 16
"""Bins are read out in spans between so many cells: a product with the few cells around them, not with all."""


class Span(NamedTuple):
    """Neighbouring bins, the cells that they are read from, and how: a matrix (bins, cells)."""

    bins: slice
    cells: slice
    weights: FloatArray


def spans_of(spec: AudioSpec) -> list[Span]:
    """Cut bins into spans of few cells."""
    low, share = bins_among_bands(spec)
    spans = []
    for first in range(0, spec.num_mels, SPAN_CELLS):
        rows = np.flatnonzero((low >= first) & (low < first + SPAN_CELLS))
        if rows.size:
            cells = slice(int(low[rows[0]]), int(low[rows[-1]]) + 2)
            weights = np.zeros((len(rows), cells.stop - cells.start), np.float32)
            each, below = np.arange(len(rows)), low[rows] - cells.start
            weights[each, below], weights[each, below + 1] = 1.0 - share[rows], share[rows]
            spans.append(Span(slice(int(rows[0]), int(rows[-1]) + 1), cells, weights))
    return spans


def to_bins(spec: AudioSpec) -> FloatArray:
    """Return what reads bins between cells, (F, N)."""
    low, share = bins_among_bands(spec)
    matrix, bins = np.zeros((spec.num_mels, spec.num_bins), np.float32), np.arange(spec.num_bins)
    matrix[low, bins], matrix[low + 1, bins] = 1.0 - share, share
    return matrix


def split_of(hop: int) -> tuple[int, int]:
    """Return P and Q, with P Q = hop: what transforms and phasors are split into."""
    inner = 16 if hop >= 64 else 8
    return hop // inner, inner


def transform_of(hop: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the factors of an inverse transform of `hop` complex numbers, whose real and imaginary parts alternate.

    Numbers k = k2 + P k1 in the order (k2, k1) give samples n = n1 + Q n2 in the order (n2, real or imaginary, n1).

    Returns
    -------
    into : (2 Q, 4 Q), from (part, k1) to (twiddle's part, part, n1)
    twiddles : (P, 4 Q)
    out : (2 P, 4 P), from (k2, twiddle's part, part) to (n2, part)
    """
    outer, inner = split_of(hop)
    turn = np.exp(2j * np.pi * np.outer(np.arange(inner), np.arange(inner)) / inner)  # k1, n1
    twiddle = np.exp(2j * np.pi * np.outer(np.arange(outer), np.arange(inner)) / hop)  # k2, n1
    last = np.exp(2j * np.pi * np.outer(np.arange(outer), np.arange(outer)) / outer)  # n2, k2
    into = np.empty((2, inner, 2, 2, inner))
    into[0, :, 0, 0], into[0, :, 0, 1] = turn.real, turn.imag
    into[1, :, 0, 0], into[1, :, 0, 1] = -turn.imag, turn.real
    into[:, :, 1, 0], into[:, :, 1, 1] = -into[:, :, 0, 1], into[:, :, 0, 0]
    twiddles = np.empty((outer, 2, 2, inner))
    twiddles[:, 0], twiddles[:, 1] = twiddle.real[:, None], twiddle.imag[:, None]
    out = np.empty((outer, 2, outer, 2, 2))
    out[:, 0, :, :, 0], out[:, 0, :, :, 1] = last.real[..., None], -last.imag[..., None]
    out[:, 1, :, :, 0], out[:, 1, :, :, 1] = last.imag[..., None], last.real[..., None]
    return (
        into.reshape(2 * inner, 4 * inner).astype(np.float32),
        twiddles.reshape(outer, 4 * inner).astype(np.float32),
        out.reshape(2 * outer, 4 * outer).astype(np.float32),
    )


def noise_table(spec: AudioSpec) -> FloatArray:
    """Return spectra of noise, (rows, P, 2, 2, Q), that magnitudes in either direction (`ways_of`) are multiplied by.

    The transform of 2 P Q real samples is that of P Q complex ones, of which each takes a number of the spectrum and
    its mirror image (Numerical Recipes, 12.3.2).
    """
    hop = spec.hop_length
    outer, inner = split_of(hop)
    spectra = noise_spectra(2 * hop)
    turn = 1j * np.exp(1j * np.pi * np.arange(hop) / hop)
    forth, back = spectra[:, :hop] * (1.0 + turn), spectra[:, hop:0:-1].conj() * (1.0 - turn)
    both = np.stack([forth, back], 1).reshape(len(spectra), 2, inner, outer).transpose(0, 3, 1, 2) / (2.0 * hop)
    return np.ascontiguousarray(np.stack([both.real, both.imag], 3), np.float32)


def ways_of(hop: int) -> NDArray[np.int64]:
    """Return which of hop + 1 magnitudes belongs to each number of `noise_table`, (P, 2, Q) as a row."""
    outer, inner = split_of(hop)
    order = np.arange(hop).reshape(inner, outer).T
    return np.stack([order, hop - order], 1).ravel()
