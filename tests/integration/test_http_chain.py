"""Devices that push over HTTP through the whole chain: one process with screens, and `python -m sensors` to Kafka."""

import asyncio
import json
import signal
import ssl
import subprocess
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.services import Services, free_port
from flowmon.errors import FlowmonError
from flowmon.facts import Count
from flowmon.journal.files import read_folder
from flowmon.journal.kafka import KafkaJournal, create_topics
from flowmon.settings import Settings
from sensors import http_tls
from streams import topics
from tests.fakes import until as until_async
from tests.integration.oneprocess import VENUE, Flowmon, until

pytestmark = pytest.mark.integration

ROUTED = (
    (
        VENUE
        + """
[portals.side]
between = ["outside", "room"]
[counters.ctr-side]
portal = "side"
towards = "room"
device = "B8A44FA89C85"
credit = "window"
dialect = "axis"
[[routes]]
path = "hik"
dialect = "hikvision"
auth = "digest"
[[routes]]
path = "xovis/+"
dialect = "xovis"
auth = "basic"
[[routes]]
path = "axis"
dialect = "axis"
auth = "bearer"
"""
    )
    .replace(
        'towards = "hall"\n',
        'towards = "hall"\ndevice = "849A40ECF16D"\ncredit = "cumulative"\ndialect = "hikvision"\n',
    )
    .replace(
        '[counters.ctr-door]\nportal = "door"\ntowards = "room"\n',
        '[counters.ctr-door]\nportal = "door"\ntowards = "room"\ncredit = "window"\ndialect = "xovis"\n',
    )
)
SECRETS = """
[hik]
user = "camera"
password = "hik word"
["xovis/+"]
user = "xovis"
password = "xovis word"
[axis]
token = "axis-token"
"""
ALERT = """<?xml version="1.0" encoding="UTF-8"?>
<EventNotificationAlert version="1.0" xmlns="urn:psialliance-org">
<macAddress>84:9a:40:ec:f1:6d</macAddress><channelID>1</channelID><dateTime>{time}</dateTime>
<eventType>PeopleCounting</eventType><eventState>active</eventState>
<peopleCounting><statisticalMethods>realTime</statisticalMethods><RealTime><time>{time}</time></RealTime>
<enter>{enter}</enter><exit>0</exit></peopleCounting></EventNotificationAlert>"""


def now() -> float:
    return datetime.now(UTC).timestamp()


def hikvision(enter: int) -> bytes:
    return ALERT.format(time=datetime.now(UTC).isoformat(timespec="seconds"), enter=enter).encode()


def xovis(forward: int, start: float) -> bytes:
    counts = [{"id": 1, "name": "fw", "value": forward}, {"id": 2, "name": "bw", "value": 0}]
    span = {"from": int(start * 1000), "to": int(start * 1000) + 1000, "counts": counts}
    logic = {"id": 1, "name": "Door", "info": "XLT_LINE_IN_OUT_COUNT", "records": [span]}
    return json.dumps({"logics_data": {"package_info": {"version": "5.0"}, "logics": [logic]}}).encode()


def axis(entered: int, start: float) -> bytes:
    first, last = (datetime.fromtimestamp(t, UTC).isoformat().replace("+00:00", "Z") for t in (start, start + 1))
    items = [{"direction": "in", "count": entered, "adults": 0}, {"direction": "out", "count": 0, "adults": 0}]
    measured = {"kind": "people-counts", "utcFrom": first, "utcTo": last, "items": items}
    data = {"utcFrom": first, "utcTo": last, "measurements": [measured]}
    return json.dumps({"apiName": "Axis Retail Data", "data": data, "sensor": {"serial": "b8a44fa89c85"}}).encode()


def files(folder: Path) -> tuple[Path, Path]:
    """The venue file and the file of secrets."""
    venue, secrets = folder / "one.toml", folder / "secrets.toml"
    venue.write_text(ROUTED)
    secrets.write_text(SECRETS)
    secrets.chmod(0o600)
    return venue, secrets


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Flowmon]:
    """`flowmon run` with HTTP and no broker at all."""
    venue, secrets = files(tmp_path)
    made = Flowmon(
        tmp_path, "run", venue, "--mqtt", f"mqtt://127.0.0.1:{free_port()}", "--data", tmp_path / "data", "--port", "0",
        "--http", f"127.0.0.1:{free_port()}", FLOWMON_HTTP_SECRETS=str(secrets),
    )  # fmt: skip
    yield made
    made.close()


def client(engine: Flowmon) -> httpx.Client:
    """To where it says that devices post to."""
    place = engine.said.partition("devices post to ")[2].partition(": ")[0]
    return httpx.Client(base_url=place.strip(), timeout=20)


def test_three_makes_of_device_move_the_numbers_on_the_screen(engine: Flowmon) -> None:
    engine.started()
    bearer = {"Authorization": "Bearer axis-token"}
    with client(engine) as http:
        camera = httpx.DigestAuth("camera", "hik word")
        for enter in (70, 74, 79):  # the first reading of a register moves nobody
            answered = http.post("/hik", content=hikvision(enter), auth=camera, headers={"Content-Type": "text/xml"})
            assert (answered.status_code, answered.json()) == (200, {"status": "OK"})
        start = now() - 3.0
        assert http.post("/xovis/ctr-door", content=xovis(4, start), auth=("xovis", "xovis word")).status_code == 200
        for _ in range(2):  # sent again: a repeat counts nothing
            assert http.post("/axis", content=axis(3, start), headers=bearer).status_code == 200
        refused = http.post("/axis", content=b'{"email": "a@b.c"}', headers=bearer)
        assert (refused.status_code, "axis" in refused.json()["error"]) == (422, True)
        assert http.post("/axis", content=axis(3, start)).status_code == 401
    until("9 came in, 4 of them went on", lambda: engine.raw("hall") == 5.0)
    until("4 from the hall and 3 by the side", lambda: engine.raw("room") == 7.0)
    assert engine.metric('flowmon_http_requests_total{status="200"}') == 6
    assert engine.metric('flowmon_http_requests_total{status="422"}') == 1
    assert engine.metric('flowmon_http_requests_total{status="401"}') == 2  # one was the digest's first question
    said = engine.said
    assert engine.end() == 0
    assert not [word for word in ("hik word", "xovis word", "axis-token", "Traceback") if word in said + engine.said]


class Device(threading.Thread):
    """Posts a window a time, each until it is answered 200; remembers which were."""

    def __init__(self, url: str, name: str) -> None:
        super().__init__(daemon=True)
        self.confirmed: list[float] = []
        self.over = threading.Event()
        self._url, self._name, self._start = url, name, now() - 86_000

    def run(self) -> None:
        auth = ("xovis", "xovis word")
        with httpx.Client(base_url=self._url, timeout=20) as http:
            while not self.over.is_set():
                try:
                    body = xovis(1, self._start)
                    if http.post(f"/xovis/{self._name}", content=body, auth=auth).status_code == 200:
                        self.confirmed.append(int(self._start * 1000) / 1000)
                        self._start += 1.0
                except httpx.TransportError:
                    self.over.wait(0.02)


def test_killed_while_devices_post(engine: Flowmon, tmp_path: Path) -> None:
    engine.started()
    with client(engine) as http:
        url = str(http.base_url)
    devices = [Device(url, f"door-{n}") for n in range(4)]
    for device in devices:
        device.start()
    for life in range(4):
        wanted = (life + 1) * 60
        until("devices are answered", lambda wanted=wanted: all(len(d.confirmed) >= wanted for d in devices), 60)  # type: ignore[misc]
        engine.end(signal.SIGKILL)
        engine.started()
    until("they post again", lambda: all(len(device.confirmed) >= 300 for device in devices), 60)
    for device in devices:
        device.over.set()
    for device in devices:
        device.join(20)
    assert engine.end() == 0
    journaled = {
        (fact.source, fact.start)
        for entry in read_folder(tmp_path / "data" / "journal", "one")
        for fact in entry.record
        if isinstance(fact, Count)
    }
    confirmed = {(f"door-{n}", start) for n, device in enumerate(devices) for start in device.confirmed}
    assert len(confirmed) >= 1_200
    assert confirmed <= journaled
    assert len(journaled) - len(confirmed) <= 4  # one a device may be on the disk, its answer lost with the process


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that signs itself, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    try:
        subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("needs openssl to make a certificate")
    return certificate, key


def test_https(engine: Flowmon, certificate: tuple[Path, Path]) -> None:
    engine._environment |= {"FLOWMON_HTTP_CERTIFICATE": str(certificate[0]), "FLOWMON_HTTP_KEY": str(certificate[1])}
    engine.started()
    place = engine.said.partition("devices post to ")[2].partition(": ")[0]
    assert place.startswith("https://")
    trusted = ssl.create_default_context(cafile=str(certificate[0]))
    with httpx.Client(base_url=place, verify=trusted) as http:
        answered = http.post("/xovis/ctr-door", content=xovis(2, now() - 2), auth=("xovis", "xovis word"))
        assert answered.status_code == 200
    with httpx.Client(base_url=place.replace("https", "http")) as http, pytest.raises(httpx.TransportError):
        http.get("/axis")
    assert engine.end() == 0


def test_what_is_wrong_with_a_certificate(tmp_path: Path, certificate: tuple[Path, Path]) -> None:
    with pytest.raises(FlowmonError, match=r"cannot be read.*correct FLOWMON_HTTP_CERTIFICATE"):
        http_tls.context(str(tmp_path / "none.pem"), "")
    with pytest.raises(FlowmonError, match="cannot be used"):
        http_tls.context(str(certificate[0]), "")
    (tmp_path / "rubbish.pem").write_text("rubbish")
    with pytest.raises(FlowmonError, match="cannot be used"):
        http_tls.context(str(tmp_path / "rubbish.pem"), str(certificate[1]))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"FLOWMON_HTTP_SECRETS": ""}, 'add ["hik"] with user and password to the file FLOWMON_HTTP_SECRETS names'),
        ({"FLOWMON_HTTP": "8082"}, "write host:port, like"),
    ],
)
def test_what_must_be_mended_first(tmp_path: Path, change: dict[str, str], words: str) -> None:
    venue, secrets = files(tmp_path)
    told = {"FLOWMON_HTTP": "127.0.0.1:0", "FLOWMON_HTTP_SECRETS": str(secrets)} | change
    process = Flowmon(tmp_path, "run", venue, "--data", tmp_path / "data", "--port", "0", **told).start()
    assert process.ended() == 1
    assert words in process.said
    assert "Traceback" not in process.said


async def test_from_http_to_kafka(tmp_path: Path, services: Services) -> None:
    kafka = services.kafka_address
    await create_topics(kafka, topics.table(Settings()))
    venue, secrets = files(tmp_path)
    venue.write_text(ROUTED.replace('id = "one"', 'id = "http-town"'))
    process = Flowmon(
        tmp_path, module="sensors", FLOWMON_VENUES=str(venue), FLOWMON_KAFKA=kafka, FLOWMON_HTTP="127.0.0.1:0",
        FLOWMON_HTTP_SECRETS=str(secrets), FLOWMON_MQTT=f"mqtt://127.0.0.1:{free_port()}",
    )  # fmt: skip
    process.start()
    try:
        await until_async(lambda: "devices post to" in process.said, within_s=30)
        place = process.said.partition("devices post to ")[2].partition(": ")[0]
        async with httpx.AsyncClient(base_url=place, timeout=30) as http:
            auth = ("xovis", "xovis word")
            posts = [http.post("/xovis/ctr-door", content=xovis(1, 1.7e9 + n), auth=auth) for n in range(100)]
            assert {answered.status_code for answered in await asyncio.gather(*posts)} == {200}
        journal = KafkaJournal(kafka, patience_s=30)
        facts: list[Any] = [fact async for entry in journal.read("http-town") for fact in entry.record]
        await journal.close()
        assert sorted(fact.start for fact in facts if isinstance(fact, Count)) == [1.7e9 + n for n in range(100)]
        assert process.end() == 0
        assert "stopped: 100 messages, 100 acknowledged" in process.said
    finally:
        process.close()
