"""The clock of the shells. The core never sees it: it is told the time by `Tick` facts.

A demo or replay runs on a shifted and accelerated clock; everything in one process shares that one object.
"""

import time


class Clock:
    """Wall time, optionally started elsewhere and run faster.

    start: seconds since the epoch at which the clock starts (default: now). rate: clock seconds per second.
    """

    def __init__(self, start: float | None = None, rate: float = 1.0) -> None:
        wall = time.time()  # noqa: TID251 -- the one place that reads the wall clock
        self._origin = wall if start is None else start
        self._began = time.monotonic()
        self.rate = rate

    def now(self) -> float:
        """Seconds since the epoch, UTC. Never runs backwards."""
        return self._origin + (time.monotonic() - self._began) * self.rate
