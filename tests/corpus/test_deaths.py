"""Workers that are killed cost tries; a song that kills its workers is given up."""

from __future__ import annotations

from pathlib import Path

import pytest
from corpora import rows_of, write_songs
from deadly_song import KILLS_AT_S, render_song_with_a_fault

from tnca_synth.corpus import corpus
from tnca_synth.corpus.options import CorpusOptions
from tnca_synth.corpus.pool import MAX_DEATHS, Attempt


def reasons(places: list[float]) -> list[str]:
    """Return what is said after the death of a process at each of some places of a task."""
    attempt = Attempt("task")
    return [attempt.why_no_more(place) for place in places]


def test_deaths_at_various_places_are_no_fault_of_the_task() -> None:
    places = [1.0, 1.0, 2.0, 0.0, 0.0, 2.0, 2.0, 1.0, 0.0, 3.0]
    assert reasons(places) == [""] * len(places)


def test_deaths_at_one_place_are_its_fault() -> None:
    first, second, third = reasons([12.5] * 3)
    assert first == second == ""
    assert third == "its process died 3 times at the same place, 12.5 s after its beginning; killed for want of memory?"


def test_deaths_before_it_begins_are_borne_for_longer() -> None:
    said = reasons([0.0] * 8)
    assert said[:-1] == [""] * 7
    assert said[-1].startswith("its process died 8 times in a row")


def test_a_task_that_no_process_lives_long_enough_for_is_given_up() -> None:
    said = reasons([1.0 + place for place in range(MAX_DEATHS)])
    assert said[:-1] == [""] * (MAX_DEATHS - 1)
    assert said[-1] == f"its process was killed {MAX_DEATHS} times, each time at another place"


@pytest.mark.slow
def test_a_song_that_kills_its_workers_is_given_up_and_others_are_rendered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(corpus, "render_song_task", render_song_with_a_fault)
    songs = write_songs(tmp_path / "songs", 2, 2.0 * KILLS_AT_S)
    out = tmp_path / "out"
    state = corpus.render_corpus([songs], out, CorpusOptions())
    assert (state.done, state.failed) == (1, 1)
    ((source, reason),) = state.failures
    assert "song 1" in source
    assert reason.startswith("its process died 3 times at the same place, 2.")
    assert sorted(row["status"] for row in rows_of(out)) == ["done", "failed"]
    assert not list(out.glob("songs/*/.*"))
