"""Forecasts of zones and the venue: what is said when, on what it rests, and what it costs."""

import math
import time
from collections import defaultdict

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowmon import wire
from flowmon.estimators.forecast import Forecaster, Outlook
from flowmon.facts import Booked, Fact, Tick
from flowmon.findings import Forecast, Rejected, VenueState, ZoneState
from flowmon.monitor.bookings import SLOTS_MAX, Bookings
from flowmon.monitor.core import Monitor
from flowmon.monitor.forecasts import HORIZONS_S, MEMORIES, STEP_S, Forecasts, over
from flowmon.monitor.states import StatesState
from flowmon.venue.model import Hours, Venue, Zone
from simulator.days import days
from simulator.record import records
from simulator.scenario import load
from simulator.truth import Occupied, Truth
from simulator.venues import layout
from tests import small

DAY_S = 86_400
MIDNIGHT = 1_777_586_400.0  # 2026-05-01 in Paris
HOURS = [Hours(opens="10:00", closes="18:00")]
OPENS, CLOSES = MIDNIGHT + 10 * 3600, MIDNIGHT + 18 * 3600


def states(venue: Venue, at: float, people: float | None, quality: str = "good") -> StatesState:
    """Every zone holds `people`, give or take nobody; the venue three times as many."""
    spread = {"lo": people or 0.0, "hi": people or 0.0}
    zones = {
        name: ZoneState(at=at, zone=name, occupancy=people, capacity=zone.capacity, quality=quality, **spread)  # type: ignore[arg-type]
        for name, zone in venue.zones.items()
    }
    total = 0.0 if people is None else 3 * people
    return StatesState(zones=zones, venue=VenueState(at=at, occupancy=total, lo=total, hi=total, capacity=130))


def day(people_at: float) -> float:
    """A usual day: nobody at ten and at six, 40 at two."""
    return 40.0 * math.sin(math.pi * min(max((people_at - 10.0) / 8.0, 0.0), 1.0))


def walk(
    forecasts: Forecasts, venue: Venue, first: int, last: int, quality: str = "good", step_s: int = 60
) -> list[Forecast]:
    """Days `first` up to but without `last`, from nine in the morning to eight in the evening."""
    told = []
    for number in range(first, last):
        for second in range(9 * 3600, 20 * 3600, step_s):
            at = MIDNIGHT + number * DAY_S + second
            told += forecasts.close(at, states(venue, at, day(second / 3600), quality))
    return told


def test_every_zone_and_the_venue_are_forecast_once_a_step_while_it_is_open() -> None:
    venue = small.venue(hours=HOURS)
    told = walk(Forecasts(venue), venue, 0, 1)
    places = {forecast.zone for forecast in told}
    assert places == {"hall", "room", "tower", "venue"}
    per_subject = defaultdict(list)
    for forecast in told:
        per_subject[forecast.zone, forecast.horizon_s].append(forecast)
    assert set(per_subject) == {(place, float(horizon)) for place in places for horizon in HORIZONS_S}
    for subject in per_subject.values():
        assert len(subject) == len({f.at // STEP_S for f in subject})
        assert 8 * 12 <= sum(f.at < CLOSES for f in subject) + 1 <= 8 * 12 + 1
        assert min(f.at for f in subject) >= OPENS
        assert all(0.0 <= f.lo <= f.occupancy <= f.hi for f in subject)
        for forecast in subject:
            assert (forecast.method == "closed") == (forecast.at + forecast.horizon_s >= CLOSES)
            if forecast.method == "closed":
                assert forecast.occupancy == 0.0
    assert {f.method for f in told} == {"persistence", "closed"}
    assert all(f.hi == 0.0 for f in told if f.at + f.horizon_s >= CLOSES + 3600)


def test_the_first_day_is_honest_about_what_may_come() -> None:
    venue = small.venue(hours=HOURS)
    first = walk(Forecasts(venue), venue, 0, 1)
    for forecast in first:
        if forecast.method == "persistence":
            capacity = 130 if forecast.zone == "venue" else venue.zones[forecast.zone].capacity
            assert forecast.hi - forecast.occupancy >= 0.5 * capacity * forecast.horizon_s / 3600 - 0.01


def test_methods_follow_what_is_known() -> None:
    venue = small.venue(hours=HOURS)
    forecasts = Forecasts(venue)
    walk(forecasts, venue, 0, 1)
    second = walk(forecasts, venue, 1, 2)
    assert {f.method for f in second} == {"clim_dev", "closed"}
    later = walk(forecasts, venue, 2, 6)
    assert {f.method for f in later} == {"clim_dev", "model", "closed"}
    late = [f for f in later if f.method == "model" and f.at > MIDNIGHT + 5 * DAY_S and f.zone == "hall"]
    assert late
    for forecast in late:
        hour = (forecast.at + forecast.horizon_s - MIDNIGHT) % DAY_S / 3600
        assert forecast.occupancy == pytest.approx(day(hour), abs=2.0)


@pytest.mark.parametrize("quality", ["stale", "bad"])
def test_what_is_not_believed_teaches_nothing(quality: str) -> None:
    venue = small.venue(hours=HOURS)
    sound, doubted = Forecasts(venue), Forecasts(venue)
    for forecasts in (sound, doubted):
        walk(forecasts, venue, 0, 2)
    places = range(len(venue.zones))
    labels = [doubted._forecasters[place].state.horizons[0].models.labels for place in places]
    told = walk(doubted, venue, 2, 3, quality)
    assert {f.method for f in told if f.zone != "venue"} == {"climatology", "closed"}
    assert labels == [doubted._forecasters[place].state.horizons[0].models.labels for place in places]
    assert {f.method for f in walk(doubted, venue, 3, 4) if f.zone == "hall"} >= {"clim_dev"}


def test_an_unknown_number_is_forecast_from_other_days_or_not_at_all() -> None:
    venue = small.venue()
    forecasts = Forecasts(venue)
    at = OPENS
    for step in range(40):
        at = OPENS + 60.0 * step
        told = forecasts.close(at, states(venue, at, None))
        assert [f for f in told if f.zone != "venue"] == []


def test_closed_is_told_once_and_then_nothing_until_it_opens() -> None:
    venue = small.venue(hours=HOURS)
    forecasts = Forecasts(venue)
    told = walk(forecasts, venue, 0, 1)
    after = [f for f in told if f.at >= CLOSES]
    assert {(f.method, f.occupancy, f.hi, f.p_over) for f in after} == {("closed", 0.0, 0.0, 0.0)}
    assert len({(f.zone, f.horizon_s) for f in after}) == len(after) == 4 * len(HORIZONS_S)
    assert {f.method for f in forecasts.current()} == {"closed"}


def test_the_last_visitors_may_still_be_inside_after_closing() -> None:
    venue = small.venue(hours=HOURS)
    forecasts, told = Forecasts(venue), []
    for minute in range(-30, 90):
        at = CLOSES + 60.0 * minute
        told += forecasts.close(at, states(venue, at, 6.0 if minute < 45 else 0.0))
    hall = [f for f in told if f.zone == "hall" and f.method == "closed"]
    assert {f.hi for f in hall if f.at < CLOSES + 2400 and f.at + f.horizon_s < CLOSES + 3600} == {6.0}
    assert {f.hi for f in hall if f.at + f.horizon_s >= CLOSES + 3600} == {0.0}
    assert CLOSES <= max(f.at for f in hall) < CLOSES + 3600


def test_places_take_turns() -> None:
    zones = {f"z{n}": Zone(floor="ground", capacity=20, outline=small.SQUARE) for n in range(25)}
    venue = small.venue(zones=zones, portals={}, counters={}, receivers={}, queues={}, rules={})
    forecasts = Forecasts(venue)
    for second in range(2 * STEP_S):
        at = OPENS + second
        places = {f.zone for f in forecasts.close(at, states(venue, at, 5.0))}
        assert len(places) <= 1
        assert len(forecasts.current()) <= 26 * len(HORIZONS_S)
    assert {f.zone for f in forecasts.current()} == {*zones, "venue"}


def test_a_zone_called_venue_is_a_zone() -> None:
    zones = {"venue": Zone(floor="ground", capacity=20, outline=small.SQUARE)}
    venue = small.venue(zones=zones, portals={}, counters={}, receivers={}, queues={}, rules={})
    forecasts = Forecasts(venue)
    assert forecasts.places == ["venue"]


def test_a_clock_that_was_set_back_does_not_silence_forecasts_for_long() -> None:
    venue = small.venue()
    forecasts = Forecasts(venue)
    for future in (0.0, 400 * DAY_S):
        forecasts.leap(OPENS + future)
        for minute in range(30):
            at = OPENS + future + 60.0 * minute
            assert len(forecasts.close(at, states(venue, at, 7.0))) in (0, 3, 6, 9, 12)
    forecasts.leap(OPENS + DAY_S)
    told = [
        forecast
        for minute in range(30)
        for forecast in forecasts.close(OPENS + DAY_S + 60.0 * minute, states(venue, OPENS, 9.0))
    ]
    assert {(f.zone, f.occupancy) for f in told if f.zone != "venue"} == {(zone, 9.0) for zone in venue.zones}


# The probability of reaching the capacity.

BANDS = st.tuples(*[st.floats(0.0, 1e4)] * 3).map(sorted)


@given(BANDS, st.floats(1.0, 1e4), st.floats(1.0, 1e4))
def test_a_larger_capacity_is_never_reached_more_often(band: list[float], one: float, other: float) -> None:
    outlook = Outlook(band[1], band[0], band[2], "model")
    assert 0.0 <= over(outlook, max(one, other)) <= over(outlook, min(one, other)) <= 1.0


@given(BANDS, st.floats(1.0, 1e4), st.floats(0.0, 1e3))
def test_more_people_never_make_it_less_likely(band: list[float], capacity: float, more: float) -> None:
    less, most = Outlook(band[1], band[0], band[2], "m"), Outlook(band[1] + more, band[0] + more, band[2] + more, "m")
    assert over(most, capacity) >= over(less, capacity) - 1e-9


@given(BANDS, st.floats(1.0, 1e4), st.floats(1.0, 3.0))
def test_a_wider_upper_half_makes_a_far_capacity_likelier(band: list[float], capacity: float, factor: float) -> None:
    lo, value, hi = band
    wider = Outlook(value, lo, value + factor * (hi - value), "m")
    if capacity > value:
        assert over(wider, capacity) >= over(Outlook(value, lo, hi, "m"), capacity) - 1e-9


# Bookings.


def booked(people: int, start: float, *, at: float = 0.0, seq: int = 0, length: float = 1800.0) -> Booked:
    return Booked(at=OPENS + at, source="shop", seq=seq, people=people, start=start, end=start + length)


def test_the_latest_word_on_a_slot_counts_in_any_order() -> None:
    one, other = Bookings(), Bookings()
    facts = [booked(10, OPENS, at=1, seq=1), booked(30, OPENS, at=3, seq=3), booked(20, OPENS, at=2, seq=2)]
    for bookings, order in ((one, facts), (other, reversed(facts))):
        for fact in order:
            assert bookings.learn(fact, OPENS) == ""
    assert one.slots == other.slots
    assert one.between(OPENS, OPENS + 3600) == 30.0
    assert one.between(OPENS + 900, OPENS + 3600) == 15.0
    assert one.plan(OPENS, (900, 3600)) == [[0.0], [15.0], [30.0]]


def test_slots_are_bounded_and_end() -> None:
    bookings = Bookings()
    for number in range(SLOTS_MAX + 50):
        bookings.learn(booked(1, OPENS + 1800.0 * number, seq=number), OPENS)
    assert len(bookings.slots) == SLOTS_MAX
    assert bookings.slots[0].start == OPENS
    bookings.learn(booked(1, OPENS + 100 * DAY_S), OPENS + 99 * DAY_S)
    assert len(bookings.slots) == 1


@pytest.mark.parametrize(
    ("people", "start", "length"),
    [(-1, OPENS, 60.0), (10**9, OPENS, 60.0), (1, math.nan, 60.0), (1, OPENS, 0.0), (1, OPENS, 1e6), (1, -5.0, 60.0)],
)
def test_impossible_bookings_are_refused(people: int, start: float, length: float) -> None:
    monitor = Monitor(small.venue())
    small.run(monitor, small.ticks(0, 3))
    found = small.run(monitor, [booked(people, start, length=length)])
    assert [type(finding) for finding in found] == [Rejected]


def test_bookings_are_inputs_and_a_repeated_one_changes_nothing() -> None:
    one, other = Monitor(small.venue()), Monitor(small.venue())
    fact = msgspec.structs.replace(booked(50, small.T0 + 600), at=small.T0)
    small.run(one, [*small.ticks(0, 3), fact, *small.ticks(3, 6)])
    small.run(other, [*small.ticks(0, 3), fact, fact, *small.ticks(3, 6)])
    assert one._forecasts.bookings.between(small.T0, small.T0 + 3600) == 50.0
    assert one._forecasts.bookings.slots == other._forecasts.bookings.slots


def test_groups_that_are_booked_are_expected() -> None:
    """A group of 60 comes for an hour, each day at another time; only bookings know when."""
    errors: dict[bool, float] = {}
    for known in (True, False):
        forecaster, dice = (
            Forecaster(STEP_S, (3600,), 1, memories=MEMORIES),
            np.random.default_rng(3),
        )
        off = []
        for number in range(25):
            opens = OPENS + number * DAY_S
            comes = opens + 300.0 * int(dice.integers(14, 70))
            bookings = Bookings()
            if known:
                bookings.learn(booked(60, comes, length=300.0), opens)
            expected: list[float] = []
            for step in range(96):
                at = opens + 300.0 * step
                people = 20.0 + 60.0 * (comes < at <= comes + 3600)
                if number >= 15 and step >= 12:
                    off.append(abs(expected[step - 12] - people))
                forecaster.learn(at, people, 7200.0, bookings.plan(at, (3600,)))
                expected.append(forecaster.forecast(3600).value or 0.0)
        errors[known] = float(np.mean(off))
    print(f"mean error with bookings {errors[True]:.1f}, without {errors[False]:.1f} people")
    assert errors[True] < 0.7 * errors[False]


# The whole monitor.


def test_a_restart_in_the_middle_changes_nothing_and_repeats_are_no_news() -> None:
    venue = small.venue(hours=[Hours(opens="15:00", closes="19:00")])
    facts: list[Fact] = []
    for number in range(3):
        for minute in range(0, 5 * 60, 2):
            second = number * DAY_S - 3600 + 60.0 * minute
            seq = 1000 * number + minute
            facts += [small.cross("ctr-gate", second + 1, seq, forward=1 + minute % 4, backward=minute % 3)]
            facts += [msgspec.structs.replace(booked(9, small.T0 + second + 900, seq=seq), at=small.T0 + second + 2)]
            facts += [small.tick(second + 30), small.tick(second + 60)]
    straight = Monitor(venue)
    expected = [wire.encode(f) for f in small.run(straight, facts)]
    assert sum(b'"forecast"' in line for line in expected) > 500
    for split in (1, len(facts) // 3, len(facts) // 2 + 1, len(facts) - 5):
        first = Monitor(venue)
        got = [wire.encode(f) for f in small.run(first, facts[:split])]
        second_half = Monitor.restore(venue, first.snapshot())
        got += [wire.encode(f) for fact in facts[split:] for f in second_half.apply(fact)]
        assert got == expected
        assert second_half.snapshot() == straight.snapshot()
        assert second_half.current() == straight.current()
    assert not [f for fact in facts[-4:] for f in straight.apply(fact) if isinstance(f, Forecast)]


def test_two_simulated_days_are_forecast_for_all_zones_with_honest_bands() -> None:
    venue = layout("S")
    monitor, true = Monitor(venue), dict[str, int]()
    told: list[Forecast] = []
    truth: dict[int, dict[str, int]] = {}

    def hear(fact: Truth) -> None:
        if isinstance(fact, Occupied):
            true[fact.zone] = fact.people

    for simulation, learning in days(venue, load("normal"), 1002, learning=1, scored=1, presences=False):
        true.clear()
        for record in records(simulation, true=hear, tick_s=20):
            found = monitor.apply_record(record)
            if isinstance(record[0], Tick):
                truth[int(record[0].at)] = dict(true)
            if not learning:
                told += [f for f in found if isinstance(f, Forecast)]
    assert {f.zone for f in told} == {*venue.zones, "venue"}
    assert all(f.simulated for f in told)
    held: dict[float, list[bool]] = defaultdict(list)
    for forecast in told:
        target = int(forecast.at + forecast.horizon_s) // 20 * 20
        if target in truth and forecast.zone != "venue" and forecast.method != "closed":
            held[forecast.horizon_s].append(forecast.lo <= truth[target].get(forecast.zone, 0) <= forecast.hi)
    assert set(held) == {float(horizon) for horizon in HORIZONS_S}
    for horizon, inside in held.items():
        share = sum(inside) / len(inside)
        print(f"{horizon / 60:.0f} min: {share:.3f} of {len(inside)} truths inside the band")
        assert 0.8 <= share <= 1.0


def test_what_is_remembered_of_two_months_is_small_and_looked_at_quickly() -> None:
    """One zone lives through two months of noise; all others would be as large."""
    venue = small.venue(
        hours=[Hours(opens="09:00", closes="18:00")],
        zones={"z": Zone(floor="ground", capacity=60, outline=small.SQUARE)},
        portals={}, counters={}, receivers={}, queues={}, rules={},
    )  # fmt: skip
    forecasts, dice = Forecasts(venue), np.random.default_rng(5)
    turns, seconds = 0, 0.0
    for number in range(58):
        for second in range(9 * 3600, 18 * 3600, STEP_S):
            at = MIDNIGHT + number * DAY_S + second
            people = round(max(0.0, day(second / 3600) * (1 + 0.2 * math.sin(number)) + dice.normal(0, 4)), 2)
            shown = states(venue, at, people)
            if number % 7:
                shown.venue = None  # the venue has fewer days behind it, and costs less time here
            begun = time.perf_counter()
            turns += len(forecasts.close(at, shown)) // len(HORIZONS_S)
            seconds += time.perf_counter() - begun
    size = max(len(memory) for memory in forecasts.save().memories)
    for count, limit in ((12, 600_000), (25, 1_100_000)):
        each_tick = seconds / turns * (count + 1) / STEP_S
        print(f"{count} zones: {size * (count + 1) / 1e3:.0f} kB, {1e6 * each_tick:.0f} µs a tick, on average")
        assert size * (count + 1) < limit
