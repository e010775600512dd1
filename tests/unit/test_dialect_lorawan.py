"""LoRaWAN: envelopes of four network servers, and payloads whose meaning is worked out from the makers' tables."""

import base64
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowmon.errors import Undecodable
from flowmon.facts import Count, DeviceStatus, Fact, ZoneCount
from sensors.dialects import (
    lorawan,
    lorawan_hkt,
    lorawan_imbuildings,
    lorawan_milesight,
    lorawan_parametric,
    lorawan_terabee,
)
from sensors.dialects.port import Dialect, Message, Unwanted

SAMPLES = Path(__file__).parents[3] / "shared" / "data" / "payloads"
SEEN, AT = 1_777_730_461.0, 1_777_730_460.0
TIME = "2026-05-02T14:01:00.000000001Z"
EUI = "24e124136b325678"
CODECS: list[Dialect] = [lorawan_milesight, lorawan_terabee, lorawan_parametric, lorawan_imbuildings, lorawan_hkt]


def things_stack(payload: bytes, port: int, counter: int) -> dict[str, object]:
    inner = {"f_port": port, "f_cnt": counter, "frm_payload": base64.b64encode(payload).decode(), "received_at": TIME}
    return {"end_device_ids": {"device_id": "d1", "dev_eui": EUI.upper()}, "uplink_message": inner}


def chirpstack(payload: bytes, port: int, counter: int) -> dict[str, object]:
    data = base64.b64encode(payload).decode()
    return {"deviceInfo": {"devEui": EUI}, "time": TIME, "fPort": port, "fCnt": counter, "data": data}


def chirpstack_3(payload: bytes, port: int, counter: int) -> dict[str, object]:
    eui, data = (base64.b64encode(raw).decode() for raw in (bytes.fromhex(EUI), payload))
    return {"devEUI": eui, "fPort": port, "fCnt": counter, "data": data, "publishedAt": TIME}


def actility(payload: bytes, port: int, counter: int) -> dict[str, object]:
    inner = {"DevEUI": EUI.upper(), "FPort": str(port), "FCntUp": str(counter), "payload_hex": payload.hex()}
    return {"DevEUI_uplink": inner | {"Time": "2026-05-02T16:01:00.000+02:00"}}


def message(body: object) -> Message:
    payload = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Message(topic="v3/a@t/devices/d1/up", payload=payload, seen=SEEN)


def decode(codec: Dialect, payload: str, port: int = 85, device: str = "") -> list[Fact]:
    return codec.decode(message(things_stack(bytes.fromhex(payload), port, 7)), device)


def register(forward: int, backward: int, line: str = "1", device: str = EUI) -> Count:
    return Count(
        at=AT,
        source=device,
        seen=SEEN,
        seq=7,
        counter=device,
        kind="cumulative",
        line=line,
        forward=forward,
        backward=backward,
    )


def sample(name: str) -> str:
    found = [path for path in sorted(SAMPLES.glob(f"{name}*.json")) if ".expected" not in path.name]
    if not found:
        pytest.skip("third-party payloads are not beside this checkout")
    payload = json.loads(found[0].read_bytes())["payloadHex"]
    assert isinstance(payload, str)
    return payload


# envelopes


@pytest.mark.parametrize("envelope", [things_stack, chirpstack, chirpstack_3, actility])
def test_each_network_tells_the_same_uplink(envelope: object) -> None:
    assert callable(envelope)
    found = lorawan.uplink(message(envelope(b"\x03\xd2", 85, 7)))
    assert found == lorawan.Uplink(dev_eui=EUI, f_port=85, payload=b"\x03\xd2", f_cnt=7, at=AT)


def test_fields_left_out_are_zero() -> None:
    body = {"deviceInfo": {"devEui": EUI}, "fPort": 1, "data": "gkHe", "time": TIME}
    found = lorawan.uplink(message(body))
    assert found is not None
    assert (found.f_cnt, found.payload) == (0, b"\x82A\xde")
    assert lorawan.uplink(message(body | {"fPort": 0})) is None
    assert lorawan.uplink(message(body | {"data": ""})) is None
    assert lorawan.uplink(message({"end_device_ids": {"dev_eui": EUI}, "join_accept": {}})) is None


def test_an_uplink_from_the_console_is_simulated() -> None:
    body = things_stack(bytes.fromhex("000000C8000001C8"), 1, 7) | {"simulated": True}
    [fact] = lorawan_terabee.decode(message(body), "")
    assert fact.simulated


def test_the_published_example_has_no_port() -> None:
    path = SAMPLES / "lorawan-envelopes" / "tts_v3_uplink_comma_added.json"
    if not path.exists():
        pytest.skip("third-party payloads are not beside this checkout")
    assert lorawan.uplink(message(path.read_bytes())) is None
    with pytest.raises(Undecodable, match="not JSON"):
        lorawan.uplink(message(path.with_name("tts_v3_uplink_INVALID_AS_PUBLISHED.json").read_bytes()))


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"deviceInfo": {}, "fPort": 1, "data": "gkHe"},
        {"deviceInfo": {"devEui": EUI}, "fPort": 1, "data": "§"},
        {"deviceInfo": {"devEui": EUI}, "fPort": 256, "data": "gkHe"},
        {"deviceInfo": {"devEui": EUI}, "fPort": 1, "fCnt": -1, "data": "gkHe"},
        {"deviceInfo": {"devEui": EUI[:-1]}, "fPort": 1, "data": "gkHe"},
        {"DevEUI_uplink": {"DevEUI": EUI, "FPort": "1", "payload_hex": "0g"}},
    ],
)
def test_bad_envelopes_are_refused(body: object) -> None:
    with pytest.raises(Undecodable):
        lorawan.uplink(message(body))


# Milesight


def test_milesight_totals_of_four_lines() -> None:
    facts = decode(lorawan_milesight, sample("milesight/lorawan_vs135_00"))
    assert facts == [register(72, 200), register(0, 0, "2"), register(0, 0, "3"), register(5300, 6797, "4")]


def test_milesight_totals_beside_periods_and_state() -> None:
    facts = decode(lorawan_milesight, sample("milesight/lorawan_vs132_00"))
    status = DeviceStatus(at=AT, source=EUI, seen=SEEN, seq=7, health="online", firmware="132.1.0.1")
    assert facts == [register(190, 305), status]


@pytest.mark.parametrize("payload", ["04CC12001600 05CC13001400", "84CC1200160001 85CC1300140001", "0DCC12001600"])
def test_milesight_short_totals(payload: str) -> None:
    assert decode(lorawan_milesight, payload, device="door") == [register(18, 22, device="door")]


def test_milesight_alarmed_totals() -> None:
    assert decode(lorawan_milesight, sample("milesight/lorawan_vs350_00")) == [register(0x1101, 0x1108)]


def test_milesight_regions_and_people_are_states() -> None:
    facts = decode(lorawan_milesight, sample("milesight/lorawan_vs133_03"), device="tof")
    zones = [(fact.zone, fact.people) for fact in facts if isinstance(fact, ZoneCount)]
    assert zones == [("tof-region-1", 2), ("tof-region-2", 16), ("tof-region-3", 7), ("tof-region-4", 9)]
    assert decode(lorawan_milesight, "04C9030800A1 06CD05", device="salle-711") == [
        ZoneCount(at=AT, source="salle-711", seen=SEEN, seq=7, zone="salle-711", people=3)
    ]


@pytest.mark.parametrize("name", ["milesight/lorawan_vs133_01", "milesight/lorawan_vs121_02"])
def test_milesight_periods_alone_are_not_credited(name: str) -> None:
    with pytest.raises(Unwanted, match="period counts only"):
        decode(lorawan_milesight, sample(name))


def test_milesight_flows_are_not_read() -> None:
    with pytest.raises(Unwanted):
        decode(lorawan_milesight, sample("milesight/lorawan_vs121_04"))


def test_milesight_battery_with_periods() -> None:
    [fact] = decode(lorawan_milesight, sample("milesight/lorawan_vs350_02"))
    assert isinstance(fact, DeviceStatus)
    assert (fact.health, fact.battery) == ("online", 1.0)


def test_milesight_alarms() -> None:
    [fact] = decode(lorawan_milesight, sample("milesight/lorawan_vs360_01"))
    assert isinstance(fact, DeviceStatus)
    assert fact.health == "fault"
    assert "does not answer" in fact.reason
    assert "misaligned" in fact.reason
    assert "anomaly" not in fact.reason  # raised, and released in the same uplink
    [fact] = decode(lorawan_milesight, "50FC000101")
    assert isinstance(fact, DeviceStatus)
    assert fact.health == "fault"


def test_milesight_memory_is_historical_and_told_once() -> None:
    payload = "20CE7B3AF164000B000400 20CEFF3DF16401070002001D000800"
    [fact] = decode(lorawan_milesight, payload)
    assert fact == Count(
        at=1693531647.0,
        source=EUI,
        seen=SEEN,
        historical=True,
        counter=EUI,
        kind="cumulative",
        forward=29,
        backward=8,
    )
    in_and_out = "20CEFF3DF1640648000000 20CEFF3DF16407C8000000"
    [fact] = decode(lorawan_milesight, in_and_out)
    assert isinstance(fact, Count)
    assert (fact.line, fact.forward, fact.backward, fact.historical, fact.at) == ("2", 72, 200, True, 1693531647.0)


def test_milesight_device_clock_is_the_time_of_its_totals() -> None:
    [fact] = decode(lorawan_milesight, "0AEFFF3DF164 04CC12001600")
    assert fact.at == 1693531647.0


def test_milesight_unknown_channel_keeps_what_was_read_and_says_so() -> None:
    count, status = decode(lorawan_milesight, "04CC12001600 77770102")
    assert count == register(18, 22)
    assert isinstance(status, DeviceStatus)
    assert "7777" in status.reason


@pytest.mark.parametrize("payload", ["7777", "04", "04CC1200", "20CE", "20CE7B3AF16477"])
def test_milesight_unreadable(payload: str) -> None:
    with pytest.raises(Undecodable):
        decode(lorawan_milesight, payload)


def test_half_a_total_is_not_used() -> None:
    with pytest.raises(Unwanted):
        decode(lorawan_milesight, "03D248000000")


# Terabee


def test_terabee_registers() -> None:
    assert decode(lorawan_terabee, "000000C8000001C8", 1) == [register(200, 456)]
    assert decode(lorawan_terabee, "02000000C8000001C8", 2) == [register(200, 456)]
    online = DeviceStatus(at=AT, source=EUI, seen=SEEN, seq=7, health="online")
    assert decode(lorawan_terabee, "000000C8000001C808", 1) == [register(200, 456), online]
    assert decode(lorawan_terabee, "000000C8000001C804", 82) == [register(200, 456), online]
    assert decode(lorawan_terabee, "0100", 2) == []


def test_terabee_faults() -> None:
    count, status = decode(lorawan_terabee, sample("terabee/xl_02"), 1)
    assert count == register(2, 3)
    assert isinstance(status, DeviceStatus)
    assert (status.health, "stuck" in status.reason, "stopped" in status.reason) == ("fault", True, True)


# Parametric


def test_parametric_sums() -> None:
    assert decode(lorawan_parametric, "be010400010002000300041c200ce40139", 14) == [register(3, 4)]
    assert decode(lorawan_parametric, "be010300010002000300041c0ce40139", 14) == [register(3, 4)]
    with pytest.raises(Unwanted, match="extended"):
        decode(lorawan_parametric, "0a0001160002", 14)
    [status] = decode(lorawan_parametric, "be010501030a0000020001000a05a0", 190)
    assert isinstance(status, DeviceStatus)
    assert status.firmware == "3.10.0"


# IMBuildings


def test_imbuildings_totals() -> None:
    payload = "02060004A30B00F6B5690800F80003000220060305E661"
    assert decode(lorawan_imbuildings, payload, 1) == [register(1539, 1510)]
    assert decode(lorawan_imbuildings, payload[20:], 26) == [register(1539, 1510)]
    assert decode(lorawan_imbuildings, "20060305E6", 27) == [register(1539, 1510)]
    assert decode(lorawan_imbuildings, "0800F820", 28) == [
        DeviceStatus(at=AT, source=EUI, seen=SEEN, seq=7, health="online")
    ]
    assert decode(lorawan_imbuildings, sample("imbuildings/akenza_verticount_00"), 1) == [register(0, 0)]


# HKT


def test_hkt_totals_and_state() -> None:
    assert decode(lorawan_hkt, sample("hkt/peoplecounter_01")) == [register(200, 200)]
    assert decode(lorawan_hkt, "686B740007 07 0078 0096 000000C8 000001C8") == [register(200, 456)]
    [battery, light] = decode(lorawan_hkt, "686B740007 03 62") + decode(lorawan_hkt, "686B740007 83 01")
    assert isinstance(battery, DeviceStatus)
    assert isinstance(light, DeviceStatus)
    assert (battery.battery, light.health) == (0.98, "fault")
    assert decode(lorawan_hkt, "686B740007 04 01") == []


# all of them

OTHERS = [(lorawan_terabee, 1), (lorawan_parametric, 14), (lorawan_imbuildings, 26), (lorawan_hkt, 85)]


@pytest.mark.parametrize(("codec", "port"), OTHERS)
@pytest.mark.parametrize("payload", ["00", "be0104", "02060004A30B00", "0204e8eb1b4f131d00010b8f20230203103503"])
def test_other_payloads_are_refused(codec: Dialect, port: int, payload: str) -> None:
    with pytest.raises(Undecodable):
        decode(codec, payload, port)


PARTS = "686B740007 07 03D2 04D2 04CC 05CC 20CE FF1F 0175 03F4 50FC 0FE3 FF3DF164 03 be0104"
PAYLOADS = st.binary(max_size=60) | st.lists(
    st.binary(max_size=5) | st.sampled_from(PARTS.split()).map(bytes.fromhex), max_size=12
).map(b"".join)
ENVELOPES = st.sampled_from([things_stack, chirpstack, chirpstack_3, actility])
PORTS = st.sampled_from([1, 2, 14, 26, 27, 28, 82, 85, 190]) | st.integers(-1, 300)


@pytest.mark.parametrize("codec", CODECS)
@given(payload=PAYLOADS, envelope=ENVELOPES, port=PORTS, counter=st.integers())
def test_any_payload_is_read_or_refused(
    codec: Dialect, payload: bytes, envelope: object, port: int, counter: int
) -> None:
    assert callable(envelope)
    try:
        facts = codec.decode(message(envelope(payload, port, counter)), "")
    except Undecodable:
        return
    assert {fact.source for fact in facts} <= {EUI}


WORDS = """end_device_ids dev_eui uplink_message f_port f_cnt frm_payload received_at simulated deviceInfo devEui devEUI
    fPort fCnt data time DevEUI_uplink DevEUI FPort FCntUp payload_hex Time"""
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from([EUI, "gkHe", TIME, "24e1", 1, 85])
)
BODIES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS.split()), inner, max_size=8),
    max_leaves=20,
)
MESSAGES = st.binary() | BODIES.map(lambda body: json.dumps(body).encode())


@pytest.mark.parametrize("codec", CODECS)
@given(payload=MESSAGES, topic=st.text(), device=st.text(max_size=9))
def test_any_envelope_is_read_or_refused(codec: Dialect, payload: bytes, topic: str, device: str) -> None:
    try:
        codec.decode(Message(topic=topic, payload=payload, seen=SEEN), device)
    except Undecodable:
        return


@pytest.mark.parametrize("codec", CODECS)
def test_none_is_spoken_yet(codec: Dialect) -> None:
    with pytest.raises(ValueError, match="only read so far"):
        codec.encode([register(1, 1)], venue="small", device=EUI)
