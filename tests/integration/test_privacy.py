"""What is put in of people does not come out: marks in good and broken payloads of every dialect, by MQTT and HTTP,
through the real gateway and engine; then every byte that is written or told is searched for them.

The exception, on purpose: the names of devices in the venue file, hardware addresses or not, and the beacons it lists.
"""

import asyncio
import base64
import json
import logging
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from deploy.services import Mosquitto, Services, free_port
from flowmon import metrics
from flowmon.clock import Clock
from flowmon.settings import Settings
from flowmon.venue.model import Receiver, Route, Venue
from sensors.dialects import DIALECTS
from sensors.dialects.port import Message
from streams.local import LocalEngine, serve
from tests.fakes import until
from tests.small import venue
from tests.typical import TYPICAL

pytestmark = pytest.mark.integration

#: A telephone, a badge, and what is known of their owners. None of it is in the venue file.
ADDRESS, BADGE_ADDRESS = bytes.fromhex("5f4a3b2c1d0e"), bytes.fromhex("c5b4a3928170")
UUID = bytes.fromhex("f7d1c3a58e6b42904d5a6b7c8d9eafb0")
WORDS = {
    "username": "usr-zoltan", "password": "pwd-7h3s3am", "token": "tkn-5e4m31f", "sub_label": "Ottilie Markus",
    "gender": "gndr-femme", "age": "age-93yrs", "people_id": "pid-480257", "personName": "Xaver Quill",
    "face": {"id": "face-id-7741", "more": [{"landmark": "lmk-2291"}]}, "email": "xq@post.example",
    "image": "/9j/4AAQSkZJRgABAQEASABIAADmarkerpicturebytesmarkerpicturebytes",
}  # fmt: skip
TOLD = [*(word for word in WORDS.values() if isinstance(word, str)), "face-id-7741", "lmk-2291", "Markus", "Quill"]
#: What a visitor's telephone and the one who posts add where the message is one about radio.
PHONE = {"name": "Ottilies Telefon", "alias": "ali-3347", "serial": ADDRESS.hex(":")}
QUERY, BEARER, COOKIE = "qry-61f2e8", "brr-90aa17.x-y", "cky-4451b"
#: Loggers of the devices of this test, which know their own secrets.
CLIENTS = {"httpx", "httpcore.http11", "httpcore.connection"}
GATEWAY = "C8:25:2D:00:00:01"


def spellings() -> set[bytes]:
    """Every way in which the marks could be written, in small letters: outputs are compared in small letters."""
    told = {word.lower().encode() for word in [*TOLD, "ottilies telefon", "ali-3347", QUERY, BEARER, COOKIE]}
    for mark in (ADDRESS, BADGE_ADDRESS):
        pairs = [f"{octet:02x}" for octet in mark]
        told |= {separator.join(pairs).encode() for separator in (":", "-", ".", " ", "", "%3a", "_")}
        told |= {".".join("".join(pairs[n : n + 2]) for n in (0, 2, 4)).encode(), bytes(mark)}
    plain = UUID.hex()
    dashed = "-".join((plain[:8], plain[8:12], plain[12:16], plain[16:20], plain[20:]))
    told |= {plain.encode(), dashed.encode(), UUID}
    swapped = {word.swapcase() for word in told}
    return told | {word.hex().encode() for word in told} | {word.hex().encode() for word in swapped}


def searched(output: bytes) -> Iterator[bytes]:
    """An output and whatever is packed as base64 in it, in small letters."""
    yield output.lower()
    for run in re.findall(rb"[A-Za-z0-9+/_-]{12,}={0,2}", output):
        text = run.replace(b"-", b"+").replace(b"_", b"/").rstrip(b"=")
        for start in range(4):
            part = text[start : start + (len(text) - start) // 4 * 4]
            yield base64.b64decode(part).lower()


def found(output: bytes, words: set[bytes]) -> set[bytes]:
    """The marks in an output, a bad dream of whoever runs this."""
    pattern = re.compile(b"|".join(re.escape(word.lower()) for word in sorted(words, key=len, reverse=True)))
    return {hit for part in searched(output) for hit in pattern.findall(part)}


def marked(message: Message, dialect: str) -> Message:
    """A message with the marks put in wherever its format has room for them."""
    topic, payload = message.topic, message.payload
    for known in ("e2c56db5dffb48d2b060d0f5a71096e0", "e2c56db5-dffb-48d2-b060-d0f5a71096e0"):
        dashes = "-" in known
        mine = UUID.hex() if not dashes else str(uuid.UUID(bytes=UUID))
        payload = payload.replace(known.encode(), mine.encode()).replace(known.upper().encode(), mine.upper().encode())
        topic = topic.replace(known, mine)
    payload = payload.replace(bytes.fromhex("e2c56db5dffb48d2b060d0f5a71096e0"), UUID)
    payload = payload.replace(bytes.fromhex("c30000000001"), BADGE_ADDRESS)
    for theirs in ("C30000000001", "58:78:20:00:00:01", "54:94:5E:00:00:01", "FE:E1:00:00:00:01", "A4C138000001"):
        separator = ":" if ":" in theirs else ""
        payload = payload.replace(theirs.encode(), ADDRESS.hex(":").replace(":", separator).upper().encode())
    topic = topic.replace("D3:D1:9D:00:00:01", ADDRESS.hex(":").upper())
    try:
        body = msgspec.json.decode(payload)
    except msgspec.MsgspecError:
        tags = "".join(f"<{name}>{word}</{name}>" for name, word in WORDS.items() if isinstance(word, str))
        payload = re.sub(rb"(<EventNotificationAlert[^>]*>|<Properties>)", rb"\1" + tags.encode(), payload)
    else:
        hears = "sighting" in DIALECTS[dialect].FAMILY.kinds and dialect != "native"
        payload = json.dumps(_with(body, WORDS | (PHONE if hears else {}))).encode()
    return Message(topic=topic, payload=payload, seen=message.seen, headers=message.headers)


def _with(value: Any, words: dict[str, Any]) -> Any:
    if isinstance(value, dict):
        return {name: _with(item, words) for name, item in value.items()} | {
            k: w for k, w in words.items() if k not in value
        }
    return [_with(item, words) for item in value] if isinstance(value, list) else value


def broken(payload: bytes) -> list[bytes]:
    """The same, cut, spoilt, and as part of something else."""
    return [payload[: len(payload) * 7 // 10], payload[:-1], b"\x00" + payload, b"x=1&" + payload, payload + b"}"]


def everything() -> list[tuple[str, Message]]:
    return [(dialect, marked(message, dialect)) for dialect, messages in TYPICAL.items() for message in messages]


#: Messages of no dialect's own making.
STRAY = [
    (f"espresense/devices/{ADDRESS.hex()}/ble-hall", b'{"rssi":-70}'),
    (f"espresense/devices/known:{ADDRESS.hex(':')}/ble-hall", b'{"rssi":-70}'),
    ("espresense/devices/name:Ottilie Markus/ble-hall", b'{"rssi":-70}'),
    (f"espresense/devices/iBeacon:{UUID.hex()}-1-2/room-of-nobody", b'{"rssi":-70}'),
    (f"espresense/devices/{ADDRESS.hex('-')}/room-of-nobody", b'{"name":"Ottilies Telefon","rssi":-70'),
    (f"home/foyer/BTtoMQTT/{ADDRESS.hex().upper()}", b'{"id":"' + ADDRESS.hex(":").encode() + b'","rssi":"x"}'),
    (
        f"ruuvi/{GATEWAY}/{ADDRESS.hex(':').upper()}",
        b'{"gw_mac":"' + GATEWAY.encode() + b'","rssi":-26,"data":"' + UUID.hex().encode(),
    ),
    ("flowmon/v1/small/ble-hall/sighting", b'{"beacon":"iBeacon:' + UUID.hex().encode() + b'-1-2","rssi_dbm":"x"}'),
    ("flowmon/v1/small/ctr-gate/count", b'{"at":"now","visitor":"Ottilie Markus","password":"pwd-7h3s3am"}'),
    ("xovis/door/logics", b"\xff\xd8\xff\xe0" + UUID + ADDRESS),
]  # fmt: skip


def museum() -> Venue:
    """Every topic and a path of every dialect, with the receivers that the typical messages come from."""
    topics: dict[str, str] = {}
    for dialect, message in everything():
        if not message.topic.startswith(("flowmon/", "espresense/")):
            topics.setdefault(
                message.topic.replace("BTtoMQTT/582076", "BTtoMQTT/#")
                .replace("BTtoMQTT/549400", "BTtoMQTT/#")
                .replace(ADDRESS.hex(":").upper(), "+"),
                dialect,
            )
    ways = [Route(topic=topic, dialect=dialect, device="door-1") for topic, dialect in topics.items()]
    posts = [Route(path=f"push/{dialect}", dialect=dialect, device="ble-hall", auth="none") for dialect in DIALECTS]
    receivers = {
        "ble-hall": Receiver(zone="hall", at=(5.0, 5.0)),
        "foyer": Receiver(zone="hall", at=(5.0, 5.0)),
        "ruuvi": Receiver(zone="room", at=(5.0, 5.0), device=GATEWAY, dialect="ruuvi"),
    }
    return venue(id="small", receivers=receivers, routes=[*ways, *posts])


@pytest.fixture
def broker(services: Services, tmp_path: Path) -> Iterator[Mosquitto]:
    part = Mosquitto(tmp_path / "mosquitto")
    part.start()
    yield part
    part.stop()


async def test_nothing_of_a_person_comes_out(
    broker: Mosquitto, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    place, stop, engines = museum(), asyncio.Event(), list[LocalEngine]()
    port = free_port()
    found_settings = Settings(
        mqtt=broker.url, http=f"127.0.0.1:{port}", data=tmp_path / "data", feed_port=0, keep_sightings=True
    )
    serving = asyncio.create_task(serve([place], found_settings, Clock(), started=engines.append, stop=stop))
    try:
        await until(lambda: engines or serving.done())
        frames = asyncio.create_task(_listen(engines[0].feed.port))
        await until(lambda: "connected to" in caplog.text)
        counts = await _say(broker.port, port)
        await until(lambda: _rejects(tmp_path) >= 20 and (tmp_path / "data" / "sightings" / "small.jsonl").exists())
        await until(lambda: _appended(tmp_path))
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{engines[0].feed.port}") as client:
            pages = [(await client.get(page)).content for page in ("/api/state", "/metrics", "/healthz")]
    finally:
        stop.set()
        await asyncio.wait_for(serving, 30)
    told = await asyncio.wait_for(frames, 10)
    assert counts[400] > 30, "broken ones were refused"
    assert counts[200] > 20, "good ones were taken"
    outputs = {str(path): path.read_bytes() for path in (tmp_path / "data").rglob("*") if path.is_file()}
    log = "\n".join(f"{r.name} {r.getMessage()} {r.exc_text}" for r in caplog.records if r.name not in CLIENTS)
    outputs |= {"frames": b"\n".join(told), "log": log.encode(), "metrics": metrics.render()}
    outputs |= {f"page {number}": page for number, page in enumerate(pages)}
    assert len(told) > 3
    words = spellings()
    assert {name: hits for name, output in outputs.items() if (hits := found(output, words))} == {}
    assert {name for name in outputs if "rejects" in name or "sightings" in name or "history" in name}


def test_the_search_finds_what_is_there() -> None:
    words = spellings()
    for mark in (
        b"pWd-7H3s3am",
        ADDRESS.hex("-").upper().encode(),
        UUID,
        b"ottilie markus",
        b"tkn-5e4m31f".hex().encode(),
    ):
        assert found(b"..." + mark + b"...", words)
        for pad in (b"", b"x", b"xx"):
            assert found(b'"' + base64.b64encode(pad + b"..." + mark + b"...") + b'"', words)
    assert not found(b"nothing to see in 1777730461 and AC:23:3F:00:00:01", words)


async def _listen(port: int) -> list[bytes]:
    """All that a screen is told until the feed ends."""
    frames: list[bytes] = []
    protocols = [Subprotocol("flowmon.v1+json")]
    async with connect(f"ws://127.0.0.1:{port}/feed", subprotocols=protocols, compression=None, proxy=None) as socket:
        await socket.send('{"t":"hello","v":1,"token":""}')
        for number, channel in enumerate(("zones", "alerts", "devices", "log", "flows"), 1):
            await socket.send(json.dumps({"t": "sub", "id": number, "ch": channel}))
        frames.extend([frame if isinstance(frame, bytes) else frame.encode() async for frame in socket])
    return frames


async def _say(mqtt_port: int, http_port: int) -> dict[int, int]:
    """Everything, good and broken, by MQTT and HTTP, slower than rejects are thinned; answers by status."""
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="devices")
    client.connect("127.0.0.1", mqtt_port)
    client.loop_start()
    for topic, payload in STRAY:
        client.publish(topic, payload, qos=1)
    answers: dict[int, int] = {}
    headers = {"authorization": f"Bearer {BEARER}", "cookie": f"id={COOKIE}", "x-user": "Ottilie Markus"}
    url = f"http://127.0.0.1:{http_port}"
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=20) as http:
        for number, (dialect, message) in enumerate(everything()):
            versions = [message.payload, *broken(message.payload)]
            for payload in (versions[0], versions[1 + number % 5], versions[1 + (number + 2) % 5]):
                client.publish(message.topic, payload, qos=1)
                secret = f"token={QUERY}&" if number % 7 == 0 else ""  # which is refused
                path = f"/push/{dialect}?{secret}visit={QUERY}&user=Ottilie%20Markus&mac={ADDRESS.hex('-')}"
                kind = {"content-type": message.headers.get("content-type", "application/json")}
                answer = await http.post(path, content=payload, headers=kind)
                answers[answer.status_code // 100 * 100] = answers.get(answer.status_code // 100 * 100, 0) + 1
                await asyncio.sleep(0.02)  # 20 rejects a second are kept: most of these shall be
    info = client.publish(
        "flowmon/v1/small/ctr-gate/count", json.dumps({"at": Clock().now(), "seq": 99, "kind": "event"}), qos=1
    )
    await asyncio.to_thread(info.wait_for_publish, 10)
    client.disconnect()
    client.loop_stop()
    return answers


def _rejects(folder: Path) -> int:
    path = folder / "data" / "rejects" / "small.jsonl"
    return path.read_bytes().count(b"\n") if path.exists() else 0


def _appended(folder: Path) -> bool:
    """Whether the last count is in the journal: what was said before it is, too."""
    return any(b'"seq":99' in path.read_bytes() for path in (folder / "data" / "journal").rglob("*") if path.is_file())
