"""`learn`: from what a user brings to an instrument that plays."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ...engine.bank.instruments import Levels
from ...engine.instrument_files import InstrumentFile, read_instrument, write_instrument
from ...engine.wanted_instruments import load_bank
from ...errors import UsageError
from ..data.dataset import NoteSet
from ..loop.loop import Progress
from ..material import Wishes, understand
from ..material.presets import Played, played_keys
from ..measure.note_features import NoteFeatures
from ..measure.recording import Recording
from ..spectral.nca import TNCA
from .figures import Judgement, judge, mean_distance, spread
from .fit import Look, Stage, torch_threads
from .foundation import Foundation, open_foundation
from .instrument import (
    About,
    Leveller,
    about_of,
    going_on,
    make_instrument,
    with_attacks,
    with_codes_between,
    with_figures,
    with_held,
    with_levels,
    with_releases,
)
from .notes import at_bank_level, at_most, measure, note_set
from .outcome import Learned, Listener, Silent
from .plan import Speed, speed_of
from .report import Showing
from .start import Start, nearest_starts, programs_of

ITERATIONS: Final = "iterations"
"""The figure that says how far an instrument has been fitted."""
MOST_NOTES: Final = 400
"""More take memory by the gigabyte, and hardly tell anything new."""
MOST_WATCHED: Final = 6
"""Notes that are heard again and again while the instrument is fitted."""
NO_WISHES: Final = Wishes()


def learn(
    source: str | os.PathLike[str],
    output: str | os.PathLike[str] | None = None,
    *,
    speed: str | Speed = "fit",
    name: str | None = None,
    seed: int = 0,
    goes_on: bool = False,
    wishes: Wishes = NO_WISHES,
    author: str = "",
    licence: str = "",
    threads: int = 1,
    foundation: Foundation | None = None,
    listener: Listener | None = None,
) -> Learned:
    """Learn an instrument from recorded notes.

    Parameters
    ----------
    source : path-like
        A folder of notes, a long take, or a SoundFont; see `training.material.understand`.
    output : path-like, optional
        The instrument's file, written as soon as it can be played and again whenever it got better.
    speed : str or Speed
        "fit", for minutes, or "full", which goes on longer.
    name : str, optional
        Of the instrument; by default that of what it is learned from.
    seed : int
        Root of all chance: the same notes and the same seed give the same instrument.
    goes_on : bool
        Go on from the file at `output` instead of beginning anew.
    wishes : Wishes
        What else is to say about the recordings.
    author, licence : str
        One line each, kept in the file.
    threads : int
        Of torch.
    foundation : Foundation, optional
        What to learn on; by default the shipped bank.
    listener : Listener, optional
        Hears how it goes on.

    Raises
    ------
    DatasetError
        There is no note to learn from.
    UsageError
        The speed is unknown, or there is no file to go on from.
    BankError
        The file to go on from is none, or is for another foundation; or it cannot be written.
    KeyboardInterrupt
        Before anything could be played; later on, what was learned so far is returned.
    """
    chosen = speed if isinstance(speed, Speed) else speed_of(speed)
    path = None if output is None else Path(output)
    if goes_on and (path is None or not path.is_file()):
        raise UsageError(f"there is no instrument to go on from: {path or 'no output is named'}")
    before = read_instrument(path) if goes_on and path else None
    foundation = foundation or open_foundation(load_bank(None, [before])[0])
    with torch_threads(threads):
        run = _Run(foundation, Path(source), path, chosen, seed, listener or Silent(), name, author, licence)
        return run.learn(wishes, before)


@dataclass(eq=False)
class _Run:
    foundation: Foundation
    source: Path
    path: Path | None
    speed: Speed
    seed: int
    listener: Listener
    name: str | None
    author: str
    licence: str
    began_s: float = field(default_factory=time.monotonic)
    instrument: InstrumentFile | None = None
    playable_s: float = 0.0
    before: int = 0
    iterations: int = 0
    num_bytes: int = 0
    is_holding_back: bool = False
    is_holding_still: bool = False
    tells_between: bool = True
    levels: Levels | None = None
    played: Played | None = None
    about: About = field(init=False)
    programs: tuple[int, ...] = field(init=False)
    leveller: Leveller = field(init=False)
    zone_ends: tuple[int, ...] = field(init=False)
    candidate: InstrumentFile = field(init=False)
    showing: Showing | None = field(init=False)

    def learn(self, wishes: Wishes, before: InstrumentFile | None) -> Learned:
        material = understand(self.source, self.foundation.spec.sample_rate, wishes)
        material = self.listener.understood(material)
        self.speed = self.speed.scaled(min(len(material.notes), MOST_NOTES))
        self.about = about_of(material, self.name, self.author, self.licence)
        self.leveller = Leveller(self.foundation, material.is_kit)
        self.zone_ends = material.zone_ends
        if material.kind == "soundfont":
            self.played = played_keys(material.path, self.foundation.spec.sample_rate, wishes)
        chosen = at_most(material.recordings, MOST_NOTES)
        if len(chosen) < len(material.recordings):
            self.listener.say(f"learns from {len(chosen)} of {len(material.recordings)} notes, of every key")
        recordings, gain_db = at_bank_level(self.foundation, chosen)
        self.listener.say(f"level: {gain_db:+.1f} dB, to be as loud as the other instruments")
        self.showing = Showing(self.foundation, recordings) if self.path else None
        features = measure(self.foundation, recordings, self.listener.measured)
        part = note_set(self.foundation, features, judges=True, zone_ends=self.zone_ends)
        heard = [one for one, note in zip(features, part.features, strict=True) if not note.held_out]
        starts = self._starts(heard, before)
        judgement, is_complete = Judgement((), True), True
        try:
            judgement = self._fit(recordings, features, part, starts)
        except KeyboardInterrupt:
            if self.instrument is None or (self.path is not None and not self.num_bytes):
                raise
            is_complete = False
            self.instrument = before if self.is_holding_back else self.instrument
        nearest = next(iter(starts.values())).names
        seconds = self.playable_s, time.monotonic() - self.began_s
        return Learned(
            self._kept(), material, judgement, nearest, seconds, self.iterations, is_complete, self.path,
            self.num_bytes,
        )  # fmt: skip

    def _starts(self, features: Sequence[NoteFeatures], before: InstrumentFile | None) -> dict[str, Start]:
        """Return where each timbre starts: at what the foundation knows that is nearest, or where a file left it."""
        starts = nearest_starts(self.foundation, features)
        first = next(iter(starts.values()))
        known = ", ".join(f"{name} {share:.0%}" for name, share in zip(first.names, first.shares, strict=True))
        self.listener.say(f"starts from {known}" + (" and others" if len(starts) > 1 else ""))
        if before is None:
            return starts
        self.before = self.iterations = int(before.facts.figures.get(ITERATIONS, 0))
        self.num_bytes = self.path.stat().st_size if self.path else 0
        self.listener.say(f"goes on after {self.iterations} iterations")
        return going_on(starts, before)

    def _fit(
        self,
        recordings: Sequence[Recording],
        features: Sequence[NoteFeatures],
        part: NoteSet,
        starts: dict[str, Start],
    ) -> Judgement:
        """Fit with some notes held out, judge by them, and go on with all."""
        pairs = [*zip(recordings, part.features, strict=True)]
        judged, learned = ([one for one, note in pairs if note.held_out == kind] for kind in (True, False))
        # What is made without the notes that judge has fewer keys than a file to go on from.
        self.is_holding_back = bool(judged) and self.num_bytes > 0
        self.programs = programs_of(self.foundation, starts)
        first = self._stage(part, judged or recordings, starts, self.speed.iterations, 0)
        self._keep(first)
        self.playable_s = time.monotonic() - self.began_s
        self.listener.say(f"playable after {self.playable_s:.0f} s, distance {first.best_error:.4f}")
        self._run_stage(first)
        self._finish(first, features, part, learned, judged)
        judgement = judge(self.foundation, self._kept(), judged, learned, are_unheard=True)
        whole = note_set(self.foundation, features, judges=False, zone_ends=self.zone_ends) if judged else part
        self.is_holding_back = False
        second = self._stage(whole, recordings, first.best_starts(whole), self.speed.with_all, 1)
        self._finish(second, features, whole, recordings, ())
        self.is_holding_still = True
        self._run_stage(second)
        self.is_holding_still = False
        if second.has_gained:
            self._finish(second, features, whole, recordings, ())
        if not judged:
            judgement = judge(self.foundation, self._kept(), recordings, recordings, are_unheard=False)
        self.listener.say("measures how held notes go on, and how they end")
        held = with_held(self.foundation, self._kept(), recordings)
        ended = with_releases(self.foundation, held, recordings, self.played)
        self._write(with_figures(ended, {**judgement.as_figures(), ITERATIONS: float(self.iterations)}))
        return judgement

    def _finish(
        self,
        stage: Stage,
        features: Sequence[NoteFeatures],
        notes: NoteSet,
        learned: Sequence[Recording],
        judged: Sequence[Recording],
    ) -> None:
        """Measure attacks, and tell the keys between recorded ones, unless notes that judge are further off then."""
        self.listener.say("measures attacks, and keys between recorded ones")
        figures = {**stage.figures(), ITERATIONS: float(self.iterations)}

        def made(laid: NoteSet) -> InstrumentFile:
            model = with_codes_between(stage.best_model(), laid)
            one = make_instrument(self.foundation, model, laid, self.about, self.programs, figures)
            return with_attacks(self.foundation, one, learned)

        made_of = [made(notes)] if judged or not self.tells_between else []
        if self.tells_between:
            between = note_set(self.foundation, features, bool(judged), with_between=True, zone_ends=self.zone_ends)
            made_of.append(made(between))
        if len(made_of) > 1:
            watched = spread(judged, MOST_WATCHED)
            errors = [mean_distance(self.foundation, one, watched) for one in made_of]
            self.tells_between = errors[1] < errors[0]
        self.levels = None
        self._write(made_of[-1 if self.tells_between else 0])

    def _stage(
        self, notes: NoteSet, watched: Sequence[Recording], starts: Mapping[str, Start], iterations: int, number: int
    ) -> Stage:
        """Return a stage that begins where the one before ended; what it makes is the candidate to keep."""
        chosen = spread(watched, MOST_WATCHED)

        def error(model: TNCA) -> float:
            figures = {ITERATIONS: float(self.iterations)}
            self.candidate = make_instrument(self.foundation, model, notes, self.about, self.programs, figures)
            return mean_distance(self.foundation, self.candidate, chosen)

        return Stage(
            self.foundation, notes, starts, iterations, self.speed.look_every, self.speed.patience,
            self.seed + number, error, self.iterations,
        )  # fmt: skip

    def _run_stage(self, stage: Stage) -> None:
        total = self.before + self.speed.iterations + self.speed.with_all

        def step(progress: Progress) -> None:
            self.iterations = progress.iteration
            self.listener.step(progress.iteration, total, progress.losses["level_db"])

        def look(seen: Look) -> None:
            if seen.is_better:
                self.listener.say(f"better: distance {seen.error:.4f} after {seen.iteration} iterations")
                self._keep(stage)

        stage.run(step, look)

    def _keep(self, stage: Stage) -> None:
        """Write the candidate, which is the best of a stage so far."""
        if not self.is_holding_still:
            self._write(with_figures(self.candidate, stage.figures()))

    def _kept(self) -> InstrumentFile:
        assert self.instrument is not None
        return self.instrument

    def _write(self, instrument: InstrumentFile) -> None:
        """Write an instrument, as loud as it was found that it should be, which is measured where it is not known."""
        self.levels = self.levels or self.leveller.levels_of(instrument)
        self.instrument = instrument = with_levels(instrument, self.levels)
        if self.path is not None and self.showing is not None and not self.is_holding_back:
            self.num_bytes = write_instrument(self.path, instrument)
            self.showing.update(instrument, self.path)
