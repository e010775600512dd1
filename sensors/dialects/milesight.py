"""Milesight VS125, VS133 and VS135 people counters: JSON over MQTT or HTTP push. (Their LoRaWAN form is another one.)

Source: akenza-io/device-type-library types/milesight/VS125 (MIT) and syedasadbly-eng/sus-apc-backend
docs/mqtt-schema.md, measured on buses in production.

Count kinds, often all in one message: `window` from `line_periodic_data`, `cumulative` from `line_total_data`, `event`
from `line_trigger_data`. The venue file says which of them a line credits; never two. A line is its number ("1").
States: `region_count_data`, of `region_data` or `region_trigger_data`, -> ZoneCount, the zone being the region's name
spelt as an id ("Foyer" -> `foyer`). A message with `device_info` alone is a heartbeat.

Pitfalls:
* Sources disagree whether trigger values are the crossings of a moment or registers since the start. They are told as
  events. If they grow from message to message they are registers: route the device to `milesight-registers`.
* Periodic and trigger data in one venue counted crossings twice in production: credit one.
* `total` holds children and staff, who are told beside it; dwell times are ms. `people_id` follows one person. None
  of them is read.
* `line_uuid` and `line_name` of a total can be those of another line: the number is the line.
* `group` counts groups, beside `total`; `capacity_counted` is in minus out and goes far below 0: neither is read.
* Totals are said to restart at midnight and were seen not to: a restart is found downstream, never assumed.
* The clock of the device can freeze or be years off; its offset can read `-00:00`. Judging it is the intake's work.
* In and out are swapped by the way the sensor is mounted: turn the counter's `towards` round in the venue file.
* NMEA sentences of a positioning modem were seen on the same topics: they are refused as not JSON.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from flowmon.errors import Undecodable
from flowmon.facts import Count, CountKind, DeviceStatus, Fact, ZoneCount
from sensors.dialects import bodies, speech
from sensors.dialects.port import Family, Message, Outgoing, Unwanted

FAMILY = Family(
    name="Milesight VS125, VS133, VS135 (JSON)",
    transports=("MQTT", "HTTP"),
    kinds=("window", "cumulative", "event", "zone_count", "device_status"),
    privacy="people_id and dwell of single people are dropped",
    tested="VS125 1.0.1 and 1.0.3",
    source="akenza types/milesight/VS125, syedasadbly-eng/sus-apc-backend",
)

_SECTIONS = ("line_periodic_data", "line_total_data", "line_trigger_data", "region_data", "region_trigger_data")
_NOT_READ = ("line_count_data", "alarm_data", "attention_region_trigger_data", "attention_region_data")
_TIMES = ("end_time", "time", "trigger_time")

Body = dict[str, object]


def decode(message: Message, device: str) -> list[Fact]:
    """See the port. Reads one report or an array of them."""
    return reports(message, device, "event", "")


def reports(message: Message, device: str, trigger: CountKind, suffix: str) -> list[Fact]:
    """What `decode` does, with trigger data as the kind `trigger` of the lines "<number><suffix>"."""
    body = bodies.document(message.payload)
    found = body if isinstance(body, list) else [body]
    if not found:
        raise Undecodable("milesight: an empty array")
    facts: list[Fact] = []
    for item in found:
        report = bodies.table(item, "report")
        told = _teller(report, device, message.seen)
        facts += _report(report, told)
        facts += _triggers(report, told, trigger, suffix)
    return facts


def _teller(report: Body, device: str, seen: float) -> dict[str, Any]:
    info = bodies.table(report.get("device_info") or {}, "device_info")
    if not any(section in report for section in _SECTIONS):
        if other := next((name for name in _NOT_READ if name in report), ""):
            raise Unwanted(f"milesight: {other} is not read; switch periodic or total reports on in the device")
        if "device_sn" not in info:
            raise Undecodable("milesight: no device_info with device_sn, and no line or region data")
    source = bodies.name(info["device_sn"], "device_sn") if "device_sn" in info else device
    if not source:
        raise Undecodable("milesight: no device_sn; name the device on its route")
    clock = bodies.table(report.get("time_info") or {}, "time_info")
    return {
        "at": _ended(clock, seen),
        "source": source,
        "seen": seen,
        "simulated": report.get("simulated") is True,
    }


def _report(report: Body, told: dict[str, Any]) -> Iterator[Fact]:
    if not any(section in report for section in _SECTIONS):
        info = bodies.table(report["device_info"], "device_info")
        firmware = info.get("firmware_version")
        yield DeviceStatus(
            health="online", firmware=bodies.name(firmware, "firmware_version") if firmware else "", **told
        )
    yield from _windows(report, bodies.table(report.get("time_info") or {}, "time_info"), told)
    yield from _registers(report, told)
    for section in ("region_data", "region_trigger_data"):
        yield from _regions(bodies.table(report.get(section) or {}, section), told)


def _ended(clock: Body, seen: float) -> float:
    """When the report was true: the end of its period, its own time, or else the gateway's."""
    name = next((name for name in _TIMES if name in clock), "")
    return bodies.instant(clock[name], name) if name else seen


def _windows(report: Body, clock: Body, told: dict[str, Any]) -> Iterator[Count]:
    listed = bodies.rows(report.get("line_periodic_data", []), "line_periodic_data")
    if not listed:
        return
    start, end = (bodies.instant(clock.get(name), name) for name in ("start_time", "end_time"))
    for line, total in _lines(listed):
        entered, left = (bodies.people(total.get(name), name) for name in ("in", "out"))
        if bodies.lasts(start, end, entered + left, "milesight: a period"):
            yield _count("window", line, entered, left, told | {"start": start, "end": end})


def _registers(report: Body, told: dict[str, Any]) -> Iterator[Count]:
    for line, total in _lines(bodies.rows(report.get("line_total_data", []), "line_total_data")):
        entered, left = (bodies.people(total.get(name), name) for name in ("in_counted", "out_counted"))
        yield _count("cumulative", line, entered, left, told)


def _triggers(report: Body, told: dict[str, Any], kind: CountKind, suffix: str) -> Iterator[Count]:
    for line, total in _lines(bodies.rows(report.get("line_trigger_data", []), "line_trigger_data")):
        entered, left = (bodies.people(total.get(name), name) for name in ("in", "out"))
        yield _count(kind, line + suffix, entered, left, told)


def _lines(listed: list[object]) -> Iterator[tuple[str, Body]]:
    for item in listed:
        row = bodies.table(item, "line data")
        yield bodies.name(row.get("line"), "line"), bodies.table(row.get("total"), "total")


def _count(kind: CountKind, line: str, entered: int, left: int, told: dict[str, Any]) -> Count:
    return Count(counter=told["source"], kind=kind, line=line, forward=entered, backward=left, **told)


def _regions(data: Body, told: dict[str, Any]) -> Iterator[ZoneCount]:
    for item in bodies.rows(data.get("region_count_data", []), "region_count_data"):
        row = bodies.table(item, "region")
        title = row.get("region_name")
        zone = bodies.slug(title) if isinstance(title, str) else ""
        inside = bodies.table(row.get("total"), "total").get("current_total")
        yield ZoneCount(
            zone=zone or f"region-{bodies.name(row.get('region'), 'region')}",
            people=bodies.people(inside, "current_total"),
            **told,
        )


def encode(facts: Sequence[Fact], *, venue: str, device: str) -> list[Outgoing]:
    """See the port: one report a fact, on `milesight/<device>/status`, as the periodic and trigger reports are."""
    mark: Body = {"simulated": True} if speech.simulated(facts, device=device, venue=venue) else {}
    topic = f"milesight/{device}/status"
    return [(topic, msgspec.json.encode(_to_report(fact) | mark), False) for fact in facts]


def _to_report(fact: Fact) -> Body:
    info: Body = {"device_sn": fact.source, "device_name": "People Counter"}
    clock: Body = {"time": _written(fact.at)}
    if fact.historical:
        raise speech.untold("milesight", fact)
    match fact:
        case Count(kind="window", complete=1.0) if fact.at == fact.end:
            clock = {"start_time": _written(fact.start), "end_time": _written(fact.end)}
            sections: Body = {"line_periodic_data": [_to_line(fact, ("in", "out"))]}
        case Count(kind="cumulative"):
            sections = {"line_total_data": [_to_line(fact, ("in_counted", "out_counted"))]}
        case Count(kind="event"):
            sections = {"line_trigger_data": [_to_line(fact, ("in", "out"))]}
        case ZoneCount() if bodies.slug(fact.zone) == fact.zone:
            region = {"region": 1, "region_name": fact.zone, "total": {"current_total": fact.people}}
            sections = {"region_data": {"region_count_data": [region]}}
        case DeviceStatus(health="online", reason="", battery=None):
            sections, info = {}, info | {"firmware_version": fact.firmware}
        case _:
            raise speech.untold("milesight", fact)
    return {"device_info": info, "time_info": clock} | sections


def _to_line(fact: Count, names: tuple[str, str]) -> Body:
    line = speech.number_or_name(fact.line)
    return {"line": line, "total": dict(zip(names, (fact.forward, fact.backward), strict=True))}


def _written(seconds: float) -> str:
    """A time as the sensor writes it, with an offset in digits; to the millisecond."""
    return datetime.fromtimestamp(speech.milliseconds(seconds) / 1000, UTC).isoformat(timespec="milliseconds")
