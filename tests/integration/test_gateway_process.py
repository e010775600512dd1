"""`python -m sensors` between a real Mosquitto and a real Kafka: killed, stopped, and without Kafka for a while."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from aiokafka import AIOKafkaConsumer
from paho.mqtt.enums import CallbackAPIVersion

from deploy.services import Kafka, Mosquitto, Services, free_port
from flowmon import names, wire
from flowmon.facts import Record, identity
from flowmon.findings import Rejected
from flowmon.journal.kafka import KafkaJournal, create_topics
from flowmon.settings import Settings
from streams import topics
from tests.fakes import until
from tests.small import T0

pytestmark = pytest.mark.integration

VENUE = """
id = "gate-town"
name = "Gate town"
timezone = "Europe/Paris"
[floors.ground]
outline = [[0, 0], [10, 0], [10, 10], [0, 10]]
[zones.hall]
floor = "ground"
capacity = 100
outline = [[0, 0], [10, 0], [10, 10], [0, 10]]
[portals.gate]
between = ["outside", "hall"]
[counters.ctr-gate]
portal = "gate"
towards = "hall"
[receivers.ble-hall]
zone = "hall"
at = [5, 5]
"""


class Gateway:
    """The process, started and ended as an operator would."""

    def __init__(self, folder: Path, mqtt: str, kafka: str, **more: str) -> None:
        venue = folder / "small.toml"
        venue.write_text(VENUE)
        self.log = folder / "gateway.log"
        self._environment = os.environ | {
            "FLOWMON_VENUES": str(venue),
            "FLOWMON_MQTT": mqtt,
            "FLOWMON_KAFKA": kafka,
            **more,
        }
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "sensors"], env=self._environment, stderr=log, stdin=subprocess.DEVNULL
            )

    def end(self, how: signal.Signals) -> int:
        assert self.process is not None
        self.process.send_signal(how)
        return self.process.wait(30)

    def says(self, words: str) -> bool:
        return self.log.exists() and words in self.log.read_text()


@pytest.fixture
def mosquitto(services: Services, tmp_path: Path) -> Iterator[Mosquitto]:
    part = Mosquitto(tmp_path / "mosquitto")
    part.start()
    yield part
    part.stop()


@pytest.fixture
def gateway(mosquitto: Mosquitto, services: Services, tmp_path: Path) -> Iterator[Gateway]:
    made = Gateway(tmp_path, mosquitto.url, services.kafka_address)
    yield made
    if made.process is not None and made.process.poll() is None:
        made.process.kill()
        made.process.wait()


def publisher(port: int) -> paho.Client:
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="ctr-gate", clean_session=False)
    client.connect("127.0.0.1", port)
    client.loop_start()
    return client


async def publish(client: paho.Client, first: int, last: int, pause_s: float = 0.0) -> None:
    """Counts `first` to `last - 1`, until the broker has each."""
    sent = []
    for seq in range(first, last):
        body = {"at": T0 + seq / 100, "seq": seq, "kind": "event", "forward": 1}
        sent.append(client.publish("flowmon/v1/gate-town/ctr-gate/count", json.dumps(body), qos=1))
        await asyncio.sleep(pause_s)
    for info in sent:
        await asyncio.to_thread(info.wait_for_publish, 30)


async def journaled(kafka: str) -> Record:
    journal = KafkaJournal(kafka, patience_s=30)
    try:
        return [fact async for entry in journal.read("gate-town") for fact in entry.record if fact.source == "ctr-gate"]
    finally:
        await journal.close()


async def complete(kafka: str, number: int) -> Record:
    """The journal, once it holds `number` different counts."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + 60
    while True:
        facts = await journaled(kafka)
        if len({identity(fact) for fact in facts}) >= number:
            return facts
        assert loop.time() < deadline, f"{len(facts)} facts of {number}"
        await asyncio.sleep(0.1)


async def test_killed_stopped_and_without_kafka(gateway: Gateway, mosquitto: Mosquitto, services: Services) -> None:
    kafka = services.kafka_address
    await create_topics(kafka, topics.table(Settings()))
    gateway.start()
    await until(lambda: gateway.says("connected to"), within_s=30)
    client = publisher(mosquitto.port)
    publishing = asyncio.create_task(publish(client, 0, 3_000, 0.003))
    for life in range(3):
        await complete(kafka, 300 + 600 * life)
        gateway.end(signal.SIGKILL)
        gateway.start()
    await complete(kafka, 1_900)
    assert gateway.end(signal.SIGTERM) == 0
    assert gateway.says("stopped:")
    gateway.start()
    await publishing
    client.disconnect()
    client.loop_stop()
    facts = await complete(kafka, 3_000)
    assert {fact.seq for fact in facts} == set(range(3_000))
    assert len({identity(fact) for fact in facts}) == 3_000
    assert gateway.end(signal.SIGTERM) == 0
    summary = gateway.log.read_text().splitlines()[-1]
    _, _, numbers = summary.partition("stopped: ")
    taken, acknowledged = (int(part.split()[0]) for part in numbers.split(", ")[:2])
    assert taken == acknowledged  # a clean stop leaves nothing behind
    assert "password" not in gateway.log.read_text().lower()


async def test_rejects_and_sightings_reach_their_topics(
    gateway: Gateway, mosquitto: Mosquitto, services: Services
) -> None:
    kafka = services.kafka_address
    await create_topics(kafka, topics.table(Settings()))
    gateway.start()
    await until(lambda: gateway.says("connected to"), within_s=30)
    client = publisher(mosquitto.port)
    client.publish("flowmon/v1/gate-town/ctr-gate/count", b'{"password":"geheim"', qos=1)
    client.publish("espresense/devices/iBeacon:426c-1-7/ble-hall", b'{"rssi":-70.5}', qos=1)
    [reject] = [wire.decode_finding(value) for _, value in await consumed(kafka, names.REJECTS_TOPIC)]
    assert isinstance(reject, Rejected)
    assert "not JSON" in reject.reason
    [(key, value)] = await consumed(kafka, names.SIGHTINGS_TOPIC)
    assert key.startswith(b"gate-town/tok-")
    assert b"426c" not in value
    client.disconnect()
    client.loop_stop()
    assert gateway.end(signal.SIGTERM) == 0


async def consumed(kafka: str, topic: str) -> list[tuple[bytes, bytes]]:
    """The first messages of this venue in a topic, as (key, value)."""
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=kafka, auto_offset_reset="earliest")
    await consumer.start()
    try:
        found: list[tuple[bytes, bytes]] = []
        async with asyncio.timeout(30):
            while not found:
                for batch in (await consumer.getmany(timeout_ms=200)).values():
                    found += [(m.key, m.value) for m in batch if m.key.startswith(b"gate-town")]
        return found
    finally:
        await consumer.stop()


async def test_kafka_away_for_a_while(tmp_path: Path, mosquitto: Mosquitto, services: Services) -> None:
    kafka = Kafka(tmp_path / "kafka")
    await asyncio.to_thread(kafka.start)
    gateway = Gateway(tmp_path, mosquitto.url, kafka.address, FLOWMON_MQTT_CLIENT="gateway-2")
    try:
        await create_topics(kafka.address, topics.table(Settings()))
        gateway.start()
        await until(lambda: gateway.says("connected to"), within_s=30)
        client = publisher(mosquitto.port)
        await publish(client, 0, 200)
        await complete(kafka.address, 200)
        await asyncio.to_thread(kafka.kill)
        await publish(client, 200, 1_500, 0.001)
        await asyncio.to_thread(kafka.start)
        facts = await complete(kafka.address, 1_500)
        assert {fact.seq for fact in facts} == set(range(1_500))
        client.disconnect()
        client.loop_stop()
        assert gateway.end(signal.SIGTERM) == 0
    finally:
        if gateway.process is not None and gateway.process.poll() is None:
            gateway.process.kill()
            gateway.process.wait()
        await asyncio.to_thread(kafka.stop)


async def test_what_cannot_work_is_said_in_a_sentence(tmp_path: Path) -> None:
    gateway = Gateway(tmp_path, f"mqtt://127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}")
    gateway.start()
    await until(lambda: gateway.says("no MQTT broker listens at"), within_s=30)
    assert gateway.process is not None
    assert gateway.end(signal.SIGTERM) == 0  # it waits for the broker, and can be stopped meanwhile
    assert not gateway.says("Traceback")
    (tmp_path / "small.toml").write_text(VENUE.replace("capacity", "capasity"))
    broken = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "sensors", env=os.environ | {"FLOWMON_VENUES": str(tmp_path / "small.toml")},
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, said = await broken.communicate()
    assert broken.returncode == 1
    assert b"zones.hall.capa" in said
    assert b"Traceback" not in said
