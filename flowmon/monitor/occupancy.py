"""How many people are in every zone: the filter's places are zones, its door-directions are counters.

Theory of operation
    The venue is a graph; `outside` is one of its places, so every crossing takes people from one place to another and
    the sum over all places never changes (`monitor.doors`). Formulas: `estimators.crowd`.

    Two numbers are kept for a zone: the closed one, which the filter gives at the watermark, and what the crossings
    still waiting will add to it. Their sum is shown at once; only the closed one decides about alerts.

    Truth comes from people (recount), from sensors that see a whole area, and from the clock: an hour after closing
    the venue is empty. Whatever else than a crossing moves a number is a correction that says why: beacons, a truth
    next door, an impossible number. Small moves are added up until they are worth telling.

    A zone that the filter thinks has less than nobody in it is shown as empty, and whoever then enters is shown at
    once: what is missing is lent to it by the places those people came from, and given back within the hour or at the
    next truth. Nothing is lent for what may be an effect of timing: a counter that reports a minute at a time tells of
    people a minute after they went on through a door that tells at once.

    The plain balance runs beside it and takes over when it is better for a week (`monitor.baseline`).

Failure mode: see `estimators.crowd`. A zone all of whose counters are silent is unknown, and says so.
"""

import math
from collections.abc import Set

import numpy as np
from msgspec import Struct, field

from flowmon.estimators.counts import interval
from flowmon.estimators.crowd import Crowd, CrowdState
from flowmon.estimators.ledger import Array, Evidence
from flowmon.findings import Correction, CorrectionReason, DoorAccount, Explained, Level, Quality, VenueState, ZoneState
from flowmon.monitor.baseline import Baseline, BaselineState
from flowmon.monitor.doors import Doors
from flowmon.monitor.intake import Crossing
from flowmon.venue.hours import empty_from, next_empty
from flowmon.venue.model import Venue
from flowmon.venue.outline import area

HIGH = 0.8  # share of the capacity from which a zone is called high
TRUTH_LASTS_S = 86_400.0
HEARD_LASTS_S = 180.0
LOOK_EVERY_S = 60.0  # beacons are weighed and numbers explained once a minute
GAP_S = 3_600.0  # a report about more than the longest period of a counter
GAP_SHARE = 0.1  # share of its people that may be wrong
RECOUNT_SHARE = 0.02  # a person who counts a crowd is right to 2 % or one head
WORTH_TELLING, WORTH_SHARE = 2.0, 0.05  # people, or share of those in the zone, from which a move is told
LENT_WORTH_TELLING = 0.5
KNOWN_S = 600.0
VISIBLE = 0.005
LENT_KEPT = 0.94  # of what is lent, each minute
AREA_CORRELATED_S = 120.0  # looks of one area sensor within this time are one look

_REASONS: dict[Evidence, CorrectionReason] = {
    "beacons": "beacons",
    "negative": "negative",
    "truth": "neighbour",
    "usual": "usual",
}


class OccupancyState(Struct):
    """truth: zone -> (time, what told) of the last one; seen: zone -> when an area sensor was last weighed.

    periods: counter -> seconds its last report was about. untold: kind of evidence -> people per place not told yet.
    blind_since: counters that do not see, and since when. negative_since: zones below nobody, and since when.
    lent: people shown in each zone beyond the filter's number. asked: closed numbers when `moved` last told of some.
    counted: people each direction has counted, (D,); counted_then: zone -> the same at its last truth.
    """

    crowd: CrowdState | None = None
    baseline: BaselineState | None = None
    truth: dict[str, tuple[float, str]] = field(default_factory=dict)
    seen: dict[str, float] = field(default_factory=dict)
    periods: dict[str, float] = field(default_factory=dict)
    untold: dict[Evidence, list[float]] = field(default_factory=dict)
    blind_since: dict[str, float] = field(default_factory=dict)
    negative_since: dict[str, float] = field(default_factory=dict)
    lent: list[float] = field(default_factory=list)
    asked: list[float] = field(default_factory=list)
    counted: list[int] = field(default_factory=list)
    counted_then: dict[str, list[int]] = field(default_factory=dict)
    count_next: str = ""
    heard_at: float | None = None
    empty_at: float | None = None


class Occupancy:
    """People per zone and in the venue."""

    def __init__(self, venue: Venue, state: OccupancyState | None = None) -> None:
        self._venue = venue
        self._doors = doors = Doors(venue)
        self.zones = doors.zones
        self._counters_of: dict[str, list[str]] = {zone: [] for zone in doors.places}
        for name, counter in venue.counters.items():
            for zone in venue.portals[counter.portal].between:
                self._counters_of[zone].append(name)
        self._area = [area(zone.outline) for zone in venue.zones.values()]
        self._capacity = venue.capacity or sum(zone.capacity for zone in venue.zones.values())
        self._heard = np.array([zone in {r.zone for r in venue.receivers.values()} for zone in self.zones])
        # Nobody told us how many are inside when the very first record is read.
        spread = np.array([0.1 * zone.capacity for zone in venue.zones.values()])
        self.state = state or OccupancyState()
        self._crowd = Crowd(doors.incidence[:-1], gain=doors.gain, gain_sd=doors.gain_sd, spread=spread)
        if self.state.crowd is not None:
            self._crowd.state = self.state.crowd
        for name, seconds in self.state.periods.items():
            self._crowd.reports(doors.column[name], seconds)
        self.state.lent = self.state.lent or [0.0] * len(self.zones)
        self._baseline = Baseline(doors, np.append(spread, 0.1 * self._capacity), self.state.baseline)
        self._waiting = np.zeros(doors.moves.shape[1], dtype=np.int64)
        self._counted = np.zeros_like(self._waiting) + np.array(self.state.counted or 0, dtype=np.int64)
        self._at_places: tuple[list[int], list[int]] | None = None
        self._patient: dict[str, float] | None = None
        self._refresh()
        self._asked = self.state.asked or [self._shown(place) for place in range(len(self.zones))]

    # Crossings.

    def wait(self, crossing: Crossing) -> set[str]:
        """A crossing arrived but is not closed yet: the shown number moves at once. Returns the places it touches."""
        self._wait(crossing, +1)
        return self._doors.touched(crossing)

    def waiting(self, zone: str) -> bool:
        """Whether crossings that touch a zone are not closed yet."""
        return self._waiting_at()[0][self._doors.index[zone]] > 0

    def _wait(self, crossing: Crossing, sign: int) -> None:
        column = self._doors.column[crossing.counter]
        self._waiting[column] += sign * crossing.forward
        self._waiting[column + 1] += sign * crossing.backward
        self._at_places = None

    def _waiting_at(self) -> tuple[list[int], list[int]]:
        """People waiting at each place, and what they will add to it, in parts of a person."""
        if self._at_places is None:
            touching = (self._doors.moves != 0) @ self._waiting
            self._at_places = touching.tolist(), (self._doors.moves @ self._waiting).tolist()
        return self._at_places

    def close(
        self,
        ripe: list[Crossing],
        blind: Set[str],
        at: float,
        step_s: float,
        *,
        lying: Set[str] = frozenset(),
    ) -> list[Correction]:
        """Take in the crossings the watermark has passed; `blind`: counters that do not see, `lying`: that miscount.

        Returns what was corrected.
        """
        counts = self._doors.counts(ripe)
        self._counted += counts.astype(np.int64)
        reported, covered = self._reported(ripe)
        self._crowd.doubt(self._doors.directions(blind), self._doors.directions(lying - blind))
        gaps = [crossing for crossing in ripe if crossing.period_s > GAP_S]
        gap = GAP_SHARE * self._doors.counts(gaps) if gaps else None
        self._crowd.learn(counts, step_s, reported=reported, covered=covered, missing=gap)
        self.state.blind_since = {name: self.state.blind_since.get(name, at) for name in sorted(blind)}
        for crossing in ripe:
            self._wait(crossing, -1)
        patience = self._patience()
        settled = self._baseline.close(ripe, counts, self._missing(gap, blind, step_s), patience, at)
        self._refresh()
        if self._baseline.takes_over:
            return [
                Correction(at=at, zone=zone, before=before, after=after, reason="negative", by="balance")
                for zone, before, after in settled
            ]
        return [*self._lend(patience, at, step_s), *self._told(at)]

    def _lend(self, patience: dict[str, float], at: float, step_s: float) -> list[Correction]:
        """Lend to zones that have been below nobody for longer than their counters take to report."""
        since, lent = self.state.negative_since, self.state.lent
        if at // LOOK_EVERY_S != (at - step_s) // LOOK_EVERY_S:
            lent[:] = [people * LENT_KEPT if abs(people) > 0.05 else 0.0 for people in lent]
        self.state.negative_since = {
            zone: since.get(zone, at)
            for zone, people, more in zip(self.zones, self._value, lent, strict=True)
            if people + more < -1e-6
        }
        before = list(lent)
        for zone, began in self.state.negative_since.items():
            if at - began >= patience[zone]:
                self._borrow(self._doors.index[zone], at)
        return [
            Correction(
                at=at,
                zone=zone,
                before=round(self._value[place] + before[place], 2),
                after=round(self._value[place] + lent[place], 2),
                reason="negative",
                by="filter",
            )
            for place, zone in enumerate(self.zones)
            if abs(lent[place] - before[place]) >= LENT_WORTH_TELLING
        ]

    def _borrow(self, place: int, at: float) -> None:
        """Bring a zone to nobody with people from where those who entered it lately came from; `outside` has many.

        Zones whose number was known a moment ago lend nobody.
        """
        lack = -(self._value[place] + self.state.lent[place])
        into = np.where(self._doors.incidence[place] > 0, self._crowd.usual, 0.0)
        origins = (self._doors.incidence < 0) @ into
        spare = np.maximum(np.array([*self._value, np.inf]) + np.array([*self.state.lent, 0.0]), 0.0)
        for zone, (known_at, _) in self.state.truth.items():
            if at - known_at < KNOWN_S:
                spare[self._doors.index[zone]] = 0.0
        given = np.minimum(lack * origins / max(float(origins.sum()), 1e-12), spare)
        for giver, people in enumerate(given[:-1].tolist()):
            self.state.lent[giver] -= people
        self.state.lent[place] += lack

    def _reported(self, ripe: list[Crossing]) -> tuple[np.ndarray[tuple[int], np.dtype[np.bool_]], ...]:
        """Directions whose window just ended, and those whose count is of all the time they were silent; (D,) each."""
        reported, covered = np.zeros((2, self._waiting.size), dtype=bool)
        for crossing in ripe:
            column = self._doors.column[crossing.counter]
            if crossing.period_s > 0:
                reported[column : column + 2] = True
                if crossing.period_s <= GAP_S and self.state.periods.get(crossing.counter) != crossing.period_s:
                    self.state.periods[crossing.counter] = crossing.period_s
                    self._crowd.reports(column, crossing.period_s)
                    self._patient = None
            since = self.state.blind_since.get(crossing.counter)
            if since is not None and crossing.period_s > 0 and crossing.at - crossing.period_s <= since:
                covered[column : column + 2] = True
        return reported, covered

    def _missing(self, gap: Array | None, blind: Set[str], step_s: float) -> Array | None:
        """People the balance has probably missed in long gaps and at silent doors, (D,)."""
        if not blind:
            return gap
        missing = np.zeros(self._waiting.size) if gap is None else gap.copy()
        silent = sorted(self._doors.directions(blind))
        missing[silent] += self._crowd.usual[silent] * step_s
        return missing

    def _patience(self) -> dict[str, float]:
        """Seconds that the slowest counter of each zone takes to report."""
        if self._patient is None:
            periods = self.state.periods
            self._patient = {
                zone: max((periods.get(c, 0.0) for c in self._counters_of[zone]), default=0.0) for zone in self.zones
            }
        return self._patient

    # Truths and evidence.

    def recount(self, zone: str, people: int, at: float) -> tuple[float, float]:
        """A person counted a zone. Returns the number before and after."""
        return self._anchor(zone, float(people), max(0.25, RECOUNT_SHARE * people), at, "recount")

    def observe(self, zone: str, people: int, at: float) -> tuple[float, float]:
        """A sensor saw `people` in the whole zone, right to a tenth or two heads. Returns before and after.

        It errs in the same way from look to look: those that follow closely weigh less.
        """
        gap = at - self.state.seen.get(zone, -math.inf)
        self.state.seen[zone] = at
        sd = max(2.0, 0.1 * people) * math.sqrt(max(1.0, AREA_CORRELATED_S / max(gap, 1.0)))
        return self._anchor(zone, float(people), sd, at, "zone-sensor")

    def hear(self, beacons: list[int], at: float) -> list[Correction]:
        """Beacons believed in each zone now, (R,): weighed by the filter, once a minute."""
        self.state.count_next = self.zones[self._crowd.best_to_count()] if self.zones else ""
        if not self._heard.any():
            return []
        counts = np.where(self._heard, np.array(beacons, dtype=np.float64), np.nan)
        if self._crowd.hear(counts):
            self.state.heard_at = at
        self._refresh()
        return [] if self._baseline.takes_over else self._told(at)

    def empty_if_closed(self, at: float) -> list[Correction]:
        """An hour after closing nobody is left: the books are set to zero once a night, and what was left is told."""
        if not self._venue.hours:
            return []
        if self.state.empty_at is None:
            self.state.empty_at = empty_from(self._venue, at)
        if at < self.state.empty_at:
            return []
        self.state.empty_at = next_empty(self._venue, at)
        self.state.truth = dict.fromkeys(self.zones, (at, "closing"))
        self.state.counted_then = dict.fromkeys(self.zones, self._counted.tolist())
        residual = list(self._value)
        self._baseline.empty(self._crowd.estimate()[0])
        self._crowd.empty()
        self._crowd.told()
        self.state.untold, self.state.negative_since = {}, {}
        self.state.lent = [0.0] * len(self.zones)
        self._refresh()
        return [
            Correction(at=at, zone=zone, before=round(before, 2), after=0.0, reason="closing", by="hours")
            for zone, before in zip(self.zones, residual, strict=True)
            if abs(before) >= 0.5
        ]

    def leap(self, now: float) -> None:
        """The clock was set: no truth is younger than now, and the next closing is looked up again."""
        self.state.truth = {zone: (min(at, now), kind) for zone, (at, kind) in self.state.truth.items()}
        self.state.seen = {zone: min(at, now) for zone, at in self.state.seen.items()}
        self.state.heard_at = None
        self.state.empty_at = None

    def _anchor(self, zone: str, people: float, sd: float, at: float, kind: str) -> tuple[float, float]:
        place = self._doors.index[zone]
        before = self._shown(place)
        self._give_back(place)
        self.state.counted_then[zone] = self._counted.tolist()
        self._crowd.anchor([place], people, sd)
        self._baseline.anchor(place, people, sd)
        for told, moves in self._crowd.told().items():
            moves[place] = 0.0  # the caller tells of this zone
            self._keep(told, moves)
        last = self.state.truth.get(zone)
        if last is None or at >= last[0]:
            self.state.truth[zone] = (at, kind)
        self._refresh()
        return before, self._shown(place)

    def _give_back(self, place: int) -> None:
        """What was lent to a place whose number is known now goes back to those who lent."""
        lent = self.state.lent
        borrowed, lent[place] = max(0.0, lent[place]), 0.0
        owed = -sum(people for people in lent if people < 0)
        if borrowed and owed > 0:
            left = max(0.0, 1.0 - borrowed / owed)
            lent[:] = [people * left if people < 0 else people for people in lent]

    def _keep(self, kind: Evidence, moves: Array) -> None:
        known = self.state.untold.get(kind)
        self.state.untold[kind] = (moves if known is None else moves + known).tolist()

    def _told(self, at: float) -> list[Correction]:
        """What evidence has moved by so much that it is worth telling."""
        for kind, moves in self._crowd.told().items():
            self._keep(kind, moves)
        told = []
        for kind, untold in self.state.untold.items():
            for place, people in enumerate(untold):
                after = self._value[place]
                if abs(people) >= max(WORTH_TELLING, WORTH_SHARE * abs(after)):
                    before, untold[place] = after - people, 0.0
                    told.append(
                        Correction(
                            at=at,
                            zone=self.zones[place],
                            before=round(before, 2),
                            after=round(after, 2),
                            reason=_REASONS[kind],
                            by="filter",
                        )
                    )
        return told

    # Answers.

    def moved(self) -> set[str]:
        """Zones whose closed number moved visibly since this was asked last."""
        shown = [self._shown(place) for place in range(len(self.zones))]
        moved = {
            zone for zone, now, then in zip(self.zones, shown, self._asked, strict=True) if abs(now - then) >= VISIBLE
        }
        if moved:
            self._asked = shown
        return moved

    def people(self, zone: str) -> tuple[float, float]:
        """Closed number of a zone and its standard deviation."""
        place = self._doors.index[zone]
        return self._shown(place), self._sd[place]

    def _inside(self, waiting: float = 0.0) -> float:
        return max(0.0, self._total[0] + sum(self.state.lent) + waiting)

    def _shown(self, place: int, waiting: float = 0.0) -> float:
        return max(0.0, self._value[place] + self.state.lent[place] + waiting)

    @property
    def method(self) -> str:
        """Where the numbers come from."""
        return "balance" if self._baseline.takes_over else "filter"

    def gain(self, counter: str) -> tuple[float, float, float]:
        """People per counted person of a counter, forward and backward, and the sd of the less certain one."""
        column = self._doors.column[counter]
        gains, sd = self._crowd.gains()
        return float(gains[column]), float(gains[column + 1]), float(sd[column : column + 2].max())

    def explained(self, zone: str, at: float) -> Explained:
        """Why the closed number of a zone is what it is; its parts add up to `value`."""
        place = self._doors.index[zone]
        account, gains = self._crowd.account(place), self._crowd.gains()[0]
        counted = self._counted - np.array(self.state.counted_then.get(zone, 0), dtype=np.int64)
        doors = []
        for name in self._counters_of[zone]:
            column = self._doors.column[name]
            moved = [account.moved.get(column, 0.0), account.moved.get(column + 1, 0.0)]
            into = 0 if self._venue.counters[name].towards == zone else 1
            if any(moved) or counted[column : column + 2].any():
                doors.append(
                    DoorAccount(
                        counter=name,
                        entered=round(moved[into], 3),
                        left=round(-moved[1 - into], 3),
                        gain_in=round(float(gains[column + into]), 4),
                        gain_out=round(float(gains[column + 1 - into]), 4),
                        counted_in=int(counted[column + into]),
                        counted_out=int(counted[column + 1 - into]),
                    )
                )
        evidence: dict[str, float] = dict(account.evidence)
        if self._baseline.takes_over:
            evidence["balance"] = self._value[place] - account.value
        elif probable := self._crowd.probable(place):
            evidence["window"] = probable
        if self.state.lent[place]:
            evidence["lent"] = self.state.lent[place]
        truth = self.state.truth.get(zone)
        return Explained(
            at=at,
            zone=zone,
            value=round(account.value + sum(evidence.values()) - sum(account.evidence.values()), 3),
            sd=round(self._sd[place], 3),
            base=round(account.base, 3),
            base_at=truth[0] if truth else None,
            base_by=truth[1] if truth else "start",
            doors=doors,
            evidence={kind: round(people, 3) for kind, people in evidence.items()},
            beacon_share=round(self._crowd.share, 4) if self.state.heard_at is not None else None,
            method=self.method,
        )

    def zone_state(self, zone: str, at: float, *, quality: Quality, flows: tuple[float, float], beacons: int,
                   unknown: bool, provisional: bool) -> ZoneState:  # fmt: skip
        """What is said of a zone; `unknown` withdraws the number."""
        place = self._doors.index[zone]
        capacity = self._venue.zones[zone].capacity
        parts = self._waiting_at()[1][place] if provisional else 0
        shown = self._shown(place, parts / self._doors.parts)
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
            quality=_aged(quality, None if truth is None else at - truth[0]),
            truth_age_s=None if truth is None else round(at - truth[0], 3),
            method=self.method,
            inputs=self._inputs(zone, at),
            raw=round((self._baseline.state.raw[place] + parts) / self._doors.parts),
            beacons=beacons,
            provisional=provisional,
        )

    def venue_state(self, at: float, *, quality: Quality, flows: tuple[float, float], provisional: bool) -> VenueState:
        """What is said of the whole venue."""
        waiting = -self._waiting_at()[1][-1] / self._doors.parts if provisional else 0.0
        shown = self._inside(waiting)
        lo, hi = interval(shown, self._total[1])
        oldest = min((self.state.truth.get(zone, (-1.0, ""))[0] for zone in self.zones), default=-1.0)
        return VenueState(
            at=at,
            occupancy=round(shown, 2),
            lo=round(lo, 2),
            hi=round(hi, 2),
            capacity=self._capacity,
            inflow=flows[0],
            outflow=flows[1],
            entered=self._baseline.state.entered // self._doors.parts,
            level=_level(shown, self._capacity),
            quality=_aged(quality, at - oldest if oldest >= 0 else None),
            truth_age_s=round(at - oldest, 3) if oldest >= 0 else None,
            count_next=self.state.count_next,
            provisional=provisional,
        )

    def save(self) -> OccupancyState:
        """The state to keep; what is waiting is made again from intake's pending crossings."""
        self.state.crowd, self.state.baseline = self._crowd.state, self._baseline.save()
        self.state.asked = self._asked
        self.state.counted = self._counted.tolist()
        return self.state

    def _inputs(self, zone: str, at: float) -> list[str]:
        """What the number of a zone rests on."""
        inputs = ["counters"] if set(self._counters_of[zone]) - self.state.blind_since.keys() else []
        if (
            self.state.heard_at is not None
            and at - self.state.heard_at <= HEARD_LASTS_S
            and not self._baseline.takes_over
        ):
            inputs.append("beacons")
        truth = self.state.truth.get(zone)
        return [*inputs, truth[1]] if truth is not None and at - truth[0] <= TRUTH_LASTS_S else inputs

    def _refresh(self) -> None:
        if self._baseline.takes_over:
            value, sd = self._baseline.estimate()
            total = (-float(value[-1]), min(float(sd[-1]), math.sqrt(float((sd[:-1] ** 2).sum()))))
            value, sd = value[:-1], sd[:-1]
        else:
            value, sd = self._crowd.estimate()
            total = self._crowd.total(value)
        self._value: list[float] = value.tolist()
        self._sd: list[float] = sd.tolist()
        self._total = total


def _level(people: float, capacity: int) -> Level:
    if people >= capacity:
        return "over"
    return "high" if people >= HIGH * capacity else "normal"


def _aged(quality: Quality, age_s: float | None) -> Quality:
    """A number without a truth within a day is an estimate at best."""
    order: tuple[Quality, ...] = ("good", "estimated", "stale", "bad")
    return quality if age_s is not None and age_s <= TRUTH_LASTS_S else max(quality, "estimated", key=order.index)
