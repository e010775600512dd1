"""From a device to the broker: a little late, in order per device, unless a fault duplicates or reorders.

Everything that leaves the simulation goes through here and comes out in order of arrival.
"""

import heapq
from collections.abc import Iterator

import numpy as np
import simpy
from msgspec import Struct, structs

from flowmon.facts import Fact
from simulator.faults import Faults
from simulator.scenario import DeviceErrors
from simulator.truth import Truth


class Event(Struct, frozen=True, gc=False):
    """One thing in the stream, and when it arrives: a fact (`seen` is that time), or a truth."""

    at: float
    fact: Fact | None = None
    truth: Truth | None = None


class Network:
    """Holds what is under way."""

    def __init__(self, env: simpy.Environment, errors: DeviceErrors, faults: Faults, rng: np.random.Generator) -> None:
        self._env = env
        self._latency_s = errors.latency_s
        self._faults = faults
        self._rng = rng
        self._last: dict[str, float] = {}
        self._under_way: list[tuple[float, int, Event]] = []
        self._count = 0

    def told(self, truth: Truth) -> None:
        """Truth arrives at once."""
        self._put(Event(self._env.now, truth=truth))

    def send(self, device: str, fact: Fact) -> None:
        """A device sends a fact now."""
        now = self._env.now
        at = now + float(self._rng.exponential(1.0)) * self._latency_s
        held = self._faults.of(device, "late", now)
        if held is not None:
            at += held.amount
        mixed = self._faults.of(device, "reorder", now)
        if mixed is not None:
            at += mixed.amount * float(self._rng.random())
        else:
            at = self._last[device] = max(at, self._last.get(device, at))
        self.arrive(at, fact)
        twice = self._faults.of(device, "duplicates", now)
        if twice is not None and self._rng.random() < twice.amount:
            self.arrive(at + float(self._rng.exponential(0.5)), fact)

    def arrive(self, at: float, fact: Fact) -> None:
        """A fact arrives at `at`, not before now."""
        self._put(Event(at, fact=structs.replace(fact, seen=at)))

    def latencies(self, count: int) -> list[float]:
        """Draws of the time from a device to the broker, seconds."""
        return list((self._rng.exponential(1.0, count) * self._latency_s).tolist())

    def due(self) -> Iterator[Event]:
        """What has arrived by now, in order."""
        while self._under_way and self._under_way[0][0] <= self._env.now:
            yield heapq.heappop(self._under_way)[2]

    def rest(self) -> Iterator[Event]:
        """What is still under way, in order: for the end of the day."""
        while self._under_way:
            yield heapq.heappop(self._under_way)[2]

    def _put(self, event: Event) -> None:
        self._count += 1  # equal times leave in the order they came
        heapq.heappush(self._under_way, (event.at, self._count, event))
