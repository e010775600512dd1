"""Xovis 3D people counters, firmware 5, LIVE_DATA agent: each person who crosses a line, as it happens.

Source: the vendor's OpenAPI `people-counter-v5-api.yaml` (eliona-smart-building-assistant/xovis-app, MIT) and
akenza-io/device-type-library types/xovis/PC2SV5 (MIT).

Count kinds: `event`, from LINE_CROSS_FORWARD and LINE_CROSS_BACKWARD. The line is the geometry's id.

Pitfalls:
* One person is told up to three times: the crossing, a COUNT_INCREMENT of each logic that counts it, and the same
  crossing of the GROUP track about 2 s later. Only the crossing of a person's own track counts.
* GROUP tracks have small ids in 5.0 and 2^31 + n later; `tracked_objects` of the frame tells what a track is. A track
  that is not listed there is taken for a person unless its id is that high. BICYCLE and PRAM are no people.
* A tag other than NO_TAG is worn by staff: they are not counted.
* `sensor_info` is absent when the agent's meta data is NONE: the route must name the device then.
* Gender, age, face mask and view direction of people may be told: they are never read.
* Retries repeat packages; a crossing's identity is line, time, track and direction. Frames without crossings, at
  12.5 a second, say nothing. A raw stream holds JSON documents one after the other.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from flowmon.errors import Undecodable
from flowmon.facts import Count, Fact
from sensors.dialects import bodies
from sensors.dialects.port import Family, Message, Outgoing

FAMILY = Family(
    name="Xovis PC2 and PC3, firmware 5: live data",
    transports=("MQTT", "HTTP"),
    kinds=("event",),
    privacy="positions, heights, gender, age, masks and gaze are dropped",
    tested="5.0",
    source="eliona xovis-app people-counter-v5-api.yaml, akenza types/xovis/PC2SV5",
)

_CROSSINGS = {"LINE_CROSS_FORWARD": (1, 0), "LINE_CROSS_BACKWARD": (0, 1)}
_NOT_PEOPLE = frozenset({"GROUP", "BICYCLE", "PRAM"})
_GROUP_FROM = 2**31

Body = dict[str, object]


def decode(message: Message, device: str) -> list[Fact]:
    """See the port."""
    facts: list[Fact] = []
    for body in bodies.documents(message.payload):
        for item in body if isinstance(body, list) else [body]:
            facts += _envelope(bodies.table(item, "envelope"), device, message.seen)
    return facts


def _envelope(envelope: Body, device: str, seen: float) -> Iterator[Fact]:
    if "connection_test" in envelope:
        return
    if "live_data" not in envelope:
        raise Undecodable("xovis: no live_data; route the agent's topic to the dialect of its type")
    data = bodies.table(envelope["live_data"], "live_data")
    info = bodies.table(data.get("sensor_info") or {}, "sensor_info")
    source = bodies.name(info["serial_number"], "serial_number") if "serial_number" in info else device
    if not source:
        raise Undecodable("xovis: no sensor_info; name the device on its route, or switch meta data on in the agent")
    told = {"source": source, "counter": source, "seen": seen, "simulated": envelope.get("simulated") is True}
    for item in bodies.rows(data.get("frames", []), "frames"):
        yield from _frame(bodies.table(item, "frame"), told)


def _frame(frame: Body, told: dict[str, Any]) -> Iterator[Count]:
    events = [bodies.table(item, "event") for item in bodies.rows(frame.get("events", []), "events")]
    crossings = [event for event in events if str(event.get("type")) in _CROSSINGS]
    if not crossings:
        return
    at = bodies.instant(frame.get("time"), "time")
    others = _others(frame)
    for event in crossings:
        crossed = bodies.table(event.get("attributes"), "attributes")
        track = bodies.people(crossed.get("track_id"), "track_id")
        if others.get(track, track >= _GROUP_FROM):
            continue
        forward, backward = _CROSSINGS[str(event["type"])]
        line = bodies.name(crossed.get("geometry_id"), "geometry_id")
        seq = bodies.people(2 * track + backward, "track_id")
        yield Count(at=at, kind="event", line=line, forward=forward, backward=backward, seq=seq, **told)


def _others(frame: Body) -> dict[int, bool]:
    """Track -> whether it is anything else than a visitor."""
    found: dict[int, bool] = {}
    for item in bodies.rows(frame.get("tracked_objects", []), "tracked_objects"):
        track = bodies.table(item, "tracked object")
        worn = bodies.table(track.get("attributes") or {}, "attributes").get("tag") or "NO_TAG"
        is_other = str(track.get("type")) in _NOT_PEOPLE or worn != "NO_TAG"
        found[bodies.people(track.get("track_id"), "track_id")] = is_other
    return found


def encode(facts: Sequence[Fact], *, venue: str, device: str) -> list[Outgoing]:
    """See the port. Read only: the simulator need not speak it yet, so any fact raises ValueError."""
    if facts:
        raise ValueError(f"xovis-live is read only: {device} of {venue} cannot be simulated in it")
    return []
