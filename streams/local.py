"""The one-process engine: gateway, journal of files, monitors, history and feed in one event loop.

    MQTT, HTTP -> gateway -> journal (fsync) -> monitor -> feed
                                ^  ^                   `-> history (SQLite)
                           ticker  presences, commands

The monitor reads the journal like everybody else, so what it knows is what is on the disk. A checkpoint every few
seconds makes a restart short; without one the whole journal is read again, with the same result.
"""

import argparse
import asyncio
import contextlib
import logging
import signal
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import msgspec

from flowmon import metrics, settings
from flowmon.clock import Clock
from flowmon.errors import FlowmonError, JournalError
from flowmon.facts import Record, Sighting, Tick
from flowmon.feed.server import Feed
from flowmon.findings import Published, Rejected
from flowmon.history.port import History
from flowmon.history.sqlite import SqliteHistory
from flowmon.journal.files import FileJournal
from flowmon.journal.port import Entry
from flowmon.journal.segments import Log
from flowmon.monitor.core import Monitor
from flowmon.monitor.presence import Presences
from flowmon.settings import Settings
from flowmon.venue.model import Venue
from flowmon.venue.parse import load_all
from sensors import inboxes
from sensors.gateway import Gateway, Inbox
from sensors.keys import Keys
from sensors.mapping.beside import dialects_of
from sensors.routes import Routes
from streams import rejectfile, snapshots
from streams.backlog import Backlog
from streams.snapshots import Checkpoint

CHECKPOINT_S = 5.0
SIGHTINGS_BYTES = 128 << 20  # twice that on the disk, some hours of a full museum

_log = logging.getLogger(__name__)


class LocalEngine:
    """One or more venues in one process, their data in `folder`.

    history, log: where findings go and what writes the journal's bytes; tests give some that fail.
    Everything is opened at once; raises JournalError when another process uses the folder.
    """

    def __init__(
        self,
        venues: list[Venue],
        found: Settings,
        clock: Clock,
        folder: Path,
        *,
        history: History | None = None,
        log: type[Log] = Log,
    ) -> None:
        self.clock = clock
        self._venues = {venue.id: venue for venue in venues}
        self._settings = found
        self.folder = folder
        self.journal = FileJournal(folder / "journal", venues, clock=clock, simulated=found.simulated, log=log)
        self.history = history or SqliteHistory(folder / "history.sqlite", clock=clock)
        self.feed = Feed(venues, self.journal, clock, found)
        self._presences = {venue.id: self._restore_presences(venue) for venue in venues}
        self._backlog = Backlog(self.history)
        self._loading = set(self._venues)  # venues whose journal is not applied yet
        self._last: dict[str, Checkpoint] = {}  # where each watcher stopped
        self._stopping = False

    def gateway(self, inbox: Inbox, routes: Routes) -> Gateway:
        """A gateway that writes into this engine's journal."""
        return Gateway(
            inbox,
            routes,
            self._venues,
            self.journal,
            self._hear,
            self._keep_rejects,
            self.clock,
            keys=Keys(self._settings.beacon_secret),
            simulated=self._settings.simulated,
            tell_every_s=60.0,
        )

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["LocalEngine"]:
        """Watch, tick and archive for as long as the context lasts; a defect in any part ends it."""
        async with asyncio.TaskGroup() as group:
            for venue in self._venues.values():
                group.create_task(self._watch(venue))
            group.create_task(self._backlog.run())
            ticking = group.create_task(self._tick())
            try:
                yield self
            finally:
                self._stopping = True
                ticking.cancel()
                self._backlog.close()
                await self.journal.close()  # which ends the watchers
        if await self._backlog.flush():  # history is never behind a checkpoint: what it lacks is replayed
            for name, checkpoint in self._last.items():
                _save(self._checkpoint(name), checkpoint)
        self._save_presences()
        await self.history.close()

    async def _watch(self, venue: Venue) -> None:
        """The monitor of one venue: from its checkpoint on, until the journal is closed."""
        path, last = self._checkpoint(venue.id), self.journal.last_offset(venue.id)
        monitor, offset = _restore(venue, snapshots.load(path), last)
        self.feed.publish([Published(venue.id, offset, i, f) for i, f in enumerate(monitor.current())])
        if offset >= last:
            self._ready(venue)
        saved = time.monotonic()
        async for entry in self.journal.read(venue.id, after=offset, follow=True):
            self._apply(monitor, entry)
            offset = entry.offset
            if offset >= last and venue.id in self._loading:
                self._ready(venue)
            if time.monotonic() - saved > CHECKPOINT_S:
                if await self._backlog.flush():
                    await asyncio.to_thread(_save, path, Checkpoint(offset, monitor.snapshot()))
                saved = time.monotonic()
            if self._stopping:
                break
        self._last[venue.id] = Checkpoint(offset, monitor.snapshot())

    def _apply(self, monitor: Monitor, entry: Entry) -> None:
        began = time.perf_counter()
        findings = monitor.apply_record(entry.record)
        metrics.applied(time.perf_counter() - began, len(entry.record))
        metrics.journal_lag(entry.venue, self.journal.last_offset(entry.venue) - entry.offset)
        metrics.found(findings)
        self._tell([Published(entry.venue, entry.offset, i, f) for i, f in enumerate(findings)])

    def _tell(self, published: list[Published]) -> None:
        if published:
            self.feed.publish(published)
            self._backlog.add(published)

    def _ready(self, venue: Venue) -> None:
        _log.info("%s: everything in the journal is applied", venue.id)
        self._loading.discard(venue.id)
        self.feed.ready = not self._loading

    async def _tick(self) -> None:
        """Time itself, once a second of the clock, into every venue's journal."""
        failing = False
        while True:
            now = self.clock.now()
            try:
                for venue in self._venues.values():
                    await self.journal.append(venue.id, [self._tick_of(venue, now)])
            except JournalError as error:
                if not failing:
                    _log.error("time stands still: %s", error)
                failing = True
            else:
                if failing:
                    _log.warning("time goes on: the journal is written again")
                failing = False
            await asyncio.sleep((1.0 - self.clock.now() % 1.0) / self.clock.rate)

    def _tick_of(self, venue: Venue, now: float) -> Tick:
        simulated = venue.simulated or self._settings.simulated
        return Tick(at=now, seen=now, source="ticker", seq=int(now), simulated=simulated)

    async def _hear(self, venue: str, sightings: list[Sighting]) -> None:
        """Sightings become presences, which are facts of the venue."""
        if self._settings.keep_sightings:
            await asyncio.to_thread(self._keep_sightings, venue, sightings)
        presences = self._presences[venue]
        record: Record = [presence for sighting in sightings for presence in presences.apply(sighting)]
        if record:
            await self.journal.append(venue, record)

    def _keep_sightings(self, venue: str, sightings: list[Sighting]) -> None:
        path = self.folder / "sightings" / f"{venue}.jsonl"
        try:
            rejectfile.append(path, sightings, most=SIGHTINGS_BYTES)
        except JournalError as error:  # they are kept for a calibration only; beacons are placed all the same
            _log.error("sightings are not kept: %s", error)

    async def _keep_rejects(self, venue: str, rejects: list[Rejected]) -> None:
        await asyncio.to_thread(rejectfile.append, self.folder / "rejects" / f"{venue}.jsonl", rejects)

    def _checkpoint(self, name: str) -> Path:
        return self.folder / "checkpoints" / f"{name}.bin"

    def _restore_presences(self, venue: Venue) -> Presences:
        kept = snapshots.load(self._checkpoint(f"{venue.id}-presences"))
        if kept is not None:
            with contextlib.suppress(ValueError):
                return Presences.restore(venue, kept.snapshot)
        return Presences(venue)

    def _save_presences(self) -> None:
        for name, presences in self._presences.items():
            _save(self._checkpoint(f"{name}-presences"), Checkpoint(-1, presences.snapshot()))


def _restore(venue: Venue, kept: Checkpoint | None, last: int) -> tuple[Monitor, int]:
    """The monitor as it was at its checkpoint; a new one when there is none that fits a journal that ends at `last`."""
    if kept is None:
        return Monitor(venue), -1
    if kept.offset > last:
        _log.warning(
            "%s: the checkpoint is of another journal (it knows record %d, the last one is %d); reading the whole one",
            venue.id,
            kept.offset,
            last,
        )
        return Monitor(venue), -1
    try:
        return Monitor.restore(venue, kept.snapshot), kept.offset
    except ValueError as error:
        _log.warning("%s: %s; reading the whole journal", venue.id, error)
        return Monitor(venue), -1


def _save(path: Path, checkpoint: Checkpoint) -> None:
    try:
        snapshots.save(path, checkpoint)
    except JournalError as error:  # the journal still tells everything; a restart only takes longer
        _log.error("no checkpoint: %s", error)


def arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `flowmon run`; what is not given comes from the environment (FLOWMON_…)."""
    parser.add_argument("venues", nargs="*", type=Path, metavar="venue.toml", help="venue files (FLOWMON_VENUES)")
    parser.add_argument("--mqtt", metavar="URL", help="the broker, mqtt://host:1883 or mqtts://… (FLOWMON_MQTT)")
    parser.add_argument(
        "--http", metavar="HOST:PORT", help="listen for devices that post, off when empty (FLOWMON_HTTP)"
    )
    parser.add_argument("--data", type=Path, metavar="DIR", help="journal, history and checkpoints (FLOWMON_DATA)")
    parser.add_argument("--host", help="address of the screens (FLOWMON_FEED_HOST)")
    parser.add_argument("--port", type=int, help="port of the screens, 0 for a free one (FLOWMON_FEED_PORT)")
    parser.add_argument("--simulated", action="store_true", help="mark everything as simulated")
    parser.add_argument(
        "--keep-sightings", action="store_true", help="write raw sightings beside the journal, for flowmon calibrate"
    )


def run(args: argparse.Namespace) -> int:
    """Watch until SIGTERM or Ctrl-C. Raises FlowmonError for what must be mended first."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    found = settings.load()
    given = {
        "venues": tuple(args.venues) or found.venues,
        "mqtt": args.mqtt or found.mqtt,
        "http": args.http or found.http,
        "data": args.data or found.data,
        "feed_host": args.host or found.feed_host,
        "feed_port": found.feed_port if args.port is None else args.port,
        "simulated": args.simulated or found.simulated,
        "keep_sightings": args.keep_sightings or found.keep_sightings,
    }
    found = msgspec.structs.replace(found, **given)
    asyncio.run(serve(load_all(found.venues), found, Clock()))
    return 0


async def serve(
    venues: list[Venue],
    found: Settings,
    clock: Clock,
    *,
    started: Callable[[LocalEngine], None] | None = None,
    stop: asyncio.Event | None = None,
) -> None:
    """Run the engine with its gateway and feed until `stop`, SIGTERM or Ctrl-C; `started` is told once it listens.

    Raises FlowmonError for what must be mended, at the start or later (a journal that cannot be read).
    """
    try:
        await _serve(venues, found, clock, started, stop or asyncio.Event())
    except ExceptionGroup as group:
        if (known := group.subgroup(FlowmonError)) is None:
            raise
        raise _first(known) from group


def _first(group: ExceptionGroup[FlowmonError]) -> FlowmonError:
    error = group.exceptions[0]
    return _first(error) if isinstance(error, ExceptionGroup) else error


async def _serve(
    venues: list[Venue],
    found: Settings,
    clock: Clock,
    started: Callable[[LocalEngine], None] | None,
    stop: asyncio.Event,
) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    engine = LocalEngine(venues, found, clock, found.data)
    routes = Routes(venues, dialects_of(venues, found.venues))
    async with engine.feed.serve(), engine.running():
        inbox = await inboxes.started(found, routes, clock)
        gateway = engine.gateway(inbox, routes)
        taking = asyncio.create_task(gateway.run())
        if started is not None:
            started(engine)
        _log.info("screens at http://%s:%d/", found.feed_host, engine.feed.port)
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({taking, stopping}, return_when=asyncio.FIRST_COMPLETED)
        gateway.stop()
        await taking
        stopping.cancel()
