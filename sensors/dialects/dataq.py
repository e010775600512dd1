"""DataQ, an application on Axis cameras that publishes how many people it sees, over MQTT.

Source: pandosme/DataQ, MQTT_topics.md (MIT).

States: `<prefix>/occupancy/<serial>` -> ZoneCount of the zone named like the device, spelt as an id: name the device on
its route after the zone of the venue file, or the zone after the serial. `<prefix>/connect/<serial>` -> DeviceStatus.

Pitfalls:
* Classes with nobody in them are left out, and an empty object says that the scene is clear: both mean 0 people.
* Only `Human` counts. `timestamp` is ms.
* Detections, tracks and paths follow single people, some with colours of clothes: nothing of them is read or stored.
* `name` and `location` are free text of the owner, not identities.
"""

from collections.abc import Sequence
from typing import Any

from flowmon.errors import Undecodable
from flowmon.facts import DeviceStatus, Fact, ZoneCount
from sensors.dialects import bodies
from sensors.dialects.port import Family, Message, Outgoing, Unwanted

FAMILY = Family(
    name="DataQ on Axis cameras",
    transports=("MQTT",),
    kinds=("zone_count", "device_status"),
    privacy="tracks, detections and clothes' colours of single people are dropped",
    tested="documents of 2026",
    source="pandosme/DataQ MQTT_topics.md",
)


def decode(message: Message, device: str) -> list[Fact]:
    """See the port."""
    body = bodies.table(bodies.document(message.payload), "body")
    if "occupancy" not in body and "connected" not in body:
        raise Unwanted("dataq: only occupancy and connect are read")
    serial = bodies.mac(bodies.name(body["serial"], "serial")) if "serial" in body else ""
    source = device or serial
    if not source:
        raise Undecodable("dataq: no serial; name the device on its route")
    told: dict[str, Any] = {"source": source, "seen": message.seen, "simulated": body.get("simulated") is True}
    if "occupancy" not in body:
        return [DeviceStatus(at=message.seen, health="online" if body["connected"] is True else "offline", **told)]
    seen = bodies.table(body["occupancy"], "occupancy")
    zone = bodies.slug(source)
    if not zone:
        raise Undecodable("dataq: the device has no letter or digit in its name")
    at = bodies.seconds(body.get("timestamp"), "timestamp")
    return [ZoneCount(at=at, zone=zone, people=bodies.people(seen.get("Human", 0), "Human"), **told)]


def encode(facts: Sequence[Fact], *, venue: str, device: str) -> list[Outgoing]:
    """See the port. Read only: the simulator need not speak it yet, so any fact raises ValueError."""
    if facts:
        raise ValueError(f"dataq is read only: {device} of {venue} cannot be simulated in it")
    return []
