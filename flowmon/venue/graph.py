"""A venue as a graph: zones joined by portals, watched by counters. `outside` is a zone like the others."""

from collections import deque

import numpy as np
from numpy.typing import NDArray

from flowmon.names import OUTSIDE
from flowmon.venue.model import Portal, Venue
from flowmon.venue.outline import area, contains, self_intersects

__all__ = ["Graph", "area", "contains", "other_side", "self_intersects"]


def other_side(portal: Portal, zone: str) -> str:
    """Where a portal leads from `zone`."""
    first, second = portal.between
    return second if zone == first else first


class Graph:
    """Who is next to whom. Portals and counters whose zones are unknown are left out, as the audit names them.

    zones: the file's order, then `outside`. index: zone to its place in `zones` (a row of the arrays below).
    portals: portal to the two zones it joins. areas: zone to m2 (`outside` has none).
    """

    def __init__(self, venue: Venue) -> None:
        self.zones: tuple[str, ...] = (*venue.zones, OUTSIDE)
        self.index = {zone: row for row, zone in enumerate(self.zones)}
        self.portals = {
            name: portal.between
            for name, portal in venue.portals.items()
            if all(end in self.index for end in portal.between)
        }
        self.counters = {
            name: counter
            for name, counter in venue.counters.items()
            if counter.towards in self.portals.get(counter.portal, ())
        }
        self.areas = {name: area(zone.outline) for name, zone in venue.zones.items()}
        self._neighbours: dict[str, list[str]] = {zone: [] for zone in self.zones}
        for one, two in self.portals.values():
            for origin, destination in ((one, two), (two, one)):
                if destination not in self._neighbours[origin] and one != two:
                    self._neighbours[origin].append(destination)

    def neighbours(self, zone: str) -> list[str]:
        """Zones one portal away, each once, in the order of the portals; empty for an unknown zone."""
        return list(self._neighbours.get(zone, ()))

    def portals_between(self, one: str, two: str) -> list[str]:
        """Portals that join two zones, in the file's order."""
        return [name for name, ends in self.portals.items() if set(ends) == {one, two}]

    def adjacency(self) -> NDArray[np.int8]:
        """(zones, zones), 1 where a portal joins them; symmetric, zero on the diagonal."""
        result = np.zeros((len(self.zones), len(self.zones)), dtype=np.int8)
        for zone in self.zones:
            for other in self._neighbours[zone]:
                result[self.index[zone], self.index[other]] = 1
        return result

    def incidence(self) -> NDArray[np.int8]:
        """(zones, counters): what one `forward` crossing does, +1 in the zone it enters and -1 in the other.

        Columns are in the order of `counters` and sum to zero: people are conserved, `outside` included.
        """
        result = np.zeros((len(self.zones), len(self.counters)), dtype=np.int8)
        for column, counter in enumerate(self.counters.values()):
            one, two = self.portals[counter.portal]
            result[self.index[counter.towards], column] += 1
            result[self.index[one if counter.towards == two else two], column] -= 1
        return result

    def portal_incidence(self) -> NDArray[np.int8]:
        """(zones, portals): -1 in the first and +1 in the second zone of `between`, in the order of `portals`."""
        result = np.zeros((len(self.zones), len(self.portals)), dtype=np.int8)
        for column, (one, two) in enumerate(self.portals.values()):
            result[self.index[one], column] -= 1
            result[self.index[two], column] += 1
        return result

    def path(self, origin: str, destination: str) -> list[str] | None:
        """Zones from `origin` to `destination`, both included, through the fewest portals; None when there is none.

        Never passes through `outside` on the way: nobody leaves the building to reach the next room.
        """
        before: dict[str, str] = {origin: origin}
        waiting = deque([origin] if origin in self.index else [])
        while waiting:
            zone = waiting.popleft()
            if zone == destination:
                return _trace(before, destination)
            if zone == OUTSIDE and zone != origin:
                continue
            for neighbour in self._neighbours[zone]:
                if neighbour not in before:
                    before[neighbour] = zone
                    waiting.append(neighbour)
        return None

    def reachable(self, origin: str) -> set[str]:
        """Zones one can walk to from `origin`, itself included."""
        found, waiting = {origin}, [origin]
        while waiting:
            for neighbour in self._neighbours.get(waiting.pop(), ()):
                if neighbour not in found:
                    found.add(neighbour)
                    waiting.append(neighbour)
        return found


def _trace(before: dict[str, str], destination: str) -> list[str]:
    path = [destination]
    while before[path[-1]] != path[-1]:
        path.append(before[path[-1]])
    return path[::-1]
