"""The Faust worker on a real Kafka: killed, joined, taken over; nothing lost, nothing wrong, ticks go on."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from deploy.services import Services
from flowmon import wire
from flowmon.clock import Clock
from flowmon.facts import Count, Presence, Record, Recounted, Sighting, Tick
from flowmon.journal.kafka import KafkaFindings, KafkaJournal, create_topics, partition_of
from flowmon.monitor.core import Monitor
from flowmon.settings import Settings
from flowmon.venue import parse
from streams import topics

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[2]
PARTITIONS = 4
SESSION_S = 2.0

VENUE = """
id = "{id}"
name = "Small museum"
timezone = "Europe/Paris"
[floors.ground]
outline = [[0, 0], [20, 0], [20, 10], [0, 10]]
[zones.foyer]
floor = "ground"
capacity = 100
outline = [[0, 0], [10, 0], [10, 10], [0, 10]]
[zones.hall]
floor = "ground"
capacity = {capacity}
outline = [[10, 0], [20, 0], [20, 10], [10, 10]]
[portals.entrance]
between = ["outside", "foyer"]
[portals.arch]
between = ["foyer", "hall"]
[counters.ctr-1]
portal = "entrance"
towards = "foyer"
[counters.ctr-2]
portal = "arch"
towards = "hall"
[receivers.rec-1]
zone = "foyer"
at = [5, 5]
[receivers.rec-2]
zone = "hall"
at = [15, 5]
[rules.full]
watches = "zone"
severity = "high"
above = 0.5
clear = 0.4
hold_s = 2.0
clear_hold_s = 2.0
"""


def ids() -> list[str]:
    """Three venues nobody else's tests use: two that share a partition, one alone."""
    names = [f"chain-{n}" for n in range(50)]
    first = names[0]
    shared = next(n for n in names[1:] if partition_of(n, PARTITIONS) == partition_of(first, PARTITIONS))
    alone = next(n for n in names if partition_of(n, PARTITIONS) != partition_of(first, PARTITIONS))
    return [first, shared, alone]


class Worker:
    """`python -m streams` in a process of its own."""

    def __init__(self, environment: dict[str, str], log: Path) -> None:
        self.environment = environment
        self.log = log
        self.process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "streams",
                cwd=ROOT,
                env={**os.environ, **self.environment},
                stdout=log,
                stderr=log,
            )

    async def end(self, how: signal.Signals) -> int:
        process, self.process = self.process, None
        if process is None:
            return 0
        if process.returncode is None:
            process.send_signal(how)
        return await asyncio.wait_for(process.wait(), 30)


class Chain:
    """A worker or more, three venues, and somebody who writes facts and reads findings all the time."""

    def __init__(self, address: str, folder: Path) -> None:
        self.address = address
        self.venues = {}
        paths = []
        for name in ids():
            path = folder / f"{name}.toml"
            path.write_text(VENUE.format(id=name, capacity=60))
            paths.append(path)
            self.venues[name] = parse.load(path)
        environment = {
            "FLOWMON_KAFKA": address,
            "FLOWMON_APP": "chain",
            "FLOWMON_VENUES": ":".join(map(str, paths)),
            "FLOWMON_PARTITIONS": str(PARTITIONS),
            "FLOWMON_WORKER_SESSION_S": str(SESSION_S),
        }
        self.workers = [Worker(environment, folder / f"worker-{n}.log") for n in range(2)]
        self.journal = KafkaJournal(address, patience_s=30)
        self.found: dict[str, dict[tuple[int, int], bytes]] = {name: {} for name in self.venues}
        self.newest = dict.fromkeys(self.venues, -1)
        self.repeats = 0
        self.written = dict.fromkeys(self.venues, -1)
        self.sequence = 0
        self.quiet = asyncio.Event()
        self.clock = Clock()
        self._tasks: list[asyncio.Task[None]] = []

    def begin(self) -> None:
        self._tasks.append(asyncio.create_task(self._read()))
        self._tasks += [asyncio.create_task(self._write(name)) for name in self.venues]

    async def finish(self) -> None:
        """Stop writing, and wait until the last record's findings are there."""
        self.quiet.set()
        await asyncio.gather(*self._tasks[1:])
        for name in self.venues:  # a recount always says something
            recount = Recounted(at=self.clock.now(), source="user:test", zone="foyer", people=1, by="test")
            self.written[name] = await self.journal.append(name, [recount])
        await self.until(lambda: all(self.newest[n] >= self.written[n] for n in self.venues))

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for worker in self.workers:
            await worker.end(signal.SIGKILL)
        await self.journal.close()

    async def _write(self, name: str) -> None:
        while not self.quiet.is_set():
            counts: Record = [self._crossing() for _ in range(5)]
            self.written[name] = await self.journal.append(name, counts)
            await asyncio.sleep(0.02)  # some 120 records a second: the rate of the test, not a wait for a state

    def _crossing(self) -> Count:
        """Somebody goes through a door: more in than out, so that rules are met and zones fill."""
        self.sequence += 1
        number = self.sequence
        counter = f"ctr-{1 + number % 2}"
        inwards = number % 7 < 4
        return Count(
            at=self.clock.now(),
            source=counter,
            seq=number,
            counter=counter,
            kind="event",
            forward=int(inwards),
            backward=int(not inwards),
        )

    async def _read(self) -> None:
        async for batch in KafkaFindings(self.address, patience_s=30).read():
            for published in batch:
                found = self.found.get(published.venue)
                if found is None:
                    continue
                place, data = (published.offset, published.index), wire.encode(published.finding)
                self.repeats += place in found
                assert found.setdefault(place, data) == data, f"{published.venue} {place} was told in two ways"
                self.newest[published.venue] = max(self.newest[published.venue], published.offset)

    async def until(self, condition: Callable[[], bool], seconds: float = 60.0) -> None:
        async with asyncio.timeout(seconds):
            while not condition():
                if self._tasks and self._tasks[0].done():
                    self._tasks[0].result()
                await asyncio.sleep(0.02)

    async def progress(self, seconds: float = 60.0) -> None:
        """Wait until findings of every venue follow from records written after now."""
        goal = dict(self.written)
        await self.until(lambda: all(self.newest[n] > goal[n] for n in self.venues), seconds)

    async def straight(self, name: str) -> dict[tuple[int, int], bytes]:
        """What a plain loop over the journal finds."""
        monitor = Monitor(self.venues[name])
        found = {}
        async for entry in self.journal.read(name):
            for index, finding in enumerate(monitor.apply_record(entry.record)):
                found[entry.offset, index] = wire.encode(finding)
        return found

    async def ticking(self, name: str, after: int, count: int) -> None:
        """Wait until the journal has ticks of that many seconds past an offset."""
        seconds: set[int] = set()
        async with asyncio.timeout(30):
            async for entry in self.journal.read(name, after=after, follow=True):
                seconds |= {f.seq for f in entry.record if isinstance(f, Tick)}
                if len(seconds) >= count:
                    return


@pytest.fixture
async def chain(services: Services, tmp_path: Path) -> AsyncIterator[Chain]:
    settings = Settings(app="chain", partitions=PARTITIONS)
    await create_topics(services.kafka_address, topics.table(settings))
    chain = Chain(services.kafka_address, tmp_path)
    yield chain
    await chain.close()
    for worker in chain.workers:
        if worker.log.exists():
            print(worker.log.read_text()[-20_000:])


async def test_killed_under_load_it_loses_nothing_and_says_nothing_else(chain: Chain, services: Services) -> None:
    first, second = chain.workers
    chain.begin()
    for _ in range(3):
        await first.start()
        await chain.progress()
        await first.end(signal.SIGKILL)

    # It outlives its broker.
    await first.start()
    await chain.progress()
    alive = first.process
    await asyncio.to_thread(services.kafka.restart)
    await chain.progress()
    services.kafka.kill()
    await asyncio.to_thread(services.kafka.start)
    await chain.progress()
    assert alive is not None
    assert alive.returncode is None

    # Two share the venues out; the one that has led since it was alone is killed.
    await second.start()
    await chain.until(lambda: "monitor" in second.log.read_text() if second.log.exists() else False)
    await chain.progress()
    before = dict(chain.written)
    await first.end(signal.SIGKILL)
    await chain.progress()

    for name in chain.venues:
        await chain.ticking(name, before[name], 3)
    await chain.finish()
    code = await second.end(signal.SIGTERM)
    for name in chain.venues:
        straight = await chain.straight(name)
        told = chain.found[name]
        last = chain.written[name]
        assert {p: d for p, d in told.items() if p[0] <= last} == {p: d for p, d in straight.items() if p[0] <= last}
    print(f"{sum(map(len, chain.found.values()))} findings, {chain.repeats} repeated")
    assert chain.repeats > 0, "nothing was ever in flight when a worker was killed"
    assert code == 0


async def test_sightings_become_presences_in_the_journal(chain: Chain) -> None:
    name = next(iter(chain.venues))
    first = chain.workers[0]
    await first.start()
    before = await chain.journal.append(name, [Tick(at=chain.clock.now(), source="test", seq=1)])
    await chain.journal.append_sightings(
        name,
        [
            Sighting(at=100.0 + n, seen=100.0 + n, source="rec-1", beacon=b, receiver="rec-1", rssi_dbm=-50.0)
            for n in range(10)
            for b in ("b1", "b2")
        ],
    )
    beacons: set[str] = set()
    async with asyncio.timeout(60):
        while beacons != {"b1", "b2"}:
            async for entry in chain.journal.read(name, after=before):
                beacons |= {f.beacon for f in entry.record if isinstance(f, Presence)}
    assert await first.end(signal.SIGTERM) == 0
