"""What comes in wrong, each with a clear message and nothing else harmed: files, settings, ports, disk, time, bytes."""

import asyncio
import json
import os
import socket
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy.services import Mosquitto, free_port
from flowmon import wire
from flowmon.facts import Count
from flowmon.findings import subject
from flowmon.history.sqlite import SqliteHistory
from flowmon.journal.files import read_folder
from flowmon.monitor.core import Monitor
from flowmon.recording.fold import replay
from flowmon.venue.parse import load
from tests.integration.oneprocess import VENUE, Devices, Flowmon, until

pytestmark = pytest.mark.integration

MORE = """
[portals.back]
between = ["outside", "room"]
[counters.ctr-back]
portal = "back"
towards = "room"
"""
DAY_S = 86_400.0
SECRET = "zebra-crossing-7"


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Flowmon]]:
    """`make(name, verb, …)`: a process with a folder of its own, ended with the test."""
    made: list[Flowmon] = []

    def build(name: str, *arguments: str | Path, **more: str) -> Flowmon:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        made.append(Flowmon(folder, *arguments, **more))
        return made[-1]

    yield build
    for each in made:
        each.close()


@pytest.fixture
def venue_file(tmp_path: Path) -> Path:
    path = tmp_path / "one.toml"
    path.write_text(VENUE + MORE)
    return path


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    part = Mosquitto(tmp_path / "mosquitto")
    part.start()
    yield part
    part.kill()


def refused(process: Flowmon, *words: str) -> None:
    """It ended by itself with exit code 1, saying these words and no traceback."""
    code = process.ended(60)
    assert (code, [word for word in words if word not in process.said]) == (1, []), process.said
    assert "Traceback" not in process.said


# -- files, settings, ports


def test_a_wrong_venue_file(make: Callable[..., Flowmon], tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.toml"
    wrong.write_text(
        VENUE.replace("capacity = 100000", "capasity = 100000", 1)
        .replace('"hall", "room"]', '"hall", "rom"]')
        .replace('portal = "door"', 'portal = "dor"')
    )
    mqtt, kafka = f"mqtt://127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
    settings = {"FLOWMON_VENUES": str(wrong), "FLOWMON_MQTT": mqtt, "FLOWMON_KAFKA": kafka}
    processes = [
        make("check", "check", wrong).start(),
        make("run", "run", wrong, "--data", tmp_path / "data", "--port", "0").start(),
        make("feed", "feed", wrong, "--port", "0").start(),
        make("demo", "demo", "--venue", wrong, "--port", "0").start(),
        make("sensors", module="sensors", **settings).start(),
        make("streams", module="streams", **settings).start(),
    ]
    for process in processes:
        refused(process, str(wrong), "zones.hall.capa", "portals.door", "rom", "dor")
    assert not (tmp_path / "data").exists(), "and nothing was begun"


def test_settings_that_cannot_be_read(make: Callable[..., Flowmon], venue_file: Path, tmp_path: Path) -> None:
    settings = {"FLOWMON_VENUES": str(venue_file), "FLOWMON_FEED_PORT": "abc"}
    processes = [make(verb, verb, **settings).start() for verb in ("run", "feed", "archive", "doctor")]
    processes += [make(module, module=module, **settings).start() for module in ("sensors", "streams")]
    for process in processes:
        refused(process, "FLOWMON_FEED_PORT='abc' is not a number: set it to one, e.g. 8080")
    data = tmp_path / "data"
    refused(
        make("mqtt", "run", venue_file, "--mqtt", "mqtt://museum:abc", "--data", data).start(), "write it like mqtt"
    )
    refused(make("port", "run", venue_file, "--port", "99999", "--data", data).start(), "0-65535", "--port")


def test_a_port_in_use(make: Callable[..., Flowmon], venue_file: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        processes = [
            make("run", "run", venue_file, "--data", tmp_path / "data", "--port", port).start(),
            make("feed", "feed", venue_file, "--port", port).start(),
            make("demo", "demo", "--port", port).start(),
        ]
        for process in processes:
            refused(
                process, f"the feed cannot listen on 127.0.0.1:{port}", "end what uses that port, or choose another"
            )
            assert len(process.said.strip().splitlines()) <= 3, process.said


def test_a_venue_file_that_changed(
    make: Callable[..., Flowmon], broker: Mosquitto, venue_file: Path, tmp_path: Path
) -> None:
    """A room is closed for good: what its counters said before is refused, and everything else is as it was."""
    engine = make("run", "run", venue_file, "--mqtt", broker.url, "--data", tmp_path / "data", "--port", "0").started()
    until("it is connected", lambda: "connected to" in engine.said)
    devices = Devices(broker.url)
    devices.enter(7)
    devices.enter(2, "ctr-door")
    until("they are shown", lambda: (engine.raw(), engine.raw("room")) == (5, 2))
    assert engine.end() == 0
    hall_only = (
        VENUE[: VENUE.index("[zones.room]")] + VENUE[VENUE.index("[portals.gate]") : VENUE.index("[portals.door]")]
    )
    venue_file.write_text(hall_only + '[counters.ctr-gate]\nportal = "gate"\ntowards = "hall"\n')
    engine.started()
    until("it is connected", lambda: "connected to" in engine.said)
    assert "belongs to another version or venue file" in engine.said
    assert set(engine.state()["zones"]) == {"hall"}
    until("nobody left through a door that is not there", lambda: engine.raw() == 7)
    devices.enter(1)
    until("counting goes on", lambda: engine.raw() == 8)
    devices.close()
    assert engine.end() == 0
    assert "Traceback" not in engine.log.read_text()


# -- passwords


def test_a_wrong_password_and_no_secret_told(make: Callable[..., Flowmon], venue_file: Path, tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path / "mosquitto", users={"museum": SECRET})
    secrets = {
        "FLOWMON_MQTT": broker.url,
        "FLOWMON_MQTT_USERNAME": "museum",
        "FLOWMON_FEED_TOKEN": f"token-{SECRET}",
        "FLOWMON_BEACON_SECRET": f"beacon-{SECRET}",
        "FLOWMON_POSTGRES": f"postgresql://flowmon:{SECRET}@127.0.0.1:{free_port()}/flowmon",
        "FLOWMON_KAFKA": f"127.0.0.1:{free_port()}",
        "FLOWMON_VENUES": str(venue_file),
        "FLOWMON_DATA": str(tmp_path / "data"),
    }
    broker.start()
    try:
        wrong = make("wrong", "run", "--port", "0", **secrets, FLOWMON_MQTT_PASSWORD=f"wrong-{SECRET}").started()
        until("the refusal is said", lambda: "refuses user 'museum'" in wrong.said)
        assert "correct FLOWMON_MQTT_USERNAME and FLOWMON_MQTT_PASSWORD" in wrong.said
        assert wrong.state()["zones"] is not None, "the screens are served"
        assert wrong.end() == 0
        right = make("right", "run", "--port", "0", **secrets, FLOWMON_MQTT_PASSWORD=SECRET).started()
        until("it is connected", lambda: "connected to" in right.said)
        devices = Devices(broker.url, user="museum", password=SECRET)
        devices.enter(4)
        devices.client.publish("flowmon/v1/one/ctr-gate/count", b"rubbish", qos=1)
        until("they are shown", lambda: right.raw() == 4)
        until("the reject is kept", (tmp_path / "data" / "rejects" / "one.jsonl").exists)
        doctor = make("doctor", "doctor", **secrets, FLOWMON_MQTT_PASSWORD=SECRET).start()
        blind = make("blind", "doctor", **secrets, FLOWMON_MQTT_PASSWORD=f"wrong-{SECRET}").start()
        places = [
            "/",
            "/healthz",
            "/metrics",
            "/api/state",
            "/api/venue",
            "/feed",
            f"/{SECRET[:3]}",
            "/api/state?venue=x",
        ]
        answers = [right.get(place)[1] for place in places]
        assert [doctor.ended(), blind.ended()] == [1, 1], "PostgreSQL and Kafka are not there"
        assert "FAIL  MQTT" not in doctor.said
        assert "FAIL  MQTT" in blind.said
        devices.close()
        assert right.end() == 0
    finally:
        broker.kill()
    told = {str(path): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and path.name != "passwords"}
    assert [path for path, data in told.items() if SECRET.encode() in data] == []
    assert [answer for answer in answers if SECRET in answer] == []
    assert "Traceback" not in right.said + wrong.said + doctor.said + blind.said


# -- the disk


def test_a_full_disk(make: Callable[..., Flowmon], broker: Mosquitto, venue_file: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    engine = make("run", "run", venue_file, "--mqtt", broker.url, "--data", data, "--port", "0").started()
    until("it is connected", lambda: "connected to" in engine.said)
    devices = Devices(broker.url)
    for _ in range(200):
        devices.enter(1)
    until("they are shown", lambda: engine.raw() == 200)
    (segment,) = (data / "journal" / "one").glob("*.jsonl")
    engine.space(segment.stat().st_size + 100)
    for _ in range(50):
        devices.enter(1, "ctr-back")
    until("the full disk is said", lambda: "cannot write the journal of one" in engine.said)
    until("time is said to stand", lambda: "time stands still" in engine.said)
    assert "keeping all and trying again" in engine.said
    assert "free space or mend the disk, nothing confirmed so far is lost" in engine.said
    assert (engine.raw(), engine.raw("room")) == (200, 0), "what is known is served"
    assert engine.get("/metrics")[0] == 200
    engine.space()
    until("writing goes on", lambda: "writing the journal of one again; nothing is lost" in engine.said)
    until("everybody is shown", lambda: (engine.raw(), engine.raw("room")) == (200, 50))
    devices.settle()
    devices.close()
    assert engine.said.count("time stands still") == 1, "said once"
    assert engine.end() == 0
    assert "Traceback" not in engine.said
    entries = list(read_folder(data / "journal", "one"))
    told = [(fact.source, fact.seq) for entry in entries for fact in entry.record if isinstance(fact, Count)]
    assert sorted(told) == sorted(devices.confirmed), "nothing lost, nothing twice"
    straight = {
        (p.offset, p.index): p
        for p in replay(Monitor(load(venue_file)), "one", [(e.offset, e.record) for e in entries])
    }
    assert asyncio.run(_stored(data, {subject(p.finding) for p in straight.values()})) == {
        place: wire.encode(p.finding) for place, p in straight.items()
    }


async def _stored(data: Path, subjects: set[str]) -> dict[tuple[int, int], bytes]:
    history = SqliteHistory(data / "history.sqlite")
    found = [p for name in subjects for p in await history.query("one", name, start=0, end=9e9, limit=1_000_000)]
    await history.close()
    return {(p.offset, p.index): wire.encode(p.finding) for p in found}


def test_a_history_that_is_none(make: Callable[..., Flowmon], venue_file: Path, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "history.sqlite").write_bytes(b"rubbish " * 1000)
    engine = make("run", "run", venue_file, "--data", tmp_path / "data", "--port", "0").start()
    refused(engine, "history.sqlite cannot be used", "move the file away: the journal holds everything")
    with pytest.raises(sqlite3.DatabaseError):
        sqlite3.connect(tmp_path / "data" / "history.sqlite").execute("SELECT 1 FROM findings")


# -- what devices send


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Flowmon, Mosquitto, Devices]]:
    """An engine on a broker that already held a message; shared by the tests below."""
    folder = tmp_path_factory.mktemp("town")
    (folder / "one.toml").write_text(VENUE + MORE)
    broker = Mosquitto(folder / "mosquitto")
    broker.start()
    engine = Flowmon(folder, "run", folder / "one.toml", "--mqtt", broker.url, "--data", folder / "data", "--port", "0")
    try:
        devices = Devices(broker.url)
        then = time.time() - 2 * DAY_S  # noqa: TID251 -- a device's own clock
        status = json.dumps({"health": "online", "at": then})
        devices.client.publish("flowmon/v1/one/ctr-old/status", status, qos=1, retain=True).wait_for_publish(10)
        devices.client.publish("flowmon/v1/one/ctr-back/status", status, qos=1, retain=True).wait_for_publish(10)
        engine.started()
        until("it is connected", lambda: "connected to" in engine.said)
        yield engine, broker, devices
        devices.close()
        assert engine.end() == 0
        assert "Traceback" not in engine.said
    finally:
        engine.close()
        broker.kill()


Town = tuple[Flowmon, Mosquitto, Devices]


def test_an_old_retained_message_is_no_life(town: Town) -> None:
    engine, _, devices = town
    devices.enter(1)
    until("somebody is shown", lambda: engine.raw() == devices.people["ctr-gate"])
    until("the gate is alive", lambda: engine.state()["sensors"]["ctr-gate"]["health"] == "good")
    assert engine.state()["sensors"]["ctr-back"]["health"] == "unknown"
    assert engine.state()["sensors"]["ctr-back"]["last"] is None


def test_clocks_in_2000_and_2099(town: Town) -> None:
    engine, _, devices = town
    hall, room = engine.raw(), engine.raw("room")
    now = time.time()  # noqa: TID251 -- a device's own clock
    for _ in range(20):
        devices.enter(1)
        devices.enter(1, "ctr-door", ahead_s=946_684_800.0 - now)
        devices.enter(1, "ctr-back", ahead_s=4_070_908_800.0 - now)
    until("all of them count", lambda: (engine.raw(), engine.raw("room")) == (hall, room + 40))
    until("the clocks are named", lambda: engine.state()["sensors"]["ctr-back"]["reason"])
    sensors = engine.state()["sensors"]
    assert sensors["ctr-door"]["reason"] == "clock years behind the gateway: set the device's NTP server"
    assert sensors["ctr-back"]["reason"] == "clock ahead of the gateway: set the device's NTP server"
    assert sensors["ctr-door"]["skew"] > 20 * 365 * DAY_S
    assert sensors["ctr-back"]["skew"] < -70 * 365 * DAY_S
    assert (sensors["ctr-gate"]["health"], sensors["ctr-gate"]["reason"]) == ("good", "")
    assert abs(sensors["ctr-gate"]["skew"]) < 5
    at = engine.state()["at"] / 1000
    assert abs(at - time.time()) < 10, "no device moves the time of the venue"  # noqa: TID251


def test_large_payloads(town: Town) -> None:
    engine, _, devices = town
    before, large = engine.raw(), 'flowmon_rejected_total{reason="payload is larger than 1 MB"}'
    topic = "flowmon/v1/one/ctr-gate/count"
    memory = engine.rss()
    for size in (1_000_000, 1_000_001, 20_000_000):
        devices.client.publish(topic, b"x" * size, qos=1)
        devices.enter(1)
    for payload in (b"[" * 999_999, b'"' + b"\xf0\x9f\xa6\x93" * 200_000 + b'"', b"[" + b"{}," * 300_000 + b"{}]"):
        devices.client.publish(topic, payload, qos=1)
        devices.enter(1)
    until("those between are counted", lambda: engine.raw() == before + 6, 60)
    until("the large ones are named", lambda: engine.metric(large) == 2)
    assert engine.metric('flowmon_rejected_total{reason="not JSON"}') >= 2
    assert engine.rss() < memory + 150e6


# -- a burst of rubbish

RUBBISH = (
    (b"count", b"rubbish"),
    (b"count", b""),
    (b"count", b"\xff\xfe\x00\x80"),
    (b"count", b"[" * 200),
    (b"count", b'{"at":"yesterday","seq":1}'),
    (b"count", b'{"at":1e300,"seq":1}'),
    (b"count", b'{"at":1795000000,"seq":1,"kind":"event","forward":-5}'),
    (b"count", b'{"at":1795000000,"seq":1,"kind":"event","forward":"many"}'),
    (b"nonsense", b'{"at":1795000000,"seq":1}'),
    (b"status", b"[null,null]"),
)
BURST_S = float(os.environ.get("BURST_S", "5"))  # a whole million takes minutes: BURST_S=600
IN_FLIGHT = 2_000  # twice the gateway's Receive Maximum
MILLION = 1_000_000
BLOCK = 1_000


def _packets(qos: int) -> bytes:
    """BLOCK PUBLISH packets of MQTT 3.1.1 in a row; those of QoS 1 are numbered from 1."""
    made = bytearray()
    for number in range(BLOCK):
        what, payload = RUBBISH[number % len(RUBBISH)]
        topic = b"flowmon/v1/one/rubbish-%d/" % (number % 50) + what
        body = len(topic).to_bytes(2, "big") + topic + ((number + 1).to_bytes(2, "big") if qos else b"") + payload
        size = len(body)
        made += (
            bytes([0x30 | qos << 1]) + (bytes([size]) if size < 128 else bytes([size & 127 | 128, size >> 7])) + body
        )
    return bytes(made)


def _rubbish(port: int, qos: int, go_on: Callable[[int], bool]) -> int:
    """Publish blocks as fast as the broker takes them while `go_on(published)`; returns how many messages."""
    block, name = _packets(qos), b"rubbish-%d" % qos
    published = 0
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(bytes([0x10, 12 + len(name)]) + b"\0\4MQTT\4\2\0\0\0" + bytes([len(name)]) + name)
        connection.recv(4)
        while go_on(published):
            connection.sendall(block)
            published += BLOCK
            waiting = 4 * BLOCK * qos  # a PUBACK has four bytes
            while waiting:
                waiting -= len(connection.recv(waiting))
        connection.sendall(b"\xe0\0")
    return published


def rejects(engine: Flowmon) -> float:
    """All messages refused so far, as /metrics says."""
    lines = engine.get("/metrics")[1].splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith("flowmon_rejected_total{"))


def test_a_burst_of_rubbish(town: Town) -> None:
    """As much of a million as fits into the time, by QoS 1; then as fast as the wire takes them, by QoS 0."""
    engine, broker, devices = town
    port, memory, refused_before, before = broker.port, engine.rss(), rejects(engine), engine.raw()
    highest = [memory]
    entered = devices.people.get("ctr-gate", 0)
    devices.flow()
    began = time.monotonic()

    def room(published: int) -> bool:
        """The broker keeps at most 60,000 for the engine: it would keep a million, and the test would take longer."""
        if published % 20_000 == 0:
            until("the engine follows", lambda: published - (rejects(engine) - refused_before) < 40_000, 60)
            highest.append(engine.rss())
        return published < MILLION and time.monotonic() - began < BURST_S

    sent = _rubbish(port, 1, room)
    until("all of it is refused, and counted", lambda: rejects(engine) - refused_before >= sent, 60)
    again = rejects(engine) - refused_before - sent
    assert again <= IN_FLIGHT, "only what was in flight when a connection broke is told, and counted, again"
    took = time.monotonic() - began
    lost_before = engine.metric("flowmon_messages_lost_total")
    flood = _rubbish(port, 0, lambda published: published < 100_000)
    devices.stop()
    until(
        "every person among it is counted",
        lambda: engine.raw() - before == devices.people["ctr-gate"] - entered,
        60,
    )
    highest.append(engine.rss())
    taken = rejects(engine) - refused_before - sent - again
    lost = engine.metric("flowmon_messages_lost_total") - lost_before
    assert taken + lost <= flood
    assert max(highest) < memory + 60e6, "memory is bounded"
    kept = Path(engine._command[-3]) / "rejects" / "one.jsonl"
    assert 0 < len(kept.read_bytes().splitlines()) < 20 * (time.monotonic() - began + 60), "a sample of it is kept"
    print(f"QoS 1: {sent} in {took:.1f} s ({sent / took:.0f}/s), every one counted, {again:.0f} twice")
    print(f"QoS 0: {flood}, of which {taken:.0f} counted as refused and {lost:.0f} as lost")
    print(f"people {devices.people['ctr-gate'] - entered}; memory {memory >> 20} -> {max(highest) >> 20} MiB")
