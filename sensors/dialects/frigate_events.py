"""Frigate's events: each person who enters or leaves a zone of a camera, as it happens, over MQTT.

Source: blakeblackshear/frigate docs/integrations/mqtt.md (MIT), topic `<prefix>/events`. The counts of people in a zone
come on other topics: dialect `frigate`.

Count kinds: `event`. The line is the zone, spelt as an id ("front_door" -> `front-door`): a person who enters it is
forward, one who leaves it or is no longer seen in it is backward.

Pitfalls:
* An event tells the object before and after: who entered is in `after.current_zones` and not in `before`'s. A `new`
  object was told nowhere before, nor was one that was a false positive: its zones before count as none.
* `entered_zones` never shrinks and is not read. An object that is lost leaves its zones, and enters them again under
  another id: it nets to zero.
* Only the label `person`. `sub_label` may name a person, `recognized_license_plate` a car, `snapshot` is a picture:
  they are never read. The object's id is kept as a number, to know a repeat.
* Times are seconds with a fraction. The device is the route's, or else the first level of the topic.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from flowmon.errors import Undecodable
from flowmon.facts import Count, Fact
from sensors.dialects import bodies, speech
from sensors.dialects.port import Family, Message, Outgoing

FAMILY = Family(
    name="Frigate events",
    transports=("MQTT",),
    kinds=("event",),
    privacy="names, plates, pictures and positions are dropped; a track's id is kept as a number",
    tested="documents of 0.16",
    source="blakeblackshear/frigate docs/integrations/mqtt.md",
)

_TYPES = frozenset({"new", "update", "end"})
_ID = re.compile(r"\d{1,12}\.\d{1,9}-([a-z0-9]{1,8})$")
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"

Body = dict[str, object]


def decode(message: Message, device: str) -> list[Fact]:
    """See the port."""
    body = bodies.table(bodies.document(message.payload), "event")
    if str(body.get("type")) not in _TYPES or "after" not in body:
        raise Undecodable("frigate: no event with type new, update or end")
    after = bodies.table(body["after"], "after")
    if not {"camera", "label", "id", "current_zones"} <= after.keys():
        raise Undecodable("frigate: an event of an object needs camera, label, id and current_zones")
    if after["label"] != "person" or after.get("false_positive") is True:
        return []
    found = _ID.match(str(after["id"]))
    if found is None:
        raise Undecodable("frigate: id is not <seconds>-<letters>")
    levels = message.topic.split("/")
    source = bodies.name(device or (levels[0] if levels[-1] == "events" else ""), "device")
    told: dict[str, Any] = {
        "at": bodies.seconds(after.get("frame_time"), "frame_time"),
        "source": source,
        "counter": source,
        "seen": message.seen,
        "seq": int(found[1], 36),
        "simulated": body.get("simulated") is True,
    }
    before = bodies.table(body.get("before") or {}, "before")
    known = set() if body["type"] == "new" or before.get("false_positive") is True else _zones(before)
    return list(_crossings(known, set() if body["type"] == "end" else _zones(after), told))


def _zones(told: Body) -> set[str]:
    zones = [bodies.slug(bodies.name(item, "zone")) for item in bodies.rows(told.get("current_zones", []), "zones")]
    if not all(zones):
        raise Undecodable("frigate: a zone has no letter or digit in its name")
    return set(zones)


def _crossings(before: set[str], after: set[str], told: dict[str, Any]) -> Iterator[Count]:
    for zone in sorted(after - before):
        yield Count(kind="event", line=zone, forward=1, **told)
    for zone in sorted(before - after):
        yield Count(kind="event", line=zone, backward=1, **told)


def encode(facts: Sequence[Fact], *, venue: str, device: str) -> list[Outgoing]:
    """See the port: one `update` a crossing, on `<device>/events`; its sequence number is the object's id."""
    mark: Body = {"simulated": True} if speech.simulated(facts, device=device, venue=venue) else {}
    return [(f"{device}/events", msgspec.json.encode(_to_event(fact) | mark), False) for fact in facts]


def _to_event(fact: Fact) -> Body:
    if not isinstance(fact, Count) or (fact.kind, fact.historical) != ("event", False):
        raise speech.untold("frigate-events", fact)
    if fact.forward + fact.backward != 1 or bodies.slug(fact.line) != fact.line or not 0 <= fact.seq < 36**8:
        raise speech.untold("frigate-events", fact)
    seen: Body = {"id": f"{fact.at:.6f}-{_base36(fact.seq)}", "camera": "camera", "label": "person"}
    seen |= {"frame_time": speech.milliseconds(fact.at) / 1000, "false_positive": False}
    zones = [[fact.line], []] if fact.backward else [[], [fact.line]]
    before, after = (seen | {"current_zones": inside} for inside in zones)
    return {"type": "update", "before": before, "after": after}


def _base36(number: int) -> str:
    digits = ""
    while number or not digits:
        number, last = divmod(number, 36)
        digits = _DIGITS[last] + digits
    return digits
