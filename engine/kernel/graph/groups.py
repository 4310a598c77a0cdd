"""Groups of voices on the device where the graph runs, with their state; it goes back to the slots when it must.

Letters: V voices, S slots, X places, B bundles of 16 partials.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ...arrays import FloatArray
from ...cache import BoundedCache
from ...decoders.parts.oscillators import BUNDLE
from ...models.onnx_runtime import open_session, place, session_provider
from ...spectra.pitch import pitch_to_hz
from ..calls import MORPHS, HopCall
from .bound_hop import BoundHop
from .hop import RATES, HopGraph, Wanted
from .matrices import noise_table, split_of
from .readings import MODES, PACE, PITCHED, STRETCH, Readings, planted_in
from .tables import GraphModel, Group, GroupMaker, Sounding
from .told import SoundState

KEPT_GROUPS: Final = 32


@dataclass(eq=False)
class Placed:
    """A group on the device.

    Attributes
    ----------
    group : Group
    wanted : the graph it is for
    bound : the graph on it
    versions : int64 (2, V), of `SlotState`
    device : "cpu" or "cuda"
    """

    group: Group
    wanted: Wanted
    bound: BoundHop
    versions: NDArray[np.int64]
    device: str


class Groups:
    """Places groups of voices, and brings state to and fro.

    Parameters
    ----------
    model : GraphModel
    state : SoundState
    provider : "cpu" or "cuda"
    """

    def __init__(self, model: GraphModel, state: SoundState, provider: str) -> None:
        self._weights, self._spec, self._motions = model.weights, model.spec, model.motions
        self._state, self._provider = state, provider
        self._sessions: dict[Wanted, Any] = {}
        self._makers = {sounds: GroupMaker(model, sounds) for sounds in (True, False)}
        self._known: BoundedCache[tuple[Any, ...], Placed] = BoundedCache(KEPT_GROUPS)
        self._ahead: list[Placed] = []  # whose state is newer than that of their slots
        self._genes: Mapping[str, FloatArray] = {}
        self._versions = np.zeros((2, 0), np.int64)
        self._session(Wanted())

    def plant(self, genes: Mapping[str, FloatArray], versions: NDArray[np.int64]) -> None:
        """See `Hops.plant`."""
        self._genes, self._versions = genes, versions

    def holds_for(self, placed: Placed) -> bool:
        """Return whether a group is still what its voices are grown from."""
        is_there = placed.device == self.device
        return is_there and self._versions[:, placed.group.slots].tobytes() == placed.versions.tobytes()

    def take(self, placed: Placed) -> BoundHop:
        """Return the graph on a group, with the state of its voices."""
        if placed not in self._ahead:
            self.release(placed.group.slots)
            self._load(placed)
            self._ahead.append(placed)
        return placed.bound

    def release(self, slots: NDArray[np.int64] | None = None) -> None:
        """Bring the state back to some slots, or to all."""
        for placed in [*self._ahead]:
            if slots is None or np.isin(placed.group.slots, slots).any():
                self._store(placed)
                self._ahead.remove(placed)

    def placed(self, call: HopCall, readings: Readings, rows: NDArray[np.intp], index: int, wanted: Wanted) -> Placed:
        """Return the group of some voices of a call in a round."""
        views = call.views
        slots = views.jobs[rows, 0]
        planted = planted_in(call, readings)[index, rows]
        facts = views.facts[rows][:, (PITCHED, STRETCH, PACE, MODES)]
        pitched, stretch, pace, modes = facts.T
        semitones = 12.0 * np.log2(pace)
        if call.journey is not None:
            morphs = views.facts[rows, MORPHS] != 0.0
            semitones = np.where(morphs, call.journey[index, rows, 1], semitones)
            pitched = np.where(morphs, call.journey[index, rows, 2], pitched)
        motion_rows, correction_rows = readings.motion_rows[rows], readings.correction_rows[rows]
        versions = self._versions[:, slots]
        told = (slots, versions, planted, stretch, modes, semitones, pitched, motion_rows, correction_rows)
        key = (wanted, *(values.tobytes() for values in told))
        known = self._known.get(key)
        bundles = self._state.bundles[slots]
        if known is not None and (not wanted.sounds or (bundles <= known.group.bundles).all()):
            return known
        hz = np.where(pitched > 0.0, pitch_to_hz(planted), 0.0)
        ratios = np.where(semitones == 0.0, 1.0, 2.0 ** (semitones / 12.0))
        columns = (hz, ratios, stretch, modes.astype(np.int64), pitched > 0.0)
        soundings = [Sounding(*one) for one in zip(*(column.tolist() for column in columns), strict=True)]
        maker = self._makers[wanted.sounds]
        group = maker.make(slots, self._genes, soundings, motion_rows, correction_rows, bundles)
        return self._known.keep(key, Placed(group, wanted, self._bind(group, wanted), versions, self.device))

    @property
    def device(self) -> str:
        """Where the graph runs now: "cpu" or "cuda"."""
        return session_provider(self._session(Wanted()))

    def lose(self) -> None:
        """Go on without the GPU, which has failed, with the state that slots have."""
        self._provider = "cpu"
        for some in (self._sessions, self._known, self._ahead):
            some.clear()
        self.__dict__.pop("_noise_table", None)

    def again(self, placed: Placed) -> Placed:
        """Return a group on the device that is used now."""
        return Placed(
            placed.group, placed.wanted, self._bind(placed.group, placed.wanted), placed.versions, self.device
        )

    def _session(self, wanted: Wanted) -> Any:
        """Return the session of a graph."""
        if wanted not in self._sessions:
            graph = HopGraph(self._weights, self._spec, self._motions.correction_table is not None, wanted)
            self._sessions[wanted] = open_session(graph.model(), self._provider)
        return self._sessions[wanted]

    @cached_property
    def _noise_table(self) -> Any:
        return place(noise_table(self._spec), self.device)

    def _bind(self, group: Group, wanted: Wanted) -> BoundHop:
        """Find places for all that a group's hops need."""
        voices, bundles, places = len(group.slots), len(group.owner), len(group.of_place)
        cells, halves = self._spec.num_mels, split_of(self._spec.hop_length)
        fixed: dict[str, Any] = dict(group.inputs)
        told: dict[str, tuple[int, ...]] = {
            "times": (voices, RATES, 1),
            "swell_codes": (voices, 1, fixed["swell_shapes"].shape[1]),
        }
        state: dict[str, tuple[int, ...]] = {"grid": (voices, self._weights.channels, cells)}
        given: dict[str, tuple[int, ...]] = {"highest": (voices,)}
        if "correction_shapes" in fixed:
            told["correction_courses"] = (voices, 1, fixed["correction_shapes"].shape[1])
            told["correction_totals"] = (voices, 1, 2)
        if wanted.tended:
            told |= {"mask": (voices, 1, cells), "life": (voices, 1, 1), "spared": (voices, 1, 1)}
        if wanted.coloured:
            told |= {"tilts": (places,), "resonances": (places,), "gains": (places,)}
        else:
            del fixed["above"], fixed["bells"]
        if wanted.sounds:
            told |= {"floors": (places,), "steps": (bundles, 1, 1, 1), "limits": (bundles, 1, 1, 1)}
            state |= {"amplitude": (bundles, 1, 1, BUNDLE), "tail": (voices, *halves)}
            given |= {"audio": (voices, self._spec.hop_length), "peaks": (voices,)}
            fixed["noise_table"] = self._noise_table
        else:
            del fixed["falls"]
            given |= {"level": (1, 1, places), "tonality": (1, 1, places)}
        rooms: list[dict[str, np.ndarray]] = [
            {name: np.zeros(shape, np.float32) for name, shape in some.items()} for some in (told, state, given)
        ]
        if wanted.sounds:
            rooms[0] |= {"cycles": np.zeros((bundles, 1, 1, 1)), "noise_rows": np.zeros(voices, np.int64)}
        return BoundHop(self._session(wanted), self.device, fixed, *rooms)

    def _load(self, placed: Placed) -> None:
        """Give the graph the state of its voices."""
        group, bound, state = placed.group, placed.bound, self._state
        bound.begin("grid", self._genes["grid"][group.slots].swapaxes(1, 2))
        placed.versions = self._versions[:, group.slots]
        if placed.wanted.sounds:
            bound.begin("amplitude", state.amplitude[group.slots[group.owner], group.bundle, None, None])
            bound.begin("tail", state.tail[group.slots])

    def _store(self, placed: Placed) -> None:
        """Give the slots the state of voices, but for grids that were planted meanwhile."""
        group, bound, state = placed.group, placed.bound, self._state
        kept = np.flatnonzero(self._versions[1, group.slots] == placed.versions[1])
        self._genes["grid"][group.slots[kept]] = bound.state("grid")[kept].swapaxes(1, 2)
        if placed.wanted.sounds:
            state.amplitude[group.slots] = 0.0
            state.amplitude[group.slots[group.owner], group.bundle] = bound.state("amplitude")[:, 0, 0]
            state.tail[group.slots] = bound.state("tail")
            state.bundles[group.slots] = group.audible
