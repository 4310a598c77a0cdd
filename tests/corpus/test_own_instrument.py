"""An instrument of one's own plays a corpus, and leaves as samples for any sampler."""

from __future__ import annotations

from pathlib import Path

import pytest
import soundfile
import tiny
from corpora import facts_of, rows_of, write_songs

from tnca_synth.corpus.corpus import render_corpus
from tnca_synth.corpus.options import CorpusOptions
from tnca_synth.corpus.samples.library import render_library
from tnca_synth.training.learning import plan
from tnca_synth.training.learning.learn import learn
from tnca_synth.training.learning.plan import Speed

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the file of an instrument that was learned in moments from three notes of a reed."""
    folder = tmp_path_factory.mktemp("own") / "my-reed"
    folder.mkdir()
    for key in (57, 60, 64):
        soundfile.write(folder / f"reed_m{key:03d}.wav", tiny.recording(tiny.REED, key, 100, 1.0).audio, 8000)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(plan.SPEEDS, "fit", Speed("quick", iterations=2, with_all=1, look_every=1, patience=9))
        learn(folder, folder.with_suffix(".tnca"))
    return folder.with_suffix(".tnca")


def test_it_plays_a_corpus(tmp_path: Path, own: Path) -> None:
    songs = write_songs(tmp_path / "songs", 1)
    render_corpus([songs], tmp_path / "out", CorpusOptions(instrument=str(own)))
    (row,) = rows_of(tmp_path / "out")
    assert (row["status"], row["instruments"]) == ("done", ["my-reed"])
    assert [note["instrument"] for note in facts_of(tmp_path / "out", row)["played"]] == ["my-reed"]


def test_it_leaves_as_samples(tmp_path: Path, own: Path) -> None:
    library = render_library(str(own), tmp_path / "lib", keys=(60, 60), layers=1)
    assert library.sfz.name == "my-reed.sfz"
    (sample,) = library.samples
    assert sample.level_db > -60
