"""flowmon's own dialect, for boards and programs written for it; also what the simulator speaks.

Source: this project. Topic `flowmon/v1/<venue>/<device>/<what>`, QoS 1, a JSON object or an array of them. Its
fields are those of the fact in `flowmon.facts` without `type`, `source` (the device of the topic) and `seen` (the
gateway's clock). `counter` and `receiver` default to the device. `at` is required, in seconds (ms and µs are told
apart by magnitude): without it a repeat could not be known as one. Only `status` may leave it out, because a last
will is written before it happens.

Count kinds: event, window and cumulative, as the device says.
Pitfalls: numbers in quotes are refused, with the field named, because it is our own format; `status` is
retained, so it may be old; a payload is decoded whole or not at all.
"""

from collections.abc import Sequence

import msgspec

from flowmon.errors import Undecodable
from flowmon.facts import (
    Booked,
    Count,
    DesksOpen,
    DeviceStatus,
    Fact,
    Interaction,
    Presence,
    QueueReading,
    Served,
    Sighting,
    ZoneCount,
)
from sensors.dialects import bodies
from sensors.dialects.port import Family, Message, Outgoing

FAMILY = Family(
    name="flowmon's own",
    transports=("MQTT", "HTTP"),
    kinds=("event", "window", "cumulative", "zone_count", "queue_reading", "sighting", "device_status"),
    privacy="beacons become tokens in the gateway",
    tested="this version",
    source="sensors/dialects/native.py",
)

PREFIX = "flowmon/v1"
#: The word in the topic for each fact a device can tell.
WHATS: dict[str, type[Fact]] = {
    "count": Count,
    "zone": ZoneCount,
    "queue": QueueReading,
    "sighting": Sighting,
    "presence": Presence,
    "served": Served,
    "desks": DesksOpen,
    "status": DeviceStatus,
    "booked": Booked,
    "interaction": Interaction,
}
_WORDS = {kind: what for what, kind in WHATS.items()}
_OWNERS = {Count: "counter", Sighting: "receiver"}
_TIMES = ("at", "start", "end", "expires")
_PEOPLE = ("forward", "backward", "people", "length", "outflow", "desks")
#: Last will of a device; the broker publishes it on the device's status topic, retained.
LAST_WILL = b'{"health":"offline"}'


def decode(message: Message, device: str) -> list[Fact]:
    """See the port. On our own topics the device is in the topic; elsewhere the route names it."""
    parts = message.topic.split("/")
    if message.topic.startswith(f"{PREFIX}/"):
        if len(parts) != 5:
            raise Undecodable(f"native: topic is not {PREFIX}/<venue>/<device>/<what>")
        device = parts[3]
    what = parts[-1]
    kind = WHATS.get(what)
    if kind is None:
        raise Undecodable(f"native: unknown last level of the topic: {what[:40]!r}, not {', '.join(WHATS)}")
    source = bodies.name(device, "device")
    body = bodies.document(message.payload)
    items = body if isinstance(body, list) else [body]
    facts = [_fact(kind, bodies.table(item, what), source, message.seen) for item in items]
    return [fact for fact in facts if not _is_no_time(fact)]


def _fact(kind: type[Fact], fields: dict[str, object], device: str, seen: float) -> Fact:
    known = dict(fields)
    known.pop("type", None)
    known["source"] = device
    known["seen"] = seen
    if (owner := _OWNERS.get(kind)) is not None:
        known.setdefault(owner, device)
    if kind is DeviceStatus:
        known.setdefault("at", seen)
    for field in _TIMES:
        if field in known:
            known[field] = bodies.seconds(known[field], field)
    try:
        fact = msgspec.convert(known, kind)
    except msgspec.ValidationError as error:
        raise Undecodable(f"{_WORDS[kind]}: {error}") from None
    _check(fact, known)
    return fact


def _check(fact: Fact, fields: dict[str, object]) -> None:
    """What the types cannot say: ranges. Raises Undecodable."""
    for field in fact.__struct_fields__:
        value = fields.get(field)
        if isinstance(value, str):
            longest = bodies.TEXT_MAX if field == "reason" else bodies.NAME_MAX
            if not bodies.fits(value, longest):
                raise Undecodable(f"{field} is longer than {longest} or has control characters")
        elif field in _PEOPLE and value is not None:
            bodies.people(value, field)
        elif field == "seq" and value is not None:
            bodies.number(value, field)
    if problem := _out_of_range(fact):
        raise Undecodable(f"{_WORDS[type(fact)]}: {problem}")


def _is_no_time(fact: Fact) -> bool:
    """Whether this is a window without length in which nobody passed: it says nothing. Raises Undecodable."""
    if not isinstance(fact, Count) or fact.kind != "window":
        return False
    return not bodies.lasts(fact.start, fact.end, fact.forward + fact.backward, "count: a window")


def _out_of_range(fact: Fact) -> str:
    match fact:
        case Booked() if not fact.start < fact.end:
            return "start must be before end"
        case Count() if not 0 <= fact.complete <= 1:
            return "complete is a share from 0 to 1"
        case Sighting() if not -200 <= fact.rssi_dbm <= 50:
            return "rssi_dbm is from -200 to 50"
        case Presence() if not 0 <= fact.probability <= 1:
            return "probability is from 0 to 1"
        case _:
            return ""


def encode(facts: Sequence[Fact], *, venue: str, device: str) -> list[Outgoing]:
    """See the port: one message a kind of fact, in the order of first appearance; `status` is retained."""
    told: dict[str, list[dict[str, object]]] = {}
    for fact in facts:
        what = _WORDS.get(type(fact))
        if what is None:
            raise ValueError(f"no device tells a {type(fact).__name__}")
        if fact.source != device:
            raise ValueError(f"{device} cannot speak for {fact.source}")
        fields = msgspec.to_builtins(fact)
        for field in ("type", "source", "seen"):
            fields.pop(field, None)
        owner = _OWNERS.get(type(fact))
        if owner is not None and fields[owner] == device:
            del fields[owner]
        told.setdefault(what, []).append(fields)
    return [
        (
            f"{PREFIX}/{venue}/{device}/{what}",
            msgspec.json.encode(items[0] if len(items) == 1 else items),
            what == "status",
        )
        for what, items in told.items()
    ]


def topics(venue: str) -> str:
    """The filter a gateway listens to for a venue's own devices."""
    return f"{PREFIX}/{venue}/#"
