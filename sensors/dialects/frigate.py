"""Frigate: how many people its cameras see in a zone, over MQTT.

Source: blakeblackshear/frigate docs/integrations/mqtt.md (MIT).

States: `<prefix>/<zone>/person`, a bare whole number -> ZoneCount. The zone is its Frigate name spelt as an id
("front_hall" -> `front-hall`): name it after the zone of the venue file. `<prefix>/available` -> DeviceStatus.

Pitfalls:
* Cameras and zones share a level of the topic: a zone named like a camera cannot be told from it.
* There is no time: it happened when the gateway got it. So a retained copy, of any age, is not kept.
* `…/active` leaves out people who stand still, `all` counts things too: neither is read. The versions that said ON and
  OFF here are refused.
* `events` may carry a person's name, a plate, a picture: nothing of it is read or stored.
* The device is the route's, or else the first level of the topic.
"""

from collections.abc import Sequence

from flowmon.errors import Undecodable
from flowmon.facts import DeviceHealth, DeviceStatus, Fact, ZoneCount
from sensors.dialects import bodies
from sensors.dialects.port import Family, Message, Outgoing, Unwanted

FAMILY = Family(
    name="Frigate",
    transports=("MQTT",),
    kinds=("zone_count", "device_status"),
    privacy="events may carry names, plates and pictures: dropped",
    tested="documents of 0.16",
    source="blakeblackshear/frigate docs/integrations/mqtt.md",
)

_HEALTH: dict[bytes, DeviceHealth] = {b"online": "online", b"offline": "offline", b"stopped": "offline"}


def decode(message: Message, device: str) -> list[Fact]:
    """See the port."""
    levels = message.topic.split("/")
    source = bodies.name(device or levels[0], "device")
    if levels[-1] == "available":
        health = _HEALTH.get(message.payload)
        if health is None:
            raise Undecodable("frigate: available is not online, offline or stopped")
        return [DeviceStatus(at=message.seen, seen=message.seen, source=source, health=health)]
    if levels[-1] != "person" or len(levels) < 3:
        raise Unwanted("frigate: only <prefix>/<zone>/person and <prefix>/available are read")
    if message.retained:
        raise Unwanted("frigate: a retained count has no time")
    zone = bodies.slug(levels[-2])
    if not zone:
        raise Undecodable("frigate: the zone has no letter or digit in its name")
    inside = bodies.people(bodies.document(message.payload), "person")
    return [ZoneCount(at=message.seen, seen=message.seen, source=source, zone=zone, people=inside)]


def encode(facts: Sequence[Fact], *, venue: str, device: str) -> list[Outgoing]:
    """See the port. Read only: the simulator need not speak it yet, so any fact raises ValueError."""
    if facts:
        raise ValueError(f"frigate is read only: {device} of {venue} cannot be simulated in it")
    return []
