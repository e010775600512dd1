"""Every dialect through the real chain: its words -> broker or HTTP -> gateway -> journal of files -> a finding.

What goes in is the typical message of each family (tests/typical.py), with its times moved to now where it tells any.
A counter's people and a detector's people become a zone's, a device's own word becomes its state, and beacons become
tokens, presences, people in a zone and a dwell.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import paho.mqtt.client as paho
import pytest
from msgspec import structs
from paho.mqtt.enums import CallbackAPIVersion

from deploy.services import Mosquitto, Services
from flowmon.clock import Clock
from flowmon.facts import Count, CountKind, Fact, Presence, QueueReading, Sighting, Tick, ZoneCount
from flowmon.findings import DeviceState, Dwell, Finding, QueueState, Rejected, ZoneState
from flowmon.journal.files import FileJournal, read_folder
from flowmon.monitor.core import Monitor
from flowmon.monitor.presence import Presences
from flowmon.venue.model import Counter, Queue, Receiver, Route, Venue
from sensors.dialects import DIALECTS
from sensors.dialects.port import Message
from sensors.gateway import Gateway
from sensors.http import HttpInbox
from sensors.http_secrets import Secrets
from sensors.inboxes import Inboxes
from sensors.mqtt import Login, MqttInbox
from sensors.routes import Routes
from tests.fakes import MemoryJournal, until
from tests.small import venue
from tests.typical import DEVICE, SEEN, TYPICAL

pytestmark = pytest.mark.integration

HEARING = sorted(name for name, known in DIALECTS.items() if "sighting" in known.FAMILY.kinds and name != "native")
TELLING = sorted(set(DIALECTS) - set(HEARING))
#: A topic of each dialect whose own would be another's on one broker.
APART = {"theengs": "theengs/foyer/BTtoMQTT/549400", "milesight-registers": "registers/door"}


@pytest.fixture(scope="module")
def broker(services: Services, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    part = Mosquitto(tmp_path_factory.mktemp("mosquitto"))
    part.start()
    yield part
    part.stop()


def words(dialect: str) -> list[Message]:
    """The typical messages of a dialect on topics of its own."""
    moved = [structs.replace(m, topic=APART.get(dialect, m.topic)) for m in TYPICAL[dialect]]
    return [m for m in moved if dialect != "theengs" or not m.payload.startswith(b"on")]


def read(dialect: str) -> list[Fact]:
    """What the words say, as written down in the dialect's own tests."""
    device = "" if dialect == "espresense" else DEVICE  # its rooms are routes of their own
    return [fact for message in words(dialect) for fact in DIALECTS[dialect].decode(message, device)]


def museum(dialect: str) -> Venue:
    """The small museum with a counter for each line of the messages, and everything else they name."""
    facts = read(dialect)
    lines = dict.fromkeys((f.counter, f.line, f.kind) for f in facts if isinstance(f, Count))
    first: dict[tuple[str, str], CountKind] = {}
    for counter, line, kind in lines:
        first.setdefault((counter, line), kind)
    counters = {
        f"ctr-{n}": Counter(portal="gate", towards="hall", device=device, line=line, credit=kind, dialect=dialect)
        for n, ((device, line), kind) in enumerate(first.items())
    }
    others = {f.source for f in facts} - {device for device, _ in first}
    receivers = {f"ble-{n}": Receiver(zone="hall", at=(5, 5), device=name) for n, name in enumerate(sorted(others))}
    places = {f.zone: venue().zones["hall"] for f in facts if isinstance(f, ZoneCount)}
    queues = {f.queue: Queue(zone="hall", desks=2) for f in facts if isinstance(f, QueueReading)}
    topics = dict.fromkeys(m.topic for m in words(dialect) if not m.topic.startswith(("flowmon/", "espresense/")))
    routes = [Route(topic=topic, dialect=dialect, device=DEVICE) for topic in topics]
    routes.append(Route(path="push", dialect=dialect, device=DEVICE, auth="none"))
    return venue(
        id="museum", zones=venue().zones | places, counters=counters, receivers=receivers, queues=queues, routes=routes
    )


class Chain:
    """The real gateway of one venue: broker, listener and a journal of files; sightings are kept beside."""

    def __init__(self, place: Venue, broker: Mosquitto, folder: Path) -> None:
        self.place, self.folder, self.beside = place, folder, MemoryJournal()
        self.journal = FileJournal(folder, [place], clock=Clock(), simulated=False)
        routes, venues = Routes([place]), {place.id: place}
        self.mqtt = MqttInbox(broker.url, routes.filters, Login(f"gateway-{folder.name}"), Clock(), in_flight=100)
        self.http = HttpInbox("127.0.0.1:0", routes, Secrets({}, routes.posts, ""), Clock())
        sinks = self.beside.append_sightings, self.beside.append_rejects
        self.gateway = Gateway(Inboxes([self.mqtt, self.http]), routes, venues, self.journal, *sinks, Clock())
        self.client = paho.Client(CallbackAPIVersion.VERSION2, client_id=f"devices-{folder.name}")
        self.client.connect("127.0.0.1", broker.port)

    @property
    def facts(self) -> list[Fact]:
        told: list[Fact] = [fact for entry in read_folder(self.folder, self.place.id) for fact in entry.record]
        return [*told, *self.beside.sightings.get(self.place.id, [])]

    def publish(self, message: Message) -> None:
        self.client.publish(message.topic, message.payload, qos=1).wait_for_publish(10)

    async def post(self, message: Message) -> int:
        async with httpx.AsyncClient(timeout=10) as http:
            url = f"http://127.0.0.1:{self.http.port}/push"
            return (await http.post(url, content=message.payload, headers=message.headers)).status_code


@asynccontextmanager
async def running(place: Venue, broker: Mosquitto, folder: Path) -> AsyncIterator[Chain]:
    chain = Chain(place, broker, folder)
    await chain.mqtt.start()
    await chain.http.start()
    task = asyncio.create_task(chain.gateway.run())
    chain.client.loop_start()
    try:
        await chain.mqtt.connected(10)
        yield chain
    finally:
        chain.client.disconnect()
        chain.client.loop_stop()
        chain.gateway.stop()
        await asyncio.wait_for(task, 30)
        await chain.journal.close()


async def said(dialect: str, broker: Mosquitto, folder: Path) -> tuple[Venue, list[Fact]]:
    """What the journal has of the words of a dialect: by MQTT, and by HTTP what a content type alone explains."""
    place = museum(dialect)
    expected = len(read(dialect))
    async with running(place, broker, folder) as chain:
        for message in words(dialect):
            if (
                "content-type" in message.headers or dialect == "opendatacam"
            ):  # it is fetched, or posted, never published
                assert await chain.post(message) in {200, 204}
            else:
                await asyncio.to_thread(chain.publish, message)
        await until(lambda: chain.gateway.counts.acknowledged >= len(words(dialect)))
        facts = chain.facts
        assert chain.beside.rejects == {}
        assert len(facts) + chain.gateway.counts.thinned == expected
    return place, facts


def judged(place: Venue, facts: list[Fact]) -> list[Finding]:
    """What the core says when these facts arrive at the time of the typical messages, and a quarter of an hour on."""
    monitor = Monitor(place)
    findings: list[Finding] = []
    for second in range(int(SEEN) - 2, int(SEEN) + 400):
        if second == int(SEEN):
            findings += monitor.apply_record([structs.replace(fact, seen=SEEN) for fact in facts])
        findings += monitor.apply(Tick(at=float(second), source="ticker", seq=second))
    return findings + monitor.current()


@pytest.mark.parametrize("dialect", TELLING)
async def test_what_a_counter_says_becomes_a_finding(dialect: str, broker: Mosquitto, tmp_path: Path) -> None:
    place, facts = await said(dialect, broker, tmp_path)
    told = [fact for fact in facts if not isinstance(fact, Sighting)]
    findings = judged(place, again(told))
    assert [finding for finding in findings if isinstance(finding, Rejected)] == []
    counted = [fact for fact in told if isinstance(fact, Count) and credited(place, fact)]
    if any(fact.forward != fact.backward for fact in counted):
        assert any(isinstance(f, ZoneState) and f.zone == "hall" and f.raw != 0 for f in findings)
    for fact in told:
        if isinstance(fact, ZoneCount) and fact.people:
            assert any(isinstance(f, ZoneState) and f.zone == fact.zone and f.occupancy for f in findings)
        if isinstance(fact, QueueReading):
            assert any(isinstance(f, QueueState) and f.queue == fact.queue and f.length for f in findings)
    never = {f.device for f in findings if isinstance(f, DeviceState) and f.reason.startswith("never heard")}
    assert not never & {fact.source for fact in told}, "every device that spoke is known to have spoken"
    known = {f.device for f in findings if isinstance(f, DeviceState) and f.health != "unknown"}
    assert {fact.source for fact in told} <= known


def credited(place: Venue, fact: Count) -> bool:
    return any((c.device, c.line, c.credit) == (fact.counter, fact.line, fact.kind) for c in place.counters.values())


def again(facts: Sequence[Fact]) -> list[Fact]:
    """Facts after an earlier reading of each register, as a register alone says nothing."""
    before = [
        structs.replace(fact, at=fact.at - 600, seq=fact.seq - 1 if fact.seq > 0 else -1, forward=0, backward=0)
        for fact in facts
        if isinstance(fact, Count) and fact.kind == "cumulative"
    ]
    return [*before, *facts]


@pytest.mark.parametrize("dialect", HEARING)
async def test_what_a_receiver_hears_becomes_people_and_a_dwell(
    dialect: str, broker: Mosquitto, tmp_path: Path
) -> None:
    place, facts = await said(dialect, broker, tmp_path)
    [*sightings] = [fact for fact in facts if isinstance(fact, Sighting)]
    assert sightings
    assert all(sighting.beacon.startswith("tok-") for sighting in sightings)
    presences, monitor, findings = Presences(place), Monitor(place), list[Finding]()
    for second in range(1_200):  # six visitors with such a beacon, of whom the receiver hears for five minutes
        at = SEEN + second
        record: list[Fact] = [Tick(at=at, source="ticker", seq=second)]
        if second < 300:
            for number in range(6):
                heard = structs.replace(sightings[0], beacon=f"tok-{number:020x}", at=at, seen=at, rssi_dbm=-60.0)
                record += presences.apply(heard)
        findings += monitor.apply_record(record)
    assert any(isinstance(fact, ZoneState) and fact.zone == "hall" and fact.beacons == 6 for fact in findings)
    dwells = [finding for finding in findings if isinstance(finding, Dwell)]
    assert [(dwell.zone, dwell.visits) for dwell in dwells] == [("hall", 6)]
    assert 200 < dwells[0].p50_s < 500
    assert not any(isinstance(fact, Presence) for fact in facts)


def test_every_dialect_is_driven() -> None:
    assert set(HEARING) | set(TELLING) == set(DIALECTS)
