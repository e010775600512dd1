"""`flowmon replay --to feed`: the screens over a recording. They say REPLAY, and take no commands."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Callable
from typing import Protocol

import msgspec

from flowmon.clock import Clock
from flowmon.errors import JournalError
from flowmon.facts import Record
from flowmon.feed.server import Feed
from flowmon.findings import Finding, Published
from flowmon.journal.port import Entry
from flowmon.recording.fold import Applies, replay
from flowmon.recording.job import Job
from flowmon.recording.playing import play
from flowmon.recording.tapes import begin, moment
from flowmon.settings import Settings
from flowmon.venue.model import Venue


class Knows(Applies, Protocol):
    """A monitor that can say where it stands."""

    def current(self) -> list[Finding]:
        """The latest finding of every subject."""
        ...


class RecordedClock(Clock):
    """The time of the record that was played last."""

    def __init__(self, at: float, rate: float) -> None:
        super().__init__(at, rate)
        self.at = at

    def now(self) -> float:
        """Seconds since the epoch, as recorded."""
        return self.at


class ReadOnly:
    """A journal for a feed over the past: what happened cannot be changed."""

    async def append(self, venue: str, record: Record) -> int:  # noqa: ARG002 -- the port's interface
        """Refuse. Raises JournalError."""
        raise JournalError("this is a replay: it takes no commands")

    async def read(
        self,
        venue: str,  # noqa: ARG002
        *,
        after: int = -1,  # noqa: ARG002
        follow: bool = False,  # noqa: ARG002
    ) -> AsyncIterator[Entry]:
        """Nothing was written."""
        return
        yield

    async def close(self) -> None:
        """Nothing to let go of."""


class Stage:
    """A target that plays onto screens. What happened before `start` is applied unseen, then shown as it stands."""

    def __init__(
        self, venues: dict[str, Venue], makes: Callable[[Venue], Knows], feed: Feed, clock: RecordedClock, start: float
    ) -> None:
        self._venues = venues
        self._makes = makes
        self._feed = feed
        self._clock = clock
        self._start = start
        self._monitors: dict[str, Knows] = {}
        self._shown: set[str] = set()
        self._begin()

    def _begin(self) -> None:
        self._monitors = {name: self._makes(venue) for name, venue in self._venues.items()}
        self._shown = set()

    def restart(self) -> None:
        """Every screen starts anew."""
        self._begin()
        for venue in self._venues:
            self._feed.reset(venue)

    async def send(self, entry: Entry) -> None:
        """Apply one record and show what it leads to."""
        monitor, at = self._monitors[entry.venue], moment(entry.record)
        found = list(replay(monitor, entry.venue, [(entry.offset, entry.record)]))
        if at < self._start:
            return
        self._clock.at = max(at, self._clock.at) if self._shown else at
        if entry.venue not in self._shown:
            self._shown.add(entry.venue)
            # Their place in the journal is before all that follows.
            current = enumerate(monitor.current())
            found = [Published(entry.venue, entry.offset, index, finding) for index, finding in current]
        self._feed.publish(found)
        self._feed.ready = True

    async def close(self) -> None:
        """The last picture stays."""


async def serve(job: Job, settings: Settings, makes: Callable[[Venue], Knows], *, port: int | None) -> None:
    """Play onto screens until the end, and leave them standing there until Ctrl-C.

    Raises FlowmonError when the feed cannot listen or a recording cannot be read.
    """

    clock = RecordedClock(min(map(begin, job.tapes)), job.rate)
    marked = msgspec.structs.replace(settings, simulated=settings.simulated or job.simulated)
    feed = Feed(list(job.venues.values()), ReadOnly(), clock, marked, mode="replay")
    stage = Stage(job.venues, makes, feed, clock, job.start)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with feed.serve(port=port):
        print(f"replay at http://{settings.feed_host}:{feed.port}/ (Ctrl-C ends it)", file=sys.stderr, flush=True)
        playing = asyncio.ensure_future(play(job, stage, early=True))
        stopping = asyncio.ensure_future(stop.wait())
        await asyncio.wait({playing, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if playing.done():
            playing.result()
            print("the recording has ended; its last picture stays", file=sys.stderr, flush=True)
            await stopping
        playing.cancel()
        stopping.cancel()
