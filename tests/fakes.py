"""Small doubles of the outside: an inbox that is a list, a journal that is a dictionary and can be told to fail."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence

from flowmon.errors import JournalError
from flowmon.facts import Record, Sighting
from flowmon.findings import Rejected
from flowmon.journal.port import Entry
from sensors.dialects.port import Message


class FakeInbox:
    """An inbox fed by `put`. `acked` holds what was acknowledged, in order."""

    def __init__(self, batch: int = 500) -> None:
        self.acked: list[Message] = []
        self.rejected: deque[tuple[Message, str]] = deque(maxlen=100)  # the newest
        self.waiting: deque[Message] = deque()
        self.closed = False
        self._batch = batch
        self._arrived = asyncio.Event()
        self._stopped = False

    def put(self, *messages: Message) -> None:
        """These arrive."""
        self.waiting.extend(messages)
        self._arrived.set()

    async def take(self) -> list[Message]:
        while not self._stopped:
            self._arrived.clear()
            if self.waiting:
                return [self.waiting.popleft() for _ in range(min(self._batch, len(self.waiting)))]
            await self._arrived.wait()
        return []

    def ack(self, messages: Sequence[Message]) -> None:
        self.acked.extend(messages)

    def reject(self, message: Message, reason: str) -> None:
        self.rejected.append((message, reason))

    def stop(self) -> None:
        self._stopped = True
        self._arrived.set()

    async def close(self) -> None:
        self.closed = True


class MemoryJournal:
    """A journal in memory, with the sinks of sightings and rejects beside it.

    failures: how many of the next writes of any kind fail. `hold` makes writes wait until `release`.
    """

    def __init__(self, failures: int = 0) -> None:
        self.entries: dict[str, list[Entry]] = {}
        self.sightings: dict[str, list[Sighting]] = {}
        self.rejects: dict[str, list[Rejected]] = {}
        self.failures = failures
        self.attempts = 0
        self._open = asyncio.Event()
        self._open.set()

    def hold(self) -> None:
        self._open.clear()

    def release(self) -> None:
        self._open.set()

    async def append(self, venue: str, record: Record) -> int:
        await self._attempt()
        entries = self.entries.setdefault(venue, [])
        entries.append(Entry(venue, len(entries), list(record)))
        return len(entries) - 1

    async def append_sightings(self, venue: str, sightings: Sequence[Sighting]) -> None:
        await self._attempt()
        self.sightings.setdefault(venue, []).extend(sightings)

    async def append_rejects(self, venue: str, rejects: Sequence[Rejected]) -> None:
        await self._attempt()
        self.rejects.setdefault(venue, []).extend(rejects)

    async def read(self, venue: str, *, after: int = -1, follow: bool = False) -> AsyncIterator[Entry]:
        """Entries so far; this fake does not follow."""
        for entry in self.entries.get(venue, [])[after + 1 :]:
            yield entry

    async def close(self) -> None:
        self._open.set()

    def facts(self, venue: str) -> Record:
        """All facts of a venue, in order."""
        return [fact for entry in self.entries.get(venue, []) for fact in entry.record]

    async def _attempt(self) -> None:
        self.attempts += 1
        await self._open.wait()
        if self.failures > 0:
            self.failures -= 1
            raise JournalError("told to fail")
        await asyncio.sleep(0)


async def until(condition: object, *, within_s: float = 10.0) -> None:
    """Wait until `condition()` is true. Raises AssertionError after `within_s` seconds."""
    assert callable(condition)
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within_s
    while not condition():
        assert loop.time() < deadline, "the condition was not met in time"
        await asyncio.sleep(0.002)
