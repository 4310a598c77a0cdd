"""MPE zones: how two of them share the channels, and what a member has of its master."""

from __future__ import annotations

from itertools import product

import pytest

from tnca_synth.midi import Interpreter
from tnca_synth.midi.messages import RPN_MPE, channel_pressure, control_change, registered_parameter
from tnca_synth.midi.spec.mpe import LOWER_MASTER, UPPER_MASTER, MpeZones


@pytest.mark.parametrize("first", [LOWER_MASTER, UPPER_MASTER])
def test_the_later_zone_gets_what_it_asks_for_and_the_other_what_is_left(first: int) -> None:
    second = LOWER_MASTER + UPPER_MASTER - first
    for earlier, later in product(range(16), repeat=2):
        zones = MpeZones()
        zones.configure(first, earlier)
        zones.configure(second, later)
        assert len(zones.members(second)) == later
        left = 14 - later if later else earlier  # 16 channels without both masters
        assert len(zones.members(first)) == max(min(earlier, left), 0)
        assert not set(zones.members(first)) & {*zones.members(second), second} or not later


def zone(interpreter: Interpreter) -> None:
    for message in registered_parameter(0, RPN_MPE, 4 << 7):
        interpreter.handle(message)


@pytest.mark.parametrize(("member", "master"), [(40, 90), (90, 40), (127, 127), (0, 70)])
def test_the_pressure_of_a_member_is_the_larger_of_its_own_and_its_masters(member: int, master: int) -> None:
    interpreter = Interpreter()
    zone(interpreter)
    interpreter.handle(channel_pressure(1, member))
    interpreter.handle(channel_pressure(0, master))
    pressures = [interpreter.expression(channel).pressure for channel in (0, 1, 2, 5)]
    assert pressures == pytest.approx([master / 127, max(member, master) / 127, master / 127, 0.0])


@pytest.mark.parametrize(
    ("member", "master", "both"), [(96, 80, 48 / 63), (32, 96, 0.0), (127, 127, 1.0), (0, 0, -1.0)]
)
def test_the_brightness_of_a_member_and_its_master_add_up_within_bounds(member: int, master: int, both: float) -> None:
    interpreter = Interpreter()
    zone(interpreter)
    interpreter.handle(control_change(1, 74, member))
    interpreter.handle(control_change(0, 74, master))
    assert interpreter.expression(1).brightness == pytest.approx(both, abs=0.01)
