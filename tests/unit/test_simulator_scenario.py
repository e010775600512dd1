"""Scenario files: strict, complete in their complaints, and fitting the venue."""

from pathlib import Path

import numpy as np
import pytest

from flowmon.errors import FlowmonError
from simulator import scenario
from simulator.arrivals import arrivals, visitors
from simulator.day import day_of
from simulator.layout import Layout
from simulator.simulation import Simulation
from tests import tiny_museum


@pytest.mark.parametrize("name", scenario.built_in())
def test_the_built_in_scenarios_load(name: str) -> None:
    loaded = scenario.load(name)
    assert loaded.name == name
    assert loaded.title


@pytest.mark.parametrize(
    ("toml", "says"),
    [
        (b"visitor = 3", "unknown field `visitor`"),
        (b"[queues.tickets]\nshares = 1", "queues.tickets: Object contains unknown field `shares`"),
        (b"beacon_share = 1.5", "beacon_share"),
        (b'opens = "25:00"', "opens"),
        (b"arrivals = [[0.5, 1], [0.1, 1]]", "arrivals must be"),
        (b'[[faults]]\nkind = "dropout"\nat = "12:00"\nuntil = "11:00"', "faults[0].until"),
        (b'[[faults]]\nkind = "fire"\nat = "12:00"\nuntil = "13:00"', "kind"),
        (b"queues = 3", "queues must be a table"),
        (b"\xff", "not TOML"),
        (b"groups = [[1, 0]]", "groups must"),
        (b"[queues.any]\nservice_s = 0\nper_person_s = 0", "serving must take time"),
    ],
)
def test_a_wrong_scenario_is_refused_with_its_path(toml: bytes, says: str) -> None:
    with pytest.raises(FlowmonError) as refused:
        scenario.parse(toml, name="wrong")
    assert says in str(refused.value)


def test_an_unknown_name_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(FlowmonError, match="normal-day"):
        scenario.load("no-such-day")
    with pytest.raises(FlowmonError, match="cannot read"):
        scenario.load(str(tmp_path / "absent.toml"))


def test_visitors_follow_the_capacity_unless_given() -> None:
    venue = tiny_museum.venue()
    assert visitors(scenario.parse(b"turnover = 4", name="t"), venue) == 240
    assert visitors(scenario.parse(b"turnover = 4\nvisitors = 7", name="t"), venue) == 7


def test_arrivals_are_exactly_the_expected_people_within_admission() -> None:
    venue = tiny_museum.venue()
    day = tiny_museum.day(b'coaches = [{ at = "11:00", people = 40 }]', visitors=300)
    times = day_of(day, venue)
    parties = arrivals(day, venue, times, np.random.default_rng(1))
    assert sum(party.people for party in parties) == 300
    assert parties == sorted(parties)
    assert [p.people for p in parties if p.coach] == [40]
    assert times.opens <= parties[0].at
    assert parties[-1].at <= times.closes - day.last_entry_s


def test_a_coach_that_comes_to_closed_doors_is_refused() -> None:
    for at in (b"09:30", b"12:30"):
        with pytest.raises(FlowmonError, match="a coach comes"):
            Simulation(tiny_museum.venue(), tiny_museum.day(b'coaches = [{ at = "%s" }]' % at), 1)


def test_the_day_is_in_the_venues_time_zone_and_can_be_moved() -> None:
    venue = tiny_museum.venue()
    day = day_of(tiny_museum.day(b'day = "2026-07-01"'), venue)
    assert day.opens % 86_400 == 8 * 3600  # 10:00 in Paris in summer
    assert day.at("10:00") == day.opens
    moved = day_of(tiny_museum.day(b'day = "2026-07-01"'), venue, shift_s=100.0)
    assert (moved.opens, moved.at("10:00")) == (day.opens + 100, day.opens + 100)
    with pytest.raises(FlowmonError, match="no time of day"):
        day.at("noon")


def test_a_closed_day_or_a_device_that_is_not_there_is_explained() -> None:
    venue = tiny_museum.venue()
    with pytest.raises(FlowmonError, match="too short"):
        Simulation(venue, tiny_museum.day(b'opens = "10:00"\ncloses = "11:00"'), 1)
    fault = b'[[faults]]\nkind = "dropout"\ndevice = "c-dor"\nat = "11:00"\nuntil = "12:00"'
    with pytest.raises(FlowmonError, match=r"no device 'c-dor'.*c-door"):
        Simulation(venue, tiny_museum.day(fault), 1)


def test_people_find_their_way_without_walking_through_the_street() -> None:
    venue = tiny_museum.venue()
    layout = Layout(venue, tiny_museum.day())
    rng = np.random.default_rng(1)
    assert layout.entrances == layout.exits == ["door"]
    assert layout.hops("lobby", "west") == 2
    assert layout.step("lobby", "west", rng) == ("gate", "hall")
    assert layout.busiest() == "c-gate"
