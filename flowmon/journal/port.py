"""The journal: an append-only log of records, one total order per venue. Two adapters: `files` and `kafka`."""

from collections.abc import AsyncIterator
from typing import Protocol

from msgspec import Struct

from flowmon.facts import Record


class Entry(Struct, frozen=True):
    """A record as it stands in the journal. `(venue, offset)` names the state after applying it."""

    venue: str
    offset: int
    record: Record


class Journal(Protocol):
    """What the gateway, the ticker and the feed write to, and the monitor reads from."""

    async def append(self, venue: str, record: Record) -> int:
        """Write one record; returns its offset once it is durable (fsync, or acknowledged by all replicas).

        Raises JournalError when it is not durable; the caller keeps the record and tries again.
        """
        ...

    def read(self, venue: str, *, after: int = -1, follow: bool = False) -> AsyncIterator[Entry]:
        """Entries of a venue in order, from the first one past offset `after`; with `follow`, for ever."""
        ...

    async def close(self) -> None:
        """Flush and let go of files and connections. Idempotent."""
        ...
