"""Brickstream 2300 and 2500 of FLIR, and counters that speak its batch XML: `<Metrics>` by HTTP push or FTP.

Source: ethrgeist/brickstream-exporter (captures of XML versions 1 to 5 of a 2300, software 5.9.21) and its reading of
Timezone and DST.

Count kinds: `window`, from each `<Count>` of a report. The line is the object's `Id` ("0").
Health: a window whose `Status` is not 0 is told with `complete` 0, and as a fault of the device.

Pitfalls:
* `StartTime` is local. `UnixStartTime` is UTC, and 0 or missing (version 1) in some: then the local time is read with
  `Timezone` and `DST`, both hours to add. A window with neither is refused. One that ends before it starts crosses
  midnight; the hour that the clock repeats in autumn is told apart by UTC alone.
* What the bits of `Status` mean is not published; 4 was seen from a device at night.
* `DeviceId` and the names are free text of the owner. An object may have a DeviceId of its own (several sensors).
* Document types and entities are refused. A blank before `=` is right XML.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any
from xml.etree.ElementTree import Element
from xml.sax.saxutils import quoteattr

from flowmon.errors import Undecodable
from flowmon.facts import Count, DeviceStatus, Fact
from sensors.dialects import bodies, markup, speech
from sensors.dialects.port import Family, Message, Outgoing

FAMILY = Family(
    name="Brickstream and FLIR 2300, 2500 (XML)",
    transports=("HTTP",),
    kinds=("window", "device_status"),
    privacy="nothing of single people is sent; network addresses are not read",
    tested="XML versions 1 to 5 of a 2300, software 5.9.21",
    source="ethrgeist/brickstream-exporter",
)

_CLOCK = re.compile(r"(\d\d):(\d\d)(?::(\d\d))?$")
_HOURS = re.compile(r"[+-]?\d{1,2}(?:\.\d{1,2})?$")
_DAY_S = 86_400


def decode(message: Message, device: str) -> list[Fact]:
    """See the port."""
    text = message.payload.removeprefix(b"\xef\xbb\xbf").strip()
    if not text.startswith(b"<"):
        raise Undecodable("brickstream: not XML")
    metrics = markup.tree(text, "Metrics")
    found = metrics.find("Properties")
    properties = Element("Properties") if found is None else found
    named = metrics.get("DeviceId") or markup.said(properties, "MacAddress") or markup.said(properties, "SerialNumber")
    told: dict[str, Any] = {"seen": message.seen, "simulated": metrics.get("Simulated") == "1"}
    facts: list[Fact] = []
    if metrics.find("ReportData") is None:
        raise Undecodable("brickstream: no ReportData; set the device to send batch data")
    for report in metrics.iterfind("ReportData/Report"):
        for item in report.iterfind("Object"):
            source = item.get("DeviceId") or named or device
            if not source:
                raise Undecodable("brickstream: no DeviceId; set one in the device, or name the device on its route")
            told["source"] = bodies.name(bodies.mac(source), "DeviceId")
            line = bodies.name(item.get("Id") or "0", "Object Id")
            for count in item.iterfind("Count"):
                facts += _window(count, report.get("Date", ""), properties, told | {"line": line})
    return facts


def _window(count: Element, date: str, properties: Element, told: dict[str, Any]) -> Iterator[Fact]:
    start, end = _span(count.attrib, date, properties)
    status = bodies.digits(count.get("Status", "0"), "Status")
    yield Count(
        at=end,
        counter=told["source"],
        kind="window",
        start=start,
        end=end,
        forward=bodies.digits(count.get("Enters"), "Enters"),
        backward=bodies.digits(count.get("Exits"), "Exits"),
        complete=0.0 if status else 1.0,
        **told,
    )
    if status:
        reason = f"status {status} of a counting window: look at the sensor's picture and its own log"
        beside = {name: value for name, value in told.items() if name != "line"}
        yield DeviceStatus(at=end, health="fault", reason=reason, **beside)


def _span(count: dict[str, str], date: str, properties: Element) -> tuple[float, float]:
    """Start and end of a window, seconds UTC."""
    begin, finish = _clock(count.get("StartTime", ""), "StartTime"), _clock(count.get("EndTime", ""), "EndTime")
    length = (finish - begin) % _DAY_S or _DAY_S
    if unix := bodies.digits(count.get("UnixStartTime", "0"), "UnixStartTime"):
        start = bodies.seconds(unix, "UnixStartTime")
        return start, start + length
    if not markup.said(properties, "Timezone"):
        raise Undecodable("brickstream: a local time without Timezone; set the device to XML version 2 or later")
    offset = _hours(markup.said(properties, "Timezone"), "Timezone") + _hours(
        markup.said(properties, "DST") or "0", "DST"
    )
    try:
        midnight = datetime.strptime(date, "%Y-%m-%d").replace(tzinfo=UTC).timestamp()
    except ValueError:
        raise Undecodable(f"brickstream: Date is not YYYY-MM-DD: {date[:20]!r}") from None
    start = midnight + begin - offset * 3_600
    if start < 0:
        raise Undecodable(f"brickstream: Date is before 1970: {date[:20]!r}")
    return start, start + length


def _clock(text: str, what: str) -> int:
    """Seconds since midnight; 24:00:00 is the end of the day."""
    found = _CLOCK.match(text.strip())
    parts = [int(part or 0) for part in found.groups()] if found else []
    if not parts or not (parts[0] <= 24 and parts[1] < 60 and parts[2] < 60):
        raise Undecodable(f"brickstream: {what} is not a time of day: {text[:20]!r}")
    return parts[0] * 3_600 + parts[1] * 60 + parts[2]


def _hours(text: str, what: str) -> float:
    if not _HOURS.match(text):
        raise Undecodable(f"brickstream: {what} is not a number of hours: {text[:20]!r}")
    return float(text)


def encode(facts: Sequence[Fact], *, venue: str, device: str) -> list[Outgoing]:
    """See the port: one `<Metrics>` of windows in UTC, at `brickstream/<device>`; they last at most a day."""
    if not facts:
        return []
    mark = ' Simulated="1"' if speech.simulated(facts, device=device, venue=venue) else ""
    reports = "".join(_to_report(fact) for fact in facts)
    text = (
        f'<?xml version="1.0"?>\n<Metrics SiteId={quoteattr(venue)} DeviceId={quoteattr(device)}{mark}>'
        "<Properties><Version>5</Version><Timezone>0</Timezone><DST>0</DST></Properties>"
        f'<ReportData Interval="1">{reports}</ReportData></Metrics>'
    )
    return [(f"brickstream/{device}", text.encode(), False)]


def _to_report(fact: Fact) -> str:
    if not isinstance(fact, Count) or fact.kind != "window" or fact.complete < 1 or fact.historical:
        raise speech.untold("brickstream", fact)
    start, end = round(fact.start), round(fact.end)
    if not 0 < end - start <= _DAY_S or start < 1:
        raise speech.untold("brickstream", fact)
    begin, finish = (datetime.fromtimestamp(time, UTC) for time in (start, end))
    return (
        f'<Report Date="{begin:%Y-%m-%d}"><Object Id={quoteattr(fact.line)} ObjectType="0">'
        f'<Count StartTime="{begin:%H:%M:%S}" EndTime="{finish:%H:%M:%S}" UnixStartTime="{start}"'
        f' Enters="{fact.forward}" Exits="{fact.backward}" Status="0"/></Object></Report>'
    )
