"""Hikvision people counting cameras: ISAPI `EventNotificationAlert`, XML by HTTP push.

Source: dumacp/go-hikvision (Apache-2.0; its notes were measured on DS-2XM6825G0/C-IVS, firmware V5.5.850) and
FinEst-Twins/fvh_peoplecounter_in.

Count kinds, told apart by `statisticalMethods` alone, for `<enter>` and `<exit>` are the same tags in all of them:
`realTime` -> `cumulative` (one message a crossing), `timeRange` and `signalTrigger` -> `window`. Without it nothing
is credited. The line is `channelID` ("1").
Health: `videoloss` inactive is the heartbeat; active `videoloss`, `shelteralarm` and `scenechangedetection` are faults.

Pitfalls:
* `childCounting` repeats `<enter>`: values are read by their place, never by the first tag of that name.
* One device uses three namespaces: only local names are read.
* Offsets like `-5:00` are no RFC 3339 and are read all the same. A register without a zone in its time happened when
  the gateway got it; a window without one is refused. A signal's window can be empty (start = end).
* The XML may stand alone, among the parts of a multipart body, or inside the JSON of a cloud gateway
  (`{"body":{"payload":"<?xml…"}}`).
* Document types and entities are refused: no bomb is unpacked, no file is read.
* `isDataRetransmission` marks what the device had kept: it corrects history, not the live number.
* The device is its MAC in one spelling, 12 capitals ("849A40ECF16D"); without one the route names it.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any, Never
from xml.parsers import expat

from flowmon.errors import Undecodable
from flowmon.facts import Count, DeviceStatus, Fact
from sensors.dialects import bodies
from sensors.dialects.port import Family, Message, Outgoing, Unwanted

FAMILY = Family(
    name="Hikvision people counting cameras",
    transports=("HTTP",),
    kinds=("cumulative", "window", "device_status"),
    privacy="pictures beside the XML are dropped",
    tested="DS-2XM6825G0/C-IVS V5.5.850 (measured by dumacp)",
    source="dumacp/go-hikvision, FinEst-Twins/fvh_peoplecounter_in",
)

_OPENED = re.compile(rb"<(?:\w{1,20}:)?EventNotificationAlert[\s>]")
_CLOSED = re.compile(rb"</(?:\w{1,20}:)?EventNotificationAlert\s{0,20}>")
_SHORT_OFFSET = re.compile(r"([+-])(\d:\d\d)$")
_ZONED = re.compile(r"(?:Z|[+-]\d{1,2}:?\d{0,2})$")
_FAULTS = {
    "videoloss": "no picture: check the camera",
    "shelteralarm": "the lens is covered: uncover it",
    "scenechangedetection": "the camera was turned or moved: aim it again and check the line",
}
_DEPTH_MAX = 32
_VALUES_MAX = 2_000

#: Path of local names below the root -> its texts.
Values = dict[str, list[str]]


def decode(message: Message, device: str) -> list[Fact]:
    """See the port."""
    return [fact for alert in _alerts(message.payload) for fact in _facts(_values(alert), device, message.seen)]


def _alerts(payload: bytes) -> list[bytes]:
    text = payload.removeprefix(b"\xef\xbb\xbf").strip()
    if text.startswith(b"{"):
        body = bodies.table(bodies.table(bodies.document(text), "envelope").get("body"), "body")
        inner = body.get("payload")
        if not isinstance(inner, str):
            raise Undecodable("hikvision: body.payload is not text")
        text = inner.encode(errors="replace").strip()
    if text.startswith(b"<"):
        return [text]
    if found := list(_parts(text)):
        return found
    raise Undecodable("hikvision: no EventNotificationAlert; set the camera's alarm server to send XML")


def _parts(text: bytes) -> Iterator[bytes]:
    """The alerts among other parts; each byte is looked at once, whatever is missing."""
    position = 0
    while (opened := _OPENED.search(text, position)) and (closed := _CLOSED.search(text, opened.end())):
        position = closed.end()
        yield text[opened.start() : position]


def _values(alert: bytes) -> Values:
    """The texts of an alert by path. Raises Undecodable."""
    values: Values = {}
    path: list[str] = []
    size = 0

    def opened(name: str, _: dict[str, str]) -> None:
        nonlocal size
        size += 1
        path.append(name.rpartition(":")[2])
        if len(path) > _DEPTH_MAX or size > _VALUES_MAX:
            raise Undecodable("hikvision: XML nested too deeply or with too many elements")
        if len(path) == 1 and path[0] != "EventNotificationAlert":
            raise Undecodable(f"hikvision: XML of another kind: {path[0][:40]!r}")
        values.setdefault("/".join(path[1:]), []).append("")

    def closed(_: str) -> None:
        path.pop()

    def text(data: str) -> None:
        values["/".join(path[1:])][-1] += data

    parser = expat.ParserCreate("utf-8")
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = opened, closed, text
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = _refused
    parser.SkippedEntityHandler = parser.ExternalEntityRefHandler = _refused
    try:
        parser.Parse(alert, True)  # noqa: FBT003  expat takes no name for it
    except expat.ExpatError as error:
        raise Undecodable(f"not XML: {error}") from None
    return values


def _refused(*_: object) -> Never:
    raise Undecodable("hikvision: XML with a document type or entities is refused")


def _one(values: Values, path: str) -> str | None:
    found = values.get(path, [])
    if len(found) > 1:
        raise Undecodable(f"hikvision: {path} stands there {len(found)} times")
    return found[0].strip() if found else None


def _facts(values: Values, device: str, seen: float) -> Iterator[Fact]:
    named = bodies.mac(_one(values, "macAddress") or "") or device
    if not named:
        raise Undecodable("hikvision: no macAddress; name the device on its route")
    told: dict[str, Any] = {"source": bodies.name(named, "macAddress"), "seen": seen}
    kind = _one(values, "eventType") or ""
    if kind == "PeopleCounting":
        yield _count(values, told)
    elif fault := _FAULTS.get(kind.lower()):
        active = _one(values, "eventState") == "active"
        at = _time(_one(values, "dateTime"), "dateTime", seen)
        yield DeviceStatus(at=at, health="fault" if active else "online", reason=fault if active else "", **told)
    else:
        raise Unwanted("hikvision: an event of another type than PeopleCounting")


def _count(values: Values, told: dict[str, Any]) -> Count:
    flags = (_one(values, path) for path in ("isDataRetransmission", "peopleCounting/isDataRetransmission"))
    told |= {
        "counter": told["source"],
        "line": bodies.name(_one(values, "channelID") or "1", "channelID"),
        "forward": bodies.digits(_one(values, "peopleCounting/enter"), "enter"),
        "backward": bodies.digits(_one(values, "peopleCounting/exit"), "exit"),
        "historical": "true" in flags,
    }
    method = _one(values, "peopleCounting/statisticalMethods")
    if method == "realTime":
        when = _one(values, "peopleCounting/RealTime/time") or _one(values, "dateTime")
        return Count(at=_time(when, "time", told["seen"]), kind="cumulative", **told)
    if method in {"timeRange", "signalTrigger"}:
        start = _time(_one(values, "peopleCounting/TimeRange/startTime"), "startTime")
        end = _time(_one(values, "peopleCounting/TimeRange/endTime"), "endTime")
        if start > end or (start == end and method == "timeRange"):
            raise Undecodable("hikvision: a window needs startTime before endTime")
        return Count(at=end, kind="window", start=start, end=end, **told)
    raise Undecodable("hikvision: statisticalMethods is not realTime, timeRange or signalTrigger: not credited")


def _time(text: str | None, what: str, otherwise: float | None = None) -> float:
    """A time of the device; `otherwise` where it has no zone or is missing."""
    if otherwise is not None and (not text or not _ZONED.search(text.partition("T")[2])):
        return otherwise
    return bodies.instant(_SHORT_OFFSET.sub(r"\g<1>0\g<2>", text or ""), what)


def encode(facts: Sequence[Fact], *, venue: str, device: str) -> list[Outgoing]:
    """See the port. Read only: the simulator need not speak it yet, so any fact raises ValueError."""
    if facts:
        raise ValueError(f"hikvision is read only: {device} of {venue} cannot be simulated in it")
    return []
