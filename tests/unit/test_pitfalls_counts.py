"""The pitfall list of the device formats, third line: what counts may look like. One test an item."""

import json
from typing import Any

import pytest

from flowmon.errors import Undecodable
from flowmon.facts import Count, DeviceStatus, Fact, QueueReading, ZoneCount
from flowmon.findings import DeviceState, Rejected
from flowmon.monitor.core import Monitor
from flowmon.venue.model import Counter
from sensors.dialects import DIALECTS
from sensors.dialects.port import Message
from tests.small import T0, cross, run, ticks, venue
from tests.typical import TYPICAL
from tests.unit.pitfalls import GATE, count, gate, live, raw, states, typical
from tests.unit.uplinks import things_stack


def read(dialect: str, payload: bytes, device: str = "door-1") -> list[Fact]:
    return DIALECTS[dialect].decode(Message(topic="t", payload=payload, seen=T0), device)


def uplink(payload: str, port: int, counter: int = 7) -> bytes:
    return json.dumps(things_stack(bytes.fromhex(payload), port, counter)).encode()


def test_counts_falling_cumulative() -> None:
    one = gate(credit="cumulative")
    told = live(one, [count("cumulative", 0, 900), count("cumulative", 60, 5)], 70)
    assert raw(one) == 5
    assert "restarted from 900 to 5" in states(told)[-1].reason


@pytest.mark.parametrize("seconds", [60, 600])
def test_counts_wrap_16_bit(seconds: int) -> None:
    one = gate(credit="cumulative")
    live(one, [count("cumulative", 0, 65_533), count("cumulative", seconds, 4)], seconds + 10)
    assert raw(one) == 7


def test_counts_wrap_32_bit() -> None:
    one = gate(credit="cumulative")
    live(one, [count("cumulative", 0, 2**32 - 3), count("cumulative", 60, 4)], 70)
    assert raw(one) == 7


def test_counts_negative_state() -> None:
    body = json.loads(typical("xovis"))
    record = body["logics_data"]["logics"][0]["records"][0]
    record["counts"] = [{"id": 1, "name": "balance", "value": -3}]
    [fault] = read("xovis", json.dumps(body).encode())
    assert isinstance(fault, DeviceStatus)
    assert fault.health == "fault"
    assert "balance" in fault.reason
    [told] = run(Monitor(venue()), [ZoneCount(at=T0, source="cam", zone="hall", people=-3)])
    assert isinstance(told, Rejected)


def test_counts_0xff_is_not_set() -> None:
    facts = read("lorawan-terabee", uplink("00 05 02 ff 03 ff ff ff ff ff".replace(" ", ""), 83))
    people = [fact.people for fact in facts if isinstance(fact, ZoneCount)]
    assert people == [5, 2, 3]


def test_counts_null() -> None:
    body = json.loads(typical("xovis"))
    logic = body["logics_data"]["logics"][0]
    logic["info"] = "XLT_QUEUE_STATISTICS"
    logic["records"][0]["counts"] = [{"name": "queue-length", "value": 0}, {"name": "queueing-time", "value": None}]
    [fact] = read("xovis", json.dumps(body).encode())
    assert isinstance(fact, QueueReading)
    assert (fact.length, fact.wait_s) == (0, None)
    with pytest.raises(Undecodable):
        read("milesight", typical("milesight").replace(b'"in":3', b'"in":null'))


def test_counts_as_floats() -> None:
    [whole] = read("xovis", typical("xovis").replace(b'"value":3', b'"value":3.0'))
    assert isinstance(whole, Count)
    assert (whole.forward, type(whole.forward)) == (3, int)
    with pytest.raises(Undecodable, match="whole number"):
        read("xovis", typical("xovis").replace(b'"value":3', b'"value":3.4'))


def test_counts_demographic_parts_are_not_added() -> None:
    body = json.loads(typical("xovis"))
    counts = body["logics_data"]["logics"][0]["records"][0]["counts"]
    counts += [{"id": 9, "name": name, "value": 2} for name in ("fw-male", "fw-age", "fw-mask", "fw-view")]
    [fact] = read("xovis", json.dumps(body).encode())
    assert isinstance(fact, Count)
    assert (fact.forward, fact.backward) == (3, 1)
    retail = [fact for fact in read("axis", typical("axis", 1)) if isinstance(fact, Count)]
    assert [(fact.forward, fact.backward) for fact in retail] == [(3, 1)], "adults are a part"
    [child] = [fact for fact in read("hikvision", typical("hikvision")) if isinstance(fact, Count)]
    assert (child.forward, child.backward) == (70, 75)


def crossing(**track: Any) -> list[Fact]:
    body = json.loads(typical("xovis-live"))
    frame = body["live_data"]["frames"][0]
    frame["tracked_objects"][0] |= track
    return read("xovis-live", json.dumps(body).encode())


def test_counts_group_tracks() -> None:
    assert len(crossing()) == 1
    assert crossing(type="GROUP") == []
    body = json.loads(typical("xovis-live"))
    frame = body["live_data"]["frames"][0]
    frame["tracked_objects"] = []
    frame["events"][0]["attributes"]["track_id"] = 2**31 + 7
    assert read("xovis-live", json.dumps(body).encode()) == []


def test_counts_staff_tags() -> None:
    assert crossing(attributes={"tag": "STAFF"}) == []
    assert len(crossing(attributes={"tag": "NO_TAG"})) == 1


@pytest.mark.parametrize("kind", ["event", "window", "cumulative"])
def test_counts_in_and_out_inverted(kind: Any) -> None:
    for invert, people in ((False, 3), (True, -3)):
        one = gate(credit=kind, invert=invert)
        live(one, [count(kind, 1, 0, 0), count(kind, 60, 4, 1)], 70)
        assert raw(one) == people


@pytest.mark.parametrize("invert", [False, True])
def test_counts_of_a_backward_line_are_backward_in_either_field(invert: bool) -> None:
    one = gate(line="Entry", backward_line="Exit", invert=invert)
    facts = [
        count("event", 1, 5, line="Entry"),
        count("event", 2, 0, 2, line="Exit"),
        count("event", 3, 1, line="Exit"),
    ]
    live(one, facts, 10)
    assert raw(one) == (-2 if invert else 2)


def test_counts_of_irisys_out_registers_of_a_backward_line() -> None:
    logs = {"Counts": [{"Name": "Hall Out", "Value": 5}], "LogEntryId": 1, "Timestamp": "2026-05-02T14:00:00Z"}
    later = logs | {"Counts": [{"Name": "Hall Out", "Value": 9}], "LogEntryId": 2, "Timestamp": "2026-05-02T14:00:05Z"}
    facts = [fact for log in (logs, later) for fact in read("irisys", json.dumps({"CountLogs": [log]}).encode(), GATE)]
    one = gate(credit="cumulative", line="Lobby", backward_line="Hall")
    run(one, [*ticks(0, 2), *facts, *ticks(2, 20)])
    assert raw(one) == -4


def test_counts_of_an_event_that_is_a_register_are_refused() -> None:
    one = gate()
    told = live(one, [count("event", 1, 27, 27, seq=1), count("event", 2, 3, 0, seq=2)], 10)
    assert raw(one) == 3
    assert any("look like a register" in f.reason for f in told if isinstance(f, Rejected))
    assert "look like a register" in states(told)[-1].reason
    [trigger] = [f for f in DIALECTS["milesight"].decode(TYPICAL["milesight-registers"][0], "") if isinstance(f, Count)]
    assert (trigger.kind, trigger.forward, trigger.backward) == ("event", 27, 27)


def test_counts_of_lost_uplinks_are_named() -> None:
    one = gate(credit="window")

    def since(seconds: float, number: int) -> Count:
        return Count(
            at=T0 + seconds,
            seen=T0 + seconds,
            source=GATE,
            counter=GATE,
            kind="window",
            seq=number,
            forward=3,
            end=T0 + seconds,
        )

    told = live(one, [since(10, 7), since(70, 8), since(190, 11), since(250, 12)], 260)
    assert raw(one) == 12
    assert "lost uplinks: 2" in states(told)[-1].reason
    again = gate(credit="window")
    told = live(again, [since(10, 7), since(70, 8), since(130, 9)], 260)
    assert not any("uplinks" in state.reason for state in states(told))


def test_counts_of_an_uplink_that_tells_only_what_passed_have_its_number() -> None:
    facts = read("lorawan-milesight", uplink("05CC03000100", 85, 41))
    [fact] = [fact for fact in facts if isinstance(fact, Count)]
    assert (fact.kind, fact.seq, fact.start, fact.forward, fact.backward) == ("window", 41, 0.0, 3, 1)


def test_counts_of_two_sensors_on_one_door() -> None:
    both = Monitor(venue(counters={name: Counter(portal="gate", towards="hall") for name in "ab"}))
    told = run(both, [*ticks(0, 3), *(cross(name, 2.5, 1, 6) for name in "ab"), *ticks(3, 310)])
    assert raw(both) == 6
    assert not any("disagrees" in state.reason for state in told if isinstance(state, DeviceState))


@pytest.mark.parametrize(("unit", "seconds"), [("seconds", 120.0), ("ms", 0.12), ("minutes", 7_200.0), (None, 120.0)])
def test_counts_unit_aliases(unit: str | None, seconds: float) -> None:
    body = json.loads(typical("xovis"))
    logic = body["logics_data"]["logics"][0]
    logic["info"] = "XLT_QUEUE_STATISTICS"
    wait = {"name": "queueing-time", "value": 120} | ({"unit": unit} if unit else {})
    logic["records"][0]["counts"] = [{"name": "queue-length", "value": 4}, wait]
    [fact] = read("xovis", json.dumps(body).encode())
    assert isinstance(fact, QueueReading)
    assert fact.wait_s == pytest.approx(seconds)
    wait["unit"] = "fortnights"
    with pytest.raises(Undecodable, match="unknown unit"):
        read("xovis", json.dumps(body).encode())
