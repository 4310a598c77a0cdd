"""Instrument files: what is written is read again to the bit, and whatever else is refused in one line."""

from __future__ import annotations

import io
import json
import lzma
import os
import tracemalloc
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from own_files import (
    FOUNDATION,
    KEYS,
    ROOM,
    SPEC,
    made_bytes,
    made_instrument,
    members,
    mutated,
    packed,
    sha256,
)

from tnca_synth.engine.instrument_files import (
    InstrumentFacts,
    InstrumentFile,
    foundation_id,
    instrument_bytes,
    parse_instrument,
    read_facts,
    read_instrument,
    write_instrument,
)
from tnca_synth.engine.instrument_files.container import ARRAYS, FACTS, make_archive
from tnca_synth.engine.instrument_files.file import foundation_of
from tnca_synth.engine.instrument_files.merge import merge_instruments
from tnca_synth.engine.keys.motions import MotionTable
from tnca_synth.engine.keys.parts import correction_of, motions_of, with_correction
from tnca_synth.engine.keys.stored.table import KeyTable
from tnca_synth.errors import BankError, UsageError

MUTATIONS = 400


def differences(one: KeyTable, other: KeyTable) -> list[str]:
    """Return the names of the fields in which two tables differ, in a bit or in type."""

    def same(a: object, b: object) -> bool:
        if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
            return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
        if hasattr(a, "__dict__"):
            return all(same(value, getattr(b, name)) for name, value in vars(a).items())
        if isinstance(a, dict) and isinstance(b, dict):
            return a.keys() == b.keys() and all(same(a[name], b[name]) for name in a)
        return a == b

    return [name for name in vars(one) if not same(getattr(one, name), getattr(other, name))]


@pytest.mark.parametrize("name", ["pitched", "unpitched", "kit"])
def test_what_is_written_is_read_again_to_the_bit(name: str) -> None:
    instrument = made_instrument(name)
    extras = {"onset": np.arange(3 * len(instrument.table.key), dtype=np.float16).reshape(-1, 3)}
    known = replace(instrument, table=replace(instrument.table, extras=extras))
    found = parse_instrument(instrument_bytes(known))
    assert found.facts == known.facts
    assert differences(found.table, known.table) == []


def test_all_that_is_said_of_an_instrument_comes_back() -> None:
    facts = replace(
        made_instrument().facts, name="Kalimba", author="A. Player", licence="CC0", programs=(108, 11),
        learned_from=("C4.wav", "E4.wav"), figures={"zimtohrli": 0.0021}, versions={"tnca-synth": "0.2.0"},
    )  # fmt: skip
    assert parse_instrument(instrument_bytes(replace(made_instrument(), facts=facts))).facts == facts


def test_the_same_instrument_gives_the_same_bytes(tmp_path: Path) -> None:
    size = write_instrument(tmp_path / "a.tnca", made_instrument())
    again = write_instrument(tmp_path / "b.tnca", read_instrument(tmp_path / "a.tnca"))
    assert (tmp_path / "a.tnca").read_bytes() == (tmp_path / "b.tnca").read_bytes()
    assert size == again == (tmp_path / "a.tnca").stat().st_size
    assert os.listdir(tmp_path) == ["a.tnca", "b.tnca"] or sorted(os.listdir(tmp_path)) == ["a.tnca", "b.tnca"]


def test_where_it_cannot_be_written_the_old_file_stays(tmp_path: Path) -> None:
    with pytest.raises(BankError, match="cannot write "):
        write_instrument(tmp_path / "nowhere" / "a.tnca", made_instrument())


def test_a_foundation_is_known_by_both_of_its_models() -> None:
    own = foundation_id(b"seed", b"step")
    assert len(own) == len(FOUNDATION) and own == foundation_of(sha256(b"seed"), sha256(b"step"))
    assert len({own, foundation_id(b"seed", b"step "), foundation_id(b"step", b"seed")}) == 3


def refusal(content: bytes) -> str:
    with pytest.raises(BankError) as caught:
        parse_instrument(content)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_every_kind_of_damage_is_told_in_its_own_words() -> None:
    facts, arrays = members(made_bytes())
    assert "no zip archive" in refusal(b"")
    assert "no zip archive" in refusal(made_bytes()[:-40])
    assert "members instrument.json and arrays.xz" in refusal(packed(facts, arrays, more=b"x"))
    assert "not JSON" in refusal(packed(b"{", arrays))
    assert "expected format 'tnca-synth instrument 1'" in refusal(packed({"format": "other"}, arrays))
    assert "hash" in refusal(packed(facts | {"sha256": "0" * 64}, arrays))
    assert "name is missing" in refusal(packed({k: v for k, v in facts.items() if k != "name"}, arrays))
    assert "low is 300, expected a whole number in 0..127" in refusal(packed(facts | {"low": 300}, arrays))
    assert "does not unpack to" in refusal(packed(facts, arrays + b"x"))
    assert "one of pitched, unpitched, kit" in refusal(packed(facts | {"kind": "other"}, arrays))
    assert "its drums" in refusal(packed(facts | {"kind": "kit"}, arrays))
    listed = {name: value for name, value in facts["arrays"].items() if name != "codes"}
    assert "unpack" in refusal(packed(facts | {"arrays": listed}, arrays))


def test_a_file_of_a_newer_form_says_so_before_anything_else() -> None:
    assert refusal(packed({"format": "tnca-synth instrument 2"}, b"anything")) == (
        "it was made by a newer tnca-synth: format 2, this one reads 1; update tnca-synth"
    )


def test_a_byte_that_is_turned_is_found() -> None:
    content = bytearray(made_bytes())
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        start = archive.getinfo(ARRAYS).header_offset + 100
    content[start] ^= 1
    assert "damaged" in refusal(bytes(content))


def test_a_bomb_is_refused_before_it_is_unpacked() -> None:
    facts, _ = members(made_bytes())
    huge = {"type": "float64", "shape": [4_000_000, 8]}
    listed = facts["arrays"] | {"cents": huge}
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(FACTS, b" " * 20_000_000)
        archive.writestr(ARRAYS, lzma.compress(bytes(1)))
    bombs = {
        "expected 67108864 at most": packed(facts | {"arrays": listed}, bytes(8)),
        "expected 1048576 at most": target.getvalue(),
        "does not unpack to": packed(facts, bytes(40_000_000)),
    }
    tracemalloc.start()
    try:
        for words, bomb in bombs.items():
            assert len(bomb) < 1_000_000
            assert words in refusal(bomb)
        assert tracemalloc.get_traced_memory()[1] < 8_000_000
    finally:
        tracemalloc.stop()


def test_an_xz_stream_that_asks_for_gigabytes_of_memory_is_refused() -> None:
    facts, arrays = members(made_bytes())
    greedy = lzma.compress(
        arrays, lzma.FORMAT_XZ, filters=[{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 256 * 2**20}]
    )
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr(FACTS, json.dumps(facts))
        archive.writestr(ARRAYS, greedy)
    assert "arrays.xz is damaged" in refusal(target.getvalue())


def test_mutated_files_are_refused_or_can_be_played() -> None:
    played = 0
    for seed in range(MUTATIONS):
        try:
            found = parse_instrument(mutated(made_bytes(("pitched", "kit")[seed % 2]), seed))
            table = MotionTable(SPEC, room=ROOM)
            table.add(motions_of(found.table, "x"), correction_of(found.table, "x"))
        except BankError as error:
            assert "\n" not in str(error) and len(str(error)) < 400
            continue
        played += 1
        rows = np.array([[row, 1.0] for row in range(len(found.table.key))])
        ages = np.full((2, len(rows)), 1.5)
        assert np.isfinite(table.swell(rows, ages)).all() and np.isfinite(table.sway(rows, ages)).all()
    assert 0 < played < MUTATIONS / 2, "some changes do no harm, most are found"


def test_facts_are_read_without_the_arrays(tmp_path: Path) -> None:
    facts, _ = members(made_bytes())
    (tmp_path / "x.tnca").write_bytes(make_archive(json.dumps(facts).encode(), b"no arrays"))
    assert read_facts(tmp_path / "x.tnca").name == "kalimba"
    with pytest.raises(BankError, match=r"x\.tnca: "):
        read_instrument(tmp_path / "x.tnca")


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.tnca")
    for path in (tmp_path / "pipe.tnca", tmp_path, tmp_path / "missing.tnca"):
        with pytest.raises(BankError, match="cannot read the instrument"):
            read_instrument(path)


def test_a_table_is_checked_when_it_is_made() -> None:
    table = made_instrument().table
    wrong = {
        "key": table.key[::-1].copy(), "pace": -table.pace, "motion": table.motion + 99, "loop": table.loop + 1e6,
        "codes": table.codes * np.float16(np.nan), "tuned_keys": table.tuned_keys[::-1].copy(),
        "cents": table.cents + 5000.0, "take": table.take[::-1].copy() + np.arange(len(table.take))[::-1] * 9,
        "extras": {"onset": np.zeros(1, np.float32)},
    }  # fmt: skip
    for name, value in wrong.items():
        with pytest.raises(ValueError):
            replace(table, **{name: value})


def test_facts_are_checked_when_they_are_made() -> None:
    for name, value in {"foundation": "x", "kind": "organ", "low": 200, "name": "a\nb"}.items():
        with pytest.raises(BankError):
            InstrumentFacts(**{"name": "a", "representation": "dual", "foundation": "0" * 64} | {name: value})


def test_kits_are_merged_drum_by_drum_and_the_last_one_counts() -> None:
    kit = made_instrument("kit")
    louder = replace(kit, table=replace(kit.table, vectors=kit.table.vectors + 1.0))
    half = merge_instruments([kit, louder], "both")
    assert half.facts.name == "both" and set(half.facts.drums) == {36, 38}
    np.testing.assert_array_equal(half.table.vectors, louder.table.vectors)
    assert set(differences(half.table, louder.table)) <= {"take"}  # numbers of recordings mean nothing


def parted(table: KeyTable, keys: set[int]) -> InstrumentFile:
    """Return the instrument with some of its keys alone."""
    rows = np.flatnonzero(np.isin(table.key, list(keys)))
    motions = np.unique(table.motion[rows])
    kept = np.flatnonzero(np.isin(table.corrected, rows))
    part = replace(
        table, timbre=table.timbre[rows], key=table.key[rows], codes=table.codes[rows], take=table.take[rows],
        inharmonic_partials=table.inharmonic_partials[rows], motion=np.searchsorted(motions, table.motion[rows]),
        pace=table.pace[rows], source=np.searchsorted(rows, table.source[motions]), loop=table.loop[motions],
        motions=table.motions.rows(motions), corrected=np.searchsorted(rows, table.corrected[kept]),
        corrections=table.corrections.rows(kept),
    )  # fmt: skip
    return replace(made_instrument(), table=part)


def test_a_pitched_instrument_is_whole_again_once_its_keys_are_merged() -> None:
    table = made_instrument().table
    own = {int(key): int(table.key[table.source[table.motion[row]]]) for row, key in enumerate(table.key)}
    low = {key for key, source in own.items() if source <= 62}
    low |= {own[key] for key in low}
    high = {int(key) for key in table.key} - low
    assert low and high
    merged = merge_instruments([parted(table, high), parted(table, low)], "reed")
    assert set(differences(merged.table, table)) <= {"source", "motion", "motions", "loop", "take"}
    assert len(merged.table.motions) == len(table.motions)
    moves = [MotionTable(SPEC, motions_of(one, "reed"), correction_of(one, "reed")) for one in (merged.table, table)]
    ages = np.linspace(0.0, 3.0, 40)[:, None]
    for key in range(58, 70):
        swells = [one.swell(np.array([one.find("reed", key)]), ages) for one in moves]
        np.testing.assert_array_equal(*swells)


def test_what_does_not_belong_together_is_not_merged() -> None:
    reed, kit = made_instrument(), made_instrument("kit")
    other = replace(reed, facts=replace(reed.facts, foundation="0" * 64))
    for pair, words in (
        ([reed], "two instruments"),
        ([reed, kit], "of kind"),
        ([reed, other], "another foundation"),
        ([reed, reed], "share no keys"),
    ):
        with pytest.raises(UsageError, match=words):
            merge_instruments(pair, "x")


def test_instruments_of_other_vectors_keep_their_timbres_when_merged() -> None:
    table = made_instrument().table
    keys = [int(key) for key in table.key]
    own = {int(key): int(table.key[table.source[table.motion[row]]]) for row, key in enumerate(table.key)}
    low = {key for key in keys if own[key] <= 62} | {own[key] for key in keys if own[key] <= 62}
    first, second = parted(table, low), parted(table, set(keys) - low)
    second = replace(second, table=replace(second.table, vectors=second.table.vectors + 0.5))
    merged = merge_instruments([first, second], "two").table
    assert merged.vectors.shape == (1, 0) and merged.timbre_size == table.timbre_size
    size = table.vectors.shape[1]
    for row, key in enumerate(merged.key.tolist()):
        whose = first if key in low else second
        np.testing.assert_allclose(merged.codes[row, :size], whose.table.vectors[0], atol=2e-3)


def test_the_hash_is_that_of_the_arrays() -> None:
    facts, arrays = members(made_bytes())
    assert facts["sha256"] == sha256(arrays)


def layered() -> InstrumentFile:
    """Return an instrument whose keys were recorded in two layers, but for the first one."""
    file = made_instrument()
    correction = correction_of(file.table, "reed")
    assert correction is not None
    count, moments, courses = correction.courses.shape
    softer = np.random.default_rng(9).integers(-90, 90, (count, 1, courses, moments), np.int8)
    layers = np.array([[0, 0], *[[104, 40]] * (count - 1)])
    softer[0] = 0
    return replace(file, table=with_correction(file.table, "reed", replace(correction, softer=softer, layers=layers)))


def test_layers_of_corrections_are_kept_in_files_and_merged() -> None:
    before = correction_of(layered().table, "reed")
    after = correction_of(parse_instrument(instrument_bytes(layered())).table, "reed")
    assert before is not None and after is not None and after.to_bytes() == before.to_bytes()
    low, high = ({60, 62}, {64, 67})
    merged = merge_instruments([_with_keys(layered(), high), _with_keys(layered(), low)], "reed")
    again = correction_of(merged.table, "reed")
    assert again is not None
    np.testing.assert_array_equal(again.softer, before.softer)
    np.testing.assert_array_equal(again.layers, before.layers)


def test_rates_of_releases_are_kept_in_files_and_merged() -> None:
    file = made_instrument()
    before = correction_of(file.table, "reed")
    assert before is not None
    rates = np.array([[0, 0, 0], [1, 2, 3], [445, 200, 100], *[[30_000] * 3] * (len(before.key) - 3)], np.int16)
    before = replace(before, release_rates=rates)
    file = replace(file, table=with_correction(file.table, "reed", before))
    after = correction_of(parse_instrument(instrument_bytes(file)).table, "reed")
    assert after is not None and after.to_bytes() == before.to_bytes()
    merged = merge_instruments([_with_keys(file, {64, 67}), _with_keys(file, {60, 62})], "reed")
    again = correction_of(merged.table, "reed")
    assert again is not None
    np.testing.assert_array_equal(again.release_rates, before.release_rates)


def _with_keys(file: InstrumentFile, keys: set[int]) -> InstrumentFile:
    part = parted(replace(file.table, extras={}), keys)
    rows = np.flatnonzero(np.isin(file.table.key, list(keys)))
    extras = {name: values[rows] for name, values in file.table.extras.items()}
    return replace(part, table=replace(part.table, extras=extras))


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("onsets", np.ones((len(KEYS), 3), np.int8)),
        ("clock_ends", np.full(len(KEYS), -4, np.int16)),
        ("release_rates", np.full((len(KEYS), 3), -4, np.int16)),
        ("release_rates", np.full((len(KEYS), 3), 32_000, np.int16)),
        ("release_rates", np.ones((len(KEYS), 2), np.int16)),
        ("softer", np.ones((len(KEYS), 1, 2, 3), np.int8)),
        ("layers", np.full((len(KEYS), 2), 90, np.uint8)),
    ],
)
def test_extras_that_do_not_fit_their_corrections_are_refused(name: str, values: np.ndarray) -> None:
    table = replace(made_instrument().table, extras={name: values})
    with pytest.raises(BankError, match="does not fit"):
        parse_instrument(instrument_bytes(replace(made_instrument(), table=table)))
