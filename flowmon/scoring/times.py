"""Times in other people's files: ISO 8601 with or without a zone, epoch seconds or milliseconds, day/month/year.

The format is chosen once for a column, from its first rows, because one row cannot tell 3/4/2026 from 4/3/2026.
Assumption: a column has one format. Where day-first and month-first fit equally, the one with the rows in order wins,
then the one with the rows closer together, then day-first; the choice is part of the report.
"""

import argparse
import math
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, tzinfo
from itertools import pairwise
from zoneinfo import ZoneInfo

from flowmon.errors import FlowmonError
from flowmon.recording import times

FIRST, LAST = 0.0, 4_102_444_800.0  # 1970..2100; anything else is no time of a visitor count
_NUMBER = re.compile(r"-?\d+(\.\d+)?([eE]\+?\d+)?")
_DATE = re.compile(r"(\d{1,4})[./-](\d{1,2})[./-](\d{1,4})(?:[ T,]+(.*))?")
_CLOCK = re.compile(r"(\d{1,2})(?::?(\d{2})(?::?(\d{2})(?:[.,]\d+)?)?)?\s*([aApP])?\.?[mM]?\.?")
_DAYS = re.compile(r"(\d+(?:\.\d+)?)d(.*)")


class TimesInvalid(FlowmonError):
    """A duration, zone or time option that is none."""


def duration(text: str) -> int:
    """Whole seconds of 10min, 1h30m, 28d, 90s. Raises FlowmonError.

    >>> [duration(text) for text in ("10min", "28d", "1h", "1d12h")]
    [600, 2419200, 3600, 129600]
    """
    found = _DAYS.fullmatch(text.strip())
    days, rest = (float(found[1]), found[2]) if found else (0.0, text.strip())
    seconds = days * 86_400 + (times.seconds(rest) if rest or not found else 0.0)
    if not 1.0 <= seconds <= 1e9 or seconds != int(seconds):
        raise TimesInvalid(f"{text!r} is no whole number of seconds: write it like 10min, 1h or 28d")
    return int(seconds)


def durations(text: str) -> tuple[int, ...]:
    """Seconds of 30min,60min, each once. Raises FlowmonError."""
    return tuple(dict.fromkeys(duration(part) for part in text.split(",")))


def hours(text: str) -> tuple[int, int]:
    """Local seconds of day of 08:00-20:00. Raises ArgumentTypeError, as argparse wants it."""
    parts = text.split("-")
    seconds = []
    for part in parts:
        hour, _, minute = part.strip().partition(":")
        if not (hour.isdigit() and (minute or "0").isdigit() and int(hour) <= 24 and int(minute or 0) < 60):
            raise argparse.ArgumentTypeError(f"{text!r} are no opening hours: write them like 08:00-20:00")
        seconds.append(int(hour) * 3600 + int(minute or 0) * 60)
    if len(seconds) != 2 or seconds[0] >= seconds[1]:
        raise argparse.ArgumentTypeError(f"{text!r} are no opening hours: write them like 08:00-20:00")
    return seconds[0], seconds[1]


def zone(name: str | None) -> tzinfo | None:
    """The IANA zone of that name. Raises TimesInvalid when there is none."""
    if name is None:
        return None
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise TimesInvalid(f"{name!r} is no time zone: write it like Europe/Paris") from error


class Clock:
    """Reads the times of one column.

    local: the zone of local hours, and of times that name none; utc: times that name none are UTC.

    >>> clock = Clock(["24/12/2026 09:30", "25/12/2026 10:00"], local=None)
    >>> clock.format, clock.read("24/12/2026 09:30")
    ('day/month/year', (1798104600.0, 0.0))
    """

    def __init__(self, sample: Sequence[str], local: tzinfo | None, *, utc: bool = False) -> None:
        self._local = local
        self._naive: tzinfo = UTC if utc or local is None else local
        readers: dict[str, Callable[[str], datetime | float | None]] = {
            "ISO 8601": _iso, "epoch": _epoch, "day/month/year": _day_first, "month/day/year": _month_first,
        }  # fmt: skip
        self.format = max(readers, key=lambda name: self._fit(readers[name], sample))  # the first of equals
        self._reader = readers[self.format]

    def read(self, text: str) -> tuple[float, float] | None:
        """Seconds since the epoch and the local offset from UTC in seconds; None when it is no time of 1970..2100."""
        return self._told(self._reader(text.strip()))

    def _fit(self, reader: Callable[[str], datetime | float | None], sample: Sequence[str]) -> tuple[int, int, float]:
        """How many times a reader can read, how many of them are in order, and how close together they are."""
        read = [told[0] for told in (self._told(reader(text.strip())) for text in sample) if told]
        span = max(read) - min(read) if read else 0.0
        return len(read), sum(later >= earlier for earlier, later in pairwise(read)), -span

    def _told(self, found: datetime | float | None) -> tuple[float, float] | None:
        """What a reader found as seconds and offset."""
        if found is None:
            return None
        try:
            if isinstance(found, float):
                moment = datetime.fromtimestamp(found, self._local or UTC)
            else:
                moment = found if found.tzinfo else found.replace(tzinfo=self._naive)
                moment = moment if self._local is None else moment.astimezone(self._local)
            at, offset = moment.timestamp(), moment.utcoffset()
        except (ValueError, OverflowError, OSError):
            return None
        if not FIRST <= at < LAST:
            return None
        return at, offset.total_seconds() if offset else 0.0


def _iso(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        pass
    # 2026-1-5 9:05, 2026-01-05 9 (an hour), 2026/01/05 09:05
    found = _DATE.fullmatch(text)
    return _of(found, 1, 2, 3) if found and len(found[1]) == 4 else None


def _epoch(text: str) -> float | None:
    if not _NUMBER.fullmatch(text):
        return None
    seconds = float(text)
    if seconds > 1e17:
        seconds /= 1e9
    elif seconds > 1e14:
        seconds /= 1e6
    elif seconds > 1e11:
        seconds /= 1e3
    # A small number is an hour or a counter, not a time.
    return seconds if math.isfinite(seconds) and seconds > 1e8 else None


def _day_first(text: str) -> datetime | None:
    found = _DATE.fullmatch(text)
    return _of(found, 3, 2, 1) if found else None


def _month_first(text: str) -> datetime | None:
    found = _DATE.fullmatch(text)
    return _of(found, 3, 1, 2) if found else None


def _of(found: re.Match[str], year: int, month: int, day: int) -> datetime | None:
    """A date by the places of its parts, with its time of day."""
    clock = _CLOCK.fullmatch((found[4] or "0").strip())
    if clock is None or len(found[year]) not in {2, 4}:
        return None
    hour, minute, second = (int(clock[part] or 0) for part in (1, 2, 3))
    if clock[4]:
        hour = hour % 12 + (12 if clock[4] in "pP" else 0)
    full = int(found[year]) + (2000 if len(found[year]) == 2 else 0)
    try:
        return datetime(full, int(found[month]), int(found[day]), hour, minute, second)  # noqa: DTZ001 the caller knows the zone
    except ValueError:
        return None
