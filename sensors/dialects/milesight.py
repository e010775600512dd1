"""Milesight VS125, VS133 and VS135 people counters: JSON over MQTT or HTTP push. (Their LoRaWAN form is another one.)

Source: akenza-io/device-type-library types/milesight/VS125 (MIT) and syedasadbly-eng/sus-apc-backend
docs/mqtt-schema.md, measured on buses in production.

Count kinds, often both in one message: `window` from `line_periodic_data`, `cumulative` from `line_total_data`.
The venue file says which of them a line credits. A line is its number in the sensor ("1").
States: `region_count_data` -> ZoneCount, the zone being the region's name spelt as an id ("Foyer" -> `foyer`).

Pitfalls:
* `line_trigger_data` is not credited: sources disagree whether it is an event or a register, and with the periodic
  data it would count a crossing twice. A message with nothing else is refused by name.
* `line_uuid` and `line_name` of a total can be those of another line: the number is the line.
* `group` counts groups, beside `total`; `capacity_counted` is in minus out and goes far below 0: neither is read.
* Totals are said to restart at midnight and were seen not to: a restart is found downstream, never assumed.
* The clock of the device can freeze or be years off; its offset can read `-00:00`. Judging it is the intake's work.
* In and out are swapped by the way the sensor is mounted: turn the counter's `towards` round in the venue file.
* NMEA sentences of a positioning modem were seen on the same topics: they are refused as not JSON.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from flowmon.errors import Undecodable
from flowmon.facts import Count, CountKind, Fact, ZoneCount
from sensors.dialects import bodies
from sensors.dialects.port import Family, Message, Outgoing, Unwanted

FAMILY = Family(
    name="Milesight VS125, VS133, VS135 (JSON)",
    transports=("MQTT", "HTTP"),
    kinds=("window", "cumulative", "zone_count"),
    privacy="people_id and dwell of single people are dropped",
    tested="VS125 1.0.1 and 1.0.3",
    source="akenza types/milesight/VS125, syedasadbly-eng/sus-apc-backend",
)

_SECTIONS = ("line_periodic_data", "line_total_data", "region_data")
_NOT_READ = ("line_trigger_data", "line_count_data", "region_trigger_data")

Body = dict[str, object]


def decode(message: Message, device: str) -> list[Fact]:
    """See the port. Reads one report or an array of them."""
    body = bodies.document(message.payload)
    facts: list[Fact] = []
    for item in body if isinstance(body, list) else [body]:
        facts += _report(bodies.table(item, "report"), device, message.seen)
    return facts


def _report(report: Body, device: str, seen: float) -> Iterator[Fact]:
    if not any(section in report for section in _SECTIONS):
        if other := next((name for name in _NOT_READ if name in report), ""):
            raise Unwanted(f"milesight: {other} is not counted; switch periodic or total reports on in the device")
        if "device_info" in report:
            return
        raise Undecodable("milesight: no device_info and no line or region data")
    info = bodies.table(report.get("device_info") or {}, "device_info")
    source = bodies.name(info["device_sn"], "device_sn") if "device_sn" in info else device
    if not source:
        raise Undecodable("milesight: no device_sn; name the device on its route")
    clock = bodies.table(report.get("time_info") or {}, "time_info")
    told: dict[str, Any] = {"source": source, "seen": seen, "simulated": report.get("simulated") is True}
    told["at"] = _ended(clock, seen)
    yield from _windows(report, clock, told)
    yield from _registers(report, told)
    yield from _regions(report, told)


def _ended(clock: Body, seen: float) -> float:
    """When the report was true: the end of its period, its own time, or else the gateway's."""
    name = next((name for name in ("end_time", "time") if name in clock), "")
    return bodies.instant(clock[name], name) if name else seen


def _windows(report: Body, clock: Body, told: dict[str, Any]) -> Iterator[Count]:
    listed = bodies.rows(report.get("line_periodic_data", []), "line_periodic_data")
    if not listed:
        return
    start, end = (bodies.instant(clock.get(name), name) for name in ("start_time", "end_time"))
    if not start < end:
        raise Undecodable("milesight: a period needs start_time before end_time")
    for line, total in _lines(listed):
        entered, left = (bodies.people(total.get(name), name) for name in ("in", "out"))
        yield _count("window", line, entered, left, told | {"start": start, "end": end})


def _registers(report: Body, told: dict[str, Any]) -> Iterator[Count]:
    for line, total in _lines(bodies.rows(report.get("line_total_data", []), "line_total_data")):
        entered, left = (bodies.people(total.get(name), name) for name in ("in_counted", "out_counted"))
        yield _count("cumulative", line, entered, left, told)


def _lines(listed: list[object]) -> Iterator[tuple[str, Body]]:
    for item in listed:
        row = bodies.table(item, "line data")
        yield bodies.name(row.get("line"), "line"), bodies.table(row.get("total"), "total")


def _count(kind: CountKind, line: str, entered: int, left: int, told: dict[str, Any]) -> Count:
    return Count(counter=told["source"], kind=kind, line=line, forward=entered, backward=left, **told)


def _regions(report: Body, told: dict[str, Any]) -> Iterator[ZoneCount]:
    data = bodies.table(report.get("region_data") or {}, "region_data")
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
    """See the port. Read only: the simulator need not speak it yet, so any fact raises ValueError."""
    if facts:
        raise ValueError(f"milesight is read only: {device} of {venue} cannot be simulated in it")
    return []
