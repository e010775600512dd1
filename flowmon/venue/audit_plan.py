"""The plan audited: floors, zones and the portals between them."""

import re
from collections import Counter as Tally
from collections.abc import Iterator
from difflib import get_close_matches
from itertools import combinations

from flowmon.names import OUTSIDE
from flowmon.venue.graph import Graph
from flowmon.venue.model import Point, Portal, Problem, Venue
from flowmon.venue.outline import area, contains, distance, overlap, self_intersects
from flowmon.venue.shape import join

CAPACITY_MAX = 1_000_000
ORDER_MAX = 1_000
ZONES_MAX = 500
POINTS_MAX = 500  # the geometry below takes quadratic time
COORDINATE_MAX_M = 100_000.0
NEAR_M = 1.5  # a portal may be drawn this far off the wall it opens


def plan(venue: Venue, doubted: frozenset[str]) -> Iterator[Problem]:
    """Problems of floors, zones and portals. doubted: paths that stand in for something unreadable."""
    yield from _floors(venue)
    yield from _zones(venue, doubted)
    yield from _overlaps(venue)
    yield from _portals(venue, doubted)
    if not any(re.fullmatch(r"portals(\.[^.]+(\.between)?)?", path) for path in doubted):
        yield from _ways_out(venue)
    if not any(re.fullmatch(r"counters(\.[^.]+(\.portal)?)?", path) for path in doubted):
        yield from _uncounted(venue)


def unknown(path: str, name: str, known: list[str], kind: str) -> Problem:
    """The problem of a reference to nothing."""
    close = get_close_matches(name[:64], known, n=1)
    if close:
        hint = f"did you mean {close[0]}?"
    else:
        hint = f"add [{join(f'{kind}s', name)}] or use one of {', '.join(known[:20]) or 'those to be added'}"
    return Problem(path=path, message=f"there is no {kind} {name!r:.80}", hint=hint)


def _floors(venue: Venue) -> Iterator[Problem]:
    if not venue.floors:
        yield Problem(path="floors", message="there is none", hint="add one, e.g. [floors.ground]")
    for name, floor in venue.floors.items():
        yield from _outline(floor.outline, join(join("floors", name), "outline"))
        if abs(floor.order) > ORDER_MAX:
            hint = "0 is the ground floor, 1 the first, -1 the basement"
            yield Problem(path=join(join("floors", name), "order"), message="is out of range", hint=hint)


def _zones(venue: Venue, doubted: frozenset[str]) -> Iterator[Problem]:
    if not venue.zones:
        yield Problem(path="zones", message="there is none", hint="add one, e.g. [zones.foyer]")
    if len(venue.zones) > ZONES_MAX:
        hint = f"at most {ZONES_MAX} zones make one venue; split it"
        yield Problem(path="zones", message=f"there are {len(venue.zones)}", hint=hint)
    for name, zone in venue.zones.items():
        path = join("zones", name)
        if zone.floor not in venue.floors:
            if "floors" not in doubted:
                yield unknown(join(path, "floor"), zone.floor, list(venue.floors), "floor")
        elif _is_drawn(venue.floors[zone.floor].outline) and not all(
            contains(venue.floors[zone.floor].outline, point) for point in zone.outline
        ):
            hint = "enlarge the floor's outline, or check the points of the zone"
            message = f"reaches out of floor {zone.floor}"
            yield Problem(path=join(path, "outline"), message=message, hint=hint, severity="warning")
        if not 1 <= zone.capacity <= CAPACITY_MAX:
            yield Problem(path=join(path, "capacity"), message=f"is {zone.capacity}", hint=_capacity_hint(zone.outline))
        yield from _outline(zone.outline, join(path, "outline"))


def _capacity_hint(outline: list[Point]) -> str:
    people = int(area(outline) / 5)
    example = f", e.g. {people} for a gallery (1 person per 5 m2)" if 1 <= people <= CAPACITY_MAX else ""
    return f"give the most people allowed here, at least 1{example}"


def _outline(outline: list[Point], path: str) -> Iterator[Problem]:
    if len(outline) < 3:
        hint = "an outline has at least three corners: [[0, 0], [12, 0], [12, 10], [0, 10]]"
        yield Problem(path=path, message=f"has {len(outline)} points", hint=hint)
    elif len(outline) > POINTS_MAX:
        hint = f"at most {POINTS_MAX}; simplify the drawing"
        yield Problem(path=path, message=f"has {len(outline)} points", hint=hint)
    elif any(abs(value) > COORDINATE_MAX_M for point in outline for value in point):
        hint = "coordinates are metres from a corner of the plan, not degrees or millimetres"
        yield Problem(path=path, message="has a point very far away", hint=hint)
    elif self_intersects(outline):
        hint = "list the corners in the order in which one walks along the wall, each once"
        yield Problem(path=path, message="crosses or touches itself", hint=hint)


def _is_drawn(outline: list[Point]) -> bool:
    return not list(_outline(outline, ""))


def _overlaps(venue: Venue) -> Iterator[Problem]:
    drawn = [(name, zone) for name, zone in venue.zones.items() if _is_drawn(zone.outline)]
    for (one, zone), (two, other) in combinations(drawn[:ZONES_MAX], 2):
        if zone.floor == other.floor and overlap(zone.outline, other.outline):
            message = f"overlaps zone {one}"
            hint = "zones share walls, not ground: people there would be in both"
            path = join(join("zones", two), "outline")
            yield Problem(path=path, message=message, hint=hint, severity="warning")


def _portals(venue: Venue, doubted: frozenset[str]) -> Iterator[Problem]:
    known = [OUTSIDE, *venue.zones]
    for name, portal in venue.portals.items():
        path = join("portals", name)
        if "zones" not in doubted:
            for n, end in enumerate(portal.between):
                if end not in known:
                    yield unknown(f"{join(path, 'between')}[{n}]", end, known, "zone")
        if portal.between[0] == portal.between[1]:
            hint = "a portal joins two different zones; cut the zone in two, or remove the portal"
            message = f"leads from {portal.between[0]!r:.80} to itself"
            yield Problem(path=join(path, "between"), message=message, hint=hint)
        elif portal.at is not None:
            yield from _drawn_at(venue, portal, portal.at, join(path, "at"))


def _drawn_at(venue: Venue, portal: Portal, at: Point, path: str) -> Iterator[Problem]:
    ends = [venue.zones[end] for end in portal.between if end in venue.zones]
    upstairs = len({zone.floor for zone in ends}) > 1  # stairs are drawn inside both zones, not on a wall
    for end, zone in ((end, venue.zones[end]) for end in portal.between if end in venue.zones):
        if _is_drawn(zone.outline) and not (upstairs and contains(zone.outline, at)):
            away = distance(zone.outline, at)
            if away > NEAR_M:
                message = f"is {away:.1f} m from the wall of {end}"
                hint = "draw it on the wall that both zones share"
                yield Problem(path=path, message=message, hint=hint, severity="warning")


def _ways_out(venue: Venue) -> Iterator[Problem]:
    graph = Graph(venue)
    inside = graph.reachable(OUTSIDE)
    if venue.zones and inside == {OUTSIDE}:
        hint = 'add a portal with between = ["outside", …]: without one nobody can come in'
        yield Problem(path="portals", message="none leads outside", hint=hint)
    for name in venue.zones:
        if name in inside or name == OUTSIDE:
            continue
        path = join("zones", name)
        if not graph.neighbours(name):
            hint = f'add a portal with between = ["{name}", …]'
            yield Problem(path=path, message="has no way out: no portal leads there", hint=hint)
        else:
            others = ", ".join(sorted(graph.reachable(name) - {name})[:5])
            message = f"has no way out: from there one reaches only {others}"
            yield Problem(path=path, message=message, hint="add the portal that joins these zones to the rest")


def _uncounted(venue: Venue) -> Iterator[Problem]:
    counted = Tally(counter.portal for counter in venue.counters.values())
    for name in venue.portals:
        path = join("portals", name)
        if not counted[name]:
            hint = f'add a counter with portal = "{name}"; people who pass unseen make both zones wrong'
            yield Problem(path=path, message="nobody counts who passes here", hint=hint)
