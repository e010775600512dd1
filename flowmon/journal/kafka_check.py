"""Looking at Kafka without touching it, for `flowmon doctor`: which topics stand, how new their last messages are."""

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError
from msgspec import Struct

from flowmon import wire
from flowmon.errors import FlowmonError, JournalError, Undecodable
from flowmon.journal.kafka_client import Partitions, reach, started
from flowmon.journal.kafka_topics import partitions_of
from flowmon.names import FACTS_TOPIC, FINDINGS_TOPIC


class Standing(Struct, frozen=True):
    """A topic as it stands: how many partitions, and Kafka's `cleanup.policy` for it."""

    partitions: int
    cleanup: str


async def topics(bootstrap: str, names: list[str], *, patience_s: float) -> dict[str, Standing]:
    """Those of the named topics that stand. Raises JournalError when Kafka does not answer."""

    async def connect() -> AIOKafkaAdminClient:
        return await started(AIOKafkaAdminClient(bootstrap_servers=bootstrap))

    admin = await reach(connect, bootstrap, patience_s)
    try:
        found = {
            topic["topic"]: len(topic["partitions"])
            for topic in await admin.describe_topics()
            if topic["topic"] in names
        }
        wanted = [ConfigResource(ConfigResourceType.TOPIC, name, {"cleanup.policy": ""}) for name in found]
        policies: dict[str, str] = {}
        for answer in await admin.describe_configs(wanted) if wanted else ():
            for _, _, _, name, settings in answer.resources:
                policies[name] = next((setting[1] for setting in settings if setting[0] == "cleanup.policy"), "")
    except KafkaError as error:
        raise JournalError(f"Kafka at {bootstrap} cannot say what topics it has: {error!r}") from error
    finally:
        await admin.close()
    return {name: Standing(count, policies.get(name, "")) for name, count in found.items()}


async def newest(bootstrap: str, topic: str, *, patience_s: float) -> float | None:
    """When the newest message of the facts or findings topic happened; None when there is none.

    Raises JournalError when Kafka or the topic cannot be reached.
    """
    count = await partitions_of(bootstrap, topic, patience_s=patience_s)
    async with Partitions(bootstrap, topic, patience_s=patience_s) as partitions:
        ends = await partitions.open(range(count))
        last = {place: end - 1 for place, end in ends.items() if end > 0}
        if not last:
            return None
        partitions.consumer.assign(list(last))
        for place, offset in last.items():
            partitions.consumer.seek(place, offset)
        found: list[float] = []
        waiting = set(last)
        while waiting:
            messages = await partitions.consumer.getmany(timeout_ms=200)
            if not messages:
                break
            waiting -= set(messages)
            found += _times(topic, messages)
    return max(found, default=None)


def _times(topic: str, messages: "dict[TopicPartition, list[object]]") -> list[float]:
    times: list[float] = []
    for part in messages.values():
        value: bytes = part[-1].value or b""  # type: ignore[attr-defined]
        try:
            if topic == FACTS_TOPIC:
                times += [fact.seen or fact.at for fact in wire.decode_record(value)]
            elif topic == FINDINGS_TOPIC:
                times.append(wire.decode_finding(value).at)
            else:
                raise FlowmonError(f"{topic} has no times")
        except Undecodable:
            continue
    return times
