"""How many people are in every zone: the estimator's places are zones, its door-directions are counters.

Theory of operation
    The venue is a graph; `outside` is one of its places, so every crossing takes people from one place to another and
    the sum over all places never changes. Column 2k of the incidence is the forward direction of counter k, 2k + 1
    its backward direction. Counters that share a portal watch the same crossings, so each gets an equal share
    (two halves of a wide door are two portals).

    Two numbers are kept for a zone: the closed one, which the estimator gives at the watermark, and what the crossings
    still waiting will add to it. Their sum is shown at once; only the closed one decides about alerts.

    Negative numbers are settled (see the estimator), but only once they cannot be an effect of timing: a counter that
    reports a minute at a time tells of people a minute after they went on through a door that tells at once. So a zone
    may be below zero, and is shown as zero, for as long as the slowest of its counters takes to report.

    Truth comes from people (recount), from sensors that see a whole area, and from the clock: an hour after closing
    the venue is empty. What was left in the books then is explained as a correction, never dropped in silence.

Failure mode: see `estimators.counts`. A zone all of whose counters are silent is unknown, and says so.
"""

import math

import numpy as np
from msgspec import Struct, field

from flowmon.estimators.counts import Array, Balance, BalanceState, interval
from flowmon.estimators.rates import DecayedRate
from flowmon.findings import Correction, Level, Quality, VenueState, ZoneState
from flowmon.monitor.intake import Crossing
from flowmon.names import OUTSIDE
from flowmon.venue.graph import other_side
from flowmon.venue.hours import empty_from, next_empty
from flowmon.venue.model import Venue
from flowmon.venue.outline import area

HIGH = 0.8  # share of the capacity from which a zone is called high
TRUTH_LASTS_S = 86_400.0
RATE_HALF_LIFE_S = 1_200.0
GAP_S = 3_600.0  # a report about more than the longest period of a counter
GAP_SHARE = 0.1  # share of its people that may be wrong
RECOUNT_SHARE = 0.02  # a person who counts a crowd is right to 2 % or one head


class OccupancyState(Struct):
    """truth: zone -> time of the last one; rates: people/s a door-direction; raw: plain in - out of a place.
    raw and entered are in parts of a person, as many as make every counter's share of its portal a whole number.

    periods: counter -> seconds its last report was about; negative_since: zones below zero, and since when.
    """

    balance: BalanceState | None = None
    truth: dict[str, float] = field(default_factory=dict)
    rates: list[DecayedRate] = field(default_factory=list)
    raw: list[int] = field(default_factory=list)
    periods: dict[str, float] = field(default_factory=dict)
    negative_since: dict[str, float] = field(default_factory=dict)
    entered: int = 0
    empty_at: float | None = None


class Occupancy:
    """People per zone and in the venue."""

    def __init__(self, venue: Venue, state: OccupancyState | None = None) -> None:
        self._venue = venue
        self.zones = list(venue.zones)
        self._places = [*self.zones, OUTSIDE]
        self._index = {zone: i for i, zone in enumerate(self._places)}
        self._column = {name: 2 * k for k, name in enumerate(venue.counters)}
        self._counters_of: dict[str, list[str]] = {zone: [] for zone in self._places}
        for name, counter in venue.counters.items():
            for zone in venue.portals[counter.portal].between:
                self._counters_of[zone].append(name)
        self._area = [area(zone.outline) for zone in venue.zones.values()]
        self._capacity = venue.capacity or sum(zone.capacity for zone in venue.zones.values())
        incidence = self._incidence()
        # What waits is kept in whole parts of a person, so that adding and taking away leaves nothing behind.
        self._parts = math.lcm(*self._sharing().values())
        self._moves = [
            [(int(z), round(incidence[z, d] * self._parts)) for z in np.flatnonzero(incidence[:, d])]
            for d in range(incidence.shape[1])
        ]
        # Nobody told us how many are inside when the very first record is read.
        prior = np.array([*(0.1 * zone.capacity for zone in venue.zones.values()), 0.1 * self._capacity])
        self._balance = Balance(incidence, prior_sd=prior)
        places, doors = incidence.shape
        self.state = state or OccupancyState(
            rates=[DecayedRate(RATE_HALF_LIFE_S) for _ in range(doors)], raw=[0] * places
        )
        if self.state.balance is not None:
            self._balance.state = self.state.balance
        self._waiting, self._raw_waiting = [0] * places, [0] * places
        self._refresh()

    def wait(self, crossing: Crossing) -> set[str]:
        """A crossing arrived but is not closed yet: the shown number moves at once. Returns the places it touches."""
        return {self._places[place] for place in self._wait(crossing, +1)}

    def waiting(self, zone: str) -> bool:
        """Whether crossings that touch a zone are not closed yet."""
        return self._waiting[self._index[zone]] != 0

    def _wait(self, crossing: Crossing, sign: int) -> list[int]:
        touched = []
        column = self._column[crossing.counter]
        for direction, people in ((column, sign * crossing.forward), (column + 1, sign * crossing.backward)):
            if people:
                for place, parts in self._moves[direction]:
                    self._waiting[place] += parts * people
                    self._raw_waiting[place] += parts * people
                    touched.append(place)
        return touched

    def close(self, ripe: list[Crossing], blind: set[str], at: float, step_s: float) -> list[Correction]:
        """Take in the crossings the watermark has passed; `blind` are silent counters.

        Returns what was corrected so that no zone is below zero.
        """
        if not ripe and not blind and not self.state.negative_since:
            return []
        counts = np.zeros(2 * len(self._column))
        for crossing in ripe:
            column = self._column[crossing.counter]
            counts[column] += crossing.forward
            counts[column + 1] += crossing.backward
            self._book(crossing)
            self._wait(crossing, -1)
            self.state.periods[crossing.counter] = crossing.period_s
        for column in np.flatnonzero(counts).tolist():
            self.state.rates[column].learn(float(counts[column]), at)
        missing = self._unseen(blind, at, step_s) if blind else None
        for crossing in ripe:
            if crossing.period_s > GAP_S:  # told in one sum over a gap: nobody knows what else it missed meanwhile
                missing = np.zeros(len(counts)) if missing is None else missing
                column = self._column[crossing.counter]
                missing[column] += GAP_SHARE * crossing.forward
                missing[column + 1] += GAP_SHARE * crossing.backward
        self._balance.learn(counts, missing)
        corrected = self._settle(at)
        self._refresh()
        return corrected

    def _settle(self, at: float) -> list[Correction]:
        """Correct the zones that have been below zero for longer than their counters take to report."""
        negative = [self._places[place] for place in self._balance.negative()]
        since = self.state.negative_since
        self.state.negative_since = {zone: since.get(zone, at) for zone in negative}
        ripe = [zone for zone, began in self.state.negative_since.items() if at - began >= self._patience(zone)]
        return [
            Correction(at=at, zone=self._places[place], before=before, after=after, reason="negative", by="balance")
            for place, before, after in self._balance.settle([self._index[zone] for zone in ripe])
        ]

    def _patience(self, zone: str) -> float:
        return max((self.state.periods.get(counter, 0.0) for counter in self._counters_of[zone]), default=0.0)

    def recount(self, zone: str, people: int, at: float) -> tuple[float, float]:
        """A person counted a zone. Returns the number before and after."""
        return self._anchor(zone, float(people), max(0.25, RECOUNT_SHARE * people), at)

    def observe(self, zone: str, people: int, at: float) -> tuple[float, float]:
        """A sensor saw `people` in the whole zone, right to a tenth or two heads. Returns before and after."""
        return self._anchor(zone, float(people), max(2.0, 0.1 * people), at)

    def empty_if_closed(self, at: float) -> list[Correction]:
        """An hour after closing nobody is left: the books are set to zero once a night, and what was left is told."""
        if not self._venue.hours:
            return []
        if self.state.empty_at is None:
            self.state.empty_at = empty_from(self._venue, at)
        if at < self.state.empty_at:
            return []
        self.state.empty_at = next_empty(self._venue, at)
        self.state.truth = dict.fromkeys(self.zones, at)
        self.state.entered = 0
        self.state.raw = [0] * len(self.state.raw)
        self.state.negative_since = {}
        residual = self._balance.empty()
        self._refresh()
        return [
            Correction(at=at, zone=self._places[place], before=before, after=0.0, reason="closing", by="hours")
            for place, before in residual
            if abs(before) >= 0.5
        ]

    def leap(self, now: float) -> None:
        """The clock was set: no truth is younger than now, and the next closing is looked up again."""
        self.state.truth = {zone: min(at, now) for zone, at in self.state.truth.items()}
        self.state.empty_at = None

    def people(self, zone: str) -> tuple[float, float]:
        """Closed number of a zone and its standard deviation."""
        place = self._index[zone]
        return self._value[place], self._sd[place]

    def zone_state(self, zone: str, at: float, *, quality: Quality, flows: tuple[float, float], beacons: int,
                   unknown: bool, provisional: bool) -> ZoneState:  # fmt: skip
        """What is said of a zone; `unknown` withdraws the number."""
        place = self._index[zone]
        capacity = self._venue.zones[zone].capacity
        waiting, raw_waiting = (self._waiting[place], self._raw_waiting[place]) if provisional else (0, 0)
        shown = max(0.0, self._value[place] + waiting / self._parts)
        lo, hi = interval(shown, self._sd[place])
        truth = self.state.truth.get(zone)
        return ZoneState(
            at=at,
            zone=zone,
            occupancy=None if unknown else round(shown, 2),
            lo=0.0 if unknown else round(lo, 2),
            hi=float(capacity) if unknown else round(hi, 2),
            capacity=capacity,
            density=None if unknown or not self._area[place] else round(shown / self._area[place], 3),
            inflow=flows[0],
            outflow=flows[1],
            level="unknown" if unknown else _level(shown, capacity),
            quality=quality if truth is not None and at - truth <= TRUTH_LASTS_S else _worse(quality, "estimated"),
            truth_age_s=None if truth is None else round(at - truth, 3),
            raw=round((self.state.raw[place] + raw_waiting) / self._parts),
            beacons=beacons,
            provisional=provisional,
        )

    def venue_state(self, at: float, *, quality: Quality, flows: tuple[float, float], provisional: bool) -> VenueState:
        """What is said of the whole venue."""
        shown = max(0.0, -(self._value[-1] + (self._waiting[-1] / self._parts if provisional else 0.0)))
        # What is known of the rooms is known of their sum, and may be better than what the outer doors tell.
        lo, hi = interval(shown, min(self._sd[-1], math.sqrt(sum(sd * sd for sd in self._sd[:-1]))))
        oldest = min((self.state.truth.get(zone, -1.0) for zone in self.zones), default=-1.0)
        return VenueState(
            at=at,
            occupancy=round(shown, 2),
            lo=round(lo, 2),
            hi=round(hi, 2),
            capacity=self._capacity,
            inflow=flows[0],
            outflow=flows[1],
            entered=self.state.entered // self._parts,
            level=_level(shown, self._capacity),
            quality=quality if oldest >= 0 and at - oldest <= TRUTH_LASTS_S else _worse(quality, "estimated"),
            truth_age_s=round(at - oldest, 3) if oldest >= 0 else None,
            provisional=provisional,
        )

    def save(self) -> OccupancyState:
        """The state to keep; what is waiting is made again from intake's pending crossings."""
        self.state.balance = self._balance.state
        return self.state

    def _sharing(self) -> dict[str, int]:
        """How many counters watch each portal."""
        sharing: dict[str, int] = {}
        for counter in self._venue.counters.values():
            sharing[counter.portal] = sharing.get(counter.portal, 0) + 1
        return sharing

    def _incidence(self) -> Array:
        incidence = np.zeros((len(self.zones) + 1, 2 * len(self._column)))
        sharing = self._sharing()
        for name, counter in self._venue.counters.items():
            into, out_of = counter.towards, other_side(self._venue.portals[counter.portal], counter.towards)
            share = 1.0 / sharing[counter.portal]
            column = self._column[name]
            incidence[self._index[into], column] = incidence[self._index[out_of], column + 1] = share
            incidence[self._index[out_of], column] = incidence[self._index[into], column + 1] = -share
        return incidence

    def _book(self, crossing: Crossing) -> None:
        """Keep the plain balance beside the estimate, for audit."""
        column = self._column[crossing.counter]
        for direction, people in ((column, crossing.forward), (column + 1, crossing.backward)):
            for place, parts in self._moves[direction]:
                self.state.raw[place] += parts * people
        counter = self._venue.counters[crossing.counter]
        if OUTSIDE in self._venue.portals[counter.portal].between:
            part = abs(self._moves[column][0][1])
            self.state.entered += part * (crossing.backward if counter.towards == OUTSIDE else crossing.forward)

    def _unseen(self, blind: set[str], at: float, step_s: float) -> Array:
        """People who probably passed the silent counters in one step, shape (D,)."""
        missing = np.zeros(2 * len(self._column))
        for name in blind:
            for column in (self._column[name], self._column[name] + 1):
                rate = self.state.rates[column]
                missing[column] = rate.value * step_s if at - rate.at > RATE_HALF_LIFE_S else rate.estimate(at) * step_s
        return missing

    def _anchor(self, zone: str, people: float, sd: float, at: float) -> tuple[float, float]:
        before, after = self._balance.anchor(self._index[zone], people, sd)
        self.state.truth[zone] = max(at, self.state.truth.get(zone, at))
        self._refresh()
        return before, after

    def _refresh(self) -> None:
        value, sd = self._balance.estimate()
        self._value: list[float] = value.tolist()
        self._sd: list[float] = sd.tolist()


def _level(people: float, capacity: int) -> Level:
    if people >= capacity:
        return "over"
    return "high" if people >= HIGH * capacity else "normal"


def _worse(one: Quality, other: Quality) -> Quality:
    order: tuple[Quality, ...] = ("good", "estimated", "stale", "bad")
    return max(one, other, key=order.index)
