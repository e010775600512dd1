"""Queues in the monitor: experienced and projected waits of the same desk agree; restarts and orders change nothing."""

import time

import msgspec
import numpy as np
import pytest

from flowmon.facts import Served
from flowmon.findings import QueueState
from flowmon.monitor.intake import Crossing
from flowmon.monitor.queues import Queues, QueuesState, sign
from flowmon.venue.model import Counter, Floor, Portal, Queue, Venue, Zone
from tests.tools.waiting_lines import Desk, Party, days

SQUARE = [(0.0, 0.0), (10.0, 0.0), (10.0, 10.0), (0.0, 10.0)]
START = 1_772_409_600.0


def venue(desks: int = 2) -> Venue:
    zones = {name: Zone(floor="0", capacity=100, outline=SQUARE) for name in ("hall", "room")}
    return Venue(
        id="v",
        name="V",
        timezone="Europe/Paris",
        floors={"0": Floor(outline=SQUARE)},
        zones=zones,
        portals={"gate": Portal(between=("outside", "hall")), "door": Portal(between=("hall", "room"))},
        counters={"in": Counter(portal="gate", towards="hall"), "out": Counter(portal="door", towards="room")},
        queues={"tickets": Queue(zone="hall", desks=desks)},
    )


class Replay:
    """A day at a desk through the queues of a venue: tick by tick, with a zone number that is `bias` people off.

    at_end: desks speak when a service ends; missed: share of joins that no counter saw.
    """

    def __init__(self, parties: list[Party], *, at_end: bool = True, bias: float = 0.0, missed: float = 0.0) -> None:
        self.queues = Queues(venue(desks=max(party.servers for party in parties)))
        dice = np.random.default_rng(8)
        self.events: list[tuple[float, str, Party]] = []
        self.truth: list[tuple[float, float]] = [(party.joined, party.wait) for party in parties]
        for party in parties:
            if dice.uniform() >= missed:
                self.events.append((party.joined, "join", party))
            self.events.append((party.done if at_end else party.served, "serve", party))
            self.events.append((party.done + 20.0, "out", party))
        self.events.sort(key=lambda event: event[0])
        self.bias, self.inside, self.next = bias, 0, 0
        self.told: list[QueueState] = []
        self.seconds = 0.0
        self.ticks = 0

    def run(self, until: float, every: float = 1.0) -> "Replay":
        at = self.told[-1].at if self.told else self.events[0][0]
        while at < until:
            at += every
            ripe: list[Crossing] = []
            while self.next < len(self.events) and self.events[self.next][0] <= at:
                when, kind, party = self.events[self.next]
                self.next += 1
                if kind == "serve":
                    fact = Served(at=when, source="d", queue="tickets", desk=str(party.desk), waited_s=party.wait)
                    self.queues.served("tickets", fact, when)
                else:
                    self.inside += 1 if kind == "join" else -1
                    ripe.append(
                        Crossing(
                            at=when,
                            counter="in" if kind == "join" else "out",
                            forward=1,
                            backward=0,
                            seq=self.next,
                            late=False,
                        )
                    )
            start = time.perf_counter()
            self.queues.close(ripe, at, lambda _zone: (max(0.0, self.inside + self.bias), 3.0))
            self.told.append(self.queues.queue_state("tickets", at, (max(0.0, self.inside + self.bias), 3.0), "good"))
            self.seconds += time.perf_counter() - start
            self.ticks += 1
        return self


def steady(load: float = 0.93) -> list[Party]:
    """Two desks all day, as many people as they can just serve."""
    desk = Desk(service_s=80.0, cv2=0.6, staff=[(8.0, 2)], arrivals=lambda _hour: load * 90.0, noise=0.0)
    return days(21, desk, 1)


@pytest.mark.parametrize("at_end", [True, False])
@pytest.mark.parametrize("bias", [0.0, 12.0])
@pytest.mark.parametrize("missed", [0.0, 0.06])
def test_projected_and_experienced_waits_agree_in_steady_state(*, at_end: bool, bias: float, missed: float) -> None:
    parties = steady()
    replay = Replay(parties, at_end=at_end, bias=bias, missed=missed).run(START + 17.9 * 3_600.0, every=5.0)
    said = {state.at: state for state in replay.told}
    times = np.array(sorted(said))
    projected, true = [], []
    for joined, wait in replay.truth:
        place = int(np.searchsorted(times, joined)) - 1
        if joined < START + 10.5 * 3_600.0 or place < 0:
            continue
        state = said[float(times[place])]
        if state.wait_p50_s is not None:
            projected.append(state.wait_p50_s)
            true.append(wait)
    leaving = [s.wait_leaving_s for s in replay.told if s.at > START + 10.5 * 3_600.0 and s.wait_leaving_s is not None]
    assert len(true) > 300
    assert abs(np.mean(projected) - np.mean(true)) < 45.0
    assert abs(np.mean(projected) - np.mean(leaving)) < 60.0


def test_a_restart_in_the_middle_changes_nothing() -> None:
    parties = steady()
    one, other = Replay(parties), Replay(parties)
    one.run(START + 9.5 * 3_600.0)
    other.run(START + 9.25 * 3_600.0)
    packed = msgspec.msgpack.encode(other.queues.state)
    other.queues = Queues(venue(), msgspec.msgpack.decode(packed, type=QueuesState))
    assert msgspec.msgpack.encode(other.queues.state) == packed
    other.run(START + 9.5 * 3_600.0)
    assert [state for state in other.told if state.at > START + 9.25 * 3_600.0] == [
        state for state in one.told if state.at > START + 9.25 * 3_600.0
    ]


def test_a_tick_of_a_queue_costs_little() -> None:
    replay = Replay(steady())
    replay.run(START + 11.0 * 3_600.0)
    before, ticks = replay.seconds, replay.ticks
    replay.run(START + 11.5 * 3_600.0)
    cost = (replay.seconds - before) / (replay.ticks - ticks)
    print(f"{cost * 1e6:.0f} µs per tick and queue")
    assert cost < 1e-3  # a busy machine is no defect; a quiet one shows a tenth of it


def test_the_sign_is_rounded_up_and_empty_means_no_wait() -> None:
    assert sign(0.0) == 0.0
    assert sign(299.0) == 300.0
    queues = Queues(venue())
    empty = queues.queue_state("tickets", START, (0.0, 0.1), "good")
    assert (empty.wait_p50_s, empty.sign_s, empty.method) == (0.0, 0.0, "empty")
    some = queues.queue_state("tickets", START, (40.0, 0.1), "good")
    assert (some.wait_p50_s, some.wait_p90_s, some.sign_s, some.method) == (None, None, None, "unknown")
