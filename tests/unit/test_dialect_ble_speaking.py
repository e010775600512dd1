"""Bluetooth gateways both ways: what one tells is read back, by nobody else, and any bytes are read or refused."""

import json
import math
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowmon.errors import Undecodable
from flowmon.facts import Count, DeviceStatus, Fact, Sighting
from sensors.dialects import DIALECTS, hearing
from sensors.dialects.port import Message, Outgoing, Unwanted

SAMPLES = Path(__file__).parents[3] / "shared" / "data" / "payloads"
SEEN = 1_777_730_461.0
DEVICE = "foyer"
BLE = ("espresense", "openmqttgateway", "ruuvi", "minew", "moko", "tasmota", "cassia", "april-brother")
IBEACON = "iBeacon:e2c56db5-dffb-48d2-b060-d0f5a71096e0-1-263"

#: What becomes of a time in a format that tells it; the others have the time of arrival.
Clock = Callable[[float], float]
CLOCKS: dict[str, Clock] = {"ruuvi": math.floor, "minew": lambda at: at, "moko": lambda at: at}
#: What a format tells of a device's state.
HEALTH: dict[str, tuple[str, ...]] = {"minew": ("online",), "april-brother": ("online",), "cassia": ()}
FIRMWARE = ("espresense", "openmqttgateway", "april-brother")

_UUIDS = st.uuids().map(str)
_U16 = st.integers(0, 0xFFFF)
IBEACONS = st.builds("iBeacon:{}-{}-{}".format, _UUIDS, _U16, _U16)
_EDDY = st.binary(min_size=16, max_size=16).map(lambda b: f"eddy:{b[:5].hex()}{b[4:10].hex()}-{b[10:].hex()}")
NAMES = IBEACONS | st.builds("altBeacon:{}-{}-{}".format, _UUIDS, _U16, _U16) | _EDDY
TOKENS = st.binary(min_size=10, max_size=10).map(lambda digits: f"tok-{digits.hex()}")
#: From 1973 on, when milliseconds cannot be taken for seconds.
TIMES = st.integers(100_000_000_000, 4_000_000_000_000).map(lambda ms: ms / 1000)


@st.composite
def told(draw: st.DrawFn, dialect: str) -> Fact:
    """A fact that such a gateway can tell."""
    at = draw(TIMES)
    health = HEALTH.get(dialect, ("online", "offline"))
    if bool(health) and draw(st.booleans()):
        said: str = draw(st.sampled_from(list(health)))
        firmware = draw(st.sampled_from(["", "4.0.6"])) if dialect in FIRMWARE and said == "online" else ""
        simulated = said == "online" and dialect != "tasmota" and draw(st.booleans())
        status = {"type": "device_status", "at": at, "source": DEVICE, "health": said, "firmware": firmware}
        return msgspec.convert(status | {"simulated": simulated}, DeviceStatus)
    pretended = draw(st.booleans())
    names = IBEACONS if dialect == "tasmota" else NAMES
    beacon = draw(names | TOKENS if pretended else names)
    rssi = draw(st.floats(-100, -1))
    return Sighting(at=at, source=DEVICE, receiver=DEVICE, beacon=beacon, rssi_dbm=rssi, simulated=pretended)


def understood(dialect: str, fact: Fact) -> Fact:
    """What is left of a fact after the format has carried it."""
    clock = CLOCKS.get(dialect)
    at = SEEN if clock is None or (isinstance(fact, DeviceStatus) and dialect != "minew") else clock(fact.at)
    fact = msgspec.structs.replace(fact, at=at, seen=SEEN)
    if isinstance(fact, Sighting) and dialect != "espresense":
        return msgspec.structs.replace(fact, rssi_dbm=float(round(fact.rssi_dbm)))
    return fact


def heard(dialect: str, facts: list[Fact], device: str) -> list[Fact]:
    found: list[Fact] = []
    for topic, payload, _ in DIALECTS[dialect].encode(facts, venue="small", device=DEVICE):
        found += DIALECTS[dialect].decode(Message(topic=topic, payload=payload, seen=SEEN), device)
    return found


@pytest.mark.parametrize("dialect", BLE)
@given(st.data())
def test_what_a_gateway_tells_is_what_is_read(dialect: str, data: st.DataObject) -> None:
    facts = data.draw(st.lists(told(dialect), max_size=4))
    assert heard(dialect, facts, DEVICE) == [understood(dialect, fact) for fact in facts]


@pytest.mark.parametrize("dialect", sorted(set(BLE) - {"cassia", "minew"}))
def test_the_message_or_its_topic_names_the_gateway(dialect: str) -> None:
    fact = Sighting(at=SEEN, source=DEVICE, receiver=DEVICE, beacon=IBEACON, rssi_dbm=-70.0)
    assert heard(dialect, [fact], "") == [understood(dialect, fact)]


@pytest.mark.parametrize("dialect", BLE)
def test_what_a_gateway_cannot_tell_is_the_callers_mistake(dialect: str) -> None:
    good = Sighting(at=SEEN, source=DEVICE, receiver=DEVICE, beacon=IBEACON, rssi_dbm=-70.0)
    wrong: list[Fact] = [
        msgspec.structs.replace(good, source="elsewhere"),
        msgspec.structs.replace(good, receiver="elsewhere"),
        Count(at=SEEN, source=DEVICE, counter=DEVICE, kind="event", forward=1),
        DeviceStatus(at=SEEN, source=DEVICE, health="fault"),
    ]
    if dialect != "espresense":
        unsendable = [
            "tok-0123456789abcdef0123",
            "aa:bb:cc:dd:ee:ff",
            "iBeacon:00000000-0000-0000-0000-000000000000-1-1",
        ]
        unsendable += [IBEACON.replace("-263", "-65536"), "eddy:0001020304060506070809-aabbccddeeff", ""]
        if dialect not in {"openmqttgateway", "tasmota"}:
            wrong += [msgspec.structs.replace(good, beacon=name) for name in unsendable[2:3]]
        wrong += [msgspec.structs.replace(good, beacon=name) for name in (*unsendable[:2], *unsendable[3:])]
        wrong += [msgspec.structs.replace(good, rssi_dbm=-129.0)]
    for fact in wrong:
        with pytest.raises(ValueError, match=r"\w"):
            DIALECTS[dialect].encode([fact], venue="small", device=DEVICE)


def test_a_token_is_read_from_the_air_only_in_a_simulation() -> None:
    fact = Sighting(
        at=SEEN, source=DEVICE, receiver=DEVICE, beacon="tok-0123456789abcdef0123", rssi_dbm=-70.0, simulated=True
    )
    [(topic, payload, _)] = DIALECTS["cassia"].encode([fact], venue="small", device=DEVICE)
    real = payload.replace(b'"simulated":true', b'"simulated":false')
    assert real != payload
    [found] = DIALECTS["cassia"].decode(Message(topic=topic, payload=real, seen=SEEN), DEVICE)
    assert isinstance(found, Sighting)
    assert found.beacon == hearing.sent_as(fact)


# nobody else's words


SIGHTING = Sighting(at=SEEN, source=DEVICE, receiver=DEVICE, beacon=IBEACON, rssi_dbm=-70.0)
ONLINE = DeviceStatus(at=SEEN, source=DEVICE, health="online")
WORDS_OF: dict[str, list[Outgoing]] = {
    name: DIALECTS[name].encode([SIGHTING] if name == "cassia" else [SIGHTING, ONLINE], venue="small", device=DEVICE)
    for name in BLE
}


@pytest.mark.parametrize("speaker", BLE)
@pytest.mark.parametrize("listener", BLE)
@pytest.mark.parametrize("device", ["", DEVICE])
def test_no_bluetooth_dialect_reads_anothers_words(speaker: str, listener: str, device: str) -> None:
    """Refused, not found empty: `flowmon decode` tells by it whose message it is. With the topic and without."""
    for topic, payload, _ in WORDS_OF[speaker] if speaker != listener else []:
        refuse(listener, payload, topic, device)
        refuse(listener, payload, "", device)


def refuse(listener: str, payload: bytes, topic: str, device: str) -> None:
    with pytest.raises(Undecodable) as refusal:
        DIALECTS[listener].decode(Message(topic=topic, payload=payload, seen=SEEN), device)
    assert not isinstance(refusal.value, Unwanted)


@pytest.mark.parametrize("listener", BLE)
@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"3",
        b"[]",
        b"{}",
        b"null",
        b"$GPGGA,1,2*7F",
        b'[{"register":"MainEntranceIn","value":1,"t":"2019-02-01T12:30:00+0000"}]',
        b'{"device_info":{"device_sn":"6537","device_mac":"24:E1"},"line_total_data":[]}',
        b'{"logics_data":{"package_info":{"version":"5.0"},"logics":[]}}',
        b'{"data":{"utcFrom":"2026-01-01T00:00:00Z","measurements":[]},"apiName":"Axis Retail Data"}',
        b'{"deduplicationId":"3","deviceInfo":{"devEui":"0101"},"data":"AANSSA=="}',
        b"<?xml version='1.0'?><EventNotificationAlert/>",
        b"\x03\xd2\x48\x00\x00\x00\x04\xd2\xc8\x00\x00\x00",
    ],
)
def test_bluetooth_dialects_refuse_other_families(listener: str, payload: bytes) -> None:
    for device in ("", DEVICE):
        refuse(listener, payload, "", device)
        refuse(listener, payload, "museum/foyer/telemetry", device)


@pytest.mark.parametrize("listener", BLE)
def test_bluetooth_dialects_refuse_other_families_samples(listener: str) -> None:
    if not SAMPLES.exists():
        pytest.skip("third-party payloads are not beside this checkout")
    for path in sorted(SAMPLES.glob("*/*")):
        if path.parent.name not in {"minew", "moko", "ruuvi"}:
            refuse(listener, path.read_bytes(), "", DEVICE)


# any bytes

WORDS = """uuid major minor rssi manufacturerdata servicedata servicedatauuid ts data state type Gateway mac timestamp
    rawData ibeaconUuid ibeaconMajor ibeaconMinor msg_id device_info value raw adv_data IBEACON UID MAJOR MINOR RSSI
    STATE version simulated gw_mac tags gateway locator net_state bdaddrs adData scanData action devices mid v id ver"""
ADVERT = "0201061aff4c000215e2c56db5dffb48d2b060d0f5a71096e000010107c5"
KEYS = st.sampled_from(WORDS.split())
SAID = [ADVERT, ADVERT[14:46], "Gateway", "0001", "-70", -70, 3003, 3004, 3070, "2021-01-01&17:10:16+08", "data.scan"]
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40) | st.sampled_from(SAID)
BODIES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=8), max_leaves=20
)


def _packed(body: object) -> bytes:
    try:
        return msgspec.msgpack.encode(body)
    except OverflowError:  # MessagePack has no integers so large
        return b""


PAYLOADS = (
    st.binary()
    | BODIES.map(lambda body: json.dumps(body).encode())
    | BODIES.map(lambda body: b"data: " + json.dumps(body).encode())
    | BODIES.map(_packed)
)
TOPIC_WORDS = """home/foyer/BTtoMQTT/582076 home/a/LWT home/a/SYStoMQTT home/presence/a ruuvi/C8:25/D3:D1
    ruuvi/a/gw_status tele/foyer/SENSOR tele/a/LWT espresense/devices/iBeacon:1/foyer espresense/rooms/a/telemetry
    espresense/rooms/a/status minew moko"""
TOPICS = st.sampled_from(TOPIC_WORDS.split()) | st.text()


@pytest.mark.parametrize("dialect", BLE)
@given(payload=PAYLOADS, topic=TOPICS, device=st.text(max_size=9))
def test_anything_is_read_or_refused(dialect: str, payload: bytes, topic: str, device: str) -> None:
    try:
        facts = DIALECTS[dialect].decode(Message(topic=topic, payload=payload, seen=SEEN), device)
    except Undecodable:
        return
    assert all(isinstance(fact, Sighting | DeviceStatus) for fact in facts)
