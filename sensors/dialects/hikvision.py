"""Hikvision people counting cameras: ISAPI `EventNotificationAlert`, XML or JSON by HTTP push.

Source: dumacp/go-hikvision (Apache-2.0; its notes were measured on DS-2XM6825G0/C-IVS, firmware V5.5.850) and
FinEst-Twins/fvh_peoplecounter_in.

Count kinds, told apart by `statisticalMethods` alone, for `<enter>` and `<exit>` are the same tags in all of them:
`realTime` -> `cumulative` (one message a crossing), `timeRange` and `signalTrigger` -> `window`. Without it nothing
is credited. The line is `channelID` ("1"), with `regionsID` where that is not 1 ("1-2"): each has registers of its own.
Health: `videoloss` inactive is the heartbeat; active `videoloss`, `shelteralarm`, `tamperdetection` and
`scenechangedetection` are faults, and good again when they are told inactive.

Pitfalls:
* `childCounting` repeats `<enter>`: values are read by their place, never by the first tag of that name. `pass`,
  `duplicatePeople` and the lines of `FlowStatisticsList` are parts of the count or other counts: not read.
* One device uses three namespaces, and `RealTime` or `realTime`: only local names are read, capitals do not matter.
* Offsets like `-5:00` are no RFC 3339 and are read all the same. A register without a zone in its time happened when
  the gateway got it; a window without one is refused. A timeRange that is no time
  (start = end) says nothing when nobody passed, and is refused when somebody did; a signalTrigger may be one moment.
* The alert may stand alone, among the parts of a multipart body (with pictures, which are not looked at), inside the
  JSON of a cloud gateway (`{"header":…,"body":{"payload":"<?xml…"}}`), or be JSON itself.
* Document types and entities are refused: no bomb is unpacked, no file is read.
* `isDataRetransmission` marks what the device had kept: it corrects history, not the live number.
* The device is its MAC in one spelling, 12 capitals ("849A40ECF16D"); without one the route or the cloud names it.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any
from xml.sax.saxutils import escape

from flowmon.errors import Undecodable
from flowmon.facts import Count, DeviceStatus, Fact
from sensors.dialects import bodies, markup, speech
from sensors.dialects.port import Family, Message, Outgoing, Unwanted

FAMILY = Family(
    name="Hikvision people counting cameras",
    transports=("HTTP",),
    kinds=("cumulative", "window", "device_status"),
    privacy="pictures beside the XML are dropped",
    tested="DS-2XM6825G0/C-IVS V5.5.850 (measured by dumacp)",
    source="dumacp/go-hikvision, FinEst-Twins/fvh_peoplecounter_in",
)

_ROOT = "EventNotificationAlert"
_OPENED = re.compile(rb"<(?:\w{1,20}:)?EventNotificationAlert[\s>]")
_CLOSED = re.compile(rb"</(?:\w{1,20}:)?EventNotificationAlert\s{0,20}>")
_BOUNDARY = re.compile(r'boundary="?([^\s";,]{1,100})')
_FIRST_BOUNDARY = re.compile(rb"\s{0,20}--([^\s]{1,100})\s{0,4}\r?\n")
_SHORT_OFFSET = re.compile(r"([+-])(\d:\d\d)$")
_ZONED = re.compile(r"(?:Z|[+-]\d{1,2}:?\d{0,2})$")
_FAULTS = {
    "videoloss": "no picture: check the camera",
    "shelteralarm": "the lens is covered: uncover it",
    "tamperdetection": "the lens is covered or the camera was touched: look at it",
    "scenechangedetection": "the camera was turned or moved: aim it again and check the line",
}
_DEPTH_MAX = 32
_VALUES_MAX = 2_000

#: Path of local names below the root, in small letters -> its text, or None where it stands there more than once.
Values = dict[str, str | None]


def decode(message: Message, device: str) -> list[Fact]:
    """See the port."""
    alerts = list(_alerts(message, device))
    if not alerts:
        raise Undecodable("hikvision: no EventNotificationAlert; set the camera's alarm server to send XML")
    return [fact for values, named in alerts for fact in _facts(values, named, message.seen)]


def _alerts(message: Message, device: str) -> Iterator[tuple[Values, str]]:
    """The alerts of a message, and the device as far as its envelope knows it."""
    text = message.payload.removeprefix(b"\xef\xbb\xbf").strip()
    if text.startswith((b"<", b"{")):
        yield _alert(text, device)
        return
    parts = list(_parts(text, message.headers.get("content-type", "")))
    for part in parts:
        if part.startswith((b"<", b"{")):
            yield _alert(part, device)
    if not parts:
        for alert in _sniffed(text):
            yield _alert(alert, device)


def _alert(text: bytes, device: str) -> tuple[Values, str]:
    if text.startswith(b"<"):
        return _xml(text), device
    body = bodies.table(bodies.document(text), "alert")
    if isinstance(inner := body.get("body"), dict) and "payload" in inner:
        payload = inner["payload"]
        if not isinstance(payload, str):
            raise Undecodable("hikvision: body.payload is not text")
        header = bodies.table(body.get("header") or {}, "header")
        named = bodies.name(header["deviceId"], "deviceId") if "deviceId" in header else ""
        return _xml(payload.encode(errors="replace").strip()), device or named
    told = body.get(_ROOT, body)
    if not isinstance(told, dict) or "eventType" not in told:
        raise Undecodable("hikvision: JSON without an EventNotificationAlert")
    values: Values = {}
    _flatten(told, "", values, 0)
    return values, device


def _parts(text: bytes, content_type: str) -> Iterator[bytes]:
    """The bodies of a multipart message: by the boundary of its header, else by its own first line."""
    named = _BOUNDARY.search(content_type)
    first = _FIRST_BOUNDARY.match(text)
    mark = named[1].encode(errors="replace") if named else first[1] if first else b""
    if not mark:
        return
    for part in text.split(b"--" + mark)[1:]:
        _, blank, body = part.replace(b"\r\n", b"\n").partition(b"\n\n")
        if blank:
            yield body.strip()


def _sniffed(text: bytes) -> Iterator[bytes]:
    """The alerts among other bytes; each byte is looked at once, whatever is missing."""
    position = 0
    while (opened := _OPENED.search(text, position)) and (closed := _CLOSED.search(text, opened.end())):
        position = closed.end()
        yield text[opened.start() : position]


def _xml(alert: bytes) -> Values:
    values: Values = {}
    waiting = [("", markup.tree(alert, _ROOT, _VALUES_MAX))]
    while waiting:
        path, element = waiting.pop()
        for child in element:
            place = path + child.tag.lower()
            values[place] = None if place in values else child.text or ""
            if len(child):
                waiting.append((f"{place}/", child))
    return values


def _flatten(told: dict[str, object], path: str, values: Values, depth: int) -> None:
    if depth > _DEPTH_MAX or len(values) > _VALUES_MAX:
        raise Undecodable("hikvision: JSON nested too deeply or with too many values")
    for name, value in told.items():
        place = f"{path}/{name.lower()}" if path else name.lower()
        if isinstance(value, dict):
            _flatten(value, place, values, depth + 1)
        elif isinstance(value, bool):
            values[place] = str(value).lower()
        elif isinstance(value, str | int):
            values[place] = value if isinstance(value, str) else bodies.name(value, place)


def _one(values: Values, path: str) -> str | None:
    """The text at a path in small letters; None where there is none. Raises Undecodable for several."""
    if path not in values:
        return None
    if (text := values[path]) is None:
        raise Undecodable(f"hikvision: {path} stands there more than once")
    return text.strip()


def _facts(values: Values, device: str, seen: float) -> Iterator[Fact]:
    named = bodies.mac(_one(values, "macaddress") or "") or device
    if not named:
        raise Undecodable("hikvision: no macAddress; name the device on its route")
    told: dict[str, Any] = {"source": bodies.name(named, "macAddress"), "seen": seen}
    told["simulated"] = _one(values, "simulated") == "true"
    kind = (_one(values, "eventtype") or "").lower()
    if kind == "peoplecounting":
        yield from _counts(values, told)
    elif fault := _FAULTS.get(kind):
        active = _one(values, "eventstate") == "active"
        at = _time(_one(values, "datetime"), "dateTime", seen)
        yield DeviceStatus(at=at, health="fault" if active else "online", reason=fault if active else "", **told)
    else:
        raise Unwanted("hikvision: an event of another type than PeopleCounting")


def _counts(values: Values, told: dict[str, Any]) -> Iterator[Count]:
    flags = (_one(values, path) for path in ("isdataretransmission", "peoplecounting/isdataretransmission"))
    told |= {
        "counter": told["source"],
        "line": _line(values),
        "forward": bodies.digits(_one(values, "peoplecounting/enter"), "enter"),
        "backward": bodies.digits(_one(values, "peoplecounting/exit"), "exit"),
        "historical": "true" in flags,
    }
    method = _one(values, "peoplecounting/statisticalmethods")
    if method == "realTime":
        when = _one(values, "peoplecounting/realtime/time") or _one(values, "datetime")
        yield Count(at=_time(when, "time", told["seen"]), kind="cumulative", **told)
    elif method in {"timeRange", "signalTrigger"}:
        start = _time(_one(values, "peoplecounting/timerange/starttime"), "startTime")
        end = _time(_one(values, "peoplecounting/timerange/endtime"), "endTime")
        is_moment = method == "signalTrigger" and start == end  # one signal, not from one to the next
        if is_moment or bodies.lasts(start, end, told["forward"] + told["backward"], "hikvision: a window"):
            yield Count(at=end, kind="window", start=start, end=end, **told)
    else:
        raise Undecodable("hikvision: statisticalMethods is not realTime, timeRange or signalTrigger: not credited")


def _line(values: Values) -> str:
    channel = bodies.name(_one(values, "channelid") or "1", "channelID")
    region = bodies.name(_one(values, "peoplecounting/regionsid") or "1", "regionsID")
    return channel if region == "1" else bodies.name(f"{channel}-{region}", "channelID and regionsID")


def _time(text: str | None, what: str, otherwise: float | None = None) -> float:
    """A time of the device; `otherwise` where it has no zone or is missing."""
    if otherwise is not None and (not text or not _ZONED.search(text.partition("T")[2])):
        return otherwise
    return bodies.instant(_SHORT_OFFSET.sub(r"\g<1>0\g<2>", text or ""), what)


def encode(facts: Sequence[Fact], *, venue: str, device: str) -> list[Outgoing]:
    """See the port: one alert a fact, as the camera posts it to `hikvision/<device>`."""
    mark = "<simulated>true</simulated>" if speech.simulated(facts, device=device, venue=venue) else ""
    return [(f"hikvision/{device}", _to_alert(fact, mark).encode(), False) for fact in facts]


def _to_alert(fact: Fact, mark: str) -> str:
    match fact:
        case Count(kind="event") | DeviceStatus(health="offline"):
            raise speech.untold("hikvision", fact)
        case Count():
            kind, state, told = "PeopleCounting", "active", _to_counting(fact)
        case DeviceStatus(health="online"):
            kind, state, told = "videoloss", "inactive", ""
        case DeviceStatus():
            kind = next((kind for kind, reason in _FAULTS.items() if reason == fact.reason), "")
            state, told = "active", ""
            if not kind:
                raise speech.untold("hikvision", fact)
        case _:
            raise speech.untold("hikvision", fact)
    line = escape(fact.line) if isinstance(fact, Count) else "1"
    again = "<isDataRetransmission>true</isDataRetransmission>" if fact.historical else ""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<{_ROOT} version="1.0" xmlns="urn:psialliance-org"><macAddress>{escape(fact.source)}</macAddress>'
        f"<channelID>{line}</channelID><dateTime>{speech.rfc3339(fact.at)}</dateTime><eventType>{kind}</eventType>"
        f"<eventState>{state}</eventState>{again}{mark}{told}</{_ROOT}>"
    )


def _to_counting(fact: Count) -> str:
    if fact.kind == "cumulative":
        method, when = "realTime", f"<RealTime><time>{speech.rfc3339(fact.at)}</time></RealTime>"
    else:
        start, end = speech.rfc3339(fact.start), speech.rfc3339(fact.end)
        method = "timeRange"
        when = f"<TimeRange><startTime>{start}</startTime><endTime>{end}</endTime></TimeRange>"
    return (
        f"<peopleCounting><statisticalMethods>{method}</statisticalMethods>{when}"
        f"<enter>{fact.forward}</enter><exit>{fact.backward}</exit><regionsID>1</regionsID></peopleCounting>"
        "<childCounting><enter>0</enter><exit>0</exit></childCounting>"
    )
