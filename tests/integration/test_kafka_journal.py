"""The journal and the findings on a real Kafka, also while it is restarted and killed."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from deploy.services import Services, free_port
from flowmon import names, wire
from flowmon.errors import JournalError
from flowmon.facts import Count, Record, Sighting, Tick
from flowmon.findings import Rejected, ZoneState
from flowmon.journal.kafka import FindingsWriter, KafkaFindings, KafkaJournal, create_topics, partition_of
from flowmon.journal.kafka_topics import TopicSpec
from flowmon.settings import Settings
from streams import topics

pytestmark = pytest.mark.integration


def count(number: int, *, size: int = 1) -> Record:
    return [
        Count(at=float(number), source="ctr-01", seq=number, counter="ctr-01", kind="event", forward=part)
        for part in range(size)
    ]


def state(at: float, people: float, zone: str = "foyer") -> ZoneState:
    return ZoneState(at=at, zone=zone, occupancy=people, lo=people, hi=people, capacity=10)


@pytest.fixture
async def kafka(services: Services) -> str:
    await create_topics(services.kafka_address, topics.table(Settings()))
    return services.kafka_address


@pytest.fixture
async def journal(kafka: str) -> AsyncIterator[KafkaJournal]:
    journal = KafkaJournal(kafka, patience_s=30)
    yield journal
    await journal.close()


async def test_what_was_appended_is_read_in_order_by_venue(journal: KafkaJournal) -> None:
    # museum and alpha share a partition of four: offsets interleave, records do not.
    assert partition_of("museum", 4) == partition_of("alpha", 4)
    ours = [await journal.append("museum", count(n, size=3)) for n in range(5)]
    await journal.append("alpha", count(77))
    ours.append(await journal.append("museum", [Tick(at=9.0, source="ticker", seq=9)]))
    entries = [entry async for entry in journal.read("museum", after=ours[0] - 1)]
    assert [entry.offset for entry in entries] == ours
    assert entries[0].record == count(0, size=3)
    later = [entry async for entry in journal.read("museum", after=ours[3])]
    assert [entry.offset for entry in later] == ours[4:]


async def test_a_venue_without_records_reads_as_empty(journal: KafkaJournal) -> None:
    assert [entry async for entry in journal.read("nobody-writes-here")] == []


async def test_following_yields_what_comes_later(journal: KafkaJournal) -> None:
    last = await journal.append("gamma", count(1))
    follower = journal.read("gamma", after=last, follow=True)
    ahead = asyncio.ensure_future(anext(follower))
    offset = await journal.append("gamma", count(2))
    entry = await asyncio.wait_for(ahead, 20)
    assert (entry.offset, entry.record) == (offset, count(2))
    await follower.aclose()


async def test_a_restarted_broker_loses_and_doubles_nothing(services: Services, journal: KafkaJournal) -> None:
    first = await journal.append("south", count(0))
    appended: list[int] = []
    enough = asyncio.Event()

    async def write() -> None:
        number = 0
        while not enough.is_set():
            number += 1
            appended.append(await journal.append("south", count(number)))

    writers = [asyncio.create_task(write()) for _ in range(20)]

    async def until(more: int) -> None:
        goal = len(appended) + more
        async with asyncio.timeout(60):
            while len(appended) < goal:  # noqa: ASYNC110 -- a condition with a deadline
                await asyncio.sleep(0.01)

    await until(500)
    await asyncio.to_thread(services.kafka.restart)
    await until(500)
    services.kafka.kill()
    await asyncio.to_thread(services.kafka.start)
    await until(500)
    enough.set()
    await asyncio.wait_for(asyncio.gather(*writers), 60)
    entries = [entry async for entry in journal.read("south", after=first)]
    assert [entry.offset for entry in entries] == sorted(appended)
    assert len(set(appended)) == len(appended)
    assert max(appended) - first == len(appended), "nothing but what was confirmed is in the partition"


async def test_sightings_of_a_beacon_are_one_message_and_rejects_are_kept(kafka: str, journal: KafkaJournal) -> None:
    heard = [
        Sighting(at=float(n), source="rec-1", beacon=f"b{n % 2}", receiver="rec-1", rssi_dbm=-60.0) for n in range(6)
    ]
    await journal.append_sightings("west", heard)
    await journal.append_rejects("west", [Rejected(at=1.0, source="mqtt", reason="no JSON", raw="AA==")])
    async with contextlib.AsyncExitStack() as stack:
        consumer = AIOKafkaConsumer(
            names.SIGHTINGS_TOPIC,
            names.REJECTS_TOPIC,
            bootstrap_servers=kafka,
            auto_offset_reset="earliest",
        )
        await consumer.start()
        stack.push_async_callback(consumer.stop)
        found: dict[tuple[str, bytes], bytes] = {}
        async with asyncio.timeout(20):
            while len(found) < 3:
                message = await consumer.getone()
                if message.key.startswith(b"west"):
                    found[message.topic, message.key] = message.value
    record = wire.decode_record(found[names.SIGHTINGS_TOPIC, b"west/b1"])
    assert record == heard[1::2]
    assert wire.decode_finding(found[names.REJECTS_TOPIC, b"west"]) == Rejected(
        at=1.0, source="mqtt", reason="no JSON", raw="AA=="
    )


async def test_findings_are_read_to_the_end_then_followed(kafka: str) -> None:
    writer = FindingsWriter(kafka)
    await writer.write("gamma", 2, 5, [state(1.0, 3.0), state(1.0, 4.0, "hall")])
    await writer.write("gamma", 2, 7, [state(2.0, 5.0)])
    await writer.delivered()
    reader = KafkaFindings(kafka, patience_s=30)
    stream = reader.read("gamma")
    seen = []
    async with asyncio.timeout(20):
        while not reader.caught_up.is_set():
            seen += await anext(stream)
        assert [(p.offset, p.index) for p in seen] == [(5, 0), (5, 1), (7, 0)]
        assert seen[2].finding == state(2.0, 5.0)
        await writer.write("gamma", 2, 8, [state(3.0, 6.0)])
        later = await anext(stream)
    assert [(p.venue, p.offset, p.index, p.finding.at) for p in later] == [("gamma", 8, 0, 3.0)]
    await stream.aclose()
    await writer.close()


async def test_an_archive_goes_on_from_what_it_committed(kafka: str) -> None:
    writer = FindingsWriter(kafka)
    for offset in range(4):
        await writer.write("east", 2, offset, [state(float(offset), 1.0)])
    await writer.delivered()

    async def read_all(reader: KafkaFindings) -> list[int]:
        offsets: list[int] = []
        stream = reader.read("east")
        async with asyncio.timeout(20):
            while not reader.caught_up.is_set():
                offsets += [p.offset for p in await anext(stream)]
        await reader.commit()
        await stream.aclose()
        return offsets

    assert await read_all(KafkaFindings(kafka, group="test-archive")) == [0, 1, 2, 3]
    await writer.write("east", 2, 9, [state(9.0, 2.0)])
    await writer.delivered()
    assert await read_all(KafkaFindings(kafka, group="test-archive")) == [9]
    await writer.close()


async def test_rubbish_in_the_topics_is_left_out(kafka: str, journal: KafkaJournal) -> None:
    first = await journal.append("north", count(1))
    producer = AIOKafkaProducer(bootstrap_servers=kafka)
    await producer.start()
    try:
        for value in (b"", b"[]", b"{}", b"\xff", b'[{"type":"nonsense"}]', None):
            await producer.send_and_wait(names.FACTS_TOPIC, value, key=b"north")
        await producer.send_and_wait(names.FINDINGS_TOPIC, b"rubbish", key=b"north/zone/x")
    finally:
        await producer.stop()
    last = await journal.append("north", count(2))
    entries = [entry async for entry in journal.read("north", after=first - 1)]
    assert [entry.offset for entry in entries] == [first, last]
    stream = (reader := KafkaFindings(kafka, patience_s=30)).read("north")
    assert await asyncio.wait_for(anext(stream), 20) == []
    assert reader.caught_up.is_set()
    await stream.aclose()


async def test_topics_are_made_once_and_a_changed_partition_count_is_explained(kafka: str) -> None:
    assert await create_topics(kafka, topics.table(Settings())) == []
    with pytest.raises(JournalError, match="FLOWMON_PARTITIONS=4"):
        await create_topics(kafka, topics.table(Settings(partitions=3)))
    bad = TopicSpec("flowmon-bad", "nothing", 1, {"cleanup.policy": "sometimes"})
    with pytest.raises(JournalError, match="flowmon-bad cannot be created"):
        await create_topics(kafka, [bad])


async def test_a_record_that_is_too_large_says_so(journal: KafkaJournal) -> None:
    huge = Tick(at=1.0, source="x" * 9_000_000, seq=1)
    with pytest.raises(JournalError, match="split it"):
        await journal.append("museum", [huge])
    assert await journal.append("museum", count(1)) >= 0


async def test_an_absent_broker_says_so() -> None:
    journal = KafkaJournal(f"127.0.0.1:{free_port()}", patience_s=0)
    with pytest.raises(JournalError, match="does not answer"):
        await journal.append("museum", count(1))
    with pytest.raises(JournalError, match="does not answer"):
        await anext(journal.read("museum"))
