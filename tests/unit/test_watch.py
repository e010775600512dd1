"""Counters watched by their counts, through the monitor's own crossings."""

from typing import Any

import msgspec
import numpy as np
import pytest

from flowmon.monitor.intake import Crossing
from flowmon.monitor.watch import BIN_S, Watch, WatchState
from flowmon.venue.model import Counter, Floor, Hours, Portal, Venue, Zone

SQUARE = [(0.0, 0.0), (9.0, 0.0), (9.0, 9.0), (0.0, 9.0)]
ZONES = ["foyer", "hall", "cabinet", "tower"]
MIDNIGHT = 1_788_220_800.0 - 7_200.0  # a Tuesday in Paris, summer time
DAY = 86_400.0


def venue() -> Venue:
    pairs = [("outside", "foyer"), ("foyer", "hall"), ("hall", "cabinet"), ("foyer", "tower")]
    return Venue(
        id="small",
        name="Small",
        timezone="Europe/Paris",
        floors={"f": Floor(outline=SQUARE)},
        zones={name: Zone(floor="f", capacity=100, outline=SQUARE) for name in ZONES},
        portals={f"p{n}": Portal(between=pair) for n, pair in enumerate(pairs)},
        counters={f"c{n}": Counter(portal=f"p{n}", towards=pair[1], device=f"d{n}") for n, pair in enumerate(pairs)},
        hours=[Hours(opens="09:00", closes="18:00")],
    )


def live(
    watch: Watch, days: range, *, fault: Any = None, period_s: float = 0.0, blind: set[str] | None = None
) -> list[tuple[float, str, str, str]]:
    """Days of crossings, told minute by minute; what was said, with its time."""
    said = []
    for day in days:
        for minute in range(8 * 60, 20 * 60):
            at = MIDNIGHT + day * DAY + minute * 60.0
            hours = minute / 60 - 9.0
            ripe = []
            if 0 <= hours < 9:
                dice = np.random.default_rng(day * 1440 + minute)
                for n in range(4):
                    people = dice.poisson(4.0 * np.sin((hours + np.array([0.5, 0.1])) / 9.6 * np.pi), 2)
                    counts = [int(value) for value in people]
                    counts = fault(n, counts) if fault else counts
                    ripe.append(Crossing(at, f"c{n}", minute, counts[0], counts[1], late=False, period_s=period_s))
            said += [(at, *told) for told in watch.close(ripe, at, blind or set())]
    return said


@pytest.fixture(scope="module")
def week() -> bytes:
    watch = Watch(venue())
    assert live(watch, range(8)) == []
    return msgspec.msgpack.encode(watch.save())


def restored(week: bytes) -> Watch:
    return Watch(venue(), msgspec.msgpack.decode(week, type=WatchState))


def test_a_day_without_a_fault_says_nothing(week: bytes) -> None:
    watch = restored(week)
    assert live(watch, range(8, 9)) == []
    assert watch.doubted() == (set(), set())


def test_a_counter_that_stops_counting_is_named_with_its_evidence(week: bytes) -> None:
    watch = restored(week)
    said = live(watch, range(8, 9), fault=lambda n, counts: [0, 0] if n == 2 else counts)
    _, device, code, reason = said[0]
    assert (device, code) == ("d2", "counts-dead-c2")
    assert reason.startswith("c2 has counted nobody since 09:")
    assert watch.doubted() == ({"c2"}, set())
    over = live(watch, range(9, 10))
    assert over[0][1:] == ("d2", "counts-dead-c2", "")
    assert watch.doubted() == (set(), set())


def test_a_counter_that_misses_half_is_doubted(week: bytes) -> None:
    watch = restored(week)
    said = live(watch, range(8, 9), fault=lambda n, counts: [c // 2 for c in counts] if n == 1 else counts)
    assert said[0][1:3] == ("d1", "counts-loss-c1")
    assert " expected; " in said[0][3]
    assert watch.doubted() == (set(), {"c1"})


def test_a_counter_known_to_be_blind_is_missing_not_dead(week: bytes) -> None:
    watch = restored(week)
    said = live(watch, range(8, 9), fault=lambda n, counts: [0, 0] if n == 2 else counts, blind={"c2"})
    assert said == []


def test_minute_windows_say_the_same_as_events(week: bytes) -> None:
    watch = restored(week)
    said = live(watch, range(8, 9), fault=lambda n, counts: [0, 0] if n == 2 else counts, period_s=60.0)
    assert said[0][1:3] == ("d2", "counts-dead-c2")


def test_a_restart_changes_nothing(week: bytes) -> None:
    def fault(n: int, counts: list[int]) -> list[int]:
        return [c // 2 for c in counts] if n == 1 else counts

    kept, again = restored(week), restored(week)
    live(again, range(8, 9), fault=fault)
    live(kept, range(8, 9), fault=fault)
    again = Watch(venue(), msgspec.msgpack.decode(msgspec.msgpack.encode(again.save()), type=WatchState))
    assert live(kept, range(9, 11), fault=fault) == live(again, range(9, 11), fault=fault)


def test_nothing_is_learned_on_the_first_days_nor_at_night(week: bytes) -> None:
    watch = Watch(venue())
    assert live(watch, range(3), fault=lambda n, counts: [0, 0] if n == 0 else counts) == []
    before = restored(week).save()
    watch = restored(week)
    for minute in range(60 * 6):
        watch.close([], MIDNIGHT + 8 * DAY + minute * 60.0, set())
    assert watch.save().changes == before.changes


def test_a_leap_of_years_is_no_work_and_no_alarm(week: bytes) -> None:
    watch = restored(week)
    assert watch.close([], MIDNIGHT + 4_000 * DAY, set()) == []
    watch.leap()
    assert watch.close([], MIDNIGHT, set()) == []
    assert len(watch.state.bins) <= 40


def test_long_periods_and_many_bins_are_bounded() -> None:
    watch = Watch(venue())
    for n in range(2_000):
        watch.close([Crossing(MIDNIGHT + n, "c0", n, 1, 0, late=False, period_s=10 * DAY)], MIDNIGHT + n, set())
    assert len(watch.state.bins) <= 40
    assert Watch(msgspec.structs.replace(venue(), counters={})).close([], MIDNIGHT, set()) == []
    assert BIN_S == 300.0
