"""The journal on Kafka: one topic of records keyed by venue, so that a venue has one total order.

An entry's offset is the offset of its Kafka partition; venues that share a partition see gaps, never an overlap.
"""

import asyncio
import itertools
import logging
from collections.abc import AsyncGenerator, Sequence

from flowmon import wire
from flowmon.errors import JournalError, Undecodable
from flowmon.facts import Record, Sighting
from flowmon.findings import Rejected
from flowmon.journal.kafka_client import Partitions, Producer
from flowmon.journal.kafka_findings import FindingsWriter, KafkaFindings
from flowmon.journal.kafka_topics import TopicSpec, create_topics, partition_of, partitions_of
from flowmon.journal.port import Entry
from flowmon.names import FACTS_TOPIC, REJECTS_TOPIC, SIGHTINGS_TOPIC

__all__ = ["FindingsWriter", "KafkaFindings", "KafkaJournal", "TopicSpec", "create_topics", "partition_of"]

log = logging.getLogger(__name__)

#: How long a reader that has everything waits for more before it looks round, milliseconds.
POLL_MS = 200
READ_AT_ONCE = 2000


class KafkaJournal:
    """flowmon.journal.port.Journal on Kafka, and the two topics beside it: sightings and rejects.

    Appending rides out an absent broker: it returns when the record is safe, however long that takes, and may be
    called again before it has (records keep their order). patience_s: how long to try to reach Kafka at first,
    seconds, before JournalError says that it does not answer (None: for ever, complaining in the log).
    """

    def __init__(self, bootstrap: str, *, patience_s: float | None = None) -> None:
        self._bootstrap = bootstrap
        self._patience_s = patience_s
        self._producer = Producer(bootstrap, patience_s=patience_s)

    async def append(self, venue: str, record: Record) -> int:
        """Write one record (never empty); returns its offset once all replicas have it. Raises JournalError."""
        if not record:
            raise JournalError("a record is never empty: leave it out")
        return await self._producer.send(FACTS_TOPIC, venue.encode(), wire.encode(record))

    async def append_sightings(self, venue: str, sightings: Sequence[Sighting]) -> None:
        """Write sightings, those of one beacon in one message, in the order given. Raises JournalError."""
        ordered = sorted(sightings, key=lambda sighting: sighting.beacon)  # stable
        groups = itertools.groupby(ordered, key=lambda sighting: sighting.beacon)
        sends = [
            self._producer.send(SIGHTINGS_TOPIC, f"{venue}/{beacon}".encode(), wire.encode(list(group)))
            for beacon, group in groups
        ]
        await asyncio.gather(*sends)

    async def append_rejects(self, venue: str, rejects: Sequence[Rejected]) -> None:
        """Write what could not be used, for people to look at. Raises JournalError."""
        sends = [self._producer.send(REJECTS_TOPIC, venue.encode(), wire.encode(reject)) for reject in rejects]
        await asyncio.gather(*sends)

    async def read(self, venue: str, *, after: int = -1, follow: bool = False) -> AsyncGenerator[Entry, None]:
        """Entries of a venue past offset `after`; without `follow`, up to what stood there when it began.

        What retention has deleted is left out. A message that is no record is left out too, with a warning: the
        monitor rejects it as well. Raises JournalError when Kafka or the topic cannot be reached.
        """
        key = venue.encode()
        count = await partitions_of(self._bootstrap, FACTS_TOPIC, patience_s=self._patience_s)
        async with Partitions(self._bootstrap, FACTS_TOPIC, patience_s=self._patience_s) as partitions:
            place, end = await partitions.seek(partition_of(venue, count), after + 1)
            while follow or await partitions.consumer.position(place) < end:
                batch = await partitions.consumer.getmany(place, timeout_ms=POLL_MS, max_records=READ_AT_ONCE)
                for message in batch.get(place, ()):
                    if message.key != key or not (follow or message.offset < end):
                        continue
                    entry = _entry(venue, message.offset, message.value)
                    if entry is not None:
                        yield entry

    async def close(self) -> None:
        """Flush and disconnect. Idempotent."""
        await self._producer.close()


def _entry(venue: str, offset: int, value: bytes | None) -> Entry | None:
    try:
        return Entry(venue, offset, wire.decode_record(value or b""))
    except Undecodable as error:
        log.warning("%s: message %d of %s is no record, left out: %s", venue, offset, FACTS_TOPIC, error)
        return None
