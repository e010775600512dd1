"""The radio of a venue as an estimator wants it: places, what each receiver hears there, and the ways between.

Measured rows (`flowmon calibrate`) are used where they are. Elsewhere the plan must do:

    level = -60 - 23 log10(d) - 6 · walls - 16 · floors - 6 (body)      dBm, mean over a grid of points of the zone

d: metres from a point to the receiver, at least 1, with 4 m per floor; walls: portals on the way, at most six.
spread: over the points, with 5 dB of everything else. silent: what falls below -94 dBm, and 25 % more; the median
is that of what is heard.
Source: log-distance path loss with wall attenuation (Rappaport 2002, ch. 4); figures are round ones for 2.4 GHz.

A receiver at a charging rack makes a place of its own beside its zone: at it. It has no zone.
"""

import math
from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from flowmon.estimators.fingerprints import Fingerprints
from flowmon.names import OUTSIDE
from flowmon.venue.graph import Graph, contains
from flowmon.venue.model import Heard, Point, Receiver, Venue

Array = NDArray[np.float64]

AT_1M_DBM, SLOPE, WALL_DB, FLOOR_DB, BODY_DB = -60.0, 23.0, 6.0, 16.0, 6.0
WALLS_MOST = 6
STOREY_M = 4.0
OTHERS_DB = 5.0
HEARS_DBM, LOSS = -94.0, 0.25
GRID = 6  # points along each side
WALK_DB = 2.0  # error of a median walked for two minutes
HEARD_MOST_SILENT = 0.9
CELLS_LEAST = 8
DWELL_S = {"gallery": 90.0, "hall": 60.0, "queue": 60.0}


class RadioMap(Struct, frozen=True):
    """zones: of each place, "" for a rack. devices: name in sightings -> receiver's column. calibrated: any row is."""

    zones: list[str]
    devices: dict[str, int]
    table: Fingerprints
    adjacent: Array
    dwell_s: Array
    calibrated: bool


def radio_map(venue: Venue) -> RadioMap:
    """The map of a venue; a venue without receivers has one without columns."""
    graph = Graph(venue)
    racks = [receiver for receiver in venue.receivers.values() if receiver.rack]
    zones = [*venue.zones, *[""] * len(racks)]
    homes = [*venue.zones, *(rack.zone for rack in racks)]
    shape = (len(zones), len(venue.receivers))
    median, spread, silent = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    walls = {zone: _walls(graph, zone) for zone in venue.zones}
    points = [_points(zone.outline) for zone in venue.zones.values()] + [[rack.at] for rack in racks]
    for row, home in enumerate(homes):
        for column, receiver in enumerate(venue.receivers.values()):
            cell = _expected(venue, home, points[row], receiver, walls[home].get(receiver.zone, WALLS_MOST))
            median[row, column], spread[row, column], silent[row, column] = cell
    rows, columns = {zone: n for n, zone in enumerate(venue.zones)}, {name: n for n, name in enumerate(venue.receivers)}
    table = Fingerprints(median, spread, silent)
    if measured := [row for row in venue.radio.heard if row.zone in rows and row.receiver in columns]:
        table = _measured(table, measured, rows, columns)
    adjacent = np.zeros((len(zones), len(zones)))
    adjacent[: len(rows), : len(rows)] = graph.adjacency()[: len(rows), : len(rows)]
    for row, home in enumerate(homes[len(rows) :], start=len(rows)):
        adjacent[row, rows[home]] = adjacent[rows[home], row] = 1.0
    dwell = np.array([DWELL_S[venue.zones[home].profile] for home in homes])
    devices = {
        receiver.device or name: column for name, column in columns.items() for receiver in [venue.receivers[name]]
    }
    return RadioMap(zones, devices, table, adjacent, dwell, bool(venue.radio.heard))


def _measured(
    plan: Fingerprints, measured: Sequence[Heard], rows: dict[str, int], columns: dict[str, int]
) -> Fingerprints:
    """What was walked, and what the plan adds to it.

    A walk of two minutes errs by some 2 dB; how much the plan errs shows where both are known. Each is weighed by the
    inverse of its variance, the plan after a correction of each receiver (its own gain and cable).
    """
    shape = plan.median.shape
    level, spread, silent = np.full(shape, np.nan), plan.spread.copy(), plan.silent.copy()
    walked = np.zeros(shape, dtype=bool)
    for row in measured:
        place = rows[row.zone], columns[row.receiver]
        walked[place] = True
        spread[place], silent[place] = row.spread_db, row.silent
        if row.silent < HEARD_MOST_SILENT:
            level[place] = row.median_dbm
    off = level - plan.median
    known = ~np.isnan(off)
    gain = np.array([float(np.median(own[~np.isnan(own)])) if (~np.isnan(own)).any() else 0.0 for own in off.T])
    rest = (off - gain)[known]
    free = len(rest) - int(known.any(axis=0).sum())
    plan_error = float((rest**2).sum()) / free - WALK_DB**2 if free >= CELLS_LEAST else np.inf
    trust = 1.0 if np.isinf(plan_error) else max(0.0, plan_error) / (max(0.0, plan_error) + WALK_DB**2)
    corrected = plan.median + gain
    median = np.where(known, trust * np.nan_to_num(level) + (1.0 - trust) * corrected, corrected)
    for row in measured:  # nearly never heard: how loud it was says little, and all there is
        place = rows[row.zone], columns[row.receiver]
        if not known[place]:
            median[place] = max(median[place], row.median_dbm) if row.silent < 1.0 else median[place]
    both = walked & (plan.silent < 1.0)
    spread = np.where(both, trust * spread + (1.0 - trust) * plan.spread, spread)
    silent = np.where(both, trust * silent + (1.0 - trust) * plan.silent, silent)
    return Fingerprints(median, spread, silent)


def _expected(
    venue: Venue, home: str, points: list[Point], receiver: Receiver, walls: int
) -> tuple[float, float, float]:
    """(median, spread, silent share) of a receiver over points of a zone."""
    floors = venue.floors
    here, there = floors[venue.zones[home].floor], floors[venue.zones[receiver.zone].floor]
    storeys = abs(here.order - there.order) or int(here is not there)
    away = np.array(points, dtype=float) - np.array(receiver.at, dtype=float)
    distance = np.maximum(1.0, np.sqrt((away**2).sum(axis=1) + (STOREY_M * storeys) ** 2))
    # through the ceiling there are no walls to count
    lost = FLOOR_DB * storeys if storeys else WALL_DB * min(WALLS_MOST, walls)
    level = AT_1M_DBM - SLOPE * np.log10(distance) - lost - BODY_DB
    mean, spread = float(level.mean()), math.hypot(float(level.std()), OTHERS_DB)
    edge = (HEARS_DBM - mean) / spread
    heard = max(1e-6, 0.5 * math.erfc(edge / math.sqrt(2.0)))
    # what is heard at all is louder than what would be: the mean of a normal cut off at the edge
    louder = spread * math.exp(-0.5 * edge * edge) / math.sqrt(2.0 * math.pi) / heard
    return max(mean + louder, HEARS_DBM), spread, 1.0 - (1.0 - LOSS) * heard


def _walls(graph: Graph, start: str) -> dict[str, int]:
    """Portals on the shortest way from a zone to each, not through outside."""
    hops, ahead = {start: 0}, [start]
    for zone in ahead:
        for other in graph.neighbours(zone):
            if other not in hops and other != OUTSIDE:
                hops[other] = hops[zone] + 1
                ahead.append(other)
    return hops


def _points(outline: list[Point]) -> list[Point]:
    """Points of a grid over an outline that lie inside; its first corner when none does."""
    corners = np.array(outline, dtype=float)
    low, high = corners.min(axis=0), corners.max(axis=0)
    steps = (np.arange(GRID) + 0.5) / GRID
    grid = [
        (float(x), float(y)) for x in low[0] + steps * (high[0] - low[0]) for y in low[1] + steps * (high[1] - low[1])
    ]
    return [point for point in grid if contains(outline, point)] or [outline[0]]
