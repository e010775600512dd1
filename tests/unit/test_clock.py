"""The clock of the shells, on made-up time."""

import pytest

from flowmon.clock import Clock


class Machine:
    """A machine's two clocks."""

    def __init__(self) -> None:
        self.wall, self.steady = 1_000.0, 50.0

    def clock(self, start: float | None = None, rate: float = 1.0) -> Clock:
        return Clock(start, rate, wall=lambda: self.wall, steady=lambda: self.steady)

    def passes(self, seconds: float, step: float = 0.0) -> None:
        self.steady += seconds
        self.wall += seconds + step


def test_it_follows_a_step_forward_and_never_runs_back() -> None:
    machine = Machine()
    clock = machine.clock()
    machine.passes(10, step=3_600)
    assert clock.now() == 4_610
    machine.passes(10, step=-30)
    assert clock.now() == 4_615
    machine.passes(100)
    assert clock.now() == machine.wall


@pytest.mark.parametrize("rate", [0.5, 1.0, 60.0])
def test_a_clock_started_elsewhere_keeps_its_own_time(rate: float) -> None:
    machine = Machine()
    clock = machine.clock(5.0, rate)
    machine.passes(10, step=999)
    assert clock.now() == 5.0 + 10 * rate
