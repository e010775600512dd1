"""Advertisement bytes: four beacon frames by hand from their specifications, and any bytes at all."""

import bluetooth_data_tools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensors.dialects import advertisements
from sensors.dialects.espresense import BEACONS
from sensors.dialects.port import Unwanted

FLAGS = "020106"
UUID = "e2c56db5dffb48d2b060d0f5a71096e0"
IBEACON = FLAGS + "1aff4c000215" + UUID + "0001" + "0107" + "c5"
ALTBEACON = "1bff1801beac" + UUID + "0001" + "0107" + "c500"
EDDYSTONE_UID = FLAGS + "0303aafe" + "1716aafe00e7" + "00010203040506070809" + "aabbccddeeff" + "0000"
EDDYSTONE_OLD = FLAGS + "0303aafe" + "1516aafe00e7" + "00010203040506070809" + "aabbccddeeff"
TLM = FLAGS + "0303aafe" + "1116aafe20000bd091181501e32900000000"
TELEPHONE = FLAGS + "0aff4c001005031c2a3b4c"


@pytest.mark.parametrize(
    ("advert", "name"),
    [
        (IBEACON, "iBeacon:e2c56db5-dffb-48d2-b060-d0f5a71096e0-1-263"),
        (ALTBEACON, "altBeacon:e2c56db5-dffb-48d2-b060-d0f5a71096e0-1-263"),
        (EDDYSTONE_UID, "eddy:0001020304040506070809-aabbccddeeff"),
        (EDDYSTONE_OLD, "eddy:0001020304040506070809-aabbccddeeff"),
        (TELEPHONE + IBEACON, "iBeacon:e2c56db5-dffb-48d2-b060-d0f5a71096e0-1-263"),
    ],
)
def test_a_beacon_is_named_as_espresense_names_it(advert: str, name: str) -> None:
    assert advertisements.beacon(bytes.fromhex(advert)) == name
    assert name.lower().startswith(BEACONS)


@pytest.mark.parametrize(
    ("advert", "reason"),
    [
        (TLM, "Eddystone-TLM"),
        (TLM[:-8], "Eddystone-TLM"),
        (FLAGS + "0b16aafe3000" + "0102030405060708", "Eddystone-EID"),
        (FLAGS + "0716aafe10000301", "Eddystone-URL"),
        (TELEPHONE, "telephone"),
        (FLAGS + "1bff99040517037758c5c703fcff30fff89416b7958ae375cf374e23", "telephone"),
        (IBEACON[:-2], "telephone"),
        (FLAGS + "1aff4c000215" + "00" * 16 + "00010107c5", "telephone"),
        ("", "no beacon"),
    ],
)
def test_what_names_no_beacon_is_not_kept(advert: str, reason: str) -> None:
    with pytest.raises(Unwanted, match=reason):
        advertisements.beacon(bytes.fromhex(advert))


def test_a_scan_response_is_read_after_an_advert_that_is_cut() -> None:
    assert advertisements.beacon(bytes.fromhex(TLM)[:-4], bytes.fromhex(IBEACON)).startswith("iBeacon:")


@given(st.binary(max_size=2000))
def test_any_bytes_are_named_or_unwanted(advert: bytes) -> None:
    try:
        name = advertisements.beacon(advert)
    except Unwanted:
        return
    assert name.lower().startswith(BEACONS)


@given(st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=254)), max_size=8), st.binary(max_size=3))
def test_structures_come_back_as_they_went_in(parts: list[tuple[int, bytes]], padding: bytes) -> None:
    advert = b"".join(advertisements.structure(kind, data) for kind, data in parts)
    assert list(advertisements.structures(advert + bytes(len(padding)))) == parts


@given(st.binary(min_size=16, max_size=16), st.integers(0, 0xFFFF), st.integers(0, 0xFFFF), st.integers(0, 255))
def test_an_ibeacon_in_bytes_and_in_parts_is_the_same_beacon(uuid: bytes, major: int, minor: int, power: int) -> None:
    if not any(uuid):
        return
    data = b"\x4c\x00\x02\x15" + uuid + major.to_bytes(2, "big") + minor.to_bytes(2, "big") + bytes([power])
    advert = advertisements.structure(advertisements.MANUFACTURER, data)
    assert advertisements.beacon(advert) == advertisements.ibeacon(uuid.hex().upper(), major, minor)


UUIDS = st.uuids().map(str).filter(lambda uuid: uuid.strip("0-"))
U16 = st.integers(0, 0xFFFF)
NAMES = st.builds("{}:{}-{}-{}".format, st.sampled_from(["iBeacon", "altBeacon"]), UUIDS, U16, U16) | st.binary(
    min_size=16, max_size=16
).map(lambda b: f"eddy:{b[:5].hex()}{b[4:10].hex()}-{b[10:].hex()}")


@given(NAMES)
def test_a_named_beacon_sends_its_name(name: str) -> None:
    packet = advertisements.packet(name)
    assert len(packet) <= 31
    assert advertisements.beacon(packet) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "aa:bb:cc:dd:ee:ff",
        "name:anna",
        "iBeacon:e2c56db5-dffb-48d2-b060-d0f5a71096e0-1-65536",
        "iBeacon:00000000-0000-0000-0000-000000000000-1-1",
        "eddy:0001020304060506070809-aabbccddeeff",  # the fifth byte is not there twice
    ],
)
def test_what_is_no_beacons_name_cannot_be_sent(name: str) -> None:
    with pytest.raises(ValueError, match=r"beacon|major"):
        advertisements.frame(name)


def once(parts: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    """Each company, and each 16-bit service, but the last time: bluetooth-data-tools keeps one record of each."""
    keyed = {(kind, data[:2]): (kind, data) for kind, data in parts}
    return list(keyed.values())


RECORDS = st.tuples(
    st.sampled_from([advertisements.MANUFACTURER, advertisements.SERVICE_DATA_16]), st.binary(min_size=3, max_size=40)
)


@given(st.lists(RECORDS, max_size=5).map(once), st.integers(0, 40))
def test_structures_are_those_of_bluetooth_data_tools(parts: list[tuple[int, bytes]], cut: int) -> None:
    """The oracle, where it can be one: whole or cut packets with at most one record of each company and service."""
    advert = b"".join(advertisements.structure(kind, data) for kind, data in parts)
    advert = advert[: max(0, len(advert) - cut)]
    _, _, services, companies, _ = bluetooth_data_tools.parse_advertisement_data_bytes(advert)
    theirs = {(0xFF, int(company).to_bytes(2, "little") + data) for company, data in companies.items()}
    theirs |= {(0x16, bytes.fromhex(uuid[4:8])[::-1] + data) for uuid, data in services.items()}
    assert set(advertisements.structures(advert)) == theirs


def test_the_oracle_loses_a_beacon_that_another_apple_frame_follows() -> None:
    """Why the structures are walked here: some gateways hand on an advert and its scan response as one packet."""
    advert = bytes.fromhex(IBEACON + TELEPHONE[6:])
    assert advertisements.beacon(advert).startswith("iBeacon:")
    companies = bluetooth_data_tools.parse_advertisement_data_bytes(advert)[3]
    assert companies[0x4C] == bytes.fromhex(TELEPHONE)[7:]
