"""The gateway, which acknowledges after delivery, against the same paho and aiokafka loop that does not wait for it.

Both empty a session that the broker has kept full for them: the same messages, QoS 1, MQTT 5, at most 1,000 under way.
The peer joins what has arrived into one JSON array, hands it to aiokafka and acknowledges at once: it neither routes,
decodes nor marks. It runs once as messages come and once gathering for 10 ms as the gateway does; the faster counts.
Time runs from the first message to the last acknowledgement given to paho.
"""

import asyncio
import json
import socket
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import paho.mqtt.client as paho
from aiokafka import AIOKafkaProducer
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from flowmon.clock import Clock
from flowmon.facts import Tick
from flowmon.journal.kafka import KafkaJournal, create_topics
from flowmon.names import FACTS_TOPIC
from flowmon.settings import Settings, address
from sensors.gateway import Gateway
from sensors.mqtt import Login, MqttInbox
from sensors.routes import Routes
from streams import topics
from tests.bench import child, load
from tests.bench.bench import Bench
from tests.bench.figures import Row, ratio

MESSAGES = 20_000
IN_FLIGHT = 1_000
KEPT_S = 3_600
LINGER_S = {"eager": 0.0, "gathering": 0.01}
NAMES = ("gateway messages/s", "loop without waiting, messages/s")
TOPIC = f"flowmon/v1/{load.museum().id}/ctr-ticket-doors/count"


async def measure(bench: Bench) -> list[Row]:
    """The ratio of messages a second, and of messages a second of processor time."""
    async with bench.servers(kafka=True, mosquitto=True) as services:
        where = (services.mqtt_url, services.kafka_address)
        await create_topics(services.kafka_address, topics.table(Settings(app="bench")))
        pairs, of_processor = [], []
        for turn in range(bench.repeats):
            bench.tell(f"gateway: filling its session, {turn + 1} of {bench.repeats}")
            for side in ("ours", *LINGER_S):
                await child.run("tests.bench.gateway", "subscribe", f"{side}-{turn}", *where)
            await child.run("tests.bench.gateway", "publish", "devices", *where)
            bench.tell(f"gateway against a loop that does not wait, {turn + 1} of {bench.repeats}")
            ours = await child.run("tests.bench.gateway", "ours", f"ours-{turn}", *where)
            peers = [await child.run("tests.bench.gateway", kind, f"{kind}-{turn}", *where) for kind in LINGER_S]
            peer = min(peers, key=lambda said: said["wall"])
            pairs.append((MESSAGES / ours["wall"], MESSAGES / peer["wall"]))
            of_processor.append((MESSAGES / ours["processor"], MESSAGES / peer["processor"]))
    what = "gateway, acknowledged after delivery ÷ without waiting"
    note = f"{MESSAGES} messages of one crossing each, kept by Mosquitto in a persistent session"
    return [
        ratio("gateway", what, pairs, names=NAMES, target=0.7, note=note),
        ratio("gateway", f"{what}, by processor time", of_processor, names=NAMES),
    ]


def _client(name: str) -> paho.Client:
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id=name, protocol=paho.MQTTv5, manual_ack=True)
    client.max_queued_messages_set(0)
    client.max_inflight_messages_set(IN_FLIGHT)
    client.on_socket_open = _no_delay
    return client


def _no_delay(_client: paho.Client, _userdata: Any, sock: Any) -> None:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # as the gateway does


def _connect(client: paho.Client, url: str) -> None:
    host, port, _ = address(url, port=1883)
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.SessionExpiryInterval = KEPT_S
    properties.ReceiveMaximum = IN_FLIGHT
    client.connect(host, port, clean_start=False, properties=properties)


def subscribe(name: str, url: str) -> None:
    """Begin the session that the broker is to keep."""
    client, done = _client(name), threading.Event()
    client.on_connect = lambda c, *_: c.subscribe([(topic, 1) for topic in Routes([load.museum()]).filters])
    client.on_subscribe = lambda *_: done.set()
    _connect(client, url)
    client.loop_start()
    assert done.wait(20), "the broker takes no subscription"
    client.disconnect()
    client.loop_stop()


def publish(name: str, url: str) -> None:
    """Send all messages and wait until the broker has confirmed them."""
    client, done, confirmed = _client(name), threading.Event(), 0

    def on_publish(*_: object) -> None:
        nonlocal confirmed
        confirmed += 1
        if confirmed == MESSAGES:
            done.set()

    client.on_publish = on_publish
    _connect(client, url)
    client.loop_start()
    now = Clock().now()
    for number in range(MESSAGES):
        fact = {"at": now + number / 1_000, "seq": number, "kind": "event", "forward": 1}
        client.publish(TOPIC, json.dumps(fact), qos=1)
    assert done.wait(60), f"{confirmed} of {MESSAGES} messages confirmed"
    client.disconnect()
    client.loop_stop()


async def ours(name: str, url: str, kafka: str) -> tuple[float, float]:
    """The gateway as `python -m sensors` puts it together; seconds, and seconds of processor time."""
    venue, clock, journal = load.museum(), Clock(), KafkaJournal(kafka)
    routes = Routes([venue])
    await journal.append(venue.id, [Tick(at=clock.now(), source="ticker", seq=1)])  # connecting is not measured
    inbox = MqttInbox(url, routes.filters, Login(name), clock, in_flight=IN_FLIGHT, version=5)
    gateway = Gateway(
        inbox, routes, {venue.id: venue}, journal, journal.append_sightings, journal.append_rejects, clock
    )
    await inbox.start()
    taking = asyncio.create_task(gateway.run())
    took = await _timed(lambda: gateway.counts.messages, lambda: gateway.counts.acknowledged)
    gateway.stop()
    await taking
    await journal.close()
    return took


async def peer(name: str, url: str, kafka: str, linger_s: float) -> tuple[float, float]:
    """paho's thread → list → event loop → aiokafka, acknowledged when handed over; the same two times."""
    loop, arrived = asyncio.get_running_loop(), asyncio.Event()
    incoming: list[paho.MQTTMessage] = []
    counts = {"in": 0, "out": 0}
    producer = AIOKafkaProducer(bootstrap_servers=kafka, enable_idempotence=True, acks="all", max_batch_size=262_144)
    await producer.start()
    await producer.send_and_wait(FACTS_TOPIC, b"[]", key=b"warm")
    client = _client(name)

    def on_message(_client: object, _userdata: object, message: paho.MQTTMessage) -> None:
        incoming.append(message)
        if len(incoming) == 1:
            loop.call_soon_threadsafe(arrived.set)

    async def forward() -> None:
        nonlocal incoming
        while True:
            await arrived.wait()
            await asyncio.sleep(linger_s)
            arrived.clear()
            batch, incoming = incoming, []
            counts["in"] += len(batch)
            if batch:
                await producer.send(FACTS_TOPIC, b"[" + b",".join(m.payload for m in batch) + b"]", key=b"museum")
            for message in batch:
                client.ack(message.mid, message.qos)
            counts["out"] += len(batch)

    client.on_message = on_message
    forwarding = asyncio.create_task(forward())
    _connect(client, url)
    client.loop_start()
    took = await _timed(lambda: counts["in"], lambda: counts["out"])
    forwarding.cancel()
    client.disconnect()
    client.loop_stop()
    await producer.stop()
    return took


async def _timed(taken: Callable[[], int], done: Callable[[], int]) -> tuple[float, float]:
    deadline = time.perf_counter() + 60
    while not taken():
        assert time.perf_counter() < deadline, "no message came"
        await asyncio.sleep(0.001)
    began, spent = time.perf_counter(), time.process_time()
    while done() < MESSAGES:
        assert time.perf_counter() < deadline, f"{done()} of {MESSAGES} messages acknowledged"
        await asyncio.sleep(0.005)
    return time.perf_counter() - began, time.process_time() - spent


def main(role: str, name: str, url: str, kafka: str) -> None:
    """One role of the measure, in a process of its own."""
    match role:
        case "subscribe":
            subscribe(name, url)
            child.say(done=True)
        case "publish":
            publish(name, url)
            child.say(done=True)
        case "ours":
            wall, used = asyncio.run(ours(name, url, kafka))
            child.say(wall=wall, processor=used)
        case _:
            wall, used = asyncio.run(peer(name, url, kafka, LINGER_S[role]))
            child.say(wall=wall, processor=used)


if __name__ == "__main__":
    main(*sys.argv[1:5])
