"""What a party means to do: which queues it needs, which rooms it wants to see and for how long. A pure draw."""

import math

import numpy as np
from msgspec import Struct

from flowmon.names import OUTSIDE
from simulator.arrivals import Arrival
from simulator.layout import Layout
from simulator.scenario import Scenario


class Stop(Struct, frozen=True):
    """A zone to go to, and how long to stay in it, seconds."""

    zone: str
    stay_s: float


class Visit(Struct, frozen=True):
    """A plan: in by `door`, through `queues`, to each of `stops` in order, out by `way_out`."""

    door: str
    queues: list[str]
    stops: list[Stop]
    way_out: str


def plan(arrival: Arrival, layout: Layout, scenario: Scenario, rng: np.random.Generator) -> Visit:
    """One party's day. Coaches hold tickets: they pass only the queues that everybody passes (share 1)."""
    door = layout.entrances[int(rng.integers(len(layout.entrances)))]
    queues = []
    for queue in layout.queues:
        share = scenario.service(queue).share
        if rng.random() < share and not (arrival.coach and share < 1):
            queues.append(queue)
    start = layout.venue.queues[queues[-1]].zone if queues else layout.inside(door)
    zones = _order(_wanted(layout, scenario, rng), start, layout, rng)
    pace = float(rng.lognormal(-0.045, 0.3))  # the party's own; mean 1
    stops = [Stop(zone, pace * _stay(zone, layout, scenario, rng)) for zone in zones]
    end = stops[-1].zone if stops else start
    nearest = min(layout.exits, key=lambda way: layout.hops(end, layout.inside(way)))
    return Visit(door, queues, stops, nearest)


def _wanted(layout: Layout, scenario: Scenario, rng: np.random.Generator) -> list[str]:
    zones = layout.venue.zones
    shares = {"gallery": scenario.rooms, "hall": scenario.halls}
    wanted = [zone for zone in layout.targets if rng.random() < shares[zones[zone].profile]]
    if len(wanted) > scenario.most:  # people get tired
        wanted = [wanted[n] for n in sorted(rng.choice(len(wanted), scenario.most, replace=False).tolist())]
    return wanted or layout.targets[:1]


def _order(wanted: list[str], start: str, layout: Layout, rng: np.random.Generator) -> list[str]:
    """Nearest first, as people do, with a taste of their own for what is equally near."""
    taste = dict(zip(wanted, (1.5 * rng.random(len(wanted))).tolist(), strict=True))
    here, left, order = start, list(wanted), []
    while left:
        here = min(left, key=lambda zone: layout.hops(here, zone) + taste[zone])
        left.remove(here)
        order.append(here)
    return order


def _stay(zone: str, layout: Layout, scenario: Scenario, rng: np.random.Generator) -> float:
    zones = layout.venue.zones
    profile = zones[zone].profile
    assert profile != "queue", OUTSIDE
    alike = [other.capacity for other in zones.values() if other.profile == profile]
    stay = scenario.stay(profile)
    mean = stay.mean_s * zones[zone].capacity * len(alike) / max(1, sum(alike))
    if stay.tail > 1:
        return float(max(1.0, mean) * (stay.tail - 1) * rng.pareto(stay.tail))
    variance = math.log(1 + stay.cv**2)
    return float(rng.lognormal(math.log(max(1.0, mean)) - variance / 2, math.sqrt(variance)))
