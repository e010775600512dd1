"""Xovis 3D people counters, firmware 5, LIVE_DATA agent: each person who crosses a line, as it happens.

Source: the vendor's OpenAPI `people-counter-v5-api.yaml` (eliona-smart-building-assistant/xovis-app, MIT) and
akenza-io/device-type-library types/xovis/PC2SV5 (MIT).

Count kinds: `event`, from LINE_CROSS_FORWARD and LINE_CROSS_BACKWARD. The line is the geometry's id.
States, from COUNT events of a logic: `balance` -> ZoneCount, `queue-length` and `queueing-time` -> QueueReading. The
zone or queue is the logic's name spelt as an id.

Pitfalls:
* One person is told up to three times: the crossing, a COUNT_INCREMENT of each logic that counts it, and the same
  crossing of the GROUP track about 2 s later. Only the crossing of a person's own track counts.
* `counter_value` of a COUNT event is the sensor's aggregate. For `queueing-time` it is the mean since the last reset:
  the wait of the person who left now is `amount`, and that is told; several in one frame are averaged.
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

import msgspec

from flowmon.errors import Undecodable
from flowmon.facts import Count, DeviceStatus, Fact, QueueReading, ZoneCount
from sensors.dialects import bodies, speech, xovis, xovis_status
from sensors.dialects.port import Family, Message, Outgoing

FAMILY = Family(
    name="Xovis PC2 and PC3, firmware 5: live data",
    transports=("MQTT", "HTTP"),
    kinds=("event", "zone_count", "device_status", "queue_reading"),
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
    return [
        fact
        for envelope in xovis.envelopes(message.payload, "live_data")
        for fact in _envelope(envelope, device, message.seen)
    ]


def _envelope(envelope: Body, device: str, seen: float) -> Iterator[Fact]:
    if "connection_test" in envelope:
        return
    simulated = envelope.get("simulated") is True
    if "status_data" in envelope:
        status = bodies.table(envelope["status_data"], "status_data")
        yield xovis_status.read(status, device, seen, simulated=simulated)
        return
    if "live_data" not in envelope:
        raise Undecodable("xovis: no live_data; route the agent's topic to the dialect of its type")
    data = bodies.table(envelope["live_data"], "live_data")
    info = bodies.table(data.get("sensor_info") or {}, "sensor_info")
    source = bodies.name(info["serial_number"], "serial_number") if "serial_number" in info else device
    if not source:
        raise Undecodable("xovis: no sensor_info; name the device on its route, or switch meta data on in the agent")
    told = {"source": source, "seen": seen, "simulated": simulated}
    for item in bodies.rows(data.get("frames", []), "frames"):
        yield from _frame(bodies.table(item, "frame"), told)


def _frame(frame: Body, told: dict[str, Any]) -> Iterator[Fact]:
    events = [bodies.table(item, "event") for item in bodies.rows(frame.get("events", []), "events")]
    counted = [event for event in events if event.get("category") == "COUNT"]
    if counted:
        yield from _counted(counted, told | {"at": bodies.instant(frame.get("time"), "time")})
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
        yield Count(
            at=at, counter=told["source"], kind="event", line=line, forward=forward, backward=backward, seq=seq, **told
        )


def _counted(events: list[Body], told: dict[str, Any]) -> Iterator[Fact]:
    """The states that the COUNT events of a frame lead to, one a logic."""
    balances: dict[str, object] = {}
    lengths: dict[str, int] = {}
    waits: dict[str, list[float]] = {}
    for event in events:
        counted = bodies.table(event.get("attributes"), "attributes")
        title = counted.get("logic_name")
        place = (bodies.slug(title) if isinstance(title, str) else "") or str(counted.get("logic_id", ""))[:40]
        match counted.get("counter_name"):
            case "balance":
                balances[place] = counted.get("counter_value")
            case "queue-length":
                lengths[place] = bodies.people(counted.get("counter_value"), "queue-length")
            case "queueing-time" if event.get("type") == "TIME_CHANGE":
                waits.setdefault(place, []).append(_duration(counted.get("amount")))
    for place, balance in balances.items():
        yield xovis.balance(balance, bodies.name(place, "logic_name"), told)
    for place in sorted(lengths.keys() | waits.keys()):
        waited = waits.get(place)
        mean = sum(waited) / len(waited) if waited else None
        yield QueueReading(queue=bodies.name(place, "logic_name"), length=lengths.get(place), wait_s=mean, **told)


def _duration(value: object) -> float:
    if (seconds := float(bodies.number(value, "amount"))) < 0:
        raise Undecodable("xovis: amount of a TIME_CHANGE is negative")
    return seconds


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
    """See the port: one envelope on `xovis/<device>/live`, one frame a fact; status on `xovis/<device>/status`."""
    mark: Body = {"simulated": True} if speech.simulated(facts, device=device, venue=venue) else {}
    frames = [_to_frame(fact, n) for n, fact in enumerate(facts, 1) if not isinstance(fact, DeviceStatus)]
    data: Body = {
        "package_info": {"version": "5.0", "id": 1, "agent_id": 1005},
        "sensor_info": {"serial_number": device, "type": "SINGLE_SENSOR"},
        "frames": frames,
    }
    told = [(f"xovis/{device}/live", msgspec.json.encode({"live_data": data} | mark), False)] if frames else []
    for fact in facts:
        if isinstance(fact, DeviceStatus):
            body = msgspec.json.encode({"status_data": xovis_status.written(fact)} | mark)
            told.append((f"xovis/{device}/status", body, False))
    return told


def _to_frame(fact: Fact, number: int) -> Body:
    tracks: list[Body] = []
    if fact.historical:
        raise speech.untold("xovis-live", fact)
    match fact:
        case Count(kind="event") if (fact.forward, fact.backward) in _CROSSINGS.values():
            track, odd = divmod(fact.seq if fact.seq >= 0 else 2 * number + fact.backward, 2)
            if odd != fact.backward or track >= _GROUP_FROM:
                raise speech.untold("xovis-live", fact)
            kind = "LINE_CROSS_BACKWARD" if fact.backward else "LINE_CROSS_FORWARD"
            crossed = {"track_id": track, "geometry_id": speech.number_or_name(fact.line), "geometry_type": "LINE"}
            events: list[Body] = [{"category": "SCENE", "type": kind, "attributes": crossed}]
            tracks = [{"track_id": track, "type": "PERSON", "attributes": {}}]
        case ZoneCount():
            events = [_to_count("COUNT_INCREMENT", fact.zone, "balance", {"counter_value": fact.people})]
        case QueueReading(outflow=None) if not fact.end and (fact.length, fact.wait_s) != (None, None):
            lengths = [] if fact.length is None else [{"counter_value": fact.length}]
            waits = [] if fact.wait_s is None else [{"amount": fact.wait_s, "unit": "seconds"}]
            events = [_to_count("COUNT_INCREMENT", fact.queue, "queue-length", length) for length in lengths]
            events += [_to_count("TIME_CHANGE", fact.queue, "queueing-time", wait) for wait in waits]
        case _:
            raise speech.untold("xovis-live", fact)
    time = speech.milliseconds(fact.at)
    return {"framenumber": number, "time": time, "tracked_objects": tracks, "events": events}


def _to_count(kind: str, place: str, counter: str, value: dict[str, Any]) -> Body:
    if bodies.slug(place) != place:
        raise ValueError(f"xovis-live: a logic named {place!r} would be read as {bodies.slug(place)!r}")
    attributes: Body = {"logic_name": place, "counter_name": counter}
    return {"category": "COUNT", "type": kind, "attributes": attributes | value}
