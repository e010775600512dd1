"""Times as people write them on a command line: `13:50`, `+2h`, `-10m`, `2026-05-02T13:50`, `20m`. Pure."""

import math
import re
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from flowmon.errors import FlowmonError

_PARTS = re.compile(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m(?:in)?)?(?:(\d+(?:\.\d+)?)s?)?")
_OF_DAY = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?")


class Unreadable(FlowmonError):
    """A time, duration or rate that is none, with examples of what is."""


def seconds(text: str) -> float:
    """A duration in seconds.

    >>> [seconds(text) for text in ("20m", "1h30m", "90", "1.5s")]
    [1200.0, 5400.0, 90.0, 1.5]
    """
    found = _PARTS.fullmatch(text)
    if not text or not found:
        raise Unreadable(f"{text!r} is no duration: write it like 20m, 1h30m or 90s")
    hours, minutes, rest = (float(part or 0) for part in found.groups())
    return hours * 3600 + minutes * 60 + rest


def rate(text: str) -> float:
    """A replay rate; `max` is infinite.

    >>> rate("8"), rate("max")
    (8.0, inf)
    """
    try:
        value = math.inf if text == "max" else float(text)
    except ValueError:
        value = 0.0
    if not value > 0:
        raise Unreadable(f"{text!r} is no rate: write a number above 0, or max")
    return value


def moment(text: str, *, anchor: float, zone: tzinfo, begin: float) -> float:
    """A point in time, seconds since the epoch.

    `13:50` is on the local day of `anchor`; `+2h` counts from `begin`, `-10m` back from `anchor`; an ISO time
    without an offset is local. Raises Unreadable.
    """
    if text[:1] in {"+", "-"}:
        return begin + seconds(text[1:]) if text[0] == "+" else anchor - seconds(text[1:])
    if found := _OF_DAY.fullmatch(text):
        hour, minute, second = (int(part or 0) for part in found.groups())
        if hour < 24 and minute < 60 and second < 60:
            day = datetime.fromtimestamp(anchor, zone)
            return day.replace(hour=hour, minute=minute, second=second, microsecond=0).timestamp()
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        raise Unreadable(f"{text!r} is no time: write it like 13:50, +2h, -10m or 2026-05-02T13:50") from None
    return (parsed if parsed.tzinfo else parsed.replace(tzinfo=zone)).timestamp()


def window(
    start: str | None,
    until: str | None,
    duration: str | None = None,
    *,
    anchor: float,
    zone: tzinfo,
    begin: float,
) -> tuple[float, float]:
    """(start, until) of what is wanted, infinite where open. An `until` of the day that lies before the start
    is the next day's. Raises Unreadable for both `until` and `duration`, and for a window that is empty.
    """
    if until and duration:
        raise Unreadable("give --until or --duration, not both")
    first = moment(start, anchor=anchor, zone=zone, begin=begin) if start else -math.inf
    last = moment(until, anchor=anchor, zone=zone, begin=begin) if until else math.inf
    if duration:
        last = (first if start else begin) + seconds(duration)
    if until and last <= first and _OF_DAY.fullmatch(until):
        last += timedelta(days=1).total_seconds()
    if last <= first:
        raise Unreadable(f"{until or duration} ends before {start} begins: nothing is left")
    return first, last


def zone_of(name: str) -> tzinfo:
    """A time zone by its name, UTC for one that is not known here (a recording from elsewhere)."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return UTC


def written(at: float, zone: tzinfo = UTC) -> str:
    """A point in time for people, to the second; a broken clock's time is written as its number."""
    try:
        return datetime.fromtimestamp(at, zone).isoformat(timespec="seconds")
    except (ValueError, OverflowError, OSError):
        return f"{at:g} s"
