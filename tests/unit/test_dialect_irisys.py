"""Irisys Vector: changes, registers, heartbeats. Written from the format."""

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowmon.errors import Undecodable
from flowmon.facts import Count, DeviceStatus, Fact, identity
from sensors.dialects import irisys
from sensors.dialects.port import Message, Unwanted
from tests.unit.junk import junk

SAMPLES = Path(__file__).parents[3] / "shared" / "data" / "payloads" / "irisys"
SEEN = 1_777_730_461.0
AT = 1_777_730_400.0
WHEN = "2026-05-02T14:00:00+0000"


def decode(payload: object, device: str = "door-1") -> list[Fact]:
    data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return irisys.decode(Message(topic="irisys/1/x", payload=data, seen=SEEN), device)


def sample(name: str) -> bytes:
    path = SAMPLES / name
    if not path.exists():
        pytest.skip("third-party payloads are not beside this checkout")
    return path.read_bytes()


def change(register: str, value: object = 1, t: object = WHEN) -> dict[str, object]:
    return {"register": register, "value": value, "t": t}


def lines(facts: list[Fact]) -> list[tuple[str, str, int, int]]:
    return [(fact.kind, fact.line, fact.forward, fact.backward) for fact in facts if isinstance(fact, Count)]


def test_the_published_changes_have_an_impossible_date() -> None:
    # the specification prints a 91st of February: the changes are right, their time is not
    *changes, fault = decode(sample("vector_mqtt_counts_from_spec_v3.json"))
    assert [(f.kind, f.line, f.forward, f.backward, f.at, f.seq) for f in changes if isinstance(f, Count)] == [
        ("event", "MainEntrance", 1, 0, SEEN, 0),
        ("event", "MainEntrance", 0, 1, SEEN, 1),
        ("event", "MainEntrance", 1, 0, SEEN, 2),
    ]
    assert isinstance(fault, DeviceStatus)
    assert (fault.health, fault.at) == ("fault", SEEN)


def test_the_published_status() -> None:
    assert decode(sample("vector_mqtt_status_connected.json")) == [
        DeviceStatus(at=SEEN, seen=SEEN, source="door-1", health="online")
    ]
    assert decode({"status": "disconnected"}) == [DeviceStatus(at=SEEN, seen=SEEN, source="door-1", health="offline")]


def test_nobody_passing_is_a_heartbeat() -> None:
    assert decode([]) == [DeviceStatus(at=SEEN, seen=SEEN, source="door-1", health="online")]


@pytest.mark.parametrize(
    ("register", "line", "forward"),
    [
        ("MainEntranceIn", "MainEntrance", True), ("MainEntranceOut", "MainEntrance", False),
        ("north door - exit", "north door", False), ("NORTH_IN", "NORTH", True), ("Enter", "1", True),
        ("Exit", "1", False), ("Line 1", "Line 1", True), ("Main", "Main", True), ("MAIN", "MAIN", True),
        ("cabin", "cabin", True), ("Layout", "Layout", True),
    ],
)  # fmt: skip
def test_directions_of_registers(register: str, line: str, forward: bool) -> None:
    assert lines(decode([change(register, 3)])) == [("event", line, 3 if forward else 0, 0 if forward else 3)]


def test_changes_of_one_second_are_not_taken_for_repeats() -> None:
    told = [change("DoorIn"), change("DoorIn"), change("DoorOut")]
    assert len({identity(fact) for fact in decode(told)}) == 3
    assert [identity(fact) for fact in decode(told)] == [identity(fact) for fact in decode(told)]


def test_live_counts_are_registers_and_their_directions_one_line() -> None:
    told = {"counts": [{"name": "Enter", "count": 12}, {"name": "Exit", "count": 9}]}
    assert decode(told) == [
        Count(at=SEEN, seen=SEEN, source="door-1", counter="door-1", kind="cumulative", forward=12, backward=9)
    ]


def test_count_logs_are_numbered_registers() -> None:
    counts = [
        {"Name": "Line 1", "RegisterId": 0, "Tags": ["direction=IN"], "Value": 72, "LogPeriodValue": 0},
        {"Name": "Line 2", "RegisterId": 1, "Tags": ["direction=OUT"], "Value": 76, "RegisterType": "Custom"},
        {"Name": "Hall", "RegisterId": 2, "RegisterType": "Zone", "Value": 5},
    ]
    clock = {"ClockChangedFrom": "2026-05-02T13:00:00Z", "Timestamp": "2026-05-02T14:00:00Z"}
    log = {"Counts": counts, "LogEntryId": 5360, "Timestamp": "2026-05-02T14:00:00Z"}
    facts = decode({"CountLogs": [clock, log], "FriendlyDeviceSerial": "V4D-1"}, "")
    assert lines(facts) == [("cumulative", "Line 1", 72, 0), ("cumulative", "Line 2", 0, 76)]
    assert {(fact.source, fact.at, fact.seq) for fact in facts} == {("V4D-1", AT, 5360)}


@pytest.mark.parametrize("payload", [b"\x00", b"\x01" + bytes(8) + bytes(15)])
def test_positions_are_not_kept(payload: bytes) -> None:
    with pytest.raises(Unwanted):
        decode(payload)


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        ([change("DoorIn", -1)], "value is not a whole number"),
        ([change("DoorIn", "1")], "value is not a number"),
        ([change("")], "register is not a name"),
        ([change("DoorIn", 1, "2026-05-02T14:00:00")], "t is not a time"),
        ({"counts": [{"name": "A", "count": 1}, {"name": "A", "count": 2}]}, "name of its own"),
        ({"CountLogs": [{"Counts": [], "Timestamp": WHEN}]}, "LogEntryId is not a number"),
        ({"status": "warm"}, "no counts"),
        ({"status": []}, "no counts"),
        (3, "body is not a JSON object"),
        (b"", "not JSON"),
    ],
)
def test_bad_input_is_refused_with_a_reason(payload: object, words: str) -> None:
    with pytest.raises(Undecodable, match=words):
        decode(payload)


def test_a_message_of_nobody_says_what_to_do() -> None:
    with pytest.raises(Undecodable, match="name it on its route"):
        decode([change("DoorIn")], "")


def test_a_log_with_periods_yields_the_window_too() -> None:
    row = {"LogPeriodValue": 1, "Name": "Line 1", "RegisterId": 0, "RegisterType": "Line", "Tags": ["direction=IN"]}
    log = {"Counts": [row | {"Value": 4}], "LogEntryId": 3994, "StartTimestamp": "2026-05-02T14:00:00Z"}
    body = {"CountLogs": [{"ClockChangedFrom": WHEN, "Timestamp": WHEN}, log | {"Timestamp": "2026-05-02T14:01:00Z"}]}
    facts = [fact for fact in decode(body | {"FriendlyDeviceSerial": "V4D-1"}) if isinstance(fact, Count)]
    assert [(fact.kind, fact.line, fact.forward, fact.start, fact.at) for fact in facts] == [
        ("cumulative", "Line 1", 4, 0.0, 1_777_730_460.0), ("window", "Line 1", 1, 1_777_730_400.0, 1_777_730_460.0),
    ]  # fmt: skip


def test_binary_that_is_no_positions_is_refused() -> None:
    for payload in (b"\x01" + bytes(15), b"\x00" + bytes(7), bytes.fromhex("000000c8000001c800")):
        with pytest.raises(Undecodable) as refused:
            decode(payload)
        assert not isinstance(refused.value, Unwanted)


def test_no_counter_tells_a_fault() -> None:
    with pytest.raises(ValueError, match="no such device"):
        irisys.encode([DeviceStatus(at=0.0, source="s", health="fault")], venue="small", device="s")


WORDS = "register value t counts name count CountLogs Counts LogEntryId Timestamp Name Value Tags status In"


@given(junk(WORDS), st.text(max_size=20))
def test_any_bytes_are_facts_or_undecodable(payload: bytes, topic: str) -> None:
    with contextlib.suppress(Undecodable):
        facts = irisys.decode(Message(topic=topic, payload=payload, seen=SEEN), "d")
        assert all(fact.source for fact in facts)
