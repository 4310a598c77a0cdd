"""The shipped bank sounds as it did when the golden renders were made; see `tests/support/goldens.py`."""

from __future__ import annotations

import goldens
import numpy as np
import pytest

pytestmark = pytest.mark.slow

MOST_BYTES = 3_000_000


@pytest.mark.parametrize("golden", goldens.goldens(), ids=lambda golden: golden.name)
def test_the_sound_is_that_of_the_reference(golden: goldens.Golden) -> None:
    assert golden.nearness_db(golden.render()) >= golden.least_db


def test_every_reference_sounds_and_all_are_small() -> None:
    assert sum(golden.file.stat().st_size for golden in goldens.goldens()) < MOST_BYTES
    assert all(np.abs(golden.stored()).max() > 0.01 for golden in goldens.goldens())
    assert {golden.file for golden in goldens.goldens()} == set(goldens.FOLDER.glob("*.flac"))


def test_a_difference_of_a_thousandth_shows() -> None:
    reference = goldens.goldens()[0].stored()
    assert goldens.snr_db(reference, reference * np.float32(1.001)) == pytest.approx(60.0, abs=0.1)
    assert goldens.snr_db(reference, reference) == float("inf")
    assert goldens.snr_db(reference, reference[:-1]) == -float("inf")
