"""The room graph as people walk it: which portal leads nearer to where they want to go, and where they get in and out.

Nobody walks through `outside` to get from room to room. Order follows the venue file, so nothing here is random.
"""

from collections import deque

import numpy as np

from flowmon.errors import FlowmonError
from flowmon.names import OUTSIDE
from flowmon.venue.model import Venue
from simulator.scenario import Scenario

Step = tuple[str, str]  # portal, the zone behind it


class Layout:
    """Ways through a venue. Raises FlowmonError when people could not get in, out, or to a queue."""

    def __init__(self, venue: Venue, scenario: Scenario) -> None:
        self.venue = venue
        self.steps: dict[str, list[Step]] = {zone: [] for zone in (*venue.zones, OUTSIDE)}
        for portal, value in venue.portals.items():
            a, b = value.between
            self.steps[a].append((portal, b))
            self.steps[b].append((portal, a))
        self._hops = {zone: self._distances(zone) for zone in self.steps}
        doors = [portal for portal, _ in self.steps[OUTSIDE]]
        if not doors:
            raise FlowmonError(f"{venue.id}: no portal leads outside, so nobody can come in; add one")
        self.queues = sorted(venue.queues, key=lambda q: self._hops[OUTSIDE].get(venue.queues[q].zone, 1_000_000))
        self.entrances = self._named(scenario.entrances, doors) or self._entrances(doors)
        others = [door for door in doors if door not in self.entrances]
        self.exits = self._named(scenario.exits, doors) or others or doors
        self.targets = [z for z in venue.zones if venue.zones[z].profile != "queue" and z in self._hops[OUTSIDE]]
        unreachable = [q for q in venue.queues if venue.queues[q].zone not in self._hops[OUTSIDE]]
        if unreachable:
            raise FlowmonError(f"{venue.id}: no way from outside to the queue {unreachable[0]}; add a portal")

    def inside(self, door: str) -> str:
        """The zone behind a portal to outside."""
        return next(zone for portal, zone in self.steps[OUTSIDE] if portal == door)

    def nearest_door(self, zone: str) -> str:
        """The portal to outside, of any kind, with the shortest way from a zone."""
        doors = [portal for portal, _ in self.steps[OUTSIDE]]
        return min(doors, key=lambda door: self.hops(zone, self.inside(door)))

    def hops(self, start: str, end: str) -> int:
        """Portals to pass from one zone to another; large when there is no way."""
        return self._hops[end].get(start, 1_000_000)

    def step(self, zone: str, target: str, rng: np.random.Generator) -> Step:
        """The next portal on a shortest way; equal ways are taken equally often."""
        ahead = self._hops[target]
        here = ahead[zone]
        nearer = [(p, z) for p, z in self.steps[zone] if z != OUTSIDE and ahead.get(z, here) < here]
        return nearer[0] if len(nearer) == 1 else nearer[int(rng.integers(len(nearer)))]

    def busiest(self) -> str:
        """The device of the counted interior portal on most shortest ways from the entrances to the rooms."""
        rng = np.random.default_rng(0)  # a fixed draw: the answer belongs to the venue, not to the day
        passed: dict[str, int] = {}
        for door in self.entrances:
            for target in self.targets * 8:
                zone = self.inside(door)
                while zone != target:
                    portal, zone = self.step(zone, target, rng)
                    passed[portal] = passed.get(portal, 0) + 1
        interior = [
            (passed.get(counter.portal, 0), counter.device or name)
            for name, counter in self.venue.counters.items()
            if OUTSIDE not in self.venue.portals[counter.portal].between
        ]
        if not interior:
            raise FlowmonError(f"{self.venue.id} has no interior counter: name the device of the fault")
        return max(interior, key=lambda pair: pair[0])[1]

    def _distances(self, target: str) -> dict[str, int]:
        """Hops of every zone to `target`; outside is an end of ways, never a part of them."""
        hops, ahead = {target: 0}, deque([target])
        while ahead:
            zone = ahead.popleft()
            if zone == OUTSIDE and target != OUTSIDE:
                continue
            for _, other in self.steps[zone]:
                if other not in hops:
                    hops[other] = hops[zone] + 1
                    ahead.append(other)
        return hops

    def _entrances(self, doors: list[str]) -> list[str]:
        """The doors nearest to the first queue; every door where there is no queue."""
        if not self.queues:
            return doors
        zone = self.venue.queues[self.queues[0]].zone
        hops = {door: self.hops(self.inside(door), zone) for door in doors}
        return [door for door in doors if hops[door] == min(hops.values())]

    @staticmethod
    def _named(names: list[str], doors: list[str]) -> list[str]:
        for name in names:
            if name not in doors:
                raise FlowmonError(f"{name!r} is no portal to outside: use one of {', '.join(doors)}")
        return names
