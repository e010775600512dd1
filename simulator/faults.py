"""What goes wrong with devices, as the scenario says. Devices ask; each beginning and end is told as a sentinel."""

from collections.abc import Callable, Generator
from typing import Any

import simpy
from msgspec import Struct

from flowmon.errors import FlowmonError
from flowmon.venue.model import Venue
from simulator.day import Day
from simulator.layout import Layout
from simulator.scenario import BUSIEST, FaultKind, Scenario
from simulator.truth import Faulted, Truth


class Trouble(Struct, frozen=True):
    """A fault of the scenario with its device found and its times on the epoch."""

    kind: FaultKind
    device: str
    start: float
    end: float
    amount: float
    forward: bool


class Faults:
    """All faults of a day. Raises FlowmonError when a fault names a device that the venue does not have."""

    def __init__(self, scenario: Scenario, layout: Layout, day: Day) -> None:
        self._troubles: dict[str, list[Trouble]] = {}
        known = devices(layout.venue)
        for fault in scenario.faults:
            device = layout.busiest() if fault.device == BUSIEST else known.get(fault.device)
            if device is None:
                raise FlowmonError(
                    f"{scenario.name}: {layout.venue.id} has no device {fault.device!r} for a {fault.kind}; "
                    f"use {BUSIEST} or one of {', '.join(known)}"
                )
            start, end = day.at(fault.at), day.at(fault.until)
            trouble = Trouble(fault.kind, device, start, end, fault.amount, fault.direction == "forward")
            self._troubles.setdefault(device, []).append(trouble)

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
            for troubles in self._troubles.values()
            for trouble in troubles
            for at, active in ((trouble.start, True), (trouble.end, False))
        ]
        for at, trouble, active in sorted(moments, key=lambda moment: moment[0]):
            if at > env.now:
                yield env.timeout(at - env.now)
            told(Faulted(at=at, device=trouble.device, kind=trouble.kind, active=active))


def devices(venue: Venue) -> dict[str, str]:
    """Device names by what a scenario may call them: their own name, or the id of a counter or receiver."""
    own = [(name, counter.device or name) for name, counter in venue.counters.items()]
    own += [(name, receiver.device or name) for name, receiver in venue.receivers.items()]
    return dict(own) | {device: device for _, device in own}
