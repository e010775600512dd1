"""The facts that are measured with: people walking through the museum's counters at 1,000 facts a second. Seeded.

88 in 100 facts are crossings (never out of an empty zone), 10 presences of beacons, 2 people served at a desk. A
record of N facts spans N milliseconds; every thousand facts there is a Tick, in a record of its own, as the ticker
writes it. So a tick with all that it closes is part of every figure.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from flowmon.facts import Count, Fact, Presence, Record, Served, Tick
from flowmon.names import OUTSIDE
from flowmon.venue.model import Venue
from flowmon.venue.parse import load

MUSEUM = Path(__file__).resolve().parents[2] / "deploy" / "venues" / "museum.toml"
T0 = 1_777_730_400.0  # 2026-05-02 14:00:00 UTC
PER_S = 1_000
BEACONS = 200


def museum() -> Venue:
    """The venue of 12 zones that ships."""
    return load(MUSEUM)


def records(venue: Venue, facts: int, per_record: int, *, seed: int = 1) -> Iterator[Record]:
    """`facts` facts in records of `per_record`, and the ticks between them (not counted)."""
    walk = _facts(venue, np.random.default_rng(seed))
    for number in range(0, facts, per_record):
        if number % PER_S < per_record:
            yield [_tick(number // PER_S)]
        yield [next(walk) for _ in range(min(per_record, facts - number))]


def _tick(second: int) -> Tick:
    at = T0 + second
    return Tick(at=at, seen=at, source="ticker", seq=int(at))


def _facts(venue: Venue, dice: np.random.Generator) -> Iterator[Fact]:
    people = dict.fromkeys(venue.zones, 20) | {OUTSIDE: 10_000_000}
    counters, zones, queues = list(venue.counters), list(venue.zones), list(venue.queues)
    number = 0
    while True:
        kind = dice.random(1_000)
        which = dice.integers(0, 1 << 30, 1_000)
        for share, choice in zip(kind.tolist(), which.tolist(), strict=True):
            number += 1
            at = T0 + number / PER_S
            if share < 0.88:
                yield _crossing(venue, counters[choice % len(counters)], people, number, at, forward=choice & 1024 > 0)
            elif share < 0.98:
                zone = zones[choice % len(zones)]
                beacon, expires = f"b{choice % BEACONS}", at + 30.0
                yield Presence(
                    at=at, seen=at, source="presence", beacon=beacon, zone=zone, probability=0.9, expires=expires
                )
            else:
                queue = queues[choice % len(queues)]
                yield Served(at=at, seen=at, source=f"desk-{queue}", seq=number, queue=queue, waited_s=60.0)


def _crossing(venue: Venue, name: str, people: dict[str, int], number: int, at: float, *, forward: bool) -> Count:
    counter = venue.counters[name]
    one, other = venue.portals[counter.portal].between
    into, out_of = (one, other) if counter.towards == one else (other, one)
    if not forward:
        into, out_of = out_of, into
    if people[out_of] < 1:
        into, out_of, forward = out_of, into, not forward
    people[into] += 1
    people[out_of] -= 1
    device = counter.device or name
    return Count(
        at=at,
        seen=at + 0.05,
        source=device,
        seq=number,
        counter=device,
        line=counter.line,
        kind="event",
        forward=int(forward),
        backward=int(not forward),
    )
