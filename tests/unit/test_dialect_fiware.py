"""FIWARE entities: flows and queues, plain, as properties and in notifications. Written from the schemas."""

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from flowmon.errors import Undecodable
from flowmon.facts import Count, Fact, QueueReading
from sensors.dialects import fiware
from sensors.dialects.port import Message, Unwanted
from tests.unit.junk import junk

SAMPLES = Path(__file__).parents[3] / "shared" / "data" / "payloads" / "smart-data-models"
SEEN = 1_777_730_461.0
START, END = 1_777_730_400.0, 1_777_730_460.0
ID = "urn:ngsi-ld:x:1"


def decode(payload: object, device: str = "") -> list[Fact]:
    data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return fiware.decode(Message(topic="x", payload=data, seen=SEEN), device)


def sample(name: str) -> bytes:
    path = SAMPLES / name
    if not path.exists():
        pytest.skip("third-party payloads are not beside this checkout")
    return path.read_bytes()


LOCAL = "2026-05-02T14:00:00/2026-05-02T14:01:00"


def flow(**changes: object) -> dict[str, object]:
    span = {"dateObservedFrom": "2026-05-02T14:00:00Z", "dateObservedTo": "2026-05-02T14:01:00Z"}
    counts = {"peopleCount": 5, "peopleCountTowards": 3, "peopleCountAway": 2, "occupancy": 0.4}
    told = {"id": ID, "type": "CrowdFlowObserved"} | span | counts | changes
    return {name: value for name, value in told.items() if value is not None}


def measured(**changes: object) -> dict[str, object]:
    queue = {"Identifier": "7", "Name": "Billetterie Nord"}
    return {
        "id": ID, "type": "QueueMeasurement", "PassengerQueue": queue, "Occupancy": 58, "WaitTime": 645.9,
        "ProjectedWaitTime": 544.4, "Throughput": 384, "MeasurementTimePeriod": {"EndTime": "2026-05-02T14:01:00Z"},
    } | changes  # fmt: skip


def window(**changes: Any) -> Count:
    told: dict[str, Any] = {
        "at": END, "seen": SEEN, "source": ID, "counter": ID, "kind": "window", "forward": 3, "backward": 2,
        "start": START, "end": END,
    }  # fmt: skip
    return Count(**told | changes)


WAITING = QueueReading(at=END, seen=SEEN, source=ID, queue="billetterie-nord", length=58, wait_s=645.9)


def test_the_published_flow() -> None:
    assert decode(sample("CrowdFlowObserved.example.json")) == [
        Count(
            at=1533640500.0, seen=SEEN, source="urn:ngsi-ld:CrowdFlowObserved:Valladolid_1",
            counter="urn:ngsi-ld:CrowdFlowObserved:Valladolid_1", kind="window", forward=50, backward=50,
            start=1533640200.0, end=1533640500.0,
        )
    ]  # fmt: skip


def test_the_published_queues() -> None:
    [measure] = decode(sample("QueueMeasurement.example.json"))
    assert measure == QueueReading(
        at=1679511542.0, seen=SEEN, source="urn:ngsi-ld:QueueMeasurement:id:IEQX:79193255", queue="1", length=58,
        wait_s=645.9,
    )  # fmt: skip
    # a ticket queue: 12 tickets to serve, of which the example has already served 45 of 33 issued
    [tickets] = decode(sample("QueueMonitor.example.json"))
    assert tickets == QueueReading(
        at=1616411405.0, seen=SEEN, source="urn:ngsi-ld:QueueMonitor:id:SIHJ:22618237", queue="groups-line", length=12
    )


def test_a_museum_is_no_count_and_a_schema_is_no_entity() -> None:
    for name in ("Museum.example.json", "QueueMeasurement.schema.json"):
        with pytest.raises(Undecodable):
            decode(sample(name))
    with pytest.raises(Unwanted):
        decode({"id": "urn:ngsi-ld:Museum:1", "type": "Museum"})


def test_properties_notifications_and_arrays_say_the_same() -> None:
    properties = {
        name: value if name in {"id", "type"} else {"type": "Property", "value": value}
        for name, value in measured().items()
    }
    for body in (measured(), properties, [measured()], {"subscriptionId": "s", "data": [properties]}):
        assert decode(body) == [WAITING]
    assert decode(flow()) == [window()]


@pytest.mark.parametrize(("direction", "ways"), [("inbound", (5, 0)), ("outbound", (0, 5))])
def test_people_without_two_ways_go_the_way_of_the_direction(direction: str, ways: tuple[int, int]) -> None:
    told = flow(peopleCountTowards=None, peopleCountAway=None, direction=direction, laneId=2)
    assert decode(told) == [window(forward=ways[0], backward=ways[1], line="2")]


def test_an_interval_with_a_zone_will_do() -> None:
    told = flow(dateObservedFrom=None, dateObservedTo=None, dateObserved="2026-05-02T14:00:00Z/2026-05-02T14:01:00Z")
    assert decode(told, "gate") == [window(source="gate", counter="gate")]


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (flow(dateObservedFrom="2026-05-02T14:01:00Z"), "begin before it ends"),
        (flow(dateObservedFrom=None, dateObservedTo=None, dateObserved=LOCAL), "offset"),
        (flow(peopleCountTowards=None, peopleCountAway=None), "without a direction"),
        (flow(peopleCountTowards=-1), "peopleCountTowards is not a whole number"),
        (measured(WaitTime=-1), "WaitTime is negative"),
        (measured(PassengerQueue={"Name": "!"}), "no letter or digit"),
        (measured(MeasurementTimePeriod=None), "MeasurementTimePeriod is not a JSON object"),
        ({"id": "x", "type": "y"}, "not CrowdFlowObserved"),
        ({"hello": 1}, "needs an id and a type"),
        ([], "no entity"),
        (b"", "not JSON"),
    ],
)  # fmt: skip
def test_bad_input_is_refused_with_a_reason(payload: object, words: str) -> None:
    with pytest.raises(Undecodable, match=words):
        decode(payload)


def test_no_entity_tells_an_event() -> None:
    with pytest.raises(ValueError, match="no such device"):
        fiware.encode([Count(at=0.0, source="s", counter="s", kind="event")], venue="small", device="s")


WORDS = (
    "id type CrowdFlowObserved QueueMeasurement QueueMonitor dateObserved dateObservedFrom peopleCount value Occupancy "
    "WaitTime PassengerQueue Name MeasurementTimePeriod EndTime ticketsToServe queueLine subscriptionId data direction"
)


@given(junk(WORDS))
def test_any_bytes_are_facts_or_undecodable(payload: bytes) -> None:
    with contextlib.suppress(Undecodable):
        assert all(fact.source for fact in decode(payload))
