"""LoRaWAN: envelopes of four network servers, payloads without one, and what holds for every codec."""

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowmon.errors import Undecodable
from flowmon.facts import Count, identity
from sensors.dialects import lorawan
from sensors.dialects.lorawan_envelopes import Uplink
from sensors.dialects.port import Message, Unwanted
from tests.unit.uplinks import (
    AT,
    CODECS,
    EUI,
    SAMPLES,
    SEEN,
    TIME,
    actility,
    bare,
    chirpstack,
    chirpstack_3,
    counts,
    decode,
    message,
    things_stack,
)

ENVELOPES = [things_stack, chirpstack, chirpstack_3, actility, bare]


def one(body: object) -> Uplink:
    [found] = lorawan.uplinks(message(body))
    return found


# envelopes


@pytest.mark.parametrize("envelope", ENVELOPES)
def test_each_network_tells_the_same_uplink(envelope: object) -> None:
    assert callable(envelope)
    found = one(envelope(b"\x03\xd2", 85, 7))
    assert found == Uplink(device=EUI, f_port=85, payload=b"\x03\xd2", f_cnt=7, at=AT)


def test_fields_left_out_are_zero() -> None:
    body = {"deviceInfo": {"devEui": EUI}, "fPort": 1, "data": "gkHe", "time": TIME}
    assert (one(body).f_cnt, one(body).payload) == (0, b"\x82A\xde")
    assert one({name: value for name, value in body.items() if name != "fPort"}).f_port == 0


@pytest.mark.parametrize(
    "body",
    [
        {"end_device_ids": {"dev_eui": EUI}, "join_accept": {}},
        {"end_device_ids": {"dev_eui": EUI}, "uplink_normalized": {"f_cnt": 4, "normalized_payload": {}}},
        {"end_device_ids": {"dev_eui": EUI}, "location_solved": {"location": {"latitude": 48.9}}},
        {"end_device_ids": {"dev_eui": EUI}, "uplink_message": {"f_cnt": 4}},
        {"deviceInfo": {"devEui": EUI}, "margin": 14, "batteryLevel": 42.5},
        {"deviceInfo": {"devEui": EUI}, "fPort": 0, "data": ""},
        {"applicationID": "1", "devEUI": EUI, "devAddr": "01020304"},
    ],
)
def test_what_is_no_uplink_says_nothing(body: object) -> None:
    assert lorawan.uplinks(message(body)) == []


def test_an_eui_may_be_spelt_in_many_ways() -> None:
    pairs = [EUI[place : place + 2] for place in range(0, 16, 2)]
    for spelling in ("-".join(pairs), ":".join(pairs).upper(), EUI.upper()):
        assert one({"deviceInfo": {"devEui": spelling}, "data": "gkHe"}).device == EUI


@pytest.mark.parametrize("codec", CODECS)
def test_an_uplink_typed_into_the_console_is_never_counted(codec: str) -> None:
    body = things_stack(bytes.fromhex("000000C8000001C8"), 1, 7) | {"simulated": True}
    with pytest.raises(Unwanted, match="console"):
        CODECS[codec].decode(message(body), "")


def test_our_own_simulators_uplink_is_marked() -> None:
    body = things_stack(bytes.fromhex("000000C8000001C8"), 1, 7)
    [fact] = CODECS["lorawan-terabee"].decode(
        message(body | {"simulated": True, "correlation_ids": ["flowmon:simulator"]}), ""
    )
    assert fact.simulated


def test_an_uplink_from_the_networks_storage_is_historical() -> None:
    live = things_stack(bytes.fromhex("000000C8000001C8"), 1, 7)
    [told] = CODECS["lorawan-terabee"].decode(message(live), "")
    [again] = CODECS["lorawan-terabee"].decode(message({"result": live}), "")
    assert again.historical
    assert identity(told) == identity(again)


def test_several_uplinks_in_one_message() -> None:
    first, second = things_stack(b"\x01", 1, 7), chirpstack(b"\x02", 2, 8)
    stacked = json.dumps(first).encode() + b"\n" + json.dumps(second).encode()
    for payload in (stacked, json.dumps([first, second]).encode()):
        assert [uplink.f_cnt for uplink in lorawan.uplinks(message(payload))] == [7, 8]
    with pytest.raises(Undecodable, match="more than"):
        lorawan.uplinks(message([first] * 1001))


def test_the_published_example_of_the_things_stack_is_no_counters() -> None:
    path = SAMPLES / "lorawan-envelopes" / "tts_v3_uplink_comma_added.json"
    if not path.exists():
        pytest.skip("third-party payloads are not beside this checkout")
    found = one(path.read_bytes())
    assert (found.device, found.f_cnt, found.f_port, found.payload.hex()) == ("0004a30b001c0530", 1, 0, "8241de")
    for codec in CODECS.values():
        with pytest.raises(Undecodable):
            codec.decode(message(path.read_bytes()), "")
    with pytest.raises(Undecodable, match="not JSON"):
        lorawan.uplinks(message(path.with_name("tts_v3_uplink_INVALID_AS_PUBLISHED.json").read_bytes()))


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        7,
        {"deviceInfo": {}, "fPort": 1, "data": "gkHe"},
        {"deviceInfo": {"devEui": EUI}, "fPort": 1, "data": "§"},
        {"deviceInfo": {"devEui": EUI}, "fPort": 256, "data": "gkHe"},
        {"deviceInfo": {"devEui": EUI}, "fPort": 1, "fCnt": -1.5, "data": "gkHe"},
        {"deviceInfo": {"devEui": EUI[:-1]}, "fPort": 1, "data": "gkHe"},
        {"DevEUI_uplink": {"DevEUI": EUI, "FPort": "1", "payload_hex": "0g"}},
        {"payloadHex": "0g"},
        {"payloadHex": 7},
        {"bytes": [1, 256]},
        {"bytes": [True]},
        {"payload": {"temperature": 20}},
        {"data": "gkHe"},
        {"input": {}},
        {"reports": [{"value": 3}]},
        {"fPort": 1, "payloadHex": "00" * 243},
    ],
)
def test_bad_envelopes_are_refused(body: object) -> None:
    with pytest.raises(Undecodable):
        lorawan.uplinks(message(body))


# without envelope


@pytest.mark.parametrize(
    "body",
    [
        {"port": 1, "payloadHex": "05CC02000100"},
        {"fPort": 85, "payload_hex": "05cc02000100"},
        {"f_port": 85, "frm_payload": "BcwCAAEA"},
        {"frmPayload": "BcwCAAEA"},
        {"payload": "05 CC 0200 0100"},
        {"payload": "BcwCAAEA"},
        {"port": 85, "data": "05CC02000100"},
        {"bytes": [5, 204, 2, 0, 1, 0], "fPort": 100},
        {"input": {"bytes": "05CC02000100", "fPort": 100}, "output": {}},
    ],
)
def test_bare_payloads_in_many_spellings(body: object) -> None:
    [fact] = CODECS["lorawan-milesight"].decode(message(body), "door")
    assert isinstance(fact, Count)
    assert (fact.source, fact.kind, fact.forward, fact.backward, fact.at, fact.seq) == (
        "door",
        "window",
        2,
        1,
        SEEN,
        -1,
    )


def test_a_bare_payload_may_name_its_device_counter_and_time() -> None:
    body = {"deviceId": "door-2", "payloadHex": "000000C8000001C8", "fCnt": "12", "ts": 1_777_730_400_000}
    [fact] = CODECS["lorawan-terabee"].decode(message(body), "")
    assert (fact.source, fact.seq, fact.at) == ("door-2", 12, 1_777_730_400.0)
    [fact] = CODECS["lorawan-terabee"].decode(message(body), "door")
    assert fact.source == "door"


def test_whose_a_bare_payload_is_must_be_known() -> None:
    with pytest.raises(Undecodable, match="name it on its route"):
        CODECS["lorawan-milesight"].decode(message({"payloadHex": "05CC02000100"}), "")


def test_bytes_themselves_over_http() -> None:
    headers = {"content-type": "application/octet-stream"}
    payload = bytes.fromhex("000000C8000001C8")
    [fact] = CODECS["lorawan-terabee"].decode(message(payload, headers=headers), "door")
    assert counts([fact]) == [("cumulative", "1", 200, 456)]
    for wrong in (b"", bytes(243)):
        with pytest.raises(Undecodable):
            lorawan.uplinks(message(wrong, headers=headers))


def test_reports_of_an_nb_iot_platform() -> None:
    report = {"serialNumber": "IMEI:1", "timestamp": 1_777_730_400_000, "value": "8241de"}
    found = lorawan.uplinks(message({"reports": [report, report | {"serialNumber": "IMEI:2"}]}))
    assert [(uplink.device, uplink.at) for uplink in found] == [
        ("IMEI:1", 1_777_730_400.0),
        ("IMEI:2", 1_777_730_400.0),
    ]
    assert lorawan.uplinks(message({"reports": [], "registrations": [{"serialNumber": "IMEI:1"}]})) == []
    strangers: list[object] = [{"reports": []}, {"reports": [{"title": "May"}]}, {"reports": 3}]
    for foreign in strangers:
        with pytest.raises(Undecodable):
            lorawan.uplinks(message(foreign))
    with pytest.raises(Undecodable, match="more than"):
        lorawan.uplinks(message({"reports": [report] * 1001}))


# all codecs

#: A payload with counts or state of each codec, on a port of its own.
OWN = {
    "lorawan-milesight": ("03D248000000 04D2C8000000", 85),
    "lorawan-terabee": ("000000C8000001C800", 1),
    "lorawan-parametric": ("be010400010002000300041c200ce40139", 14),
    "lorawan-imbuildings": ("02060004A30B00F6B5690800F80003000220060305E661", 26),
    "lorawan-hkt": ("686B740007 07 0078 0096 000000C8 000001C8", 10),
    "lorawan-paxcounter": ("07000300", 1),
    "lorawan-yosensi": ("026b003d 60001302 00000026 60001303 0000004d", 1),
    "lorawan-elsys": ("0100e102280401a00500070dff1102", 5),
    "lorawan-pipiot": ("008d00090000400801008001", 1),
}


def test_every_codec_has_a_payload_here() -> None:
    assert OWN.keys() == CODECS.keys()


@pytest.mark.parametrize("reader", CODECS)
@pytest.mark.parametrize("owner", OWN)
def test_a_codec_reads_its_own_payload_and_refuses_the_others(owner: str, reader: str) -> None:
    payload, port = OWN[owner]
    if owner == reader:
        assert decode(reader, payload, port)
        return
    with pytest.raises(Undecodable):
        decode(reader, payload, port)


@pytest.mark.parametrize("port", [0, 1, 100])
@pytest.mark.parametrize("owner", [name for name in OWN if name != "lorawan-paxcounter"])
def test_a_dummy_port_hides_no_counts_and_makes_nobody_else_read_them(owner: str, port: int) -> None:
    payload, own_port = OWN[owner]
    assert decode(owner, payload, port) == decode(owner, payload, own_port)
    others = [name for name in CODECS if name != owner]
    for other in others:
        with pytest.raises(Undecodable):
            decode(other, payload, port)


def test_a_gap_in_the_frame_counter_shows_in_windows() -> None:
    facts = [
        fact
        for counter in (4, 7)
        for fact in CODECS["lorawan-milesight"].decode(message(things_stack(b"\x05\xcc\2\0\1\0", 85, counter)), "")
    ]
    assert [(fact.seq, fact.kind, fact.start) for fact in facts if isinstance(fact, Count)] == [
        (4, "window", 0.0),
        (7, "window", 0.0),
    ]


@pytest.mark.parametrize("name", CODECS)
def test_random_bytes_are_rarely_read(name: str) -> None:
    """`flowmon decode` asks every codec: of 4,000 payloads of 2 to 23 seeded bytes on port 85, fewer than 2 in 100."""
    dice = random.Random(7)
    accepted = 0
    for _ in range(4_000):
        payload = dice.randbytes(dice.randint(2, 23))
        try:
            CODECS[name].decode(message(things_stack(payload, 85, 7)), "")
        except Unwanted:
            accepted += 1
        except Undecodable:
            continue
        else:
            accepted += 1
    assert accepted < 80


PARTS = """686B740007 07 03D2 04D2 04CC 05CC 20CE FF1F FF0A 0175 03F4 50FC 0FE3 FF3DF164 03 be0104 0206 0204 0208
    026b0000 60001302 60001303 008d 308d 0501 1102 3e07 0a0001 160002 07000300 FF0100 09DA 04C9 F910 2023020310"""
PAYLOADS = st.binary(max_size=60) | st.lists(
    st.binary(max_size=5) | st.sampled_from(PARTS.split()).map(bytes.fromhex), max_size=12
).map(b"".join)
PORTS = st.sampled_from([0, 1, 2, 3, 4, 5, 14, 24, 26, 27, 28, 82, 83, 85, 100, 101, 190]) | st.integers(-1, 300)


@pytest.mark.parametrize("codec", CODECS)
@given(payload=PAYLOADS, envelope=st.sampled_from(ENVELOPES), port=PORTS, counter=st.integers())
def test_any_payload_is_read_or_refused(codec: str, payload: bytes, envelope: object, port: int, counter: int) -> None:
    assert callable(envelope)
    try:
        facts = CODECS[codec].decode(message(envelope(payload, port, counter)), "")
    except Undecodable:
        return
    assert {fact.source for fact in facts} <= {EUI}
    assert all(fact.forward >= 0 <= fact.backward for fact in facts if isinstance(fact, Count))


WORDS = """end_device_ids dev_eui uplink_message f_port f_cnt frm_payload received_at simulated deviceInfo devEui devEUI
    fPort fCnt data time DevEUI_uplink DevEUI FPort FCntUp payload_hex Time payloadHex port payload bytes reports value
    serialNumber timestamp input result rxInfo applicationID"""
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
TYPES = st.sampled_from(["", "application/json", "application/octet-stream"])


@pytest.mark.parametrize("codec", CODECS)
@given(payload=MESSAGES, topic=st.text(), device=st.text(max_size=9), kind=TYPES)
def test_any_envelope_is_read_or_refused(codec: str, payload: bytes, topic: str, device: str, kind: str) -> None:
    heard = Message(topic=topic, payload=payload, seen=SEEN, headers={"content-type": kind})
    try:
        CODECS[codec].decode(heard, device)
    except Undecodable:
        return
