"""Instruments from files sound as those of a bank: the shipped ones, written to files, give the same samples."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from own_files import shipped_instrument

from tnca_synth.engine.arrays import FloatArray
from tnca_synth.engine.bank.added import Place, instrument_file, parse_place
from tnca_synth.engine.bank.bank import Bank
from tnca_synth.engine.bank.manifest import MANIFEST, check_manifest
from tnca_synth.engine.bank.own_files import bank_of_files, instrument_of
from tnca_synth.engine.bank.timbre_book import TimbreBook
from tnca_synth.engine.instrument_files import InstrumentFile, file, write_instrument
from tnca_synth.engine.instrument_files.folder import VARIABLE, instruments_folder, list_folder
from tnca_synth.engine.open import OpenSynth, assemble_synth, open_synth
from tnca_synth.engine.render.file import render
from tnca_synth.errors import BankError, UsageError
from tnca_synth.midi import messages as midi
from tnca_synth.midi.files.song import Song, read_midi_file

pytestmark = pytest.mark.slow

RATE = 22_050
TUNE = ((0, 60, 0.0, 0.4), (0, 67, 0.1, 0.5), (1, 72, 0.2, 0.5), (9, 38, 0.1, 0.2), (9, 42, 0.3, 0.4))
"""Channel, key, onset and end in seconds."""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with three of the shipped instruments as files."""
    folder = tmp_path_factory.mktemp("files")
    for name in ("violin", "vibraphone", "standard-kit"):
        write_instrument(folder / f"{name}.tnca", shipped_instrument(name))
    return folder


def test_an_instrument_of_another_shipped_bank_brings_that_bank(tmp_path: Path, files: Path) -> None:
    bank, place = Bank.load(Path("low-rate")), tmp_path / "flute.tnca"
    flute = next(one for one in bank.instruments if one.name == "flute")
    write_instrument(place, instrument_of(bank, flute, bank.growth_model("dual", "cpu")))
    theirs = play(assemble_synth(sample_rate=RATE, instrument=flute.name, bank_path="low-rate"))
    np.testing.assert_array_equal(play(assemble_synth(sample_rate=RATE, instrument=place)), theirs)
    with pytest.raises(BankError, match="another foundation"):
        assemble_synth(instrument=place, instruments=[files / "violin.tnca"])


def play(ensemble: OpenSynth, *first: bytes, seconds: float = 0.7) -> FloatArray:
    """Play a tune on two melodic channels and the drums."""
    synth = ensemble.synth
    for data in first:
        synth.send(data, 0)
    for channel, key, onset_s, end_s in TUNE:
        synth.send(midi.note_on(channel, key, 100), round(onset_s * RATE) + 1)
        synth.send(midi.note_off(channel, key), round(end_s * RATE))
    audio = synth.render(round(seconds * RATE))
    assert np.abs(audio).max() > 0.01
    return audio


def opened(**wishes: object) -> OpenSynth:
    return assemble_synth(sample_rate=RATE, max_voices=8, effects=False, **wishes)  # type: ignore[arg-type]


@cache
def banks_own(instrument: str | None = None) -> FloatArray:
    """Return what the bank's own instrument plays."""
    return play(opened(instrument=instrument))


@pytest.mark.parametrize("core", ["kernel", "numpy"])
@pytest.mark.parametrize("name", ["violin", "vibraphone"])
def test_a_file_of_an_instrument_gives_the_same_samples(files: Path, name: str, core: str) -> None:
    own = play(opened(instrument=name, core=core))
    np.testing.assert_array_equal(play(opened(instrument=files / f"{name}.tnca", core=core)), own)
    assert not np.array_equal(own, play(opened(core=core)))


def test_in_the_place_of_a_program_it_plays_what_asks_for_that(files: Path) -> None:
    violin = str(files / "violin.tnca")
    mapped = play(opened(mapping={"11": violin}), midi.program_change(0, 11), midi.program_change(1, 11))
    np.testing.assert_array_equal(mapped, banks_own("violin"))
    np.testing.assert_array_equal(play(opened(mapping={"11": violin})), banks_own())
    by_bank = opened(mapping={"8:0": violin})
    variation = (midi.control_change(channel, midi.BANK_MSB, 8) for channel in (0, 1))
    chosen = (data for one in (*variation,) for data in (one, midi.program_change(one[0] & 15, 0)))
    np.testing.assert_array_equal(play(by_bank, *chosen), banks_own("violin"))
    np.testing.assert_array_equal(play(opened(mapping={"8:0": violin})), banks_own())


@pytest.mark.parametrize("place", ["drums:0", "drums"])
def test_a_kit_takes_the_place_of_the_drums(files: Path, place: str) -> None:
    ensemble = opened(mapping={place: files / "standard-kit.tnca"})
    np.testing.assert_array_equal(play(ensemble), banks_own())
    assert "standard-kit (2)" in ensemble.selection.instruments
    assert ensemble.synth.substitutions == () == ensemble.synth.silent_keys


def test_an_instrument_in_memory_plays_under_its_own_name() -> None:
    ensemble = opened(instruments=[shipped_instrument("violin").renamed("My Fiddle")])
    ensemble.lock_instrument("my fiddle")
    np.testing.assert_array_equal(play(ensemble), banks_own("violin"))
    assert "My Fiddle" in ensemble.selection.instruments
    assert opened().synth.first_choice(0) == ""


def test_no_program_means_an_instrument_of_ones_own() -> None:
    ensemble = opened(instruments=[shipped_instrument("violin").renamed("My Fiddle")])
    np.testing.assert_array_equal(
        play(ensemble, midi.program_change(0, 40), midi.program_change(1, 40)), banks_own("violin")
    )
    assert "My Fiddle" not in ensemble.selection.instruments
    ensemble.begin_with(40)
    assert ensemble.synth.first_choice(0) == "violin"


def test_a_file_joins_while_playing(files: Path) -> None:
    ensemble = opened()
    ensemble.lock_instrument(str(files / "violin.tnca"))
    np.testing.assert_array_equal(play(ensemble), banks_own("violin"))
    ensemble.lock_instrument(files / "violin.tnca")
    assert ensemble.locked_instrument == "violin (2)" and len(ensemble.files) == 1


def test_morphs_go_into_ones_own_instruments_too(files: Path) -> None:
    def morph(into: str, **wishes: object) -> FloatArray:
        ensemble = opened(**wishes)
        ensemble.set_morph(0, into)
        ensemble.synth.set_growth(0, morph=(0.6, 0.0))
        return play(ensemble)

    own = morph("my fiddle", instruments=[shipped_instrument("violin").renamed("My Fiddle")])
    np.testing.assert_array_equal(own, morph("violin"))
    assert not np.array_equal(own, banks_own())


SONG = Path(__file__).parents[2] / "examples" / "prelude.mid"


def short(seconds: float = 3.0) -> Song:
    song = read_midi_file(SONG)
    return replace(song, messages=tuple(one for one in song.messages if one.time_s < seconds))


def test_workers_know_what_is_added(files: Path) -> None:
    def rendered(workers: int) -> FloatArray:
        ensemble = assemble_synth(mapping={"0": files / "violin.tnca"}, workers=workers)
        try:
            while not all(one.is_ready for one in ensemble.worker_processes):
                ensemble.wait_for_workers()
            for number in range(12):
                ensemble.synth.send(midi.note_on(0, 56 + number, 90), 100 * number)
            audio = ensemble.synth.render(20_000)
            growers = {owner for _, owner in getattr(ensemble.synth._first, "_owners", {}).values()}
            assert len(growers) == (workers if workers > 1 else 0), "each has grown some notes"
            return audio
        finally:
            ensemble.close()

    np.testing.assert_array_equal(rendered(2), rendered(1))


def test_a_kit_plays_the_drums_of_a_song_and_leaves_the_rest(files: Path) -> None:
    kit = files / "standard-kit.tnca"
    ensemble = opened(instrument=kit, kits_play_drums_alone=True)
    np.testing.assert_array_equal(play(ensemble), banks_own())
    assert ensemble.locked_instrument == ""
    assert opened(instrument=kit).locked_instrument == "standard-kit (2)"


def test_a_rendering_takes_files_too(files: Path) -> None:
    own = render(short(), instrument="violin")
    np.testing.assert_array_equal(render(short(), instrument=str(files / "violin.tnca")), own)


# -- names and the user's folder


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    return tmp_path


def test_what_lies_in_the_users_folder_is_played_by_name(folder: Path) -> None:
    write_instrument(folder / "any name.tnca", shipped_instrument("violin").renamed("My Fiddle"))
    (folder / "torn.tnca").write_bytes(b"PK")
    np.testing.assert_array_equal(play(opened(instrument="my fiddle")), banks_own("violin"))
    assert opened(mapping={"0": "My Fiddle"}).synth.substitutions == ()
    assert [(one.facts is None, bool(one.fault)) for one in list_folder()] == [(False, False), (True, True)]
    with pytest.raises(UsageError, match="did you mean 'My Fiddle'"):
        opened(instrument="my fidle")


def test_a_banks_own_name_stays_the_banks(folder: Path) -> None:
    write_instrument(folder / "x.tnca", shipped_instrument("vibraphone").renamed("violin"))
    np.testing.assert_array_equal(play(opened(instrument="violin")), banks_own("violin"))
    np.testing.assert_array_equal(play(opened(instrument="violin (2)")), banks_own("vibraphone"))


def test_the_folder_is_where_each_system_keeps_such_things(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "home", lambda: Path("/home/me"))
    assert instruments_folder("linux", {}) == Path("/home/me/.local/share/tnca-synth/instruments")
    assert instruments_folder("linux", {"XDG_DATA_HOME": "/data"}) == Path("/data/tnca-synth/instruments")
    assert instruments_folder("darwin", {}) == Path("/home/me/Library/Application Support/tnca-synth/instruments")
    assert instruments_folder("win32", {"APPDATA": "C:/App"}) == Path("C:/App/tnca-synth/instruments")
    assert instruments_folder("linux", {VARIABLE: "/mine"}) == Path("/mine")


def test_a_file_brings_its_representation_unless_another_one_is_asked_for(tmp_path: Path) -> None:
    bank = Bank.load().home("waveform")
    flute = next(one for one in bank.instruments if one.name == "flute")
    write_instrument(tmp_path / "f.tnca", instrument_of(bank, flute, bank.growth_model("waveform", "cpu")))
    ensemble = opened(instrument=tmp_path / "f.tnca")
    assert (ensemble.representation, ensemble.decoder) == ("waveform", "direct")
    np.testing.assert_array_equal(play(ensemble), play(opened(instrument="flute", representation="waveform")))
    with pytest.raises(BankError, match=r"f\.tnca: it grows in the waveform representation, not in dual"):
        opened(instrument=tmp_path / "f.tnca", representation="dual")


def test_what_a_file_says_of_itself_is_read_once_until_it_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, seen = tmp_path / "v.tnca", []
    read = file.read_facts
    monkeypatch.setattr(file, "read_facts", lambda path: seen.append(path) or read(path))
    write_instrument(path, shipped_instrument("violin"))
    assert [*opened(instrument=path).files] == ["violin (2)"]
    assert len(seen) == 1
    write_instrument(path, shipped_instrument("vibraphone"))
    assert [*opened(instrument=path).files] == ["vibraphone (2)"]
    assert len(seen) == 2


def test_what_cannot_be_played_is_told_in_a_line(files: Path, tmp_path: Path) -> None:
    violin = shipped_instrument("violin")
    foreign = replace(violin, facts=replace(violin.facts, foundation="0" * 64))
    write_instrument(tmp_path / "foreign.tnca", foreign)
    for source, words in (
        (tmp_path / "foreign.tnca", r"foreign\.tnca: it was made for another foundation \(000000000000\)"),
        ("missing.tnca", "cannot read the instrument missing.tnca"),
    ):
        with pytest.raises(BankError, match=words):
            open_synth(instrument=source)
    with pytest.raises(UsageError, match="drums are played by a kit"):
        opened(mapping={"drums:0": files / "violin.tnca"})


@pytest.mark.parametrize("wrong", ["128", "-1", "a", "", "0:", ":", "200:0", "drums:x", "drum:0", "0:0:0"])
def test_a_place_that_means_nothing_is_refused(wrong: str) -> None:
    with pytest.raises(UsageError, match="expected a program"):
        parse_place(wrong)


def test_places_are_programs_banks_and_kits() -> None:
    assert parse_place(" 40 ") == Place(False, 40)
    assert parse_place("8:0") == Place(False, 0, 8)
    assert parse_place("Drums:25") == Place(True, 25) and parse_place("drums") == Place(True, None)
    assert Place(False, 0, 8).fits(0, 8 << 7, False) and Place(False, 0, 8).fits(0, 8, False)
    assert not Place(False, 0, 8).fits(0, 0, False) and not Place(False, 0).fits(0, 0, True)


@pytest.mark.parametrize(
    "wrong", [{"instrument": 1.5}, {"instruments": "a.tnca"}, {"mapping": [1]}, {"mapping": {0: "a"}}]
)
def test_arguments_of_other_types_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        open_synth(**wrong)  # type: ignore[arg-type]


# -- banks of files


@pytest.fixture(scope="module")
def bank_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the bank at 22,050 Hz with its instruments as files."""
    folder = tmp_path_factory.mktemp("bank")
    for name, content in bank_of_files(Bank.load(Path("low-rate")), representations=("dual",)).items():
        (folder / name).write_bytes(content)
    return folder


@cache
def low_rate() -> FloatArray:
    """Return what the bank at 22,050 Hz plays, of which that folder is made."""
    return play(opened(bank_path="low-rate"))


@pytest.fixture
def untried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the first run of a bank in a process of its own."""
    monkeypatch.setattr("tnca_synth.engine.open.try_bank", lambda folder: None)


def test_a_bank_of_files_sounds_the_same_and_reads_what_is_played(bank_folder: Path, untried: None) -> None:
    ensemble = opened(bank_path=bank_folder)
    assert ensemble.growth is not None and len(ensemble.growth.motions.tables.first_code) == 1
    np.testing.assert_array_equal(play(ensemble), low_rate())
    rows = len(ensemble.growth.motions.tables.first_code)
    bank = Bank.load(Path("low-rate"))
    known = {one.name: one for one in bank.instruments}
    growth = bank.growth_model("dual", "cpu")
    played = [instrument_of(bank, known[name], growth).table for name in ("grand-piano", "standard-kit")]
    assert rows == 1 + sum(len(table.key) for table in played)


def test_instruments_that_are_files_already_stay_as_they_are(untried: None, tmp_path: Path) -> None:
    bank = Bank.load()
    bank.instruments = tuple(one for one in bank.instruments if one.name in ("violin", "french-horn", "standard-kit"))
    files = bank_of_files(bank)
    assert files["french-horn.tnca"] == (resources.files("tnca_synth.instruments") / "french-horn.tnca").read_bytes()
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    for name in ("violin", "french-horn"):
        np.testing.assert_array_equal(play(opened(bank_path=tmp_path, instrument=name)), banks_own(name))


def test_the_order_in_which_instruments_are_read_changes_nothing(bank_folder: Path, untried: None) -> None:
    ensemble = opened(bank_path=bank_folder)
    for name in ("flute", "cello", "standard-kit", "violin"):
        ensemble.make_ready(name)
    np.testing.assert_array_equal(play(ensemble), low_rate())


def test_a_damaged_instrument_of_a_bank_is_told_when_it_is_played(
    bank_folder: Path, untried: None, tmp_path: Path
) -> None:
    for path in bank_folder.iterdir():
        (tmp_path / path.name).symlink_to(path)
    (tmp_path / "violin.tnca").unlink()
    (tmp_path / "violin.tnca").write_bytes(b"x" * 2000)
    np.testing.assert_array_equal(play(opened(bank_path=tmp_path)), low_rate())
    with pytest.raises(BankError, match=r"violin\.tnca is damaged"):
        play(opened(bank_path=tmp_path, instrument="violin"))


WRONG = (
    (
        "files",
        {"dual": "missing.tnca"},
        r"instruments\[5\]\.files\.dual is 'missing\.tnca', expected the name of a file",
    ),
    ("files", {"mel": "violin.tnca"}, r"instruments\[5\]\.files is \['mel'\], expected representations of the bank"),
    ("files", {}, r"instruments\[5\]\.tuning is missing"),
    ("low", 200, r"instruments\[5\]\.low is 200"),
)
WRONG_ROOMS = (
    ({"swells": 65, "correction": None}, r"rooms\.dual\.swells is 65, expected a whole number in 0\.\.64"),
    ({"swells": 12}, r"rooms\.dual\.correction is missing"),
    ({"swells": 12, "correction": {"moments": [2, 1]}}, "expected rising spectral frames"),
    (3, "names and values"),
)


@pytest.fixture(scope="module")
def manifest(bank_folder: Path) -> dict[str, Any]:
    values: dict[str, Any] = json.loads((bank_folder / MANIFEST).read_bytes())
    return values


@pytest.mark.parametrize(("field", "value", "words"), WRONG)
def test_a_wrong_entry_of_a_bank_of_files_is_named(
    manifest: dict[str, Any], field: str, value: object, words: str
) -> None:
    entries = [dict(one) for one in manifest["instruments"]]
    assert entries[5]["name"] == "violin"
    entries[5][field] = value
    with pytest.raises(BankError, match=words):
        check_manifest(manifest | {"instruments": entries})
    kit = {name: value for name, value in manifest["instruments"][-1].items() if name != "drums"}
    with pytest.raises(BankError, match=r"instruments\[0\]\.drums is missing"):
        check_manifest(manifest | {"instruments": [kit]})


@pytest.mark.parametrize(("room", "words"), WRONG_ROOMS)
def test_wrong_room_for_keys_is_named(manifest: dict[str, Any], room: object, words: str) -> None:
    with pytest.raises(BankError, match=words):
        check_manifest(manifest | {"rooms": {"dual": room}})


def test_an_instrument_that_finds_no_room_is_refused_when_it_is_played(
    manifest: dict[str, Any], bank_folder: Path, untried: None, tmp_path: Path
) -> None:
    for path in bank_folder.iterdir():
        (tmp_path / path.name).symlink_to(path)
    (tmp_path / MANIFEST).unlink()
    room = manifest["rooms"]["dual"]
    (tmp_path / MANIFEST).write_text(json.dumps(manifest | {"rooms": {"dual": room | {"swells": 4}}}))
    with pytest.raises(BankError, match="12 swells, this foundation has room for 4"):
        play(opened(bank_path=tmp_path))


class Slow:
    """An instrument whose file takes long to read."""

    def __init__(self, instrument: InstrumentFile) -> None:
        self.may_go_on, self.instrument = threading.Event(), instrument

    def __call__(self) -> InstrumentFile:
        assert self.may_go_on.wait(20.0)
        return self.instrument


def live_book(slow: Slow) -> TimbreBook:
    """Return the shipped instruments, and in the place of program 40 one that is read aside."""
    bank = Bank.load()
    one = replace(instrument_file(slow.instrument), read=slow)
    with_it = bank.with_files([one.renamed("slow")], {Place(False, 40): "slow"})
    return with_it.timbre_book(bank.growth_model("dual", "cpu"), aside=True)


@pytest.fixture
def slow() -> Iterator[Slow]:
    one = Slow(shipped_instrument("violin"))
    yield one
    one.may_go_on.set()


def test_what_is_not_read_yet_blocks_nobody_and_plays_once_it_is(slow: Slow) -> None:
    book = live_book(slow)
    book.expect(40, 0, False)
    assert book.instrument_for(40, 0, False, 60).instrument.name == "violin", "what is there and most similar"
    before = book.changes
    slow.may_go_on.set()
    book._loading["slow"].result(20.0)
    choice = book.instrument_for(40, 0, False, 60)
    assert choice.instrument.name == "slow" and book.changes == before + 1
    np.testing.assert_array_equal(choice.timbre, book.named(replace(choice.instrument, name="violin"), 60).timbre)


def live_synth(slow: Slow) -> OpenSynth:
    """Return a synth as it plays live, with a slow instrument in the place of program 40."""
    ensemble = opened(loads_aside=True, grows_together=True)
    assert ensemble.bank is not None and ensemble.growth is not None
    one = replace(instrument_file(slow.instrument), read=slow)
    bank = ensemble.bank.with_files([one.renamed("slow")], {Place(False, 40): "slow"})
    book = bank.timbre_book(ensemble.growth, aside=True)
    ensemble.selection._bank = book
    return ensemble


def test_notes_wait_a_moment_for_their_instrument_and_others_do_not(slow: Slow) -> None:
    ensemble = live_synth(slow)
    synth = ensemble.synth
    for data in (midi.program_change(0, 40), midi.note_on(0, 60, 100), midi.note_on(1, 72, 100)):
        synth.send(data)
    quick = np.concatenate([synth.render(128) for _ in range(4)])
    assert [part.channel for part in synth.parts()] == [1] and np.abs(quick).max() > 1e-4
    slow.may_go_on.set()
    while ensemble.selection.changes == 0:
        time.sleep(0.001)
    synth.render(512)
    assert [(part.channel, part.instrument) for part in synth.parts()] == [(0, "slow"), (1, "grand-piano")]
    assert synth.substitutions == ()


def test_notes_wait_for_a_tenth_of_a_second_at_most_and_keep_their_order(slow: Slow) -> None:
    ensemble = live_synth(slow)
    synth = ensemble.synth
    for data in (midi.program_change(0, 40), midi.note_on(0, 60, 100), midi.note_off(0, 60), midi.note_on(0, 62, 100)):
        synth.send(data)
    synth.render(2000)
    assert synth.parts() == []
    synth.render(1000)
    assert [(part.channel, part.instrument) for part in synth.parts()] == [(0, "violin")]
    assert synth.notes_started == 2
    synth.render(RATE)
    assert synth.active_voices == 1, "the first note was let go after it began"


def test_what_cannot_be_read_aside_is_told_and_stays_away(slow: Slow) -> None:
    def fails() -> InstrumentFile:
        raise BankError("slow.tnca: it is damaged")

    book = live_book(slow)
    book._unread["slow"] = replace(book._unread["slow"], read=fails)
    book.expect(40, 0, False)
    book._loading["slow"].result(20.0)
    assert list(book.failures) == ["slow.tnca: it is damaged"]
    assert book.instrument_for(40, 0, False, 60).instrument.name == "violin"


def test_a_better_file_is_heard_in_new_notes_and_no_held_one_changes() -> None:
    def held(replaced: bool) -> FloatArray:
        ensemble = opened(instruments=[shipped_instrument("violin").renamed("mine")])
        ensemble.lock_instrument("mine")
        ensemble.synth.send(midi.note_on(0, 60, 100), 0)
        blocks = [ensemble.synth.render(5000)]
        if replaced:
            ensemble.replace_instrument("mine", shipped_instrument("vibraphone"))
        blocks.append(ensemble.synth.render(9000))
        ensemble.synth.send(midi.note_off(0, 60))
        ensemble.synth.send(midi.control_change(0, midi.ALL_SOUND_OFF, 0))
        blocks.append(ensemble.synth.render(9000))
        ensemble.synth.send(midi.note_on(0, 60, 100))
        blocks.append(ensemble.synth.render(9000))
        return np.concatenate(blocks)

    before, after = held(False), held(True)
    np.testing.assert_array_equal(before[:23_000], after[:23_000])
    assert np.abs(before[23_000:] - after[23_000:]).max() > 0.01


def test_the_level_of_a_better_file_is_heard_in_new_notes() -> None:
    violin = shipped_instrument("violin").renamed("mine")
    keys, db, slope_db = violin.facts.levels
    louder = replace(violin, facts=replace(violin.facts, levels=(keys, tuple(one + 6.0 for one in db), slope_db)))
    ensemble = opened(instruments=[violin])
    ensemble.lock_instrument("mine")
    heard = []
    for version in (violin, louder):
        ensemble.replace_instrument("mine", version)
        ensemble.synth.send(midi.note_on(0, 60, 60))
        heard.append(ensemble.synth.render(9000))
        ensemble.synth.send(midi.control_change(0, midi.ALL_SOUND_OFF, 0))
        ensemble.synth.render(9000)
    gain_db = 10.0 * np.log10(np.mean(np.square(heard[1])) / np.mean(np.square(heard[0])))
    assert gain_db == pytest.approx(6.0, abs=0.5)


def test_a_file_of_another_foundation_replaces_nothing() -> None:
    violin = shipped_instrument("violin")
    ensemble = opened(instruments=[violin.renamed("mine")], instrument="mine")
    with pytest.raises(BankError, match="another foundation"):
        ensemble.replace_instrument("mine", replace(violin, facts=replace(violin.facts, foundation="0" * 64)))
    np.testing.assert_array_equal(play(ensemble), banks_own("violin"))
