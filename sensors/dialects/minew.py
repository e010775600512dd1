"""Minew G1, G2, MG3 and MG4 gateways: JSON long and raw, binary long, Minew Connect; over MQTT or HTTP.

Source: reelyactive/barnowl-minew (MIT); `minew_frames` for the binary forms.
Long: `[{"timestamp":"…Z","type":"Gateway","mac":"AC233FC03641"},{"timestamp":…,"type":"iBeacon","mac":"C300…",
"ibeaconUuid":"E2C5…","ibeaconMajor":0,"ibeaconMinor":7,"rssi":-65},{"type":"Unknown","rawData":"0201…","rssi":-70}]`.
Raw: `[{"gateway":"ac233f…"} or {"locator":"ac233f…"},{"timestamp":…,"mac":…,"rssi":-65,"no":37,"rawData":"0201…"}]`.
The topic is free; the receiver is the route's device, or the gateway's address as it spells it.

Count kinds: none. Yields DeviceStatus (the gateway speaks) and Sighting.

Pitfalls:
* Firmware before 4 posts binary as `application/json`: the form is told by its first bytes, never by the header.
* A tag has several adverts in a message; those without a beacon frame (telephones, sensors) are left out.
* JSON adverts have times of their own, from the gateway's clock; binary forms have none, and `at` is when it was got.
* Minew Connect and firmware that sends no first element name no gateway: name the device on its route.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import msgspec

from flowmon.errors import Undecodable
from flowmon.facts import DeviceStatus, Fact, Sighting
from sensors.dialects import advertisements, bodies, hearing, minew_frames
from sensors.dialects.port import Family, Message, Outgoing

FAMILY = Family(
    name="Minew G1, G2, MG3 and MG4 gateways",
    transports=("MQTT", "HTTP"),
    kinds=("sighting", "device_status"),
    privacy="addresses, names and advertisements of telephones nearby",
    tested="G1 firmware 3 (binary long) and 4 (JSON long) as barnowl-minew reads them",
    source="reelyactive/barnowl-minew",
)
#: An element of an array is an advert if it has one of these.
_ADVERT = {"mac", "rawData", "ibeaconUuid"}


def decode(message: Message, device: str) -> list[Fact]:
    """See the port."""
    payload = message.payload
    if payload.startswith(minew_frames.CONNECT):
        return _binary(message, minew_frames.connect(payload), device)
    if payload.startswith((minew_frames.LONG, minew_frames.SHORT)):
        gateway = minew_frames.gateway(payload)
        adverts = minew_frames.long(payload) if payload.startswith(minew_frames.LONG) else iter(())
        return _binary(message, adverts, device or gateway)
    return _json(message, device)


def _binary(message: Message, adverts: Iterator[minew_frames.Advert], receiver: str) -> list[Fact]:
    if not receiver:
        raise Undecodable("minew: a Connect frame names no gateway; name the device on its route")

    def read(advert: minew_frames.Advert) -> Sighting:
        data, rssi = advert
        beacon = advertisements.beacon(data)
        return hearing.sighting(message, at=message.seen, receiver=receiver, beacon=beacon, rssi=rssi)

    sightings = hearing.heard_if_any(adverts, read)
    status = DeviceStatus(at=message.seen, source=bodies.name(receiver, "gateway"), seen=message.seen, health="online")
    return [status, *sightings]


def _json(message: Message, device: str) -> list[Fact]:
    body = bodies.document(message.payload)
    items = [bodies.table(item, "advert") for item in bodies.rows(body, "minew message")]
    if not items or not all(_gateway(item) is not None or item.keys() & _ADVERT for item in items):
        raise Undecodable("minew: not an array of a gateway and its adverts")
    heads = [item for item in items if _gateway(item) is not None]
    receiver = device or (bodies.name(_gateway(heads[0]), "gateway mac") if heads else "")
    if not receiver:
        raise Undecodable("minew: no Gateway element; name the device on its route")
    adverts = [item for item in items if _gateway(item) is None]
    if not heads:
        return hearing.heard(adverts, lambda item: _sighting(message, item, receiver))
    return [
        _status(message, heads[0], receiver),
        *hearing.heard_if_any(adverts, lambda item: _sighting(message, item, receiver)),
    ]


def _gateway(item: dict[str, object]) -> object:
    """What a message's first element says of the gateway's address; None for an advert."""
    if item.get("type") == "Gateway":
        return item.get("mac", "")
    return None if "rssi" in item else item.get("gateway", item.get("locator"))


def _status(message: Message, gateway: dict[str, object], receiver: str) -> DeviceStatus:
    return DeviceStatus(
        at=_at(message, gateway),
        source=bodies.name(receiver, "gateway mac"),
        seen=message.seen,
        simulated=gateway.get("simulated") is True,
        health="online",
    )


def _sighting(message: Message, item: dict[str, object], receiver: str) -> Sighting:
    if "rssi" not in item:
        raise Undecodable("minew: an advert has no rssi")
    if item.get("ibeaconUuid"):
        major, minor = (hearing.u16(item.get(name), name) for name in ("ibeaconMajor", "ibeaconMinor"))
        beacon = advertisements.ibeacon(bodies.name(item["ibeaconUuid"], "ibeaconUuid"), major, minor)
    else:
        beacon = advertisements.beacon(hearing.octets(item.get("rawData", ""), "rawData"))
    return hearing.sighting(
        message,
        at=_at(message, item),
        receiver=receiver,
        beacon=beacon,
        rssi=item["rssi"],
        simulated=item.get("simulated") is True,
    )


def _at(message: Message, item: dict[str, object]) -> float:
    return bodies.instant(item["timestamp"], "timestamp") if "timestamp" in item else message.seen


def encode(facts: Sequence[Fact], *, venue: str, device: str) -> list[Outgoing]:
    """See the port: JSON long on `minew/<device>`, a message from each DeviceStatus on. Times in whole ms."""
    messages: list[list[dict[str, object]]] = []
    for fact in facts:
        hearing.own(fact, venue=venue, device=device)
        element = _element(fact, device) | hearing.mark(fact)
        if isinstance(fact, DeviceStatus) or not messages:
            messages.append([])
        messages[-1].append(element)
    return [(f"minew/{device}", msgspec.json.encode(message), False) for message in messages]


def _element(fact: Fact, device: str) -> dict[str, object]:
    stamp = datetime.fromtimestamp(fact.at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    match fact:
        case Sighting():
            raw = advertisements.packet(hearing.sent_as(fact)).hex().upper()
            advert: dict[str, object] = {"timestamp": stamp, "type": "Unknown", "mac": "000000000000"}
            return advert | {"rssi": hearing.whole(fact), "rawData": raw}
        case DeviceStatus(health="online"):
            return {"timestamp": stamp, "type": "Gateway", "mac": device}
        case _:
            raise ValueError(f"a Minew gateway tells no {type(fact).__name__} of this kind")
