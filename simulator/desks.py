"""A queue with desks: first come, first served, by parties. A party waits in one line and is served at one desk.

    joined ------ waits ------ called -- service (lognormal) -- done

Desks open and close by schedule; a closing desk finishes the party it has. At closing time who still waits is
turned away, who is being served is served, in a quarter of an hour at most.
"""

import math
from collections import deque
from collections.abc import Callable, Generator
from typing import Any

import numpy as np
import simpy

from flowmon.facts import DesksOpen, Fact, Served
from flowmon.venue.model import Queue
from simulator.day import Day
from simulator.scenario import Service
from simulator.truth import Queued, Truth, Waited

SWEEP_S = 15 * 60.0
Told = Callable[[Truth], None]
Said = Callable[[Fact], None]


class Ticket:
    """A party's place in a queue. `done` succeeds with True when served, False when turned away."""

    __slots__ = ("called", "done", "joined", "people")

    def __init__(self, env: simpy.Environment, people: list[int]) -> None:
        self.people = people
        self.joined = env.now
        self.called = math.nan
        self.done = env.event()


class Desks:
    """One queue. told: hears the truth; said: hears the facts that the desks themselves publish."""

    def __init__(
        self,
        env: simpy.Environment,
        name: str,
        queue: Queue,
        service: Service,
        rng: np.random.Generator,
        told: Told,
        said: Said,
    ) -> None:
        self._env = env
        self._name = name
        self._service = service
        self._rng = rng
        self._told = told
        self._said = said
        self._waiting: deque[Ticket] = deque()
        self._idle = set(range(1, queue.desks + 1))
        self._all = queue.desks
        self._open = 0
        self._length = 0
        self._seq = 0
        self._last = math.inf
        self.source = f"{name}-desk"

    def join(self, people: list[int]) -> Ticket:
        """A party joins the end of the line."""
        ticket = Ticket(self._env, people)
        self._waiting.append(ticket)
        self._changed(len(people))
        self._call()
        return ticket

    def schedule(self, day: Day) -> Generator[simpy.Event, Any, None]:
        """The process that opens and closes desks over the day, and turns people away at its end."""
        self._last = day.closes + SWEEP_S
        plan = self._service.desks or [("00:00", 1.0)]
        moments = [(max(day.opens, day.at(clock)), share) for clock, share in plan]
        if not any(at <= day.opens for at, _ in moments):
            moments.insert(0, (day.opens, moments[0][1]))
        for at, share in moments:
            if at >= day.closes:
                break
            yield self._env.timeout(max(0.0, at - self._env.now))
            self.staff(max(1, math.ceil(share * self._all - 1e-9)))
        yield self._env.timeout(day.closes - self._env.now)
        self.staff(0)
        while self._waiting:
            self._turn_away(self._waiting.popleft())

    def staff(self, desks: int) -> None:
        """So many desks are open from now on."""
        if desks == self._open:
            return
        self._open = desks
        self._seq += 1
        self._said(
            DesksOpen(
                at=self._env.now,
                source=self.source,
                seq=self._seq,
                simulated=True,
                queue=self._name,
                desks=desks,
            )
        )
        self._changed(0)
        self._call()

    def _call(self) -> None:
        while self._waiting and (free := min(self._idle, default=self._all + 1)) <= self._open:
            ticket = self._waiting.popleft()
            ticket.called = self._env.now
            self._idle.remove(free)
            self._changed(-len(ticket.people))
            self._env.process(self._serve(ticket, free))

    def _serve(self, ticket: Ticket, desk: int) -> Generator[simpy.Event, Any, None]:
        duration = self._duration(len(ticket.people))
        yield self._env.timeout(max(1.0, min(duration, self._last - self._env.now)))
        now = self._env.now
        self._idle.add(desk)
        self._seq += 1
        self._said(
            Served(
                at=now,
                source=self.source,
                seq=self._seq,
                simulated=True,
                queue=self._name,
                desk=str(desk),
                people=len(ticket.people),
                waited_s=round(ticket.called - ticket.joined, 3),
            )
        )
        for person in ticket.people:
            self._told(Waited(at=now, person=person, queue=self._name, joined=ticket.joined, called=ticket.called))
        ticket.done.succeed(True)  # noqa: FBT003 -- the value of the event
        self._call()

    def _duration(self, people: int) -> float:
        mean = self._service.service_s + self._service.per_person_s * people
        variance = math.log(1 + self._service.cv2)
        return float(self._rng.lognormal(math.log(mean) - variance / 2, math.sqrt(variance)))

    def _turn_away(self, ticket: Ticket) -> None:
        self._changed(-len(ticket.people))
        for person in ticket.people:
            self._told(Waited(at=self._env.now, person=person, queue=self._name, joined=ticket.joined, called=None))
        ticket.done.succeed(False)  # noqa: FBT003 -- the value of the event

    def _changed(self, people: int) -> None:
        self._length += people
        self._told(Queued(at=self._env.now, queue=self._name, people=self._length, desks=self._open))
