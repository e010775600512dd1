"""The one-process engine: gateway, journal of files, monitors, history and feed in one event loop.

    MQTT -> gateway -> journal (fsync) -> monitor -> feed
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
from flowmon.history.sqlite import SqliteHistory
from flowmon.journal.files import FileJournal
from flowmon.journal.port import Entry
from flowmon.monitor.core import Monitor
from flowmon.monitor.presence import Presences
from flowmon.settings import Settings
from flowmon.venue.model import Venue
from flowmon.venue.parse import load
from sensors.gateway import Gateway
from sensors.keys import Keys
from sensors.mqtt import Login, MqttInbox
from sensors.routes import Routes
from streams import snapshots
from streams.snapshots import Checkpoint

CHECKPOINT_S = 5.0
ARCHIVE_S = 0.5
ARCHIVE_MAX = 100_000
REJECTS_BYTES = 16 * 1024 * 1024
RETRY_S = 1.0

_log = logging.getLogger(__name__)


class LocalEngine:
    """One or more venues in one process, their data in `folder`.

    Everything is opened at once; raises JournalError when another process uses the folder.
    """

    def __init__(self, venues: list[Venue], found: Settings, clock: Clock, folder: Path) -> None:
        self.clock = clock
        self._venues = {venue.id: venue for venue in venues}
        self._settings = found
        self.folder = folder
        self.journal = FileJournal(folder / "journal", venues, clock=clock, simulated=found.simulated)
        self.history = SqliteHistory(folder / "history.sqlite", clock=clock)
        self.feed = Feed(venues, self.journal, clock, found)
        self._presences = {venue.id: self._restore_presences(venue) for venue in venues}
        self._unsaved: list[Published] = []
        self._grown = asyncio.Event()

    def gateway(self, inbox: MqttInbox, routes: Routes) -> Gateway:
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
        )

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["LocalEngine"]:
        """Watch, tick and archive for as long as the context lasts; a defect in any part ends it."""
        async with asyncio.TaskGroup() as group:
            watching = [group.create_task(self._watch(venue)) for venue in self._venues.values()]
            others = [group.create_task(self._tick()), group.create_task(self._archive())]
            try:
                yield self
            finally:
                for task in [*watching, *others]:
                    task.cancel()
        self._save_presences()
        await self._flush()
        await self.journal.close()
        await self.history.close()

    async def _watch(self, venue: Venue) -> None:
        """The monitor of one venue: from its checkpoint on, for ever."""
        path = self._checkpoint(venue.id)
        monitor, offset = _restore(venue, snapshots.load(path))
        self.feed.publish([Published(venue.id, offset, i, f) for i, f in enumerate(monitor.current())])
        target = self.journal.last_offset(venue.id)
        saved, dirty = time.monotonic(), False
        try:
            if offset >= target:
                self._ready(venue)
            async for entry in self.journal.read(venue.id, after=offset, follow=True):
                self._apply(monitor, entry)
                offset, dirty = entry.offset, True
                if offset >= target and not self.feed.ready:
                    self._ready(venue)
                if time.monotonic() - saved > CHECKPOINT_S:
                    await self._flush()  # history is never behind a checkpoint: what it lacks is replayed
                    snapshot = monitor.snapshot()
                    await asyncio.to_thread(_save, path, Checkpoint(offset, snapshot))
                    saved, dirty = time.monotonic(), False
        finally:
            if dirty:
                _save(path, Checkpoint(offset, monitor.snapshot()))

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
            self._unsaved += published
            self._grown.set()

    def _ready(self, venue: Venue) -> None:
        _log.info("%s: everything in the journal is applied", venue.id)
        self.feed.ready = True

    async def _tick(self) -> None:
        """Time itself, once a second of the clock, into every venue's journal."""
        while True:
            now = self.clock.now()
            for venue in self._venues.values():
                tick = Tick(
                    at=now,
                    seen=now,
                    source="ticker",
                    seq=int(now),
                    simulated=venue.simulated or self._settings.simulated,
                )
                try:
                    await self.journal.append(venue.id, [tick])
                except JournalError as error:
                    _log.error("no tick: %s", error)
            await asyncio.sleep((1.0 - self.clock.now() % 1.0) / self.clock.rate)

    async def _archive(self) -> None:
        """Findings into history, a batch at a time; while the disk refuses, the newest wait."""
        while True:
            await self._grown.wait()
            self._grown.clear()
            await asyncio.sleep(ARCHIVE_S)
            await self._flush()

    async def _flush(self) -> None:
        batch, self._unsaved = self._unsaved, []
        try:
            if batch:
                await self.history.write(batch)
        except FlowmonError as error:
            _log.error("history is not written: %s", error)
            self._unsaved = (batch + self._unsaved)[-ARCHIVE_MAX:]
            self._grown.set()

    async def _hear(self, venue: str, sightings: list[Sighting]) -> None:
        """Sightings become presences, which are facts of the venue."""
        presences = self._presences[venue]
        record: Record = [presence for sighting in sightings for presence in presences.apply(sighting)]
        if record:
            await self.journal.append(venue, record)

    async def _keep_rejects(self, venue: str, rejects: list[Rejected]) -> None:
        """Rejects beside the journal, with the file before the last as the oldest kept."""
        path = self.folder / "rejects" / f"{venue}.jsonl"
        lines = b"".join(msgspec.json.encode(reject) + b"\n" for reject in rejects)
        try:
            await asyncio.to_thread(_append_bounded, path, lines)
        except OSError as error:
            raise JournalError(f"cannot write {path}: {error.strerror or error}") from error

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


def _restore(venue: Venue, kept: Checkpoint | None) -> tuple[Monitor, int]:
    """The monitor as it was at its checkpoint; a new one when there is none that fits."""
    if kept is None:
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


def _append_bounded(path: Path, lines: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > REJECTS_BYTES:
        path.replace(path.with_suffix(".old.jsonl"))
    with path.open("ab") as file:
        file.write(lines)


def arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `flowmon run`; what is not given comes from the environment (FLOWMON_…)."""
    parser.add_argument("venues", nargs="*", type=Path, metavar="venue.toml", help="venue files (FLOWMON_VENUES)")
    parser.add_argument("--mqtt", metavar="URL", help="the broker, mqtt://host:1883 or mqtts://… (FLOWMON_MQTT)")
    parser.add_argument("--data", type=Path, metavar="DIR", help="journal, history and checkpoints (FLOWMON_DATA)")
    parser.add_argument("--host", help="address of the screens (FLOWMON_FEED_HOST)")
    parser.add_argument("--port", type=int, help="port of the screens, 0 for a free one (FLOWMON_FEED_PORT)")
    parser.add_argument("--simulated", action="store_true", help="mark everything as simulated")


def run(args: argparse.Namespace) -> int:
    """Watch until SIGTERM or Ctrl-C. Raises FlowmonError for what must be mended first."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    found = settings.load()
    given = {
        "venues": tuple(args.venues) or found.venues,
        "mqtt": args.mqtt or found.mqtt,
        "data": args.data or found.data,
        "feed_host": args.host or found.feed_host,
        "feed_port": found.feed_port if args.port is None else args.port,
        "simulated": args.simulated or found.simulated,
    }
    found = msgspec.structs.replace(found, **given)
    venues = [load(path) for path in found.venues]
    asyncio.run(serve(venues, found, Clock()))
    return 0


async def serve(
    venues: list[Venue],
    found: Settings,
    clock: Clock,
    *,
    started: Callable[[LocalEngine], None] | None = None,
    stop: asyncio.Event | None = None,
) -> None:
    """Run the engine with its gateway and feed until `stop`, SIGTERM or Ctrl-C; `started` is told once it listens."""
    stop = stop or asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    engine = LocalEngine(venues, found, clock, found.data)
    routes = Routes(venues)
    async with engine.feed.serve(), engine.running():
        login = Login(found.mqtt_client, found.mqtt_username, found.mqtt_password)
        inbox = MqttInbox(found.mqtt, routes.filters, login, clock)
        await inbox.start()
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
