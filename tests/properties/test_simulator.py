"""Properties that hold for any scenario and any seed."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowmon.facts import identity
from flowmon.names import OUTSIDE
from simulator import scenario
from simulator.simulation import Simulation
from simulator.truth import Crossed, Waited
from tests import tiny_museum

VENUE = tiny_museum.venue()
SLOW = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def days(draw: st.DrawFn, most: int = 250) -> scenario.Scenario:
    """Scenarios from empty to overcrowded, with coaches, slow desks and any error rates."""
    share = st.floats(0, 1, allow_nan=False)
    return scenario.parse(
        f"""
visitors = {draw(st.integers(0, most))}
rooms = {draw(share)}
halls = {draw(share)}
beacon_share = {draw(share)}
coaches = [{{ at = "{draw(st.integers(10, 11)):02d}:30", people = {draw(st.integers(1, 60))} }}]
[queues.any]
share = {draw(share)}
service_s = {draw(st.floats(1, 400))}
[devices]
miss = {draw(share)}
double = {draw(share)}
shadow = {draw(share)}
""".encode(),
        name="any",
    )


@SLOW
@given(days(), st.integers(0, 2**32 - 1))
def test_people_are_conserved_at_all_times_and_all_go_home(day: scenario.Scenario, seed: int) -> None:
    simulation = Simulation(VENUE, day, seed, sightings=False)
    world = simulation._world
    entered: set[int] = set()
    waited: dict[int, float] = {}
    before = simulation.day.start
    for event in simulation.events():
        assert sum(world.occupancy.values()) == 0
        assert all(people >= 0 for zone, people in world.occupancy.items() if zone != OUTSIDE)
        assert event.at >= before
        before = event.at
        match event.truth:
            case Crossed(person=person, left="outside"):
                assert person not in entered
                entered.add(person)
            case Waited(person=person, joined=joined):
                waited[person] = joined
            case _:
                pass
    assert not any(world.occupancy.values())
    assert set(waited) <= entered


@SLOW
@given(days(most=40), st.integers(0, 2**32 - 1))
def test_devices_repeat_themselves_exactly_and_never_reuse_an_identity(day: scenario.Scenario, seed: int) -> None:
    first = [e.fact for e in Simulation(VENUE, day, seed).events() if e.fact is not None]
    again = [e.fact for e in Simulation(VENUE, day, seed).events() if e.fact is not None]
    assert first == again
    assert all(fact.simulated for fact in first)
    names = [(fact.source, identity(fact)) for fact in first]
    assert len(names) == len(set(names))
