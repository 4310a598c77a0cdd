"""The notebooks run from top to bottom, show what they promise, and are stored without output."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode

pytestmark = pytest.mark.slow

OWN = "own_instrument"
NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
ITERATIONS = 8
ENVIRONMENT = {
    "TNCA_NOTEBOOK_ITERATIONS": str(ITERATIONS),
    "JUPYTER_PLATFORM_DIRS": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}


@cache
def stored(path: Path) -> NotebookNode:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    return notebook


def outputs(notebook: NotebookNode) -> list[NotebookNode]:
    return [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]


def shown(notebook: NotebookNode, kind: str) -> list[str]:
    return [output.data[kind] for output in outputs(notebook) if kind in output.get("data", {})]


def test_all_notebooks_are_there() -> None:
    assert [path.stem for path in NOTEBOOKS] == ["conservative", "dual_spectrogram", OWN]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_no_output_is_stored(path: Path) -> None:
    assert outputs(stored(path)) == []
    assert all(cell.execution_count is None for cell in stored(path).cells if cell.cell_type == "code")
    assert [cell.id for cell in stored(path).cells] == [f"cell-{n:02d}" for n in range(len(stored(path).cells))]


def executed(path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[NotebookNode, str]:
    """Run a notebook; return it, and what it printed."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    for name in ("TNCA_NOTEBOOK_NOTE", "TNCA_NOTEBOOK_FOLDER"):
        monkeypatch.delenv(name, raising=False)
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(path.parent)}}).execute()
    texts = "".join(output.text for output in outputs(notebook) if output.output_type == "stream")
    return notebook, texts


def test_a_recorded_note_becomes_an_instrument(monkeypatch: pytest.MonkeyPatch) -> None:
    notebook, texts = executed(next(path for path in NOTEBOOKS if path.stem == OWN), monkeypatch)
    assert "distance" in texts and "nearest in the bank: violin" in texts
    assert any("A4" in html for html in shown(notebook, "text/html"))
    assert len(shown(notebook, "image/png")) == 1
    assert sum("<audio" in html for html in shown(notebook, "text/html")) == 2


@pytest.mark.parametrize("path", [path for path in NOTEBOOKS if path.stem != OWN], ids=lambda path: path.stem)
def test_it_runs_from_top_to_bottom(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    notebook, texts = executed(path, monkeypatch)
    assert "key 69" in texts and "mel level error" in texts and "distance" in texts
    assert [output for output in outputs(notebook) if output.get("name") == "stderr"] == []
    assert len(shown(notebook, "image/png")) >= 4
    assert sum("<audio" in html for html in shown(notebook, "text/html")) == 3
