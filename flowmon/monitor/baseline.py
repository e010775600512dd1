"""The plain balance, kept beside the filter: what is shown for audit, and what takes over when the filter loses.

Every night the venue is empty, which is a truth for both. The filter is switched off once it was further from it than
the balance on seven nights in a row, and on again after its first better one; `method` of every number says which.

A balance below zero is settled (see `estimators.counts`), but only once it cannot be an effect of timing: a counter
that reports a minute at a time tells of people a minute after they went on through a door that tells at once.
"""

import numpy as np
from msgspec import Struct, field

from flowmon.estimators.counts import Array, Balance, BalanceState
from flowmon.monitor.doors import Doors
from flowmon.monitor.intake import Crossing

LOST_NIGHTS = 7


class BaselineState(Struct):
    """raw: in - out per place and entered: people who came in, both in parts of a person, see `Doors.parts`.

    negative_since: places below zero, and since when. lost: nights in a row on which the balance was nearer.
    """

    raw: list[int]
    balance: BalanceState | None = None
    entered: int = 0
    negative_since: dict[str, float] = field(default_factory=dict)
    lost: int = 0


class Baseline:
    """Raw and settled in - out of every place."""

    def __init__(self, doors: Doors, spread: Array, state: BaselineState | None) -> None:
        self._doors = doors
        self._balance = Balance(doors.incidence, prior_sd=spread)
        self.state = state or BaselineState(raw=[0] * len(doors.places))
        if self.state.balance is not None:
            self._balance.state = self.state.balance

    @property
    def takes_over(self) -> bool:
        """Whether the filter has lost for a week."""
        return self.state.lost >= LOST_NIGHTS

    def save(self) -> BaselineState:
        """The state to keep."""
        self.state.balance = self._balance.state
        return self.state

    def close(self, ripe: list[Crossing], counts: Array, missing: Array | None, patience: dict[str, float], at: float
              ) -> list[tuple[str, float, float]]:  # fmt: skip
        """Take in closed crossings, `missing` people (D,) at silent doors; returns (place, before, after) if settled.

        patience: zone -> seconds its slowest counter takes to report.
        """
        if not ripe and missing is None and not self.state.negative_since:
            return []
        self._book(ripe, counts)
        self._balance.learn(counts, missing)
        negative = [self._doors.places[place] for place in self._balance.negative()]
        since = self.state.negative_since
        self.state.negative_since = {zone: since.get(zone, at) for zone in negative}
        ripe_zones = [zone for zone, began in self.state.negative_since.items() if at - began >= patience[zone]]
        settled = self._balance.settle([self._doors.index[zone] for zone in ripe_zones])
        return [(self._doors.places[place], before, after) for place, before, after in settled]

    def _book(self, ripe: list[Crossing], counts: Array) -> None:
        moved = self._doors.moves @ counts.astype(np.int64)
        self.state.raw = [raw + int(parts) for raw, parts in zip(self.state.raw, moved, strict=True)]
        for crossing in ripe:
            if (outward := self._doors.outer.get(crossing.counter)) is not None:
                part = int(abs(self._doors.moves[-1, self._doors.column[crossing.counter]]))
                self.state.entered += part * (crossing.backward if outward else crossing.forward)

    def anchor(self, place: int, people: float, sd: float) -> None:
        """The true number of a place."""
        self._balance.anchor(place, people, sd)

    def empty(self, filtered: Array) -> None:
        """The venue is empty; `filtered`: what the filter thought, (R,). The nearer one of the two has won a night."""
        balanced, _ = self._balance.estimate()
        nearer = np.abs(balanced[:-1]).sum() < np.abs(filtered).sum()
        self.state.lost = min(LOST_NIGHTS, self.state.lost + 1) if nearer else 0
        self._balance.empty()
        self.state.raw = [0] * len(self.state.raw)
        self.state.entered = 0
        self.state.negative_since = {}

    def estimate(self) -> tuple[Array, Array]:
        """People and sd per place, `outside` last (minus the people inside)."""
        return self._balance.estimate()
