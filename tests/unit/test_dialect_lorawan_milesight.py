"""Milesight over LoRaWAN: payloads whose meaning is worked out from the maker's tables, and third parties' samples."""

import pytest

from flowmon.errors import Undecodable
from flowmon.facts import Count, DeviceStatus, ZoneCount
from sensors.dialects.port import Unwanted
from tests.unit.uplinks import AT, EUI, SEEN, counts, decode, read, register, states, status, window, zones

CODEC = "lorawan-milesight"


def hear(payload: str, port: int = 85) -> list[tuple[str, str, int, int]]:
    return counts(decode(CODEC, payload, port))


# samples


def test_vs135_sample_totals_of_four_lines() -> None:
    assert counts(read(CODEC, "milesight/lorawan_vs135_00")) == [
        ("cumulative", "1", 72, 200),
        ("cumulative", "2", 0, 0),
        ("cumulative", "3", 0, 0),
        ("cumulative", "4", 5300, 6797),
    ]


def test_vs132_sample_tells_its_total_once_beside_its_period() -> None:
    facts = read(CODEC, "milesight/lorawan_vs132_00")
    assert counts(facts) == [("cumulative", "1", 190, 305)]
    [state] = [fact for fact in facts if isinstance(fact, DeviceStatus)]
    assert state.firmware == "132.1.0.1"


def test_vs133_sample_periods_alone_are_windows() -> None:
    facts = read(CODEC, "milesight/lorawan_vs133_01")
    assert counts(facts) == [("window", "1", 0, 0), ("window", "2", 0, 0), ("window", "3", 0, 0), ("window", "4", 5, 7)]


def test_vs133_sample_regions_are_states() -> None:
    facts = read(CODEC, "milesight/lorawan_vs133_03")
    assert zones(facts) == {"door-region-1": 2, "door-region-2": 16, "door-region-3": 7, "door-region-4": 9}


def test_vs350_sample_alarmed_totals_are_counts_and_no_fault() -> None:
    facts = read(CODEC, "milesight/lorawan_vs350_00")
    assert counts(facts) == [("cumulative", "1", 0x1101, 0x1108)]
    assert not states(facts)


def test_vs350_sample_with_its_own_time_and_battery() -> None:
    count, state = read(CODEC, "milesight/lorawan_vs350_02")
    assert isinstance(count, Count)
    assert (count.kind, count.forward, count.backward, count.at, count.end) == ("window", 1, 1, 0x6A47AECC, 0x6A47AECC)
    assert isinstance(state, DeviceStatus)
    assert (state.health, state.battery) == ("online", 1.0)


def test_vs360_sample_alarms_are_a_fault_and_a_released_one_is_none() -> None:
    [(health, reason)] = states(read(CODEC, "milesight/lorawan_vs360_01"))
    assert (health, reason) == ("fault", "the other half does not answer, the halves are misaligned")


def test_vs121_sample_period_is_a_window() -> None:
    assert counts(read(CODEC, "milesight/lorawan_vs121_02")) == [("window", "1", 2, 1)]


def test_vs121_sample_serial_number_is_a_heartbeat() -> None:
    assert states(read(CODEC, "milesight/lorawan_vs121_00")) == [("online", "")]


def test_vs121_sample_flows_are_lines_between_sides() -> None:
    facts = read(CODEC, "milesight/lorawan_vs121_04")
    assert counts(facts) == [("window", "a-a", 256, 0), ("window", "a-b", 512, 0), ("window", "c-d", 4608, 0)]


# all channels


def test_totals_beside_periods_and_state() -> None:
    facts = decode(CODEC, "FF1F84010001 03D2BE000000 04D231010000 05CC05000600 017562")
    assert facts == [register(190, 305), status(firmware="132.1.0.1", battery=0.98)]


@pytest.mark.parametrize("payload", ["04CC12001600 05CC13001400", "84CC1200160001 85CC1300140001", "0DCC12001600"])
def test_short_totals(payload: str) -> None:
    assert decode(CODEC, payload, device="door") == [register(18, 22, device="door")]


def test_a_line_without_a_total_has_its_window() -> None:
    assert hear("03D248000000 04D2C8000000 05CC01000200 0ECC05000700") == [
        ("cumulative", "1", 72, 200),
        ("window", "4", 5, 7),
    ]
    assert decode(CODEC, "85CC0500070001") == [window(5, 7)]


def test_children_are_part_of_the_totals() -> None:
    assert hear("03D248000000 04D2C8000000 11D205000000 12D206000000 13CC01000100") == [("cumulative", "1", 72, 200)]


def test_flows_both_ways_are_one_line_and_half_a_pair_is_none() -> None:
    flows = "09DA0000 0300 0000 0000 0ADA0200 0000 0000 0000"
    assert hear(flows) == [("window", "a-b", 3, 2)]
    assert hear("09DA0000 0300 0000 0000") == []


def test_people_in_view_are_the_devices_own_zone_and_region_bits_are_not_people() -> None:
    assert decode(CODEC, "04C9030800A1 06CD05", device="salle-711") == [
        ZoneCount(at=AT, source="salle-711", seen=SEEN, seq=7, zone="salle-711", people=3)
    ]


def test_sixteen_regions() -> None:
    found = zones(decode(CODEC, "07D50001000000000003 08D50100000000000000"))
    assert len(found) == 16
    assert {zone: people for zone, people in found.items() if people} == {
        f"{EUI}-region-2": 1,
        f"{EUI}-region-8": 3,
        f"{EUI}-region-9": 1,
    }


def test_early_vs121_firmware_of_four_bytes_does_not_lose_the_people_behind_it() -> None:
    """Actility's own expectation stops at the hardware version; the format goes on to 3 people, 2 in and 1 out."""
    payload = "FF0101 FF08660012345678 FF090100 FF0A1F07004B 04C903030002 05CC02000100 06CD05"
    facts = decode(CODEC, payload, port=100)
    assert counts(facts) == [("window", "1", 2, 1)]
    assert zones(facts) == {EUI: 3}
    assert facts[-1] == status(firmware="31.7.0.75")


def test_firmware_of_two_bytes_and_serial_numbers_of_two_lengths() -> None:
    assert decode(CODEC, "FF0A0110 04CC12001600") == [register(18, 22), status(firmware="1.10")]
    assert decode(CODEC, "FF086600123456789999 FF090100") == [status()]
    assert decode(CODEC, "FF08660012345678 FF090100") == [status()]


def test_people_alone_cut_to_one_byte() -> None:
    """Actility's vector of an early VS121."""
    assert zones(decode(CODEC, "04C903")) == {EUI: 3}


def test_a_device_clock_is_the_time_of_its_counts() -> None:
    [fact] = decode(CODEC, "0AEFFF3DF164 04CC12001600")
    assert fact.at == 1693531647.0
    [fact] = decode(CODEC, "0F85FF3DF164 05CC02000100")
    assert isinstance(fact, Count)
    assert (fact.at, fact.end, fact.start) == (1693531647.0, 1693531647.0, 0.0)


def test_the_lower_of_two_batteries_is_told() -> None:
    assert decode(CODEC, "017564 02750A") == [status(battery=0.1)]


def test_occlusion_and_heat_are_faults() -> None:
    assert states(decode(CODEC, "50FC000101")) == [("fault", "the lens of node 1 is covered")]
    assert states(decode(CODEC, "50FC000100")) == [("online", "")]
    assert states(decode(CODEC, "8367500103")) == [("fault", "it is too hot")]
    assert states(decode(CODEC, "83673E0104")) == [("online", "")]


def test_temperature_sensitivity_and_presence_say_nothing_of_people() -> None:
    assert decode(CODEC, "03670C01") == []
    assert decode(CODEC, "81EE43") == []
    assert decode(CODEC, "030001 040001") == []  # VS370: somebody is there, and it is bright
    with pytest.raises(Undecodable):
        decode(CODEC, "030001 040001", port=1)


def test_answers_to_downlinks_say_nothing_but_a_remote_reset_is_told() -> None:
    assert decode(CODEC, "FE03B004") == []
    assert decode(CODEC, "FF6801 FF6A001E00") == []
    assert decode(CODEC, "F910000000") == []
    assert states(decode(CODEC, "FF51FF")) == [("online", "its totals were cleared by a downlink")]


@pytest.mark.parametrize(
    "payload", ["10E40109101121", "06CD05", "1DE300000000", "03D248000000", "20CEFF3DF1640648000000"]
)
def test_what_no_fact_can_hold_is_not_kept(payload: str) -> None:
    with pytest.raises(Unwanted):
        decode(CODEC, payload)


def test_an_unknown_channel_keeps_what_was_read_and_says_so() -> None:
    count, state = decode(CODEC, "04CC12001600 77770102")
    assert count == register(18, 22)
    assert isinstance(state, DeviceStatus)
    assert (state.health, "7777" in state.reason) == ("online", True)


@pytest.mark.parametrize("payload", ["7777", "04", "04CC1200", "20CE", "20CE7B3AF16477", "F900", "FE"])
def test_unreadable(payload: str) -> None:
    with pytest.raises(Undecodable):
        decode(CODEC, payload)


# history


def then(forward: int, backward: int, at: float = 1693531647.0, line: str = "1") -> Count:
    return Count(
        at=at,
        source=EUI,
        seen=SEEN,
        historical=True,
        counter=EUI,
        kind="cumulative",
        line=line,
        forward=forward,
        backward=backward,
    )


def test_history_is_of_its_own_time_and_told_as_such() -> None:
    early, late = decode(CODEC, "20CE7B3AF164000B000400 20CEFF3DF16401070002001D000800")
    assert isinstance(early, Count)
    assert (early.kind, early.forward, early.backward, early.at, early.historical) == (
        "window",
        11,
        4,
        1693530747,
        True,
    )
    assert late == then(29, 8)


def test_history_is_the_same_fact_in_whichever_uplink_it_comes() -> None:
    again = decode(CODEC, "04CC12001600 20CEFF3DF16401070002001D000800")
    assert again == [register(18, 22), then(29, 8)]


def test_history_of_vs13x_lines_and_regions() -> None:
    halves = "20CEFF3DF1640648000000 20CEFF3DF16407C8000000"
    assert decode(CODEC, halves) == [then(72, 200, line="2")]
    facts = decode(CODEC, "20CEFF3DF164 05 03000400 20CEFF3DF164 0F 02100709 20CEFF3DF164 10 010900")
    assert counts(facts) == [("window", "1", 3, 4)]
    assert zones(facts)[f"{EUI}-region-2"] == 16
    assert all(fact.historical for fact in facts)


def test_history_of_a_vs121_is_known_by_its_lengths() -> None:
    facts = decode(CODEC, "20CEFF3DF164 01 03030002 20CEFF3DF164 02 02000100 20CEFF3DF164 05 01020304")
    assert counts(facts) == [("window", "1", 2, 1)]
    assert zones(facts) == {
        EUI: 3,
        f"{EUI}-region-5": 1,
        f"{EUI}-region-6": 2,
        f"{EUI}-region-7": 3,
        f"{EUI}-region-8": 4,
    }
    assert counts(decode(CODEC, "20CEFF3DF164 10 1D000800 20CEFF3DF164 03 05")) == [("cumulative", "1", 29, 8)]
