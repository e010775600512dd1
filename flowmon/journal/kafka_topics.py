"""Topics: creating them as a table says, and which partition a venue's records are in."""

import asyncio

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code
from aiokafka.partitioner import murmur2
from msgspec import Struct

from flowmon.errors import JournalError
from flowmon.journal.kafka_client import RETRY_S, TOPIC_WITHIN_S, missing, reach, started


class TopicSpec(Struct, frozen=True):
    """A topic: what its key is (in words), how many partitions, and Kafka's own settings for it."""

    name: str
    key: str
    partitions: int
    settings: dict[str, str] = {}


def partition_of(key: str, partitions: int) -> int:
    """The partition Kafka's default partitioner puts a key into.

    >>> partition_of("museum", 4)
    0
    """
    return int(murmur2(key.encode()) & 0x7FFFFFFF) % partitions


async def create_topics(
    bootstrap: str, specs: list[TopicSpec], *, replication: int = 1, patience_s: float | None = None
) -> list[str]:
    """Create the topics that are missing; returns their names. Those that stand keep their settings.

    Raises JournalError when one stands with another number of partitions (keys would move), or cannot be made.
    """
    admin = await _admin(bootstrap, patience_s)
    try:
        standing = await _standing(admin)
        _compare(specs, standing)
        fresh = [spec for spec in specs if spec.name not in standing]
        wanted = [NewTopic(s.name, s.partitions, replication, topic_configs=s.settings) for s in fresh]
        if wanted:
            _judge(await admin.create_topics(wanted))
    except KafkaError as error:
        raise JournalError(f"topics cannot be created at {bootstrap}: {error!r}") from error
    finally:
        await admin.close()
    return [spec.name for spec in fresh]


async def partitions_of(bootstrap: str, topic: str, *, patience_s: float | None = None) -> int:
    """How many partitions a topic has. Raises JournalError when there is no such topic, or no Kafka."""
    admin = await _admin(bootstrap, patience_s)
    deadline = asyncio.get_running_loop().time() + TOPIC_WITHIN_S
    try:
        while (found := (await _standing(admin)).get(topic, 0)) == 0:
            if asyncio.get_running_loop().time() > deadline:
                raise missing(topic, bootstrap)
            await asyncio.sleep(RETRY_S)
    except KafkaError as error:
        raise JournalError(f"topics cannot be listed at {bootstrap}: {error!r}") from error
    finally:
        await admin.close()
    return found


async def _admin(bootstrap: str, patience_s: float | None) -> AIOKafkaAdminClient:
    async def connect() -> AIOKafkaAdminClient:
        return await started(AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=30_000))

    return await reach(connect, bootstrap, patience_s)


async def _standing(admin: AIOKafkaAdminClient) -> dict[str, int]:
    return {topic["topic"]: len(topic["partitions"]) for topic in await admin.describe_topics()}


def _compare(specs: list[TopicSpec], standing: dict[str, int]) -> None:
    for spec in specs:
        found = standing.get(spec.name, spec.partitions)
        if found != spec.partitions:
            raise JournalError(
                f"topic {spec.name} has {found} partitions, not {spec.partitions}: "
                f"set FLOWMON_PARTITIONS={found}, or delete the topic to lose what is in it"
            )


def _judge(answer: "object") -> None:
    """Somebody else creating the same topic at the same moment is no error."""
    for name, code, message in answer.topic_errors:  # type: ignore[attr-defined]
        error = for_code(code)
        if code and error is not TopicAlreadyExistsError:
            raise JournalError(f"topic {name} cannot be created: {message or error.__name__}")
