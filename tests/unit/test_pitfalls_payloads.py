"""The pitfall list of the device formats, first line: what payloads and topics may look like. One test an item."""

import base64
import json
import tracemalloc

import msgspec
import pytest

from flowmon.errors import Undecodable
from flowmon.facts import Count, Fact, Sighting, ZoneCount
from flowmon.findings import Rejected
from flowmon.venue.model import Route
from sensors.dialects import DIALECTS, bodies
from sensors.dialects.port import Message, Unwanted
from sensors.routes import Routes, matches
from tests.small import T0, venue
from tests.typical import TYPICAL
from tests.unit.pitfalls import passed, told, typical

XOVIS = typical("xovis")


def read(dialect: str, payload: bytes, topic: str = "t", device: str = "door-1", **more: object) -> list[Fact]:
    return DIALECTS[dialect].decode(Message(topic=topic, payload=payload, seen=T0, **more), device)  # type: ignore[arg-type]


@pytest.mark.parametrize("dialect", ["native", "xovis", "axis", "milesight", "irisys", "hikvision", "brickstream"])
def test_payload_utf8_bom(dialect: str) -> None:
    message = TYPICAL[dialect][0]
    plain = DIALECTS[dialect].decode(message, "door-1")
    assert plain
    marked = msgspec.structs.replace(message, payload=b"\xef\xbb\xbf" + message.payload)
    assert DIALECTS[dialect].decode(marked, "door-1") == plain


def test_payload_nmea_lines() -> None:
    with pytest.raises(Undecodable, match="not JSON"):
        read("milesight", b"$GPRMC,123519,A,4807.038,N,01131.000,E,022.4,084.4,230394,003.1,W*6A\r\n")


@pytest.mark.parametrize("dialect", sorted(DIALECTS))
def test_payload_empty(dialect: str) -> None:
    for message in TYPICAL[dialect]:
        with pytest.raises(Undecodable):
            DIALECTS[dialect].decode(msgspec.structs.replace(message, payload=b""), "door-1")


def test_payload_bare_integer() -> None:
    [fact] = read("frigate", b"3", "frigate/front_hall/person")
    assert isinstance(fact, ZoneCount)
    assert fact.people == 3
    for dialect in ("xovis", "milesight", "irisys", "lorawan-milesight", "minew"):
        with pytest.raises(Undecodable):
            read(dialect, b"3")


def test_payload_empty_array() -> None:
    [alive] = read("irisys", b"[]")
    assert type(alive).__name__ == "DeviceStatus"
    for dialect in ("xovis", "milesight", "lorawan-milesight"):
        with pytest.raises(Undecodable):
            read(dialect, b"[]")


def test_payload_array_of_envelopes() -> None:
    assert read("xovis", b"[" + XOVIS + b"," + XOVIS + b"]") == 2 * read("xovis", XOVIS)


def test_payload_concatenated_json() -> None:
    assert read("xovis", XOVIS + XOVIS + b"\n" + XOVIS) == 3 * read("xovis", XOVIS)


def test_payload_binary_on_a_json_topic() -> None:
    with pytest.raises(Unwanted, match="positions"):
        read("irisys", b"\x00" + 15 * b"\x00")
    with pytest.raises(Undecodable, match="not JSON"):
        read("xovis", bytes(range(128, 160)))


def test_payload_msgpack() -> None:
    [fact] = DIALECTS["april-brother"].decode(TYPICAL["april-brother"][0], "")
    assert isinstance(fact, Sighting)
    with pytest.raises(Undecodable):
        read("april-brother", b"\xdf\xff\xff\xff\xff\x01")


async def test_payload_retained_replays_move_no_live_number() -> None:
    body = b'{"at":%d,"kind":"event","seq":1,"forward":4}' % int(T0)
    facts, rejects = await told(venue(), Message("flowmon/v1/small/ctr-gate/count", body, T0, retained=True))
    [fact] = facts
    assert fact.historical
    assert passed(venue(), facts) == 0
    assert passed(venue(), [msgspec.structs.replace(fact, historical=False)]) == 4
    assert not rejects


def test_topic_dollar_levels() -> None:
    topic = "axis/B8A4/event/tns:axis/CameraApplicationPlatform/ObjectAnalytics/Device1Scenario1/$source/door/2"
    assert Routes([venue(routes=[Route(topic="axis/+/event/#", dialect="axis")])]).origin(topic).dialect == "axis"
    assert not matches("#", "$SYS/uptime")
    assert read("axis", TYPICAL["axis"][0].payload, topic)


@pytest.mark.parametrize("level", ["80:1F:12:00:00:01", "salle 711", "entrée-nord", "Tür"])
def test_topic_colon_space_umlaut(level: str) -> None:
    routes = Routes([venue(routes=[Route(topic="xovis/+/logics", dialect="xovis")])])
    assert routes.origin(f"xovis/{level}/logics").device == level
    nameless = json.loads(XOVIS)
    del nameless["logics_data"]["sensor_info"]
    [fact] = read("xovis", json.dumps(nameless).encode(), device=level)
    assert fact.source == level


async def test_payload_of_over_256_kb() -> None:
    body = json.loads(XOVIS)
    line = body["logics_data"]["logics"][0]
    body["logics_data"]["logics"] = [line | {"id": n} for n in range(1_500)]
    large = json.dumps(body).encode()
    assert len(large) > 256_000
    assert len(read("xovis", large)) == 1_500
    museum = venue(routes=[Route(topic="x/+", dialect="xovis")])
    facts, rejects = await told(museum, Message("x/door", b"[" + b" " * 1_000_000 + b"]", T0))
    assert not facts
    assert "larger than 1 MB" in rejects[0].reason


@pytest.mark.parametrize("dialect", sorted(DIALECTS))
def test_payload_deep_nesting(dialect: str) -> None:
    topic = TYPICAL[dialect][0].topic
    tracemalloc.start()
    for bomb in (b"[" * 100_000, b'{"a":' * 50_000, b"[" * 50_000 + b"]" * 50_000, b"<a>" * 50_000):
        with pytest.raises(Undecodable):
            read(dialect, bomb, topic)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 50_000_000


@pytest.mark.parametrize("value", [b"NaN", b"Infinity", b"-Infinity", b"1e999"])
def test_payload_nan_and_infinity(value: bytes) -> None:
    for payload in (
        XOVIS.replace(b'"value":3', b'"value":' + value),
        XOVIS + XOVIS.replace(b'"value":3', b'"value":' + value),
    ):
        assert value in payload
        with pytest.raises(Undecodable):
            read("xovis", payload)


def test_payload_duplicate_json_keys() -> None:
    """The last one counts, as in most readers, and never both."""
    [fact] = read(
        "native", b'{"at":1777730400,"seq":1,"kind":"event","forward":1,"forward":2}', "flowmon/v1/small/d/count"
    )
    assert isinstance(fact, Count)
    assert fact.forward == 2


def test_payload_numbers_as_strings() -> None:
    [register] = DIALECTS["axis"].decode(TYPICAL["axis"][0], "")
    assert isinstance(register, Count)
    assert register.forward == 40
    with pytest.raises(Undecodable, match="not a number"):
        read("xovis", XOVIS.replace(b'"value":3', b'"value":"3"'))


@pytest.mark.parametrize("number", [2**53 + 1, 2**64, 10**400])
def test_payload_integers_above_2_53(number: int) -> None:
    with pytest.raises(Undecodable):
        read("xovis", XOVIS.replace(b'"value":3', b'"value":%d' % number))
    with pytest.raises(Undecodable):
        read("native", b'{"at":1777730400,"seq":%d,"kind":"event","forward":1}' % number, "flowmon/v1/small/d/count")
    assert bodies.people(2**53, "n") == 2**53


@pytest.mark.parametrize("dialect", ["hikvision", "brickstream"])
def test_payload_xml_entity_bombs(dialect: str) -> None:
    nested = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))
    bomb = f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a0 "ha">{nested}]><Metrics>&a9;</Metrics>'.encode()
    stolen = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/hostname">]><Metrics>&f;</Metrics>'
    for payload in (bomb, stolen):
        with pytest.raises(Undecodable):
            read(dialect, payload)


async def test_payload_that_cannot_be_read_is_a_reject_with_its_bytes() -> None:
    museum = venue(routes=[Route(topic="x/+", dialect="xovis")])
    facts, rejects = await told(museum, Message("x/door", b"\xff\x00rubbish", T0))
    [reject] = rejects
    assert isinstance(reject, Rejected)
    assert (facts, base64.b64decode(reject.raw), reject.dialect, reject.device) == (
        [],
        b"\xff\x00rubbish",
        "xovis",
        "door",
    )
