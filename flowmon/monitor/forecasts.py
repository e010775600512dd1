"""What every zone and the whole venue will hold in 15, 30 and 60 minutes: one forecaster each, fed while it is open.

Theory of operation
    Every five minutes the closed number of a place goes to its `estimators.forecast.Forecaster`, in halves of a
    person; each place has its own second of the five minutes, so that no tick bears all of them. What is not believed
    (a blind counter, a bad or stale number) is a gap: it teaches nothing, and climatology speaks until it is over.
    Nothing is learned while the venue is closed.

    Bookings are a plan that all places share: people booked for the hour up to now, and up to each horizon.

    The band of the forecaster is of the number that will be shown; how far that may be from the people who are there is
    the band of the number now, and the two are added in squares.

    After closing time nobody is expected (`method` closed); for the hour in which the last visitors walk out, whoever
    is inside now may still be. Where even this time of day is new (`persistence`, the first day) the band of the
    forecaster knows nothing yet: a zone may then fill or empty by half its capacity within the hour, and says so.

    p_over: the band as two halves of a normal distribution, whose 5 and 95 % points are lo and hi.

Memory: a place is kept as compressed MessagePack, made anew only after it has learned.
"""

import math
import zlib
from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Struct, field

from flowmon.estimators.forecast import Forecaster, ForecasterState, Outlook
from flowmon.estimators.port import Z90
from flowmon.findings import Forecast, VenueState, ZoneState
from flowmon.monitor.bookings import Bookings, Slot
from flowmon.monitor.states import StatesState
from flowmon.venue.hours import empty_from, open_until
from flowmon.venue.model import Venue

STEP_S = 300
HORIZONS_S = (900, 1_800, 3_600)
VENUE = "venue"  # the whole venue, among the zones; a zone of that name goes first
UNBELIEVED = ("stale", "bad")
SHARE_PER_S = 0.5 / 3_600.0  # of a zone's capacity that may come or go unforeseen
GRAIN = 2.0  # numbers are learned in halves: finer is noise, and noise is what makes a memory large
MEMORIES = ((15.0, 1.5),)  # one linear model instead of three, and eight weeks: 1 to 2 % worse, 2/3 of the size
DAYS_KEPT = 56
SETBACK_S = 86_400.0  # a clock that goes back by more was far wrong: what was learned since is of no known time


class ForecastsState(Struct):
    """memories: per place its forecaster, packed; b"" before it learned. steps: per place the last step looked at.

    told: the latest forecasts by place and horizon, as they were told.
    """

    memories: list[bytes] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)
    booked: list[Slot] = field(default_factory=list)
    told: dict[str, list[Forecast]] = field(default_factory=dict)


class Forecasts:
    """The forecasters of one venue."""

    def __init__(self, venue: Venue, state: ForecastsState | None = None) -> None:
        self._venue, self._timezone = venue, ZoneInfo(venue.timezone)
        self.places = [*venue.zones, *([] if VENUE in venue.zones else [VENUE])]
        self.state = state or ForecastsState(memories=[b""] * len(self.places))
        self.bookings = Bookings(self.state.booked)
        self._forecasters = [_unpacked(memory) for memory in self.state.memories]
        self._learned: set[int] = set()  # places whose packed memory is old
        self._due = self._next()

    def close(self, at: float, states: StatesState) -> list[Forecast]:
        """What the closed numbers at the watermark `at` let expect, for the places whose turn it is."""
        if not self.state.steps:
            self.state.steps = [self._step(place, at) for place in range(len(self.places))]
            self._due = self._next()
        if at < self._due:
            return []
        told: list[Forecast] = []
        closes, offset = open_until(self._venue, at), datetime.fromtimestamp(at, self._timezone).utcoffset()
        for place, name in enumerate(self.places):
            step = self._step(place, at)
            if step <= self.state.steps[place]:
                continue
            self.state.steps[place] = step
            shown = states.venue if name == VENUE and name not in states.zones else states.zones.get(name)
            if shown is not None:
                local_s = offset.total_seconds() if offset is not None else 0.0
                told += self._look(place, shown, at, closes, local_s)
        self._due = self._next()
        return told

    def current(self) -> list[Forecast]:
        """The latest forecast of every place and horizon."""
        return [forecast for name in self.places for forecast in self.state.told.get(name, ())]

    def leap(self, now: float) -> None:
        """The clock was set: turns begin again, and what learned far in what is now the future starts anew."""
        steps = self.state.steps
        for place, step in enumerate(steps):
            if step * STEP_S > now + SETBACK_S:
                self._forecasters[place] = _unpacked(b"")
                self._learned.add(place)
        self.state.steps = [self._step(place, now) for place in range(len(steps))]
        self._due = self._next()

    def save(self) -> ForecastsState:
        """The state to keep."""
        for place in sorted(self._learned):
            self.state.memories[place] = zlib.compress(msgspec.msgpack.encode(self._forecasters[place].state))
        self._learned.clear()
        self.state.booked = self.bookings.slots
        return self.state

    def _look(
        self, place: int, shown: ZoneState | VenueState, at: float, closes: float | None, local_s: float
    ) -> list[Forecast]:
        """Learn the number of a place and say what follows; the forecasts that are told now."""
        name = self.places[place]
        last = self.state.told.get(name, [])
        if closes is None:
            if not last or all(forecast.method == "closed" and forecast.hi == 0.0 for forecast in last):
                return []
            told = [self._closed(name, shown, at, horizon) for horizon in HORIZONS_S]
        else:
            people = math.nan if shown.occupancy is None or shown.quality in UNBELIEVED else shown.occupancy
            people = round(people * GRAIN) / GRAIN if math.isfinite(people) else math.nan
            self._forecasters[place].learn(at, people, local_s, self.bookings.plan(at, HORIZONS_S))
            self._learned.add(place)
            told = [
                forecast
                for horizon in HORIZONS_S
                if (forecast := self._forecast(place, shown, at, horizon, closes)) is not None
            ]
        self.state.told[name] = told
        return told

    def _forecast(
        self, place: int, shown: ZoneState | VenueState, at: float, horizon: int, closes: float
    ) -> Forecast | None:
        """One forecast; None when nothing is known."""
        name = self.places[place]
        if at + horizon >= closes:
            return self._closed(name, shown, at, horizon)
        outlook = self._forecasters[place].forecast(horizon)
        if outlook.value is None or outlook.lo is None or outlook.hi is None or outlook.method is None:
            return None
        value, lo, hi = outlook.value, outlook.lo, outlook.hi
        if outlook.method == "persistence":
            reach = SHARE_PER_S * horizon * shown.capacity
            lo, hi = min(lo, max(0.0, value - reach)), max(hi, value + reach)
        if shown.occupancy is not None:
            below, above = shown.occupancy - shown.lo, shown.hi - shown.occupancy
            lo, hi = max(0.0, value - math.hypot(value - lo, below)), value + math.hypot(hi - value, above)
        return Forecast(
            at=at,
            zone=name,
            horizon_s=float(horizon),
            occupancy=round(value, 2),
            lo=round(lo, 2),
            hi=round(hi, 2),
            method=outlook.method,
            p_over=round(over(Outlook(value, lo, hi, None), shown.capacity), 4) if shown.capacity > 0 else None,
        )

    def _closed(self, name: str, shown: ZoneState | VenueState, at: float, horizon: int) -> Forecast:
        """Nobody is expected after closing time."""
        return Forecast(
            at=at,
            zone=name,
            horizon_s=float(horizon),
            occupancy=0.0,
            lo=0.0,
            hi=round(max(0.0, shown.hi), 2) if at + horizon < empty_from(self._venue, at) else 0.0,
            method="closed",
            p_over=0.0 if shown.capacity > 0 else None,
        )

    def _step(self, place: int, at: float) -> int:
        return int((at - place % STEP_S) // STEP_S)

    def _next(self) -> float:
        """When the next turn is."""
        return min(
            ((step + 1) * STEP_S + place % STEP_S for place, step in enumerate(self.state.steps)), default=-math.inf
        )


def over(outlook: Outlook, capacity: float) -> float:
    """The probability that there will be at least `capacity` people, 0..1.

    >>> round(over(Outlook(80.0, 60.0, 100.0, "model"), capacity=100.0), 4)
    0.05
    >>> over(Outlook(80.0, 80.0, 80.0, "model"), 80.0), over(Outlook(0.0, 0.0, 0.0, "closed"), 80.0)
    (1.0, 0.0)
    """
    value, lo, hi = outlook.value or 0.0, outlook.lo or 0.0, outlook.hi or 0.0
    half = hi - value if capacity > value else value - lo
    if half <= 0.0:
        return float(value >= capacity)
    return 0.5 * math.erfc(Z90 * (capacity - value) / half / math.sqrt(2.0))


def _unpacked(memory: bytes) -> Forecaster:
    """The forecaster that was packed; a new one for nothing."""
    forecaster = Forecaster(STEP_S, HORIZONS_S, covariates=1, memories=MEMORIES, days_kept=DAYS_KEPT)
    if memory:
        forecaster.state = msgspec.msgpack.decode(zlib.decompress(memory), type=ForecasterState)
    return forecaster
