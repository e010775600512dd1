"""Axis cameras and 3D people counters: object analytics over MQTT, Retail Data push, and the older JSON answers.

Source: AxisCommunications/tutorial-axis-object-analytics-to-grafana (Apache-2.0), reelyactive/barnowl-axis (MIT),
akenza-io/device-type-library types/axis/peopleCounter (MIT), and the vendor's People Counter API page.

Count kinds:
* object analytics, crossline counting: `cumulative`. The line is the scenario's number ("1"; "2-1" on the second
  device of a camera). A scenario counts one direction, so `backward` stays 0: give each its own portal.
* object analytics, occupancy in area: ZoneCount of the zone `<device>-<scenario>`.
* Retail Data push: `window`, line "1". Device totals and `counts.json`: `cumulative`, line "1".

Pitfalls:
* The topic has namespaces or not (`tns:axis/…`) and may end in `$source/…` levels: only its middle is read.
  `…ScenarioANY`, `…Interval` and `…Threshold` repeat a scenario and are left out.
* Numbers are text. `total` counts cars too: `totalHuman` is read where it is told.
* `serial` is in the payload only if the operator ticked it; else the topic level before `event`, else the route.
  Its spelling differs between APIs: one is used, 12 capitals ("B8A44FA89C85").
* "Test events" of the camera's page cannot be told from counts. `adults` is a part of `count`, never added to it.
* `counts.json` tells local time without a zone: the gateway's clock is used. It restarts at midnight.
* `occupancy` of the device totals can be corrected by hand and is in minus out: the two totals are read instead.
"""

import re
from collections.abc import Sequence
from typing import Any

from flowmon.errors import Undecodable
from flowmon.facts import Count, Fact, ZoneCount
from sensors.dialects import bodies
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
_DIRECTIONS = {"in": "forward", "out": "backward"}

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
        return [_register(body, ("total_in", "total_out"), _teller(body, message, device, at))]
    if "in" in body and "out" in body:
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
    found = _SCENARIO.search(message.topic) or _SCENARIO.search(known if isinstance(known, str) else "")
    if found is None:
        return []
    camera, scenario, variant = found.groups()
    data = bodies.table(bodies.table(body["message"], "message").get("data"), "data")
    if scenario == "ANY" or variant or "total" not in data:
        raise Unwanted("axis: not a count of crossline counting or occupancy in area")
    told = _teller(body, message, device, bodies.seconds(body.get("timestamp"), "timestamp"))
    line = scenario if int(camera) == 1 else f"{camera}-{scenario}"
    if "startTime" in data or any(name.startswith("total") and name != "total" for name in data):
        passed = "totalHuman" if "totalHuman" in data else "total"
        people = bodies.digits(data[passed], passed)
        return [Count(counter=told["source"], kind="cumulative", line=line, forward=people, **told)]
    inside = "human" if "human" in data else "total"
    zone = f"{bodies.slug(told['source'])}-{line}"
    return [ZoneCount(zone=zone, people=bodies.digits(data[inside], inside), **told)]


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
        if not start < end:
            raise Undecodable("axis: a measurement needs utcFrom before utcTo")
        told = _teller(sensor, message, device, end, simulated=body.get("simulated"))
        facts.append(Count(counter=told["source"], kind="window", start=start, end=end, **_both(measured), **told))
    return facts


def _both(measured: Body) -> dict[str, Any]:
    counts: dict[str, int] = {}
    for item in bodies.rows(measured.get("items"), "items"):
        row = bodies.table(item, "item")
        way = _DIRECTIONS.get(str(row.get("direction")))
        if way is None or way in counts:
            raise Undecodable("axis: items need the directions in and out, once each")
        counts[way] = bodies.digits(row.get("count"), "count")
    return counts


def _register(body: Body, names: tuple[str, str], told: dict[str, Any]) -> Count:
    entered, left = (bodies.digits(body[name], name) for name in names)
    return Count(counter=told["source"], kind="cumulative", forward=entered, backward=left, **told)


def encode(facts: Sequence[Fact], *, venue: str, device: str) -> list[Outgoing]:
    """See the port. Read only: the simulator need not speak it yet, so any fact raises ValueError."""
    if facts:
        raise ValueError(f"axis is read only: {device} of {venue} cannot be simulated in it")
    return []
