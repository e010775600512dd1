"""Findings on Kafka: one compacted topic, so that its beginning to its end is the latest of every subject.

All findings of a venue are in the partition its facts are in, in the order of `(offset, index)`. Each is one
message, key `venue/subject`, with CloudEvents 1.0 headers (binary mode) and `offset`, `index`.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Iterable, Sequence
from typing import get_args

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from flowmon import wire
from flowmon.errors import JournalError, Undecodable
from flowmon.findings import Finding, Published, subject
from flowmon.journal.kafka_client import Headers, Partitions, Producer
from flowmon.journal.kafka_topics import partition_of, partitions_of
from flowmon.names import FINDINGS_TOPIC

log = logging.getLogger(__name__)

POLL_MS = 200
READ_AT_ONCE = 5000


def headers(venue: str, offset: int, index: int, finding: Finding) -> Headers:
    """What names a finding without opening it. `ce_id` is the same however often it is published."""
    place, number = b"%d" % offset, b"%d" % index
    name = venue.encode()
    return [
        ("ce_specversion", b"1.0"),
        ("ce_id", b"%b/%b/%b" % (name, place, number)),
        ("ce_source", b"/flowmon/%b" % name),
        ("ce_type", _TYPES[type(finding)]),
        ("content-type", b"application/json"),
        ("offset", place),
        ("index", number),
    ]


_TYPES = {kind: f"flowmon.{kind.__struct_config__.tag}".encode() for kind in get_args(Finding)}


class FindingsWriter:
    """Publishes findings without waiting, and waits for all of them on demand.

    It never sends a finding again by itself: when Kafka refuses one, `delivered` raises, the worker ends, and
    the next one starts from a checkpoint that does not include it.
    """

    def __init__(self, bootstrap: str) -> None:
        self._producer = Producer(bootstrap)
        self._connected: AIOKafkaProducer | None = None
        self._pending: set[asyncio.Future[object]] = set()
        self._failure: BaseException | None = None

    async def write(self, venue: str, partition: int, offset: int, findings: Sequence[Finding]) -> None:
        """Hand over the findings of one record. Raises JournalError when an earlier one was refused."""
        if self._connected is None:
            self._connected = await self._producer.connected(FINDINGS_TOPIC)
        try:
            for index, finding in enumerate(findings):
                delivery = await self._connected.send(
                    FINDINGS_TOPIC,
                    wire.encode(finding),
                    key=f"{venue}/{subject(finding)}".encode(),
                    partition=partition,
                    headers=headers(venue, offset, index, finding),
                )
                self._pending.add(delivery)
                delivery.add_done_callback(self._settle)
        except KafkaError as error:
            raise JournalError(f"findings of {venue} cannot be published: {error!r}") from error
        self._check()

    def _settle(self, delivery: "asyncio.Future[object]") -> None:
        self._pending.discard(delivery)
        if not delivery.cancelled():
            self._failure = self._failure or delivery.exception()

    def _check(self) -> None:
        if self._failure is not None:
            raise JournalError(f"findings cannot be published: {self._failure!r}") from self._failure

    async def delivered(self) -> None:
        """Wait until everything written so far is safe. Raises JournalError when it never will be."""
        if self._pending:
            await asyncio.wait(self._pending.copy())
        self._check()

    async def close(self) -> None:
        """Flush and disconnect. Idempotent."""
        await self._producer.close()


class KafkaFindings:
    """The findings topic as a stream: its latest of every subject, then what follows, for one reader.

    group: the name to remember under how far `commit` said it got, so that the next start goes on from there
    (an archive). Without, every start is from the beginning (a feed). patience_s: as for KafkaJournal.
    """

    def __init__(self, bootstrap: str, *, group: str | None = None, patience_s: float | None = None) -> None:
        self._bootstrap = bootstrap
        self._group = group
        self._patience_s = patience_s
        self._partitions: Partitions | None = None
        self._read: dict[TopicPartition, int] = {}
        #: Set when all that stood in the topic at the start has been yielded: the snapshot is complete.
        self.caught_up = asyncio.Event()

    async def read(self, venue: str | None = None) -> AsyncGenerator[list[Published], None]:
        """Batches of findings, of one venue or all, for ever; each venue's in order, some perhaps twice.

        `caught_up` is set before the batch that completes the snapshot is yielded; that batch may be empty, every
        other has something in it. What is no finding is left out, with a warning. Raises JournalError.
        """
        count = await partitions_of(self._bootstrap, FINDINGS_TOPIC, patience_s=self._patience_s)
        async with Partitions(
            self._bootstrap, FINDINGS_TOPIC, patience_s=self._patience_s, group=self._group
        ) as partitions:
            self._partitions = partitions
            ends = await partitions.open(_places(venue, count), resume=self._group is not None)
            while True:
                messages = await partitions.consumer.getmany(timeout_ms=POLL_MS, max_records=READ_AT_ONCE)
                batch = list(_published(messages, venue))
                self._read.update({place: part[-1].offset + 1 for place, part in messages.items()})
                completes = not self.caught_up.is_set() and await partitions.reached(ends)
                if completes:
                    self.caught_up.set()
                if batch or completes:
                    yield batch

    async def commit(self) -> None:
        """Remember that everything yielded so far is dealt with. Raises JournalError when Kafka is away."""
        if self._partitions is None or not self._read:
            return
        try:
            await self._partitions.consumer.commit(self._read)
        except KafkaError as error:
            raise JournalError(f"reading position of {self._group} not stored: {error!r}") from error


def _places(venue: str | None, partitions: int) -> list[int]:
    return list(range(partitions)) if venue is None else [partition_of(venue, partitions)]


def _published(messages: "dict[TopicPartition, list[object]]", venue: str | None) -> Iterable[Published]:
    for part in messages.values():
        for message in part:
            published = decode(message.key, message.value, message.headers)  # type: ignore[attr-defined]
            if published is not None and venue in {None, published.venue}:
                yield published


def decode(key: bytes | None, value: bytes | None, found: Iterable[tuple[str, bytes]]) -> Published | None:
    """One message of the topic; None, with a warning, for what no worker has written (and for a deletion)."""
    if value is None:
        return None
    try:
        names = dict(found)
        venue = (key or b"").decode().partition("/")[0]
        return Published(venue, int(names["offset"]), int(names["index"]), wire.decode_finding(value))
    except (KeyError, ValueError, Undecodable) as error:
        log.warning("a message of %s is no finding, left out: %r (key %r)", FINDINGS_TOPIC, error, key)
        return None
