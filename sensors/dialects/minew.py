"""Minew G1 and MG3 gateways, JSON long form (a JSON array over MQTT, the gateway itself first).

Source: reelyactive/barnowl-minew (MIT).
`[{"timestamp":"…Z","type":"Gateway","mac":"AC233FC03641"},{"timestamp":…,"type":"iBeacon","mac":"C300…",
"ibeaconUuid":"E2C5…","ibeaconMajor":0,"ibeaconMinor":7,"rssi":-65},{"type":"Unknown","rawData":"0201…","rssi":-70}]`
The topic is free; the receiver is the route's device, or the gateway's address as it spells it.

Count kinds: none. Yields DeviceStatus (the gateway speaks) and Sighting.

Pitfalls:
* Only this form is read. Binary (`BB00`, `BB01`, `BB02`; firmware before 4 calls it JSON) and JSON raw are refused
  with what to set.
* A tag has several adverts in a message; those without a beacon frame (telephones, sensors) are left out.
* Adverts have times of their own, from the gateway's clock.
"""

from collections.abc import Sequence

from flowmon.errors import Undecodable
from flowmon.facts import DeviceStatus, Fact, Sighting
from sensors.dialects import advertisements, bodies, hearing
from sensors.dialects.port import Family, Message, Outgoing, Unwanted

FAMILY = Family(
    name="Minew G1 and MG3 gateways",
    transports=("MQTT", "HTTP"),
    kinds=("sighting", "device_status"),
    privacy="addresses and advertisements of telephones nearby",
    tested="G1 firmware 3 and 4 as barnowl-minew reads them",
    source="reelyactive/barnowl-minew",
)
_BINARY = (b"\xbb\x00", b"\xbb\x01", b"\xbb\x02")


def decode(message: Message, device: str) -> list[Fact]:
    """See the port."""
    if message.payload.startswith(_BINARY):
        raise Undecodable("minew: binary form; set the gateway's format to JSON (long)")
    body = bodies.document(message.payload)
    if isinstance(body, dict):
        raise Undecodable("minew: not an array; set the gateway's format to JSON (long)")
    items = [bodies.table(item, "advert") for item in bodies.rows(body, "minew message")]
    status = _status(message, items, device)
    receiver = device or (status.source if status else "")
    if not receiver:
        raise Undecodable("minew: no Gateway element; name the device on its route")
    adverts = [item for item in items if item.get("type") != "Gateway"]
    try:
        sightings = hearing.heard(adverts, lambda item: _sighting(message, bodies.table(item, "advert"), receiver))
    except Unwanted:
        if status is None:
            raise
        sightings = []
    return [status, *sightings] if status else sightings


def _status(message: Message, items: list[dict[str, object]], device: str) -> DeviceStatus | None:
    gateway = next((item for item in items if item.get("type") == "Gateway"), None)
    if gateway is None:
        return None
    return DeviceStatus(
        at=_at(message, gateway),
        source=bodies.name(device or gateway.get("mac"), "gateway mac"),
        seen=message.seen,
        simulated=gateway.get("simulated") is True,
        health="online",
    )


def _sighting(message: Message, item: dict[str, object], receiver: str) -> Sighting:
    if "ibeaconUuid" in item:
        major, minor = (hearing.u16(item.get(name), name) for name in ("ibeaconMajor", "ibeaconMinor"))
        beacon = advertisements.ibeacon(bodies.name(item["ibeaconUuid"], "ibeaconUuid"), major, minor)
    else:
        beacon = advertisements.beacon(hearing.octets(item.get("rawData", ""), "rawData"))
    return hearing.sighting(
        message,
        at=_at(message, item),
        receiver=receiver,
        beacon=beacon,
        rssi=item.get("rssi"),
        simulated=item.get("simulated") is True,
    )


def _at(message: Message, item: dict[str, object]) -> float:
    return bodies.instant(item["timestamp"], "timestamp") if "timestamp" in item else message.seen


def encode(facts: Sequence[Fact], *, venue: str, device: str) -> list[Outgoing]:  # noqa: ARG001 - the port
    """Not spoken by the simulator yet. Raises ValueError."""
    raise ValueError(f"minew is only read so far, {device} of {venue} cannot speak it")
