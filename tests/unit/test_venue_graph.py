"""The venue as a graph, and the geometry of outlines."""

from pathlib import Path

import numpy as np
import pytest

from flowmon.names import OUTSIDE
from flowmon.venue.graph import Graph, other_side
from flowmon.venue.model import Point
from flowmon.venue.outline import area, contains, inner_point, overlap, self_intersects, strictly_contains
from flowmon.venue.parse import load

VENUE = load(Path(__file__).parents[2] / "deploy/venues/museum.toml")
GRAPH = Graph(VENUE)


def box(x: float, y: float, width: float, height: float) -> list[Point]:
    return [(x, y), (x + width, y), (x + width, y + height), (x, y + height)]


def test_zones_come_in_the_order_of_the_file_and_outside_is_last() -> None:
    assert GRAPH.zones == (*VENUE.zones, OUTSIDE)
    assert [GRAPH.zones[row] for row in GRAPH.index.values()] == list(GRAPH.zones)


def test_a_crossing_conserves_people() -> None:
    for incidence in (GRAPH.incidence(), GRAPH.portal_incidence()):
        assert incidence.dtype == np.int8
        assert (incidence.sum(axis=0) == 0).all()
        assert (np.abs(incidence).sum(axis=0) == 2).all()


def test_a_forward_crossing_enters_the_zone_it_goes_towards() -> None:
    column = list(GRAPH.counters).index("ctr-exit")
    incidence = GRAPH.incidence()
    assert incidence[GRAPH.index["outside"], column] == 1
    assert incidence[GRAPH.index["shop"], column] == -1


def test_adjacency_is_symmetric_and_agrees_with_neighbours() -> None:
    matrix = GRAPH.adjacency()
    assert (matrix == matrix.T).all()
    for zone in GRAPH.zones:
        assert {GRAPH.zones[n] for n in np.flatnonzero(matrix[GRAPH.index[zone]])} == set(GRAPH.neighbours(zone))
    assert GRAPH.neighbours("outside") == ["entrance-queue", "shop"]
    assert GRAPH.neighbours("nowhere") == []
    assert GRAPH.portals_between("shop", "foyer") == ["foyer-shop"]


def test_paths_take_the_fewest_portals_and_never_leave_the_building() -> None:
    assert GRAPH.path("entrance-queue", "cafe") == ["entrance-queue", "ticket-hall", "foyer", "landing", "cafe"]
    assert GRAPH.path("entrance-queue", "shop") == ["entrance-queue", "ticket-hall", "foyer", "shop"]
    assert GRAPH.path("cafe", "outside") == ["cafe", "landing", "foyer", "shop", "outside"]
    assert GRAPH.path("foyer", "foyer") == ["foyer"]
    assert GRAPH.path("foyer", "nowhere") is None
    assert GRAPH.path("nowhere", "foyer") is None


def test_the_other_side_of_a_portal() -> None:
    assert other_side(VENUE.portals["exit"], "shop") == "outside"
    assert other_side(VENUE.portals["exit"], "outside") == "shop"


def test_the_zones_of_the_museum_tile_its_floors() -> None:
    for floor, plan in VENUE.floors.items():
        zones = [zone.outline for zone in VENUE.zones.values() if zone.floor == floor]
        assert sum(area(outline) for outline in zones) == pytest.approx(area(plan.outline))
    assert GRAPH.areas["foyer"] == 240.0


def test_galleries_hold_one_person_in_five_square_metres_and_queues_one_in_0_7() -> None:
    per_person = {"gallery": 5.0, "queue": 0.7}
    for name, zone in VENUE.zones.items():
        if zone.profile in per_person:
            assert zone.capacity == int(GRAPH.areas[name] / per_person[zone.profile])


def test_a_portal_lies_on_both_its_zones() -> None:
    for portal in VENUE.portals.values():
        assert portal.at is not None
        for end in portal.between:
            assert end == OUTSIDE or contains(VENUE.zones[end].outline, portal.at)


L_SHAPE: list[Point] = [(0, 0), (10, 0), (10, 4), (4, 4), (4, 10), (0, 10)]


def test_area() -> None:
    assert area(L_SHAPE) == 64.0
    assert area(L_SHAPE[::-1]) == 64.0
    assert area([]) == 0.0


@pytest.mark.parametrize(
    ("point", "inside", "strictly"),
    [
        ((1, 9), True, True),
        ((9, 9), False, False),
        ((4, 7), True, False),
        ((0, 0), True, False),
        ((11, 0), False, False),
    ],
)
def test_contains(point: Point, inside: bool, strictly: bool) -> None:
    assert contains(L_SHAPE, point) is inside
    assert strictly_contains(L_SHAPE, point) is strictly


@pytest.mark.parametrize(
    ("outline", "expected"),
    [
        (box(0, 0, 2, 1), False),
        (L_SHAPE, False),
        ([(0, 0), (1, 0), (2, 0), (2, 2), (0, 2)], False),  # a corner on a straight wall
        ([(0, 0), (2, 2), (2, 0), (0, 2)], True),  # a bow tie
        ([(0, 0), (4, 0), (4, 4), (2, 0), (0, 4)], True),  # touches its own wall
        ([(0, 0), (2, 0), (1, 0), (1, 1)], True),  # runs back
        ([(0, 0), (2, 0), (2, 0), (1, 1)], True),  # a point twice
        ([(0, 0), (1, 0), (2, 0)], True),  # no ground at all
    ],
)
def test_self_intersects(outline: list[Point], expected: bool) -> None:
    assert self_intersects(outline) is expected
    assert self_intersects(outline[::-1]) is expected
    assert self_intersects(outline[1:] + outline[:1]) is expected


@pytest.mark.parametrize(
    ("one", "two", "expected"),
    [
        (box(0, 0, 12, 10), box(12, 0, 5, 5), False),  # a shared wall
        (box(0, 0, 12, 10), box(12, 10, 5, 5), False),  # a shared corner
        (box(0, 0, 12, 10), box(30, 0, 5, 5), False),
        (box(0, 0, 12, 10), box(0, 5, 12, 10), True),  # walls in line
        (box(0, 0, 12, 10), box(2, 2, 1, 1), True),  # one within the other
        (box(0, 0, 12, 10), box(0, 0, 12, 10), True),  # the same
        (box(0, 0, 12, 10), box(-5, 2, 100, 1), True),  # a cross
        (L_SHAPE, box(4, 4, 6, 6), False),  # fills the notch
        (L_SHAPE, box(3.9, 4, 6, 6), True),
        (box(0, 0, 12, 10), box(11.995, 0, 5, 5), False),  # less than a centimetre
    ],
)
def test_overlap(one: list[Point], two: list[Point], expected: bool) -> None:
    assert overlap(one, two) is expected
    assert overlap(two, one) is expected
    assert overlap(one[::-1], two) is expected


def test_inner_point_is_well_inside() -> None:
    for zone in VENUE.zones.values():
        assert strictly_contains(zone.outline, inner_point(zone.outline))
