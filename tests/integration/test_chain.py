"""The whole chain as separate processes on real servers, and everything in it killed while events flow.

What is counted: every message published and confirmed by the broker is in the journal, once by identity; the findings
in PostgreSQL are, byte for byte, those of a straight recomputation of the journal; the numbers on the feed are the
numbers published.
"""

import asyncio
import itertools
import json
import threading
import time
import urllib.request
from collections import Counter as Tally
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from deploy.services import Services
from deploy.stack import Stack
from flowmon import wire
from flowmon.facts import Count, Tick, identity
from flowmon.history.postgres import PostgresHistory
from flowmon.journal.kafka import KafkaFindings, KafkaJournal
from flowmon.monitor.core import Monitor
from flowmon.recording.fold import replay
from flowmon.venue.model import Venue
from flowmon.venue.parse import load

pytestmark = pytest.mark.integration

VENUE = """
id = "chain"
name = "Chain"
timezone = "Europe/Paris"
[floors.ground]
outline = [[0, 0], [20, 0], [20, 10], [0, 10]]
[zones.hall]
floor = "ground"
capacity = 100000
outline = [[0, 0], [10, 0], [10, 10], [0, 10]]
[zones.room]
floor = "ground"
capacity = 5
outline = [[10, 0], [20, 0], [20, 10], [10, 10]]
[portals.gate]
between = ["outside", "hall"]
[portals.door]
between = ["hall", "room"]
[counters.ctr-gate]
portal = "gate"
towards = "hall"
[counters.ctr-door]
portal = "door"
towards = "room"
[rules.full]
watches = "zone"
severity = "critical"
hold_s = 0
clear_hold_s = 0
"""


class Devices:
    """Counters on a real broker: numbers every message, remembers what the broker confirmed."""

    def __init__(self, url: str) -> None:
        self._confirmed: list[int] = []
        self._sent: list[tuple[int, str, int]] = []
        self._lock = threading.Lock()
        self._stop = threading.Event()
        host, _, port = url.removeprefix("mqtt://").partition(":")
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="test-devices", protocol=mqtt.MQTTv5)
        self._client.reconnect_delay_set(1, 1)
        self._client.max_queued_messages_set(0)
        self._client.on_publish = self._on_publish
        self._client.connect(host, int(port))
        self._client.loop_start()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.published = 0

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Stop publishing and wait for the last confirmation."""
        self._stop.set()
        self._thread.join()
        until("every message is confirmed", lambda: len(self._confirmed) == self.published, 60)
        self._client.disconnect()
        self._client.loop_stop()

    def crowd(self, people: int) -> None:
        """`people` go into the room at once."""
        self._publish("ctr-door", people, 0)

    def _run(self) -> None:
        while not self._stop.wait(0.005):
            self._publish("ctr-gate", 1, self.published % 3 == 0)

    def _publish(self, device: str, forward: int, backward: int) -> None:
        with self._lock:
            self.published += 1
            number = self.published
        body = {"at": time.time(), "seq": number, "kind": "event", "forward": forward, "backward": int(backward)}  # noqa: TID251
        sent = self._client.publish(f"flowmon/v1/chain/{device}/count", json.dumps(body), qos=1)
        self._sent.append((sent.mid, device, number))

    def _on_publish(self, _c: object, _d: object, mid: int, _r: object, _p: object) -> None:
        self._confirmed.append(mid)

    def confirmed(self) -> set[tuple[str, int]]:
        """Device and number of what the broker confirmed; message ids are reused after 65,535."""
        mids = set(self._confirmed)
        return {(device, number) for mid, device, number in self._sent if mid in mids}


class Screen:
    """A client of the feed in a thread of its own; reconnects for ever and keeps every episode it was told."""

    def __init__(self, url: str) -> None:
        self.revisions: list[tuple[str, int, str]] = []
        self.connections = 0
        self._url = url.replace("http", "ws") + "/feed"
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(10)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                with connect(self._url, subprotocols=[Subprotocol("flowmon.v1+json")]) as socket:
                    socket.send(json.dumps({"t": "hello", "v": 1, "app": {"name": "test", "ver": "0.1.0"}}))
                    socket.send(json.dumps({"t": "sub", "id": 1, "ch": "alerts"}))
                    self.connections += 1
                    while not self._stop.is_set():
                        self._take(json.loads(socket.recv(timeout=5)), socket)
            except (OSError, TimeoutError, WebSocketException):
                self._stop.wait(0.2)

    def _take(self, frame: dict[str, Any], socket: ClientConnection) -> None:
        alerts = [frame["alert"]] if frame["t"] == "ev" else []
        if frame["t"] == "snap":
            alerts = list(frame.get("z", {}).values())
        for alert in alerts:
            self.revisions.append((alert["id"], alert["rev"], alert["state"]))
        if "seq" in frame or "to" in frame:
            seq = frame.get("to", frame.get("seq"))
            socket.send(json.dumps({"t": "ok", "seq": {"alerts": seq} if isinstance(seq, int) else seq}))


def until(what: str, holds: Callable[[], object], timeout_s: float = 45.0) -> None:
    """Wait for a condition; fails with its name."""
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline, f"not in {timeout_s:.0f} s: {what}"
        time.sleep(0.05)


@pytest.fixture
def stack(services: Services, tmp_path: Path) -> Iterator[Stack]:
    path = tmp_path / "chain.toml"
    path.write_text(VENUE)
    session = {"FLOWMON_WORKER_SESSION_S": "6"}
    running = Stack(services, tmp_path / "logs", [path], app="chain", workers=2, environment=session)
    try:
        running.start()
        yield running
    finally:
        running.close()


def state(stack: Stack) -> dict[str, dict[str, float]]:
    with urllib.request.urlopen(f"{stack.url}/api/state", timeout=5) as answer:
        return dict(json.load(answer)["zones"])


def test_everything_killed_and_restarted_while_events_flow(services: Services, stack: Stack) -> None:
    devices, screen = Devices(services.mqtt_url), Screen(stack.url)
    devices.start()
    until("the first number is shown", lambda: stack.ready() and state(stack).get("hall", {}).get("raw", 0) > 20)

    def flowing() -> None:
        """Messages go through to the screens: what was published before now is shown."""
        target = devices.published
        until(f"message {target} is shown", lambda: stack.ready() and _shown(stack) >= target // 2, 60)

    for victim in (stack.gateway, stack.workers[0], stack.feed, stack.archive, stack.workers[1]):
        victim.kill()
        more = devices.published + 100
        until("devices go on", lambda more=more: devices.published >= more)  # type: ignore[misc]
        victim.start()
        flowing()
    for part in (services.mosquitto, services.kafka, services.postgres):
        part.restart()
        flowing()
    devices.crowd(9)
    devices.stop()
    until("the screen is told of the full room", lambda: any(state == "UNACK" for _, _, state in screen.revisions))
    screen.stop()
    assert screen.connections >= 2, "the feed was killed, and the screen came back"
    venue = load(Path(stack.environment["FLOWMON_VENUES"]))
    asyncio.run(_verify(services, stack, venue, devices))


def _shown(stack: Stack) -> float:
    """A lower bound of messages that reached the screen: two of three move the hall by one."""
    try:
        return float(state(stack)["hall"]["raw"])
    except (OSError, KeyError, ValueError):
        return 0.0


async def _verify(services: Services, stack: Stack, venue: Venue, devices: Devices) -> None:
    journal = KafkaJournal(services.kafka_address)
    entries = [entry async for entry in journal.read("chain")]
    counts = [fact for entry in entries for fact in entry.record if isinstance(fact, Count)]
    once = Tally((fact.source, fact.seq) for fact in counts)
    assert set(once) == devices.confirmed(), "every confirmed message is in the journal"
    by_identity = {(fact.source, identity(fact)): fact for fact in counts}
    assert len(by_identity) == devices.published, "and none has two identities"
    print(f"published {devices.published}, journaled {len(counts)}, repeated {len(counts) - devices.published}")
    ticks = [fact.seq for entry in entries for fact in entry.record if isinstance(fact, Tick)]
    # The leader was killed (its session lasts 6 s, then the group forms anew) and Kafka itself was away.
    assert max(b - a for a, b in itertools.pairwise(ticks)) <= 45, "ticks went on"

    last = entries[-1].offset
    straight = {
        (p.offset, p.index): wire.encode(p.finding)
        for p in replay(Monitor(venue), "chain", [(e.offset, e.record) for e in entries])
    }
    published: dict[tuple[int, int], bytes] = {}
    async with asyncio.timeout(60):
        async for batch in KafkaFindings(services.kafka_address).read("chain"):
            published |= {(p.offset, p.index): wire.encode(p.finding) for p in batch}
            if max(published)[0] >= last:
                break
    _same("on Kafka", straight, published, last)
    history = PostgresHistory(services.postgres_url)
    async with asyncio.timeout(40):
        while await history.latest_offset("chain") < last:  # noqa: ASYNC110 -- another process writes
            await asyncio.sleep(0.2)
    stored: dict[tuple[int, int], bytes] = {}
    for subject in ("zone/hall", "zone/room", "venue", "device/ctr-gate", "device/ctr-door"):
        rows = await history.query("chain", subject, start=0, end=9e9, limit=1_000_000)
        stored |= {(p.offset, p.index): wire.encode(p.finding) for p in rows}
    asked = {name: data for name, data in straight.items() if _asked(data)}
    _same("in PostgreSQL", asked, stored, last)
    await history.close()
    await journal.close()
    raw = sum(f.forward - f.backward for (s, _), f in by_identity.items() if s == "ctr-gate")
    await asyncio.to_thread(until, "the screens show it all", lambda: _shown(stack) == raw - 9, 20)
    assert state(stack)["room"]["raw"] == 9


def _same(where: str, straight: dict[tuple[int, int], bytes], told: dict[tuple[int, int], bytes], last: int) -> None:
    """What was told up to the record `last` is what a straight recomputation says, byte for byte."""
    missing = sorted(name for name in straight if name not in told)
    wrong = sorted(name for name, data in told.items() if name[0] <= last and straight.get(name) != data)
    assert not missing, f"{where} {len(missing)} of {len(straight)} findings are missing: {missing[:5]}"
    first = [(name, straight.get(name), told[name]) for name in wrong[:3]]
    assert not wrong, f"{where} {len(wrong)} of {len(straight)} findings differ: {first}"


def _asked(data: bytes) -> bool:
    kind = json.loads(data)["type"]
    return kind in {"zone_state", "venue_state", "device_state"}
