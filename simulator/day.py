"""The day of a scenario on the epoch: when the venue opens, when it closes, and what `11:00` means."""

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Struct

from flowmon.errors import FlowmonError
from flowmon.venue.model import Venue
from simulator.scenario import Scenario

BEFORE_S = 10 * 60.0  # devices are up before the doors are
AFTER_S = 30 * 60.0  # the last visitors walk out, registers come to rest


class Day(Struct, frozen=True):
    """Times in seconds since the epoch. `shift_s` moves the whole day, so that it can be played now."""

    date: date
    zone: ZoneInfo
    opens: float
    closes: float
    shift_s: float = 0.0
    after_s: float = AFTER_S

    @property
    def start(self) -> float:
        """When the simulation begins."""
        return self.opens - BEFORE_S

    @property
    def end(self) -> float:
        """When the simulation ends."""
        return self.closes + self.after_s

    def at(self, clock: str) -> float:
        """`HH:MM` or `HH:MM:SS` of that day to the epoch, shifted. Raises FlowmonError when it is no time."""
        return _epoch(self.date, clock, self.zone) + self.shift_s


def open_days(scenario: Scenario, venue: Venue, count: int) -> list[date]:
    """The first `count` days from the scenario's on that the venue is open. Raises FlowmonError when it never is."""
    on, found = _date(scenario), list[date]()
    for ahead in range(7 * (count + 1)):
        candidate = on + timedelta(days=ahead)
        given = scenario.opens and scenario.closes
        if given or any(candidate.weekday() in hours.days for hours in venue.hours):
            found.append(candidate)
            if len(found) == count:
                return found
    raise FlowmonError(f"{venue.id} is not open on {count} days after {scenario.day}: give it hours")


def _date(scenario: Scenario) -> date:
    try:
        return date.fromisoformat(scenario.day)
    except ValueError as error:
        raise FlowmonError(f"day {scenario.day!r}: {error}") from error


def day_of(scenario: Scenario, venue: Venue, *, shift_s: float = 0.0) -> Day:
    """The day of a scenario at a venue. Raises FlowmonError when the venue is closed on it and no hours are given."""
    on = _date(scenario)
    try:
        zone = ZoneInfo(venue.timezone)
    except (ValueError, ZoneInfoNotFoundError) as error:
        raise FlowmonError(f"{venue.id} is in {venue.timezone!r}: {error}") from error
    hours = next((h for h in venue.hours if on.weekday() in h.days), None)
    opens = scenario.opens or (hours.opens if hours else None)
    closes = scenario.closes or (hours.closes if hours else None)
    if opens is None or closes is None:
        raise FlowmonError(
            f"{venue.id} is closed on {scenario.day}: set opens and closes in the scenario, or another day"
        )
    after_s = AFTER_S + scenario.overstay_s
    day = Day(on, zone, _epoch(on, opens, zone) + shift_s, _epoch(on, closes, zone) + shift_s, shift_s, after_s)
    if day.closes - day.opens < max(2 * 3600, scenario.last_entry_s + 3600):
        raise FlowmonError(
            f"{scenario.name}: {opens} to {closes} is too short a day; two hours are the least, "
            "one of them with open doors"
        )
    return day


def _epoch(on: date, clock: str, zone: ZoneInfo) -> float:
    try:
        return datetime.combine(on, time.fromisoformat(clock), zone).timestamp()
    except ValueError as error:
        raise FlowmonError(f"{clock!r} is no time of day: write it like 11:00") from error
