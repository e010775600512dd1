"""What must not be stored of a rejected payload is not."""

import base64

import pytest

from flowmon.venue.model import Counter, Receiver
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


PHONE = b"5F:4A:3B:2C:1D:0E"


@pytest.mark.parametrize("field", ["gw_mac", "device_mac", "serial", "device_sn", "dev_eui", "mac"])
def test_a_gateways_message_keeps_no_address_but_those_of_the_venue_file(field: str) -> None:
    venue = small_venue(receivers={"ruuvi": Receiver(zone="hall", at=(0, 0), device="C8:25:2D:00:00:01")})
    rejects = Rejects([venue])
    payload = b'{"gateway":"C8252D000001","%s":"%s","rssi":-70,"id":"%s"}' % (field.encode(), PHONE, PHONE)
    message = Message(topic="ruuvi/C8:25:2D:00:00:01/5F:4A:3B:2C:1D:0E", payload=payload, seen=5.0)
    for origin in (Origin("small", "ruuvi", "C8:25:2D:00:00:01"), None):
        kept = rejects.keep("small", message, origin, "no: 5F:4A:3B:2C:1D:0E", simulated=False)
        assert kept is not None
        raw = base64.b64decode(kept.raw)
        assert b"C8252D000001" in raw
        assert PHONE not in raw
        assert (kept.topic, kept.reason) == ("ruuvi/C8:25:2D:00:00:01/***", "no: ***")


@pytest.mark.parametrize(
    "payload",
    [
        b'{"mac":"112233445566"}', b'{"mac":"5f4a.3b2c.1d0e"}',
        b"mac=5F%3A4A%3A3B%3A2C%3A1D%3A0E", b"5F 4A 3B 2C 1D 0E",
        b'{"raw":"0201061AFF4C0002155F4A3B2C1D0E5F4A3B2C1D0E000100C5"}', b'{"d":"X0o7LB0OX0o7LB0OX0o7LB0OX0o7"}',
        b"X0o7LB0OX0o7LB0OX0o7LB0OX0o7", b'{"local_name":"Annas Telefon"}', b'{"id":"name:Anna Muster"}',
        b"\x81\xa7devices\x91\xc4\x0a\x5f\x4a\x3b\x2c\x1d\x0e",
    ],
)  # fmt: skip
def test_what_was_heard_by_radio_goes_in_every_form(payload: bytes) -> None:
    clean = base64.b64decode(scrub.raw(payload, about_people=True)).lower()
    for mark in (b"5f4a", b"5f:4a", b"5f 4a", b"5f%3a", b"x0o7", b"1122", b"anna", b"muster", b"telefon", b"\x5f\x4a"):
        assert mark not in clean


@pytest.mark.parametrize(
    "payload",
    [
        b'{"face":{"id":"anna-1","more":[{"x":"anna-2"}]},"in":3}', b"{'gender':'anna','in':3}",
        b'{"personName":"anna","in":3}', b"<a><gender>anna</gender><faceName>anna</faceName><in>3</in></a>",
        b'{"in":3,"people_id":"anna', b"userName='anna m' in=3",
        b'{"in":3,"img":"/9j/4AAQSkZJRgABAQannaAASABIAADanna4AAQSkZJRgABA"}',
        b'in 3 \xff\xd8\xff\xe0 anna', b'{"age":{"anna":[1,{"b":"anna"}]},"in":3}',
    ],
)  # fmt: skip
def test_what_is_known_of_a_person_goes_and_the_count_stays(payload: bytes) -> None:
    clean = scrub.scrub(payload)
    assert b"anna" not in clean
    assert b"in" in clean
    assert b"3" in clean


def test_people_counted_by_what_they_are_stay_numbers_of_a_count() -> None:
    body = b'{"logics":[{"name":"Door","counts":[{"name":"fw","value":3}],"interface":"eth0","message":"ok"}]}'
    assert scrub.scrub(body) == body


def test_a_topic_of_a_known_room_stays_readable() -> None:
    assert scrub.scrub_text("espresense/rooms/foyer/status", about_people=True) == "espresense/rooms/foyer/status"
