"""When a record of a replay is due, and the same record at another time. Pure."""

import math

import msgspec

from flowmon.facts import Fact, Record

#: Fields of facts that are points in time; 0 means that they are not told.
_TIMES = ("at", "seen", "start", "end", "expires", "until")


class Pace:
    """Wall seconds from record times. rate: recorded seconds a second (inf: no waiting). max_gap: a longer
    silence is shortened to that many recorded seconds. Time that runs backwards costs nothing.
    """

    def __init__(self, rate: float, max_gap: float = math.inf) -> None:
        self._rate = rate
        self._max_gap = max_gap
        self._last: float | None = None
        self._due = 0.0

    def due(self, at: float) -> float:
        """Seconds after the beginning at which a record of time `at` is due; never falls."""
        if self._last is not None:
            self._due += min(max(at - self._last, 0.0), self._max_gap) / self._rate
        self._last = at
        return self._due


def replayed(record: Record, shift_s: float) -> Record:
    """The record moved in time and marked simulated: what is replayed into a system is not happening there."""
    return [_replayed(fact, shift_s) for fact in record]


def _replayed(fact: Fact, shift_s: float) -> Fact:
    times = {name: getattr(fact, name, 0.0) for name in _TIMES}
    moved = {name: at + shift_s for name, at in times.items() if at}
    return msgspec.structs.replace(fact, simulated=True, **moved)
