"""Beacons in rooms and the receivers that hear them, once a second, all at once in numpy.

    RSSI = P0 - 10 n log10(d) - walls - body + shadow + fade        (dB, d in metres, at least 0.5)

walls: per portal between the two rooms, and more for a ceiling; body: by which way the carrier faces; shadow: AR(1)
per beacon and receiver; fade: per advert. Carriers wander inside the outline of their zone (a grid of 0.5 m).
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from flowmon.venue.model import Venue
from simulator.layout import Layout
from simulator.scenario import Radio

Floats = NDArray[np.float64]
CELL = 0.5
STRIDE_M = 0.5  # how far a carrier wanders in a second, standard deviation
TURN = 0.4  # how much a carrier turns in a second, radians


class Heard:
    """Adverts that receivers heard in one second: parallel arrays; `at` is the fraction of the second."""

    __slots__ = ("at", "carrier", "receiver", "rssi")

    def __init__(self, at: Floats, carrier: list[int], receiver: list[int], rssi: Floats) -> None:
        self.at = at
        self.carrier = carrier
        self.receiver = receiver
        self.rssi = rssi


class Air:
    """The radio of a venue. Carriers are known by their number; a carrier exists while it is in a zone."""

    def __init__(self, layout: Layout, radio: Radio, rng: np.random.Generator) -> None:
        venue = layout.venue
        self._radio = radio
        self._rng = rng
        self._zones = {zone: n for n, zone in enumerate(venue.zones)}
        self._inside = _grids(venue)
        self._at = np.array([r.at for r in venue.receivers.values()], dtype=float).reshape(-1, 2)
        self._walls = _walls(layout, radio)
        self._cells = [np.argwhere(grid) for grid in self._inside]
        self.carriers: list[int] = []
        self._zone = np.zeros(0, dtype=int)
        self._place = np.zeros((0, 2))
        self._facing = np.zeros(0)
        self._phase = np.zeros(0)
        self._shadow = np.zeros((0, len(self._at)))

    def entered(self, carrier: int, zone: str | None, near: tuple[float, float] | None) -> None:
        """A carrier came into a zone, near a point; None: it left the venue."""
        known = carrier in self.carriers
        if zone is None:
            if known:
                self._forget(self.carriers.index(carrier))
            return
        number = self._zones[zone]
        place = self._start(number, near)
        if not known:
            self._add(carrier)
        index = self.carriers.index(carrier)
        self._zone[index], self._place[index] = number, place

    def second(self) -> Heard:
        """Everybody wanders for a second and adverts once; what was heard of it."""
        self._wander()
        radio, rng = self._radio, self._rng
        shape = self._shadow.shape
        keep = float(np.exp(-1.0 / radio.shadow_s))
        fresh = rng.standard_normal(shape) * radio.shadow_db * float(np.sqrt(1 - keep**2))
        self._shadow = keep * self._shadow + fresh
        away = self._at[None, :, :] - self._place[:, None, :]
        distance = np.maximum(0.5, np.hypot(away[..., 0], away[..., 1]))
        turned = np.arctan2(away[..., 1], away[..., 0]) - self._facing[:, None]
        body = radio.body_db * (1 - np.cos(turned)) / 2
        rssi = radio.at_1m_dbm - 10 * radio.exponent * np.log10(distance) - self._walls[self._zone] - body
        rssi += self._shadow + rng.standard_normal(shape) * radio.fade_db
        heard = (rssi >= radio.hears_dbm) & (rng.random(shape) >= radio.loss)
        carrier, receiver = np.nonzero(heard)
        order = np.argsort(self._phase[carrier], kind="stable")
        carrier, receiver = carrier[order], receiver[order]
        return Heard(
            self._phase[carrier],
            [self.carriers[n] for n in carrier.tolist()],
            receiver.tolist(),
            rssi[carrier, receiver],
        )

    def _wander(self) -> None:
        count = len(self.carriers)
        self._facing += self._rng.standard_normal(count) * TURN
        there = self._place + self._rng.standard_normal((count, 2)) * STRIDE_M
        cells = (there / CELL).astype(int)
        _, width, height = self._inside.shape
        legal = (there >= 0).all(axis=1) & (cells[:, 0] < width) & (cells[:, 1] < height)
        cells[~legal] = 0
        legal &= self._inside[self._zone, cells[:, 0], cells[:, 1]]
        self._place[legal] = there[legal]

    def _start(self, zone: int, near: tuple[float, float] | None) -> Floats:
        cells = self._cells[zone]
        if near is None:
            chosen = cells[int(self._rng.integers(len(cells)))]
        else:
            chosen = cells[int(np.argmin(((cells + 0.5) * CELL - np.array(near)).__pow__(2).sum(axis=1)))]
        return np.asarray((chosen + 0.5) * CELL, dtype=float)

    def _add(self, carrier: int) -> None:
        rng = self._rng
        self.carriers.append(carrier)
        self._zone = np.append(self._zone, 0)
        self._place = np.vstack([self._place, np.zeros((1, 2))])
        self._facing = np.append(self._facing, rng.uniform(0, 2 * np.pi))
        self._phase = np.append(self._phase, rng.random())
        first = rng.standard_normal((1, len(self._at))) * self._radio.shadow_db
        self._shadow = np.vstack([self._shadow, first])

    def _forget(self, index: int) -> None:
        del self.carriers[index]
        self._zone = np.delete(self._zone, index)
        self._place = np.delete(self._place, index, axis=0)
        self._facing = np.delete(self._facing, index)
        self._phase = np.delete(self._phase, index)
        self._shadow = np.delete(self._shadow, index, axis=0)


def _grids(venue: Venue) -> NDArray[np.bool_]:
    """Which cells of the plan are inside each zone: zones × columns × rows. Never empty for a zone."""
    corners = np.array([point for zone in venue.zones.values() for point in zone.outline], dtype=float)
    columns, rows = (np.ceil(np.maximum(corners.max(axis=0), CELL) / CELL).astype(int)).tolist()
    x, y = np.meshgrid((np.arange(columns) + 0.5) * CELL, (np.arange(rows) + 0.5) * CELL, indexing="ij")
    grids = np.stack([_contains(zone.outline, x, y) for zone in venue.zones.values()])
    for grid, zone in zip(grids, venue.zones.values(), strict=True):
        if not grid.any():  # smaller than a cell: it stands at its first corner
            corner = (np.array(zone.outline[0]) / CELL).astype(int).clip(0, [columns - 1, rows - 1])
            grid[corner[0], corner[1]] = True
    return grids


def _contains(outline: list[tuple[float, float]], x: Floats, y: Floats) -> NDArray[np.bool_]:
    """Even-odd rule: points inside a polygon."""
    inside = np.zeros(x.shape, dtype=bool)
    for (x0, y0), (x1, y1) in zip(outline, outline[1:] + outline[:1], strict=True):
        if y0 != y1:
            crosses = (y0 > y) != (y1 > y)
            inside ^= crosses & (x < (x1 - x0) * (y - y0) / (y1 - y0) + x0)
    return inside


def _walls(layout: Layout, radio: Radio) -> Floats:
    """Loss in dB between each zone (rows) and each receiver (columns)."""
    zones: Mapping[str, object] = layout.venue.zones
    floors = {zone: value.floor for zone, value in layout.venue.zones.items()}
    loss = np.zeros((len(zones), len(layout.venue.receivers)))
    for column, receiver in enumerate(layout.venue.receivers.values()):
        for row, zone in enumerate(zones):
            ceiling = radio.ceiling_db if floors[zone] != floors[receiver.zone] else 0.0
            loss[row, column] = radio.wall_db * min(6, layout.hops(zone, receiver.zone)) + ceiling
    return loss
