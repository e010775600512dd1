"""Bluetooth gateways that send bytes: Minew's binary forms and April Brother's MessagePack, built by hand."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowmon.errors import Undecodable
from flowmon.facts import DeviceStatus, Fact, Sighting
from sensors.dialects import aprilbrother, minew
from sensors.dialects.port import Dialect, Message, Unwanted

SAMPLES = Path(__file__).parents[3] / "shared" / "data" / "payloads"
SEEN = 1_777_730_461.0
NAME = "iBeacon:e2c56db5-dffb-48d2-b060-d0f5a71096e0-1-263"
ADVERT = bytes.fromhex("0201061aff4c000215e2c56db5dffb48d2b060d0f5a71096e000010107c5")
TELEPHONE = bytes.fromhex("02010607ff4c0010050102")
MAC = "AC233FC02F87"


def decode(dialect: Dialect, payload: bytes, device: str = "") -> list[Fact]:
    return dialect.decode(Message(topic="gateway", payload=payload, seen=SEEN), device)


def heard(receiver: str, *, rssi: float = -49.0, beacon: str = NAME) -> Sighting:
    return Sighting(at=SEEN, source=receiver, seen=SEEN, beacon=beacon, receiver=receiver, rssi_dbm=rssi)


def online(source: str, firmware: str = "") -> DeviceStatus:
    return DeviceStatus(at=SEEN, seen=SEEN, source=source, health="online", firmware=firmware)


# Minew, long and short


def long(*tags: list[bytes], head: bytes = b"\xbb\x01", rssi: int = 0xCF) -> bytes:
    """A long frame: for each tag its packets, as the gateway writes them."""
    body = bytes.fromhex(MAC) + len(tags).to_bytes(2, "big")
    for packets in tags:
        body += bytes(6) + len(packets).to_bytes(2, "big")
        body += b"".join(bytes([len(packet)]) + packet + bytes((6, rssi)) for packet in packets)
    return head + (len(body) + 7).to_bytes(4, "big") + body + b"\xdd"


def test_minew_binary_hears_beacons_and_leaves_telephones_out() -> None:
    assert decode(minew, long([TELEPHONE, ADVERT], [ADVERT], [b""])) == [online(MAC), heard(MAC), heard(MAC)]
    assert decode(minew, long([ADVERT]), "foyer") == [online("foyer"), heard("foyer")]


def test_minew_binary_among_telephones_is_still_online() -> None:
    assert decode(minew, long([TELEPHONE])) == [online(MAC)]
    assert decode(minew, long()) == [online(MAC)]


@pytest.mark.parametrize(("octet", "rssi"), [(0x80, -128.0), (0xFF, -1.0), (0x05, 5.0)])
def test_minew_signal_strength_is_a_signed_byte(octet: int, rssi: float) -> None:
    assert decode(minew, long([ADVERT], rssi=octet)) == [online(MAC), heard(MAC, rssi=rssi)]


def test_minew_without_a_signal_strength_is_not_kept() -> None:
    assert decode(minew, long([ADVERT], rssi=127)) == [online(MAC)]


def test_minew_short_form_says_that_the_gateway_is_there() -> None:
    assert decode(minew, long(head=b"\xbb\x00")) == [online(MAC)]


@pytest.mark.parametrize("spoil", [lambda f: f[:-1], lambda f: f[:-1] + b"\xde", lambda f: f + b"\0", lambda f: f[:14]])
def test_a_cut_minew_frame_is_refused(spoil: object) -> None:
    assert callable(spoil)
    with pytest.raises(Undecodable):
        decode(minew, spoil(long([ADVERT], [TELEPHONE])))


@given(st.data())
def test_a_minew_frame_whose_parts_do_not_add_up_is_refused_whole(data: st.DataObject) -> None:
    whole = long([ADVERT, TELEPHONE], [ADVERT])
    place = data.draw(st.sampled_from([13, 20, 21, 22]))  # number of tags, number of packets, length of the first
    octet = data.draw(st.integers(0, 255).filter(lambda value: value != whole[place]))
    spoilt = whole[:place] + bytes([octet]) + whole[place + 1 :]
    with pytest.raises(Undecodable) as refusal:
        decode(minew, spoilt)
    assert not isinstance(refusal.value, Unwanted)


def test_the_minew_sample() -> None:
    """Of 12 tags two send an iBeacon and one an Eddystone-UID; the expected RSSI are those of its source's test."""
    path = SAMPLES / "minew" / "g1_binary_long.hex"
    if not path.exists():
        pytest.skip("third-party payloads are not beside this checkout")
    assert decode(minew, bytes.fromhex(path.read_text())) == [
        online(MAC),
        heard(MAC, rssi=-39.0, beacon="iBeacon:4c2b0000-0001-0001-0001-012b010002c9-1-1"),
        heard(MAC, rssi=-49.0, beacon="eddy:0011223344445566778899-000000000000"),
        heard(MAC, rssi=-44.0, beacon="iBeacon:fda50693-a4e2-4fb1-afcf-c6eb07647825-10001-19641"),
    ]


# Minew Connect


def connect(*adverts: bytes, content: bytes = b"\x84\x3e") -> bytes:
    """A Connect frame; every advert with an angle of arrival of two bytes after it."""
    body = b""
    for advert in adverts:
        rest = b"\x01\x00" + bytes(6) + b"\xcf" + bytes([len(advert)]) + advert + b"\x02\x00\x05\x06"
        body += len(rest).to_bytes(2, "little") + rest
    inner = content + len(body).to_bytes(4, "little") + body
    return b"\xbb\x02" + bytes(4) + (len(inner) + 14).to_bytes(4, "little") + len(inner).to_bytes(4, "little") + inner


def test_minew_connect_hears_beacons_on_a_named_route() -> None:
    assert decode(minew, connect(ADVERT, TELEPHONE, ADVERT), "foyer") == [
        online("foyer"),
        heard("foyer"),
        heard("foyer"),
    ]
    assert decode(minew, connect(content=b"\x84\x3f"), "foyer") == [online("foyer")]
    with pytest.raises(Undecodable, match="route"):
        decode(minew, connect(ADVERT))


@pytest.mark.parametrize("cut", [3, 13, 19, 30, 62])
def test_a_cut_connect_frame_is_refused(cut: int) -> None:
    with pytest.raises(Undecodable):
        decode(minew, connect(ADVERT)[:cut], "foyer")


@given(st.binary(max_size=200), st.sampled_from([b"\xbb\x00", b"\xbb\x01", b"\xbb\x02"]), st.booleans())
def test_any_bytes_after_a_minew_head(rest: bytes, head: bytes, plausible: bool) -> None:
    payload = head + rest
    if plausible:
        payload = long([rest], [rest], head=head) if head != b"\xbb\x02" else connect(rest, rest)
    try:
        facts = decode(minew, payload, "foyer")
    except Undecodable:
        return
    assert all(isinstance(fact, Sighting | DeviceStatus) for fact in facts)


# April Brother


def packed(*devices: object, **more: object) -> bytes:
    body: dict[str, object] = {"v": "1.5.13", "mid": 7, "time": 9, "ip": "10.0.0.7", "mac": MAC, "devices": devices}
    return msgspec.msgpack.encode(body | more)


FRAME = bytes((0,)) + bytes.fromhex("123b6a1a64cf") + bytes((0xCF,)) + ADVERT


def test_april_brother_hears_beacons_and_leaves_telephones_out() -> None:
    telephone = FRAME[:8] + TELEPHONE
    assert decode(aprilbrother, packed(telephone, FRAME)) == [heard(MAC)]
    assert decode(aprilbrother, packed(telephone, FRAME), "foyer") == [heard("foyer")]


def test_april_brother_heartbeat() -> None:
    assert decode(aprilbrother, packed()) == [online(MAC, "1.5.13")]
    assert decode(aprilbrother, packed(FRAME[:8] + TELEPHONE)) == [online(MAC, "1.5.13")]
    assert decode(aprilbrother, packed(FRAME[:7] + b"\x7f" + ADVERT)) == [online(MAC, "1.5.13")]


@pytest.mark.parametrize("device", [[0, "123B6A1A64CF", -49, ADVERT.hex().upper()], FRAME.hex()])
def test_april_brother_in_json(device: object) -> None:
    body = {"v": "1.5.13", "mid": 7, "time": 9, "ip": "10.0.0.7", "mac": MAC, "devices": [device]}
    assert decode(aprilbrother, msgspec.json.encode(body)) == [heard(MAC)]


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{}",
        b"[]",
        b"\x80",
        b"\xc1",
        packed(FRAME)[:-1],
        packed(FRAME) + b"\0",
        packed(FRAME[:7]),
        packed([0, "12", -49]),
        packed(3),
        packed(FRAME, mac=None),
        packed(FRAME, devices="x"),
        packed(FRAME, v=[1]),
        b"\x91" * 100_000,
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff\x01\x01",
    ],
)
def test_april_brother_refuses_the_rest(payload: bytes) -> None:
    with pytest.raises(Undecodable) as refusal:
        decode(aprilbrother, payload)
    assert not isinstance(refusal.value, Unwanted)


@given(
    st.binary(max_size=60) | st.lists(st.binary(max_size=60) | st.integers(0, 300) | st.text(), max_size=3).map(list)
)
def test_any_devices_of_april_brother(devices: object) -> None:
    payload = devices if isinstance(devices, bytes) else packed(devices=devices)
    try:
        facts = decode(aprilbrother, payload)
    except Undecodable:
        return
    assert all(isinstance(fact, Sighting | DeviceStatus) for fact in facts)
