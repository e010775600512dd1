"""The clock of the shells. The core never sees it: it is told the time by `Tick` facts.

A demo or replay runs on a shifted and accelerated clock; everything in one process shares that one object.
"""

import time
from collections.abc import Callable


class Clock:
    """Wall time, optionally started elsewhere and run faster.

    start: seconds since the epoch at which the clock starts; without it and at rate 1 the clock follows the machine's,
    steps and all, but goes at half speed instead of backwards. rate: clock seconds per second.
    wall, steady: where time comes from.
    """

    def __init__(
        self,
        start: float | None = None,
        rate: float = 1.0,
        *,
        wall: Callable[[], float] = time.time,  # noqa: TID251 -- the one place that reads the wall clock
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self.rate = rate
        self._follows = start is None and rate == 1.0
        self._wall, self._steady = wall, steady
        self._last = wall() if start is None else start
        self._read = steady()

    def now(self) -> float:
        """Seconds since the epoch, UTC. Never runs backwards."""
        read = self._steady()
        elapsed, self._read = read - self._read, read
        if self._follows:
            self._last = max(self._wall(), self._last + 0.5 * elapsed)
        else:
            self._last += elapsed * self.rate
        return self._last
