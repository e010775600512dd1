"""What must not be stored of a rejected payload is not."""

import base64

import pytest

from sensors import scrub


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
