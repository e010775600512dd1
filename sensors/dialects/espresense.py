"""ESPresense room receivers (ESP32 boards that report Bluetooth beacons).

Source: ESPresense src/BleFingerprint.cpp and its MQTT documentation.
`espresense/devices/<id>/<room>` `{"id":"iBeacon:…-1-7","rssi":-81.1,"distance":6.58,…}`, QoS 0, not retained;
`espresense/rooms/<room>/status` `online` or `offline` (retained, last will), `…/telemetry` `{"ver":"4.0.6",…}`.
The room is the receiver's device name.

Count kinds: none. Yields Sighting and DeviceStatus.

Pitfalls:
* There is no time in it: `at` is when the gateway got it.
* `rssi` is a smoothed float, throttled by the board (skip_ms, skip_distance).
* Anything with Bluetooth is reported, visitors' telephones too. Only ids from a beacon's own frame (or from a key
  or list the operator configured) name a beacon; addresses, names and fingerprints are dropped, never stored.
"""

from collections.abc import Sequence

import msgspec

from flowmon.errors import Undecodable
from flowmon.facts import DeviceHealth, DeviceStatus, Fact, Sighting
from sensors.dialects import bodies, hearing
from sensors.dialects.port import Family, Message, Outgoing, Unwanted
from sensors.tokens import is_token

FAMILY = Family(
    name="ESPresense (ESP32 room receivers)",
    transports=("MQTT",),
    kinds=("sighting", "device_status"),
    privacy="addresses, names and fingerprints of telephones nearby",
    tested="messages as its source writes them",
    source="ESPresense src/BleFingerprint.cpp and MQTT documentation",
)
#: Kinds of id that belong to a beacon and to nobody who did not ask for it.
BEACONS = ("ibeacon:", "eddy:", "altbeacon:", "irk:", "known:")
_HEALTH: dict[bytes, DeviceHealth] = {b"online": "online", b"offline": "offline"}


def decode(message: Message, device: str) -> list[Fact]:
    """See the port. The room in the topic is the device unless the route names one."""
    match message.topic.split("/"):
        case ["espresense", "devices", beacon, room] if room:
            return [_sighting(message, beacon, device or room)]
        case ["espresense", "rooms", room, "status"] if room:
            return [_status(message, device or room)]
        case ["espresense", "rooms", room, "telemetry"] if room:
            return [_telemetry(message, device or room)]
        case ["espresense", "rooms", _, *_] | ["espresense", "settings", *_]:
            return []  # the board's own configuration, echoed on every connect
        case _:
            raise Undecodable("topic is not espresense/devices/<id>/<room> or espresense/rooms/<room>/…")


def _sighting(message: Message, beacon: str, receiver: str) -> Sighting:
    beacon = bodies.name(beacon, "beacon id")
    if not (beacon.lower().startswith(BEACONS) or is_token(beacon)):
        raise Unwanted("espresense: id is no beacon's (an address, name or fingerprint); not kept")
    body = bodies.table(bodies.document(message.payload), "sighting")
    rssi = bodies.number(body.get("rssi"), "rssi")
    return Sighting(
        at=message.seen,
        source=bodies.name(receiver, "room"),
        seen=message.seen,
        simulated=body.get("simulated") is True,
        beacon=beacon,
        receiver=receiver,
        rssi_dbm=hearing.dbm(rssi),
    )


def _status(message: Message, receiver: str) -> DeviceStatus:
    health = _HEALTH.get(message.payload.strip().lower())
    if health is None:
        raise Undecodable("espresense: status is neither online nor offline")
    return DeviceStatus(at=message.seen, source=bodies.name(receiver, "room"), seen=message.seen, health=health)


def _telemetry(message: Message, receiver: str) -> DeviceStatus:
    body = bodies.table(bodies.document(message.payload), "telemetry")
    version = body.get("ver")
    return DeviceStatus(
        at=message.seen,
        source=bodies.name(receiver, "room"),
        seen=message.seen,
        simulated=body.get("simulated") is True,
        health="online",
        firmware=bodies.name(version, "ver") if version else "",
    )


def encode(facts: Sequence[Fact], *, venue: str, device: str) -> list[Outgoing]:
    """See the port. The topics have no venue in them: `device` must be unique on the broker."""
    return [_outgoing(fact, venue, device) for fact in facts]


def _outgoing(fact: Fact, venue: str, device: str) -> Outgoing:
    hearing.own(fact, venue=venue, device=device)
    marked = hearing.mark(fact)
    match fact:
        case Sighting():
            body = {"id": fact.beacon, "rssi": fact.rssi_dbm} | marked
            return f"espresense/devices/{fact.beacon}/{device}", msgspec.json.encode(body), False
        case DeviceStatus(health="online") if fact.firmware or fact.simulated:
            body = {"ver": fact.firmware} | marked
            return f"espresense/rooms/{device}/telemetry", msgspec.json.encode(body), False
        case DeviceStatus(health="online" | "offline"):
            return f"espresense/rooms/{device}/status", fact.health.encode(), True
        case _:
            raise ValueError(f"an ESPresense board tells no {type(fact).__name__} of this kind")
