"""LoRaWAN counters but Milesight's: payloads worked out from the makers' tables, and third parties' samples."""

import pytest

from flowmon.errors import Undecodable
from flowmon.facts import Count, DeviceStatus, ZoneCount
from tests.unit.uplinks import AT, EUI, SEEN, counts, decode, message, read, register, states, status, window, zones
from tests.unit.uplinks import CODECS as ALL

STOPPED, STUCK = "counting has stopped", "counting is stuck"

# Terabee


def test_terabee_registers_with_and_without_flags() -> None:
    assert decode("lorawan-terabee", "000000C8000001C8", 1) == [register(200, 456)]
    assert decode("lorawan-terabee", "000000C8000001C808", 1) == [register(200, 456), status()]
    assert decode("lorawan-terabee", "FFFFFFFE0000000200", 1) == [register(2**32 - 2, 2), status()]
    assert decode("lorawan-terabee", "000000C8000001C800", 7) == [register(200, 456), status()]  # a dummy port


@pytest.mark.parametrize(
    ("port", "flags", "reason"),
    [
        (1, "01", STOPPED),
        (1, "02", STUCK),
        (1, "04", "its devices disagree"),
        (1, "08", ""),
        (82, "01", STOPPED),
        (82, "04", ""),  # its network is on
        (82, "03", f"{STOPPED}, {STUCK}"),
    ],
)
def test_terabee_flags_mean_other_things_on_m(port: int, flags: str, reason: str) -> None:
    count, state = decode("lorawan-terabee", f"0000000A00000005{flags}", port)
    assert count == register(10, 5)
    assert state == status("fault" if reason else "online", reason)


def test_terabee_sample_of_an_l_xl_with_every_flag() -> None:
    facts = read("lorawan-terabee", "terabee/xl_02")
    assert counts(facts) == [("cumulative", "1", 2, 3)]
    assert states(facts) == [("fault", f"{STOPPED}, {STUCK}, its devices disagree")]


def test_terabee_poc_zones_and_one_that_is_not_set() -> None:
    facts = decode("lorawan-terabee", "0F050304020100FFFFFF", 83)
    zone = f"{EUI}-zone-"
    assert zones(facts) == {EUI: 5, zone + "0": 3, zone + "1": 4, zone + "2": 2, zone + "3": 1, zone + "4": 0}
    assert states(facts) == [("fault", f"{STOPPED}, {STUCK}, it is warming up and counts nobody yet")]
    assert zones(decode("lorawan-terabee", "0000FFFFFFFFFFFFFFFF", 83)) == {EUI: 0}
    assert states(decode("lorawan-terabee", "08000000000000000000", 83))[0][0] == "fault"
    assert zones(decode("lorawan-terabee", "0006010101010101FFFF", 1))[EUI] == 6  # a dummy port


def test_terabee_answers_to_downlinks() -> None:
    assert decode("lorawan-terabee", "02000000C8000001C8", 2) == [register(200, 456)]
    for payload, port in [("0105DC", 100), ("030000003C", 100), ("0100", 5), ("010000FF", 8), ("FF0100", 3)]:
        assert decode("lorawan-terabee", payload, port) == []
    assert decode("lorawan-terabee", "8A0076302E392E322D455500", 4) == [status(firmware="v0.9.2-EU")]
    assert decode("lorawan-terabee", "01010A02", 4) == [status(firmware="1.10.2")]
    assert decode("lorawan-terabee", "02200000001806", 101) == []
    for payload in ("FF0100", "FF8200"):
        assert states(decode("lorawan-terabee", payload, 2)) == [("online", "its counts were set by a downlink")]
    assert decode("lorawan-terabee", "FF01FF", 2) == []  # refused by the device


@pytest.mark.parametrize(
    ("payload", "port"),
    [
        ("0102030405", 255),
        ("0100", 2),
        ("000000C8000001C810", 1),  # a reserved flag
        ("04C9030800A106CD05", 1),  # 9 bytes of Milesight
        ("017564 04CC12001600", 85),
        ("0006070101010101FFFF", 1),  # a zone with more people than in view, on no POC's port
        ("000000C8", 83),
    ],
)
def test_terabee_refuses_what_is_not_its_own(payload: str, port: int) -> None:
    with pytest.raises(Undecodable):
        decode("lorawan-terabee", payload, port)


# Parametric


def test_parametric_extended_payloads_on_any_port() -> None:
    """The published example expects `"1,"` for 1; the format has u16."""
    assert decode("lorawan-parametric", "be010400010002000300041c200ce40139", 14) == [register(3, 4)]
    assert decode("lorawan-parametric", "be010300010002000300041c0ce40139", 1) == [register(3, 4)]


def test_parametric_default_payload_is_a_window_in_any_order() -> None:
    assert decode("lorawan-parametric", "0a0001160002", 14) == [window(1, 2)]
    assert decode("lorawan-parametric", "010139 16ffff 0a0100", 1) == [window(256, 65535)]


@pytest.mark.parametrize(
    ("payload", "firmware"),
    [
        ("be010501030a0000020001000a05a00000000000780128003200c8010700" + "3c040101", "3.10.0"),
        ("be010601030b01" + "00" * 28, "3.11.1"),
        ("be01030102050700000001000a05a000000000" + "3c", "2.5.7"),
        ("be010401020607" + "00" * 24, "2.6.7"),
        ("01020304" + "00" * 10, "2.3.4"),
    ],
)
def test_parametric_configuration(payload: str, firmware: str) -> None:
    [state] = decode("lorawan-parametric", payload, 190)
    assert state == status(firmware=firmware)


@pytest.mark.parametrize("payload", ["0a0001160002ff", "0a0001010139", "0a00010a0002", "be01040001", "160002160002"])
def test_parametric_refuses_other_payloads(payload: str) -> None:
    with pytest.raises(Undecodable):
        decode("lorawan-parametric", payload, 14)


# IMBuildings

VARIANT_6 = "02060004A30B00F6B5690800F80003000220060305E661"


def test_imbuildings_totals_with_header_or_by_port() -> None:
    low = status(reason="the receiver's battery is low")
    assert decode("lorawan-imbuildings", VARIANT_6, 1) == [register(1539, 1510), low]
    assert decode("lorawan-imbuildings", VARIANT_6[20:], 26) == [register(1539, 1510), low]
    assert decode("lorawan-imbuildings", "20060305E6", 27) == [register(1539, 1510), low]
    assert decode("lorawan-imbuildings", "02070004A30B00F6B569" + "00060305E6", 1) == [register(1539, 1510), status()]
    assert decode("lorawan-imbuildings", "0800F820", 28) == [low]
    assert decode("lorawan-imbuildings", "02080004A30B00F6B569" + "0800F880", 9) == [
        status("fault", "the infrared beam is blocked")
    ]


def test_imbuildings_counts_since_the_last_are_windows() -> None:
    assert counts(decode("lorawan-imbuildings", "02050004A30B00F6B569" + "0800F8000300022061", 1)) == [
        ("window", "1", 3, 2)
    ]
    assert counts(decode("lorawan-imbuildings", "0202A1A2A3A4A5A60001F48F030200", 1)) == [("window", "1", 3, 2)]
    assert counts(decode("lorawan-imbuildings", "0203A1A2A3A4A5A60001F48F0003000200", 1)) == [("window", "1", 3, 2)]
    assert counts(decode("lorawan-imbuildings", "20260203103500 0003 0002 00", 24)) == [("window", "1", 3, 2)]


def test_imbuildings_sample_of_a_verticount() -> None:
    facts = read("lorawan-imbuildings", "imbuildings/akenza_verticount_00")
    assert counts(facts) == [("cumulative", "1", 0, 0)]


def test_imbuildings_sample_over_nb_iot_is_of_the_platforms_time() -> None:
    """Its local date without a zone, in BCD, is 25 s ahead of the platform's clock."""
    count, state = read("lorawan-imbuildings", "imbuildings/akenza_peoplecounter_01")
    assert isinstance(count, Count)
    assert (count.kind, count.forward, count.backward, count.end) == ("window", 0, 0, 1675420474.87)
    assert (state.at, state.source) == (1675420474.87, "door")


def test_imbuildings_name_themselves_when_nobody_else_does() -> None:
    facts = ALL["lorawan-imbuildings"].decode(message({"payloadHex": VARIANT_6}), "")
    assert {fact.source for fact in facts} == {"0004a30b00f6b569"}


@pytest.mark.parametrize("payload", ["02060004A30B00", "0204e8eb1b4f131d00010b8fFF2302031035000000000000", "0800F820"])
def test_imbuildings_refuse_other_payloads(payload: str) -> None:
    with pytest.raises(Undecodable):
        decode("lorawan-imbuildings", payload, 26)


# HKT


def test_hkt_totals_and_state() -> None:
    assert decode("lorawan-hkt", "686B740007 07 0078 0096 000000C8 000001C8") == [register(200, 456)]
    assert decode("lorawan-hkt", "686B740001010105") == [status(firmware="5")]
    assert decode("lorawan-hkt", "686B7400030364") == [status(battery=1.0)]
    assert decode("lorawan-hkt", "686B740007 03 62") == [status(battery=0.98)]
    assert decode("lorawan-hkt", "686B7400088301") == [status("fault", "the infrared light fails")]
    assert decode("lorawan-hkt", "686B7400088300") == [status()]
    assert decode("lorawan-hkt", "686B7400098400") == [status("fault", "it was taken from its place")]
    assert decode("lorawan-hkt", "686B7400040401") == decode("lorawan-hkt", "686B7400060607D0") == []


def test_hkt_sample() -> None:
    assert counts(read("lorawan-hkt", "hkt/peoplecounter_01")) == [("cumulative", "1", 200, 200)]


# Paxcounter


@pytest.mark.parametrize(
    ("payload", "seen"),
    [
        ("0700", 7),
        ("07000300", 10),
        ("0700030005000600", 10),
        ("65CA0603 05196F00 0700", 7),
        ("65CA0603 05196F00 0700 0300", 10),
        ("0700 65CA0603 05196F00 05 C600 4200", 7),
        ("0700 0300 65CA0603 05196F00 05 C600 4200", 10),
    ],
)
def test_paxcounter_devices_are_a_state(payload: str, seen: int) -> None:
    assert decode("lorawan-paxcounter", payload, 1) == [
        ZoneCount(at=AT, source=EUI, seen=SEEN, seq=7, zone=EUI, people=seen)
    ]


def test_paxcounter_state_and_the_rest() -> None:
    assert decode("lorawan-paxcounter", "2F01 00000000C04B0300 2D C04B0300 00 00000000", 2) == [status()]
    settings = "090F000078320A1E0000" + b"3.4.1".hex() + "0000000000"
    assert decode("lorawan-paxcounter", settings, 3) == [status(firmware="3.4.1")]
    assert decode("lorawan-paxcounter", "65CA06030519 6F0005C6004200", 4) == []
    assert decode("lorawan-paxcounter", "01", 5) == []


@pytest.mark.parametrize(
    ("payload", "port"),
    [("07000300", 85), ("070003", 1), ("FFFFFF7F 05196F00 0700", 1), ("000000C8000001C8", 1), ("01", 4)],
)
def test_paxcounter_refuses_what_is_not_its_own(payload: str, port: int) -> None:
    with pytest.raises(Undecodable):
        decode("lorawan-paxcounter", payload, port)


# Yosensi

YOSENSI = "026b003d 60001100 0008 60001101 000a 60001302 00000026 60001303 0000004d 60001304 ffffffd9"


def test_yosensi_sums_are_registers_of_the_devices_own_time() -> None:
    [count] = decode("lorawan-yosensi", YOSENSI, 0)
    assert isinstance(count, Count)
    assert (count.kind, count.forward, count.backward, count.at) == ("cumulative", 38, 77, AT - 61)


def test_yosensi_counts_without_sums_are_a_window() -> None:
    [count] = decode("lorawan-yosensi", "026b0000 60051100 0008 60051101 000a")
    assert isinstance(count, Count)
    assert (count.kind, count.forward, count.backward, count.end) == ("window", 8, 10, AT + 5)


def test_yosensi_difference_is_signed_and_no_count() -> None:
    assert decode("lorawan-yosensi", "026b0000 60001304 ffffffd9") == []


def test_yosensi_sample_is_a_heartbeat() -> None:
    assert states(read("lorawan-yosensi", "yosensi/peoplecounter_00")) == [("online", "")]


@pytest.mark.parametrize(
    "payload",
    [
        "026b0000 60001302 ffffffd9 60001303 00000001",  # a negative sum
        "026b0000 60001302 000000",
        "026b0000 6000",
        "026b0000 a40000 01",
        "036b0000 60001100 0008",
    ],
)
def test_yosensi_unreadable(payload: str) -> None:
    with pytest.raises(Undecodable):
        decode("lorawan-yosensi", payload)


# Elsys


def test_elsys_sample_occupancy_2_is_not_two_people() -> None:
    assert [type(fact) for fact in read("lorawan-elsys", "elsys/ers_eye_01")] == [DeviceStatus]


def test_elsys_movements_are_not_people() -> None:
    assert decode("lorawan-elsys", "05011101", 5) == []
    assert decode("lorawan-elsys", "0100e1 0228", 5) == []
    assert decode("lorawan-elsys", "3e0701", 5) == [status()]


@pytest.mark.parametrize(
    ("payload", "port"), [("1103", 5), ("0100e1", 1), ("0a0001160002", 14), ("05", 5), ("110100e1", 1)]
)
def test_elsys_refuses_what_is_not_its_own(payload: str, port: int) -> None:
    with pytest.raises(Undecodable):
        decode("lorawan-elsys", payload, port)


# PiPIoT


def test_pipiot_sample_is_one_register_without_direction() -> None:
    facts = read("lorawan-pipiot", "pipiot/peoplesense_00")
    assert counts(facts) == [("cumulative", "1", 9, 0)]
    assert states(facts) == [("online", "")]


def test_pipiot_kinds_and_its_sensors_fault() -> None:
    assert counts(decode("lorawan-pipiot", "108d 0009 000040080100 01 15")) == [("cumulative", "1", 9, 0)]
    assert counts(decode("lorawan-pipiot", "308d 0009 0014 01 15")) == [("cumulative", "1", 9, 0)]
    assert states(decode("lorawan-pipiot", "008d 0009 0000400801008002")) == [("fault", "its sensor fails")]
    assert states(decode("lorawan-pipiot", "308d 0009 0014 02 15")) == [("fault", "its sensor fails")]
    assert decode("lorawan-pipiot", "2055", 1) == []


@pytest.mark.parametrize(
    "payload", ["0000 0009 0000400801008001", "018d 0009 0000400801008001", "008d0009", "808d0009"]
)
def test_pipiot_refuses_other_payloads(payload: str) -> None:
    with pytest.raises(Undecodable):
        decode("lorawan-pipiot", payload)
