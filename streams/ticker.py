"""The ticker: the worker that leads writes one Tick a second into every venue's journal.

Ticks carry whole seconds, so two leaders (there may be, for a moment) write the same tick, and one is a no-op.
"""

import asyncio
import logging
import math
from collections.abc import Iterable

import faust

from flowmon.clock import Clock
from flowmon.errors import JournalError
from flowmon.facts import Tick
from flowmon.journal.port import Journal

log = logging.getLogger(__name__)


class Ticker:
    """Writes ticks. A venue whose last tick is not safe yet gets no other: an outage leaves no pile behind.

    venues: id -> whether everything of it is simulated.
    """

    def __init__(self, journal: Journal, venues: dict[str, bool], clock: Clock) -> None:
        self._journal = journal
        self._venues = venues
        self._clock = clock
        self._writing: dict[str, asyncio.Task[None]] = {}

    def until_next(self) -> float:
        """Seconds of clock time until the next whole second."""
        now = self._clock.now()
        return math.floor(now) + 1.0 - now

    def tick(self) -> Iterable[asyncio.Task[None]]:
        """Start writing the tick of this second; returns what is being written."""
        second = math.floor(self._clock.now())
        for venue, simulated in self._venues.items():
            busy = self._writing.get(venue)
            if busy is None or busy.done():
                self._writing[venue] = asyncio.create_task(self._write(venue, second, simulated=simulated))
        return self._writing.values()

    async def _write(self, venue: str, second: int, *, simulated: bool) -> None:
        at = float(second)
        try:
            fact = Tick(at=at, seen=at, source="ticker", seq=second, simulated=simulated)
            await self._journal.append(venue, [fact])
        except JournalError as error:
            log.error("%s: tick %d not written: %s", venue, second, error)  # noqa: TRY400 -- the message says it


def attach(app: faust.App, ticker: Ticker) -> None:
    """Make the app tick while it leads."""

    @app.task  # type: ignore[untyped-decorator]
    async def tick() -> None:
        # Not app.timer: its calls come a second apart, but not on the second.
        while not app.should_stop:
            await app.sleep(ticker.until_next())
            if app.is_leader():
                ticker.tick()
