"""Xovis live data and the legacy pushes: one person is one crossing. Written from the format."""

import contextlib
import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowmon.errors import Undecodable
from flowmon.facts import Count, DeviceStatus, Fact, QueueReading, ZoneCount
from sensors.dialects import xovis, xovis_legacy, xovis_live
from sensors.dialects.port import Message, Unwanted
from tests.unit.junk import junk

SAMPLES = Path(__file__).parents[3] / "shared" / "data" / "payloads" / "xovis"
SEEN = 1_777_730_461.0
START, END = 1_777_730_400.0, 1_777_730_460.0


def live(payload: object, device: str = "door-1") -> list[Fact]:
    data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return xovis_live.decode(Message(topic="xovis/x", payload=data, seen=SEEN), device)


def legacy(payload: object, device: str = "door-1") -> list[Fact]:
    data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return xovis_legacy.decode(Message(topic="xovis/x", payload=data, seen=SEEN), device)


def sample(name: str) -> bytes:
    path = SAMPLES / name
    if not path.exists():
        pytest.skip("third-party payloads are not beside this checkout")
    return path.read_bytes()


def crossing(track: object, way: str = "FORWARD", line: object = 2, kind: str = "LINE_CROSS_") -> dict[str, object]:
    attributes = {"track_id": track, "geometry_id": line, "geometry_type": "LINE"}
    return {"category": "SCENE", "type": kind + way, "attributes": attributes}


def frame(*events: object, objects: Sequence[object] = (), **fields: object) -> dict[str, object]:
    told = {"framenumber": 1, "time": START * 1000 + 250, "tracked_objects": list(objects), "events": list(events)}
    return {"live_data": {"frames": [told | fields]}}


def person(track: int, kind: str = "PERSON", **attributes: object) -> dict[str, object]:
    return {"track_id": track, "type": kind, "position": [0, 0, 1.7], "attributes": attributes}


def ways(facts: list[Fact]) -> list[tuple[int, int]]:
    return [(fact.forward, fact.backward) for fact in facts if isinstance(fact, Count)]


def test_the_published_crossing() -> None:
    assert live(sample("v5_00_the_xovis_v5_event_payload.json")) == [
        Count(at=1645780665.47, seen=SEEN, source="door-1", counter="door-1", kind="event", line="2",
              backward=1, seq=981)
    ]  # fmt: skip


def test_the_published_package_tells_four_people_and_their_groups() -> None:
    facts = live(sample("v5_04_the_xovis_v5_periodic_live_data_payload.json"))
    assert ways(facts) == [(0, 1), (0, 1), (1, 0), (1, 0)]
    assert [fact.at for fact in facts] == [1645797259.355, 1645797265.115, 1645797287.595, 1645797293.835]


def test_the_published_frame_without_crossings_says_nothing() -> None:
    assert live(sample("v5_06_the_xovis_v5_addons_payload.json")) == []


def test_counts_of_logics_are_not_added_to_the_crossing() -> None:
    increment = {"category": "COUNT", "type": "COUNT_INCREMENT", "attributes": {"counter_value": 99, "track_id": 4}}
    assert ways(live(frame(crossing(4), increment, objects=[person(4)]))) == [(1, 0)]


@pytest.mark.parametrize(
    "other",
    [
        person(4, "GROUP"),
        person(4, "BICYCLE"),
        person(4, "PRAM"),
        person(4, tag="TAG"),
        person(4, "GROUP", tag="NO_TAG"),
    ],
)
def test_groups_things_and_staff_are_not_visitors(other: object) -> None:
    assert live(frame(crossing(4), objects=[other])) == []


@pytest.mark.parametrize("visitor", [person(4), person(4, "WHEELCHAIR"), person(4, tag="NO_TAG", gender="FEMALE")])
def test_people_are_visitors(visitor: object) -> None:
    assert ways(live(frame(crossing(4), objects=[visitor]))) == [(1, 0)]


def test_tracks_that_are_not_listed() -> None:
    assert ways(live(frame(crossing(4), crossing(2**31 + 4)))) == [(1, 0)]


def test_two_people_in_one_frame_are_two_crossings_and_a_retry_is_none() -> None:
    told = frame(crossing(4), crossing(5), crossing(5, "BACKWARD"))
    assert len({fact.seq for fact in live(told)}) == 3
    assert live(told) == live(told)


def test_serial_array_stream_and_connection_test() -> None:
    told = frame(crossing(4))
    told["live_data"]["sensor_info"] = {"serial_number": "80:1F"}  # type: ignore[index]
    one = json.dumps(told | {"simulated": True}).encode()
    facts = live(b"[" + one + b"]" + one + b'{"connection_test":{}}')
    assert [(fact.source, fact.simulated) for fact in facts] == [("80:1F", True)] * 2


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (frame(crossing(None)), "track_id is not a number"),
        (frame(crossing(4, line=None)), "geometry_id is not a name"),
        (frame(crossing(4), time="now"), "time is not a time"),
        (frame(3), "event is not a JSON object"),
        ({"logics_data": {}}, "no live_data"),
        (b"\x00", "not JSON"),
    ],
)
def test_bad_live_data_is_refused_with_a_reason(payload: object, words: str) -> None:
    with pytest.raises(Undecodable, match=words):
        live(payload)


def test_live_data_of_nobody_says_what_to_do() -> None:
    with pytest.raises(Undecodable, match="name the device on its route"):
        live(frame(crossing(4)), "")


def test_the_published_legacy_push_is_one_person() -> None:
    serial = "80:1F:12:D5:30:DC"
    assert legacy(sample("legacy_00_xovis_event_sensor_payload.json")) == [
        Count(at=1632385264.305, seen=SEEN, source=serial, counter=serial, kind="event", line="0", forward=1, seq=6012)
    ]


def event(kind: str = "LineCrossing", **fields: object) -> dict[str, object]:
    told = {
        "timestamp": START * 1000, "type": kind, "direction": "backward", "object": {"id": 1},
        "countItem": {"id": 0, "name": "Line 0"}, "objectType": "PERSON",
    }  # fmt: skip
    return {"values": [told | fields]}


def test_a_count_without_its_crossing_says_what_to_switch_on() -> None:
    with pytest.raises(Unwanted, match="switch LineCrossing"):
        legacy(event("LineCount"))
    assert legacy(event("ZoneExit")) == []
    assert legacy(event(objectType="GROUP")) == []


def push(*values: object, start: object = "2026-05-02T16:00:00+02:00", kind: str = "LINE") -> dict[str, object]:
    measured = {"from": start, "to": "2026-05-02T16:01:00+02:00", "value": list(values)}
    element = {"element-id": 0, "element-name": "Line 0", "data-type": kind, "measurement": [measured]}
    return {
        "sensor-time": {"timezone": "Europe/Zurich", "time": "2026-05-02T16:01:01+02:00"},
        "content": {"element": [element]},
        "sensor-info": {"serial-number": "80:1F", "device-type": "PC2S - UL"},
    }


def test_a_legacy_count_push_is_a_window() -> None:
    told = push({"value": 2, "label": "fw"}, {"value": 1, "label": "bw"}, {"value": 9, "label": "fw-male"})
    assert legacy(told) == [
        Count(at=END, seen=SEEN, source="80:1F", counter="80:1F", kind="window", line="0", forward=2, backward=1,
              start=START, end=END)
    ]  # fmt: skip
    assert legacy(push(kind="ZONE")) == []


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (event(direction="up"), "direction is not"),
        (event(object=None), "object is not a JSON object"),
        (event(timestamp=-1), "timestamp is not a time"),
        (push({"value": "2", "label": "fw"}), "fw is not a number"),
        (push({"value": 2, "label": "fw"}, start="2026-05-02T16:01:00+02:00"), "begin before it ends"),
        ({"logics_data": {}}, "xovis-live"),
        ([1], "envelope is not a JSON object"),
    ],
)
def test_bad_legacy_pushes_are_refused_with_a_reason(payload: object, words: str) -> None:
    with pytest.raises(Undecodable, match=words):
        legacy(payload)


def test_no_sensor_pushes_registers() -> None:
    for dialect in (xovis_live, xovis_legacy):
        with pytest.raises(ValueError, match="no such device"):
            dialect.encode([Count(at=0.0, source="s", counter="s", kind="cumulative")], venue="small", device="s")


def counted(kind: str, counter: str, **fields: object) -> dict[str, object]:
    told = {"logic_id": 1000, "logic_name": "Queue statistics 1", "counter_name": counter} | fields
    return {"category": "COUNT", "type": kind, "attributes": told}


def test_the_published_queueing_time_is_the_wait_of_who_left() -> None:
    # the third party's test expects 4, cut from 4.202
    assert live(sample("v5_10_the_xovis_v5_logic_queue_statistic_payload.json")) == [
        QueueReading(at=1725001494.32, seen=SEEN, source="00:6E:02:01:AB:7C", queue="queue-statistics-1", wait_s=4.202)
    ]


def test_counters_of_logics_are_states() -> None:
    told = frame(
        counted("COUNT_INCREMENT", "balance", logic_name="Foyer", counter_value=6),
        counted("COUNT_DECREMENT", "balance", logic_name="Foyer", counter_value=5),
        counted("COUNT_INCREMENT", "balance", logic_name="Bad", counter_value=-1),
        counted("COUNT_DECREMENT", "queue-length", counter_value=3),
        counted("TIME_CHANGE", "queueing-time", amount=10, counter_value=99),
        counted("TIME_CHANGE", "queueing-time", amount=20, counter_value=98),
        counted("COUNT_INCREMENT", "fw", counter_value=12),
    )
    facts = live(told)
    assert [fact.people for fact in facts if isinstance(fact, ZoneCount)] == [5]
    assert [fact.health for fact in facts if isinstance(fact, DeviceStatus)] == ["fault"]
    assert [(f.queue, f.length, f.wait_s) for f in facts if isinstance(f, QueueReading)] == [
        ("queue-statistics-1", 3, 15.0)
    ]
    assert len(facts) == 3


def states(**broken: str) -> dict[str, object]:
    told: dict[str, object] = {part: {"state": {"state": broken.get(part, "OK")}} for part in ("device", "time")}
    told["time"] = {"state": {"state": broken.get("time", "OK"), "details": {"time": broken.get("at", "")}}}
    told["singlesensor"] = {"status": {"illumination": broken.get("light", "SUFFICIENT")}}
    info = {"serial_number": "80:1F"}
    return {"status_data": {"package_info": {"version": "5.0"}, "sensor_info": info, "states": told}}


def test_the_status_agent_tells_whether_a_sensor_is_well() -> None:
    for dialect in (xovis, xovis_live):
        message = Message(topic="x", payload=json.dumps(states(at="2026-05-02T16:00:00+02:00")).encode(), seen=SEEN)
        assert dialect.decode(message, "door-1") == [DeviceStatus(at=START, seen=SEEN, source="80:1F", health="online")]


@pytest.mark.parametrize(
    ("broken", "words"),
    [({"time": "ERROR"}, "clock"), ({"light": "INSUFFICIENT"}, "dark"), ({"device": "WARNING"}, "not well")],
)
def test_a_status_that_is_not_ok_is_a_fault(broken: dict[str, str], words: str) -> None:
    [fact] = live(states(**broken, at="2021-03-05T13:43:22.946 CET"))
    assert isinstance(fact, DeviceStatus)
    assert fact.health == "fault"
    assert words in fact.reason
    assert fact.at == SEEN


def test_an_empty_array_is_no_envelope() -> None:
    for dialect in (xovis, xovis_live, xovis_legacy):
        with pytest.raises(Undecodable, match="an empty array"):
            dialect.decode(Message(topic="x", payload=b"[]", seen=SEEN), "door-1")


WORDS = (
    "live_data frames events type LINE_CROSS_FORWARD attributes track_id geometry_id time tracked_objects tag "
    "GROUP values content element data-type LINE measurement from to value label fw object id countItem timestamp "
    "LineCrossing forward"
)


@given(junk(WORDS), st.sampled_from([live, legacy]))
def test_any_bytes_are_facts_or_undecodable(payload: bytes, decode: object) -> None:
    with contextlib.suppress(Undecodable):
        assert all(fact.source for fact in decode(payload))  # type: ignore[operator]
