"""What stands in for what: by how a sound is made."""

from __future__ import annotations

import pytest

from tnca_synth.midi.spec.kinship import KIN, distance, kin_of

PIANO, VIBRAPHONE, ORGAN, BASS, VIOLIN, CELLO, TRUMPET, CLARINET, FLUTE, TOM = 0, 11, 19, 33, 40, 42, 56, 71, 73, 117


def nearest(program: int, *known: int) -> int:
    return min(known, key=lambda one: (distance(program, one), one))


def test_every_program_is_of_one_kind_and_kinds_name_each_other() -> None:
    programs = sorted(program for kin in KIN for program in kin.programs)
    assert programs == list(range(128))
    names = {kin.name for kin in KIN}
    assert all(kin.name not in kin.then and names.issuperset(kin.then) for kin in KIN)


def test_the_same_program_is_nearest_and_one_of_its_kind_next() -> None:
    for kin in KIN:
        for one in kin.programs:
            assert distance(one, one) == 0.0
            for other in range(128):
                assert (distance(one, other) < 1.0) == (other in kin.programs)


@pytest.mark.parametrize(
    ("program", "known", "expected"),
    [
        (46, (VIOLIN, PIANO), PIANO),  # a harp is plucked, though it stands among the strings
        (45, (VIOLIN, CELLO, PIANO), PIANO),  # pizzicato
        (47, (VIOLIN, TOM), TOM),  # timpani
        (6, (ORGAN, PIANO), PIANO),
        (24, (BASS, PIANO, VIOLIN), PIANO),  # a nylon guitar
        (105, (FLUTE, PIANO), PIANO),  # a banjo, among bagpipe and shanai
        (110, (PIANO, FLUTE, VIOLIN), VIOLIN),  # a fiddle
        (108, (VIBRAPHONE, FLUTE), VIBRAPHONE),  # a kalimba
        (109, (PIANO, CLARINET), CLARINET),  # a bagpipe
        (15, (VIBRAPHONE, PIANO), PIANO),  # a dulcimer's strings are struck
        (22, (ORGAN, VIOLIN, PIANO), ORGAN),  # a harmonica
        (60, (FLUTE, TRUMPET, VIOLIN), TRUMPET),
        (43, (VIOLIN, CELLO), CELLO),
        (85, (81, 52), 52),  # a lead that sings
    ],
)
def test_stand_ins_are_made_alike(program: int, known: tuple[int, ...], expected: int) -> None:
    assert nearest(program, *known) == expected


def test_nothing_that_is_struck_or_plucked_is_played_by_what_sounds_on() -> None:
    lasting = (ORGAN, VIOLIN, FLUTE, CLARINET, TRUMPET, 81, 91)
    for program in range(128):
        if kin_of(program).how == "struck":
            assert nearest(program, PIANO, *lasting) == PIANO


@pytest.mark.parametrize("program", [-1, 128])
def test_other_numbers_are_refused(program: int) -> None:
    with pytest.raises(ValueError, match="program"):
        distance(program, 0)
