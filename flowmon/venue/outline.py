"""Geometry of outlines: polygons of points in metres, closed by themselves, no holes. Pure functions.

Lengths below `TOLERANCE` count as nothing: plans are measured to the centimetre at best.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from flowmon.venue.model import Point

TOLERANCE = 0.01
Edge = tuple[Point, Point]


def area(outline: Sequence[Point]) -> float:
    """Square metres inside an outline, whichever way round it is drawn.

    >>> area([(0, 0), (4, 0), (4, 3), (0, 3)])
    12.0
    """
    return abs(sum(a[0] * b[1] - b[0] * a[1] for a, b in edges(outline))) / 2


def edges(outline: Sequence[Point]) -> Iterator[Edge]:
    """The walls of an outline, the last one back to the first point."""
    return ((outline[n], outline[(n + 1) % len(outline)]) for n in range(len(outline)))


def contains(outline: Sequence[Point], point: Point) -> bool:
    """Whether a point is inside an outline or on its wall."""
    return distance(outline, point) <= TOLERANCE or _winds_around(outline, point)


def strictly_contains(outline: Sequence[Point], point: Point) -> bool:
    """Whether a point is inside an outline and off its walls."""
    return distance(outline, point) > TOLERANCE and _winds_around(outline, point)


def distance(outline: Sequence[Point], point: Point) -> float:
    """Metres from a point to the nearest wall."""
    return min((_to_edge(edge, point) for edge in edges(outline)), default=float("inf"))


def self_intersects(outline: Sequence[Point]) -> bool:
    """Whether an outline crosses or touches itself, runs back on itself, or repeats a point."""
    walls = list(edges(outline))
    for n, wall in enumerate(walls):
        for m in range(n + 1, len(walls)):
            other = walls[m]
            if m == n + 1 or (n == 0 and m == len(walls) - 1):
                corner, before, after = _corner(wall, other, m == n + 1)
                if _folds_back(before, corner, after):
                    return True
            elif _meet(wall, other):
                return True
    return False


def overlap(one: Sequence[Point], two: Sequence[Point]) -> bool:
    """Whether two outlines that do not cross themselves share ground; a shared wall is no ground.

    Cut at each other's walls, some piece of one outline lies inside the other, unless both are the same.
    """
    if _apart(_box(one), _box(two)):
        return False
    return _pieces_inside(one, two) or _pieces_inside(two, one) or strictly_contains(two, inner_point(one))


def inner_point(outline: Sequence[Point]) -> Point:
    """A point well inside an outline that does not cross itself: middle of the widest span at some height."""
    heights = sorted({y for _, y in outline})
    best, width = outline[0], -1.0
    for low, high in pairwise(heights):
        y = (low + high) / 2
        cuts = sorted(a[0] + (y - a[1]) * (b[0] - a[0]) / (b[1] - a[1]) for a, b in edges(outline) if _spans(a, b, y))
        for left, right in zip(cuts[::2], cuts[1::2], strict=False):
            if right - left > width:
                best, width = ((left + right) / 2, y), right - left
    return best


def _spans(a: Point, b: Point, y: float) -> bool:
    return (a[1] > y) != (b[1] > y)


def _winds_around(outline: Sequence[Point], point: Point) -> bool:
    x, y = point
    inside = False
    for a, b in edges(outline):
        if _spans(a, b, y) and x < a[0] + (y - a[1]) * (b[0] - a[0]) / (b[1] - a[1]):
            inside = not inside
    return inside


def _to_edge(edge: Edge, point: Point) -> float:
    (ax, ay), (bx, by) = edge
    dx, dy = bx - ax, by - ay
    length2 = dx * dx + dy * dy
    t = 0.0 if length2 == 0 else max(0.0, min(1.0, ((point[0] - ax) * dx + (point[1] - ay) * dy) / length2))
    return float(((point[0] - ax - t * dx) ** 2 + (point[1] - ay - t * dy) ** 2) ** 0.5)


def _turn(a: Point, b: Point, c: Point) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _meet(one: Edge, two: Edge) -> bool:
    """Whether two walls cross or touch."""
    if _apart(_box(one), _box(two)):
        return False
    (a, b), (c, d) = one, two
    crossing = _turn(a, b, c) * _turn(a, b, d) < 0 and _turn(c, d, a) * _turn(c, d, b) < 0
    return crossing or min(_to_edge(one, c), _to_edge(one, d), _to_edge(two, a), _to_edge(two, b)) <= TOLERANCE


def _corner(one: Edge, two: Edge, in_order: bool) -> tuple[Point, Point, Point]:
    return (one[1], one[0], two[1]) if in_order else (one[0], one[1], two[0])


def _folds_back(before: Point, corner: Point, after: Point) -> bool:
    if min(_to_edge((before, before), corner), _to_edge((after, after), corner)) <= TOLERANCE:
        return True  # a repeated point
    return _to_edge((before, corner), after) <= TOLERANCE or _to_edge((corner, after), before) <= TOLERANCE


def _box(points: Sequence[Point]) -> tuple[float, float, float, float]:
    xs, ys = [x for x, _ in points], [y for _, y in points]
    return min(xs), min(ys), max(xs), max(ys)


def _apart(one: tuple[float, float, float, float], two: tuple[float, float, float, float]) -> bool:
    gap = TOLERANCE
    return one[2] < two[0] - gap or two[2] < one[0] - gap or one[3] < two[1] - gap or two[3] < one[1] - gap


def _pieces_inside(one: Sequence[Point], two: Sequence[Point]) -> bool:
    walls = list(edges(two))
    for edge in edges(one):
        cuts = sorted({0.0, 1.0, *(t for wall in walls for t in _cuts(edge, wall))})
        for start, end in pairwise(cuts):
            if strictly_contains(two, _along(edge, (start + end) / 2)):
                return True
    return False


def _along(edge: Edge, t: float) -> Point:
    (ax, ay), (bx, by) = edge
    return ax + t * (bx - ax), ay + t * (by - ay)


def _cuts(edge: Edge, wall: Edge) -> list[float]:
    """Where along `edge` (0..1) a wall crosses it or begins or ends on it."""
    (a, b), (c, d) = edge, wall
    found = []
    from_c, from_d = _turn(a, b, c), _turn(a, b, d)
    if from_c * from_d < 0:
        x, y = _along(wall, from_c / (from_c - from_d))
        found.append((x, y))
    found += [end for end in wall if _to_edge(edge, end) <= TOLERANCE]
    length2 = (b[0] - a[0]) ** 2 + (b[1] - a[1]) ** 2
    if length2 == 0:
        return []
    along = [((x - a[0]) * (b[0] - a[0]) + (y - a[1]) * (b[1] - a[1])) / length2 for x, y in found]
    return [t for t in along if 0 < t < 1]
