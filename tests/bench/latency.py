"""MQTT message published → finding on a `/feed` socket, on the whole stack in separate processes.

Twelve zones with a gate each; every message lets one person in through the next gate. So the n-th message of a zone is
on the screen when the zone's `raw` is n or more: a later number covers those before it, as it does for people. The
publisher (a process of its own) notes when it hands a message to its socket; the client, when a frame has come. Both
read the same monotonic clock. The client asks for 50 states a second, the most there is.
"""

import asyncio
import json
import sys
import time
from bisect import bisect_left
from typing import Any

import paho.mqtt.client as paho
from msgspec import Struct
from paho.mqtt.enums import CallbackAPIVersion
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from deploy.stack import Stack
from flowmon.clock import Clock
from flowmon.feed.messages import SUBPROTOCOL
from flowmon.settings import address
from tests.bench import child
from tests.bench.bench import Bench
from tests.bench.figures import Row, judged, percentile, spread

ZONES = 12
RATES = {20: 15, 1_000: 15}  # messages a second, and for how many seconds
WARM_S = 3  # the first seconds are published and not judged
MAX_HZ = 50
SHOWN_S = 20.0
P95_MS, P99_MS = 100.0, 300.0

VENUE = """
id = "bench"
name = "Bench"
timezone = "Europe/Paris"
simulated = true
[floors.ground]
outline = [[0, 0], [{length}, 0], [{length}, 10], [0, 10]]
"""
ZONE = """
[zones.z{number}]
floor = "ground"
capacity = 100000
outline = [[{left}, 0], [{right}, 0], [{right}, 10], [{left}, 10]]
[portals.g{number}]
between = ["outside", "z{number}"]
[counters.c{number}]
portal = "g{number}"
towards = "z{number}"
"""


async def measure(bench: Bench) -> list[Row]:
    """p50, p95 and p99 at each rate."""
    folder = bench.folder / "latency"
    folder.mkdir(mode=0o755)
    venue = folder / "bench.toml"
    venue.write_text(_venue())
    async with bench.servers(kafka=True, mosquitto=True) as services:
        bench.tell("starting the stack")
        stack = await asyncio.to_thread(Stack, services, folder / "logs", [venue], app="bench-latency")
        try:
            await asyncio.to_thread(stack.start)
            rows: list[Row] = []
            base = 0
            for rate, seconds in RATES.items():
                bench.tell(f"messages to a screen at {rate} a second")
                waits = await _at(stack, services.mqtt_url, rate, seconds, base)
                base += rate * seconds // ZONES
                rows += _rows(rate, waits)
        finally:
            bench.tell("ending the stack")
            await asyncio.to_thread(stack.close)
    return rows


def _rows(rate: int, waits: list[float]) -> list[Row]:
    p50, p95, p99 = (1_000 * percentile(waits, share) for share in (0.5, 0.95, 0.99))
    what = f"MQTT message published → finding on a /feed socket, {rate} messages/s"
    told = {"p50 ms": spread([p50]), "p95 ms": spread([p95]), "p99 ms": spread([p99])}
    note = (
        f"{len(waits)} messages, p50 {p50:.0f} ms, none lost; of it the feed's conflation at {MAX_HZ} Hz is up to "
        f"{1_000 / MAX_HZ:.0f} ms for a number that moves all the time, and the gateway gathers for up to 10 ms"
    )
    return [
        judged(
            Row(
                measure="latency", what=f"{what}, p95", value=p95, unit="ms", bound="at most", target=P95_MS,
                figures=told, note=note,
            )
        ),
        judged(Row(measure="latency", what=f"{what}, p99", value=p99, unit="ms", bound="at most", target=P99_MS)),
    ]  # fmt: skip


class Shown(Struct):
    """When which numbers of a zone came, both rising."""

    raws: list[int]
    times: list[float]


async def _at(stack: Stack, mqtt: str, rate: int, seconds: int, base: int) -> list[float]:
    """Seconds from published to shown, of every message after the warm-up. base: people in each zone before."""
    shown = {zone: Shown([], []) for zone in _zones()}
    total = rate * seconds // ZONES * ZONES
    async with connect(f"ws{stack.url[4:]}/feed", subprotocols=[Subprotocol(SUBPROTOCOL)]) as socket:
        await socket.send(json.dumps({"t": "hello", "v": 1, "app": {"name": "bench", "ver": "0.1.0"}}))
        await socket.send(json.dumps({"t": "sub", "id": 1, "ch": "zones", "max_hz": MAX_HZ}))
        watching = asyncio.create_task(_watch(socket, shown, base + total // ZONES))
        said = await child.run("tests.bench.latency", mqtt, str(rate), str(total), str(base * ZONES))
        try:
            await asyncio.wait_for(watching, SHOWN_S)
        except TimeoutError:
            last = {zone: known.raws[-1:] for zone, known in shown.items()}
            raise child.ChildFailed(f"not all was shown {SHOWN_S:.0f} s after the last message: {last}") from None
    waits = []
    for number, published in enumerate(said["published"]):
        known = shown[f"z{number % ZONES}"]
        place = bisect_left(known.raws, base + number // ZONES + 1)
        if number >= WARM_S * rate:
            waits.append(known.times[place] - published)
    return waits


async def _watch(socket: ClientConnection, shown: dict[str, Shown], until: int) -> None:
    """Note every number until each zone shows `until`; tell the feed what was taken."""
    left, acknowledged = set(shown), 0.0
    while left:
        data = await socket.recv()
        now = time.monotonic()
        frame: dict[str, Any] = json.loads(data)
        if frame["t"] not in {"snap", "delta"}:
            continue
        for zone, fields in frame["z"].items():
            raw = fields.get("raw") if fields else None
            if raw is not None and (not shown[zone].raws or raw > shown[zone].raws[-1]):
                shown[zone].raws.append(raw)
                shown[zone].times.append(now)
                if raw >= until:
                    left.discard(zone)
        if now - acknowledged > 0.1:  # a session may say 20 things a second
            acknowledged = now
            await socket.send(json.dumps({"t": "ok", "seq": {"zones": frame.get("to", frame.get("seq"))}}))


def publish(url: str, rate: int, total: int, first: int) -> list[float]:
    """Publish at an even pace; when each message was handed over, seconds of the monotonic clock."""
    host, port, _ = address(url, port=1883)
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="bench-devices", protocol=paho.MQTTv5)
    client.max_queued_messages_set(0)
    client.max_inflight_messages_set(5_000)
    client.connect(host, port)
    client.loop_start()
    clock, published = Clock(), []
    began = time.monotonic()
    for number in range(total):
        wait = began + number / rate - time.monotonic()
        if wait > 0:
            time.sleep(wait)
        fact = {"at": clock.now(), "seq": first + number, "kind": "event", "forward": 1}
        published.append(time.monotonic())
        last = client.publish(f"flowmon/v1/bench/c{number % ZONES}/count", json.dumps(fact), qos=1)
    last.wait_for_publish(20)
    client.disconnect()
    client.loop_stop()
    return published


def _zones() -> list[str]:
    return [f"z{number}" for number in range(ZONES)]


def _venue() -> str:
    return VENUE.format(length=10 * ZONES) + "".join(
        ZONE.format(number=number, left=10 * number, right=10 * number + 10) for number in range(ZONES)
    )


if __name__ == "__main__":
    child.say(published=publish(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])))
