"""The venue as an estimator sees it: places, and door-directions that take people from one place to another.

`outside` is one of the places, the last one, so that every column of the incidence sums to zero. Column 2k is the
forward direction of counter k, 2k + 1 its backward direction. Counters that share a portal watch the same crossings,
so each gets an equal share (two halves of a wide door are two portals).
"""

import math
from collections.abc import Set

import numpy as np

from flowmon.estimators.ledger import Array
from flowmon.monitor.intake import Crossing
from flowmon.names import OUTSIDE
from flowmon.venue.graph import other_side
from flowmon.venue.model import Venue

COMMISSIONED_SD, UNKNOWN_SD = 0.03, 0.05

_NOWHERE: set[str] = set()


class Doors:
    """zones: R places in the order of the venue; places: with `outside` at the end. D = 2 × counters."""

    def __init__(self, venue: Venue) -> None:
        self.zones = list(venue.zones)
        self.places = [*self.zones, OUTSIDE]
        self.index = {place: i for i, place in enumerate(self.places)}
        self.counters = list(venue.counters)
        self.column = {name: 2 * k for k, name in enumerate(self.counters)}
        sharing: dict[str, int] = {}
        for counter in venue.counters.values():
            sharing[counter.portal] = sharing.get(counter.portal, 0) + 1
        #: shares of a person are whole numbers of these, so that books of crossings stay exact
        self.parts = math.lcm(*sharing.values())
        self.moves = np.zeros((len(self.places), 2 * len(self.counters)), dtype=np.int64)
        self.outer: dict[str, bool] = {}  # counter at a door to the outside -> whether forward is out
        for name, counter in venue.counters.items():
            portal = venue.portals[counter.portal]
            into, out_of = self.index[counter.towards], self.index[other_side(portal, counter.towards)]
            part, column = self.parts // sharing[counter.portal], self.column[name]
            self.moves[into, column] = self.moves[out_of, column + 1] = part
            self.moves[out_of, column] = self.moves[into, column + 1] = -part
            if OUTSIDE in portal.between:
                self.outer[name] = counter.towards == OUTSIDE
        #: (R + 1, D): what one counted person does to the number of each place
        self.incidence: Array = self.moves / self.parts
        sees = np.repeat([counter.sees for counter in venue.counters.values()], 2)
        #: people per counted person as its commissioning found, and how well one knows that
        self.gain: Array = 1.0 / sees
        self.gain_sd: Array = np.where(sees != 1.0, COMMISSIONED_SD, UNKNOWN_SD)
        self._touched = [
            {self.places[place] for place in np.flatnonzero(self.moves[:, direction]).tolist()}
            for direction in range(self.moves.shape[1])
        ]

    def counts(self, crossings: list[Crossing]) -> Array:
        """People per direction, (D,)."""
        counts = np.zeros(self.moves.shape[1])
        for crossing in crossings:
            column = self.column[crossing.counter]
            counts[column] += crossing.forward
            counts[column + 1] += crossing.backward
        return counts

    def touched(self, crossing: Crossing) -> set[str]:
        """The places a crossing moves."""
        column = self.column[crossing.counter]
        forward = self._touched[column] if crossing.forward else _NOWHERE
        return forward | (self._touched[column + 1] if crossing.backward else _NOWHERE)

    def directions(self, counters: Set[str]) -> set[int]:
        """Both columns of each of some counters."""
        return {column + way for column in map(self.column.__getitem__, counters) for way in (0, 1)}
