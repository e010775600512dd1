"""FIWARE smart data models that carry flows and queues: CrowdFlowObserved, ACRIS QueueMeasurement, QueueMonitor.

Source: smart-data-models/dataModel.Transportation, dataModel.ACRIS and dataModel.QueueManagement (schemas, CC-BY-4.0).

Count kinds: CrowdFlowObserved -> `window`: `peopleCountTowards` is forward, `peopleCountAway` backward; without them
`peopleCount` goes the way of `direction` (inbound is forward). The line is `laneId`, or "1".
QueueMeasurement -> QueueReading: `Occupancy` is its length, `WaitTime` the mean wait of those who left (s).
QueueMonitor -> QueueReading of length only: its tickets still to serve. A ticket can stand for a party.

Pitfalls:
* `occupancy` of CrowdFlowObserved is a share of time, not people: not read.
* `ProjectedWaitTime` is for who enters now, no experienced wait; `Throughput` is an hour's rate, told again with each
  measurement: neither is read, for QueueReading has no place for the first and would add up the second.
* Values come plain (key-values), as NGSI properties (`{"type":"Property","value":58}`), alone, in an array, or in a
  notification (`{"subscriptionId":…,"data":[…]}`).
* `dateObserved` of the published example has no zone: `dateObservedFrom` and `dateObservedTo` are read first.
* A queue is its `PassengerQueue` name, or `queueLine`, spelt as an id; the entity's id is the device, unless the
  route names one. Other entities of these models (a Museum) are known and say nothing of people.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from flowmon.errors import Undecodable
from flowmon.facts import Count, Fact, QueueReading
from sensors.dialects import bodies, speech
from sensors.dialects.port import Family, Message, Outgoing, Unwanted

FAMILY = Family(
    name="FIWARE CrowdFlowObserved, ACRIS QueueMeasurement, QueueMonitor",
    transports=("HTTP", "MQTT"),
    kinds=("window", "queue_reading"),
    privacy="nothing of single people is sent",
    tested="schemas and examples of smart-data-models, 2026",
    source="smart-data-models/dataModel.Transportation, dataModel.ACRIS, dataModel.QueueManagement",
)

Body = dict[str, object]


def decode(message: Message, device: str) -> list[Fact]:
    """See the port."""
    body = bodies.document(message.payload)
    if isinstance(body, dict) and "data" in body and "subscriptionId" in body:
        body = body["data"]
    entities = body if isinstance(body, list) else [body]
    if not entities:
        raise Undecodable("fiware: no entity in it")
    return [fact for item in entities for fact in _entity(bodies.table(item, "entity"), device, message.seen)]


def _plain(entity: Body, name: str) -> object:
    value = entity.get(name)
    return value["value"] if isinstance(value, dict) and "value" in value else value


def _entity(entity: Body, device: str, seen: float) -> Iterator[Fact]:
    kind, named = entity.get("type"), entity.get("id")
    if not isinstance(kind, str) or not isinstance(named, str):
        raise Undecodable("fiware: an entity needs an id and a type")
    told: dict[str, Any] = {
        "source": bodies.name(device or named, "id"),
        "seen": seen,
        "simulated": _plain(entity, "simulated") is True,
    }
    match kind:
        case "CrowdFlowObserved":
            flow = _flow(entity, told)
            if bodies.lasts(flow.start, flow.end, flow.forward + flow.backward, "fiware: dateObserved"):
                yield flow
        case "QueueMeasurement":
            yield _measured(entity, told)
        case "QueueMonitor":
            yield _tickets(entity, told)
        case _ if named.startswith("urn:ngsi-ld:") or "@context" in entity:
            raise Unwanted("fiware: an entity without flows or queues")
        case _:
            raise Undecodable("fiware: not CrowdFlowObserved, QueueMeasurement or QueueMonitor")


def _flow(entity: Body, told: dict[str, Any]) -> Count:
    start, end = _span(entity)
    ways = [_people(entity, "peopleCountTowards"), _people(entity, "peopleCountAway")]
    if ways == [None, None]:
        everybody = bodies.people(_plain(entity, "peopleCount"), "peopleCount")
        direction = str(_plain(entity, "direction"))
        if direction not in {"inbound", "outbound"}:
            raise Undecodable("fiware: peopleCount without a direction, inbound or outbound")
        ways = [everybody, 0] if direction == "inbound" else [0, everybody]
    lane = _plain(entity, "laneId")
    line = "1" if lane is None else bodies.name(lane, "laneId")
    forward, backward = (way or 0 for way in ways)
    source = told["source"]
    return Count(
        at=end, counter=source, kind="window", line=line, start=start, end=end, forward=forward, backward=backward,
        **told,
    )  # fmt: skip


def _span(entity: Body) -> tuple[float, float]:
    told = [_plain(entity, name) for name in ("dateObservedFrom", "dateObservedTo")]
    if told == [None, None]:
        observed = _plain(entity, "dateObserved")
        told = list(observed.split("/")) if isinstance(observed, str) and observed.count("/") == 1 else [None, None]
    return bodies.instant(told[0], "dateObservedFrom"), bodies.instant(told[1], "dateObservedTo")


def _measured(entity: Body, told: dict[str, Any]) -> QueueReading:
    period = bodies.table(_plain(entity, "MeasurementTimePeriod"), "MeasurementTimePeriod")
    queue = bodies.table(_plain(entity, "PassengerQueue"), "PassengerQueue")
    wait = _plain(entity, "WaitTime")
    return QueueReading(
        at=bodies.instant(period.get("EndTime"), "EndTime"),
        queue=_queue(queue.get("Name") or queue.get("Identifier"), "PassengerQueue"),
        length=_people(entity, "Occupancy"),
        wait_s=None if wait is None else _wait(wait),
        **told,
    )


def _wait(value: object) -> float:
    if (wait := bodies.number(value, "WaitTime")) < 0:
        raise Undecodable("fiware: WaitTime is negative")
    return float(wait)


def _tickets(entity: Body, told: dict[str, Any]) -> QueueReading:
    modified = _plain(entity, "dateModified") or _plain(entity, "dateCreated")
    return QueueReading(
        at=bodies.instant(modified, "dateModified"),
        queue=_queue(_plain(entity, "queueLine") or _plain(entity, "name"), "queueLine"),
        length=bodies.people(_plain(entity, "ticketsToServe"), "ticketsToServe"),
        **told,
    )


def _queue(name: object, what: str) -> str:
    if not (queue := bodies.slug(bodies.name(name, what))):
        raise Undecodable(f"fiware: {what} has no letter or digit in its name")
    return queue


def _people(entity: Body, name: str) -> int | None:
    value = _plain(entity, name)
    return None if value is None else bodies.people(value, name)


def encode(facts: Sequence[Fact], *, venue: str, device: str) -> list[Outgoing]:
    """See the port: one entity a fact, key-values, at `fiware/<device>`."""
    mark: Body = {"simulated": True} if speech.simulated(facts, device=device, venue=venue) else {}
    return [(f"fiware/{device}", msgspec.json.encode(_to_entity(fact) | mark), False) for fact in facts]


def _to_entity(fact: Fact) -> Body:
    match fact:
        case Count(kind="window", complete=1.0, historical=False):
            start, end = speech.rfc3339(fact.start), speech.rfc3339(fact.end)
            return {
                "id": fact.source,
                "type": "CrowdFlowObserved",
                "laneId": fact.line,
                "dateObserved": f"{start}/{end}",
                "dateObservedFrom": start,
                "dateObservedTo": end,
                "peopleCount": fact.forward + fact.backward,
                "peopleCountTowards": fact.forward,
                "peopleCountAway": fact.backward,
            }
        case QueueReading(outflow=None, historical=False) if bodies.slug(fact.queue) == fact.queue and not fact.end:
            measured = {"Occupancy": fact.length, "WaitTime": fact.wait_s}
            return {
                "id": fact.source,
                "type": "QueueMeasurement",
                "PassengerQueue": {"Identifier": fact.queue, "Name": fact.queue},
                "MeasurementTimePeriod": {"EndTime": speech.rfc3339(fact.at)},
            } | {name: value for name, value in measured.items() if value is not None}
        case _:
            raise speech.untold("fiware", fact)
