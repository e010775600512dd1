"""When a venue is known to be empty: an hour after it closed, until it opens again. Local hours, DST included."""

import math
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from flowmon.venue.model import Venue

SWEEP_S = 3_600.0  # the last visitors walk out
LOOK_AHEAD_DAYS = 15


def empty_from(venue: Venue, at: float) -> float:
    """The first time from `at` on (seconds) when nobody is inside: `at` itself while the venue is long closed.

    Without opening hours in the next two weeks that is two weeks ahead.
    """
    spans = _spans(venue, at)
    busy = [(opens, closes + SWEEP_S) for opens, closes in spans]
    if not any(opens <= at < empty for opens, empty in busy):
        return at
    return _first(busy, at)


def next_empty(venue: Venue, at: float) -> float:
    """The next time after `at` when the venue has just become empty."""
    return _first([(opens, closes + SWEEP_S) for opens, closes in _spans(venue, at)], at)


def open_until(venue: Venue, at: float) -> float | None:
    """When the venue that is open at `at` closes; None while it is closed, infinity when it has no hours."""
    if not venue.hours:
        return math.inf
    spans, until = sorted(_spans(venue, at)), at
    for opens, closes in spans:
        if opens <= until < closes:
            until = closes
    return until if until > at else None


def _first(busy: list[tuple[float, float]], at: float) -> float:
    """The first end of a busy span after `at` that lies in no other one."""
    ends = sorted(end for _, end in busy if end > at)
    free = (end for end in ends if not any(start <= end < other for start, other in busy))
    return next(free, at + (LOOK_AHEAD_DAYS - 1) * 86_400.0)


def _spans(venue: Venue, at: float) -> list[tuple[float, float]]:
    """(opens, closes) in seconds from the day before `at` on."""
    zone = ZoneInfo(venue.timezone)
    today = datetime.fromtimestamp(at, zone)
    spans = []
    for days in range(-1, LOOK_AHEAD_DAYS):
        day = today + timedelta(days=days)
        for hours in venue.hours:
            if day.weekday() in hours.days:
                opens, closes = (
                    day.replace(hour=int(text[:2]), minute=int(text[3:]), second=0, microsecond=0, fold=0)
                    for text in (hours.opens, hours.closes)
                )
                closes = closes if closes > opens else closes + timedelta(days=1)
                spans.append((opens.timestamp(), closes.timestamp()))
    return spans
