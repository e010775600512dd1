"""When nobody is inside, on ordinary days, split days, nights and the days the clocks change."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from flowmon.venue.hours import empty_from, next_empty
from flowmon.venue.model import Hours
from tests.small import venue

PARIS = ZoneInfo("Europe/Paris")


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=PARIS).timestamp()


@pytest.mark.parametrize(
    ("hours", "now", "empty"),
    [
        ([Hours("09:00", "18:00")], "2026-05-04 12:00", "2026-05-04 19:00"),
        ([Hours("09:00", "18:00")], "2026-05-04 19:00", "2026-05-05 19:00"),
        ([Hours("09:00", "12:00"), Hours("14:00", "18:00")], "2026-05-04 10:00", "2026-05-04 13:00"),
        ([Hours("09:00", "12:00"), Hours("12:30", "18:00")], "2026-05-04 10:00", "2026-05-04 19:00"),
        ([Hours("20:00", "02:00")], "2026-05-04 23:00", "2026-05-05 03:00"),
        ([Hours("09:00", "18:00", [0])], "2026-05-04 20:00", "2026-05-11 19:00"),
        ([Hours("09:00", "18:00")], "2026-03-28 20:00", "2026-03-29 19:00"),  # 23 hours
        ([Hours("09:00", "18:00")], "2026-10-24 20:00", "2026-10-25 19:00"),  # 25 hours
    ],
)
def test_the_next_time_the_venue_is_empty(hours: list[Hours], now: str, empty: str) -> None:
    assert next_empty(venue(hours=hours), at(now)) == at(empty)


def test_who_starts_at_night_finds_it_empty_and_who_starts_at_noon_waits() -> None:
    museum = venue(hours=[Hours("09:00", "18:00")])
    assert empty_from(museum, at("2026-05-04 03:00")) == at("2026-05-04 03:00")
    assert empty_from(museum, at("2026-05-04 18:30")) == at("2026-05-04 19:00")
    assert empty_from(museum, at("2026-05-04 12:00")) == at("2026-05-04 19:00")
