"""Tickets sold for slots to come: how many people are booked to arrive between two times.

Arrivals are spread evenly over a slot. The latest word on a slot replaces the one before, whatever order they come in.
Slots are kept from an hour before they are needed no more; beyond a thousand, the farthest ahead is forgotten, since
it will be told again before it matters.
"""

import math
from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from flowmon.facts import Booked

WINDOW_S = 3_600.0
KEPT_S = 2 * WINDOW_S
SLOTS_MAX = 1_000
SLOT_MAX_S = 86_400.0
PEOPLE_MAX = 100_000
TIME_MAX = 1e11  # seconds; later is a broken clock


class Slot(Struct, frozen=True, array_like=True):
    """What a ticket office (`source`) said at `at`: `people` are booked from `start` to `end`."""

    source: str
    start: float
    end: float
    people: int
    at: float
    seq: int


class Bookings:
    """The booked slots of one venue."""

    def __init__(self, slots: Sequence[Slot] = ()) -> None:
        self._slots = {(slot.source, slot.start, slot.end): slot for slot in slots}
        self._table: NDArray[np.float64] | None = None

    @property
    def slots(self) -> list[Slot]:
        """Everything remembered, in one order whatever the order of arrival."""
        return [self._slots[key] for key in sorted(self._slots)]

    def learn(self, fact: Booked, now: float) -> str:
        """Tickets were sold. Returns why this cannot be, or nothing."""
        if not (0.0 <= fact.start < fact.end < TIME_MAX and fact.end - fact.start <= SLOT_MAX_S):
            return f"a slot from {fact.start:.0f} to {fact.end:.0f} is not possible: give start and end within a day"
        if not 0 <= fact.people <= PEOPLE_MAX or not math.isfinite(fact.at):
            return f"{fact.people} people booked for one slot are not possible: check the ticket office"
        self._slots = {key: slot for key, slot in self._slots.items() if slot.end > now - KEPT_S}
        key = (fact.source, fact.start, fact.end)
        told = Slot(fact.source, fact.start, fact.end, fact.people, fact.at, fact.seq)
        known = self._slots.get(key)
        if known is None or (told.at, told.seq, told.people) > (known.at, known.seq, known.people):
            self._slots[key] = told
        if len(self._slots) > SLOTS_MAX:
            del self._slots[max(self._slots, key=lambda each: (each[2], each))]
        self._table = None
        return ""

    def between(self, start: float, end: float) -> float:
        """People booked to arrive from `start` to `end`.

        >>> bookings = Bookings([Slot("desk", 3600.0, 5400.0, 40, 0.0, 0)])
        >>> bookings.between(3600.0, 4500.0), bookings.between(0.0, 1800.0)
        (20.0, 0.0)
        """
        if not self._slots:
            return 0.0
        if self._table is None:
            rows = [(slot.start, slot.end, slot.people / (slot.end - slot.start)) for slot in self.slots]
            self._table = np.array(rows).T
        begins, ends, rate = self._table
        return float((np.maximum(np.minimum(ends, end) - np.maximum(begins, start), 0.0) * rate).sum())

    def plan(self, at: float, horizons: Sequence[int]) -> list[list[float]]:
        """People booked for the hour up to `at`, and up to each of the `horizons` (seconds) later; one column."""
        return [[self.between(at + ahead - WINDOW_S, at + ahead)] for ahead in (0, *horizons)]
