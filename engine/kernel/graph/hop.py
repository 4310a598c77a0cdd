"""The nodes of a hop: growth, read-out, per-key correction, transposition, colour, partials, noise.

Letters: V voices, F cells, C channels, H hidden units, U read-out units, N bins, Q courses of a swell, K courses of a
correction, B bundles of 16 partials of all voices together, X places where levels are read. With P and Q of `split_of`,
samples of a hop lie as (P / 2, 2, Q) until the end: of 2 Q neighbours first those with even numbers, then the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from ....midi.spec.growth_controllers import ALIVE_ABOVE
from ...arrays import FloatArray
from ...decoders.parts.noise import NoiseBank
from ...decoders.parts.oscillators import BUNDLE
from ...keys.apply import FAINT_LEVEL, HEARD_LEVEL
from ...keys.correction import level_unit
from ...modulation.growth import ALPHA, LIVELIEST
from ...spectra.fields import QUIET_LEVEL
from ...spectra.spec import AudioSpec
from ...spectra.tone import MAX_BOOST_DB, MAX_CUT_DB
from ..model import LINEAR_LEVEL
from ..weights import CLOCKS, Weights
from .matrices import spans_of, split_of, to_bins, transform_of
from .onnx_writer import Writer

RATES: Final = 4 + CLOCKS + 1
"""Rows that decay with time: four of each cell, the clocks, and whether the note is released."""
NEVER: Final = -200.0
"""An exponent that gives 0."""
MICROSOFT: Final = "com.microsoft"
_BUNDLES: Final = ("B", 1, 1, BUNDLE)
DECIBEL: Final = np.log(10.0) / 20.0
"""Of amplitude, as a natural logarithm."""


@dataclass(frozen=True)
class Wanted:
    """Which hop is wanted.

    Attributes
    ----------
    sounds : whether it is sounded; else levels and tonalities of all bins are given
    coloured : whether tilt, resonance and gain are told
    tended : whether fire masks and life thresholds are told
    """

    sounds: bool = True
    coloured: bool = False
    tended: bool = False


class HopGraph:
    """Writes the graph of a hop.

    Parameters
    ----------
    weights, spec : of the growth model
    corrects : whether there are corrections
    wanted : Wanted
    """

    def __init__(self, weights: Weights, spec: AudioSpec, corrects: bool, wanted: Wanted) -> None:
        self.writer = Writer()
        self._weights, self._spec, self._corrects, self._wanted = weights, spec, corrects, wanted
        self._lives = ""

    def model(self) -> bytes:
        """Return the ONNX model."""
        cells = self._grow()
        level, tonality = self._finish(*self._read(cells))
        level, tonality = self._at_places(level, tonality)
        if self._wanted.coloured:
            level = self._coloured(level)
        if self._wanted.sounds:
            self._sound(level, tonality)
        else:
            self.writer.output("level", level, [1, 1, "X"])
            self.writer.output("tonality", tonality, [1, 1, "X"])
        return self.writer.model()

    def _const(self, values: np.ndarray | float) -> str:
        return self.writer.constant(np.asarray(values, np.float32))

    def _slice(self, value: str, axis: int, first: int, last: int) -> str:
        w = self.writer
        return w.add("Slice", value, *(w.constant([one]) for one in (first, last, axis)))

    def _shaped(self, value: str, *shape: int) -> str:
        return self.writer.add("Reshape", value, self.writer.constant(shape))

    def _grow(self) -> str:
        """Grow the cells (V, C, F) by a hop."""
        w, own, cells = self.writer, self._weights, self._spec.num_mels
        channels, hidden = own.channels, own.hidden
        grid = w.input("grid", ["V", channels, cells])
        genes = w.input("cell", ["V", hidden, cells])
        rates = w.input("rates", ["V", RATES, cells])
        times = w.input("times", ["V", RATES, 1])
        shapes, codes = w.input("swell_shapes", ["V", "Q", cells]), w.input("swell_codes", ["V", 1, "Q"])
        swell = w.add("MatMul", codes, shapes)
        fading = w.add("Exp", w.add("Mul", rates, times))
        sides = [w.add("Pad", grid, w.constant([0, 0, at, 0, 0, -at])) for at in (1, -1)]
        told = w.add("Concat", sides[0], grid, sides[1], fading, swell, axis=1)
        into = _plain(own.into_hidden)
        inputs = 3 * channels
        into = np.concatenate(
            [into[:, : inputs + 4], own.from_clocks.T, into[:, inputs + 4 :]], 1
        )  # decays, clocks and the release, then the swell
        middle = w.add(
            "FusedConv", told, self._const(into[:, :, None]), "", genes, domain=MICROSOFT, kernel_shape=[1],
            activation="Relu",
        )  # fmt: skip
        out = w.add(
            "Conv", middle, self._const(_plain(own.update)[:, :, None]), self._const(own.update_bias), kernel_shape=[1]
        )
        target, gate = w.split("Split", out, w.constant([channels, channels]), count=2, axis=1)
        fires = w.add("Sigmoid", gate)
        if self._wanted.tended:
            fires = w.add("Mul", fires, w.input("mask", ["V", 1, cells]))
        target = w.add("Add", target, w.add("Mul", swell, self._const(own.swelling[:, None])))
        grown = w.add("Add", grid, w.add("Mul", fires, w.add("Sub", target, grid)))
        least = w.add("Min", self._vitality(grid), self._vitality(grown))
        lives = w.add("Cast", w.add("Greater", least, self._const(ALIVE_ABOVE)), to=1)
        grown = w.add("Mul", grown, lives)
        highest = w.add("ReduceMax", self._alpha(grown), w.constant([1, 2]), keepdims=0)
        w.output("highest", highest, ["V"])
        w.output("next_grid", self._culled(grown), ["V", channels, cells])
        return grown

    def _culled(self, grown: str) -> str:
        """Make cells silent whose neighbourhood's life is not above a threshold, where that is told."""
        if not self._wanted.tended:
            return grown
        w = self.writer
        vitality = self._vitality(grown)
        most = w.add("Mul", w.add("ReduceMax", vitality, w.constant([2]), keepdims=1), self._const(LIVELIEST))
        least = w.add("Min", w.input("life", ["V", 1, 1]), most)
        lives = w.add("Cast", w.add("Greater", vitality, least), to=1)
        self._lives = w.add("Max", lives, w.input("spared", ["V", 1, 1]))
        return w.add("Mul", grown, self._lives)

    def _alpha(self, cells: str) -> str:
        return self._slice(cells, 1, ALPHA, ALPHA + 1)

    def _vitality(self, cells: str) -> str:
        return self.writer.add("MaxPool", self._alpha(cells), kernel_shape=[3], pads=[1, 1])

    def _read(self, cells: str) -> tuple[str, str]:
        """Read levels and tonalities (V, N) out of cells."""
        w, own, units = self.writer, self._weights, self._weights.readout
        spec = self._spec
        state = w.add("FusedMatMul", cells, self._const(own.read_state), domain=MICROSOFT, transA=1)
        parts = []
        for index, span in enumerate(spans_of(spec)):
            genes = w.input(f"bin_{index}", ["V", span.bins.stop - span.bins.start, units])
            around = self._slice(state, 1, span.cells.start, span.cells.stop)
            read = w.add(
                "FusedConv", around, self._const(span.weights[:, :, None]), "", genes, domain=MICROSOFT,
                kernel_shape=[1], activation="Relu",
            )  # fmt: skip
            parts.append(w.add("FusedMatMul", self._const(own.read_out), read, domain=MICROSOFT, transB=1))
        pair = self._slice(cells, 1, LINEAR_LEVEL, LINEAR_LEVEL + 2)
        pair = w.add("MatMul", w.add("Add", pair, self._const(own.read_bias[:, None])), self._const(to_bins(spec)))
        fields = w.add("Add", w.add("Concat", *parts, axis=2), pair)
        level, tonality = w.split("Split", fields, w.constant([1, 1]), count=2, axis=1)
        tonality = w.add("Clip", tonality, self._const(0.0), self._const(1.0))
        return w.add("Relu", level), tonality

    def _finish(self, level: str, tonality: str) -> tuple[str, str]:
        """Set levels (V, 1, N) right."""
        w, bins = self.writer, self._spec.num_bins
        if self._wanted.tended:
            level = w.add("Mul", level, w.add("MatMul", self._lives, self._const(to_bins(self._spec))))
        if self._corrects:
            shapes = w.input("correction_shapes", ["V", "K", bins])
            change = w.add("MatMul", w.input("correction_courses", ["V", 1, "K"]), shapes)
            level = self._set_right(level, change)
        return level, tonality

    def _set_right(self, level: str, change: str) -> str:
        """Add corrections (V, 1, N) to levels; see `keys.apply`."""
        w = self.writer
        share = w.add("Clip", w.add("Mul", level, self._const(1.0 / HEARD_LEVEL)), "", self._const(1.0))
        quiet = w.add("Sub", self._const(1.0), share)
        known, wanted = w.split("Split", w.input("correction_totals", ["V", 1, 2]), w.constant([1, 1]), count=2, axis=2)
        # A product for each voice adds alike among any others, which sums over an axis do not.
        root = w.add("Exp", w.add("Mul", level, self._const(0.5 * level_unit(self._spec))))
        power = w.add("FusedMatMul", root, root, domain=MICROSOFT, transB=1)
        power = w.add("Sub", power, self._const(self._spec.num_bins - 1.0))
        total = w.add(
            "Mul", w.add("Log", w.add("Max", power, self._const(1.0))), self._const(1.0 / level_unit(self._spec))
        )
        softer = w.add("Min", w.add("Sub", w.add("Mul", known, total), wanted), self._const(0.0))
        fading = w.add("Sub", self._const(1.0), w.add("Mul", quiet, w.add("Sub", self._const(1.0), known)))
        change = w.add("Add", w.add("Mul", change, fading), w.add("Mul", quiet, softer))
        level = w.add("Relu", w.add("Add", level, change))
        clear = w.add("Sub", w.add("Mul", level, self._const(2.0 / FAINT_LEVEL)), self._const(1.0))
        faint = w.add("Sub", self._const(1.0), w.add("Clip", clear, self._const(0.0), self._const(1.0)))
        return w.add("Mul", level, w.add("Sub", self._const(1.0), w.add("Mul", known, faint)))

    def _at_places(self, level: str, tonality: str) -> tuple[str, str]:
        """Read levels and tonalities at places (X) of the transposed sound."""
        w = self.writer
        both = self._shaped(w.add("Concat", level, tonality, axis=0), -1)
        found = w.add("GatherElements", both, w.input("sources", ["X4"], "int32"), axis=0)
        below, above = w.split("Split", self._shaped(found, 2, 2, -1), w.constant([1, 1]), count=2, axis=0)
        share = w.input("shares", ["X"])
        read = w.add("Add", below, w.add("Mul", w.add("Sub", above, below), share))
        level, tonality = w.split("Split", read, w.constant([1, 1]), count=2, axis=1)
        level = w.add("Add", level, w.add("Mul", tonality, w.input("dips", ["X"])))
        return level, w.add("Max", tonality, w.input("marks", ["X"]))

    def _coloured(self, level: str) -> str:
        """Add tilts, resonances and gains to levels (X) that are not silent."""
        w, scale = self.writer, 1.0 / self._spec.level_scale_db
        tilt, resonance, gain = (w.input(name, ["X"]) for name in ("tilts", "resonances", "gains"))
        above = w.add("Mul", w.input("above", ["X"]), tilt)
        change = w.add("Clip", above, self._const(-MAX_CUT_DB * scale), self._const(MAX_BOOST_DB * scale))
        change = w.add("Add", w.add("Add", change, gain), w.add("Mul", w.input("bells", ["X"]), resonance))
        shaped = w.add("Relu", w.add("Add", level, change))
        return w.add("Where", w.add("Greater", level, self._const(QUIET_LEVEL)), shaped, level)

    def _sound(self, level: str, tonality: str) -> None:
        """Sound levels and tonalities at places: pairs of bins of all partials, then the bins of the noise."""
        w, spec = self.writer, self._spec
        exponent = w.add("Mul", level, self._const(spec.level_scale_db * DECIBEL))
        exponent = w.add("Add", exponent, w.input("floors", ["X"]))
        heard = w.add("Less", level, self._const(QUIET_LEVEL))
        magnitude = w.add("Exp", w.add("Where", heard, self._const(NEVER), exponent))
        noise = w.add("Mul", magnitude, w.add("Exp", w.add("Mul", tonality, w.input("falls", ["X"]))))
        sizes = w.input("sizes", [2], "int64")  # places of partials, and of noise
        whole, _ = w.split("Split", magnitude, sizes, count=2, axis=2)
        beside, noise = w.split("Split", noise, sizes, count=2, axis=2)
        power = w.add("Sub", w.add("Mul", whole, whole), w.add("Mul", beside, beside))
        power = w.add("ReduceSum", self._shaped(power, 2, -1, 1, 1, BUNDLE), w.constant([0]), keepdims=0)
        is_heard = w.add("Less", w.input("partials", _BUNDLES), w.input("limits", ["B", 1, 1, 1]))
        gain = w.add("Where", is_heard, w.input("partial_gains", _BUNDLES), self._const(0.0))
        amplitude = w.add("Sqrt", w.add("Mul", power, gain))
        w.output("next_amplitude", amplitude, _BUNDLES)
        outer, inner = split_of(spec.hop_length)
        tones = self._oscillators(amplitude)
        first, tail = self._noise(self._shaped(noise, -1))
        audio = w.add("Add", w.add("Add", tones, first), w.input("tail", ["V", outer, inner]))
        w.output("next_tail", tail, ["V", outer, inner])
        peaks = w.add("ReduceMax", w.add("Abs", audio), w.constant([1, 2]), keepdims=0)
        w.output("peaks", peaks, ["V"])
        ordered = w.add("Transpose", self._shaped(audio, -1, outer // 2, 2, inner), perm=[0, 1, 3, 2])
        w.output("audio", self._shaped(ordered, -1, spec.hop_length), ["V", spec.hop_length])

    def _oscillators(self, amplitude: str) -> str:
        """Sum partials that glide from what they were to amplitudes (B, 1, 1, 16), into (V, P, Q).

        A partial's phase is split in two, sin(a + b) = sin a cos b + cos a sin b: a in the middle of 2 Q samples, and b
        from there to each. Of those before the middle and behind it the second product differs in sign alone.
        """
        w, hop = self.writer, self._spec.hop_length
        outer, inner = split_of(hop)
        coarse = outer // 2
        cycles = w.add("Mul", w.input("cycles", ["B", 1, 1, 1], "float64"), w.input("ratios", _BUNDLES, "float64"))
        start = w.add("Cast", w.add("Sub", cycles, w.add("Floor", cycles)), to=1)
        start = w.add("Mul", start, self._const(2.0 * np.pi))
        step = w.add("Mul", w.input("float_ratios", _BUNDLES), w.input("steps", ["B", 1, 1, 1]))
        middles = 2.0 * np.pi * (2 * inner * np.arange(coarse)[:, None] + inner - 0.5)
        middle = w.add("Add", w.add("Mul", step, self._const(middles)), start)
        aside = 2.0 * np.pi * (2 * np.arange(inner) - (inner - 0.5))
        turn = w.add("Mul", self._shaped(step, -1, BUNDLE, 1), self._const(aside))
        ends = w.add("Concat", w.input("amplitude", _BUNDLES), amplitude, axis=1)
        owners = w.input("owners", ["V2", "B"])
        sums = []
        for one, other in (("Sin", "Cos"), ("Cos", "Sin")):
            left = self._shaped(w.add("Mul", ends, w.add(one, middle)), -1, 2 * coarse, BUNDLE)
            bundles = self._shaped(w.add("MatMul", left, w.add(other, turn)), -1, hop)
            sums.append(w.add("MatMul", owners, bundles))
        even = self._shaped(w.add("Add", *sums), -1, 2 * coarse, 1, inner)
        odd = self._shaped(w.add("Sub", *sums), -1, 2 * coarse, 1, inner)
        backwards = w.add("Slice", odd, *(w.constant([one]) for one in (-1, -inner - 1, 3, -1)))
        both = self._shaped(w.add("Concat", even, backwards, axis=2), -1, 2 * outer, inner)
        before, after = w.split("Split", both, w.constant([outer, outer]), count=2, axis=1)
        samples = 2 * inner * np.arange(coarse)[:, None, None] + np.arange(2)[:, None] + 2 * np.arange(inner)
        ramp = self._const(samples.reshape(outer, inner) / hop)
        tones = w.add("Add", before, w.add("Mul", w.add("Sub", after, before), ramp))
        # There is a row beyond the voices: a product of one row would be rounded in another way than one of more.
        return w.add("Slice", tones, w.constant([0]), w.constant([-1]), w.constant([0]))

    def _noise(self, magnitude: str) -> tuple[str, str]:
        """Shape spectra by magnitudes (V (hop + 1),); return both halves of the windowed noise, (V, P, Q)."""
        w, hop = self.writer, self._spec.hop_length
        outer, inner = split_of(hop)
        into, twiddles, out = transform_of(hop)
        ways = w.add("GatherElements", magnitude, w.input("ways", ["W"], "int32"), axis=0)
        table = w.input("noise_table", ["R", outer, 2, 2, inner])
        rows = w.add("Gather", table, w.input("noise_rows", ["V"], "int64"), axis=0)
        shaped = w.add("Mul", rows, self._shaped(ways, -1, outer, 2, 1, inner))
        found = w.add("MatMul", self._shaped(shaped, -1, outer, 4 * inner), self._const(np.concatenate([into, into])))
        found = self._shaped(w.add("Mul", found, self._const(twiddles)), -1, 4 * outer, inner)
        window = NoiseBank(self._spec).window.reshape(outer, inner, 2).swapaxes(1, 2).reshape(2 * outer, inner)
        found = w.add("Mul", w.add("MatMul", self._const(out), found), self._const(window))
        first, tail = w.split("Split", found, w.constant([outer, outer]), count=2, axis=1)
        return first, tail


def _plain(rows: FloatArray) -> FloatArray:
    """Return a matrix (N, K) from what `weights` has in rows of four, (N / 4, K, 4)."""
    groups, inputs, four = rows.shape
    return rows.transpose(0, 2, 1).reshape(groups * four, inputs)
