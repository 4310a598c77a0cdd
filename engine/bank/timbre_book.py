"""What plays a key: the instruments of one representation, each with its timbres and what moves them."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from threading import Lock

from ...errors import BankError, TncaError
from ...midi.spec.banks import variation_of
from ...midi.spec.kinship import distance
from ..instrument_files import InstrumentFile
from ..keys.motions import MotionTable
from ..keys.parts import correction_of, motions_of
from ..keys.timbres import TimbreTable
from .added import FileInstrument, Place
from .instruments import BankInstrument, KeyChoice, Levels, Tuning
from .interfaces import Instrument

SAME_KIND = dict.fromkeys((31, 32, 33, 34), 37)
"""Drums beside those of General MIDI 1 that another can stand in for: sticks and clicks to count in, a side stick."""
MAX_TOLD = 16


class TimbreBook:
    """The instruments that one representation has timbres of, with their vectors and what moves them.

    Thread: one asks; `load` and `replace` may be called by any other.

    Parameters
    ----------
    instruments : tuple of BankInstrument
        Those that `timbres` knows are played from the start.
    timbres, motions
        Of the growth model; instruments from files are added to both.
    files : sequence of FileInstrument
        Further instruments, read when they are first played.
    places : mapping of Place to str
        Names of what plays in the place of programs.
    aside : bool
        Whether files are read in a thread of their own. Until one is there, what is loaded and most similar plays.

    Attributes
    ----------
    instruments : tuple of BankInstrument
    representation : str
    only : None: a lock is the matter of `engine.bank.chooser.InstrumentSelection`
    failures : deque of str
        Why files could not be read aside, one line each.
    """

    only = None

    def __init__(
        self,
        instruments: tuple[BankInstrument, ...],
        timbres: TimbreTable,
        motions: MotionTable,
        files: Sequence[FileInstrument] = (),
        places: Mapping[Place, str] | None = None,
        aside: bool = False,
        representation: str = "",
    ) -> None:
        self.representation = representation
        self._timbres, self._motions = timbres, motions
        self._unread = {one.instrument.name: one for one in files}
        self._drums = {
            one.name: [key for key in range(one.low, one.high + 1) if one.timbre_name(key) in timbres]
            for one in instruments
            if one.is_drums
        } | {one.instrument.name: [*one.drums] for one in files if one.instrument.is_drums}
        known = [one for one in instruments if (self._drums[one.name] if one.is_drums else one.name in timbres)]
        self._by_name = {one.name: one for one in (*known, *(one.instrument for one in files))}
        if not self._by_name:
            raise BankError("a representation has no timbre of any instrument of the bank; export it again")
        self._places = {place: name for place, name in (places or {}).items() if name in self._by_name}
        self._adding, self.failures = Lock(), deque[str](maxlen=MAX_TOLD)
        self._stage = ThreadPoolExecutor(1, "loading") if aside and files else None
        self._loading: dict[str, Future[None]] = {}
        self._changes = 0

    @property
    def instruments(self) -> tuple[BankInstrument, ...]:
        """All of them, whether they are read yet or not."""
        return tuple(self._by_name.values())

    @property
    def changes(self) -> int:
        """How often instruments were read or replaced: with each, other things may play what was asked for before."""
        return self._changes

    @property
    def has_drums(self) -> bool:
        """Whether there is a drum kit."""
        return any(one.is_drums for one in self._by_name.values())

    def instrument_for(self, program: int, bank: int, is_drums: bool, key: int) -> KeyChoice:
        """Return what plays a key: what is put there, the program's own instrument, or the most similar one.

        A drum that the kit lacks is silent, unless the kit has one of its kind. A bank number chooses a variation of
        the program where there is one; else it is not minded.
        """
        instrument, is_placed = self._wanted(program, bank, is_drums)
        if self._is_awaited(instrument):
            loaded = [one for one in self._candidates(is_drums) if one.name not in self._unread]
            instrument = _nearest(program, loaded or [instrument])
        return self._choice(instrument, not is_placed and instrument.program != program, is_drums, key)

    def _wanted(self, program: int, bank: int, is_drums: bool) -> tuple[BankInstrument, bool]:
        """Return what shall play a program, and whether it was put there."""
        placed = self._placed(program, bank, is_drums)
        found = placed or self._variation(program, bank, is_drums) or _nearest(program, self._candidates(is_drums))
        return found, placed is not None

    unlocked_instrument_for = instrument_for

    def expect(self, program: int, bank: int, is_drums: bool) -> bool:
        """Begin to read what plays a program, if that is done aside; return whether it is not there yet."""
        if self._stage is None:
            return False
        instrument = self._wanted(program, bank, is_drums)[0]
        return self._is_awaited(instrument) and not self._loading[instrument.name].done()

    def asked_for(self, program: int, bank: int, is_drums: bool) -> str:
        """Return the name of what plays a program, without what stands in for it; any kit stands for drums."""
        placed = self._placed(program, bank, is_drums)
        fitting = (one for one in self._candidates(is_drums) if one.is_drums == is_drums)
        own = (one for one in fitting if is_drums or one.program == program)
        found = placed or self._variation(program, bank, is_drums) or next(own, None)
        return "" if found is None else found.name

    def named(self, instrument: Instrument, key: int) -> KeyChoice:
        """Return an instrument's own sound on a key, or what stands in for it where there is none of that name."""
        own = self._by_name.get(instrument.name)
        if own is None or self._is_awaited(own):
            return self.instrument_for(instrument.program, 0, instrument.is_drums, key)
        return self._choice(own, False, own.is_drums, key)

    def load(self, name: str) -> None:
        """Read an instrument now, if it is one of a file that was not read yet; `BankError` if that fails."""
        one = self._unread.get(name)
        if one is not None:
            self._add(name, one.read(), is_new=True)

    def add_file(self, one: FileInstrument) -> None:
        """Know one more instrument, of a name that none has, to be played by that."""
        with self._adding:
            name = one.instrument.name
            if one.instrument.is_drums:
                self._drums = {**self._drums, name: [*one.drums]}
            self._unread[name] = one
            self._by_name = {**self._by_name, name: one.instrument}  # others may be going through the old one

    def replace(self, name: str, instrument: InstrumentFile) -> None:
        """Let notes to come of an instrument sound as another file of it says; those that sound stay as they are.

        Raises
        ------
        BankError
            It does not fit the model.
        """
        self._add(name, instrument, is_new=False)

    def _add(self, name: str, instrument: InstrumentFile, is_new: bool) -> None:
        table = instrument.table
        with self._adding:
            if is_new and name not in self._unread:
                return
            self._timbres.add(name, table)
            self._motions.add(motions_of(table, name), correction_of(table, name))
            tuning = Tuning.of(table)
            if instrument.facts.is_drums:
                self._drums = {**self._drums, name: sorted(int(suffix[1:]) for suffix in table.suffixes)}
            known = replace(self._by_name[name], measured=tuning)
            if known.is_own:  # how loud a bank's own shall be is said by its manifest
                known = replace(known, levels=Levels(*instrument.facts.levels))
            self._by_name = {**self._by_name, name: known}
            self._unread.pop(name, None)
            self._changes += 1

    def _placed(self, program: int, bank: int, is_drums: bool) -> BankInstrument | None:
        """Return what was put in the place of a program; the narrower of two places counts."""
        fitting = [place for place in self._places if place.fits(program, bank, is_drums)]
        if not fitting:
            return None
        narrowest = max(fitting, key=lambda one: (one.program is not None, one.bank is not None))
        return self._by_name[self._places[narrowest]]

    def _variation(self, program: int, bank: int, is_drums: bool) -> BankInstrument | None:
        """Return the variation of a melodic program that a bank number asks for."""
        number = 0 if is_drums else variation_of(bank)
        asked = (one for one in self._by_name.values() if not (one.is_drums or one.is_own))
        return next((one for one in asked if number and (one.program, one.bank) == (program, number)), None)

    def _candidates(self, is_drums: bool) -> list[BankInstrument]:
        """Return what can play programs, or drums; a user's own and variations only where there is nothing else."""
        every = [*self._by_name.values()]
        listed = [one for one in every if not (one.is_own or one.bank)] or every
        return [one for one in listed if one.is_drums == is_drums] or listed

    def _is_awaited(self, instrument: BankInstrument) -> bool:
        """Tell whether an instrument is still to be read aside, which begins now if it has not yet."""
        name = instrument.name
        if self._stage is None or name not in self._unread:
            return False
        if name not in self._loading:
            self._loading[name] = self._stage.submit(self._load_aside, name)
        return True

    def _load_aside(self, name: str) -> None:
        try:
            self.load(name)
        except TncaError as error:
            self.failures.append(str(error))

    def _choice(self, instrument: BankInstrument, is_another: bool, is_drums: bool, key: int) -> KeyChoice:
        """Return what an instrument plays on a key of a drum channel or a melodic one."""
        self.load(instrument.name)
        instrument = self._by_name[instrument.name]
        substituted = is_another or instrument.is_drums != is_drums
        played = self._drum(instrument, key) if instrument.is_drums else key
        drum = played if is_drums and instrument.is_drums and played != key else None
        name = instrument.timbre_name(played)
        timbre = self._timbres.vector(name, self._motions.heard_key(name, played))
        # Partials of a pitch lie where it is tuned; what has none is tuned by how far it is transposed.
        moved_cents = 0.0 if instrument.pitched else instrument.tuning(played)[0]
        motion = self._motions.find(name, played, moved_cents=moved_cents)
        is_silent = is_drums and (not instrument.is_drums or (drum is not None and drum != SAME_KIND.get(key)))
        steps = self._motions.steps_of(name)
        rates = self._motions.release_rates(motion)
        return KeyChoice(instrument, timbre, instrument.pitched, substituted, motion, drum, is_silent, steps, rates)

    def _drum(self, kit: BankInstrument, key: int) -> int:
        """Return the drum of a kit that sounds most like the one on a key: its own, one of its kind, else any."""
        wanted = key if key in self._drums[kit.name] else SAME_KIND.get(key, key)
        return min(self._drums[kit.name], key=lambda one: (abs(one - wanted), one))


def _nearest(program: int, candidates: Sequence[BankInstrument]) -> BankInstrument:
    """Return the instrument that is made most like a program."""
    return min(candidates, key=lambda one: (distance(program, one.program), one.program))
