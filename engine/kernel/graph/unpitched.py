"""Notes without a pitch: the graph grows their levels and tonalities, and a decoder sounds them.

Letters: V voices, R rounds, N bins.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...decoders.base import Decoder, NoteControls
from ...spectra.spec import AudioSpec
from ...spectra.transpose import LINEAR
from ..calls import BROKEN, HopCall
from .bound_hop import BoundHop
from .readings import FRAMES, STRETCH
from .told import ahead_of


class UnpitchedNotes:
    """Keeps what was grown of a call until all is there, and sounds it.

    Parameters
    ----------
    decoder : Decoder
        Of linear levels, for slots as the graph's.
    spec : AudioSpec
    """

    def __init__(self, decoder: Decoder, spec: AudioSpec) -> None:
        self._decoder, self._spec = decoder, spec
        self._fields = np.zeros((0, 0, 2, spec.num_bins), np.float32)  # (V, R, 2, N)

    def take(self, call: HopCall, rows: NDArray[np.intp], index: int, bound: BoundHop) -> None:
        """Take what the graph gave for some voices in a round; what is no number is silent, and noted."""
        broken, bins = call.views.broken, self._spec.num_bins
        if self._fields.shape[:2] != call.views.peaks.shape:
            self._fields = np.zeros((*call.views.peaks.shape, 2, bins), np.float32)
        pair = np.stack([bound.given(name).reshape(-1, bins) for name in ("level", "tonality")], 1)
        if not np.isfinite(pair).all():
            for row in np.flatnonzero(~np.isfinite(pair).all((1, 2))):
                broken[rows[row]] = index if broken[rows[row]] < 0 else broken[rows[row]]
                pair[row] = 0.0
            call.found |= BROKEN
        self._fields[rows, index] = pair

    def sound(self, call: HopCall, rows: NDArray[np.intp]) -> None:
        """Sound some voices, those together that need equally many frames."""
        views, jobs = call.views, call.views.jobs[rows]
        ahead = ahead_of(jobs)
        audio = call.audio.reshape(len(call.audio), -1, self._spec.hop_length)
        for frames, lead in sorted({*zip(jobs[:, FRAMES].tolist(), ahead.tolist(), strict=True)}):
            some = rows[(jobs[:, FRAMES] == frames) & (ahead == lead)]
            slots, pair = views.jobs[some, 0], self._fields[some, :frames]
            hz = np.zeros((len(some), frames))
            controls = NoteControls(hz, views.facts[some, STRETCH], hz, np.zeros(len(some), np.bool_))
            if lead:
                begun = {LINEAR: pair[:, :lead]}
                self._decoder.begin(slots, begun, controls.during(slice(lead)), views.seeds[some])
            heard = self._decoder.decode(slots, {LINEAR: pair[:, lead:]}, controls.during(slice(lead, None)))
            audio[some, : frames - lead] = heard.reshape(len(some), -1, self._spec.hop_length)
            views.peaks[some, : frames - lead] = np.abs(audio[some, : frames - lead]).max(2)
