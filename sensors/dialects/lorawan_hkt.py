"""HKT infrared people counter over LoRaWAN.

Source: akenza-io/device-type-library types/hkt/peopleCounter (MIT). Big endian: 5 bytes of header (`68 6b 74` is
"hkt", then two that are not read), a type, data. Type `07`: u16 a, u16 b since the last report, u32 and u32 totals;
`01`: hardware and firmware; `03`: battery in percent; `83`: 1 when the infrared light fails; `84`: 0 when it was
taken from its place.

Count kinds: `cumulative` (the totals; forward is a). Types 01, 03, 83 and 84 -> DeviceStatus, battery as a share.

Pitfalls:
* Counts since the last report are lost with a lost uplink, and are not credited: the totals stand beside them.
* Types 04 and 06 (settings) say nothing of people: read as nothing.
"""

from collections.abc import Sequence

from flowmon.errors import Undecodable
from flowmon.facts import Count, DeviceStatus, Fact
from sensors.dialects import lorawan
from sensors.dialects.lorawan import Told
from sensors.dialects.lorawan_envelopes import Uplink
from sensors.dialects.port import Family, Message, Outgoing

FAMILY = Family(
    name="HKT infrared people counter",
    transports=("LoRaWAN",),
    kinds=("cumulative", "device_status"),
    privacy="nothing of a person",
    tested="vectors of akenza",
    source="akenza-io/device-type-library types/hkt/peopleCounter",
)

_PORT = 10
_HEADER = b"hkt"
_SETTINGS = {0x04: 1, 0x06: 2}


def decode(message: Message, device: str) -> list[Fact]:
    """See the port."""
    return lorawan.facts(message, device, _read)


def encode(facts: Sequence[Fact], *, venue: str, device: str) -> list[Outgoing]:
    """See the port: one uplink a fact; a battery goes in whole percent."""
    return lorawan.encode_each(facts, _payload_of, venue=venue, device=device)


def _read(uplink: Uplink, told: Told) -> list[Fact]:
    payload = uplink.payload
    if not payload.startswith(_HEADER) or len(payload) < 7:
        raise Undecodable("lorawan-hkt: payload does not begin with 686b74")
    kind, data = payload[5], payload[6:]
    told = lorawan.named(told)
    match kind, len(data):
        case 0x07, 12:
            forward, backward = (int.from_bytes(data[place : place + 4], "big") for place in (4, 8))
            return [lorawan.register(told, forward, backward)]
        case 0x01, 2:
            return [DeviceStatus(health="online", firmware=str(data[1]), **told)]
        case 0x03, 1 if data[0] <= 100:
            return [DeviceStatus(health="online", battery=data[0] / 100, **told)]
        case 0x83, 1:
            return [_state(bool(data[0]), "the infrared light fails", told)]
        case 0x84, 1:
            return [_state(not data[0], "it was taken from its place", told)]
        case _ if len(data) == _SETTINGS.get(kind):
            return []  # its settings, echoed
        case _:
            raise Undecodable(f"lorawan-hkt: unknown type or length: {kind:02x}, {len(data)} bytes")


def _state(is_fault: bool, reason: str, told: Told) -> DeviceStatus:
    return DeviceStatus(health="fault" if is_fault else "online", reason=reason if is_fault else "", **told)


def _payload_of(fact: Fact) -> tuple[int, bytes]:
    match fact:
        case Count(kind="cumulative", line="1", historical=False) if fact.counter == fact.source:
            return _PORT, _frame(0x07, bytes(4) + lorawan.whole(fact.forward, 4) + lorawan.whole(fact.backward, 4))
        case DeviceStatus(health="online", reason="", firmware="", historical=False):
            battery = fact.battery
            return _PORT, _frame(0x83, b"\0") if battery is None else _frame(0x03, bytes((round(battery * 100),)))
        case _:
            raise ValueError(f"an HKT counter cannot tell {fact!r:.200}")


def _frame(kind: int, data: bytes) -> bytes:
    return _HEADER + bytes((0, kind & 0x0F, kind)) + data
