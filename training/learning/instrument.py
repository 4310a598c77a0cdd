"""From fitted codes to an instrument: its key table, measured on its notes, and what is known of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import torch

from ...engine.arrays import FloatArray
from ...engine.bank.instruments import Levels, Tuning
from ...engine.instrument_files import InstrumentFacts, InstrumentFile
from ...engine.keys.parts import ONSETS, correction_of, table_of
from ...engine.keys.stored.correction_arrays import CorrectionArrays
from ...engine.keys.stored.onsets import MOMENTS
from ...engine.keys.stored.releases import STEP, VELOCITIES, rates_between
from ...engine.keys.timbres import TimbreTable
from ...engine.names import representation_of
from ...midi.spec.general_midi import drum_name
from ..correction.attacks import HOLD_S, TAIL_S, envelope_of
from ..correction.correction import Reach, measure_correction
from ..correction.held_notes import with_held_notes
from ..correction.instrument_growth import Recorded
from ..correction.late_courses import leave_room
from ..correction.levels import levels_beside, usual_loudness
from ..correction.prolonged import prolonged
from ..correction.releases import judged, release_rate, with_rates
from ..correction.releases import with_releases as with_played_releases
from ..data.dataset import NoteSet, between
from ..data.heard_tuning import heard_tuning
from ..material import Material
from ..measure.recording import Recording
from ..sources.fluidsynth import RATE
from ..spectral.nca import NUM_KEYS, TNCA
from ..validation.rendered import NoteRenderer, RecordedNote
from .figures import MOST_JUDGED, Player, nearest_recording, sampled, spread
from .foundation import REPRESENTATION, Foundation
from .start import Start

REACH: Final = Reach(furthest=2.0, velocities=(1, 127), has_layers=True)
"""An instrument that the foundation never heard may be far from all that it grows: 80 dB, at every velocity."""
COURSES_BETWEEN: Final = 4
"""Courses of the corrections of keys that were not recorded: half as many, for small files."""
LEAST_TAIL_S: Final = 0.1
"""A recording that ends earlier after its release does not tell how it falls."""
MOST_LAYERS: Final = 3
"""Notes of a key whose attacks are measured."""
MOST_SOURCES: Final = 1000
"""Recordings that an instrument's file names."""
Owners = Collection[tuple[str, int]]
"""Timbres and keys."""
NO_TUNING: Final = Tuning()


@dataclass(frozen=True)
class About:
    """What a user says of an instrument.

    Attributes
    ----------
    name : one line
    is_kit : whether each key is a drum
    author, licence : one line each, "" where unknown
    learned_from : one line for each source
    """

    name: str
    is_kit: bool = False
    author: str = ""
    licence: str = ""
    learned_from: tuple[str, ...] = ()


def about_of(material: Material, name: str | None, author: str, licence: str) -> About:
    """Return what is to say of an instrument; it is named after what it is learned from, unless it has a name."""
    origins = dict.fromkeys(Path(one.origin).name.partition(" at ")[0] for one in material.recordings if one.origin)
    sources = tuple(origins)[:MOST_SOURCES] or (material.path.name,)
    return About(name or material.name, material.is_kit, author, licence, sources)


def make_instrument(
    foundation: Foundation,
    model: TNCA,
    notes: NoteSet,
    about: About,
    programs: tuple[int, ...],
    figures: Mapping[str, float],
) -> InstrumentFile:
    """Measure what the fitted growth misses of the notes, and lay everything into an instrument.

    Parameters
    ----------
    model : with a row for each timbre of `notes`
    programs : General MIDI programs that it is most alike
    """
    correction = _simplified(measure_correction(model, notes, REACH), told_keys(notes))
    suffixes = {name[len(_stem(name)) :]: name for name in notes.timbre_names}
    tuning = _tuning(notes)
    table = table_of(
        suffixes,
        _timbre_table(model, notes),
        notes.motion_arrays,
        correction,
        (tuning.keys, tuning.cents, tuning.inharmonicity),
    )
    keys = sorted(table.key.tolist())
    is_pitched = bool(notes.pitched.bool().any())
    facts = InstrumentFacts(
        name=about.name,
        representation=REPRESENTATION,
        foundation=foundation.bank.foundation(REPRESENTATION),
        kind="kit" if about.is_kit else "pitched" if is_pitched else "unpitched",
        low=keys[0],
        high=keys[-1],
        programs=programs,
        author=about.author,
        licence=about.licence,
        learned_from=about.learned_from,
        figures=figures,
        drums={key: drum_name(key) or f"drum {key}" for key in keys} if about.is_kit else {},
    )
    return InstrumentFile(facts, table)


def told_keys(notes: NoteSet) -> Owners:
    """Return the timbres and keys of notes that were not recorded."""
    return {(note.instrument, note.pitch) for note in notes.features if note.told}


def _simplified(correction: CorrectionArrays, told: Owners) -> CorrectionArrays:
    """Return corrections in which keys that were not recorded have only the first courses."""
    rows = np.array([owner in told for owner in correction.owners])
    courses, shapes = correction.courses.copy(), correction.shapes.copy()
    courses[rows, :, COURSES_BETWEEN:], shapes[rows, COURSES_BETWEEN:] = 0, 0
    return replace(correction, courses=courses, shapes=shapes)


def with_codes_between(model: TNCA, notes: NoteSet) -> TNCA:
    """Give those keys of notes that were not recorded codes between those of their neighbours, in place."""
    codes = model.keys.weight.data.view(-1, NUM_KEYS, model.config.key_size)
    told = told_keys(notes)
    for row, name in enumerate(notes.timbre_names):
        known = [key for key in notes.tuning[name].keys if (name, key) not in told]
        for key in notes.tuning[name].keys:
            if (name, key) in told:
                low, high, mix = between(key, known)
                codes[row, key] = torch.lerp(codes[row, low], codes[row, high], mix)
    return model


def with_attacks(foundation: Foundation, instrument: InstrumentFile, recordings: Sequence[Recording]) -> InstrumentFile:
    """Return an instrument with the envelopes of its attacks, measured on recordings of its keys.

    Keys without a recording have the envelope of the nearest one of their timbre.
    """
    table, rate = instrument.table, foundation.spec.sample_rate
    player = Player(foundation, instrument, rate)
    shortest = round((HOLD_S + TAIL_S) * rate)
    onsets = np.zeros((len(table.key), MOMENTS), np.int8)
    known: dict[int, list[int]] = {}
    for row, (timbre, key) in enumerate(zip(table.timbre.tolist(), table.key.tolist(), strict=True)):
        own = [one for one in recordings if one.pitch == key]
        own = [one for one in sorted(own, key=lambda one: one.velocity) if len(one.audio) >= shortest // 2]
        pairs = [
            (one.audio[:shortest], player.play(key, one.velocity, one.hold_s, len(one.audio[:shortest])))
            for one in own[:: max(len(own) // MOST_LAYERS, 1)]
        ]
        if pairs:
            onsets[row] = envelope_of(pairs, pairs, rate, key if own[0].pitched else None)
            known.setdefault(timbre, []).append(row)
    for row, (timbre, key) in enumerate(zip(table.timbre.tolist(), table.key.tolist(), strict=True)):
        if known.get(timbre):
            onsets[row] = onsets[min(known[timbre], key=lambda one: abs(int(table.key[one]) - key))]
    return replace(instrument, table=replace(table, extras={**table.extras, ONSETS: onsets}))


def with_held(foundation: Foundation, instrument: InstrumentFile, recordings: Sequence[Recording]) -> InstrumentFile:
    """Return an instrument whose held notes go on as its recordings do, if its foundation has room for that."""
    growth, rate = foundation.growth, foundation.spec.sample_rate
    room = growth.motions.room.correction
    if room is None or not leave_room(room, foundation.spec):
        return instrument

    def recorded(key: int, velocity: int, hold_s: float, tail_s: float) -> FloatArray:
        nearest, length_s = nearest_recording(recordings, key, velocity), hold_s + tail_s
        faster = 2.0 ** (max(key - nearest.pitch, 0) / 12.0)
        longer = replace(nearest, audio=prolonged(nearest, length_s * faster, rate))
        return sampled(longer, key, velocity, rate, round(length_s * rate))

    return with_held_notes(instrument, growth, recorded)


def with_releases(
    foundation: Foundation,
    instrument: InstrumentFile,
    recordings: Sequence[Recording],
    played: Recorded | None = None,
) -> InstrumentFile:
    """Return an instrument whose keys fall as their recordings do once they are let go, where these have that.

    Keys without a recording have the rate of the nearest one of their timbre. A kit is as it was, and so is what was
    cut off when it was let go, or does not fall in a line on most keys.

    Parameters
    ----------
    played : what plays any key as it was recorded; None where there are only the recordings
    """
    rate = foundation.spec.sample_rate
    if played is not None:
        is_pitched = instrument.facts.kind == "pitched"
        return with_played_releases(instrument, foundation.bank, foundation.growth, played, is_pitched)
    ended = [one for one in recordings if len(one.audio) >= (one.hold_s + LEAST_TAIL_S) * rate]
    found: dict[int, list[tuple[int, float]]] = {}
    for one in ended:
        falls = release_rate(one.audio, prolonged(one, len(one.audio) / rate, rate), one.hold_s, rate)
        if falls is not None:
            found.setdefault(one.pitch, []).append((one.velocity, max(falls, STEP)))
    correction = correction_of(instrument.table, instrument.facts.name)
    if correction is None or instrument.facts.is_drums or 2 * len(found) <= len({one.pitch for one in recordings}):
        return instrument
    nearest = [min(found, key=lambda known: (abs(known - key), known)) for key in correction.key.tolist()]
    layers = [np.array(sorted(found[key])).T for key in nearest]
    rates = [rates_between(velocities, own, VELOCITIES).tolist() for velocities, own in layers]
    notes = [RecordedNote(one.pitch, one.velocity, one.hold_s, one.audio) for one in spread(ended, MOST_JUDGED)]

    def rendered(file: InstrumentFile, notes: Sequence[RecordedNote]) -> list[FloatArray]:
        player = Player(foundation, file, rate)
        return [player.play(note.key, note.velocity, note.hold_s, len(note.audio)) for note in notes]

    return judged(with_rates(instrument, rates), notes, rendered, rate)


class Leveller:
    """Tells how loud instruments should be to be as loud as those of their foundation's bank.

    Parameters
    ----------
    foundation : Foundation
    are_drums : whether they are kits
    """

    def __init__(self, foundation: Foundation, are_drums: bool) -> None:
        bank, self._foundation = foundation.bank, foundation
        renderer = NoteRenderer(bank, foundation.growth, representation_of(REPRESENTATION).default_decoder, RATE)
        self._usual = usual_loudness(renderer, bank.instruments, are_drums)

    def levels_of(self, instrument: InstrumentFile) -> Levels:
        """Return the levels that an instrument should have; none where the bank has nothing to compare with."""
        if self._usual is None:
            return Levels()
        player = Player(self._foundation, instrument, RATE)
        keys = sorted(set(instrument.table.key.tolist()))
        return levels_beside(self._usual, player.renderer, player.instrument, keys)


def with_levels(instrument: InstrumentFile, levels: Levels) -> InstrumentFile:
    """Return an instrument with other levels."""
    return replace(instrument, facts=replace(instrument.facts, levels=levels.facts))


def with_figures(instrument: InstrumentFile, figures: Mapping[str, float]) -> InstrumentFile:
    """Return an instrument with further figures."""
    return replace(instrument, facts=replace(instrument.facts, figures={**instrument.facts.figures, **figures}))


def going_on(starts: Mapping[str, Start], instrument: InstrumentFile) -> dict[str, Start]:
    """Return where timbres start that go on from an instrument: at its codes, where it has any."""
    table, stem, going = instrument.table, _stem(next(iter(starts))), dict(starts)
    for row, suffix in enumerate(table.suffixes):
        name, own = stem + suffix, np.flatnonzero(table.timbre == row)
        if name in going:
            codes = {int(table.key[i]): torch.from_numpy(table.codes[i].astype(np.float32)) for i in own}
            vector = torch.from_numpy(table.vectors[row].copy())
            going[name] = replace(going[name], vector=vector, codes={**going[name].codes, **codes})
    return going


def _stem(timbre: str) -> str:
    return timbre.partition(":")[0]


def _tuning(notes: NoteSet) -> Tuning:
    """Return the tuning of a pitched instrument on all its keys; drums have none."""
    name = notes.timbre_names[0]
    if len(notes.timbre_names) > 1 or name not in notes.tuning or not bool(notes.pitched.bool().any()):
        return NO_TUNING
    return heard_tuning(notes.tuning[name], notes.motions, name)


def _timbre_table(model: TNCA, notes: NoteSet) -> TimbreTable:
    """Return vectors and codes as the engine reads them."""
    vectors = dict(zip(notes.timbre_names, model.timbres.weight.detach().numpy(), strict=True))
    codes = {}
    for row, name in enumerate(notes.timbre_names):
        keys = sorted({note.pitch for note in notes.features if note.instrument == name and not note.held_out})
        rows = [row * NUM_KEYS + key for key in keys]
        codes[name] = {"keys": keys, "codes": model.keys.weight.detach().numpy()[rows]}
    return TimbreTable(vectors, codes)
