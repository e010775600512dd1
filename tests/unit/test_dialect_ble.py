"""Bluetooth gateways that send JSON: a beacon is heard in each vendor's words, a telephone in none."""

import json
from pathlib import Path

import pytest

from flowmon.errors import Undecodable
from flowmon.facts import DeviceStatus, Fact, Sighting
from sensors.dialects import cassia, minew, moko, openmqttgateway, ruuvi, tasmota
from sensors.dialects.port import Dialect, Message, Unwanted

SAMPLES = Path(__file__).parents[3] / "shared" / "data" / "payloads"
SEEN = 1_777_730_461.0
UUID = "e2c56db5dffb48d2b060d0f5a71096e0"
NAME = "iBeacon:e2c56db5-dffb-48d2-b060-d0f5a71096e0-1-263"
FRAME = "4c000215" + UUID + "00010107c5"
ADVERT = "0201061aff" + FRAME
TELEPHONE = "02010607ff4c0010050102"

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
        {"id": "5F", "uuid": UUID, "major": 1, "minor": 2, "manufacturerdata": "4c001005" + "00" * 21, "rssi": -74},
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


def test_openmqttgateway_undecoded_and_presence_topics() -> None:
    body = {"id": "54:94:5E:9F:64:C4", "mac_type": 1, "manufacturerdata": FRAME, "rssi": -70}
    assert decode(openmqttgateway, "home/foyer/BTtoMQTT/undecoded", body) == [heard("foyer")]
    presence = {"id": UUID, "mac": "60:87:57:4C:9B:C2", "uuid": UUID, "major": 1, "minor": 263, "rssi": -70}
    assert decode(openmqttgateway, "home/presence/foyer", presence) == [heard("foyer")]
    assert decode(openmqttgateway, "home/home_presence/foyer", presence) == [heard("foyer")]


def test_openmqttgateway_settings_say_nothing() -> None:
    assert decode(openmqttgateway, "home/foyer/BTtoMQTT", {"bleconnect": True, "interval": 55000}) == []


# Ruuvi Gateway


@pytest.mark.parametrize("ts", [1653668027, "1653668027", 1653668027000, "1653668027000"])
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


def test_ruuvi_decoded_values_hold_no_advert() -> None:
    body = {"gw_mac": "C8:25", "rssi": -70, "gwts": 1612358920, "ts": 1612358929, "dataFormat": 5, "temperature": 29.4}
    with pytest.raises(Unwanted, match="raw"):
        decode(ruuvi, RUUVI, body)


def test_ruuvi_may_have_heard_it_after_it_told() -> None:
    body = {"gw_mac": "C8:25", "rssi": -70, "gwts": 1612358920, "ts": 1612358929, "data": ADVERT}
    assert decode(ruuvi, "", body) == [heard("C8:25", at=1612358929.0)]


def test_ruuvi_gathers_adverts_for_http() -> None:
    tags = {
        "D3:D1": {"rssi": -70, "timestamp": "1653668027", "data": ADVERT},
        "5F:00": {"rssi": -50, "timestamp": "1653668027", "data": TELEPHONE},
    }
    body = {"data": {"coordinates": "", "timestamp": "1653668028", "nonce": "7", "gw_mac": "C8:25", "tags": tags}}
    online = DeviceStatus(at=SEEN, seen=SEEN, source="C8:25", health="online")
    assert decode(ruuvi, "ruuvi", body) == [online, heard("C8:25", at=1653668027.0)]
    body["data"]["tags"] = {}
    assert decode(ruuvi, "ruuvi", body) == [online]


def test_ruuvi_without_its_gateway_is_another_familys() -> None:
    with pytest.raises(Undecodable) as refusal:
        decode(ruuvi, RUUVI, {"rssi": -70, "data": ADVERT})
    assert not isinstance(refusal.value, Unwanted)


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


@pytest.mark.parametrize("head", ["gateway", "locator"])
def test_minew_raw_form(head: str) -> None:
    advert = {"timestamp": GATEWAY["timestamp"], "mac": "c3000025ef6a", "rssi": -70, "no": 37}
    body = [{head: "ac233fc03641"}, advert | {"rawData": ADVERT}, advert]
    online = DeviceStatus(at=SEEN, seen=SEEN, source="ac233fc03641", health="online")
    assert decode(minew, "minew/status", body) == [online, heard("ac233fc03641", at=AT)]


def test_minew_before_it_named_itself() -> None:
    assert decode(minew, "minew/status", [IBEACON], "foyer") == [heard("foyer", at=AT)]
    with pytest.raises(Undecodable, match="route"):
        decode(minew, "minew/status", [IBEACON])


@pytest.mark.parametrize("payload", [b"\xbb\x00\x00\x01", b'{"v":1,"mid":5,"devices":[]}', b"[]", b"[3]", b"[{}]", b""])
@pytest.mark.parametrize("device", ["", "foyer"])
def test_minew_refuses_what_is_not_its_own(payload: bytes, device: str) -> None:
    with pytest.raises(Undecodable) as refusal:
        decode(minew, "minew/status", payload, device)
    assert not isinstance(refusal.value, Unwanted)


# MOKO


def test_moko_hears_a_beacon_at_its_odd_time() -> None:
    value = {"timestamp": "2021-01-01&17:10:16+08", "mac": "ABDF01FC9E98", "rssi": -70, "raw": ADVERT}
    body = {"msg_id": 3004, "device_info": {"mac": "112233445566"}, "data": [{"type": 8, "value": value}]}
    at = 1_609_492_216.0  # 2021-01-01T09:10:16Z
    assert decode(moko, "moko", body) == [heard("112233445566", at=at)]
    later = {"timestamp": 1_609_492_216_000, "rssi": -70, "adv_data": TELEPHONE, "rsp_data": ADVERT}
    assert decode(moko, "moko", body | {"msg_id": 3070, "data": [later]}, "foyer") == [heard("foyer", at=at)]


def test_moko_telemetry_names_no_beacon() -> None:
    with pytest.raises(Unwanted, match="Eddystone-TLM"):  # which the sample cuts short
        decode(moko, "moko", sample("moko/scan_3004.json"))


@pytest.mark.parametrize(
    "value", [{"raw data": ADVERT}, {"raw": TELEPHONE, "rsp_data": ADVERT}, {"adv_data": ADVERT, "rsp_data": None}]
)
def test_moko_spells_the_advert_in_several_ways(value: dict[str, object]) -> None:
    item = {"type": 8, "value": {"timestamp": "2021-01-01&17:10:16+0800", "rssi": -70} | value}
    body = {"msg_id": 3004, "device_info": {"mac": "112233445566"}, "data": [item]}
    assert decode(moko, "moko", body) == [heard("112233445566", at=1_609_492_216.0)]


@pytest.mark.parametrize("state", ["online", "offline"])
def test_moko_network_status(state: str) -> None:
    body = {"msg_id": 3003, "device_info": {"mac": "112233445566"}, "data": {"net_state": state}}
    [fact] = decode(moko, "moko", body)
    assert isinstance(fact, DeviceStatus)
    assert (fact.source, fact.health) == ("112233445566", state)


def test_moko_answers_say_nothing() -> None:
    assert decode(moko, "moko", {"msg_id": 2002, "device_info": {"mac": "112233445566"}, "data": {}}) == []
    with pytest.raises(Undecodable):
        decode(moko, "moko", {"msg_id": "2002", "device_info": {"mac": "112233445566"}})


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


def test_tasmota_on_an_hm10_writes_rssi_0_for_silence() -> None:
    found = {"UID": UUID, "MAJOR": "0001", "MINOR": "0107", "MAC": "A4C1387FC1E1", "RSSI": -70}
    assert decode(tasmota, TASMOTA, {"Time": "2021-01-02T12:08:40", "IBEACON": found}) == [heard("foyer")]
    assert decode(tasmota, TASMOTA, {"Time": "2021-01-02T12:08:40", "IBEACON": found | {"RSSI": 0}}) == []


def test_tasmotas_other_sensors_are_not_kept() -> None:
    with pytest.raises(Unwanted, match="another sensor"):
        decode(tasmota, TASMOTA, {"Time": "2021-01-02T12:08:40", "AM2301": {"Temperature": 21.0}})


# Cassia

SCAN = {"bdaddrs": [{"bdaddr": "FE:E1:50:BA:DA:55", "bdaddrType": "random"}], "rssi": -70, "evtType": 0, "chipId": 0}


@pytest.mark.parametrize(
    "body",
    [
        SCAN | {"adData": ADVERT},
        SCAN | {"adData": TELEPHONE, "scanData": ADVERT, "name": "anna"},
        [SCAN | {"adData": ADVERT}],
        {"action": "data.scan", "gateway": "CC:1B", "data": [SCAN | {"adData": ADVERT}, SCAN | {"adData": TELEPHONE}]},
    ],
)
def test_cassia_hears_a_beacon(body: object) -> None:
    assert decode(cassia, "cassia/foyer", body, "foyer") == [heard("foyer")]
    with pytest.raises(Undecodable, match="route"):
        decode(cassia, "cassia/foyer", body)


def test_cassia_streams_events() -> None:
    event = json.dumps(SCAN | {"adData": ADVERT}).encode()
    telephone = json.dumps({key: SCAN[key] for key in ("bdaddrs", "rssi")} | {"chip": 0, "adData": TELEPHONE}).encode()
    stream = b":keep-alive\n\ndata: " + event + b"\r\n\r\ndata:" + telephone + b"\n\ndata: " + event + b"\n"
    assert decode(cassia, "cassia", stream, "foyer") == [heard("foyer"), heard("foyer")]
    assert decode(cassia, "cassia", event + b"\n" + event, "foyer") == [heard("foyer"), heard("foyer")]
    assert decode(cassia, "cassia", b":keep-alive\n\n", "foyer") == []


def test_cassia_says_nothing_of_connections() -> None:
    assert decode(cassia, "up/CC:1B", {"action": "data.connection_state", "data": {}}, "foyer") == []


@pytest.mark.parametrize("payload", [b"", b"[]", b"{}", b"data: [3]", b"data: x", b":x\nhello", b'{"action":"x"}'])
def test_cassia_refuses_what_is_not_its_own(payload: bytes) -> None:
    with pytest.raises(Undecodable) as refusal:
        decode(cassia, "cassia", payload, "foyer")
    assert not isinstance(refusal.value, Unwanted)
