"""HKT infrared people counter over LoRaWAN.

Source: akenza-io/device-type-library types/hkt/peopleCounter (MIT). Big endian: 5 bytes of header (`68 6b 74` is
"hkt", then two that are not read), a type, data. Type `07`: u16 a, u16 b since the last report, u32 and u32 totals;
`01`: hardware and firmware; `03`: battery in percent; `83`: 1 when the infrared light fails.

Count kinds: `cumulative` (the totals; forward is a). Types 01, 03 and 83 -> DeviceStatus.

Pitfalls:
* Counts since the last report are lost with a lost uplink, and are not credited.
* Type 84 (installed or not), 04 and 06 (settings) say nothing of people: read as nothing.
"""

from collections.abc import Sequence

from flowmon.errors import Undecodable
from flowmon.facts import Count, DeviceStatus, Fact
from sensors.dialects import lorawan
from sensors.dialects.port import Family, Message, Outgoing

FAMILY = Family(
    name="HKT infrared people counter",
    transports=("LoRaWAN",),
    kinds=("cumulative", "device_status"),
    privacy="nothing of a person",
    tested="as akenza reads it",
    source="akenza-io/device-type-library types/hkt/peopleCounter",
)

_HEADER = b"hkt"
_SETTINGS = frozenset({0x04, 0x06, 0x84})


def decode(message: Message, device: str) -> list[Fact]:
    """See the port."""
    uplink = lorawan.uplink(message)
    if uplink is None:
        return []
    payload, told = uplink.payload, uplink.told(message, device)
    if not payload.startswith(_HEADER) or len(payload) < 7:
        raise Undecodable("lorawan-hkt: payload does not begin with 686b74")
    kind, data = payload[5], payload[6:]
    match kind, len(data):
        case 0x07, 12:
            forward, backward = (int.from_bytes(data[place : place + 4], "big") for place in (4, 8))
            return [Count(counter=told["source"], kind="cumulative", forward=forward, backward=backward, **told)]
        case 0x01, 2:
            return [DeviceStatus(health="online", firmware=str(data[1]), **told)]
        case 0x03, 1 if data[0] <= 100:
            return [DeviceStatus(health="online", battery=data[0] / 100, **told)]
        case 0x83, 1 if data[0]:
            return [DeviceStatus(health="fault", reason="the infrared light fails", **told)]
        case 0x83, 1:
            return [DeviceStatus(health="online", **told)]
        case _ if kind in _SETTINGS:
            return []  # its settings, echoed
        case _:
            raise Undecodable(f"lorawan-hkt: unknown type or length: {kind:02x}, {len(data)} bytes")


def encode(facts: Sequence[Fact], *, venue: str, device: str) -> list[Outgoing]:  # noqa: ARG001 - the port
    """Not spoken by the simulator yet. Raises ValueError."""
    raise ValueError(f"lorawan-hkt is only read so far, {device} of {venue} cannot speak it")
