"""Axis: object analytics, Retail Data push, and the totals of older counters. Expectations are from the formats."""

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowmon.errors import Undecodable
from flowmon.facts import Count, Fact, ZoneCount
from sensors.dialects import axis
from sensors.dialects.port import Message, Unwanted
from tests.unit.junk import junk

SAMPLES = Path(__file__).parents[3] / "shared" / "data" / "payloads" / "axis"
SEEN = 1_777_730_461.0
TAIL = "CameraApplicationPlatform/ObjectAnalytics/Device1Scenario1"
PLAIN = f"axis/B8A44F000001/event/{TAIL}"
SERIAL = "B8A44F000001"


def decode(payload: object, topic: str = PLAIN, device: str = "") -> list[Fact]:
    data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return axis.decode(Message(topic=topic, payload=data, seen=SEEN), device)


def event(**data: object) -> dict[str, object]:
    return {"timestamp": 1_777_730_460_250, "message": {"source": {}, "key": {}, "data": data}}


def sample(name: str) -> bytes:
    path = SAMPLES / name
    if not path.exists():
        pytest.skip("third-party payloads are not beside this checkout")
    return path.read_bytes()


def test_the_published_crossline_event() -> None:
    assert decode(sample("aoa_crossline_01.json"), "any/topic") == [
        Count(
            at=1670519332.535, seen=SEEN, source="0123456789AB", counter="0123456789AB", kind="cumulative",
            line="Device1Scenario1", forward=0,
        )
    ]  # fmt: skip


def test_the_published_retail_push() -> None:
    name = "retail_data_00_the_axis_people_counter_event_payload.json"
    assert decode(sample(name), "shop/door") == [
        Count(
            at=1747901700.0, seen=SEEN, source="B8A44FA89C85", counter="B8A44FA89C85", kind="window",
            forward=1, backward=2, start=1747901640.0, end=1747901700.0,
        )
    ]  # fmt: skip


@pytest.mark.parametrize(
    "topic",
    [
        PLAIN,
        f"axis/B8A44F000001/event/tns:axis/{TAIL}",
        f"museum/hall/B8A44F000001/event/tns:axis/{TAIL}/$source/channel/1",
        f"axis/b8-a4-4f-00-00-01/event/{TAIL}",
    ],
)
def test_namespaces_on_and_off_and_source_levels(topic: str) -> None:
    [fact] = decode(event(startTime="2026-05-01T00:00:00Z", reason="human", total="12", totalHuman="9"), topic)
    assert isinstance(fact, Count)
    assert (fact.source, fact.line, fact.kind) == (SERIAL, "Device1Scenario1", "cumulative")
    assert (fact.forward, fact.backward) == (9, 0)
    assert fact.at == 1_777_730_460.25


def test_a_camera_that_does_not_tell_people_from_cars() -> None:
    [fact] = decode(event(startTime="2026-05-01T00:00:00Z", total="12"))
    assert isinstance(fact, Count)
    assert fact.forward == 12


def test_a_scenario_of_cars_counts_no_people() -> None:
    for data in ({"startTime": "x", "total": "5", "totalCar": "5"}, {"total": "5", "car": "5"}):
        with pytest.raises(Unwanted, match="no people"):
            decode(event(**data))
    [alone] = decode(event(totalHuman=3))
    assert isinstance(alone, Count)
    assert alone.forward == 3


def test_scenarios_are_lines_and_the_payload_may_name_them() -> None:
    told = event(startTime="x", total="1") | {
        "topic": "axis:CameraApplicationPlatform/ObjectAnalytics/Device1Scenario3"
    }
    [third] = decode(told, "free/topic", "door-1")
    [other] = decode(event(startTime="x", total="1"), PLAIN.replace("Device1", "Device2"))
    assert isinstance(third, Count)
    assert isinstance(other, Count)
    assert (third.source, third.line, other.line) == ("door-1", "Device1Scenario3", "Device2Scenario1")


def test_occupancy_in_area_is_a_state() -> None:
    assert decode(event(total="5", human="3", car="2")) == [
        ZoneCount(at=1_777_730_460.25, seen=SEEN, source=SERIAL, zone="b8a44f000001-device1scenario1", people=3)
    ]


@pytest.mark.parametrize("topic", [PLAIN.replace("Scenario1", "ScenarioANY"), f"{PLAIN}Interval", f"{PLAIN}Threshold"])
def test_what_repeats_a_scenario_is_left_out(topic: str) -> None:
    with pytest.raises(Unwanted):
        decode(event(startTime="x", total="1"), topic)


def test_an_alarm_of_a_scenario_is_no_count() -> None:
    with pytest.raises(Unwanted):
        decode(event(active="1", classTypes="human", objectId="370312"))


def test_other_events_of_the_camera_say_nothing() -> None:
    topic = "axis/B8A44F000001/event/tns:onvif/Device/tns:axis/IO/Port/$source/port/1"
    assert decode(event(state="1"), topic) == []


def test_simulated_travels_in_the_payload() -> None:
    [fact] = decode(event(startTime="x", total="1") | {"simulated": True})
    assert fact.simulated


def test_older_totals() -> None:
    polled = {"serial": "00408CAC512B", "name": "Exit south", "timestamp": "20170503112756", "in": 12, "out": 318}
    assert decode(polled, "counter/south") == [
        Count(at=SEEN, seen=SEEN, source="00408CAC512B", counter="00408CAC512B", kind="cumulative",
              forward=12, backward=318)
    ]  # fmt: skip
    totals = {
        "occupancy": 15, "serial": "00:40:8c:ac:51:2b", "timestamp": "2026-05-02T16:00:00+02:00",
        "total_in": 100, "total_out": 85,
    }  # fmt: skip
    assert decode(totals, "counter/south") == [
        Count(at=1_777_730_400.0, seen=SEEN, source="00408CAC512B", counter="00408CAC512B", kind="cumulative",
              forward=100, backward=85),
        ZoneCount(at=1_777_730_400.0, seen=SEEN, source="00408CAC512B", zone="00408cac512b", people=15),
    ]  # fmt: skip
    assert len(decode(totals | {"occupancy": -2})) == 1


def retail(*items: dict[str, object], start: str = "2026-05-02T14:00:00Z", kind: str = "people-counts") -> object:
    period = {"utcFrom": start, "utcTo": "2026-05-02T14:01:00Z"}
    data = period | {"measurements": [period | {"kind": kind, "items": list(items)}]}
    return {"apiName": "Axis Retail Data", "data": data, "sensor": {"serial": "b8a44f000001", "timezone": "X/Y"}}


def test_adults_are_a_part_of_the_count_and_other_measurements_are_not_counts() -> None:
    [fact] = decode(retail({"direction": "in", "count": 4, "adults": 3}, {"direction": "out", "count": 0}))
    assert isinstance(fact, Count)
    assert (fact.forward, fact.backward) == (4, 0)
    assert decode(retail(kind="queue")) == []


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (event(startTime="x", total="-1"), "total is not a whole number"),
        (event(startTime="x", total="1e3"), "total is not a whole number"),
        (event(startTime="x", total="٣"), "total is not a whole number"),
        (event(startTime="x", total=None), "total is not a number"),
        (event(startTime="x", total="1") | {"timestamp": "soon"}, "timestamp is not a number"),
        (retail({"direction": "in", "count": 1}, {"direction": "in", "count": 1}), "once each"),
        (retail(), "directions in and out"),
        (retail({"direction": "up", "count": 1}), "directions in and out"),
        (
            retail({"direction": "in", "count": 1}, {"direction": "out", "count": 0}, start="2026-05-02T14:01:00Z"),
            "begin before it ends",
        ),
        ({"message": 3}, "message is not a JSON object"),
        ({"hello": 1}, "axis: no object analytics"),
        (b"$GPGGA,1", "not JSON"),
        (b"", "not JSON"),
    ],
)
def test_bad_input_is_refused_with_a_reason(payload: object, words: str) -> None:
    with pytest.raises(Undecodable, match=words):
        decode(payload)


def test_a_message_of_nobody_says_what_to_do() -> None:
    with pytest.raises(Undecodable, match="name the device on its route"):
        decode(event(startTime="x", total="1"), TAIL)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        ({"scenario": "Door", "resetTime": "2026-05-01T00:00:00Z", "total": "3"}, Count),
        ({"scenario": "Door", "total": "3", "totalBike": "0", "totalOtherVehicle": "0", "totalHuman": "3"}, Count),
        ({"scenario": "Door", "reason": "human", "total": "3"}, Count),
        ({"scenario": "Crossline", "total": "3"}, Count),
        ({"scenario": "Crossline", "total": "5", "human": "3", "bike": "2", "otherVehicle": "0"}, ZoneCount),
        ({"scenario": "numberOfOccupants", "total": "3"}, ZoneCount),
        ({"total": "3"}, ZoneCount),
    ],
)
def test_the_fields_of_a_scenario_say_what_it_counts(data: dict[str, object], kind: type[Fact]) -> None:
    [fact] = decode(event(**data))
    assert isinstance(fact, kind)
    assert (fact.forward if isinstance(fact, Count) else fact.people if isinstance(fact, ZoneCount) else 0) == 3


def test_several_measurements_and_a_time_zone_in_either_spelling() -> None:
    body = json.loads(json.dumps(retail({"direction": "in", "count": 4}, {"direction": "out", "count": 2})))
    first = body["data"]["measurements"][0]
    body["data"]["measurements"].append(first | {"utcFrom": "2026-05-02T14:01:00Z", "utcTo": "2026-05-02T14:02:00Z"})
    body["sensor"] |= {"timeZone": "Europe/Zurich"}
    ends = [fact.end - fact.start for fact in decode(body) if isinstance(fact, Count)]
    assert ends == [60.0, 60.0]


@pytest.mark.parametrize(
    "body",
    [
        {"message": {"source": {}, "key": {}, "data": {"total": "1"}}},
        {"message": {"text": "hello"}},
        {"in": 1, "out": 2},
        {"in": 1, "out": 2, "timestamp": 1_777_730_460},
    ],
)
def test_what_no_camera_sent_is_refused(body: object) -> None:
    with pytest.raises(Undecodable):
        decode(body, "other/topic", "door-1")


def test_no_camera_counts_events() -> None:
    with pytest.raises(ValueError, match="no such device"):
        axis.encode([Count(at=0.0, source="s", counter="s", kind="event")], venue="small", device="s")


WORDS = (
    "message data source timestamp serial total totalHuman human startTime apiName sensor measurements kind items "
    "direction count utcFrom utcTo in out total_in total_out topic people-counts"
)


@given(junk(WORDS), st.sampled_from([PLAIN, "", "/", "event"]))
def test_any_bytes_are_facts_or_undecodable(payload: bytes, topic: str) -> None:
    with contextlib.suppress(Undecodable):
        assert all(fact.source for fact in axis.decode(Message(topic=topic, payload=payload, seen=SEEN), ""))
