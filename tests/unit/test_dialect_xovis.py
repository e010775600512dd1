"""Xovis v5 logics: real payloads of a third party where they are at hand, and the pitfalls by example."""

import json
from pathlib import Path

import pytest

from flowmon.errors import Undecodable
from flowmon.facts import Count, DeviceStatus, Fact, QueueReading, ZoneCount
from sensors.dialects import xovis
from sensors.dialects.port import Message

SAMPLES = Path(__file__).parents[3] / "shared" / "data" / "payloads" / "xovis"
SEEN = 1_777_730_461.0
START, END = 1_777_730_400.0, 1_777_730_460.0
SERIAL = "80:1F:12:D3:27:CA"


def decode(payload: object, device: str = "") -> list[Fact]:
    data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return xovis.decode(Message(topic="xovis/x", payload=data, seen=SEEN), device)


def logic(counts: dict[str, object], *, info: object = "XLT_LINE_IN_OUT_COUNT", **record: object) -> dict[str, object]:
    fields = {"from": START * 1000, "to": END * 1000} | record
    listed = [{"id": n, "name": name, "value": value} for n, (name, value) in enumerate(counts.items())]
    return {"id": 3, "name": "Salle 711", "info": info, "records": [fields | {"counts": listed}]}


def envelope(*logics: dict[str, object], serial: str = SERIAL) -> dict[str, object]:
    data: dict[str, object] = {"package_info": {"version": "5.0", "id": 2, "agent_id": 1}, "logics": list(logics)}
    if serial:
        data["sensor_info"] = {"serial_number": serial, "type": "SINGLE_SENSOR"}
    return {"logics_data": data}


def sample(name: str) -> bytes:
    found = [path for path in sorted(SAMPLES.glob(f"{name}*.json")) if ".expected" not in path.name]
    if not found:
        pytest.skip("third-party payloads are not beside this checkout")
    return found[0].read_bytes()


def test_summated_logics_without_sensor_info() -> None:
    facts = decode(sample("v5_02_the_xovis_v5_summated_logic_payload"), "door-1")
    lines = [fact for fact in facts if isinstance(fact, Count)]
    zones = [fact for fact in facts if isinstance(fact, ZoneCount)]
    assert [(line.forward, line.backward) for line in lines] == [(1, 0), (3, 1), (0, 0), (0, 0)]
    assert {(line.counter, line.line, line.kind) for line in lines} == {("door-1", "2", "window")}
    assert [(lines[0].start, lines[0].end), lines[0].at] == [(1645792860.0, 1645792920.0), 1645792920.0]
    assert [(zone.zone, zone.people) for zone in zones] == [("zone-0", 0)] * 4


def test_parts_of_the_crowd_are_not_added_to_it() -> None:
    [fact] = decode(sample("v5_08_the_xovis_v5_logic_mask_gender_payload"))
    assert isinstance(fact, Count)
    assert (fact.source, fact.line, fact.forward, fact.backward, fact.complete) == (SERIAL, "3", 1, 0, 1.0)
    [fact] = decode(sample("v5_12_the_xovis_v5_line_gender_bucket_payload"))
    assert isinstance(fact, Count)
    assert (fact.line, fact.forward, fact.backward) == ("4", 0, 1)


@pytest.mark.parametrize("name", ["v5_00", "v5_04", "v5_06", "v5_10", "legacy_00"])
def test_other_agents_are_refused_with_what_to_do(name: str) -> None:
    with pytest.raises(Undecodable, match="LOGICS"):
        decode(sample(name), "door-1")


def test_a_queue_that_the_sensor_measures() -> None:
    counts: dict[str, object] = {"queue-length": 6, "outflow": 8, "queueing-time": 124.426003}
    assert decode(envelope(logic(counts, info="XLT_QUEUE_STATISTICS"))) == [
        QueueReading(
            at=END, seen=SEEN, source=SERIAL, queue="salle-711", length=6, outflow=8, wait_s=124.426003,
            start=START, end=END,
        )
    ]  # fmt: skip


def test_an_empty_queue_has_no_wait() -> None:
    [fact] = decode(envelope(logic({"queue-length": 0, "queueing-time": None}, info="XLT_QUEUE_STATISTICS")))
    assert isinstance(fact, QueueReading)
    assert (fact.length, fact.wait_s, fact.outflow) == (0, None, None)


@pytest.mark.parametrize(("samples", "expected", "complete"), [(30, 60, 0.5), (61, 60, 1.0), (0, 60, 0.0), (0, 0, 0.0)])
def test_samples_are_the_share_that_was_seen(samples: int, expected: int, complete: float) -> None:
    [fact] = decode(envelope(logic({"fw": 1, "bw": 0}, samples=samples, samples_expected=expected)))
    assert isinstance(fact, Count)
    assert fact.complete == complete


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (START, END),
        (START * 1000, END * 1000),
        ("2026-05-02T14:00:00Z", "2026-05-02T14:01:00Z"),
        ("2026-05-02T16:00:00.000+02:00", "2026-05-02T16:01:00+0200"),
    ],
)
def test_times_in_every_form_of_the_agent(start: object, end: object) -> None:
    [fact] = decode(envelope(logic({"fw": 1}, **{"from": start, "to": end})))
    assert isinstance(fact, Count)
    assert (fact.start, fact.end) == (START, END)


@pytest.mark.parametrize("end", ["2026-05-02T14:01:00", "2026-05-02T14:01:00 CET", "2026-02-30T00:00:00Z", "", None])
def test_times_that_are_none(end: object) -> None:
    with pytest.raises(Undecodable, match="to is not a"):
        decode(envelope(logic({"fw": 1}, to=end)))


def test_renamed_counts() -> None:
    [fact] = decode(envelope(logic({"Forward": 4, "Reverse": 2})))
    assert isinstance(fact, Count)
    assert (fact.forward, fact.backward) == (4, 2)


def test_a_negative_balance_is_a_fault_not_a_number_of_people() -> None:
    facts = decode(envelope(logic({"balance": -3}, info="XLT_ZONE_OCCUPANCY_COUNT"), logic({"fw": 1, "bw": 0})))
    assert isinstance(facts[0], DeviceStatus)
    assert facts[0].health == "fault"
    assert "-3" in facts[0].reason
    assert isinstance(facts[1], Count)


def test_envelopes_in_an_array_and_one_after_the_other() -> None:
    one = json.dumps(envelope(logic({"fw": 1, "bw": 0}))).encode()
    assert len(decode(b"[" + one + b"," + one + b"]")) == 2
    assert len(decode(one + one + b"\n " + one)) == 3
    with pytest.raises(Undecodable, match="not JSON"):
        decode(one + b'{"logics_data":')


def test_a_connection_test_says_nothing() -> None:
    assert decode({"connection_test": {"message": "hello"}}) == []


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (envelope(logic({"fw": 1}), serial=""), "names? the device|name the device"),
        (envelope(logic({"visits": 5}, info="XLT_DWELL")), "no line, zone or queue counts"),
        (envelope(logic({"fw": "1"})), "fw is not a number"),
        (envelope(logic({"fw": -1})), "fw is not a whole number"),
        (envelope(logic({"fw": 1}, to=START * 1000)), "begin before it ends"),
        ({"logics_data": []}, "logics_data is not a JSON object"),
        ([1, 2], "envelope is not a JSON object"),
        (b"bare", "not JSON"),
        (b"3", "envelope is not a JSON object"),
    ],
)
def test_bad_input_is_refused_with_a_reason(payload: object, words: str) -> None:
    with pytest.raises(Undecodable, match=words):
        decode(payload)


def test_an_empty_period_is_no_error() -> None:
    assert decode(envelope()) == []
    assert decode(envelope({"id": 1, "name": "x", "info": "XLT_CUSTOM", "records": []})) == []


def test_events_cannot_be_told_by_a_window_sensor() -> None:
    with pytest.raises(ValueError, match="no such device"):
        xovis.encode([Count(at=END, source="s", counter="s", kind="event")], venue="small", device="s")


@pytest.mark.parametrize(
    "kind", ["GROUP_LINE_IN_OUT", "BICYCLE_LINE_LATE", "PRAM_LINE_IN_OUT", "SHOPPING_CART_LINE_LATE"]
)
def test_groups_bicycles_prams_and_carts_are_no_people(kind: str) -> None:
    assert decode(envelope(logic({"fw": 3, "bw": 1}, info=f"XLT_{kind}_COUNT"))) == []
    [wheelchair] = decode(envelope(logic({"fw": 3, "bw": 1}, info="XLT_WHEELCHAIR_LINE_IN_OUT_COUNT")))
    assert isinstance(wheelchair, Count)
    assert (wheelchair.forward, wheelchair.backward) == (3, 1)


def test_two_names_of_one_direction_are_counted_once() -> None:
    [fact] = decode(envelope(logic({"in": 3, "fw": 4, "Reverse": 2, "out": 9}, info="XLT_CUSTOM")))
    assert isinstance(fact, Count)
    assert (fact.forward, fact.backward) == (4, 2)


def test_a_mean_of_nobody_is_null_and_not_told() -> None:
    counts: dict[str, object] = {"queue-length": 2, "outflow": 0, "queueing-time": None}
    [fact] = decode(envelope(logic(counts, info="XLT_QUEUE_STATISTICS")))
    assert isinstance(fact, QueueReading)
    assert (fact.length, fact.outflow, fact.wait_s) == (2, 0, None)
