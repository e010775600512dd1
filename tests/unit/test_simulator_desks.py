"""Queues of the simulator against an independent calculation."""

import heapq
from collections.abc import Generator
from typing import Any

import numpy as np
import pytest
import simpy

from flowmon.facts import DesksOpen, Fact, Served
from flowmon.venue.model import Queue
from simulator.day import day_of
from simulator.desks import Desks, Ticket
from simulator.scenario import Service
from simulator.truth import Queued, Truth, Waited
from tests import tiny_museum


class Town:
    """One queue, parties of one at given times, everything that was told and said."""

    def __init__(self, desks: int, service: Service, seed: int = 1) -> None:
        self.env = simpy.Environment()
        self.truth: list[Truth] = []
        self.facts: list[Fact] = []
        self.tickets: list[Ticket] = []
        self.desks = Desks(
            self.env,
            "q",
            Queue(zone="z", desks=desks),
            service,
            np.random.default_rng(seed),
            self.truth.append,
            self.facts.append,
        )

    def come(self, times: list[float]) -> None:
        self.env.process(self._come(times))

    def _come(self, times: list[float]) -> Generator[simpy.Event, Any, None]:
        for number, at in enumerate(times):
            yield self.env.timeout(at - self.env.now)
            self.tickets.append(self.desks.join([number]))

    def waits(self) -> list[float]:
        return [t.called - t.joined for t in self.tickets]


@pytest.mark.parametrize("desks", [1, 2, 5])
def test_waits_equal_the_recursion_of_a_first_come_first_served_queue(desks: int) -> None:
    town = Town(desks, Service(service_s=60, per_person_s=0, cv2=0.6))
    times = np.cumsum(np.random.default_rng(5).exponential(60 / desks, 400)).tolist()
    town.desks.staff(desks)
    town.come(times)
    town.env.run()
    # Kiefer and Wolfowitz: who comes next goes to the desk that is free first. Service times are drawn when called,
    # and calls are in the order of arrival, so the same generator gives the same times.
    rng, sigma = np.random.default_rng(1), np.sqrt(np.log(1.6))
    free = [0.0] * desks
    expected = []
    for at in times:
        start = max(at, heapq.heappop(free))
        expected.append(start - at)
        heapq.heappush(free, start + rng.lognormal(np.log(60) - sigma**2 / 2, sigma))
    assert town.waits() == pytest.approx(expected, abs=1e-6)
    assert max(expected) > 60


def test_service_has_the_mean_and_the_variation_that_were_asked_for() -> None:
    town = Town(1, Service(service_s=40, per_person_s=20, cv2=0.6))
    draws = np.array([town.desks._duration(1) for _ in range(20_000)])
    assert draws.mean() == pytest.approx(60, rel=0.03)
    assert (draws.std() / draws.mean()) ** 2 == pytest.approx(0.6, rel=0.1)


def test_served_facts_say_who_waited_how_long_and_desks_say_when_they_open() -> None:
    town = Town(1, Service(service_s=10, per_person_s=0, cv2=1e-9))
    town.desks.staff(1)
    town.come([0.0, 1.0])
    town.env.run()
    served = [fact for fact in town.facts if isinstance(fact, Served)]
    assert [(s.desk, s.people, s.waited_s) for s in served] == [("1", 1, 0.0), ("1", 1, pytest.approx(9, abs=0.1))]
    assert [f.desks for f in town.facts if isinstance(f, DesksOpen)] == [1]
    assert all(fact.simulated for fact in town.facts)
    assert len({fact.seq for fact in town.facts}) == 3


def test_a_closing_desk_finishes_and_waiting_people_are_turned_away_at_the_end() -> None:
    day = day_of(tiny_museum.day(), tiny_museum.venue())
    town = Town(2, Service(service_s=1e6, per_person_s=0, cv2=1e-9))
    town.env = town.desks._env = simpy.Environment(initial_time=day.start)
    town.env.process(town.desks.schedule(day))
    town.come([day.opens + 1.0, day.opens + 2.0, day.opens + 3.0])
    town.env.run(until=day.closes + 1)
    assert town.tickets[2].done.triggered
    assert town.tickets[2].done.value is False
    assert [w.called for w in town.truth if isinstance(w, Waited)] == [None]
    assert [q.people for q in town.truth if isinstance(q, Queued)][-1] == 0
    town.env.run()
    assert [t.done.value for t in town.tickets] == [True, True, False]
