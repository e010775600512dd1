"""Parametric PCR2 radar people counters over LoRaWAN.

Source: TheThingsNetwork/lorawan-devices vendor/parametric/pcr2-decoder.js (Apache-2.0).
Port 14, big endian: `be 01 04`, u16 left-to-right, u16 right-to-left (since the last uplink), u16 and u16 their sums
since power-up, u16 battery, u16 solar, i16 temperature; version 3 (`be 01 03`) has a one byte battery. Port 190 is
the configuration.

Count kinds: `cumulative` (the sums; forward is left to right as the device sees it). Configuration -> DeviceStatus.

Pitfalls:
* The sums restart at every power-up and wrap at 65536.
* Counts since the last uplink are lost with every lost uplink, and are not credited. The short payload (`0a … 16 …`)
  has nothing else: refused; set the payload type to extended.
* DIFF of the vendor's decoder has lost its sign; it is not read.
"""

from collections.abc import Sequence

from flowmon.errors import Undecodable
from flowmon.facts import Count, DeviceStatus, Fact
from sensors.dialects import lorawan
from sensors.dialects.port import Family, Message, Outgoing, Unwanted

FAMILY = Family(
    name="Parametric PCR2",
    transports=("LoRaWAN",),
    kinds=("cumulative", "device_status"),
    privacy="nothing of a person",
    tested="payload versions 3, 4 and 5",
    source="TheThingsNetwork/lorawan-devices vendor/parametric",
)

_COUNTS, _CONFIGURATION = 14, 190
_LENGTHS = {b"\xbe\x01\x03": 16, b"\xbe\x01\x04": 17}


def decode(message: Message, device: str) -> list[Fact]:
    """See the port."""
    uplink = lorawan.uplink(message)
    if uplink is None:
        return []
    payload, told = uplink.payload, uplink.told(message, device)
    if uplink.f_port == _CONFIGURATION:
        has_version = payload.startswith(b"\xbe\x01") and len(payload) > 6
        firmware = ".".join(map(str, payload[4:7])) if has_version else ""
        return [DeviceStatus(health="online", firmware=firmware, **told)]
    if uplink.f_port != _COUNTS:
        raise Undecodable("lorawan-parametric: port is neither 14 (counts) nor 190 (configuration)")
    if payload[0] == 0x0A:
        raise Unwanted("lorawan-parametric: only counts since the last uplink; set the payload type to extended")
    if len(payload) != _LENGTHS.get(payload[:3]):
        raise Undecodable("lorawan-parametric: not the extended payload be0103 or be0104 in full")
    forward, backward = (int.from_bytes(payload[place : place + 2], "big") for place in (7, 9))
    return [Count(counter=told["source"], kind="cumulative", forward=forward, backward=backward, **told)]


def encode(facts: Sequence[Fact], *, venue: str, device: str) -> list[Outgoing]:  # noqa: ARG001 - the port
    """Not spoken by the simulator yet. Raises ValueError."""
    raise ValueError(f"lorawan-parametric is only read so far, {device} of {venue} cannot speak it")
