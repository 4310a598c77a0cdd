"""A bank that the tests of exporting share."""

from pathlib import Path

import pytest
import tiny


@pytest.fixture
def bank_folder(tmp_path: Path) -> Path:
    """Return a folder with a whole bank, free to be damaged."""
    return tiny.write_tiny_bank(tmp_path / "bank")
