"""Layouts, days in a row, and what is new in the world: same devices, other people, forgotten beacons, knocks."""

from collections import Counter as Tally
from datetime import date, timedelta
from itertools import pairwise

import numpy as np
import pytest
from msgspec import structs

from flowmon.errors import FlowmonError
from flowmon.facts import Count, Fact, Presence, Sighting
from flowmon.names import OUTSIDE
from flowmon.venue.parse import read
from simulator import scenario, venues
from simulator.days import attendance, days
from simulator.scenario import Attendance, Scenario
from simulator.simulation import Simulation
from simulator.truth import Carried, Crossed, Faulted, Truth
from tests import tiny_museum

ROOMS = {"S": (5, 1), "M": (12, 1), "L": (25, 2)}


@pytest.mark.parametrize("name", ROOMS)
def test_a_layout_has_its_rooms_and_nothing_to_complain_of(name: str) -> None:
    venue = venues.layout(name)
    assert (len(venue.zones), len(venue.floors)) == ROOMS[name]
    assert {receiver.zone for receiver in venue.receivers.values()} == set(venue.zones)
    assert {counter.portal for counter in venue.counters.values()} == set(venue.portals)
    assert {counter.credit for counter in venue.counters.values()} == {"event", "window", "cumulative"}
    assert venue.queues
    assert read(venues.LAYOUTS[name])[1] == []


def test_layout_m_has_fourteen_inner_doors_and_s_one_way_out() -> None:
    inner = [p for p in venues.layout("M").portals.values() if OUTSIDE not in p.between]
    outer = [p for p in venues.layout("S").portals.values() if OUTSIDE in p.between]
    assert (len(inner), len(outer)) == (14, 1)


def test_an_unknown_layout_is_explained() -> None:
    with pytest.raises(FlowmonError, match="no layout 'XL': use one of S, M, L, museum"):
        venues.layout("XL")


def lived(simulation: Simulation) -> tuple[list[Fact], list[Truth]]:
    events = list(simulation.events())
    return [e.fact for e in events if e.fact is not None], [e.truth for e in events if e.truth is not None]


def shares(simulation: Simulation) -> dict[str, float]:
    """What part of the crossings each event counter told, by counter and direction."""
    facts, truths = lived(simulation)
    venue, found = simulation.venue, dict[str, float]()
    for key in ("c-arch", "c-passage", "c-corner"):
        told = [f for f in facts if isinstance(f, Count) and f.counter == key]
        real = [t for t in truths if isinstance(t, Crossed) and t.portal == venue.counters[key].portal]
        into = sum(t.entered == venue.counters[key].towards for t in real)
        found[key] = sum(f.forward for f in told) / into
        found[f"{key} backward"] = sum(f.backward for f in told) / (len(real) - into)
    return found


def test_devices_err_alike_on_all_days_of_a_seed_and_people_differ() -> None:
    errors = b"[devices]\nmiss = 0.3\nmiss_spread = 0.15\nshadow = 0\nstaff_low = 0\nstaff_high = 0\ndouble = 0\n"
    day = tiny_museum.day(errors, visitors=900)
    first, second = (shares(s) for s, _ in days(tiny_museum.venue(), day, 5, scored=2, presences=False))
    other = next(shares(s) for s, _ in days(tiny_museum.venue(), day, 6, scored=1, presences=False))
    assert max(abs(first[key] - second[key]) for key in first) < 0.08
    assert max(abs(first[key] - other[key]) for key in first) > 0.1
    assert len(set(first.values())) == len(first)


def test_registers_go_on_where_they_stood_the_day_before() -> None:
    told = []
    for simulation, _ in days(tiny_museum.venue(), tiny_museum.day(), 1, scored=3, presences=False):
        facts, _truths = lived(simulation)
        told.append([f.forward for f in facts if isinstance(f, Count) and f.counter == "c-gate"])
    assert told[1][0] == told[0][-1] < told[1][-1] == told[2][0]


def test_learning_days_are_ordinary_and_a_knock_stays() -> None:
    knock = b'[[faults]]\nkind = "knock"\ndevice = "c-arch"\nat = "11:00"\namount = 0.9\n'
    day = tiny_museum.day(knock + b"[devices]\nmiss = 0\nshadow = 0\nmiss_spread = 0\n", visitors=400)
    told = []
    for simulation, learns in days(tiny_museum.venue(), day, 1, learning=1, scored=2, presences=False):
        share = shares(simulation)["c-arch"]
        begun = [t.start for t in simulation.faults.all()]
        told.append((learns, share, begun == [simulation.day.start]))
    assert [learns for learns, _, _ in told] == [True, False, False]
    assert [whole for _, _, whole in told] == [False, False, True]
    assert told[0][1] > 0.9 > told[1][1] > told[2][1]


def test_days_follow_the_calendar_and_equal_seeds_repeat_them() -> None:
    museum = venues.layout("museum")
    day = structs.replace(scenario.load("normal"), day="2026-03-19")
    dates = [s.scenario.day for s, _ in days(museum, day, 1, scored=3, presences=False)]
    open_on = {on for hours in museum.hours for on in hours.days}
    assert all(date.fromisoformat(on).weekday() in open_on for on in dates)
    assert dates == sorted(set(dates))
    again = [s.scenario.visitors for s, _ in days(museum, day, 1, scored=3, presences=False)]
    assert again == [s.scenario.visitors for s, _ in days(museum, day, 1, scored=3, presences=False)]
    assert len(set(again)) > 1


def test_attendance_follows_weekday_season_rain_and_holidays() -> None:
    year = [date(2026, 1, 1) + timedelta(days=n) for n in range(364)]
    plain = Attendance(noise=0, rain=0, season=0, holidays=())
    assert np.mean([attendance(plain, on, 1) for on in year]) == pytest.approx(1.0, abs=0.01)
    wet = structs.replace(plain, rain=0.35, rain_factor=2.0, weekday=(1,) * 7)
    rain = [attendance(wet, on, 1) == 2.0 for on in year]
    assert 0.2 < np.mean(rain) < 0.5
    assert sum(a == b for a, b in pairwise(rain)) > 0.55 * len(rain)  # spells
    off = structs.replace(plain, weekday=(1,) * 7, holidays=(("08-01", "08-15"),), holiday_factor=1.5)
    assert Tally(attendance(off, on, 1) for on in year) == {1.5: 15, 1.0: 349}
    summer = structs.replace(plain, weekday=(1,) * 7, season=0.2, peak_week=29)
    assert attendance(summer, date(2026, 7, 15), 1) > 1.19
    assert attendance(summer, date(2026, 1, 15), 1) < 0.82


def test_placed_beacons_are_mostly_right_and_never_told_from_the_street() -> None:
    day = tiny_museum.day(b"beacon_share = 0.6", visitors=200)
    simulation = Simulation(tiny_museum.venue(), day, 1, sightings=False, presences=True)
    where: dict[str, str] = {}
    right = told = 0
    for event in simulation.events():
        match event.truth, event.fact:
            case Carried(beacon=beacon, zone=zone), _:
                where[beacon] = zone
            case _, Presence(beacon=beacon, zone=zone) if where[beacon] in {"east", "west"}:
                told += 1
                right += zone == where[beacon]
            case _, Presence(beacon=beacon):
                assert where[beacon] != OUTSIDE
            case _:
                pass
    assert told > 500
    assert 0.9 < right / told < 1.0


def test_a_receiver_that_is_off_places_nothing_in_its_zone() -> None:
    off = b'beacon_share = 0.6\n[[faults]]\nkind = "dropout"\ndevice = "r-east"\nat = "11:00"\nuntil = "12:00"\n'
    simulation = Simulation(tiny_museum.venue(), tiny_museum.day(off), 1, sightings=False, presences=True)
    start, end = simulation.day.at("11:00"), simulation.day.at("12:00")
    zones = Tally(e.fact.zone for e in simulation.events() if isinstance(e.fact, Presence) and start < e.fact.at < end)
    assert zones["east"] == 0 < zones["west"]


def test_a_forgotten_beacon_is_heard_until_the_day_ends() -> None:
    day = tiny_museum.day(b"beacon_share = 1.0\nbeacons_left = 1.0\n", visitors=30)
    simulation = Simulation(tiny_museum.venue(), day, 1)
    facts, truths = lived(simulation)
    last = {t.beacon: t.zone for t in truths if isinstance(t, Carried)}
    left = [beacon for beacon, zone in last.items() if zone != OUTSIDE]
    assert len(left) > 20
    heard = {f.beacon for f in facts if isinstance(f, Sighting) and f.at > simulation.day.end - 30}
    assert len(heard & set(left)) > len(left) // 2


def test_a_party_can_share_one_beacon() -> None:
    groups = b"beacon_share = 1.0\ngroup_beacons = 1.0\ngroups = [[4, 1]]\n"
    _, truths = lived(Simulation(tiny_museum.venue(), tiny_museum.day(groups, visitors=80), 1, sightings=False))
    assert len({t.beacon for t in truths if isinstance(t, Carried)}) == 20


def test_fewer_take_a_beacon_after_the_drop() -> None:
    day = tiny_museum.day(b'beacon_share = 1.0\nbeacon_drop = ["11:00", 0.0]\n', visitors=200)
    simulation = Simulation(tiny_museum.venue(), day, 1, sightings=False)
    came: dict[str, float] = {}
    for truth in lived(simulation)[1]:
        if isinstance(truth, Carried):
            came.setdefault(truth.beacon, truth.at)
    assert came
    assert max(came.values()) < simulation.day.at("11:01")


def test_without_a_sweep_people_stay_after_closing_and_go_in_the_end() -> None:
    day = tiny_museum.day(b"sweep_s = 0\noverstay_s = 2400\n[dwell.gallery]\nmean_s = 5000\n", visitors=300)
    simulation = Simulation(tiny_museum.venue(), day, 1, sightings=False)
    out = [t.at for t in lived(simulation)[1] if isinstance(t, Crossed) and t.entered == OUTSIDE]
    assert len(out) == 300
    assert sum(at > simulation.day.closes + 600 for at in out) > 20


def test_late_messages_come_in_order_and_say_when_it_was() -> None:
    late = b'[[faults]]\nkind = "late"\ndevice = "all"\nat = "11:00"\nuntil = "12:00"\namount = 300\n'
    simulation = Simulation(tiny_museum.venue(), tiny_museum.day(late), 1, sightings=False)
    counts = [f for f in lived(simulation)[0] if isinstance(f, Count) and f.counter == "c-arch"]
    assert [c.seq for c in counts] == sorted(c.seq for c in counts)
    start, end = simulation.day.at("11:00"), simulation.day.at("12:00")
    assert all(c.seen - c.at > 299 for c in counts if start + 1 < c.at < end - 1)
    assert all(c.seen - c.at < 2 for c in counts if not start - 1 < c.at < end + 300)


def gaps(day: Scenario) -> list[float]:
    _, truths = lived(Simulation(tiny_museum.venue(), day, 4, sightings=False))
    came = sorted(t.at for t in truths if isinstance(t, Crossed) and t.left == OUTSIDE)
    return np.diff(came).tolist()


def test_mismatched_days_come_in_bursts_and_stay_unevenly() -> None:
    plain = tiny_museum.day(b"groups = [[1, 1]]", visitors=500)
    strange = scenario.mismatched(plain)
    assert np.std(gaps(strange)) > 1.3 * np.std(gaps(plain))
    assert strange.dwell["gallery"].tail > 1
    assert scenario.mismatched(strange) == strange


def test_misses_hang_together_where_the_scenario_says_so() -> None:
    base = b"[devices]\nmiss = 0.2\nmiss_spread = 0\nshadow = 0\nstaff_low = 0\nstaff_high = 0\ndouble = 0\n"

    def spread(more: bytes) -> float:
        """How much the share missed differs from ten minutes to ten minutes."""
        simulation = Simulation(tiny_museum.venue(), tiny_museum.day(base + more, visitors=1500), 1, sightings=False)
        facts, truths = lived(simulation)
        real = Tally(int(t.at // 600) for t in truths if isinstance(t, Crossed) and t.portal == "arch")
        told = Tally(int(f.at // 600) for f in facts if isinstance(f, Count) and f.counter == "c-arch")
        return float(np.std([told[bin_] / people for bin_, people in real.items() if people > 40]))

    assert spread(b"weather = 1.0\nweather_s = 3600\n") > 2 * spread(b"")


def test_outages_that_nobody_planned_come_at_their_rate() -> None:
    day = tiny_museum.day(b"[devices]\noutages_week = 14\noutage_s = 60\n")
    count = sum(
        isinstance(truth, Faulted) and truth.active
        for seed in range(6)
        for truth in lived(Simulation(tiny_museum.venue(), day, seed, sightings=False))[1]
    )
    assert 30 < count < 95  # 2 a day, 5 counters, 6 days: 60 expected, sd 7.7
