"""The gateway on a real Mosquitto (and the embedded broker) while everything around it stops and starts.

Published = journaled in every case; what is there twice has equal identities.
"""

import asyncio
import json
import threading
import time
from collections import Counter as Tally
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import iotcore
import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from deploy.services import Mosquitto, Services, free_port
from flowmon.clock import Clock
from flowmon.errors import FlowmonError
from flowmon.facts import Record, identity
from sensors.gateway import Gateway
from sensors.mqtt import Login, MqttInbox, Version
from sensors.routes import Routes
from tests.fakes import MemoryJournal, until
from tests.small import T0, venue

pytestmark = pytest.mark.integration

LOGIN = Login("flowmon-gateway-test")


@pytest.fixture
def broker(services: Services, tmp_path: Path) -> Iterator[Mosquitto]:
    """A Mosquitto of this test's own, to be restarted at will."""
    part = Mosquitto(tmp_path / "mosquitto")
    part.start()
    yield part
    part.stop()


class Publisher:
    """A device that publishes counts 0, 1, 2 … by QoS 1 and keeps each until the broker has it."""

    def __init__(self, port: int) -> None:
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id="ctr-gate", clean_session=False)
        self._client.reconnect_delay_set(1, 1)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        self.published = 0

    def publish(self, number: int, pause_s: float = 0.0) -> None:
        """The next `number` counts, at a steady pace."""
        for seq in range(self.published, self.published + number):
            body = {"at": T0 + seq / 100, "seq": seq, "kind": "event", "forward": 1}
            self._client.publish("flowmon/v1/small/ctr-gate/count", json.dumps(body), qos=1)
            time.sleep(pause_s)
        self.published += number

    def finish(self) -> None:
        """Wait until the broker has all of them."""
        deadline = time.monotonic() + 30
        while self._client._out_messages:
            assert time.monotonic() < deadline, "the broker did not take all messages"
            time.sleep(0.01)
        self._client.disconnect()
        self._client.loop_stop()


class Running:
    """One life of a gateway, with its journal outliving it."""

    def __init__(
        self, url: str, journal: MemoryJournal, version: Version | None = None, *, in_flight: int = 1_000
    ) -> None:
        venues = {"small": venue()}
        routes = Routes(venues.values())
        self.inbox = MqttInbox(url, routes.filters, LOGIN, Clock(), version=version, in_flight=in_flight)
        self.gateway = Gateway(
            self.inbox, routes, venues, journal, journal.append_sightings, journal.append_rejects, Clock()
        )
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        await self.inbox.start()
        self._task = asyncio.create_task(self.gateway.run())

    async def stop(self) -> None:
        self.gateway.stop()
        assert self._task is not None
        await asyncio.wait_for(self._task, 30)

    async def abandon(self) -> None:
        """End it in the middle of everything; nothing is finished."""
        assert self._task is not None
        self._task.cancel()
        await asyncio.wait([self._task])


@asynccontextmanager
async def running(url: str, journal: MemoryJournal, *, in_flight: int = 1_000) -> AsyncIterator[Running]:
    life = Running(url, journal, in_flight=in_flight)
    await life.start()
    try:
        yield life
    finally:
        await life.stop()


def distinct(facts: Record) -> int:
    return len({identity(fact) for fact in facts})


def all_there(journal: MemoryJournal, number: int) -> Callable[[], bool]:
    return lambda: distinct(journal.facts("small")) >= number


def check_complete(journal: MemoryJournal, number: int) -> None:
    facts = journal.facts("small")
    assert {fact.seq for fact in facts} == set(range(number))
    assert distinct(facts) == number
    for seq, times in Tally(fact.seq for fact in facts).items():
        if times > 1:
            told = {(fact.source, identity(fact), fact.at) for fact in facts if fact.seq == seq}
            assert len(told) == 1


@pytest.mark.parametrize("version", [5, 4])
async def test_two_thousand_messages_through_every_outage(broker: Mosquitto, version: Version) -> None:
    journal = MemoryJournal()
    life = Running(broker.url, journal, version)
    await life.start()
    await life.inbox.connected(10)  # the subscription must stand before the first message
    publisher = Publisher(broker.port)
    work = threading.Thread(target=publisher.publish, args=(2_000, 0.002))
    work.start()
    try:
        await until(all_there(journal, 300))
        await life.stop()  # a clean stop, with messages on their way
        life = Running(broker.url, journal, version)
        await life.start()
        await until(all_there(journal, 700))
        await life.abandon()  # a stop that finishes nothing
        life = Running(broker.url, journal, version)
        await life.start()
        await until(all_there(journal, 1_000))
        await asyncio.to_thread(broker.restart)
        await until(all_there(journal, 1_200), within_s=30)
        journal.failures = 4  # the journal is away for one and a half seconds
        await until(lambda: journal.failures == 0)
        await asyncio.to_thread(work.join)
        await asyncio.to_thread(publisher.finish)
        await until(all_there(journal, 2_000), within_s=30)
    finally:
        await life.stop()
    check_complete(journal, 2_000)
    assert life.inbox.connections >= 2
    assert life.gateway.counts.in_flight == 0


@pytest.mark.parametrize("in_flight", [1_000, 50])
async def test_what_is_published_while_the_gateway_is_away_waits_in_the_broker(
    broker: Mosquitto, in_flight: int
) -> None:
    """Mosquitto 2.0 forgets Receive Maximum over a restart and sends more than 50: the excess comes again."""
    journal = MemoryJournal()
    async with running(broker.url, journal) as life:
        await life.inbox.connected(10)
    publisher = Publisher(broker.port)
    await asyncio.to_thread(publisher.publish, 1_500)
    await asyncio.to_thread(publisher.finish)
    broker.restart()  # and the broker keeps its queue on disk
    async with running(broker.url, journal, in_flight=in_flight):
        await until(all_there(journal, 1_500), within_s=30)
    check_complete(journal, 1_500)
    if in_flight == 1_000:
        assert len(journal.facts("small")) == 1_500


async def test_the_broker_is_held_back_while_the_journal_is_away(broker: Mosquitto) -> None:
    journal = MemoryJournal()
    async with running(broker.url, journal, in_flight=50) as life:
        await life.inbox.connected(10)
        journal.hold()
        publisher = Publisher(broker.port)
        await asyncio.to_thread(publisher.publish, 1_000)
        await asyncio.to_thread(publisher.finish)
        await until(lambda: life.gateway.counts.messages == 50)
        assert life.gateway.counts.acknowledged == 0
        journal.release()
        await until(all_there(journal, 1_000), within_s=30)
    check_complete(journal, 1_000)


async def test_a_broker_without_bounds_cannot_flood_the_gateway(broker: Mosquitto) -> None:
    """MQTT 3.1.1 has no Receive Maximum: what the buffer does not hold is fetched by a new connection."""
    journal = MemoryJournal()
    life = Running(broker.url, journal, 4, in_flight=20)
    life.gateway._held_max = 30
    await life.start()
    await life.inbox.connected(10)
    journal.hold()
    publisher = Publisher(broker.port)
    await asyncio.to_thread(publisher.publish, 900)
    await asyncio.to_thread(publisher.finish)
    await until(lambda: life.inbox._buffer.shed)
    journal.release()
    await until(all_there(journal, 900), within_s=60)
    await life.stop()
    check_complete(journal, 900)


async def test_a_broker_that_comes_late_is_waited_for(tmp_path: Path) -> None:
    part = Mosquitto(tmp_path / "mosquitto")
    journal = MemoryJournal()
    async with running(part.url, journal) as life:
        with pytest.raises(FlowmonError, match=rf"no MQTT broker listens at 127.0.0.1:{part.port}: start it"):
            await life.inbox.connected(0.5)
        await asyncio.to_thread(part.start)
        try:
            await life.inbox.connected(20)
            assert life.inbox.problem == ""
        finally:
            await asyncio.to_thread(part.stop)


@pytest.mark.parametrize("version", [None, 5, 4])
@pytest.mark.parametrize(
    ("login", "words"),
    [
        (Login("g", "museum", "wrong"), "refuses user 'museum'.*FLOWMON_MQTT_PASSWORD"),
        (Login("g"), "wants a user and a password.*FLOWMON_MQTT_USERNAME"),
    ],
)
async def test_a_wrong_password_is_said_so(tmp_path: Path, login: Login, words: str, version: Version | None) -> None:
    part = Mosquitto(tmp_path / "mosquitto", users={"museum": "right"})
    part.start()
    try:
        inbox = MqttInbox(part.url, ["a/#"], login, Clock(), version=version)
        await inbox.start()
        await until(lambda: "not started" not in inbox.problem)
        with pytest.raises(FlowmonError, match=words):
            await inbox.connected(0.1)
        await inbox.close()
        right = MqttInbox(part.url, ["a/#"], Login("g", "museum", "right"), Clock(), version=version)
        await right.start()
        await right.connected(10)
        await right.close()
    finally:
        part.stop()


async def test_two_gateways_with_one_name_are_told(broker: Mosquitto) -> None:
    first = MqttInbox(broker.url, ["a/#"], LOGIN, Clock())
    second = MqttInbox(broker.url, ["a/#"], LOGIN, Clock())
    await first.start()
    await first.connected(10)
    await second.start()
    await until(lambda: "give each its own" in first.problem + second.problem)
    await first.close()
    await second.close()


async def test_plain_text_where_tls_is_spoken_and_the_other_way_round(broker: Mosquitto) -> None:
    inbox = MqttInbox(broker.url.replace("mqtt://", "mqtts://"), ["a/#"], LOGIN, Clock())
    await inbox.start()
    with pytest.raises(FlowmonError, match=r"TLS.*mqtt://"):
        await inbox.connected(2)
    await inbox.close()


async def test_something_that_is_no_broker() -> None:
    async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    inbox = MqttInbox(f"mqtt://127.0.0.1:{port}", ["a/#"], LOGIN, Clock())
    await inbox.start()
    with pytest.raises(FlowmonError, match=r"is it an MQTT broker|what MQTT does not allow"):
        await inbox.connected(2)
    await inbox.close()
    server.close()
    await server.wait_closed()


@contextmanager
def embedded() -> Iterator[int]:
    port = free_port()
    with iotcore.Broker(port=port, listen="127.0.0.1"):
        yield port


async def test_the_embedded_broker_of_the_demo_by_itself() -> None:
    """It speaks 3.1.1 only: the inbox finds out, and its session outlives the gateway too."""
    journal = MemoryJournal()
    with embedded() as port:
        url = f"mqtt://127.0.0.1:{port}"
        async with running(url, journal) as life:
            await life.inbox.connected(10)
            publisher = Publisher(port)
            await asyncio.to_thread(publisher.publish, 500)
            await until(all_there(journal, 500))
        await asyncio.to_thread(publisher.publish, 90)
        await asyncio.to_thread(publisher.finish)
        async with running(url, journal):
            await until(all_there(journal, 590), within_s=20)
    check_complete(journal, 590)
