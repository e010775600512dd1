"""Tasmota's iBeacon driver (ESP32, or an HM-10 module).

Source: Tasmota docs and tasmota/xsns_52_ibeacon (GPL-3, read only).
`tele/<topic>/SENSOR` `{"Time":"2021-01-02T12:08:40","IBEACON":{"UID":"E2C5…","MAJOR":"0001","MINOR":"0007",
"MAC":"A4C1…","RSSI":-56,"STATE":"ON"}}`; `tele/<topic>/LWT` `Online` or `Offline`.
The receiver is the level before `SENSOR`.

Count kinds: none. Yields Sighting and DeviceStatus.

Pitfalls:
* MAJOR and MINOR are four hex digits, as text.
* An address without UID, or with one of zeros, is any Bluetooth device: not kept, nor is its NAME.
* `STATE` `OFF`, or RSSI 0 from an HM-10 (which has no STATE), says that nothing was heard for a while: no hearing.
* `Time` is local without zone and is not read: `at` is when it was got here.
"""

import re
from collections.abc import Sequence

import msgspec

from flowmon.errors import Undecodable
from flowmon.facts import DeviceHealth, DeviceStatus, Fact, Sighting
from sensors.dialects import advertisements, bodies, hearing
from sensors.dialects.port import Family, Message, Outgoing, Unwanted

FAMILY = Family(
    name="Tasmota with an iBeacon driver",
    transports=("MQTT",),
    kinds=("sighting", "device_status"),
    privacy="addresses and names of telephones nearby",
    tested="driver 52 as documented and as its source writes it",
    source="Tasmota docs and tasmota/xsns_52_ibeacon",
)
#: Capitals, unlike OpenMQTTGateway's words under the same topic level.
_HEALTH: dict[bytes, DeviceHealth] = {b"Online": "online", b"Offline": "offline"}
_HEX4 = re.compile(r"[0-9A-Fa-f]{4}")


def decode(message: Message, device: str) -> list[Fact]:
    """See the port."""
    match message.topic.split("/"):
        case [*_, board, "SENSOR"] if board:
            return _heard(message, device or board)
        case [*_, board, "LWT"] if board:
            health = _HEALTH.get(message.payload.strip())
            if health is None:
                raise Undecodable("tasmota: LWT is neither Online nor Offline")
            source = bodies.name(device or board, "board")
            return [DeviceStatus(at=message.seen, source=source, seen=message.seen, health=health)]
        case _:
            raise Undecodable("topic is not …/<board>/SENSOR or …/<board>/LWT")


def _heard(message: Message, receiver: str) -> list[Fact]:
    body = bodies.table(bodies.document(message.payload), "SENSOR")
    if "IBEACON" not in body:
        if "Time" not in body:
            raise Undecodable("tasmota: neither Time nor IBEACON in it")
        raise Unwanted("tasmota: no IBEACON in it (another sensor of the board)")
    found = bodies.table(body["IBEACON"], "IBEACON")
    if found.get("STATE") == "OFF" or hearing.numeral(found.get("RSSI")) == 0:
        return []
    if "UID" not in found:
        raise Unwanted("advertisement: no beacon frame (a telephone or another device); not kept")
    uuid = bodies.name(found["UID"], "UID")
    return [
        hearing.sighting(
            message,
            at=message.seen,
            receiver=receiver,
            beacon=advertisements.ibeacon(uuid, _hex4(found.get("MAJOR"), "MAJOR"), _hex4(found.get("MINOR"), "MINOR")),
            rssi=found.get("RSSI"),
            simulated=body.get("simulated") is True,
        )
    ]


def _hex4(value: object, what: str) -> int:
    if not isinstance(value, str) or not _HEX4.fullmatch(value):
        raise Undecodable(f"{what} is not four hex digits")
    return int(value, 16)


def encode(facts: Sequence[Fact], *, venue: str, device: str) -> list[Outgoing]:
    """See the port. iBeacons only; `device` must be unique on the broker: no venue in the topics."""
    return [_outgoing(fact, venue, device) for fact in facts]


def _outgoing(fact: Fact, venue: str, device: str) -> Outgoing:
    hearing.own(fact, venue=venue, device=device)
    match fact:
        case Sighting():
            uuid, major, minor = advertisements.parts(hearing.sent_as(fact))
            found: dict[str, object] = {"UID": uuid.upper(), "MAJOR": f"{major:04X}", "MINOR": f"{minor:04X}"}
            found |= {"MAC": "000000000000", "RSSI": _strength(fact), "STATE": "ON"}
            body = {"IBEACON": found} | hearing.mark(fact)
            return f"tele/{device}/SENSOR", msgspec.json.encode(body), False
        case DeviceStatus(health="online" | "offline") if not fact.simulated:
            return f"tele/{device}/LWT", fact.health.capitalize().encode(), True
        case _:
            raise ValueError(f"Tasmota tells no {type(fact).__name__} of this kind")


def _strength(fact: Sighting) -> int:
    rssi = hearing.whole(fact)
    if rssi == 0:
        raise ValueError("rssi 0 says in Tasmota's words that nothing was heard")
    return rssi
