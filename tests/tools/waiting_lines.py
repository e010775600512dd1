"""Waiting lines with known truth, independent of the simulator's constants: what wait estimators are judged on.

First come, first served (or with a head start for some), lognormal services, desks that open and close by schedule,
people who leave unserved. Everything is drawn from the seed.
"""

import heapq
import math
from collections.abc import Callable, Sequence

import numpy as np
from msgspec import Struct

DAY_S = 86_400.0


class Party(Struct):
    """One party, seconds; NaN: never. late: joined where nobody stood and a desk was free (it did not wait)."""

    joined: float
    served: float = math.nan
    abandoned: float = math.nan
    done: float = math.nan
    desk: int = 0
    servers: int = 0
    kind: int = 0

    @property
    def wait(self) -> float:
        """Seconds between joining and service; NaN when it was never served."""
        return self.served - self.joined


class Desk(Struct, frozen=True):
    """A line: mean seconds of a service, its cv², (from hour, desks) of a day, arrivals per hour by hour of the day.

    patience_s: mean of an exponential patience; infinity: nobody leaves. rush: share of parties with `credit_s`
    seconds of head start. noise: sd of the log of a day's load.
    """

    service_s: float
    cv2: float
    staff: Sequence[tuple[float, int]]
    arrivals: Callable[[float], float]
    opens: float = 9.0
    closes: float = 18.0
    patience_s: float = math.inf
    rush: float = 0.0
    credit_s: float = 0.0
    noise: float = 0.1


def day(rng: np.random.Generator, desk: Desk, start: float) -> list[Party]:  # noqa: C901 -- four kinds of events
    """The parties of a day that begins (midnight) at `start`, in order of arrival."""
    parties = _arrivals(rng, desk, start)
    spread = math.sqrt(math.log(1.0 + desk.cv2))
    events: list[tuple[float, int, int, int]] = []  # (at, kind, number, desk); kinds: 0 done, 1 staff, 2 join, 3 leave
    for number, party in enumerate(parties):
        heapq.heappush(events, (party.joined, 2, number, 0))
    for hour, count in desk.staff:
        heapq.heappush(events, (start + 3600.0 * hour, 1, count, 0))
    line: list[tuple[float, int]] = []
    busy: dict[int, int] = {}
    staff = 0

    def call(at: float) -> None:
        while line:
            free = next((d for d in range(1, staff + 1) if d not in busy), None)
            if free is None:
                return
            _, number = heapq.heappop(line)
            party = parties[number]
            if not math.isnan(party.abandoned):
                continue
            party.served, party.desk = at, free
            party.done = at + float(rng.lognormal(math.log(desk.service_s) - spread**2 / 2.0, spread))
            busy[free] = number
            heapq.heappush(events, (party.done, 0, number, free))

    while events:
        at, kind, number, place = heapq.heappop(events)
        if kind == 0:
            del busy[place]
        elif kind == 1:
            staff = number
        elif kind == 2:
            parties[number].servers = staff
            heapq.heappush(line, (at - (desk.credit_s if parties[number].kind else 0.0), number))
            if math.isfinite(desk.patience_s):
                heapq.heappush(events, (at + float(rng.exponential(desk.patience_s)), 3, number, 0))
        elif math.isnan(parties[number].served):
            parties[number].abandoned = at
        call(at)
    return parties


def _arrivals(rng: np.random.Generator, desk: Desk, start: float) -> list[Party]:
    load = float(np.exp(rng.normal(-(desk.noise**2) / 2.0, desk.noise)))
    out: list[Party] = []
    for minute in range(int(desk.opens * 60), int(desk.closes * 60)):
        rate = load * desk.arrivals(minute / 60.0) / 60.0
        times = np.sort(rng.uniform(0.0, 60.0, size=rng.poisson(rate)))
        out += [Party(joined=start + 60.0 * minute + float(at), kind=int(rng.uniform() < desk.rush)) for at in times]
    return out


def peaked(base: float, *peaks: tuple[float, float, float]) -> Callable[[float], float]:
    """Arrivals per hour: a base and (hour, width in hours, height) bells."""
    return lambda hour: base + sum(height * math.exp(-(((hour - at) / width) ** 2)) for at, width, height in peaks)


def ticket_desk(load: float, service_s: float = 50.0) -> Desk:
    """Two to four desks, lognormal services of cv² .6, arrivals with two peaks; load 1 keeps the desks just busy."""
    return Desk(
        service_s=service_s,
        cv2=0.6,
        staff=[(9.0, 2), (10.0, 3), (11.0, 4), (13.0, 3), (14.0, 4), (16.0, 3), (17.0, 2)],
        arrivals=peaked(load * 110.0, (11.2, 1.2, load * 165.0), (14.7, 1.0, load * 140.0)),
    )


def call_centre(load: float = 1.0) -> Desk:
    """A small call centre: four to eight agents, long heavy services, callers who give up, some with a credit."""
    return Desk(
        service_s=200.0,
        cv2=1.4,
        staff=[(7.0, 4), (8.0, 6), (9.0, 8), (12.0, 7), (13.0, 6), (14.0, 8), (17.0, 6), (19.0, 5), (22.0, 3)],
        arrivals=peaked(load * 60.0, (10.5, 2.0, load * 90.0), (15.0, 2.5, load * 65.0)),
        opens=7.0,
        closes=24.0,
        patience_s=420.0,
        rush=0.3,
        credit_s=90.0,
        noise=0.12,
    )


def days(seed: int, desk: Desk, count: int, start: float = 1_772_409_600.0) -> list[Party]:
    """`count` days in a row; `start` is a midnight (UTC)."""
    rng = np.random.default_rng(seed)
    return [party for number in range(count) for party in day(rng, desk, start + number * DAY_S)]


class Ride(Struct):
    """One row of a theme park's file, minutes: the sign, or what somebody had waited."""

    at: float
    posted: float | None = None
    actual: float | None = None


def ride(seed: int, count: int, start: float = 1_772_409_600.0) -> list[Ride]:
    """`count` days of a ride: a sign every 5-12 min that overstates and lags, some dozen actual waits a day."""
    rng = np.random.default_rng(seed)
    out: list[Ride] = []
    for number in range(count):
        midnight = start + number * DAY_S
        level = float(np.exp(rng.normal(0.0, 0.3)))
        shape = peaked(22.0, (11.5, 2.0, 22.0), (16.0, 3.0, 15.0))
        drift, waits = 0.0, []
        for minute in range(9 * 60, 21 * 60):
            drift += -drift / 90.0 + rng.normal(0.0, 0.045)
            waits.append(max(0.0, level * shape(minute / 60.0) * math.exp(drift)))
        over = float(rng.normal(1.4, 0.1))
        minute = 0
        while minute < len(waits):
            seen = waits[max(0, minute - 20)] * over + float(rng.normal(4.0, 3.0))
            out.append(Ride(midnight + 60.0 * (540 + minute), posted=5.0 * max(1, round(seen / 5.0))))
            minute += int(rng.integers(5, 13))
        for place in np.sort(rng.integers(0, len(waits) - 1, size=rng.poisson(14))).tolist():
            actual = waits[place] * float(np.exp(rng.normal(0.0, 0.2)))
            out.append(Ride(midnight + 60.0 * (540 + place) + 7.0, actual=float(round(actual))))
    return sorted(out, key=lambda row: row.at)
