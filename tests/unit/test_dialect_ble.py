"""Bluetooth gateways: a beacon is heard in each vendor's words, a telephone in none."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowmon.errors import Undecodable
from flowmon.facts import DeviceStatus, Fact, Sighting
from sensors.dialects import minew, moko, openmqttgateway, ruuvi, tasmota
from sensors.dialects.port import Dialect, Message, Unwanted

SAMPLES = Path(__file__).parents[3] / "shared" / "data" / "payloads"
SEEN = 1_777_730_461.0
UUID = "e2c56db5dffb48d2b060d0f5a71096e0"
NAME = "iBeacon:e2c56db5-dffb-48d2-b060-d0f5a71096e0-1-263"
FRAME = "4c000215" + UUID + "00010107c5"
ADVERT = "0201061aff" + FRAME
TELEPHONE = "02010607ff4c0010050102"
DIALECTS: list[Dialect] = [openmqttgateway, ruuvi, minew, moko, tasmota]

OMG = "home/foyer/BTtoMQTT/582076"
RUUVI = "ruuvi/C8:25:2D:8E:9C:2C/D3:D1:9D:F9:A7:CA"
TASMOTA = "tele/foyer/SENSOR"


def decode(dialect: Dialect, topic: str, body: object, device: str = "") -> list[Fact]:
    payload = body if isinstance(body, bytes) else json.dumps(body).encode()
    return dialect.decode(Message(topic=topic, payload=payload, seen=SEEN), device)


def heard(receiver: str, *, at: float = SEEN, rssi: float = -70.0, beacon: str = NAME) -> Sighting:
    return Sighting(at=at, source=receiver, seen=SEEN, beacon=beacon, receiver=receiver, rssi_dbm=rssi)


def sample(name: str) -> bytes:
    path = SAMPLES / name
    if not path.exists():
        pytest.skip("third-party payloads are not beside this checkout")
    return path.read_bytes()


# OpenMQTTGateway and Theengs


@pytest.mark.parametrize(
    "body",
    [
        {"id": "58:78:20:76:BC:24", "mac_type": 1, "rssi": -70, "uuid": UUID, "major": 1, "minor": 263, "volt": 2.6},
        {"id": UUID, "rssi": "-70", "uuid": UUID.upper(), "major": "1", "minor": "263"},
        {"id": "54:94:5E:9F:64:C4", "mac_type": 1, "manufacturerdata": FRAME, "rssi": -70},
    ],
)
def test_openmqttgateway_hears_an_ibeacon(body: object) -> None:
    assert decode(openmqttgateway, OMG, body) == [heard("foyer")]
    assert decode(openmqttgateway, OMG, body, "582076") == [heard("foyer")]  # a route's last + is the beacon, not us
    assert decode(openmqttgateway, OMG, body, "door") == [heard("door")]


def test_openmqttgateway_hears_eddystone_uid() -> None:
    data = "00e7" + "00010203040506070809" + "aabbccddeeff" + "0000"
    body = {"id": "AA", "rssi": -70, "servicedatauuid": "0xfeaa", "servicedata": data}
    assert decode(openmqttgateway, OMG, body) == [heard("foyer", beacon="eddy:0001020304040506070809-aabbccddeeff")]


@pytest.mark.parametrize(
    "body",
    [
        {"id": "58:78:20:76:BC:24", "mac_type": 1, "rssi": -70, "name": "anna"},
        {"id": "AC:23:3F:00:00:01", "mac_type": 0, "rssi": -70, "brand": "Xiaomi"},
        {"id": "54:94:5E:9F:64:C4", "manufacturerdata": "4c00100503", "rssi": -74},
    ],
)
def test_openmqttgateway_keeps_no_address(body: object) -> None:
    with pytest.raises(Unwanted):
        decode(openmqttgateway, OMG, body)


def test_openmqttgateway_says_how_it_is() -> None:
    assert decode(openmqttgateway, "home/foyer/LWT", b"offline") == [
        DeviceStatus(at=SEEN, seen=SEEN, source="foyer", health="offline")
    ]
    assert decode(openmqttgateway, "home/foyer/SYStoMQTT", {"version": "1.8.1"}) == [
        DeviceStatus(at=SEEN, seen=SEEN, source="foyer", health="online", firmware="1.8.1")
    ]


# Ruuvi Gateway


@pytest.mark.parametrize("ts", [1653668027, "1653668027"])
def test_ruuvi_hears_a_beacon_when_the_gateway_did(ts: object) -> None:
    body = {"gw_mac": "C8:25:2D:8E:9C:2C", "rssi": -70, "aoa": [], "gwts": ts, "ts": ts, "data": ADVERT, "coords": ""}
    assert decode(ruuvi, RUUVI, body) == [heard("C8:25:2D:8E:9C:2C", at=1653668027.0)]
    assert decode(ruuvi, RUUVI, body, "foyer") == [heard("foyer", at=1653668027.0)]


def test_ruuvi_without_network_time() -> None:
    body = {"gw_mac": "C8:25:2D:8E:9C:2C", "rssi": -70, "aoa": [], "cnt": 12, "data": ADVERT}
    assert decode(ruuvi, RUUVI, body) == [heard("C8:25:2D:8E:9C:2C")]


def test_ruuvi_sensors_are_no_beacons() -> None:
    with pytest.raises(Unwanted):
        decode(ruuvi, RUUVI, sample("ruuvi/firmware_mqtt_raw_and_decoded.json"))


def test_ruuvi_status() -> None:
    [fact] = decode(ruuvi, "ruuvi/C8:25/gw_status", {"state": "offline"})
    assert fact == DeviceStatus(at=SEEN, seen=SEEN, source="C8:25", health="offline")


# Minew

GATEWAY = {"timestamp": "2026-02-09T00:13:53.668Z", "type": "Gateway", "mac": "AC233FC03641", "gatewayFree": 89}
AT = 1_770_596_033.668
IBEACON = {
    "timestamp": "2026-02-09T00:13:53.668Z",
    "type": "iBeacon",
    "mac": "C3000025EF6A",
    "ibeaconUuid": UUID.upper(),
    "ibeaconMajor": 1,
    "ibeaconMinor": 263,
    "rssi": -70,
}


def test_minew_hears_beacons_and_leaves_telephones_out() -> None:
    raw = {"timestamp": GATEWAY["timestamp"], "type": "Unknown", "mac": "AC", "rssi": -70, "rawData": ADVERT}
    facts = decode(minew, "minew/status", [GATEWAY, IBEACON, raw, raw | {"rawData": TELEPHONE}])
    status = DeviceStatus(at=AT, seen=SEEN, source="AC233FC03641", health="online")
    assert facts == [status, heard("AC233FC03641", at=AT), heard("AC233FC03641", at=AT)]


def test_minew_among_telephones_is_still_online() -> None:
    facts = decode(minew, "minew/status", [GATEWAY, {"type": "Unknown", "rssi": -70, "rawData": TELEPHONE}], "foyer")
    assert facts == [DeviceStatus(at=AT, seen=SEEN, source="foyer", health="online")]


@pytest.mark.parametrize("payload", [b"\xbb\x00\x00\x01", b'{"v":1,"mid":5,"devices":[]}', b"[]", b"[3]", b""])
def test_minew_in_other_forms_is_refused(payload: bytes) -> None:
    with pytest.raises(Undecodable):
        decode(minew, "minew/status", payload)


# MOKO


def test_moko_hears_a_beacon_at_its_odd_time() -> None:
    value = {"timestamp": "2021-01-01&17:10:16+08", "mac": "ABDF01FC9E98", "rssi": -70, "raw": ADVERT}
    body = {"msg_id": 3004, "device_info": {"mac": "112233445566"}, "data": [{"type": 8, "value": value}]}
    at = 1_609_492_216.0  # 2021-01-01T09:10:16Z
    assert decode(moko, "moko", body) == [heard("112233445566", at=at)]
    later = {"timestamp": 1_609_492_216_000, "rssi": -70, "adv_data": TELEPHONE, "rsp_data": ADVERT}
    assert decode(moko, "moko", body | {"msg_id": 3070, "data": [later]}, "foyer") == [heard("foyer", at=at)]


def test_moko_telemetry_names_no_beacon() -> None:
    with pytest.raises(Unwanted):  # an Eddystone-TLM that the sample cuts short
        decode(moko, "moko", sample("moko/scan_3004.json"))


# Tasmota


def test_tasmota_hears_a_beacon_in_hex() -> None:
    found = {"UID": UUID, "MAJOR": "0001", "MINOR": "0107", "MAC": "A4C1387FC1E1", "RSSI": -70, "STATE": "ON"}
    body = {"Time": "2021-01-02T12:08:40", "IBEACON": found}
    assert decode(tasmota, TASMOTA, body) == [heard("foyer")]
    assert decode(tasmota, TASMOTA, {"IBEACON": found | {"STATE": "OFF"}}) == []
    assert decode(tasmota, "tele/foyer/LWT", b"Online") == [
        DeviceStatus(at=SEEN, seen=SEEN, source="foyer", health="online")
    ]


@pytest.mark.parametrize("uid", [{}, {"UID": "0" * 32, "MAJOR": "0000", "MINOR": "0000"}])
def test_tasmota_keeps_no_address(uid: dict[str, str]) -> None:
    body = {"IBEACON": {"MAC": "A4C1387FC1E1", "RSSI": -56, "STATE": "ON"} | uid}
    with pytest.raises(Unwanted):
        decode(tasmota, TASMOTA, body)


# all of them

WORDS = """uuid major minor rssi manufacturerdata servicedata servicedatauuid ts data state type Gateway mac timestamp
    rawData ibeaconUuid ibeaconMajor ibeaconMinor msg_id device_info value raw adv_data IBEACON UID MAJOR MINOR RSSI
    STATE version simulated"""
KEYS = st.sampled_from(WORDS.split())
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=40)
    | st.sampled_from([UUID, ADVERT, FRAME, "Gateway", "0001", "-70", -70, 3004, 3070, "2021-01-01&17:10:16+08"])
)
BODIES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=8), max_leaves=20
)
PAYLOADS = st.binary() | BODIES.map(lambda body: json.dumps(body).encode())
TOPICS = st.sampled_from([OMG, RUUVI, TASMOTA, "home/a/LWT", "home/a/SYStoMQTT", "ruuvi/a/gw_status", ""]) | st.text()


@pytest.mark.parametrize("dialect", DIALECTS)
@given(
    payload=st.binary() | BODIES.map(lambda body: json.dumps(body).encode()), topic=TOPICS, device=st.text(max_size=9)
)
def test_anything_is_read_or_refused(dialect: Dialect, payload: bytes, topic: str, device: str) -> None:
    try:
        facts = dialect.decode(Message(topic=topic, payload=payload, seen=SEEN), device)
    except Undecodable:
        return
    assert all(isinstance(fact, Sighting | DeviceStatus) for fact in facts)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_none_is_spoken_yet(dialect: Dialect) -> None:
    with pytest.raises(ValueError, match="only read so far"):
        dialect.encode([heard("foyer")], venue="small", device="foyer")
