"""What is kept is found, and never more than was allowed."""

from __future__ import annotations

from tnca_synth.engine.cache import BoundedCache


def test_a_kept_value_is_found_until_too_many_are_kept() -> None:
    memo: BoundedCache[int, str] = BoundedCache(3)
    for number in range(3):
        assert memo.keep(number, str(number)) == str(number)
    assert [memo.get(number) for number in range(4)] == ["0", "1", "2", None]
    memo.keep(3, "3")
    assert [memo.get(number) for number in range(4)] == [None, None, None, "3"]


def test_it_stays_small() -> None:
    memo: BoundedCache[int, int] = BoundedCache(5)
    for number in range(100):
        memo.keep(number, number)
        assert 1 <= len(memo) <= 5
