"""Elsys ERS Eye room sensors over LoRaWAN: whether somebody is there. They count nobody.

Source: akenza-io/device-type-library types/elsys/ers-eye (MIT), Elsys payload format. Big endian, (type, data) one
after the other, usually on port 5: `01` i16 temperature, `02` humidity, `04` u16 light, `05` number of movements, `07`
u16 battery in mV, `11` occupancy (0 nobody, 1 somebody comes, 2 somebody is there). `3e` echoes the settings.

Yields DeviceStatus for a battery (a heartbeat: it is a voltage, no share) and for a settings' version; else nothing.

Pitfalls:
* Occupancy 2 is not two people, and movements are not people: neither becomes a ZoneCount or a Count.
* The format is Elsys' own for all its sensors: only what has occupancy or movements, or comes on port 5, is an Eye.
"""

from collections.abc import Sequence

from flowmon.errors import Undecodable
from flowmon.facts import DeviceStatus, Fact
from sensors.dialects import lorawan
from sensors.dialects.lorawan import Told
from sensors.dialects.lorawan_envelopes import Uplink
from sensors.dialects.port import Family, Message, Outgoing

FAMILY = Family(
    name="Elsys ERS Eye",
    transports=("LoRaWAN",),
    kinds=("device_status",),
    privacy="whether a person is at a desk, which is dropped here",
    tested="vectors of akenza",
    source="akenza-io/device-type-library types/elsys/ers-eye",
)

_PORT = 5
_MOVEMENTS, _BATTERY, _OCCUPANCY = 0x05, 0x07, 0x11
_SETTINGS = 0x3E
_LENGTHS = {
    **dict.fromkeys((0x02, 0x05, 0x0D, 0x0F, 0x11, 0x12), 1),
    **dict.fromkeys((0x01, 0x04, 0x06, 0x07, 0x08, 0x0A, 0x0C, 0x0E, 0x15, 0x16, 0x18, 0x19), 2),
    0x03: 3,
    **dict.fromkeys((0x0B, 0x10, 0x14, 0x17), 4),
    0x09: 6,
    0x13: 65,
}


def decode(message: Message, device: str) -> list[Fact]:
    """See the port."""
    return lorawan.facts(message, device, _read)


def encode(facts: Sequence[Fact], *, venue: str, device: str) -> list[Outgoing]:
    """See the port: heartbeats only, as movements of nobody and a full battery."""
    return lorawan.encode_each(facts, _payload_of, venue=venue, device=device)


def _read(uplink: Uplink, told: Told) -> list[Fact]:
    payload = uplink.payload
    if payload[0] == _SETTINGS and uplink.f_port in {0, _PORT, _PORT + 1} and len(payload) > 2:
        return [DeviceStatus(health="online", **lorawan.named(told))]
    values = _values(payload)
    is_eye = _MOVEMENTS in values or _OCCUPANCY in values or (uplink.f_port == _PORT and bool(values))
    if not is_eye or values.get(_OCCUPANCY, 0) > 2:
        raise Undecodable("lorawan-elsys: not what an ERS Eye says")
    return [DeviceStatus(health="online", **lorawan.named(told))] if _BATTERY in values else []


def _values(payload: bytes) -> dict[int, int]:
    """type -> value, unsigned; empty when the payload is not made of Elsys' types from end to end."""
    values: dict[int, int] = {}
    place = 0
    while place < len(payload):
        kind = payload[place]
        length = _LENGTHS.get(kind)
        if length is None or place + 1 + length > len(payload):
            return {}
        values[kind] = int.from_bytes(payload[place + 1 : place + 1 + length], "big")
        place += 1 + length
    return values


def _payload_of(fact: Fact) -> tuple[int, bytes]:
    match fact:
        case DeviceStatus(health="online", reason="", firmware="", battery=None, historical=False):
            return _PORT, bytes((_MOVEMENTS, 0, _BATTERY, 0x0E, 0x10))
        case _:
            raise ValueError(f"an ERS Eye counts nobody and cannot tell {fact!r:.200}")
