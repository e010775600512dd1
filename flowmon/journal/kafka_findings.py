"""Findings on Kafka: one compacted topic, so that its beginning to its end is the latest of every subject.

All findings of a venue are in the partition its facts are in, in the order of `(offset, index)`. Each is one
message, key `venue/subject`, with CloudEvents 1.0 headers (binary mode) and `offset`, `index`.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator, Iterable, Sequence
from typing import Any, get_args

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError, KafkaTimeoutError
from aiokafka.producer.message_accumulator import BatchBuilder

from flowmon import wire
from flowmon.errors import JournalError, Undecodable
from flowmon.findings import Finding, Published, subject
from flowmon.journal.kafka_client import CLOSE_WITHIN_S, Headers, Partitions, Producer
from flowmon.journal.kafka_topics import partition_of, partitions_of
from flowmon.names import FINDINGS_TOPIC

log = logging.getLogger(__name__)

POLL_MS = 200
READ_AT_ONCE = 5000
#: A batch fills this long before it leaves, seconds: fewer requests in a flood, and nobody sees five milliseconds.
GATHER_S = 0.005
#: Batches of a partition that may wait to be sent before `write` waits too.
LANE_MAX = 8


def headers(venue: str, offset: int, index: int, finding: Finding) -> Headers:
    """What names a finding without opening it. `ce_id` is the same however often it is published."""
    return [*_common(venue, offset), *_own(f"{venue}/{offset}/", index, finding)]


def _common(venue: str, offset: int) -> Headers:
    """The headers all findings of a record share."""
    return [
        ("ce_specversion", b"1.0"),
        ("ce_source", f"/flowmon/{venue}".encode()),
        ("content-type", b"application/json"),
        ("offset", str(offset).encode()),
    ]


def _own(record: str, index: int, finding: Finding) -> Headers:
    number = str(index)
    return [
        ("ce_id", (record + number).encode()),
        ("ce_type", _TYPES[type(finding)]),
        ("index", number.encode()),
    ]


_TYPES = {kind: f"flowmon.{kind.__struct_config__.tag}".encode() for kind in get_args(Finding)}


class FindingsWriter:
    """Publishes findings without waiting, and waits for all of them on demand.

    While one batch of a partition is under way the next one fills, so that a lone finding leaves at once and a
    flood costs little (a third of sending them one by one). It never sends a finding again by itself: when Kafka
    refuses one, `write` and `delivered` raise, the worker ends, and the next one starts from a checkpoint that
    does not include it.
    """

    def __init__(self, bootstrap: str) -> None:
        self._producer = Producer(bootstrap)
        self._connected: AIOKafkaProducer | None = None
        self._lanes: dict[int, deque[BatchBuilder]] = {}  # the last batch of a lane is open
        self._under_way: dict[int, asyncio.Future[None]] = {}
        self._pending: set[asyncio.Future[object]] = set()
        self._failure: BaseException | None = None
        self._closed = False

    async def write(self, venue: str, partition: int, offset: int, findings: Sequence[Finding]) -> None:
        """Hand over the findings of one record. Raises JournalError when an earlier one was refused."""
        self._check()
        if not findings or self._closed:
            return
        if self._connected is None:
            self._connected = await self._producer.connected(FINDINGS_TOPIC)
        lane = self._lanes.setdefault(partition, deque())
        common, record = _common(venue, offset), f"{venue}/{offset}/"
        for index, finding in enumerate(findings):
            key = f"{venue}/{subject(finding)}".encode()
            self._fill(lane, key, wire.encode(finding), common + _own(record, index, finding))
        if partition not in self._under_way:
            self._under_way[partition] = asyncio.ensure_future(self._send(partition))
            self._under_way[partition].add_done_callback(lambda done: self._sent(partition, done))
        if len(lane) > LANE_MAX:
            await self.delivered()

    def _fill(self, lane: "deque[BatchBuilder]", key: bytes, value: bytes, names: Headers) -> None:
        assert self._connected is not None, "write connects first"
        if lane and lane[-1].append(timestamp=None, key=key, value=value, headers=names):
            return
        lane.append(self._connected.create_batch())
        if lane[-1].append(timestamp=None, key=key, value=value, headers=names) is None:
            raise JournalError(f"the finding {key!r} of {len(value)} bytes is too large to be published")

    async def _send(self, partition: int) -> None:
        lane = self._lanes[partition]
        while lane:
            await asyncio.sleep(GATHER_S)
            batch = lane.popleft()
            delivery = await self._hand_over(batch, partition)
            self._pending.add(delivery)
            delivery.add_done_callback(self._settle)

    async def _hand_over(self, batch: BatchBuilder, partition: int) -> "asyncio.Future[object]":
        assert self._connected is not None, "write connects first"
        while True:
            try:
                # Returns when the batch before has left.
                delivery: asyncio.Future[object] = await self._connected.send_batch(
                    batch, FINDINGS_TOPIC, partition=partition
                )
            except KafkaTimeoutError:
                log.warning("findings wait for Kafka at %s", self._producer.bootstrap)
            else:
                return delivery

    def _sent(self, partition: int, done: "asyncio.Future[None]") -> None:
        del self._under_way[partition]
        self._settle(done)

    def _settle(self, done: "asyncio.Future[Any]") -> None:
        self._pending.discard(done)
        if not done.cancelled():
            self._failure = self._failure or done.exception()

    def _check(self) -> None:
        if self._failure is not None:
            raise JournalError(f"findings cannot be published: {self._failure!r}") from self._failure

    async def delivered(self) -> None:
        """Wait until everything written so far is safe. Raises JournalError when it never will be."""
        if self._under_way:
            await asyncio.wait(set(self._under_way.values()))
        if self._pending:
            await asyncio.wait(self._pending.copy())
        self._check()

    async def close(self) -> None:
        """Flush and disconnect, in at most CLOSE_WITHIN_S. Idempotent; what is written afterwards is dropped, so
        whoever closes first makes sure that it will not be called safe."""
        self._closed = True
        try:
            await asyncio.wait_for(self.delivered(), CLOSE_WITHIN_S)
        except (TimeoutError, JournalError) as error:
            log.warning("closing with findings Kafka has not confirmed; the next worker says them again: %r", error)
        for sending in list(self._under_way.values()):
            sending.cancel()
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
