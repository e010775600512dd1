"""People in coupled places from two-way door counters: the plain balance, with an interval that grows.

Theory of operation
    n_r = Σ_in k - Σ_out k over the doors of place r. Places and the world outside them share every crossing, so
    people are conserved: the sum over all rows is zero at any time.

    The interval is the error physics of door counters (m miss, q double, F crossings since the last truth):
        random part      var = (m + q) · ΣF
        systematic part  var = ε² · Σ_d F_d²     d over door-directions; gains differ by ε, and only their
                                                 difference matters, but it adds up linearly
        blind part       sd  = ½ · people expected through a silent door since it fell silent
    Example: a room crossed by 300 people/h for 9 h with ε = 2 % is off by 54 people, while chance gives 13.

    A negative balance is evidence, not noise: somebody came in uncounted. Misses are proportional to the flow, so the
    missing people are taken from the places they came from (outside is one) in proportion to the flow into this place.

Assumptions: gains are unknown but constant; truths (anchors) are nearly exact. Failure mode: the value itself keeps
the bias that the interval admits; only an anchor removes it. It is the baseline the filter has to beat.

Source: error growth of net counts as in Retail/Irisys practice; PLCount (Sangogboye & Kjærgaard 2016) for the baseline.
"""

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from flowmon.estimators.port import Z90

MISS_AND_DOUBLE = 0.04  # m + q, share of crossings
GAIN_SPREAD = 0.02  # ε, difference of gains between door-directions

Array = NDArray[np.float64]


class BalanceState(Struct):
    """All a `Balance` remembers: people (R,), anchor variance (R,), flow since the anchor (R, D), blind people (R,)."""

    people: list[float]
    variance: list[float]
    flow: list[list[float]]
    blind: list[float]


class Balance:
    """Raw in - out over R places (the last one is the world outside) and D door-directions.

    incidence: (R, D) of -1, 0, +1 (or fractions where several counters share a door): what one crossing does to
    each place. Every column sums to zero, or ValueError is raised.

    >>> two_rooms = np.array([[1.0, -1.0], [-1.0, 1.0]])   # one door: forward into room 0, backward out of it
    >>> balance = Balance(two_rooms)
    >>> balance.learn(np.array([5.0, 2.0]))
    >>> value, sd = balance.estimate()
    >>> value.tolist()
    [3.0, -3.0]
    >>> balance.learn(np.array([0.0, 4.0]))   # one more left than came in
    >>> balance.negative()
    [0]
    >>> balance.settle([0])   # taken from outside
    [(0, -1.0, 0.0), (1, 1.0, 0.0)]
    """

    def __init__(self, incidence: Array, prior_sd: Array | None = None) -> None:
        if not np.allclose(incidence.sum(axis=0), 0.0):
            raise ValueError("every column of the incidence sums to zero: a crossing takes from one place to another")
        self._incidence = np.asarray(incidence, dtype=np.float64)
        self._touch = np.abs(self._incidence)
        places, doors = incidence.shape
        self._people = np.zeros(places)
        self._variance = np.zeros(places) if prior_sd is None else prior_sd**2
        self._flow = np.zeros((places, doors))
        self._blind = np.zeros(places)

    def learn(self, crossings: Array, missing: Array | None = None) -> None:
        """Take in people per door-direction, shape (D,), and people expected but unseen at silent doors, shape (D,)."""
        if not np.isfinite(crossings).all():
            return
        self._people += self._incidence @ crossings
        self._flow += self._touch * crossings
        if missing is not None:
            self._blind += self._touch @ missing

    def negative(self) -> list[int]:
        """Places with less than nobody in them."""
        return [int(place) for place in np.flatnonzero(self._people[:-1] < -1e-9)]

    def settle(self, places: list[int]) -> list[tuple[int, float, float]]:
        """Raise negative places to zero at the cost of the places their people must have come from.

        Returns (place, before, after) of all that changed; the sum of the changes is zero.
        """
        before = self._people.copy()
        outside = len(self._people) - 1
        for place in places:
            lack = -float(self._people[place])
            if lack <= 0:
                continue
            entering = np.where(self._incidence[place] > 0, self._flow[place], 0.0)
            origins = (self._incidence < 0) @ entering
            spare = np.maximum(self._people, 0.0)
            spare[outside] = np.inf
            given = np.minimum(lack * origins / max(origins.sum(), 1e-12), spare)
            self._people -= given
            self._people[outside] -= lack - given.sum()
            self._people[place] = 0.0
        changed = np.flatnonzero(np.abs(self._people - before) > 1e-9)
        return [(int(p), float(before[p]), float(self._people[p])) for p in changed]

    def anchor(self, place: int, people: float, sd: float) -> tuple[float, float]:
        """The true number of a place is `people` ± `sd`: move there as far as the two uncertainties say.

        Returns the value before and after. The difference goes to or comes from outside, so people stay conserved.
        """
        before = float(self._people[place])
        if not (np.isfinite(people) and np.isfinite(sd)) or people < 0 or sd <= 0:
            return before, before
        variance = float(self._total_variance()[place])
        weight = 1.0 if variance <= 0 else variance / (variance + sd * sd)
        after = people if sd < 1e-6 else before + weight * (people - before)
        after = max(after, 0.0)
        self._people[place] = after
        self._people[-1] -= after - before
        self._variance[place] = min(sd * sd, variance) if variance > 0 else sd * sd
        self._flow[place] = 0.0
        self._blind[place] = 0.0
        return before, after

    def empty(self) -> list[tuple[int, float]]:
        """Everybody has left (closing): all places are zero with certainty. Returns (place, people before)."""
        residual = [(place, float(n)) for place, n in enumerate(self._people[:-1])]
        for array in (self._people, self._variance, self._flow, self._blind):
            array[...] = 0.0
        return residual

    def estimate(self) -> tuple[Array, Array]:
        """People and standard deviation per place, shapes (R,). The outside row holds minus the people inside."""
        return self._people.copy(), np.sqrt(self._total_variance())

    @property
    def state(self) -> BalanceState:
        """A plain copy of everything remembered."""
        return BalanceState(
            people=self._people.tolist(),
            variance=self._variance.tolist(),
            flow=self._flow.tolist(),
            blind=self._blind.tolist(),
        )

    @state.setter
    def state(self, state: BalanceState) -> None:
        flow = np.array(state.flow).reshape(self._flow.shape)
        self._people, self._variance = np.array(state.people), np.array(state.variance)
        self._flow, self._blind = flow, np.array(state.blind)

    def _total_variance(self) -> Array:
        """The three parts of the error, squared and added; shape (R,)."""
        random = MISS_AND_DOUBLE * self._flow.sum(axis=1)
        systematic = GAIN_SPREAD**2 * (self._flow**2).sum(axis=1)
        total: Array = self._variance + random + systematic + (0.5 * self._blind) ** 2
        return total


def interval(value: float, sd: float) -> tuple[float, float]:
    """The 90 % interval of a head count: never below zero.

    >>> interval(2.0, 3.0)
    (0.0, 6.9347)
    """
    return max(0.0, value - Z90 * sd), max(0.0, value + Z90 * sd)
