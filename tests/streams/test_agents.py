"""The agents without Kafka: what they skip, apply, hand over, acknowledge, and in which order."""

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any, cast

import pytest

from flowmon import wire
from flowmon.clock import Clock
from flowmon.errors import JournalError
from flowmon.facts import Count, Fact, Presence, Record, Sighting, Tick
from flowmon.findings import Finding, Rejected
from flowmon.journal.port import Entry
from flowmon.monitor.core import Monitor
from flowmon.monitor.presence import Presences
from flowmon.settings import Settings
from flowmon.venue.model import Counter, Floor, Portal, Receiver, Venue, Zone
from streams.agents import Listening, Monitoring, Venues
from streams.app import create_app
from streams.checkpoints import Seats
from streams.outbox import Outbox
from streams.ticker import Ticker

SQUARE = [(0.0, 0.0), (10.0, 0.0), (10.0, 10.0), (0.0, 10.0)]
VENUE = Venue(
    id="museum",
    name="Museum",
    timezone="Europe/Paris",
    floors={"ground": Floor(outline=SQUARE)},
    zones={"foyer": Zone(floor="ground", capacity=50, outline=SQUARE)},
    portals={"door": Portal(between=("outside", "foyer"))},
    counters={"ctr-1": Counter(portal="door", towards="foyer")},
    receivers={"rec-1": Receiver(zone="foyer", at=(5.0, 5.0))},
)


class Journal:
    """A journal in memory, which can hold back or refuse what is appended."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.rejects: list[Rejected] = []
        self.safe = asyncio.Event()
        self.safe.set()
        self.refuses = False

    async def append(self, venue: str, record: Record) -> int:
        await self.safe.wait()
        if self.refuses:
            raise JournalError("the disk is full")
        self.entries.append(Entry(venue, len(self.entries), list(record)))
        return self.entries[-1].offset

    async def append_rejects(self, _venue: str, rejects: list[Rejected]) -> None:
        self.rejects += rejects

    async def read(self, venue: str, *, after: int = -1, follow: bool = False) -> AsyncIterator[Entry]:
        for entry in self.entries:
            if entry.venue == venue and entry.offset > after:
                yield entry

    async def close(self) -> None:
        pass


class Findings:
    """What was published, as (offset, index, bytes)."""

    def __init__(self) -> None:
        self.published: list[tuple[int, int, bytes]] = []
        self.safe = True

    async def write(self, _venue: str, _partition: int, offset: int, findings: list[Finding]) -> None:
        self.published += [(offset, index, wire.encode(f)) for index, f in enumerate(findings)]

    async def delivered(self) -> None:
        if not self.safe:
            raise JournalError("refused")


class Event:
    def __init__(self, key: bytes, value: bytes, offset: int, partition: int = 0) -> None:
        self.key = key
        self.value = value
        self.message = SimpleNamespace(offset=offset, partition=partition)
        self.acknowledged = False

    def ack(self) -> bool:
        self.acknowledged = True
        return True


class World:
    """A worker's parts around the real core, and the loop of its agents."""

    def __init__(self, table: dict[str, bytes], journal: Journal, findings: Findings, venue: Venue = VENUE) -> None:
        self.seats: Seats[Monitor] = Seats(table, now=lambda: 0.0, every_s=0.0)
        self.monitoring = Monitoring(
            Venues({venue.id: venue}),
            self.seats,
            cast("Any", journal),
            cast("Any", findings),
            Clock(),
            lambda _partition: 0,
        )

    async def handle(self, event: Event) -> None:
        seat = await self.monitoring.seat(cast("Any", event))
        if seat is None or event.message.offset <= seat.offset:
            event.ack()
            return
        await self.monitoring.take(seat, cast("Any", event))
        await self.monitoring.checkpoint(seat, event.message.partition)


def record(second: int) -> list[Fact]:
    crossing = Count(
        at=1000.0 + second, source="ctr-1", seq=second, counter="ctr-1", kind="event", forward=1, backward=0
    )
    return [crossing, Tick(at=1000.0 + second, source="ticker", seq=1000 + second)]


def straight(records: list[list[Fact]]) -> list[tuple[int, int, bytes]]:
    monitor = Monitor(VENUE)
    return [
        (offset, index, wire.encode(finding))
        for offset, facts in enumerate(records)
        for index, finding in enumerate(monitor.apply_record(facts))
    ]


RECORDS = [record(second) for second in range(20)]


async def filled() -> Journal:
    journal = Journal()
    for facts in RECORDS:
        await journal.append("museum", facts)
    return journal


def event(offset: int) -> Event:
    return Event(b"museum", wire.encode(RECORDS[offset]), offset)


async def test_what_is_published_is_what_a_plain_loop_finds() -> None:
    findings = Findings()
    world = World({}, await filled(), findings)
    for offset in range(20):
        await world.handle(event(offset))
    assert findings.published == straight(RECORDS)


async def test_a_restarted_worker_skips_what_its_checkpoint_includes() -> None:
    table: dict[str, bytes] = {}
    findings = Findings()
    for offset in range(12):
        await World(table, await filled(), findings).handle(event(offset))  # a new worker for every record
    again = event(11)
    await World(table, await filled(), findings).handle(again)
    assert again.acknowledged
    assert findings.published == straight(RECORDS)[: len(findings.published)]


async def test_a_gap_behind_the_checkpoint_is_read_from_the_journal() -> None:
    table: dict[str, bytes] = {}
    findings = Findings()
    world = World(table, await filled(), findings)
    for offset in range(5):
        await world.handle(event(offset))
    await World(table, await filled(), findings).handle(event(15))  # Kafka believed 5..14 were dealt with
    await World(table, await filled(), findings).handle(event(16))
    assert findings.published == [row for row in straight(RECORDS) if row[0] <= 16]


async def test_records_left_out_on_the_way_are_read_from_the_journal(caplog: pytest.LogCaptureFixture) -> None:
    findings = Findings()
    world = World({}, await filled(), findings)
    for offset in (0, 1, 2, 7, 8, 8, 3, 19):  # with a jump back and repeats, as around a rebalance
        await world.handle(event(offset))
    assert findings.published == straight(RECORDS)
    assert "records 3 to 6 were left out" in caplog.text


async def test_a_changed_venue_file_is_rebuilt_and_old_findings_are_not_said_again() -> None:
    table: dict[str, bytes] = {}
    await World(table, await filled(), Findings()).handle(event(0))
    later = Findings()
    changed = Venue(**{f: getattr(VENUE, f) for f in VENUE.__struct_fields__} | {"capacity": 40})
    await World(table, await filled(), later, changed).handle(event(3))
    monitor = Monitor(changed)
    expected = [
        (offset, index, wire.encode(finding))
        for offset in range(4)
        for index, finding in enumerate(monitor.apply_record(RECORDS[offset]))
        if offset > 0
    ]
    assert later.published == expected


async def test_nothing_is_acknowledged_or_saved_before_its_findings_are_safe() -> None:
    table: dict[str, bytes] = {}
    findings = Findings()
    findings.safe = False
    first = event(0)
    with pytest.raises(JournalError):
        await World(table, await filled(), findings).handle(first)
    assert not first.acknowledged
    assert table == {}


async def test_what_is_no_record_becomes_a_reject_and_the_next_is_applied() -> None:
    journal, findings = await filled(), Findings()
    world = World({}, journal, findings)
    await world.handle(Event(b"museum", b"\xffrubbish", 0))
    await world.handle(event(1))
    assert [reject.topic for reject in journal.rejects] == ["flowmon.facts/0"]
    assert {row[0] for row in findings.published} == {1}


async def test_another_installations_venue_is_left_alone() -> None:
    findings = Findings()
    stranger = Event(b"elsewhere", wire.encode(RECORDS[0]), 0)
    await World({}, Journal(), findings).handle(stranger)
    assert stranger.acknowledged
    assert findings.published == []


async def test_presences_of_many_sightings_are_one_record() -> None:
    journal = Journal()
    outbox = Outbox(journal)
    seats: Seats[Presences] = Seats({}, now=lambda: 0.0, every_s=0.0)
    listening = Listening(Venues({"museum": VENUE}), seats, outbox)
    heard = [
        Sighting(at=50.0 + n, seen=50.0 + n, source="rec-1", beacon=f"b{b}", receiver="rec-1", rssi_dbm=-50.0)
        for n in range(6)
        for b in range(3)
    ]
    sightings = Event(b"museum/b1", wire.encode(heard), 4, partition=2)
    seat = listening.seat(cast("Any", sightings))
    assert seat is not None
    assert seat.key == "museum/2"
    listening.take(seat, cast("Any", sightings))
    await listening.checkpoint(seat)
    (entry,) = journal.entries
    assert {f.beacon for f in entry.record if isinstance(f, Presence)} == {"b0", "b1", "b2"}
    assert sightings.acknowledged


async def test_presences_that_cannot_be_written_stop_the_worker() -> None:
    journal = Journal()
    journal.refuses = True
    outbox = Outbox(journal)
    outbox.put("museum", [Tick(at=1.0, source="x")])
    with pytest.raises(JournalError):
        await outbox.delivered()


async def test_ticks_are_whole_seconds_and_do_not_pile_up() -> None:
    journal = Journal()
    ticker = Ticker(journal, {"museum": False, "demo": True}, Clock(start=5000.25))
    assert 0.0 < ticker.until_next() <= 0.75
    journal.safe.clear()
    first = list(ticker.tick())
    ticker.tick()  # the journal is away: no second tick waits behind the first
    journal.safe.set()
    await asyncio.gather(*first)
    ticks = {entry.venue: entry.record for entry in journal.entries}
    assert ticks == {
        "museum": [Tick(at=5000.0, seen=5000.0, source="ticker", seq=5000)],
        "demo": [Tick(at=5000.0, seen=5000.0, source="ticker", seq=5000, simulated=True)],
    }


def test_an_app_is_made_without_touching_anything() -> None:
    app = create_app(Settings(app="one", kafka="127.0.0.1:1"), {"museum": VENUE})
    other = create_app(Settings(app="two", kafka="127.0.0.1:1"), {"museum": VENUE})
    assert app.conf.id == "one"
    assert other.conf.id == "two"
    assert {"streams.agents.monitor", "streams.agents.presence"} <= set(app.agents)
    assert set(app.tables) == {"monitors", "presences"}
