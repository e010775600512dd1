"""Milesight JSON: periods are windows, totals are registers, triggers are not credited. Written from the format."""

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowmon.errors import Undecodable
from flowmon.facts import Count, DeviceStatus, Fact, QueueReading, ZoneCount
from sensors.dialects import milesight, milesight_registers
from sensors.dialects.port import Message
from tests.unit.junk import junk

SAMPLES = Path(__file__).parents[3] / "shared" / "data" / "payloads" / "milesight"
SEEN = 1_777_730_461.0
START, END = 1_777_730_400.0, 1_777_730_460.0
PERIOD = {"start_time": "2026-05-02T14:00:00-00:00", "end_time": "2026-05-02T14:01:00-00:00"}


def decode(payload: object, device: str = "") -> list[Fact]:
    data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return milesight.decode(Message(topic="em/x/status", payload=data, seen=SEEN), device)


def report(**sections: object) -> dict[str, object]:
    return {"device_info": {"device_sn": "6537"}, "time_info": PERIOD} | sections


def periodic(entered: object, left: object, line: object = 1) -> list[object]:
    return [{"line": line, "line_name": "L", "total": {"in": entered, "out": left}, "group": {"in": 9, "out": 9}}]


def sample(name: str) -> bytes:
    path = SAMPLES / name
    if not path.exists():
        pytest.skip("third-party payloads are not beside this checkout")
    return path.read_bytes()


def test_the_published_period_holds_windows_registers_and_a_region() -> None:
    facts = decode(sample("vs125_json_02_periodic.json"))
    counts = [fact for fact in facts if isinstance(fact, Count)]
    assert [(fact.kind, fact.line, fact.forward, fact.backward) for fact in counts] == [
        ("window", "1", 0, 0), ("window", "2", 0, 0), ("cumulative", "1", 0, 0), ("cumulative", "2", 0, 0),
    ]  # fmt: skip
    assert {(fact.source, fact.counter, fact.at) for fact in counts} == {
        ("6384E16179950009", "6384E16179950009", 1717071709.0)
    }
    assert (counts[0].start, counts[0].end) == (1717071649.0, 1717071709.0)
    assert facts[4:] == [
        ZoneCount(at=1717071709.0, seen=SEEN, source="6384E16179950009", zone="region1", people=2),
    ]


def test_the_published_trigger_is_an_event_or_a_register_as_the_route_says() -> None:
    payload = sample("vs125_json_00_line_trigger.json")
    message = Message(topic="x", payload=payload, seen=SEEN)
    counts = [fact for fact in decode(payload) + milesight_registers.decode(message, "") if isinstance(fact, Count)]
    assert [(fact.kind, fact.line, fact.forward, fact.backward) for fact in counts] == [
        ("event", "1", 27, 27), ("event", "3", 27, 27),
        ("cumulative", "1-trigger", 27, 27), ("cumulative", "3-trigger", 27, 27),
    ]  # fmt: skip
    assert {(fact.source, fact.at) for fact in counts} == {("6384E16179950009", 1717071092.0)}


def test_a_trigger_beside_a_period_is_a_kind_of_its_own() -> None:
    told = report(line_periodic_data=periodic(3, 1), line_trigger_data=periodic(1, 0))
    assert [(fact.kind, fact.forward) for fact in decode(told) if isinstance(fact, Count)] == [
        ("window", 3), ("event", 1),
    ]  # fmt: skip


def test_regions_of_a_trigger_are_states_and_people_are_not_kept() -> None:
    dwell = {"duration": 96799, "people_id": 5, "region": 1, "region_name": "Foyer"}
    region = {"region_count_data": [{"region": 1, "region_name": "Foyer", "total": {"current_total": 3}}]}
    [fact] = decode(report(region_trigger_data=region | {"dwell_time_data": [dwell]}))
    assert isinstance(fact, ZoneCount)
    assert (fact.zone, fact.people) == ("foyer", 3)
    assert decode(report(region_trigger_data={"dwell_time_data": [dwell]})) == []


def test_a_total_from_production_with_a_capacity_below_zero() -> None:
    total = {"capacity_counted": -7141, "in_counted": 8442, "out_counted": 15583}
    told = report(line_total_data=[{"line": 4, "line_uuid": "fb79", "total": total}])
    assert decode(told) == [
        Count(at=END, seen=SEEN, source="6537", counter="6537", kind="cumulative", line="4", forward=8442,
              backward=15583)
    ]  # fmt: skip


def test_a_total_without_any_time_happened_when_it_came() -> None:
    told = {"line_total_data": [{"line": 1, "total": {"in_counted": 1, "out_counted": 2}}], "simulated": True}
    [fact] = decode(told, "door-1")
    assert (fact.at, fact.source, fact.simulated) == (SEEN, "door-1", True)


def test_regions_without_a_name_are_numbered_and_dwell_is_not_a_count() -> None:
    regions = {
        "region_count_data": [{"region": 2, "total": {"current_total": 4}}],
        "dwell_time_data": [{"region": 2, "avg_dwell_time": 308367}],
    }
    [fact] = decode(report(region_data=regions))
    assert isinstance(fact, ZoneCount)
    assert (fact.zone, fact.people) == ("region-2", 4)


def test_reports_in_an_array_and_reports_of_the_device_only() -> None:
    assert len(decode([report(line_periodic_data=periodic(1, 0)), report(line_periodic_data=periodic(1, 0))])) == 2
    [alive] = decode({"device_info": {"device_sn": "6537", "running_time": 3, "firmware_version": "V_125"}})
    assert alive == DeviceStatus(at=SEEN, seen=SEEN, source="6537", health="online", firmware="V_125")


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (report(line_periodic_data=periodic(None, 0)), "in is not a number"),
        (report(line_periodic_data=periodic(-1, 0)), "in is not a whole number"),
        (report(line_periodic_data=periodic(1.5, 0)), "in is not a whole number"),
        (report(line_periodic_data=periodic(1, 0, line=None)), "line is not a name"),
        (report(line_periodic_data=periodic(1, 0), time_info={}), "start_time is not a number"),
        (report(line_periodic_data=periodic(1, 0), time_info=PERIOD | {"end_time": PERIOD["start_time"]}), "before"),
        (report(device_info={}, line_periodic_data=periodic(1, 0)), "name the device on its route"),
        ({"hello": 1}, "no device_info"),
        ([3], "report is not a JSON object"),
        ([], "an empty array"),
        ({"device_info": {"mac": "A"}, "data": []}, "no device_info with device_sn"),
        (report(alarm_data=[]), "alarm_data is not read"),
        (b"$GPRMC,081836,A,3751.65,S,14507.36,E", "not JSON"),
    ],
)
def test_bad_input_is_refused_with_a_reason(payload: object, words: str) -> None:
    with pytest.raises(Undecodable, match=words):
        decode(payload)


def test_no_sensor_tells_a_queue() -> None:
    with pytest.raises(ValueError, match="no such device"):
        milesight.encode([QueueReading(at=0.0, source="s", queue="q")], venue="small", device="s")


WORDS = (
    "line_periodic_data line_total_data region_data region_count_data device_info device_sn time_info start_time "
    "end_time time line total in out in_counted out_counted region region_name current_total line_trigger_data"
)


@given(junk(WORDS), st.text(max_size=20))
def test_any_bytes_are_facts_or_undecodable(payload: bytes, topic: str) -> None:
    with contextlib.suppress(Undecodable):
        facts = milesight.decode(Message(topic=topic, payload=payload, seen=SEEN), "")
        assert all(fact.source for fact in facts)
