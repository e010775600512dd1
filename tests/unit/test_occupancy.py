"""What the monitor tells the filter of its counters."""

import pytest

from flowmon.monitor.crossings import Crossing
from flowmon.monitor.occupancy import Occupancy
from tests.small import T0, venue


def test_a_counter_that_no_longer_lies_has_its_gain_back() -> None:
    occupancy = Occupancy(venue())
    through = Crossing(T0, "ctr-door", 1, 5, 0, late=False)
    occupancy.wait(through)
    occupancy.close([through], set(), T0, 1.0)
    before = occupancy.gain("ctr-door")
    for second in range(1, 4):
        occupancy.close([], set(), T0 + second, 1.0, lying={"ctr-door"})
    assert occupancy.gain("ctr-door")[2] > 2 * before[2]
    occupancy.close([], set(), T0 + 4, 1.0)
    assert occupancy.gain("ctr-door") == pytest.approx(before, abs=1e-5)
