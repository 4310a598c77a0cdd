"""A kernel for one growth model: weights and tables as `hop.h` wants them, and the state of all slots."""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ...errors import UsageError
from ...midi.spec.growth_controllers import ALIVE_ABOVE
from ..arrays import FloatArray
from ..decoders.combined.by_sound_class import EVEN_DB, LOUD_DB
from ..decoders.griffin_lim import MOMENTUM, GriffinLimDecoder
from ..decoders.harmonic import TONALITY_RANGE_DB, onset_coverage
from ..decoders.parts.noise import NoiseBank, noise_spectra
from ..decoders.parts.oscillators import CLEAR_BINS, LEAST_DENSITY, LOBE, LOBE_STEPS_PER_BIN
from ..keys.apply import FAINT_LEVEL, HEARD_LEVEL, LOBE_BINS
from ..keys.motions import MotionTable
from ..keys.stored.motion_arrays import KeyArrays
from ..models.interfaces import Genome
from ..modulation.growth import ALPHA, LIVELIEST
from ..modulation.reseeding import MIN_DRIFT
from ..spectra.fields import QUIET_LEVEL
from ..spectra.spec import AudioSpec
from ..spectra.stft import bins_among_bands
from ..spectra.tone import frequencies_hz
from ..spectra.transpose import LINEAR, LOBE_DIP_DB
from ..voices.endings import SILENCE_PEAK, hops_to_silence
from .calls import CallBuffers, HopCall
from .library import INSTRUCTION_SETS, Call, GeneArrays, Model, address, library
from .weights import Weights

LINEAR_LEVEL = 2
"""Channel of a cell that holds linear level; tonality is the next one."""

LOUDEST_GAIN: Final = 16.0
"""The kernel tells what is silent before instruments are made as loud as they shall be: louder than grown, maybe."""


class Kernel:
    """The compiled kernel, for the slots of one grower. Thread: as the grower.

    Parameters
    ----------
    weights, spec, motions
        Of the growth model.
    resonant : GriffinLimDecoder
        How phases of notes without a pitch are searched for.
    num_slots : int
    """

    name = "kernel"

    def __init__(
        self, weights: Weights, spec: AudioSpec, motions: MotionTable, resonant: GriffinLimDecoder, num_slots: int
    ) -> None:
        known = library()
        assert known is not None
        self._library = known
        self._kept: list[np.ndarray] = []  # what the structure points at
        self._genes: Genome = {}
        self._motions, self._tables = motions, motions.tables
        self._known = self._model(weights, spec, motions, resonant, num_slots)
        handle = known.tnca_make(ctypes.byref(self._known))
        if not handle:
            raise MemoryError("no memory for the state of all voices")
        self._handle = ctypes.c_void_p(handle)
        self._told = Call()
        self._buffers = CallBuffers(self._told)
        weakref.finalize(self, known.tnca_free, self._handle)

    def choose(self, instructions: str) -> None:
        """Use one of `INSTRUCTION_SETS`; `UsageError` if the processor lacks it."""
        if not self._library.tnca_choose(self._handle, INSTRUCTION_SETS.index(instructions)):
            raise UsageError(f"this processor has no {instructions}")

    def glide(self, glides: bool) -> None:
        """Let pitches move within hops, as they do, or stand still in each, as they do without a kernel."""
        self._library.tnca_glide(self._handle, int(glides))

    def keep(self, num_bytes: int) -> int:
        """Keep no more than some bytes of frames for notes that grow alike, none for 0; return how many were of use."""
        kept: int = self._library.tnca_keep(self._handle, num_bytes)
        return kept

    def call(self, voices: int, rounds: int) -> HopCall:
        """See `Hops.call`."""
        self._told.voices, self._told.rounds = voices, rounds
        return HopCall(self._buffers.fit(voices, rounds))

    def plant(self, genes: Mapping[str, FloatArray], versions: NDArray[np.int64]) -> None:
        """See `Hops.plant`."""
        if any(self._genes.get(name) is not values for name, values in genes.items()):
            self._genes = dict(genes)
            places = GeneArrays(*(address(genes[name]) for name in ("grid", "cell", "rates", "bin")))
            self._library.tnca_plant(self._handle, ctypes.byref(places))

    def release(self) -> None:
        """See `Hops.release`: they are up to date."""

    def prepare(self, call: HopCall) -> None:
        """See `Hops.prepare`."""
        if self._motions.tables is not self._tables:  # an instrument was added
            self._tables = self._motions.tables
            self._point_at(self._known, self._tables)
            self._library.tnca_know(self._handle, ctypes.byref(self._known))
        self._tell(call)
        self._library.tnca_prepare(self._handle, ctypes.byref(self._told))
        call.found = self._told.found

    def run(self, call: HopCall) -> None:
        """See `Hops.run`."""
        self._tell(call)
        self._library.tnca_run(self._handle, ctypes.byref(self._told))
        call.found = self._told.found

    def _tell(self, call: HopCall) -> None:
        """Let the structure point at what the call has of its own."""
        told = self._told
        told.first, told.last, told.audio = call.first, call.last, address(call.audio)
        for name in ("mask", "life", "journey", "corners"):
            values = getattr(call, name)
            setattr(told, name, 0 if values is None else address(values))

    @staticmethod
    def _point_at(model: Model, tables: KeyArrays) -> None:
        """Let a structure point at tables of keys, which the kernel keeps alive as `_tables`."""
        for name in KeyArrays._fields:
            setattr(model, name, address(getattr(tables, name)))

    def _keep(self, values: np.ndarray, kind: type[np.generic] = np.float32) -> int:
        """Return the address of values, which are kept."""
        self._kept.append(np.ascontiguousarray(values, kind))
        return address(self._kept[-1])

    def _model(
        self, weights: Weights, spec: AudioSpec, motions: MotionTable, resonant: GriffinLimDecoder, num_slots: int
    ) -> Model:
        noise, tables = NoiseBank(spec), self._tables
        spectra = noise_spectra(2 * spec.hop_length)
        low, share = bins_among_bands(spec)
        amplitude, power = onset_coverage(spec)
        model = Model(
            slots=num_slots, cells=spec.num_mels, channels=weights.channels, hidden=weights.hidden,
            readout=weights.readout, bins=spec.num_bins, hop=spec.hop_length, n_fft=spec.n_fft, alpha=ALPHA,
            level=LINEAR_LEVEL, rate=spec.sample_rate, partials=motions.corrected_partials,
            courses=tables.correction_courses.shape[2], moment_count=tables.correction_courses.shape[1],
            swells=tables.swell_shapes.shape[1], noise_rows=len(spectra),
            lobe_steps=LOBE_STEPS_PER_BIN, lobe_size=len(LOBE),
            onset_frames=len(amplitude) - 1, iterations=resonant.iterations, search_frames=resonant.lookahead + 1,
            floor_db=spec.floor_db, level_scale_db=spec.level_scale_db, tonality_db=TONALITY_RANGE_DB,
            quiet_level=QUIET_LEVEL, heard_level=HEARD_LEVEL, faint_level=FAINT_LEVEL, dip_db=LOBE_DIP_DB,
            alive_above=ALIVE_ABOVE, liveliest=LIVELIEST, least_drift=MIN_DRIFT, least_density=LEAST_DENSITY,
            clear_bins=CLEAR_BINS, lobe_bins=LOBE_BINS, momentum=MOMENTUM, window_sum=float(resonant.scale),
            loud_db=LOUD_DB, even_db=EVEN_DB,
            silence_peak=SILENCE_PEAK / LOUDEST_GAIN, silent_hops=hops_to_silence(spec.hop_length, spec.sample_rate),
        )  # fmt: skip
        for name, values in weights._asdict().items():
            setattr(model, name, self._keep(values, np.float64 if name == "clock_rates" else np.float32))
        model.bin_low, model.bin_share = self._keep(low, np.int32), self._keep(share)
        model.bin_octave = self._keep(np.log2(np.maximum(frequencies_hz(spec, spec.num_bins), 1.0)))
        self._point_at(model, tables)
        model.moments, model.lobe = self._keep(motions.moments_s, np.float64), self._keep(LOBE)
        model.noise = self._keep(spectra.view(np.float32))
        model.noise_window = self._keep(noise.window / spec.hop_length)  # the kernel's inverse transform lacks that
        model.window = self._keep(resonant.window)
        model.tail_window = self._keep(resonant.inverse_window / (spec.n_fft // 2))
        model.onset_amplitude = self._keep(1.0 / np.sqrt(amplitude))
        model.onset_magnitude = self._keep(1.0 / np.sqrt(power))
        return model


MAX_COURSES = 64
"""Courses of a swell or of a correction that the kernel has room for."""


def fits(weights: Weights, spec: AudioSpec, motions: MotionTable) -> bool:
    """Return whether sizes are such as the kernel can do."""
    corrected = motions.corrected_field
    length = 2 * spec.hop_length
    return (
        spec.num_mels % 16 == 0
        and spec.n_fft == 2 * length
        and length & (length - 1) == 0
        and length >= 64
        and spec.num_bins >= 16
        and weights.channels > ALPHA
        and motions.tables.swell_shapes.shape[1] <= MAX_COURSES
        and motions.tables.correction_courses.shape[2] <= MAX_COURSES
        and corrected in ("", LINEAR)
        and (not corrected or (motions.corrected_bands == spec.num_mels and motions.corrected_partials % 8 == 0))
    )
