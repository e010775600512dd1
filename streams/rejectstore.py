"""The rejects an installation keeps: a data folder's, or Kafka's. Read whole, bounded, and marked when read again.

A reject is named by a digest of itself. One that was read again later stays where it is; a mark beside it, itself a
reject of source `retry` with the name as its cause, takes it off the list in files and in Kafka alike.
"""

import hashlib
from collections import deque
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from flowmon import wire
from flowmon.clock import Clock
from flowmon.errors import FlowmonError
from flowmon.facts import Record
from flowmon.findings import Rejected
from flowmon.journal.files import FileJournal
from flowmon.journal.kafka import KafkaJournal
from flowmon.journal.kafka_rejects import read_rejects
from flowmon.journal.port import Journal
from flowmon.venue.model import Venue
from streams import rejectfile

#: The newest rejects that are looked at; a reject is 8 KB at most.
MOST = 20_000
MARK = "retry"
PATIENCE_S = 10.0


class Kept(Struct, frozen=True):
    """A reject, the venue it was kept for, and its name: 12 hex digits."""

    venue: str
    name: str
    reject: Rejected


class Store(Protocol):
    """Where rejects are."""

    def stream(self) -> AsyncIterator[tuple[str, Rejected]]:
        """(venue, reject), marks among them, oldest first within a venue."""
        ...

    async def open(self, venues: Sequence[Venue]) -> None:
        """Be ready for `append` and `mark`. Raises JournalError when another process writes there."""
        ...

    async def append(self, venue: str, record: Record) -> None:
        """Facts of rejects that were read again, into the journal, durable. Raises JournalError."""
        ...

    async def mark(self, venue: str, marks: Sequence[Rejected]) -> None:
        """Marks of a venue's rejects, durable. Raises JournalError."""
        ...

    async def close(self) -> None:
        """Let go. Idempotent."""
        ...


async def load(store: Store) -> tuple[list[Kept], int]:
    """(rejects that were not read again, oldest first; how many older ones were left out). Raises JournalError."""
    kept: deque[Kept] = deque(maxlen=MOST)
    seen = 0
    done: set[str] = set()
    async for venue, reject in store.stream():
        if reject.source == MARK:
            done.add(reject.cause)
            continue
        kept.append(Kept(venue, name_of(reject), reject))
        seen += 1
    left_out = seen - len(kept)
    return sorted((one for one in kept if one.name not in done), key=lambda one: one.reject.at), left_out


def name_of(reject: Rejected) -> str:
    """12 hex digits: equal rejects (one message told twice at one moment) have one name."""
    return hashlib.sha256(wire.encode(reject)).hexdigest()[:12]


def mark_of(kept: Kept, now: float) -> Rejected:
    """The mark of a reject that was read again."""
    told = kept.reject
    return Rejected(
        at=now, simulated=told.simulated, source=MARK, reason="read again", topic=told.topic, cause=kept.name
    )


class FolderStore:
    """The data folder of `flowmon run`. Listing works beside it; writing needs it stopped."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock
        self._journal: Journal | None = None

    async def stream(self) -> AsyncIterator[tuple[str, Rejected]]:
        """See the port."""
        folder = self._folder / "rejects"
        names = {path.name.split(".")[0] for path in folder.glob("*.jsonl")} if folder.is_dir() else set()
        if not names and not (self._folder / "journal").is_dir():
            raise FlowmonError(f"{self._folder} is no data folder of `flowmon run`: choose another with --data")
        for venue in sorted(names):
            for reject in rejectfile.read(folder / f"{venue}.jsonl"):
                yield venue, reject

    async def open(self, venues: Sequence[Venue]) -> None:
        """See the port."""
        self._journal = FileJournal(self._folder / "journal", venues, clock=self._clock)

    async def append(self, venue: str, record: Record) -> None:
        """See the port."""
        assert self._journal is not None, "open comes first"
        await self._journal.append(venue, record)

    async def mark(self, venue: str, marks: Sequence[Rejected]) -> None:
        """See the port."""
        rejectfile.append(self._folder / "rejects" / f"{venue}.jsonl", marks)

    async def close(self) -> None:
        """See the port."""
        if self._journal is not None:
            await self._journal.close()


class KafkaStore:
    """The topics of a cluster, which may be running."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._journal = KafkaJournal(bootstrap, patience_s=PATIENCE_S)

    async def stream(self) -> AsyncIterator[tuple[str, Rejected]]:
        """See the port."""
        async for found in read_rejects(self._bootstrap, patience_s=PATIENCE_S):
            yield found

    async def open(self, venues: Sequence[Venue]) -> None:
        """See the port."""

    async def append(self, venue: str, record: Record) -> None:
        """See the port."""
        await self._journal.append(venue, record)

    async def mark(self, venue: str, marks: Sequence[Rejected]) -> None:
        """See the port."""
        await self._journal.append_rejects(venue, marks)

    async def close(self) -> None:
        """See the port."""
        await self._journal.close()
