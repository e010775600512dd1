"""Axis cameras and 3D people counters: object analytics over MQTT, Retail Data push, and the older JSON answers.

Source: AxisCommunications/tutorial-axis-object-analytics-to-grafana (Apache-2.0), reelyactive/barnowl-axis (MIT),
akenza-io/device-type-library types/axis/peopleCounter (MIT), and the vendor's People Counter API page.

Count kinds:
* object analytics, crossline counting: `cumulative`. The line is the scenario as its topic names it
  ("Device1Scenario2"). A scenario counts one direction, so `backward` stays 0: in the venue file `line` is the one
  and `backward_line` the other.
* object analytics, occupancy in area: ZoneCount of the zone `<device>-<scenario>`, spelt as an id.
* Retail Data push: `window`, line "1". Device totals and `counts.json`: `cumulative`, line "1"; `occupancy` beside the
  totals -> ZoneCount of the zone named like the device, spelt as an id.

Pitfalls:
* The topic has namespaces or not (`tns:axis/…`) and may end in `$source/…` levels: only its middle is read.
  `…ScenarioANY`, `…Interval` and `…Threshold` repeat a scenario and are left out.
* Numbers are text. `total` counts cars too: `totalHuman` is read where it is told, so a scenario that saw only cars
  stands at 0 people. A scenario that tells only other classes counts no people; one that tells no class, `total`.
* The two kinds of scenario are told apart by their fields: `resetTime` (older: `startTime`), `reason` and `totalCar` …
  of a crossline, `car` … of an area. `scenario` is a name that the user gave, and helps where there is nothing else.
* `serial` is in the payload only if the operator ticked it; else the topic level before `event`, else the route.
  Its spelling differs between APIs: one is used, 12 capitals ("B8A44FA89C85").
* "Test events" of the camera's page cannot be told from counts. `adults` is a part of `count`, never added to it.
* `counts.json` tells local time without a zone: the gateway's clock is used. It restarts at midnight.
* `occupancy` of the device totals is in minus out and can be corrected by hand; below 0 it is not told.
* `timezone` and `timeZone`, by version, and local times beside the UTC ones are not needed and not read.
"""

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from flowmon.errors import Undecodable
from flowmon.facts import Count, Fact, ZoneCount
from sensors.dialects import bodies, speech
from sensors.dialects.port import Family, Message, Outgoing, Unwanted

FAMILY = Family(
    name="Axis: Object Analytics, 3D People Counter, occupancy publisher, counts.json",
    transports=("MQTT", "HTTP"),
    kinds=("cumulative", "window", "zone_count"),
    privacy="nothing of single people is sent; network addresses are not read",
    tested="Retail Data 0.4 and 10.3 to 11.11; Object Analytics of AXIS OS 10.12 to 12.11",
    source="AxisCommunications/tutorial-axis-object-analytics-to-grafana, akenza types/axis, the People Counter API",
)

_SCENARIO = re.compile(r"(?:^|/)ObjectAnalytics/Device(\d{1,4})Scenario(\d{1,4}|ANY)([A-Za-z]*)(?:/|$)")
_LINE = re.compile(r"Device\d{1,4}Scenario\d{1,4}")
_AREA = re.compile(r"-device(\d{1,4})scenario(\d{1,4})")
_CROSSLINE = frozenset({"startTime", "resetTime", "reason"})
_CROSSLINE_NAMES = frozenset({"crossline", "passagecounts"})
_DIRECTIONS = {"in": "forward", "out": "backward"}
_VEHICLES = frozenset({"car", "bus", "truck", "bike", "vehicle", "othervehicle", "motorcycle/bicycle"})
_LOCAL = re.compile(r"\d{14}")
_NAMESPACES = ("axis:", "tnsaxis:", "tns1:", "tns:", "onvif:")

Body = dict[str, object]


def decode(message: Message, device: str) -> list[Fact]:
    """See the port. Other events of a camera, which share its topics, say nothing about people."""
    body = bodies.table(bodies.document(message.payload), "body")
    if "message" in body:
        return _event(body, message, device)
    if body.get("apiName") == "Axis Retail Data":
        return _retail(body, message, device)
    if "total_in" in body and "total_out" in body:
        at = bodies.instant(body.get("timestamp"), "timestamp")
        return _totals(body, _teller(body, message, device, at))
    if "in" in body and "out" in body and _LOCAL.fullmatch(str(body.get("timestamp"))):
        return [_register(body, ("in", "out"), _teller(body, message, device, message.seen))]
    raise Undecodable("axis: no object analytics event, no Retail Data, no in and out totals")


def _teller(told: Body, message: Message, device: str, at: float, simulated: object = None) -> dict[str, Any]:
    """Who says so, and when. Raises Undecodable when nobody is named."""
    levels = message.topic.split("/")
    place = levels.index("event") if "event" in levels else 0
    named = told.get("serial") or (levels[place - 1] if place else "") or device
    if not named:
        raise Undecodable("axis: no serial; tick it in the camera's MQTT settings, or name the device on its route")
    return {
        "at": at,
        "source": bodies.mac(bodies.name(named, "serial")),
        "seen": message.seen,
        "simulated": (simulated if simulated is not None else told.get("simulated")) is True,
    }


def _event(body: Body, message: Message, device: str) -> list[Fact]:
    known = body.get("topic")
    topic = known if isinstance(known, str) else ""
    told = bodies.table(body["message"], "message")
    found = _SCENARIO.search(message.topic) or _SCENARIO.search(topic)
    if found is None:
        if "data" in told and ("/event/" in message.topic or topic.startswith(_NAMESPACES)):
            return []
        raise Undecodable("axis: no event of a camera")
    camera, scenario, variant = found.groups()
    data = bodies.table(told.get("data"), "data")
    if scenario == "ANY" or variant or not {"total", "totalHuman", "human"} & data.keys():
        raise Unwanted("axis: not a count of crossline counting or occupancy in area")
    teller = _teller(body, message, device, bodies.seconds(body.get("timestamp"), "timestamp"))
    line = f"Device{int(camera)}Scenario{int(scenario)}"
    if _is_crossline(data):
        people = _humans(data, "totalHuman")
        return [Count(counter=teller["source"], kind="cumulative", line=line, forward=people, **teller)]
    zone = f"{bodies.slug(teller['source'])}-{line.lower()}"
    return [ZoneCount(zone=zone, people=_humans(data, "human"), **teller)]


def _humans(data: Body, name: str) -> int:
    """The people of a scenario. Raises Unwanted where it tells other classes apart, but not people."""
    if name in data:
        return bodies.digits(data[name], name)
    if any(key.lower().removeprefix("total") in _VEHICLES for key in data):
        raise Unwanted("axis: the scenario counts no people: tick Humans in it")
    return bodies.digits(data.get("total"), "total")


def _is_crossline(data: Body) -> bool:
    """Whether a scenario counts crossings; else it counts who is in an area."""
    if _CROSSLINE & data.keys() or any(name.startswith("total") and name != "total" for name in data):
        return True
    if "human" in data or any(name.lower() in _VEHICLES for name in data):
        return False
    return str(data.get("scenario")).lower() in _CROSSLINE_NAMES


def _totals(body: Body, told: dict[str, Any]) -> list[Fact]:
    facts: list[Fact] = [_register(body, ("total_in", "total_out"), told)]
    zone = bodies.slug(told["source"])
    inside = body.get("occupancy")
    if inside is not None and zone and bodies.number(inside, "occupancy") >= 0:
        facts.append(ZoneCount(zone=zone, people=bodies.people(inside, "occupancy"), **told))
    return facts


def _retail(body: Body, message: Message, device: str) -> list[Fact]:
    sensor = bodies.table(body.get("sensor") or {}, "sensor")
    data = bodies.table(body.get("data"), "data")
    facts: list[Fact] = []
    for item in bodies.rows(data.get("measurements", []), "measurements"):
        measured = bodies.table(item, "measurement")
        if measured.get("kind") != "people-counts":
            continue
        period = measured if "utcFrom" in measured else data
        start, end = bodies.instant(period.get("utcFrom"), "utcFrom"), bodies.instant(period.get("utcTo"), "utcTo")
        told = _teller(sensor, message, device, end, simulated=body.get("simulated"))
        count = Count(counter=told["source"], kind="window", start=start, end=end, **_both(measured), **told)
        if bodies.lasts(start, end, count.forward + count.backward, "axis: a measurement"):
            facts.append(count)
    return facts


def _both(measured: Body) -> dict[str, Any]:
    counts: dict[str, int] = {}
    for item in bodies.rows(measured.get("items"), "items"):
        row = bodies.table(item, "item")
        way = _DIRECTIONS.get(str(row.get("direction")))
        if way in counts:
            raise Undecodable("axis: items need the directions in and out, once each")
        if way is not None:
            counts[way] = bodies.digits(row.get("count"), "count")
    if not counts:
        raise Undecodable("axis: items need the directions in and out")
    return counts


def _register(body: Body, names: tuple[str, str], told: dict[str, Any]) -> Count:
    entered, left = (bodies.digits(body[name], name) for name in names)
    return Count(counter=told["source"], kind="cumulative", forward=entered, backward=left, **told)


def encode(facts: Sequence[Fact], *, venue: str, device: str) -> list[Outgoing]:
    """See the port: one message a fact. Registers of a scenario and areas are events on the camera's own topics,
    windows a Retail Data push at `axis/<device>/retail`, registers of line "1" totals at `axis/<device>/totals`.
    """
    mark: Body = {"simulated": True} if speech.simulated(facts, device=device, venue=venue) else {}
    told: list[Outgoing] = []
    for fact in facts:
        topic, body = _to_message(fact)
        told.append((f"axis/{device}/{topic}", msgspec.json.encode(body | mark), False))
    return told


def _to_message(fact: Fact) -> tuple[str, Body]:
    if fact.historical:
        raise speech.untold("axis", fact)
    match fact:
        case Count(kind="cumulative", backward=0) if _LINE.fullmatch(fact.line):
            people = str(fact.forward)
            return _to_event(
                fact, fact.line, {"resetTime": "1970-01-01T00:00:00Z", "total": people, "totalHuman": people}
            )
        case ZoneCount() if area := _AREA.fullmatch(fact.zone.removeprefix(bodies.slug(fact.source))):
            people = str(fact.people)
            return _to_event(fact, f"Device{area[1]}Scenario{area[2]}", {"total": people, "human": people})
        case Count(kind="cumulative", line="1"):
            counts: Body = {"total_in": fact.forward, "total_out": fact.backward}
            return "totals", {"serial": fact.source, "timestamp": speech.rfc3339(fact.at)} | counts
        case Count(kind="window", line="1", complete=1.0):
            return "retail", _to_retail(fact)
        case _:
            raise speech.untold("axis", fact)


def _to_event(fact: Fact, scenario: str, data: Body) -> tuple[str, Body]:
    path = f"CameraApplicationPlatform/ObjectAnalytics/{scenario}"
    body: Body = {
        "topic": f"axis:{path}",
        "timestamp": speech.milliseconds(fact.at),
        "serial": fact.source,
        "message": {"source": {}, "key": {}, "data": data},
    }
    return f"event/tns:axis/{path}", body


def _to_retail(fact: Count) -> Body:
    period: Body = {"utcFrom": speech.rfc3339(fact.start), "utcTo": speech.rfc3339(fact.end)}
    items = [{"direction": "in", "count": fact.forward}, {"direction": "out", "count": fact.backward}]
    return {
        "apiName": "Axis Retail Data",
        "apiVersion": "0.4",
        "data": period | {"measurements": [period | {"kind": "people-counts", "items": items}]},
        "sensor": {"application": "AXIS 3D People Counter", "serial": fact.source},
    }
