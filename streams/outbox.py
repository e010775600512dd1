"""The outbox: presences on their way into the journal, gathered into one record a venue every few milliseconds."""

import asyncio

from flowmon.facts import Fact
from flowmon.journal.port import Journal

GATHER_S = 0.02
GATHER_MAX = 500


class Outbox:
    """Appends facts without waiting, and waits for all of them on demand."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._gathered: dict[str, list[Fact]] = {}
        self._sending: set[asyncio.Task[int]] = set()
        self._failure: BaseException | None = None
        self._timer: asyncio.TimerHandle | None = None

    def put(self, venue: str, facts: list[Fact]) -> None:
        """Add facts to a venue's next record. Raises what the journal raised for an earlier one."""
        if self._failure is not None:
            raise self._failure
        gathered = self._gathered.setdefault(venue, [])
        gathered.extend(facts)
        if len(gathered) >= GATHER_MAX:
            self._send()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(GATHER_S, self._send)

    def _send(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        gathered, self._gathered = self._gathered, {}
        for venue, facts in gathered.items():
            if facts:
                sending = asyncio.ensure_future(self._journal.append(venue, facts))
                self._sending.add(sending)
                sending.add_done_callback(self._sent)

    def _sent(self, sending: "asyncio.Task[int]") -> None:
        self._sending.discard(sending)
        if not sending.cancelled():
            self._failure = self._failure or sending.exception()

    async def delivered(self) -> None:
        """Wait until everything put so far is in the journal. Raises what the journal raised."""
        self._send()
        if self._sending:
            await asyncio.wait(self._sending.copy())
        if self._failure is not None:
            raise self._failure
