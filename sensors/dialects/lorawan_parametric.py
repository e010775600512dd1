"""Parametric PCR2 radar people counters over LoRaWAN.

Source: TheThingsNetwork/lorawan-devices vendor/parametric/pcr2-decoder.js (Apache-2.0), versions 2 to 6.
Big endian. Extended payload (port 14), `be 01 04`: u16 left-to-right, u16 right-to-left (since the last uplink), u16
and u16 their sums since power-up, u16 battery, u16 solar, i16 temperature; version 3 (`be 01 03`) has a one byte
battery. Default payload (port 14): `0a` u16 left-to-right, `16` u16 right-to-left, `01` i16 temperature, in any order.
Configuration (port 190): `be 01`, version, device type, three numbers of firmware, settings; version 2 without header.

Count kinds: `cumulative` (the sums) of the extended payload, `window` of the default one; forward is left to right as
the device sees it. Configuration -> DeviceStatus.

Pitfalls:
* The sums restart at every power-up and wrap at 65536.
* The default payload has only counts since the last uplink: set the payload type to extended, or lose people with
  every lost uplink.
* DIFF of the vendor's decoder has lost its sign; it is not read. Its published example has values like `"1,"`.
* The battery is that of a solar charger, in mV or unknown units: no share is told.
"""

from collections.abc import Sequence

from flowmon.errors import Undecodable
from flowmon.facts import Count, DeviceStatus, Fact
from sensors.dialects import lorawan
from sensors.dialects.lorawan import Told
from sensors.dialects.lorawan_envelopes import Uplink
from sensors.dialects.port import Family, Message, Outgoing

FAMILY = Family(
    name="Parametric PCR2",
    transports=("LoRaWAN",),
    kinds=("cumulative", "window", "device_status"),
    privacy="nothing of a person",
    tested="payload versions 2 to 6 of the maker's decoder",
    source="TheThingsNetwork/lorawan-devices vendor/parametric",
)

_COUNTS, _CONFIGURATION = 14, 190
_HEADER = b"\xbe\x01"
_EXTENDED = {3: 16, 4: 17}
_SETTINGS = {3: 20, 4: 31, 5: 34, 6: 35}
_SETTINGS_2 = 14
_LEFT_TO_RIGHT, _RIGHT_TO_LEFT, _TEMPERATURE = 0x0A, 0x16, 0x01


def decode(message: Message, device: str) -> list[Fact]:
    """See the port."""
    return lorawan.facts(message, device, _read)


def encode(facts: Sequence[Fact], *, venue: str, device: str) -> list[Outgoing]:
    """See the port: one uplink a fact, registers in the extended payload and windows in the default one."""
    return lorawan.encode_each(facts, _payload_of, venue=venue, device=device)


def _read(uplink: Uplink, told: Told) -> list[Fact]:
    payload = uplink.payload
    version = payload[2] if payload.startswith(_HEADER) and len(payload) > 2 else 0
    if version and len(payload) == _EXTENDED.get(version):
        forward, backward = (int.from_bytes(payload[place : place + 2], "big") for place in (7, 9))
        return [lorawan.register(lorawan.named(told), forward, backward)]
    if version and (len(payload) == _SETTINGS.get(version) or (version > 6 and len(payload) > 7)):
        return [_configured(payload[4:7], told)]
    if uplink.f_port == _CONFIGURATION and len(payload) == _SETTINGS_2 and payload[0] == 1:
        return [_configured(payload[1:4], told)]
    if (counted := _default(payload)) is not None:
        return [lorawan.since_last(lorawan.named(told), *counted)]
    raise Undecodable("lorawan-parametric: not the extended or default payload of counts, nor the configuration")


def _configured(version: bytes, told: Told) -> DeviceStatus:
    return DeviceStatus(health="online", firmware=".".join(map(str, version)), **lorawan.named(told))


def _default(payload: bytes) -> tuple[int, int] | None:
    """The two counts of a default payload; None for anything else."""
    if len(payload) not in {6, 9}:
        return None
    values = {
        payload[place]: int.from_bytes(payload[place + 1 : place + 3], "big") for place in range(0, len(payload), 3)
    }
    if len(values) * 3 != len(payload) or not values.keys() <= {_LEFT_TO_RIGHT, _RIGHT_TO_LEFT, _TEMPERATURE}:
        return None
    if _LEFT_TO_RIGHT not in values or _RIGHT_TO_LEFT not in values:
        return None
    return values[_LEFT_TO_RIGHT], values[_RIGHT_TO_LEFT]


def _payload_of(fact: Fact) -> tuple[int, bytes]:
    match fact:
        case Count(kind="cumulative", line="1", historical=False) if fact.counter == fact.source:
            sums = lorawan.whole(fact.forward, 2) + lorawan.whole(fact.backward, 2)
            return _COUNTS, _HEADER + b"\x04\0\0\0\0" + sums + bytes(6)
        case Count(kind="window", line="1", historical=False) if fact.counter == fact.source:
            forward, backward = lorawan.whole(fact.forward, 2), lorawan.whole(fact.backward, 2)
            return _COUNTS, bytes((_LEFT_TO_RIGHT,)) + forward + bytes((_RIGHT_TO_LEFT,)) + backward
        case _:
            raise ValueError(f"a PCR2 cannot tell {fact!r:.200}")
