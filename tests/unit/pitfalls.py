"""What the tests of the pitfall list share: a message through the real gateway, facts through the real core."""

import asyncio
from collections.abc import Iterable

from flowmon.clock import Clock
from flowmon.facts import Count, CountKind, Fact
from flowmon.findings import DeviceState, Finding, Rejected
from flowmon.monitor.core import Monitor
from flowmon.venue.model import Counter, Venue
from sensors.dialects.port import Message
from sensors.gateway import Gateway
from sensors.routes import Routes
from tests.fakes import FakeInbox, MemoryJournal, until
from tests.small import T0, run, tick, venue, zones
from tests.typical import TYPICAL

GATE = "ctr-gate"


def typical(dialect: str, number: int = 0) -> bytes:
    """The payload of a typical message."""
    return TYPICAL[dialect][number].payload


async def told(museum: Venue, *messages: Message) -> tuple[list[Fact], list[Rejected]]:
    """What the gateway writes for messages: facts and sightings, and rejects."""
    inbox, journal = FakeInbox(), MemoryJournal()
    sinks = journal.append_sightings, journal.append_rejects
    gateway = Gateway(inbox, Routes([museum]), {museum.id: museum}, journal, *sinks, Clock())
    running = asyncio.create_task(gateway.run())
    inbox.put(*messages)
    await until(lambda: len(inbox.acked) == len(messages))
    gateway.stop()
    await asyncio.wait_for(running, 10)
    heard: list[Fact] = [*journal.facts(museum.id), *journal.sightings.get(museum.id, [])]
    return heard, journal.rejects.get(museum.id, [])


def passed(museum: Venue, facts: Iterable[Fact], zone: str = "hall") -> int:
    """People brought into a zone by facts that arrive a second after T0."""
    monitor = Monitor(museum)
    run(monitor, [tick(0.0), *facts, *(tick(float(n)) for n in range(1, 10))])
    return zones(monitor)[zone].raw


def gate(**fields: object) -> Monitor:
    """A core with one counter at the gate."""
    return Monitor(venue(counters={GATE: Counter(portal="gate", towards="hall", **fields)}))  # type: ignore[arg-type]


def count(kind: CountKind, seen: float, forward: int = 0, backward: int = 0, *, at: float | None = None,
          period: float = 60.0, line: str = "1", seq: int = -1, device: str = GATE) -> Count:  # fmt: skip
    """A count that the gateway saw `seen` seconds after T0; `at` is the device's stamp in the same seconds."""
    stamp = T0 + (seen if at is None else at)
    start, end = (stamp - period, stamp) if kind == "window" else (0.0, 0.0)
    return Count(at=stamp, seen=T0 + seen, source=device, counter=device, line=line, seq=seq, kind=kind,
                 forward=forward, backward=backward, start=start, end=end)  # fmt: skip


def live(monitor: Monitor, facts: Iterable[Fact], until_s: float) -> list[Finding]:
    """Facts in the order of the gateway among ticks, one a second, from -1 to `until_s`."""
    timed: list[Fact] = [*facts, *(tick(float(s)) for s in range(-1, int(until_s) + 1))]
    return run(monitor, sorted(timed, key=lambda fact: fact.seen or fact.at))


def states(findings: Iterable[Finding], device: str = GATE) -> list[DeviceState]:
    """What was said of a device."""
    return [finding for finding in findings if isinstance(finding, DeviceState) and finding.device == device]


def raw(monitor: Monitor, zone: str = "hall") -> int:
    """People in a zone by its doors alone."""
    return zones(monitor)[zone].raw
