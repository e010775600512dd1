"""A whole simulated day: truth against facts."""

import collections

import numpy as np
import pytest

from flowmon.facts import Count, DesksOpen, DeviceStatus, Served, Sighting
from flowmon.names import OUTSIDE
from flowmon.venue.model import Venue
from simulator.network import Event
from simulator.scenario import Scenario
from simulator.simulation import Simulation, simulate
from simulator.truth import Carried, Crossed, Faulted, Occupied, Queued, Waited
from tests import tiny_museum


@pytest.fixture(scope="module")
def venue() -> Venue:
    return tiny_museum.venue()


def run(venue: Venue, scenario: Scenario, seed: int = 1, *, sightings: bool = False) -> list[Event]:
    return list(simulate(venue, scenario, seed, sightings=sightings))


def counted(venue: Venue, events: list[Event], counter: str) -> tuple[int, int]:
    """Forward and backward crossings that a counter told, whatever its kind."""
    device = venue.counters[counter].device or counter
    told = [e.fact for e in events if isinstance(e.fact, Count) and e.fact.counter == device]
    if told[0].kind == "cumulative":
        return told[-1].forward - told[0].forward, told[-1].backward - told[0].backward
    return sum(c.forward for c in told), sum(c.backward for c in told)


def crossed(venue: Venue, events: list[Event], counter: str) -> tuple[int, int]:
    """The same, as it really was."""
    value = venue.counters[counter]
    through = [e.truth for e in events if isinstance(e.truth, Crossed) and e.truth.portal == value.portal]
    forward = sum(c.entered == value.towards for c in through)
    return forward, len(through) - forward


def test_perfect_counters_tell_the_truth(venue: Venue) -> None:
    events = run(venue, tiny_museum.day(tiny_museum.PERFECT))
    for counter in venue.counters:
        assert counted(venue, events, counter) == crossed(venue, events, counter)
        assert sum(crossed(venue, events, counter)) > 20


def test_everything_is_marked_simulated_and_in_order(venue: Venue) -> None:
    events = run(venue, tiny_museum.day(), sightings=True)
    kinds = collections.Counter(type(e.fact) for e in events if e.fact is not None)
    assert set(kinds) == {Count, DeviceStatus, Served, DesksOpen, Sighting}
    assert all((e.fact is None) != (e.truth is None) for e in events)
    assert all(e.fact.simulated and e.fact.seen == e.at for e in events if e.fact is not None)
    assert [e.at for e in events] == sorted(e.at for e in events)


def test_equal_seeds_give_equal_days_and_other_seeds_do_not(venue: Venue) -> None:
    day = tiny_museum.day(visitors=40)
    assert run(venue, day, 3, sightings=True) == run(venue, day, 3, sightings=True)
    assert run(venue, day, 3) != run(venue, day, 4)


def test_device_errors_and_radio_change_nothing_of_what_people_do(venue: Venue) -> None:
    def lived(scenario: Scenario, *, sightings: bool) -> list[object]:
        return [e.truth for e in run(venue, scenario, 2, sightings=sightings) if e.truth is not None]

    assert lived(tiny_museum.day(), sightings=True) == lived(tiny_museum.day(tiny_museum.PERFECT), sightings=False)


def test_miss_rates_are_near_their_parameters(venue: Venue) -> None:
    errors = b"[devices]\nmiss = 0.1\nmiss_spread = 0\nshadow = 0\ndouble = 0\nstaff_low = 0\nstaff_high = 0\n"
    seen = real = 0
    for seed in range(4):
        events = run(venue, tiny_museum.day(errors, visitors=600), seed)
        seen += sum(sum(counted(venue, events, counter)) for counter in venue.counters)
        real += sum(sum(crossed(venue, events, counter)) for counter in venue.counters)
    assert real > 10_000
    assert seen / real == pytest.approx(0.9, abs=0.012)  # four standard deviations


def test_default_counters_miss_more_than_they_double_and_staff_come_on_top(venue: Venue) -> None:
    staff = b"[devices]\nmiss = 0\nshadow = 0\ndouble = 0\nstaff_low = 0.03\nstaff_high = 0.03\n"
    events = run(venue, tiny_museum.day(staff, visitors=1500))
    more = sum(sum(counted(venue, events, c)) for c in venue.counters)
    real = sum(sum(crossed(venue, events, c)) for c in venue.counters)
    assert more / real == pytest.approx(1.03, abs=0.012)


def test_door_directions_differ_in_their_gains(venue: Venue) -> None:
    events = run(venue, tiny_museum.day(b"[devices]\nmiss = 0.3\nmiss_spread = 0.15\n", visitors=800))
    shares = []
    for counter in venue.counters:
        pairs = zip(counted(venue, events, counter), crossed(venue, events, counter), strict=True)
        shares += [told / real for told, real in pairs if real > 50]
    assert np.std(shares) > 0.05


def test_a_dead_counter_is_silent_in_its_interval_and_only_it(venue: Venue) -> None:
    fault = b'[[faults]]\nkind = "dropout"\ndevice = "c-arch"\nat = "11:00"\nuntil = "11:40"\n'
    simulation = Simulation(venue, tiny_museum.day(fault), 1, sightings=False)
    events = list(simulation.events())
    start, end = simulation.day.at("11:00"), simulation.day.at("11:40")
    words = [e.fact for e in events if e.fact is not None and e.fact.source == "c-arch"]
    assert not [f for f in words if start + 1 < f.at < end - 1]  # a second for the clock's skew
    assert any(isinstance(f, DeviceStatus) and f.at > end for f in words)
    assert any(isinstance(f, Count) and f.at < start for f in words)
    sentinels = [(t.at, t.device, t.active) for e in events if isinstance(t := e.truth, Faulted)]
    assert sentinels == [(start, "c-arch", True), (end, "c-arch", False)]
    others = [e.fact for e in events if e.fact is not None and e.fact.source == "c-passage"]
    assert [f for f in others if start + 1 < f.at < end - 1]


def test_a_window_cut_by_a_dropout_says_so(venue: Venue) -> None:
    fault = b'[[faults]]\nkind = "dropout"\ndevice = "c-door"\nat = "11:00"\nuntil = "11:05"\n[devices]\nskew_s = 10\n'
    events = run(venue, tiny_museum.day(fault))
    windows = [e.fact for e in events if isinstance(e.fact, Count) and e.fact.kind == "window"]
    assert all(w.end - w.start == 60 and w.end % 60 == 0 for w in windows)
    partial = [w.complete for w in windows if w.complete < 1]
    assert len(partial) == 1


@pytest.mark.parametrize("kind", ["duplicates", "reorder", "clock-step", "reversed", "loss"])
def test_each_other_fault_leaves_its_mark(venue: Venue, kind: str) -> None:
    amount = {"duplicates": 0.5, "reorder": 1.5, "clock-step": 500.0, "reversed": 0.0, "loss": 0.9}[kind]
    fault = b'[[faults]]\nkind = "%s"\ndevice = "c-arch"\nat = "10:30"\nuntil = "12:30"\namount = %f\n'
    busy = tiny_museum.day(fault % (kind.encode(), amount) + tiny_museum.PERFECT, visitors=400)
    events = run(venue, busy)
    told = [e.fact for e in events if isinstance(e.fact, Count) and e.fact.counter == "c-arch"]
    numbers = [c.seq for c in told]
    assert (len(numbers) > len(set(numbers))) == (kind == "duplicates")
    assert (numbers != sorted(numbers)) == (kind in {"duplicates", "reorder"})
    assert (max(abs(c.at - c.seen) for c in told) > 400) == (kind == "clock-step")
    honest = crossed(venue, events, "c-arch")
    assert (counted(venue, events, "c-arch")[0] < 0.7 * honest[0]) == (kind == "loss")
    assert (swapped(told, events) == 0) == (kind == "reversed")


def swapped(told: list[Count], events: list[Event]) -> int:
    """Crossings into the east room between 10:45 and 12:15 that were not told as coming out of it."""
    start = events[0].at // 3600 * 3600 + 3600 + 45 * 60
    inward = {
        e.at for e in events if isinstance(e.truth, Crossed) and e.truth.portal == "arch" and e.truth.entered == "east"
    }
    inward = {at for at in inward if start < at < start + 5400}
    return len(inward - {c.at for c in told if c.backward})


def test_queues_beacons_and_occupancy_are_told_as_they_are(venue: Venue) -> None:
    events = run(venue, tiny_museum.day(b"beacon_share = 1.0", visitors=100))
    inside: collections.Counter[str] = collections.Counter()
    beacons: dict[str, str] = {}
    length = 0
    for event in events:
        match event.truth:
            case Crossed(left=left, entered=entered):
                inside[left] -= 1
                inside[entered] += 1
            case Occupied(zone=zone, people=people):
                assert inside[zone] == people
            case Carried(beacon=beacon, zone=zone):
                beacons[beacon] = zone
            case Queued(people=people):
                length = people
            case Waited(joined=joined, called=called, at=at):
                assert called is None or joined <= called < at
            case _:
                pass
    assert len(beacons) == 100
    assert set(beacons.values()) == {OUTSIDE}
    assert length == 0
    assert all(inside[zone] == 0 for zone in venue.zones)


def test_radio_is_stronger_near_and_keeps_to_the_carriers(venue: Venue) -> None:
    events = run(venue, tiny_museum.day(b"beacon_share = 0.5", visitors=60), sightings=True)
    where: dict[str, str] = {}
    strength: dict[bool, list[float]] = {True: [], False: []}
    for event in events:
        match event.truth, event.fact:
            case Carried(beacon=beacon, zone=zone), _:
                where[beacon] = zone
            case _, Sighting(beacon=beacon, receiver=receiver, rssi_dbm=rssi) if where[beacon] in {"east", "west"}:
                strength[venue.receivers[receiver].zone == where[beacon]].append(rssi)
            case _:
                pass
    assert min(map(len, strength.values())) > 500
    assert np.mean(strength[True]) > np.mean(strength[False]) + 5
    assert min(map(min, strength.values())) >= -95
    assert 5 < np.std(strength[True]) < 10


def test_a_moved_day_is_the_same_day(venue: Venue) -> None:
    plain = Simulation(venue, tiny_museum.day(), 1, sightings=False)
    moved = Simulation(venue, tiny_museum.day(), 1, sightings=False, shift_s=86_400.0)
    people = [(type(e.truth), round(e.at - plain.day.start, 3)) for e in plain.events() if e.truth is not None]
    again = [(type(e.truth), round(e.at - moved.day.start, 3)) for e in moved.events() if e.truth is not None]
    assert people == again
