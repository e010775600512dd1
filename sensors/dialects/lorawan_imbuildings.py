"""IMBuildings people counters over LoRaWAN, payload variants 6, 7 and 8.

Source: IMBUILDINGS/PayloadParser and the decoders made from it. With a header (`02`, variant, EUI of 8 bytes) on any
port, or without on port 26, 27, 28. Variant 6, 13 bytes, big endian: device status, u16 battery (0.01 V), u16 counts
a and b since the last uplink, sensor status, u16 totals a and b, payload counter. Variant 7, 5 bytes: sensor status
and totals. Variant 8, 4 bytes: device status, battery, sensor status (a heartbeat).

Count kinds: `cumulative` (the totals; forward is a). A heartbeat -> DeviceStatus.

Pitfalls:
* Totals wrap at 65536. Counts since the last uplink are lost with it, and are not credited.
* The header's EUI is not read: the network's is the one that joined.
* What the status bytes mean is not published: they are not told. Battery is a voltage, no share: neither is it.
* The NB-IoT variant (`02 04`) is no LoRaWAN payload, and has a local date without zone: refused.
"""

from collections.abc import Sequence

from flowmon.errors import Undecodable
from flowmon.facts import Count, DeviceStatus, Fact
from sensors.dialects import lorawan
from sensors.dialects.port import Family, Message, Outgoing

FAMILY = Family(
    name="IMBuildings people counters",
    transports=("LoRaWAN",),
    kinds=("cumulative", "device_status"),
    privacy="nothing of a person",
    tested="payload variants 6, 7 and 8",
    source="IMBUILDINGS/PayloadParser",
)

#: (variant) -> bytes without header; and where its totals are.
_LENGTHS = {6: 13, 7: 5, 8: 4}
_TOTALS = {6: 8, 7: 1}
_HEADER = 10
_PORTS = {26: 6, 27: 7, 28: 8}


def decode(message: Message, device: str) -> list[Fact]:
    """See the port."""
    uplink = lorawan.uplink(message)
    if uplink is None:
        return []
    variant, body = _variant(uplink)
    told = uplink.told(message, device)
    if variant not in _TOTALS:
        return [DeviceStatus(health="online", **told)]
    place = _TOTALS[variant]
    forward, backward = (int.from_bytes(body[at : at + 2], "big") for at in (place, place + 2))
    return [Count(counter=told["source"], kind="cumulative", forward=forward, backward=backward, **told)]


def _variant(uplink: lorawan.Uplink) -> tuple[int, bytes]:
    payload = uplink.payload
    if len(payload) > _HEADER and payload[0] == 2 and _LENGTHS.get(payload[1]) == len(payload) - _HEADER:
        return payload[1], payload[_HEADER:]
    variant = _PORTS.get(uplink.f_port, 0)
    if _LENGTHS.get(variant) != len(payload):
        raise Undecodable("lorawan-imbuildings: not variant 6, 7 or 8, with header or on port 26, 27, 28")
    return variant, payload


def encode(facts: Sequence[Fact], *, venue: str, device: str) -> list[Outgoing]:  # noqa: ARG001 - the port
    """Not spoken by the simulator yet. Raises ValueError."""
    raise ValueError(f"lorawan-imbuildings is only read so far, {device} of {venue} cannot speak it")
