"""Xovis people counters of firmware 3 and 4, and the LEGACY agents of firmware 5: HTTP push or MQTT.

Source: akenza-io/device-type-library types/xovis/PC2S (MIT) and the driver in vanti-dev/sc-bos.

Count kinds: `window` from the line elements of a count push, `event` from LineCrossing of an event push. The line is
the element's or count item's id ("0" is the first).

Pitfalls:
* An event push tells one person as LineCrossing and as LineCount: only LineCrossing counts. A push of LineCounts
  alone is refused with what to switch on.
* Only PERSON objects count; a GROUP would count its members again.
* FillLevelChanged does not say how many people there are: no state can be read from it.
* Labels other than `fw` and `bw` are parts of them. Times of events are ms, of counts RFC 3339 or ms.
* `serial` is in each event, `sensor-info` in a count push; else the route names the device.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from flowmon.errors import Undecodable
from flowmon.facts import Count, Fact
from sensors.dialects import bodies, speech, xovis
from sensors.dialects.port import Family, Message, Outgoing, Unwanted

FAMILY = Family(
    name="Xovis PC2, firmware 3 and 4, and legacy agents",
    transports=("MQTT", "HTTP"),
    kinds=("window", "event"),
    privacy="positions and heights are dropped",
    tested="4.x",
    source="akenza types/xovis/PC2S, vanti-dev/sc-bos",
)

_WAYS = {"forward": (1, 0), "backward": (0, 1)}

Body = dict[str, object]


def decode(message: Message, device: str) -> list[Fact]:
    """See the port."""
    facts: list[Fact] = []
    for body in xovis.envelopes(message.payload, "values"):
        if "connection_test" in body:
            continue
        told = {"seen": message.seen, "simulated": body.get("simulated") is True}
        if "values" in body:
            facts += _events(body, device, told)
        elif "content" in body:
            facts += _counts(body, device, told)
        else:
            raise Undecodable("xovis: no values and no content; route a firmware 5 agent to xovis or xovis-live")
    return facts


def _source(named: object, device: str) -> dict[str, Any]:
    source = bodies.name(named, "serial") if named is not None else device
    if not source:
        raise Undecodable("xovis: no serial; name the device on its route")
    return {"source": source, "counter": source}


def _events(body: Body, device: str, told: dict[str, Any]) -> Iterator[Count]:
    events = [bodies.table(item, "event") for item in bodies.rows(body["values"], "values")]
    if any("type" not in event or "timestamp" not in event for event in events):
        raise Undecodable("xovis: values that are no events of a sensor")
    crossings = [event for event in events if event.get("type") == "LineCrossing"]
    if not crossings and any(event.get("type") == "LineCount" for event in events):
        raise Unwanted("xovis: LineCount without LineCrossing; switch LineCrossing events on in the agent")
    for event in crossings:
        if event.get("objectType", "PERSON") != "PERSON":
            continue
        way = _WAYS.get(str(event.get("direction")))
        if way is None:
            raise Undecodable("xovis: direction is not forward or backward")
        track = bodies.people(bodies.table(event.get("object"), "object").get("id"), "object id")
        yield Count(
            at=bodies.instant(event.get("timestamp"), "timestamp"),
            kind="event",
            line=bodies.name(bodies.table(event.get("countItem"), "countItem").get("id"), "countItem id"),
            forward=way[0],
            backward=way[1],
            seq=bodies.people(2 * track + way[1], "object id"),
            **_source(event.get("serial"), device),
            **told,
        )


def _counts(body: Body, device: str, told: dict[str, Any]) -> Iterator[Count]:
    info = bodies.table(body.get("sensor-info") or {}, "sensor-info")
    told |= _source(info.get("serial-number"), device)
    content = bodies.table(body["content"], "content")
    for item in bodies.rows(content.get("element", []), "element"):
        element = bodies.table(item, "element")
        if element.get("data-type") != "LINE":
            continue
        line = bodies.name(element.get("element-id"), "element-id")
        for measured in bodies.rows(element.get("measurement", []), "measurement"):
            count = _window(bodies.table(measured, "measurement"), told | {"line": line})
            if bodies.lasts(count.start, count.end, count.forward + count.backward, "xovis: a measurement"):
                yield count


def _window(measured: Body, told: dict[str, Any]) -> Count:
    start, end = bodies.instant(measured.get("from"), "from"), bodies.instant(measured.get("to"), "to")
    counts: dict[str, int] = {"fw": 0, "bw": 0}
    for item in bodies.rows(measured.get("value"), "value"):
        value = bodies.table(item, "value")
        label = value.get("label")
        if isinstance(label, str) and label in counts:
            counts[label] = bodies.people(value.get("value"), label)
    return Count(at=end, kind="window", start=start, end=end, forward=counts["fw"], backward=counts["bw"], **told)


def encode(facts: Sequence[Fact], *, venue: str, device: str) -> list[Outgoing]:
    """See the port: one push of counts and one of events, on `xovis/<device>/legacy`."""
    mark: Body = {"simulated": True} if speech.simulated(facts, device=device, venue=venue) else {}
    elements: list[Body] = []
    events: list[Body] = []
    for number, fact in enumerate(facts, 1):
        if fact.historical:
            raise speech.untold("xovis-legacy", fact)
        match fact:
            case Count(kind="window", complete=1.0):
                elements.append(_to_element(fact))
            case Count(kind="event") if (fact.forward, fact.backward) in _WAYS.values():
                events.append(_to_event(fact, number))
            case _:
                raise speech.untold("xovis-legacy", fact)
    counts = {"sensor-info": {"serial-number": device, "device-type": "PC2S"}, "content": {"element": elements}}
    pushes: list[Body] = ([counts | mark] if elements else []) + ([{"values": events} | mark] if events else [])
    return [(f"xovis/{device}/legacy", msgspec.json.encode(push), False) for push in pushes]


def _to_element(fact: Count) -> Body:
    values = [{"value": fact.forward, "label": "fw"}, {"value": fact.backward, "label": "bw"}]
    measured = {"from": speech.rfc3339(fact.start), "to": speech.rfc3339(fact.end), "value": values}
    named = {"element-id": speech.number_or_name(fact.line), "element-name": f"Line {fact.line}"}
    return named | {"data-type": "LINE", "measurement": [measured]}


def _to_event(fact: Count, number: int) -> Body:
    track, odd = divmod(fact.seq if fact.seq >= 0 else 2 * number + fact.backward, 2)
    if odd != fact.backward:
        raise speech.untold("xovis-legacy", fact)
    return {
        "timestamp": speech.milliseconds(fact.at),
        "type": "LineCrossing",
        "serial": fact.source,
        "direction": "backward" if fact.backward else "forward",
        "object": {"id": track},
        "countItem": {"id": speech.number_or_name(fact.line), "name": f"Line {fact.line}"},
        "objectType": "PERSON",
    }
