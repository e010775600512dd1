"""What must not be stored of a rejected payload is not."""

import base64

import pytest

from flowmon.venue.model import Counter
from sensors import scrub
from sensors.dialects.port import Message
from sensors.rejects import Rejects
from sensors.routes import Origin
from tests.small import venue as small_venue


@pytest.mark.parametrize(
    ("payload", "clean"),
    [
        (b'{"password":"geheim","in":3}', b'{"password":"***","in":3}'),
        (b'{"api_key": "a\\"b", "x": 1}', b'{"api_key": "***", "x": 1}'),
        (b'{"mqtt-password":12345}', b'{"mqtt-password":"***"}'),
        (b'{"username":"anna', b'{"username":"***"'),
        (b"user=anna&passwd=geheim&in=3", b"user=***&passwd=***&in=3"),
        (b"Authorization: Bearer abc.def", b"Authorization: Bearer ***"),
        (b"see mqtt://anna:geheim@10.0.0.7/", b"see mqtt://***@10.0.0.7/"),
        (b'"58:78:20:76:BC:24"', b'"***"'),
        (b'"58-78-20-76-bc-24"', b'"***"'),
        (b"espresense/devices/dd8812345678/foyer", b"espresense/devices/***/foyer"),
        (b"iBeacon:426c7565-4368-6172-6d42-6561636f6e73-3838-4949", b"iBeacon:***"),
        (b'"ibeaconUuid":"E2C56DB5DFFB48D2B060D0F5A71096E0"', b'"ibeaconUuid":"***"'),
        (b'{"sub_label":"Anna Muster","score":0.9}', b'{"sub_label":"***","score":0.9}'),
        (b"name:anna-phone/room", b"name:***/room"),
    ],
)
def test_secrets_names_and_addresses_go(payload: bytes, clean: bytes) -> None:
    assert scrub.scrub(payload) == clean


@pytest.mark.parametrize(
    "payload", [b'{"at":1777730400000,"forward":"1"}', b"123456789012", b"\xff\x00\x13", b"80 people", b""]
)
def test_measurements_stay(payload: bytes) -> None:
    assert scrub.scrub(payload) == payload


def test_what_is_kept_is_bounded_and_holds_no_half_address() -> None:
    raw = base64.b64decode(scrub.raw(b"58:78:20:76:BC:24," * 100_000))
    assert len(raw) <= scrub.RAW_MAX
    assert b"58:78" not in raw


def test_hostile_text_takes_no_time() -> None:
    for payload in (b'"' * 8_192, b'{"password":' * 700, b"a:" * 4_096, b'"password":"' + b"\\" * 8_000, b"a" * 8_192):
        scrub.raw(payload)


def test_a_reject_names_its_device_and_what_http_said() -> None:
    venue = small_venue(counters={"door": Counter(portal="door", towards="room", device="80:1F:12:00:00:01")})
    rejects = Rejects([venue])
    message = Message(
        topic="xovis/80:1F:12:00:00:01/AA:BB:CC:00:11:22/http://anna:pw@host",
        payload=b"x",
        seen=5.0,
        headers={"content-type": "text/xml", "x-key": "bearer abc"},
    )
    kept = rejects.keep("small", message, Origin("small", "xovis", "80:1F:12:00:00:01"), "no", simulated=False)
    assert kept is not None
    assert kept.topic == "xovis/80:1F:12:00:00:01/***/http://***@host"
    assert kept.device == "80:1F:12:00:00:01"
    assert kept.headers == {"content-type": "text/xml", "x-key": "bearer ***"}
    other = rejects.keep("small", message, Origin("small", "theengs", "AA:BB:CC:00:11:22"), "no", simulated=False)
    assert other is not None
    assert other.device == "***"


def test_a_device_keeps_its_own_serial_and_telephones_do_not() -> None:
    data = b'{"serial_number":"80:1F:12:00:00:01","seen":[{"mac":"AA:BB:CC:00:11:22"},{"id":"aabbcc001122"}]}'
    clean = b'{"serial_number":"80:1F:12:00:00:01","seen":[{"mac":"***"},{"id":"***"}]}'
    assert scrub.scrub(data) == clean
    assert scrub.scrub(b"<macAddress>84:9a:40:00:00:01</macAddress>") == b"<macAddress>84:9a:40:00:00:01</macAddress>"
    assert scrub.scrub(b'{"serial":"geheim","password":"80:1F:12:00:00:01"}') == b'{"serial":"geheim","password":"***"}'
