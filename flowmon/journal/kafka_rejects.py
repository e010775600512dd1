"""The rejects topic, read as it stands now: for people and for `flowmon rejects`, no part of the running system."""

from collections.abc import AsyncGenerator

from flowmon import wire
from flowmon.errors import Undecodable
from flowmon.findings import Rejected
from flowmon.journal.kafka_client import Partitions
from flowmon.journal.kafka_topics import partitions_of
from flowmon.names import REJECTS_TOPIC

_POLL_MS = 200
_READ_AT_ONCE = 2000


async def read_rejects(
    bootstrap: str, *, patience_s: float | None = None
) -> AsyncGenerator[tuple[str, Rejected], None]:
    """(venue, reject) for each message that stood in the topic when reading began; what is no reject is left out.

    Partitions are mixed, a venue's rejects are in order. Raises JournalError when Kafka or the topic is not there.
    """
    count = await partitions_of(bootstrap, REJECTS_TOPIC, patience_s=patience_s)
    async with Partitions(bootstrap, REJECTS_TOPIC, patience_s=patience_s) as partitions:
        ends = await partitions.open(range(count))
        while not await partitions.reached(ends):
            batches = await partitions.consumer.getmany(timeout_ms=_POLL_MS, max_records=_READ_AT_ONCE)
            for messages in batches.values():
                for message in messages:
                    found = _reject(message.value)
                    if found is not None:
                        yield (message.key or b"").decode("utf-8", "replace"), found


def _reject(value: bytes | None) -> Rejected | None:
    try:
        found = wire.decode_finding(value or b"")
    except Undecodable:
        return None
    return found if isinstance(found, Rejected) else None
