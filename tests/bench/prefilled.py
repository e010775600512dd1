"""Topics that are full before anybody reads: the journal's records, and the same facts for quix."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from msgspec import Struct

from flowmon import wire
from flowmon.journal.kafka import TopicSpec, create_topics
from flowmon.monitor.core import Monitor
from flowmon.names import FACTS_TOPIC, FINDINGS_TOPIC
from flowmon.settings import Settings
from streams import topics
from tests.bench import load

PARTITIONS = 1  # one worker, one venue: more would only be idle


class Filled(Struct, frozen=True):
    """What stands in the facts topic, ticks not counted as facts. findings: how many follow from it."""

    facts: int
    records: int
    findings: int


async def fill(address: str, facts: int, per_record: int) -> Filled:
    """Put facts into an empty journal, in records of `per_record` with ticks between."""
    await create_topics(address, topics.table(Settings(app="bench", partitions=PARTITIONS)))
    venue = load.museum()
    monitor = Monitor(venue)
    records = list(load.records(venue, facts, per_record))
    findings = sum(len(monitor.apply_record(record)) for record in records)
    await _send(address, FACTS_TOPIC, ((venue.id.encode(), wire.encode(record)) for record in records))
    return Filled(facts, len(records), findings)


async def fill_facts(address: str, topic: str, facts: int, per_record: int) -> int:
    """The same facts in a topic of their own, ticks included, a message each, keyed by source; returns how many."""
    await create_topics(address, [TopicSpec(topic, "source", PARTITIONS, {})])
    flat = (fact for record in load.records(load.museum(), facts, per_record) for fact in record)
    return await _send(address, topic, ((fact.source.encode(), wire.encode(fact)) for fact in flat))


async def fill_records(address: str, topic: str, facts: int, per_record: int) -> int:
    """The same records in a topic of their own, keyed by venue; returns how many."""
    await create_topics(address, [TopicSpec(topic, "venue", PARTITIONS, {})])
    venue = load.museum()
    records = load.records(venue, facts, per_record)
    return await _send(address, topic, ((venue.id.encode(), wire.encode(record)) for record in records))


async def _send(address: str, topic: str, messages: Iterable[tuple[bytes, bytes]]) -> int:
    async with _producer(address) as sender:
        sent = [await sender.send(topic, value, key=key) for key, value in messages]
        await asyncio.gather(*sent)
    return len(sent)


@asynccontextmanager
async def _producer(address: str) -> AsyncIterator[AIOKafkaProducer]:
    sender = AIOKafkaProducer(bootstrap_servers=address, linger_ms=5, max_batch_size=262_144)
    await sender.start()
    try:
        yield sender
    finally:
        await sender.stop()


@asynccontextmanager
async def end_of_findings(address: str) -> AsyncIterator["Findings"]:
    """Counts findings for as long as the context lasts."""
    consumer = AIOKafkaConsumer(bootstrap_servers=address)
    await consumer.start()
    try:
        yield Findings(consumer)
    finally:
        await consumer.stop()


class Findings:
    """How many findings there are, without reading them."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self._consumer = consumer

    async def count(self) -> int:
        """Findings published so far."""
        place = TopicPartition(FINDINGS_TOPIC, 0)
        return int((await self._consumer.end_offsets([place]))[place])
