"""Terabee People Counting L-XL and M over LoRaWAN.

Source: TheThingsNetwork/lorawan-devices people-flow-counting-l-xl.js (Apache-2.0), actility/device-catalog.
9 bytes, big endian: u32 in, u32 out, flags; port 1 (L-XL) or 82 (M). Port 2 answers a downlink: `02` and the counts.

Count kinds: `cumulative`. Flags -> DeviceStatus.

Pitfalls:
* Frames of 8 bytes, without flags, occur.
* Flags bit 0 (stopped) and bit 1 (stuck) are faults: the register stands still while people pass. Bit 2 (several
  devices disagree) is one on L-XL and means something else on M; bit 3 (its Wi-Fi is on) is none.
* A downlink can reset the register, or set it to anything.
* The POC (port 83) tells occupancy per zone in a layout that no source here gives: refused.
"""

from collections.abc import Sequence

from flowmon.errors import Undecodable
from flowmon.facts import Count, DeviceStatus, Fact
from sensors.dialects import lorawan
from sensors.dialects.port import Family, Message, Outgoing

FAMILY = Family(
    name="Terabee People Counting L-XL and M",
    transports=("LoRaWAN",),
    kinds=("cumulative", "device_status"),
    privacy="nothing of a person",
    tested="decoders published by the maker and Actility",
    source="TheThingsNetwork/lorawan-devices vendor/terabee; actility/device-catalog",
)

_L_XL, _ANSWER, _M = 1, 2, 82
_GET_COUNTS = 2
_FAULTS = ("counting has stopped", "counting is stuck", "its devices disagree")


def decode(message: Message, device: str) -> list[Fact]:
    """See the port."""
    uplink = lorawan.uplink(message)
    if uplink is None:
        return []
    payload, flags = uplink.payload, -1
    if uplink.f_port == _ANSWER:
        if payload[0] != _GET_COUNTS or len(payload) != 9:
            return []  # the answer to another command
        payload = payload[1:]
    elif uplink.f_port not in {_L_XL, _M} or len(payload) not in {8, 9}:
        raise Undecodable("lorawan-terabee: not 8 or 9 bytes on port 1 (L-XL) or 82 (M)")
    elif len(payload) == 9:
        flags = payload[8]
    told = uplink.told(message, device)
    forward, backward = (int.from_bytes(payload[place : place + 4], "big") for place in (0, 4))
    count = Count(counter=told["source"], kind="cumulative", forward=forward, backward=backward, **told)
    if flags < 0:
        return [count]
    known = _FAULTS if uplink.f_port == _L_XL else _FAULTS[:2]
    faults = ", ".join(fault for bit, fault in enumerate(known) if flags >> bit & 1)
    return [count, DeviceStatus(health="fault" if faults else "online", reason=faults, **told)]


def encode(facts: Sequence[Fact], *, venue: str, device: str) -> list[Outgoing]:  # noqa: ARG001 - the port
    """Not spoken by the simulator yet. Raises ValueError."""
    raise ValueError(f"lorawan-terabee is only read so far, {device} of {venue} cannot speak it")
