"""Steinel HPD2 and HPD3 presence detectors: people in the zones of one detector, over MQTT or as its HTTP status.

Source: PlaceOS/drivers (the HTTP status) and published MQTT captures of `<prefix>/DetectedPersonsZone`.

States: `DetectedPersonsZone` -> one ZoneCount a zone, `<device>-1` to `<device>-n`, the device spelt as an id.

Pitfalls:
* How many zones there are depends on the model (5, 8 or 10), and zones may overlap: they are never added up, and
  `DetectedPersons` is not read.
* There is no time: it happened when the gateway got it. So a retained copy, of any age, is not kept.
* Other measures come on sister topics; in the HTTP status numbers such as the temperature are text.
* Nothing in the payload names the device: the route must.
"""

from collections.abc import Sequence
from typing import Any

from flowmon.errors import Undecodable
from flowmon.facts import Fact, ZoneCount
from sensors.dialects import bodies
from sensors.dialects.port import Family, Message, Outgoing, Unwanted

FAMILY = Family(
    name="Steinel HPD2, HPD3",
    transports=("MQTT", "HTTP"),
    kinds=("zone_count",),
    privacy="nothing of single people is sent",
    tested="HPD2 status of AppVersion 3",
    source="PlaceOS/drivers",
)

_ZONES_MAX = 64


def decode(message: Message, device: str) -> list[Fact]:
    """See the port."""
    body = bodies.table(bodies.document(message.payload), "body")
    if "DetectedPersonsZone" not in body:
        raise Unwanted("steinel: only DetectedPersonsZone is read")
    if message.retained:
        raise Unwanted("steinel: a retained count has no time")
    name = bodies.slug(device)
    if not name:
        raise Undecodable("steinel: the payload names no device; name it on its route")
    zones = bodies.rows(body["DetectedPersonsZone"], "DetectedPersonsZone")
    if len(zones) > _ZONES_MAX:
        raise Undecodable(f"steinel: more than {_ZONES_MAX} zones")
    told: dict[str, Any] = {"at": message.seen, "seen": message.seen}
    return [
        ZoneCount(source=device, zone=f"{name}-{number}", people=bodies.people(inside, "DetectedPersonsZone"), **told)
        for number, inside in enumerate(zones, 1)
    ]


def encode(facts: Sequence[Fact], *, venue: str, device: str) -> list[Outgoing]:
    """See the port. Read only: the simulator need not speak it yet, so any fact raises ValueError."""
    if facts:
        raise ValueError(f"steinel is read only: {device} of {venue} cannot be simulated in it")
    return []
