"""Which recording a key is heard from."""

from __future__ import annotations

import numpy as np
import pytest

from tnca_synth.engine.keys.zones import KeyZones


def takes(*groups: tuple[int, ...]) -> KeyZones:
    """Return takes of recorded keys, one group for each recording."""
    keys = np.array([key for group in groups for key in group])
    return KeyZones(keys, np.array([7 + number for number, group in enumerate(groups) for _ in group]))


def root_key(of: KeyZones, key: float, without_own: bool = False) -> int:
    return int(of.keys[of.root_key(key, without_own)])


def test_a_recorded_key_is_heard_from_itself() -> None:
    two = takes((60, 61, 62), (64, 65))
    assert [root_key(two, key) for key in two.keys] == two.keys.tolist()


def test_a_key_within_a_recording_is_heard_from_the_nearest() -> None:
    one = takes((60, 61, 62, 66, 67))
    assert root_key(one, 63) == 62
    assert root_key(one, 65) == 66
    assert root_key(one, 64) == 66  # of two equally near, the higher


@pytest.mark.parametrize(
    ("groups", "heard"),
    [
        (((60, 61, 62), (64, 65)), 64),  # the one that serves fewer keys reaches further
        (((61, 62), (64, 65, 66)), 62),
        (((60, 61, 62), (64, 65, 66)), 64),  # as many: the higher one
        (((62,), (64,)), 64),
    ],
)
def test_a_key_between_two_recordings_falls_to_the_one_that_serves_fewer(
    groups: tuple[tuple[int, ...], ...], heard: int
) -> None:
    both = takes(*groups)
    assert root_key(both, 63) == heard


def test_beyond_the_recorded_keys_the_last_one_lends() -> None:
    two = takes((60, 61), (64, 65))
    assert root_key(two, 30) == 60
    assert root_key(two, 99) == 65


def test_without_its_own_recording_a_key_borrows_from_its_neighbours() -> None:
    two = takes((60, 61, 62), (64, 65))
    assert root_key(two, 61, without_own=True) == 62
    assert root_key(two, 60, without_own=True) == 61
    assert root_key(two, 65, without_own=True) == 64
    assert root_key(takes((60,)), 60, without_own=True) == 60


@pytest.mark.parametrize(
    ("groups", "key", "heard"),
    [
        # Three keys for each recording; the lowest one serves all keys below its own, too.
        (((36, 37, 38), (40, 41, 42), (44, 45), (46, 48), (49, 50)), 39, 38),
        (((36, 37, 38), (40, 41, 42), (44, 45), (46, 48), (49, 50)), 43, 44),
        (((48, 49, 50), (52, 53), (54,), (56, 57), (58,), (60, 61)), 51, 50),
        (((48, 49, 50), (52, 53), (54,), (56, 57), (58,), (60, 61)), 55, 54),
        # No two alike: the rule of the fewer.
        (((40, 41, 42), (44, 45, 46, 48, 49, 50), (52, 53), (54,), (56, 57, 58, 60)), 43, 42),
        # Several keys missing: those that fill a zone up go there.
        (((36, 37), (38, 39, 40), (42,), (44, 45, 46), (47, 48, 49), (50,)), 41, 42),
    ],
)
def test_where_recordings_serve_equally_many_keys_a_key_goes_where_it_makes_that_true(
    groups: tuple[tuple[int, ...], ...], key: int, heard: int
) -> None:
    assert root_key(takes(*groups), key) == heard


def test_of_several_keys_between_two_zones_each_gets_what_it_lacks() -> None:
    regular = takes((36, 37), (38, 39, 40), (41,), (44, 45, 46), (47, 48, 49), (50,))
    assert [root_key(regular, key) for key in (42, 43)] == [41, 41]
    even = takes((36,), (40, 41), (44, 45), (48, 49), (52,))
    assert [root_key(even, key) for key in (38, 39, 42, 43, 46, 47)] == [36, 40, 41, 44, 45, 48]
