"""One simulated day, three engines, the same bytes: the one-process engine, Faust on Kafka, and `flowmon replay`."""

import asyncio
from collections.abc import Iterable
from pathlib import Path

import pytest

from deploy.services import Services
from deploy.stack import MUSEUM, Stack
from flowmon import wire
from flowmon.clock import Clock
from flowmon.facts import Record
from flowmon.findings import Published
from flowmon.history.sqlite import SqliteHistory
from flowmon.journal.files import FileJournal
from flowmon.journal.kafka import KafkaFindings, KafkaJournal, create_topics
from flowmon.monitor.core import Monitor
from flowmon.recording.fold import replay
from flowmon.settings import Settings
from flowmon.venue.model import Venue
from flowmon.venue.parse import load
from simulator import scenario as scenarios
from simulator.record import records
from simulator.simulation import Simulation
from streams import topics
from streams.local import LocalEngine
from tests.fakes import until

pytestmark = pytest.mark.integration

RECORDS = 6_000


@pytest.fixture(scope="module")
def venue() -> Venue:
    return load(MUSEUM)


@pytest.fixture(scope="module")
def day(venue: Venue) -> list[Record]:
    """The first records of a simulated day, ticks included."""
    simulated = records(Simulation(venue, scenarios.load("coach-party"), 3, sightings=False))
    return [next(simulated) for _ in range(RECORDS)]


@pytest.fixture(scope="module")
def straight(venue: Venue, day: list[Record]) -> dict[tuple[int, int], bytes]:
    """What a plain fold over the records concludes."""
    return _named(replay(Monitor(venue), venue.id, enumerate(day)))


def _named(published: Iterable[Published]) -> dict[tuple[int, int], bytes]:
    return {(p.offset, p.index): wire.encode(p.finding) for p in published}


async def test_the_one_process_engine_says_the_same(
    venue: Venue, day: list[Record], straight: dict[tuple[int, int], bytes], tmp_path: Path
) -> None:
    """The day is in its journal when it starts; its own ticks come after it."""
    journal = FileJournal(tmp_path / "journal", [venue], simulated=True)
    await asyncio.gather(*(journal.append(venue.id, record) for record in day))
    await journal.close()
    engine = LocalEngine([venue], Settings(data=tmp_path, simulated=True), Clock(_end(day)), tmp_path)
    async with engine.running(), asyncio.timeout(60):
        await until(lambda: engine.feed.ready)
    history = SqliteHistory(tmp_path / "history.sqlite")
    told: dict[tuple[int, int], bytes] = {}
    for subject in ["venue", *(f"zone/{zone}" for zone in venue.zones), *(f"queue/{queue}" for queue in venue.queues)]:
        told |= _named(await history.query(venue.id, subject, start=0, end=9e9, limit=1_000_000))
    await history.close()
    kinds = tuple(f'{{"type":"{kind}"'.encode() for kind in ("zone_state", "venue_state", "queue_state"))
    assert {name: data for name, data in told.items() if name[0] < len(day)} == {
        name: data for name, data in straight.items() if data.startswith(kinds)
    }


async def test_faust_on_kafka_says_the_same(
    services: Services, venue: Venue, day: list[Record], straight: dict[tuple[int, int], bytes], tmp_path: Path
) -> None:
    """The day is in Kafka before the worker starts, whose own ticks come after it."""
    await create_topics(services.kafka_address, topics.table(Settings(app="engines")))
    journal = KafkaJournal(services.kafka_address)
    offsets = [await journal.append(venue.id, record) for record in day]
    await journal.close()
    place = {offset: number for number, offset in enumerate(offsets)}
    worker = Stack(services, tmp_path / "logs", [MUSEUM], app="engines").workers[0].start()
    told: dict[tuple[int, int], bytes] = {}
    try:
        async with asyncio.timeout(90):
            async for batch in KafkaFindings(services.kafka_address).read(venue.id):
                told |= _named(batch)
                if told and max(told)[0] > offsets[-1]:
                    break
    finally:
        worker.stop()
    assert {(place[offset], index): data for (offset, index), data in told.items() if offset in place} == straight


def _end(day: list[Record]) -> float:
    return max(fact.seen or fact.at for fact in day[-1])
