"""From measured notes to means, verdicts and files."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import soxr
import tiny

from tnca_synth.training.comparison.costs import Costs, path_costs
from tnca_synth.training.comparison.expectations import FAILS, HOLDS, UNKNOWN, Verdict, judge
from tnca_synth.training.comparison.measures import Measures
from tnca_synth.training.comparison.notes import KEY, LAYER, HeldOutNote, held_out_notes, spread
from tnca_synth.training.comparison.page.player import SAMPLER, NotePlayer, NoteRow, Route, fitting_routes
from tnca_synth.training.comparison.page.report import FRONTIER_NAME, HTML_NAME, JSON_NAME, MARKDOWN_NAME, write_report
from tnca_synth.training.comparison.run import RECORDING, Comparison, Example
from tnca_synth.training.comparison.speed import Speed
from tnca_synth.training.comparison.summary import (
    ALL,
    SHARED,
    PathResult,
    best_in_budget,
    frontier,
    mean_measures,
    summarise,
)
from tnca_synth.training.comparison.tables import all_tables, sampler_sentence, winner_sentence
from tnca_synth.training.config.run import load_preset
from tnca_synth.training.measure.hearing import HEARING_RATE
from tnca_synth.training.validation.anchors import ANCHORS

pytestmark = pytest.mark.slow

EQUAL = Measures(
    zimtohrli=0.005,
    visqol=4.0,
    top_db=9.0,
    rise_ms=-1.0,
    distance=0.5,
    auraloss=0.5,
    spectrum_db=5.0,
    high_db=6.0,
    phase=0.9,
    envelope_db=1.0,
    onset_ms=2.0,
    loudness_db=0.5,
    cents=0.0,
)
ROUTES = (Route("mel", "vocoder"), Route("dual", "harmonic"))


def row(path: str = "mel+vocoder", kind: str = KEY, instrument: str = "reed", **changes: float) -> NoteRow:
    return NoteRow(path, instrument, kind, 63, 64, True, replace(EQUAL, **changes))


def path_result(name: str, zimtohrli: float, voices: float = 50.0, training_s: float = 100.0) -> PathResult:
    route = None if name == SAMPLER else Route(*name.split("+"))
    means = summarise([row(name, zimtohrli=zimtohrli)])[name]
    if route is None:
        return PathResult(name, None, means)
    return PathResult(name, route, means, Costs(1, 2, 0.1, 0.1, training_s, 10), Speed(1.0 / voices, 9.0))


def verdict_on(claim: str, **measured: dict[str, float]) -> Verdict:
    """Judge paths of which one note was measured; `dual_harmonic` is dual+harmonic."""
    rows = [row(name.replace("_", "+", 1), **measures) for name, measures in measured.items()]
    paths = [path_result(one.path, one.measures.zimtohrli) for one in rows]
    (found,) = [one for one in judge(paths, rows) if one.claim.startswith(claim)]
    return found


def held_out_note(key: int, velocity: int, kind: str) -> HeldOutNote:
    slow = tiny.recording(tiny.REED, key, velocity, 1.0)
    recording = replace(slow, audio=soxr.resample(slow.audio, tiny.SPEC.sample_rate, HEARING_RATE))
    return HeldOutNote(recording, recording.audio, kind, tiny.REED)


@cache
def comparison() -> Comparison:
    """Compare two paths of the tiny bank on two notes; made once."""
    player = NotePlayer(tiny.bank(), list(ROUTES))
    rows: list[NoteRow] = []
    for note in (held_out_note(63, 60, KEY), held_out_note(64, 90, LAYER)):
        played = player.play(note)
        rows += player.measure(note, played)
    shown = {name: audio for name, audio in played.items() if name not in ANCHORS}
    examples = {"reed": Example("reed, key 64", 64, {RECORDING: note.recording.audio, **shown})}
    means = summarise(rows)
    paths = [PathResult(name, None, means[name]) for name in (SAMPLER, *ANCHORS)]
    paths += [
        PathResult(str(one), one, means[str(one)], path_costs(tiny.bank(), *one), Speed(0.01, float("nan")), True)
        for one in ROUTES
    ]
    return Comparison(paths, rows, judge(paths, rows), {"cores": "2"}, examples)


class Tags(HTMLParser):
    """Collects the tags of a page and what they refer to."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.sources: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.sources += [value or "" for name, value in attrs if name in ("src", "href")]


def test_every_decoder_that_fits_is_found() -> None:
    routes = set(fitting_routes(tiny.bank()))
    assert {("mel", "vocoder"), ("mel", "griffin-lim"), ("dual", "harmonic"), ("dual", "griffin-lim")} <= routes
    assert ("mel", "harmonic") not in routes


def test_notes_are_as_long_as_their_recordings_whatever_the_rate_of_the_model() -> None:
    note = held_out_note(63, 60, KEY)
    played = NotePlayer(tiny.bank(), list(ROUTES)).play(note)
    assert list(played) == [SAMPLER, *ANCHORS, "mel+vocoder", "dual+harmonic"]
    for name, audio in played.items():
        if name != SAMPLER:  # which is shorter, since it plays faster
            assert len(audio) == len(note.recording.audio)
        assert np.isfinite(audio).all()


def test_held_out_notes_are_unheard_keys_and_an_unheard_velocity() -> None:
    data = load_preset("dual").data
    (flute,) = [one for one in data.instruments if one.name == "flute"]
    notes = list(held_out_notes(flute, data, 2))
    assert [note.kind for note in notes] == [KEY, KEY, LAYER, LAYER]
    assert all(note.recording.held_out for note in notes)
    assert all(note.recording.pitch % 4 == 3 and note.recording.velocity != 90 for note in notes[:2])
    assert all(note.recording.pitch % 4 != 3 and note.recording.velocity == 90 for note in notes[2:])


def test_unpitched_sounds_are_held_out_by_velocity_alone() -> None:
    data = load_preset("dual").data
    (kit,) = [one for one in data.instruments if one.name == "standard-kit"]
    assert {note.kind for note in held_out_notes(kit, data, 2)} == {LAYER}


def test_keys_are_spread_over_the_range() -> None:
    assert spread([1, 2, 3, 4, 5], 1) == [3]
    assert spread([1, 2, 3, 4, 5], 3) == [1, 3, 5]
    assert spread([1, 2], 9) == [1, 2]


def test_means_leave_out_what_says_nothing() -> None:
    nan = float("nan")
    means = mean_measures([row(distance=1.0, phase=nan, cents=-4.0), row(distance=2.0, phase=0.8, cents=1200.0)])
    assert means["distance"] == 1.5
    assert means["phase"] == 0.8
    assert (means["in_tune"], means["well_in_tune"], means["pitch_heard"], means["notes"]) == (0.5, 0.5, 2, 2)
    deaf = mean_measures([row(cents=nan)])
    assert math.isnan(deaf["cents"]) and math.isnan(deaf["in_tune"])


def test_both_kinds_are_summed_up_apart_and_together() -> None:
    means = summarise(
        [row(distance=1.0), row(kind=LAYER, distance=3.0), row(instrument="kit", kind=LAYER, distance=5.0)]
    )
    table = means["mel+vocoder"]
    assert list(table) == [ALL, KEY, LAYER, SHARED]
    assert table[ALL][ALL]["distance"] == 3.0
    assert table[KEY] == {ALL: table[KEY]["reed"], "reed": table[KEY]["reed"]}
    assert table[LAYER]["kit"]["distance"] == 5.0


def test_an_expectation_holds_when_enough_of_the_error_goes() -> None:
    measured = {"mel_vocoder": {"distance": 1.0, "high_db": 10.0}, "dual_harmonic": {"distance": 0.7, "high_db": 7.0}}
    overall = verdict_on("dual against mel: overall", **measured)
    assert (overall.verdict, overall.measured) == (HOLDS, pytest.approx(0.3))
    high = verdict_on("dual against mel: high", **measured)
    assert (high.verdict, high.measured) == (FAILS, pytest.approx(0.3))
    assert "7 dB with dual+harmonic and 10 dB with mel+vocoder: 30 % less, 10 points short of the 40 %" in high.why


def test_phase_is_judged_by_what_is_missing_to_coherence() -> None:
    claim = "dual against mel: phase"
    better = verdict_on(claim, mel_vocoder={"phase": 0.6}, dual_harmonic={"phase": 0.7})
    assert (better.verdict, better.measured) == (HOLDS, pytest.approx(0.25))
    worse = verdict_on(claim, mel_vocoder={"phase": 0.6}, dual_harmonic={"phase": 0.5})
    assert worse.verdict == FAILS and "25 % more" in worse.why


def test_the_best_decoder_of_each_representation_is_judged() -> None:
    measured = {"mel_vocoder": 1.0, "mel_griffin-lim": 2.0, "dual_harmonic": 0.9}
    distances = {name: {"distance": value, "zimtohrli": value} for name, value in measured.items()}
    assert verdict_on("dual against mel: overall", **distances).measured == pytest.approx(0.1)


def test_two_sides_are_judged_on_the_notes_that_both_play() -> None:
    rows = [row("mel+vocoder", distance=1.0, zimtohrli=0.002)]
    rows += [row("mel+vocoder", instrument="kit", distance=9.0, zimtohrli=0.018)]
    rows += [row("dual+harmonic", distance=0.5, zimtohrli=0.001)]
    means = summarise(rows)
    paths = [replace(path_result(name, 1.0), means=means[name]) for name in means]
    overall = next(one for one in judge(paths, rows) if one.claim == "dual against mel: overall +25 %")
    assert overall.measured == pytest.approx(0.5)
    assert paths[0].overall["distance"] == 1.0
    assert paths[0].means[ALL][ALL]["distance"] == 5.0
    tables = all_tables(replace(comparison(), paths=paths))
    assert "as ears judge it: notes of the instruments that every path plays" in [one.title for one in tables]
    (by_instrument,) = [one for one in tables if one.title.endswith("by instrument")]
    assert by_instrument.rows == [["reed", "2.0", "1.0"], ["kit", "18.0", "-"]]


@pytest.mark.parametrize(("seconds", "verdict"), [(140.0, HOLDS), (160.0, FAILS), (float("nan"), UNKNOWN)])
def test_training_may_take_so_many_times_as_long(seconds: float, verdict: str) -> None:
    paths = [path_result("mel+vocoder", 1.0, training_s=100.0), path_result("dual+harmonic", 0.9, training_s=seconds)]
    (found,) = [one for one in judge(paths, []) if one.claim.startswith("dual trains")]
    assert found.verdict == verdict


def test_what_was_not_compared_is_not_judged() -> None:
    verdicts = judge([path_result(SAMPLER, 1.0), path_result("dual+harmonic", 0.9)], [])
    assert {one.verdict for one in verdicts} == {UNKNOWN}
    assert verdicts[0].why == "no path of mel was compared"


def test_the_frontier_is_what_nothing_cheaper_beats() -> None:
    cheap, good, poor = (path_result(f"mel+{name}", d) for name, d in (("cheap", 0.9), ("good", 0.5), ("poor", 0.95)))
    costs = {cheap.name: 1.0, poor.name: 2.0, good.name: 3.0}
    assert frontier([good, poor, cheap], costs) == [cheap, good]


def test_the_winner_plays_enough_voices() -> None:
    slow, fast, faster = (path_result(f"dual+{v}", d, v) for v, d in ((4, 0.1), (40, 0.5), (90, 0.6)))
    assert best_in_budget([slow, fast, faster]) == fast
    only_slow = replace(comparison(), paths=[slow])
    assert only_slow.winner == slow
    assert "none plays 32 voices" in winner_sentence(only_slow)
    assert winner_sentence(replace(comparison(), paths=[])) == "No path was compared."


def test_the_winner_is_held_against_the_sampler_on_every_instrument() -> None:
    def path(name: str, reed: float, kit: float) -> PathResult:
        rows = [row(name, zimtohrli=reed), row(name, instrument="kit", zimtohrli=kit)]
        route = None if name == SAMPLER else Route(*name.split("+"))
        return PathResult(name, route, summarise(rows)[name], speed=None if route is None else Speed(0.01, 1.0))

    both = replace(comparison(), paths=[path(SAMPLER, 1.0, 0.6), path("dual+harmonic", 0.5, 0.7)])
    assert sampler_sentence(both) == (
        "Against the sampler dual+harmonic takes 25 % off the Zimtohrli distance in the mean; "
        "better on 1 of 2 instruments, not on kit."
    )
    (table,) = [one for one in all_tables(both) if one.title == "against the sampler"]
    assert table.rows == [["dual+harmonic", "1 of 2", "kit"]]
    assert sampler_sentence(replace(comparison(), paths=[])) == ""


def test_a_path_sounds_like_opus_on_the_same_notes() -> None:
    def codecs(instrument: str, times: float) -> list[NoteRow]:
        distances = (0.012, 0.01, 0.008, 0.006, 0.004, 0.002, 0.001)
        return [
            row(name, instrument=instrument, zimtohrli=times * one)
            for name, one in zip(ANCHORS, distances, strict=True)
        ]

    rows = [*codecs("reed", 1.0), *codecs("kit", 100.0), row(zimtohrli=0.004)]
    means = summarise(rows)
    assert means["mel+vocoder"][ALL][ALL]["opus_kbps"] == pytest.approx(24.0)
    assert math.isnan(means[ANCHORS[0]][ALL][ALL]["opus_kbps"])
    (table,) = [
        one
        for one in all_tables(replace(comparison(), paths=[PathResult(SAMPLER, None, means["mel+vocoder"])]))
        if one.title == "as ears judge it: all held-out notes"
    ]
    assert dict(zip(table.header, table.rows[0], strict=True))["like Opus at kb/s"] == "24"


def test_attacks_are_summed_up_by_their_median_and_by_how_many_rise_alike() -> None:
    means = mean_measures([row(rise_ms=value) for value in (-9.0, 1.0, 2.0, float("nan"))])
    assert (means["rise_ms"], means["attacks"]) == (2.0, 3)
    assert means["rises_alike"] == pytest.approx(2 / 3)


def test_tables_say_which_representations_are_corrected() -> None:
    paths = [replace(path_result("mel+vocoder", 0.1), has_correction=True), path_result("dual+harmonic", 0.1)]
    table = all_tables(replace(comparison(), paths=[path_result(SAMPLER, 0.2), *paths]))[0]
    assert [cells[1] for cells in table.rows] == ["-", "yes", "no"]


def test_every_row_of_every_table_is_complete() -> None:
    tables = all_tables(comparison())
    notes = ["all held-out notes", "keys never recorded", "recorded keys at the held-out velocity"]
    wanted = [f"{judged}: {kind}" for judged in ("as ears judge it", "spectra and envelopes") for kind in notes]
    assert [one.title for one in tables][:6] == wanted
    for one in tables:
        assert one.rows
        assert {len(cells) for cells in one.rows} == {len(one.header)}, one.title
    assert [cells[0] for cells in tables[0].rows] == [SAMPLER, *ANCHORS, "mel+vocoder", "dual+harmonic"]


def test_the_files_are_complete_and_need_nothing_from_outside(tmp_path: Path) -> None:
    written = write_report(comparison(), tmp_path / "new" / "folder")
    assert [path.name for path in written] == [HTML_NAME, JSON_NAME, MARKDOWN_NAME, FRONTIER_NAME, "reed.png"]
    for picture in written[3:]:
        assert picture.read_bytes().startswith(b"\x89PNG")
    values = json.loads(written[1].read_text())
    assert set(values["paths"]) == {SAMPLER, *ANCHORS, "mel+vocoder", "dual+harmonic"}
    assert values["paths"]["dual+harmonic"]["speed"] == {"rtf": 0.01, "memory_mb": None, "voices": 100.0}
    assert values["paths"][SAMPLER]["costs"] is None
    assert len(values["notes"]) == 2 * len(values["paths"])
    assert set(Measures.names()) <= set(values["notes"][0])
    assert written[2].read_text().count("\n| --- |") == len(all_tables(comparison()))
    page = written[0].read_text()
    parser = Tags()
    parser.feed(page)
    assert parser.tags.count("img") == 2 and parser.tags.count("table") == len(all_tables(comparison()))
    assert parser.tags.count("audio") == 4  # recording, sampler and two paths
    assert all(source.startswith(("data:image/png;base64,", "data:audio/ogg;base64,")) for source in parser.sources)
    assert not re.search(r"https?://|@import|url\(", page)
    assert "script" not in parser.tags


def test_text_is_escaped_in_the_page(tmp_path: Path) -> None:
    odd = replace(comparison(), machine={"processor": "<b>fast</b> & cheap"})
    page = write_report(odd, tmp_path)[0].read_text()
    assert "&lt;b&gt;fast&lt;/b&gt; &amp; cheap" in page
