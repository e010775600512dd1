"""What goes wrong with devices, as the scenario says. Devices ask; each beginning and end is told as a sentinel."""

from collections.abc import Callable, Generator, Iterator
from typing import Any

import numpy as np
import simpy
from msgspec import Struct

from flowmon.errors import FlowmonError
from flowmon.venue.model import Venue
from simulator.day import Day
from simulator.layout import Layout
from simulator.scenario import ALL, ANY_RECEIVER, BUSIEST, Fault, FaultKind, Scenario
from simulator.truth import Faulted, Truth


class Trouble(Struct, frozen=True):
    """A fault of the scenario with its device found and its times on the epoch."""

    kind: FaultKind
    device: str
    start: float
    end: float
    amount: float = 0.0
    forward: bool = True


class Faults:
    """All faults of a day. Raises FlowmonError when a fault names a device that the venue does not have.

    knocked: the knocks of the scenario happened on an earlier day. dice: draws the outages that nobody planned.
    """

    def __init__(
        self,
        scenario: Scenario,
        layout: Layout,
        day: Day,
        *,
        knocked: bool = False,
        dice: np.random.Generator | None = None,
    ) -> None:
        self._troubles: dict[str, list[Trouble]] = {}
        for fault in scenario.faults:
            start, end = day.at(fault.at), day.at(fault.until)
            if fault.kind == "knock":
                start, end = (day.start if knocked else start), day.end
            for device in _meant(fault, scenario, layout):
                trouble = Trouble(fault.kind, device, start, end, fault.amount, fault.direction == "forward")
                self._troubles.setdefault(device, []).append(trouble)
        errors = scenario.devices
        if dice is not None and errors.outages_week:
            for device in dict.fromkeys(counter.device or name for name, counter in layout.venue.counters.items()):
                for _ in range(int(dice.poisson(errors.outages_week / 7))):
                    start = float(dice.uniform(day.opens, day.closes))
                    end = start + float(dice.exponential(errors.outage_s))
                    self._troubles.setdefault(device, []).append(Trouble("dropout", device, start, end))

    def all(self) -> list[Trouble]:
        """Every fault of the day."""
        return [trouble for troubles in self._troubles.values() for trouble in troubles]

    def of(self, device: str, kind: FaultKind, now: float) -> Trouble | None:
        """The fault of that kind a device has now."""
        for trouble in self._troubles.get(device, ()):
            if trouble.kind == kind and trouble.start <= now < trouble.end:
                return trouble
        return None

    def woke(self, device: str, now: float, start: float) -> float | None:
        """When the last dropout since `start` ended; None when the device was up all the time from then till now."""
        ends = [
            trouble.end
            for trouble in self._troubles.get(device, ())
            if trouble.kind == "dropout" and start < trouble.end <= now
        ]
        return max(ends, default=None)

    def sentinels(self, env: simpy.Environment, told: Callable[[Truth], None]) -> Generator[simpy.Event, Any, None]:
        """The process that tells when faults begin and end."""
        moments = [
            (at, trouble, active)
            for trouble in self.all()
            for at, active in ((trouble.start, True), (trouble.end, False))
        ]
        for at, trouble, active in sorted(moments, key=lambda moment: moment[0]):
            if at > env.now:
                yield env.timeout(at - env.now)
            told(Faulted(at=at, device=trouble.device, kind=trouble.kind, active=active))


def _meant(fault: Fault, scenario: Scenario, layout: Layout) -> Iterator[str]:
    """The devices that a fault names."""
    venue, known = layout.venue, devices(layout.venue)
    if fault.device == ALL:
        yield from dict.fromkeys(counter.device or name for name, counter in venue.counters.items())
        return
    if fault.device == BUSIEST:
        device: str | None = layout.busiest()
    elif fault.device == ANY_RECEIVER:
        galleries = (n for n, r in venue.receivers.items() if venue.zones[r.zone].profile == "gallery")
        device = known.get(next(galleries, ""))
    else:
        device = known.get(fault.device)
    if device is None:
        raise FlowmonError(
            f"{scenario.name}: {venue.id} has no device {fault.device!r} for a {fault.kind}; "
            f"use {BUSIEST}, {ANY_RECEIVER}, {ALL} or one of {', '.join(known)}"
        )
    yield device


def devices(venue: Venue) -> dict[str, str]:
    """Device names by what a scenario may call them: their own name, or the id of a counter or receiver."""
    own = [(name, counter.device or name) for name, counter in venue.counters.items()]
    own += [(name, receiver.device or name) for name, receiver in venue.receivers.items()]
    return dict(own) | {device: device for _, device in own}
