"""The connection to Kafka: one producer that outlives restarts of the broker, and consumers of given partitions.

The producer is idempotent with `acks=all` and retries what can be retried for ever, so a record is written once
however often the broker goes away. Two things end it: a batch that finds no leader for REQUEST_TIMEOUT, and a gap
in its sequence numbers. It is then replaced and the record sent again: at least once, duplicates being no-ops.
"""

import asyncio
import logging
from collections.abc import Iterable
from types import TracebackType
from typing import Any, Self

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaError,
    MessageSizeTooLargeError,
    OutOfOrderSequenceNumber,
    ProducerClosed,
    ProducerFenced,
    UnknownTopicOrPartitionError,
)

from flowmon.errors import JournalError

log = logging.getLogger(__name__)

#: Largest message the producers send, bytes. The topics of streams/topics.py allow it.
MESSAGE_MAX = 8 * 1024 * 1024
#: Also how long a batch may be without a leader: it must cover an outage of the broker of minutes.
REQUEST_TIMEOUT_MS = 180_000
#: The metadata of a new connection name every topic there is; one that is missing after this long is missing.
TOPIC_WITHIN_S = 15.0
RETRY_S = 0.5
CLOSE_WITHIN_S = 10.0
#: An outage of minutes should not fill the log.
COMPLAIN_S = 10.0

Headers = list[tuple[str, bytes]]


class Producer:
    """Sends bytes and says at which offset they stand, once they are safe.

    patience_s: how long to try to reach Kafka before giving up with JournalError (None: for ever).
    """

    def __init__(self, bootstrap: str, *, patience_s: float | None = None) -> None:
        self.bootstrap = bootstrap
        self._patience_s = patience_s
        self._producer: AIOKafkaProducer | None = None
        self._connecting = asyncio.Lock()
        self._topics: set[str] = set()

    async def send(self, topic: str, key: bytes, value: bytes) -> int:
        """Write one message to the partition of its key; returns its offset when all replicas have it.

        Raises JournalError when it never can be: it is too large, the topic is missing, access is refused.
        """
        while True:
            producer = await self.connected(topic)
            try:
                delivery = await producer.send(topic, value, key=key)
                return int((await delivery).offset)
            except MessageSizeTooLargeError as error:
                raise JournalError(
                    f"a record of {len(value)} bytes is over Kafka's limit of {MESSAGE_MAX}: split it"
                ) from error
            except KafkaError as error:
                if not _passing(error):
                    raise JournalError(f"{topic}: Kafka at {self.bootstrap} refused: {error!r}") from error
                log.warning("%s: sending again on a new connection: %r", topic, error)
                await self._drop(producer)

    async def connected(self, topic: str) -> AIOKafkaProducer:
        """The producer, connected, with `topic` known. Raises JournalError as `send` does."""
        async with self._connecting:
            if self._producer is None:
                self._topics.clear()
                self._producer = await reach(self._connect, self.bootstrap, self._patience_s)
            producer = self._producer
            if topic not in self._topics:
                await _find_topic(producer, topic, self.bootstrap)
                self._topics.add(topic)
        return producer

    async def _connect(self) -> AIOKafkaProducer:
        producer = AIOKafkaProducer(
            bootstrap_servers=self.bootstrap,
            enable_idempotence=True,
            acks="all",
            max_batch_size=262_144,
            max_request_size=MESSAGE_MAX,
            request_timeout_ms=REQUEST_TIMEOUT_MS,
            retry_backoff_ms=200,
        )
        return await started(producer)

    async def _drop(self, producer: AIOKafkaProducer) -> None:
        current = self._producer is producer
        if current:
            self._producer = None
            await producer.stop()

    async def close(self) -> None:
        """Flush and disconnect, in at most CLOSE_WITHIN_S. Idempotent."""
        producer, self._producer = self._producer, None
        if producer is None:
            return
        try:
            await asyncio.wait_for(producer.stop(), CLOSE_WITHIN_S)
        except TimeoutError:
            # Whoever waits for these has not been told they are safe, and keeps them.
            log.warning("Kafka at %s is away: closing with records it has not confirmed", self.bootstrap)
            await producer.client.close()


class Partitions:
    """A consumer of given partitions, outside any group's assignment. An asynchronous context.

    partition: one of them, or None for all of the topic. group: where to remember what was read, if anywhere.
    """

    def __init__(self, bootstrap: str, topic: str, *, patience_s: float | None, group: str | None = None) -> None:
        self._bootstrap = bootstrap
        self._topic = topic
        self._patience_s = patience_s
        self._group = group
        self.consumer: AIOKafkaConsumer

    async def __aenter__(self) -> Self:
        self.consumer = await reach(self._connect, self._bootstrap, self._patience_s)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.consumer.stop()

    async def _connect(self) -> AIOKafkaConsumer:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap,
            group_id=self._group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=MESSAGE_MAX,
            fetch_max_wait_ms=100,
            retry_backoff_ms=200,
        )
        return await started(consumer)

    async def open(self, numbers: Iterable[int], *, resume: bool = False) -> dict[TopicPartition, int]:
        """Start reading these partitions from their beginning; returns where each of them ends now.

        resume: go on from what the group has committed, where it has.
        """
        places = [TopicPartition(self._topic, number) for number in numbers]
        self.consumer.assign(places)
        try:
            if not resume:
                await self.consumer.seek_to_beginning(*places)
            return dict(await self.consumer.end_offsets(places))
        except KafkaError as error:
            raise JournalError(f"{self._topic} cannot be read at {self._bootstrap}: {error!r}") from error

    async def seek(self, number: int, offset: int) -> tuple[TopicPartition, int]:
        """Start reading one partition at `offset`, or where it begins; returns it, and where it ends now."""
        place = TopicPartition(self._topic, number)
        ends = await self.open([number])
        begins = await self.consumer.beginning_offsets([place])
        self.consumer.seek(place, max(offset, begins[place]))
        return place, ends[place]

    async def reached(self, ends: dict[TopicPartition, int]) -> bool:
        """Whether reading has come to these offsets."""
        for place, end in ends.items():
            if await self.consumer.position(place) < end:
                return False
        return True


async def started(client: Any) -> Any:
    """Start a client of aiokafka; one that cannot start is put away."""
    try:
        await client.start()
    except BaseException:
        await (client.close if isinstance(client, AIOKafkaAdminClient) else client.stop)()
        raise
    return client


class _Seldom(logging.Filter):
    """aiokafka says ten times a second that the broker is away; once in a while is enough."""

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        text = str(record.msg)
        if record.levelno < logging.WARNING:
            return True
        if record.created - self._said.get(text, 0.0) < COMPLAIN_S:
            return False
        self._said[text] = record.created
        return True


_seldom = _Seldom()


def complain_seldom() -> None:
    """Let each kind of complaint of aiokafka through every COMPLAIN_S seconds. Idempotent."""
    parts = ("", ".conn", ".cluster", ".producer.sender", ".consumer.fetcher", ".consumer.group_coordinator")
    for part in parts:
        logging.getLogger(f"aiokafka{part}").addFilter(_seldom)


async def reach(connect: Any, bootstrap: str, patience_s: float | None) -> Any:
    """Connect, again and again until `patience_s` is over."""
    complain_seldom()
    started = asyncio.get_running_loop().time()
    complained = 0.0
    while True:
        try:
            return await connect()
        except KafkaError as error:
            waited = asyncio.get_running_loop().time() - started
            text = f"Kafka at {bootstrap} does not answer: is it running, is FLOWMON_KAFKA right? ({error})"
            if patience_s is not None and waited >= patience_s:
                raise JournalError(text) from error
            if waited >= complained:
                complained = waited + COMPLAIN_S
                log.warning("%s; trying on", text)
            await asyncio.sleep(RETRY_S)


async def _find_topic(producer: AIOKafkaProducer, topic: str, bootstrap: str) -> None:
    try:
        await asyncio.wait_for(producer.partitions_for(topic), TOPIC_WITHIN_S)
    except TimeoutError:
        raise missing(topic, bootstrap) from None


def missing(topic: str, bootstrap: str) -> JournalError:
    """The error for a topic that is not there."""
    return JournalError(
        f"Kafka at {bootstrap} has no topic {topic}: start a worker (python -m streams), which creates it"
    )


def _passing(error: KafkaError) -> bool:
    """Whether a new connection may mend it."""
    broken = (KafkaConnectionError, OutOfOrderSequenceNumber, ProducerClosed, ProducerFenced)
    if isinstance(error, UnknownTopicOrPartitionError):
        return False
    # What aiokafka says when its background task ended: a bare KafkaError.
    return error.retriable or isinstance(error, broken) or type(error) is KafkaError
