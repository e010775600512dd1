"""The museum with people in it, as processes of a simpy environment. `move` is the only place where anyone moves.

A party is one process: in by a door, through its queues, from room to room, out. Its people cross a portal one
behind the other. Near closing time stays are cut short; after it nobody starts another room.
"""

import hashlib
import math
from collections.abc import Callable, Generator, Sequence
from typing import Any

import numpy as np
import simpy

from flowmon.facts import Fact
from flowmon.names import OUTSIDE
from simulator.arrivals import Arrival
from simulator.day import Day
from simulator.desks import Desks
from simulator.layout import Layout
from simulator.scenario import Scenario
from simulator.truth import Carried, Crossed, Occupied, Truth
from simulator.visitors import Visit, plan

Process = Generator[simpy.Event, Any, None]
HEADWAY_S = 0.8  # mean time between two people of a party in a doorway
CLOSE_TOGETHER = 0.35  # how much that differs from party to party and door to door (log), so that misses hang together
WALK_M_S = 0.9


class World:
    """People, where they are, and the queues they stand in.

    occupancy: visitors in each zone now; with `outside` (minus everybody inside) it always sums to zero.
    carriers: the beacon of each visitor who took one, until both are outside; `carries` tells who still has it on them.
    salt: makes the beacons of this day unlike those of
    another. told: hears the truth. said: hears the desks.
    """

    def __init__(
        self,
        env: simpy.Environment,
        layout: Layout,
        scenario: Scenario,
        day: Day,
        rngs: Sequence[np.random.Generator],
        salt: str,
        told: Callable[[Truth], None],
        said: Callable[[Fact], None],
    ) -> None:
        self._env = env
        self._layout = layout
        self._scenario = scenario
        self._day = day
        self._plans, self._walks, service = rngs
        self._salt = salt
        self._told = told
        self._people = 0
        self._where: dict[int, str] = {}
        self.occupancy = dict.fromkeys((OUTSIDE, *layout.venue.zones), 0)
        self.carriers: dict[int, str] = {}
        self._forgets: dict[int, str] = {}
        self._forgot: set[int] = set()
        self._fewer = (day.at(scenario.beacon_drop[0]), scenario.beacon_drop[1]) if scenario.beacon_drop else None
        self._desks = {
            name: Desks(env, name, layout.venue.queues[name], scenario.service(name), rng, told, said)
            for name, rng in zip(layout.queues, service.spawn(len(layout.queues)), strict=True)
        }
        self._size = {name: _size([(x, y) for x, y in zone.outline]) for name, zone in layout.venue.zones.items()}

    def open(self, arrivals: Sequence[Arrival]) -> None:
        """Start the day: desks by schedule, parties at their times."""
        for desks in self._desks.values():
            self._env.process(desks.schedule(self._day))
        self._env.process(self._doors(arrivals))

    def _doors(self, arrivals: Sequence[Arrival]) -> Process:
        for arrival in arrivals:
            yield self._env.timeout(max(0.0, arrival.at - self._env.now))
            self._env.process(self._visit(arrival))

    def _visit(self, arrival: Arrival) -> Process:
        people = list(range(self._people, self._people + arrival.people))
        self._people += arrival.people
        visit = plan(arrival, self._layout, self._scenario, self._plans)
        self._hand_out(people, visit)
        early = float(self._walks.random())
        leave_by = self._day.closes - self._scenario.sweep_s * early + self._scenario.overstay_s * (1 - early)
        yield from self._cross(people, visit.door, OUTSIDE, self._layout.inside(visit.door))
        admitted = yield from self._admitted(people, visit)
        zone = self._where[people[0]]
        way_out = visit.way_out
        if admitted:
            zone = yield from self._rooms(people, visit, zone, leave_by)
        else:
            way_out = self._layout.nearest_door(zone)
        zone = yield from self._walk(people, zone, self._layout.inside(way_out))
        yield from self._cross(people, way_out, zone, OUTSIDE)

    def _hand_out(self, people: list[int], visit: Visit) -> None:
        """Beacons to some, or one to a party; and who will leave theirs in a room."""
        scenario, rng = self._scenario, self._plans
        share = scenario.beacon_share
        if self._fewer is not None and self._env.now >= self._fewer[0]:
            share = self._fewer[1]
        if factors := scenario.beacons_by_entrance:
            share *= factors[min(self._layout.entrances.index(visit.door), len(factors) - 1)]
        carriers = [person for person, draw in zip(people, rng.random(len(people)), strict=True) if draw < share]
        if len(people) > 1 and scenario.group_beacons and rng.random() < scenario.group_beacons:
            carriers = people[:1] if rng.random() < share else []
        for person in carriers:
            self.carriers[person] = token(self._salt, person)
            if scenario.beacons_left and visit.stops and rng.random() < scenario.beacons_left:
                self._forgets[person] = visit.stops[int(rng.integers(len(visit.stops)))].zone

    def carries(self, person: int) -> bool:
        """Whether a visitor has a beacon on them."""
        return person in self.carriers and person not in self._forgot

    def _admitted(self, people: list[int], visit: Visit) -> Generator[simpy.Event, Any, bool]:
        """Through the queues. Returns whether they were served everywhere; False: turned away."""
        zone = self._layout.inside(visit.door)
        for queue in visit.queues:
            zone = yield from self._walk(people, zone, self._layout.venue.queues[queue].zone)
            if not (yield self._desks[queue].join(people).done):
                return False
        return True

    def _rooms(self, people: list[int], visit: Visit, zone: str, leave_by: float) -> Generator[simpy.Event, Any, str]:
        for stop in visit.stops:
            if self._env.now >= leave_by:
                break
            zone = yield from self._walk(people, zone, stop.zone)
            yield self._env.timeout(max(0.0, min(stop.stay_s, leave_by - self._env.now)))
        return zone

    def _walk(self, people: list[int], zone: str, target: str) -> Generator[simpy.Event, Any, str]:
        while zone != target:
            portal, ahead = self._layout.step(zone, target, self._walks)
            yield self._env.timeout(self._size[zone] / WALK_M_S * float(self._walks.uniform(0.5, 1.5)))
            yield from self._cross(people, portal, zone, ahead)
            zone = ahead
        return zone

    def _cross(self, people: list[int], portal: str, left: str, entered: str) -> Process:
        headway = HEADWAY_S
        if len(people) > 1:
            headway *= math.exp(CLOSE_TOGETHER * float(self._walks.standard_normal()))
        for place, person in enumerate(people):
            if place:
                yield self._env.timeout(float(self._walks.exponential(headway)))
            self.move(person, portal, left, entered)

    def move(self, person: int, portal: str, left: str, entered: str) -> None:
        """One visitor goes through a portal: out of one zone, into the other, nowhere else."""
        now = self._env.now
        assert self._where.get(person, OUTSIDE) == left, "a person is in one place"
        if entered == OUTSIDE:
            del self._where[person]
        else:
            self._where[person] = entered
        self.occupancy[left] -= 1
        self.occupancy[entered] += 1
        self._told(Crossed(at=now, person=person, portal=portal, left=left, entered=entered))
        for zone in (left, entered):
            if zone != OUTSIDE:
                self._told(Occupied(at=now, zone=zone, people=self.occupancy[zone]))
        if self.carries(person):
            self._told(Carried(at=now, beacon=self.carriers[person], zone=entered))
            if entered == OUTSIDE:
                del self.carriers[person]
            elif self._forgets.get(person) == entered:
                self._forgot.add(person)


def token(salt: str, person: int) -> str:
    """The beacon of a visitor: already a token, so that the gateway keeps it and truth can name the same beacon."""
    return f"tok-{hashlib.sha256(f'{salt}|{person}'.encode()).hexdigest()[:20]}"


def _size(outline: list[tuple[float, float]]) -> float:
    """Square root of a polygon's area: about how far it is through a room, metres."""
    pairs = zip(outline, outline[1:] + outline[:1], strict=True)
    return math.sqrt(abs(sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in pairs)) / 2)
