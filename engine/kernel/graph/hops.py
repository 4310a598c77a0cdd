"""Hops of voices computed by one ONNX graph, with the state of all slots; what `Kernel` is without a compiler.

Letters: V voices, R rounds, T rounds in a row of the same voices, S slots, B bundles of 16 partials, N bins, F cells.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ....midi.spec.growth_controllers import ALIVE_ABOVE
from ...arrays import FloatArray
from ...cache import BoundedCache
from ...decoders.base import Decoder, NoteControls
from ...decoders.harmonic import onset_coverage
from ...decoders.parts.noise import noise_spectra
from ...decoders.parts.oscillators import BUNDLE
from ...hashing import mix
from ...keys.apply import KeyApplier
from ...keys.motions import MotionTable
from ...models.onnx_runtime import open_session, place, session_provider
from ...spectra.pitch import pitch_to_hz
from ...spectra.spec import AudioSpec
from ...spectra.transpose import LINEAR
from ..calls import BROKEN, DEAD, RESONANCES, CallBuffers, HopCall
from ..weights import Weights
from .bound_hop import BoundHop
from .hop import DECIBEL, NEVER, RATES, HopGraph, Wanted, natural_order, noise_table
from .readings import FRAMES, LOOKAHEAD, MODES, PACE, PITCHED, STRETCH, Readings, read
from .tables import BUNDLES, Group, GroupMaker, Sounding

SLOT, STARTS, KIND = 0, 3, 4
"""Columns of a job, beside those of `readings`."""
KEPT_GROUPS: Final = 4
"""Groups of voices that lie ready: live, those of either half of a hop, with a pitch and without."""


class GraphHops:
    """The graph of a hop, for the slots of one grower; see `Hops`. Thread: as the grower.

    Parameters
    ----------
    weights, spec, motions, finisher
        Of the growth model.
    decoder : Decoder
        Sounds notes without a pitch.
    num_slots : S
    provider : "cpu" or "cuda"
    """

    name = "graph"

    def __init__(
        self,
        weights: Weights,
        spec: AudioSpec,
        motions: MotionTable,
        finisher: KeyApplier,
        decoder: Decoder,
        num_slots: int,
        provider: str,
    ) -> None:
        self._weights, self._spec, self._motions, self._decoder = weights, spec, motions, decoder
        self._provider, self._buffers = provider, CallBuffers()
        self._sessions: dict[Wanted, Any] = {}
        self._makers = {sounds: GroupMaker(spec, motions, finisher, sounds) for sounds in (True, False)}
        self._groups: BoundedCache[tuple[Any, ...], tuple[Group, BoundHop]] = BoundedCache(KEPT_GROUPS)
        self._genes: Mapping[str, FloatArray] = {}
        self._version = 0
        self._amplitude = np.zeros((num_slots, BUNDLES, BUNDLE), np.float32)
        self._tail = np.zeros((num_slots, spec.hop_length), np.float32)
        self._cycles, self._hz = np.zeros((2, num_slots))
        self._frame, self._noise_row, self._bundles = np.zeros((3, num_slots), np.int64)
        self._num_noise_rows = len(noise_spectra(2 * spec.hop_length))
        amplitude, power = onset_coverage(spec)
        self._onset = -0.5 * np.log(np.stack([amplitude, power])).astype(np.float32)  # of partials, and of noise
        self._readings: Readings | None = None
        self._fields = np.zeros((0, 0, 2, spec.num_bins), np.float32)  # of voices without a pitch, (V, R, 2, N)
        self._session(Wanted())

    def call(self, voices: int, rounds: int) -> HopCall:
        """See `Hops.call`."""
        return HopCall(self._buffers.fit(voices, rounds))

    def plant(self, genes: Mapping[str, FloatArray], version: int) -> None:
        """See `Hops.plant`."""
        self._genes, self._version = genes, version

    def prepare(self, call: HopCall) -> None:
        """See `Hops.prepare`."""
        self._readings = read(call, self._motions, self._spec)

    def run(self, call: HopCall) -> None:
        """See `Hops.run`."""
        sounds = call.views.jobs[:, KIND] != RESONANCES
        for has_pitch in (True, False):
            rows = np.flatnonzero(sounds == has_pitch)
            if rows.size:
                for first, last in pairwise(self._edges(call, rows)):
                    active = rows[call.views.jobs[rows, FRAMES] > first]
                    self._grow(call, active, first, last, has_pitch)
                if not has_pitch and call.last == len(call.views.pitch):
                    self._sound_unpitched(call, rows)

    def _edges(self, call: HopCall, rows: NDArray[np.intp]) -> list[int]:
        """Return the rounds between which the same voices grow, and are read at the same places."""
        needs = call.views.jobs[rows, FRAMES]
        edges = {call.first, min(call.last, int(needs.max()))}
        edges.update(need for need in needs.tolist() if call.first < need < call.last)
        if call.journey is not None:
            told = call.journey[:, rows, 1:3]
            edges.update(
                index for index in range(call.first + 1, max(edges)) if (told[index] != told[index - 1]).any()
            )
        return sorted(edges)

    def _grow(self, call: HopCall, rows: NDArray[np.intp], first: int, last: int, sounds: bool) -> None:
        """Grow some voices by rounds in which nothing else changes, and sound those that have a pitch."""
        readings = self._readings
        assert readings is not None
        colour = None if readings.colour is None else readings.colour[:, first:last, rows]
        is_tended = call.mask is not None or call.life is not None
        wanted = Wanted(sounds, colour is not None and bool(colour.any()), is_tended)
        if sounds:
            self._begin(call, rows, first)
        group, bound = self._bound(call, rows, first, wanted)
        told = self._told(call, readings, rows, slice(first, last), group, wanted)
        self._load(group, bound, sounds)
        audio = np.empty((last - first, len(rows), self._spec.hop_length if sounds else 0), np.float32)
        for index in range(last - first):
            for name, values in told.items():
                bound.tell(name, values[index])
            bound.run()
            alive = bound.given("highest") > ALIVE_ABOVE
            call.views.alive[first + index, rows] = alive
            if not alive.all():
                call.found |= DEAD
            if sounds:
                audio[index] = bound.given("audio")
            else:
                self._keep_fields(call, rows, first + index, bound)
        self._store(group, bound, sounds)
        if sounds:
            self._emit(call, rows, first, audio)

    def _begin(self, call: HopCall, rows: NDArray[np.intp], first: int) -> None:
        """Let voices begin that start with this round."""
        jobs = call.views.jobs[rows]
        starts = np.flatnonzero(jobs[:, STARTS]) if first == 0 else np.zeros(0, np.intp)
        if starts.size:
            slots = jobs[starts, SLOT]
            self._amplitude[slots], self._tail[slots] = 0.0, 0.0
            self._cycles[slots], self._frame[slots], self._bundles[slots] = 0.0, 0, 0
            self._hz[slots] = call.views.f0_hz[0, rows[starts]]
            self._noise_row[slots] = mix(call.views.seeds[rows[starts]]) % np.uint64(self._num_noise_rows)

    def _session(self, wanted: Wanted) -> Any:
        """Return the session of a graph."""
        if wanted not in self._sessions:
            graph = HopGraph(self._weights, self._spec, bool(self._motions.correction_table), wanted)
            self._sessions[wanted] = open_session(graph.model(), self._provider)
        return self._sessions[wanted]

    def _bound(
        self, call: HopCall, rows: NDArray[np.intp], index: int, wanted: Wanted
    ) -> tuple[Group, BoundHop]:
        """Return the group of some voices in a round, and the graph on it."""
        readings, views = self._readings, call.views
        assert readings is not None
        slots, planted = views.jobs[rows, SLOT], views.planted[index, rows]
        facts = views.facts[np.ix_(rows, (PITCHED, STRETCH, PACE, MODES))]
        semitones, pitched = 12.0 * np.log2(facts[:, 2]), facts[:, 0]
        if call.journey is not None:
            morphs = call.views.facts[rows, 14] != 0.0
            semitones = np.where(morphs, call.journey[index, rows, 1], semitones)
            pitched = np.where(morphs, call.journey[index, rows, 2], pitched)
        motion_rows, correction_rows = readings.motion_rows[rows], readings.correction_rows[rows]
        told = (slots, planted, facts, semitones, pitched, motion_rows, correction_rows)
        key = (wanted, self._version, *(values.tobytes() for values in told))
        known = self._groups.get(key)
        if known is not None and (not wanted.sounds or (self._bundles[slots] <= known[0].bundles).all()):
            return known
        hz = np.where(pitched > 0.0, pitch_to_hz(planted), 0.0).tolist()
        ratios = np.where(semitones == 0.0, 1.0, 2.0 ** (semitones / 12.0)).tolist()
        soundings = [
            Sounding(grown_hz, ratio, stretch, int(modes), is_pitched > 0.0)
            for grown_hz, ratio, (_, stretch, _, modes), is_pitched in zip(
                hz, ratios, facts.tolist(), pitched.tolist(), strict=True
            )
        ]
        group = self._makers[wanted.sounds].make(
            slots, self._genes, soundings, motion_rows, correction_rows, self._bundles[slots]
        )
        return self._groups.keep(key, (group, self._bind(group, wanted)))

    def _bind(self, group: Group, wanted: Wanted) -> BoundHop:
        """Find places for all that a group's hops need."""
        spec, voices = self._spec, len(group.slots)
        sizes = {"V": voices, "B": len(group.owner), "X": len(group.of_place)}
        sizes["Q"] = group.inputs["swell_shapes"].shape[1]
        session = self._session(wanted)
        device = session_provider(session)
        if "correction_shapes" in group.inputs:
            sizes["K"] = group.inputs["correction_shapes"].shape[1]
        told = {
            "times": (voices, RATES, 1), "swell_codes": (voices, 1, sizes["Q"]),
        }  # fmt: skip
        arrays = {name: np.zeros(shape, np.float32) for name, shape in told.items()}
        if "K" in sizes:
            arrays["correction_courses"] = np.zeros((voices, 1, sizes["K"]), np.float32)
        if wanted.tended:
            arrays["mask"] = np.zeros((voices, 1, spec.num_mels), np.float32)
            arrays["life"], arrays["spared"] = np.zeros((2, voices, 1, 1), np.float32)
        if wanted.coloured:
            arrays["tilts"], arrays["resonances"], arrays["gains"] = np.zeros((3, sizes["X"]), np.float32)
        fixed = dict(group.inputs)
        if not wanted.coloured:
            del fixed["above"], fixed["bells"]
        arrays["floors"] = fixed.pop("floors")
        state = {"grid": np.zeros((voices, self._weights.channels, spec.num_mels), np.float32)}
        given: dict[str, np.ndarray] = {"highest": np.zeros(voices, np.float32)}
        if wanted.sounds:
            arrays["cycles"] = np.zeros((sizes["B"], 1))
            arrays["steps"], arrays["limits"] = np.zeros((2, sizes["B"], 1), np.float32)
            arrays["noise_rows"] = np.zeros(voices, np.int64)
            state["amplitude"] = np.zeros((sizes["B"], BUNDLE), np.float32)
            state["tail"] = np.zeros((voices, spec.hop_length), np.float32)
            given["audio"] = np.zeros((voices, spec.hop_length), np.float32)
            fixed["noise_table"] = self._noise_table
        else:
            del fixed["falls"], arrays["floors"]
            given["level"], given["tonality"] = np.zeros((2, sizes["X"]), np.float32)
        return BoundHop(session, device, fixed, arrays, state, given)

    @cached_property
    def _noise_table(self) -> Any:
        return place(noise_table(self._spec), session_provider(self._session(Wanted())))

    def _told(
        self,
        call: HopCall,
        readings: Readings,
        rows: NDArray[np.intp],
        rounds: slice,
        group: Group,
        wanted: Wanted,
    ) -> dict[str, np.ndarray]:
        """Return what the graph is told in each of T rounds, by name (T, ...)."""
        views = call.views
        told: dict[str, np.ndarray] = {
            "times": self._times(views.age_s[rounds, rows], views.release_age_s[rounds, rows]),
            "swell_codes": readings.codes[rounds, rows, None],
        }
        if readings.courses is not None:
            told["correction_courses"] = readings.courses[rounds, rows, None]
        if wanted.tended:
            shape = (rounds.stop - rounds.start, len(rows), 1, 1)
            mask = call.mask
            told["mask"] = np.ones(shape, np.float32) if mask is None else mask[rounds, rows, None]
            life = call.life
            told["life"] = np.full(shape, ALIVE_ABOVE) if life is None else life[rounds, rows, None, None]
            told["spared"] = told["life"] <= np.float32(ALIVE_ABOVE)
        if wanted.coloured:
            assert readings.colour is not None
            scaled = readings.colour[:, rounds, rows] / np.float32(self._spec.level_scale_db)
            for name, values in zip(("tilts", "resonances", "gains"), scaled, strict=True):
                told[name] = values[:, group.of_place]
        if wanted.sounds:
            told |= self._phases(call, rows, rounds, group)
        return told

    def _times(self, age_s: FloatArray, release_age_s: FloatArray) -> FloatArray:
        """Return what the rows of `rates` are multiplied by, (T, V, RATES, 1)."""
        since_s = np.maximum(release_age_s, 0.0)
        times = np.empty((*age_s.shape, RATES, 1), np.float32)
        times[..., :2, 0], times[..., 2:4, 0] = age_s[..., None], since_s[..., None]
        rates = self._weights.clock_rates
        times[..., 4:-1, 0] = age_s[..., None] * rates[:, 0] + since_s[..., None] * rates[:, 1]
        times[..., -1, 0] = np.where(release_age_s >= 0.0, 0.0, NEVER)
        return times

    def _phases(
        self, call: HopCall, rows: NDArray[np.intp], rounds: slice, group: Group
    ) -> dict[str, np.ndarray]:
        """Return where fundamentals and noise are in T rounds, and go on to their end."""
        views, slots, hop = call.views, group.slots, self._spec.hop_length
        hz = views.f0_hz[rounds, rows]
        index = np.arange(rounds.start, rounds.stop)[:, None]
        before = np.concatenate([self._hz[slots][None], hz[:-1]])
        step = 0.5 * (before + hz) / self._spec.sample_rate
        turns = step * hop * (index >= _ahead(views.jobs[rows]))
        ends = self._cycles[slots] + np.cumsum(turns, 0)
        frame = self._frame[slots] + index - rounds.start
        grown_hz = pitch_to_hz(views.planted[rounds, rows])
        limits = (self._spec.num_bins - 2.0) * grown_hz / np.maximum(hz, 1e-9)
        owner = group.owner
        told: dict[str, np.ndarray] = {
            "cycles": (ends - turns)[:, owner, None],
            "steps": step[:, owner, None],
            "limits": limits[:, owner, None],
            "noise_rows": (self._noise_row[slots] + frame) % self._num_noise_rows,
        }
        if frame[0].min() < self._onset.shape[1]:
            known = np.minimum(frame, self._onset.shape[1] - 1)[:, group.of_place]
            is_noise = np.arange(known.shape[1]) >= group.num_tonal
            floors = self._spec.floor_db * DECIBEL
            told["floors"] = floors + np.where(is_noise, self._onset[1][known], self._onset[0][known])
        else:
            told["floors"] = np.broadcast_to(np.float32(self._spec.floor_db * DECIBEL), (len(hz), 1))
        self._cycles[slots], self._hz[slots] = ends[-1], hz[-1]
        self._frame[slots] += len(hz)
        return told

    def _load(self, group: Group, bound: BoundHop, sounds: bool) -> None:
        """Give the graph the state of its voices."""
        bound.begin("grid", self._genes["grid"][group.slots].swapaxes(1, 2))
        if sounds:
            bound.begin("amplitude", self._amplitude[group.slots[group.owner], group.bundle])
            bound.begin("tail", self._tail[group.slots])

    def _store(self, group: Group, bound: BoundHop, sounds: bool) -> None:
        """Keep the state of voices."""
        slots = group.slots
        self._genes["grid"][slots] = bound.state("grid").swapaxes(1, 2)
        if sounds:
            self._amplitude[slots] = 0.0
            self._amplitude[slots[group.owner], group.bundle] = bound.state("amplitude")
            self._tail[slots] = bound.state("tail")
            self._bundles[slots] = group.audible

    def _emit(self, call: HopCall, rows: NDArray[np.intp], first: int, audio: FloatArray) -> None:
        """Give what was sounded (T, V, hop) to a call; frames that voices begin with are not heard."""
        views, hop = call.views, self._spec.hop_length
        if not call.audio.size:
            return
        peaks = np.abs(audio).max(2)
        if not np.isfinite(peaks).all():
            self._silence(call, rows, first, audio, peaks)
        heard = call.audio.reshape(len(call.audio), -1, hop)
        ordered = natural_order(audio).swapaxes(0, 1)
        ahead = _ahead(views.jobs[rows])
        for lead in set(ahead.tolist()):
            some = ahead == lead
            skipped = max(lead - first, 0)
            span = slice(first + skipped - lead, first + len(audio) - lead)
            heard[rows[some], span] = ordered[some, skipped:]
            views.peaks[rows[some], span] = peaks[skipped:, some].T

    @staticmethod
    def _silence(
        call: HopCall, rows: NDArray[np.intp], first: int, audio: FloatArray, peaks: FloatArray
    ) -> None:
        """Note which voices are no numbers, and let them be silent."""
        for row in np.flatnonzero(~np.isfinite(peaks).all(0)):
            frame = first + int(np.argmin(np.isfinite(peaks[:, row])))
            if call.views.broken[rows[row]] < 0:
                call.views.broken[rows[row]] = frame
            audio[:, row], peaks[:, row] = 0.0, 0.0
        call.found |= BROKEN

    def _keep_fields(self, call: HopCall, rows: NDArray[np.intp], index: int, bound: BoundHop) -> None:
        """Keep the levels and tonalities of voices without a pitch, until all are there."""
        views, bins = call.views, self._spec.num_bins
        if self._fields.shape[:2] != views.peaks.shape:
            self._fields = np.zeros((*views.peaks.shape, 2, bins), np.float32)
        pair = np.stack([bound.given(name).reshape(-1, bins) for name in ("level", "tonality")], 1)
        if not np.isfinite(pair).all():
            for row in np.flatnonzero(~np.isfinite(pair).all((1, 2))):
                if views.broken[rows[row]] < 0:
                    views.broken[rows[row]] = index
                pair[row] = 0.0
            call.found |= BROKEN
        self._fields[rows, index] = pair

    def _sound_unpitched(self, call: HopCall, rows: NDArray[np.intp]) -> None:
        """Sound voices without a pitch, those together that need equally many frames."""
        views, hop = call.views, self._spec.hop_length
        jobs = views.jobs[rows]
        ahead = _ahead(jobs)
        for frames, lead in sorted({*zip(jobs[:, FRAMES].tolist(), ahead.tolist(), strict=True)}):
            some = rows[(jobs[:, FRAMES] == frames) & (ahead == lead)]
            slots, pair = views.jobs[some, SLOT], self._fields[some, :frames]
            hz = np.zeros((len(some), frames))
            controls = NoteControls(hz, views.facts[some, STRETCH], hz, np.zeros(len(some), np.bool_))
            if lead:
                begun = {LINEAR: pair[:, :lead]}
                self._decoder.begin(slots, begun, controls.during(slice(lead)), views.seeds[some])
            audio = self._decoder.decode(slots, {LINEAR: pair[:, lead:]}, controls.during(slice(lead, None)))
            heard = audio.reshape(len(some), -1, hop)
            call.audio.reshape(len(call.audio), -1, hop)[some, : frames - lead] = heard
            views.peaks[some, : frames - lead] = np.abs(heard).max(2)


def _ahead(jobs: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how many frames voices begin with that are not heard, (V,)."""
    return np.where(jobs[:, STARTS] != 0, jobs[:, LOOKAHEAD], 0)
