"""Playing a simulated day: its events at their times on a clock, from any time of the day on.

Who begins in the middle of a day has missed what devices say only when it changes. So what stands at that moment
(desks open, devices online) is told first, and with `tally` how many people are in each zone, as staff would count.
"""

import threading
from collections.abc import Callable, Iterator, Sequence

from msgspec import Struct, structs

from flowmon.clock import Clock
from flowmon.facts import DesksOpen, DeviceStatus, Fact, ZoneCount
from simulator.simulation import Event, Simulation
from simulator.truth import Truth

BATCH = 100
Tell = Callable[[Sequence[Fact]], None]


class Played(Struct):
    """What was played: facts told, truths, and the time of the last event."""

    facts: int = 0
    truths: int = 0
    at: float = 0.0


def play(
    simulation: Simulation,
    tell: Tell,
    *,
    start: float,
    until: float,
    clock: Clock | None,
    true: Callable[[Truth], None] = lambda _: None,
    watch: Callable[[float], None] = lambda _: None,
    stop: threading.Event | None = None,
    tally: bool = False,
) -> Played:
    """Tell the facts from `start` to `until` (epoch) as their time comes; without a clock, as fast as they are taken.

    tell: takes neighbouring facts of one device. true: hears every truth from `start` on. watch: hears the time now
    and then. stop: ends it early. tally: tell how many people are in each zone first. What `tell` raises ends it.
    """
    stop = stop or threading.Event()
    played = Played(at=start)
    waiting: list[Fact] = []
    for event in beginning(simulation, start, tally=tally):
        if event.at > until or stop.is_set():
            break
        ahead = (event.at - clock.now()) / clock.rate if clock is not None else 0.0
        if waiting and (ahead > 0 or event.fact is None or not _alike(waiting, event.fact)):
            tell(waiting)
            waiting = []
        if ahead > 0:
            watch(event.at)
            if stop.wait(ahead):
                break
        played.at = event.at
        if event.fact is not None:
            waiting.append(event.fact)
            played.facts += 1
        elif event.truth is not None:
            true(event.truth)
            played.truths += 1
        if played.facts % 1000 == 0:
            watch(event.at)
    if waiting:
        tell(waiting)
    return played


def beginning(simulation: Simulation, start: float, *, tally: bool = False) -> Iterator[Event]:
    """The events from `start` on, led by what stands then."""
    standing: dict[tuple[str, str], Fact] = {}
    begun = False
    for event in simulation.events():
        if event.at < start:
            match event.fact:
                case DeviceStatus(source=source):
                    standing[source, ""] = event.fact
                case DesksOpen(source=source, queue=queue):
                    standing[source, queue] = event.fact
                case _:
                    pass
            continue
        if not begun:
            begun = True
            for fact in standing.values():
                yield Event(start, fact=structs.replace(fact, at=start, seen=start))
            for zone, people in simulation.occupancy.items() if tally else ():
                count = ZoneCount(at=start, seen=start, source="tally", zone=zone, people=people, simulated=True)
                yield Event(start, fact=count)
        yield event


def _alike(waiting: list[Fact], fact: Fact) -> bool:
    return len(waiting) < BATCH and waiting[0].source == fact.source and type(waiting[0]) is type(fact)
