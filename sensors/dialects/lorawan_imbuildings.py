"""IMBuildings people counters over LoRaWAN and NB-IoT: infrared beam, and Verticount.

Source: IMBUILDINGS/PayloadParser (its own parsers for LoRaWAN and NB-IoT); akenza-io/device-type-library
types/IMBuildings for the status bits. Big endian. A header (`02`, variant, identifier) or, without it, a port that
names the variant. Variants 6, 7, 8 (ports 26, 27, 28; identifier of 8 bytes): 6 is device status, u16 battery
(0.01 V), u16 counts a and b since the last, sensor status, u16 totals a and b, payload counter; 7 is sensor status and
totals; 8 is device status, battery, sensor status. Variant 5 is 6 without totals. Variants 2, 3, 4 (identifier of 6
bytes, device status, battery, signal): u8 or u16 counts a and b since the last, sensor status; 4 (NB-IoT, or port 24
without what stands before it) has the date in BCD before them.

Count kinds: `cumulative` (the totals; forward is a) of variants 6 and 7, `window` of 2 to 5. Status -> DeviceStatus.

Pitfalls:
* Totals wrap at 65536.
* The BCD date has no zone and is the device's: the platform's time is used, which the sample shows 25 s behind it.
* The battery is a voltage, no share: it is not told. akenza's share of it is a guess.
* The identifier is believed only when neither the route nor the network names the device.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from flowmon.errors import Undecodable
from flowmon.facts import Count, DeviceStatus, Fact
from sensors.dialects import lorawan
from sensors.dialects.lorawan import Told
from sensors.dialects.lorawan_envelopes import Uplink
from sensors.dialects.port import Family, Message, Outgoing

FAMILY = Family(
    name="IMBuildings People Counter and Verticount",
    transports=("LoRaWAN", "NB-IoT"),
    kinds=("cumulative", "window", "device_status"),
    privacy="nothing of a person; an NB-IoT modem's IMEI may be the device's name",
    tested="payload variants 2 to 8 of the maker's parser",
    source="IMBUILDINGS/PayloadParser",
)


class _Layout(NamedTuple):
    """Places from the end, where the makers' variants agree. size: bytes without header. counts, totals: 0 for none."""

    size: int
    counts: int = 0
    totals: int = 0
    sensor: int = 1
    wide: bool = True


#: Variants with an identifier of 8 bytes.
_LORA = {5: _Layout(9, counts=6, sensor=2), 6: _Layout(13, 10, 5, sensor=6), 7: _Layout(5, totals=4, sensor=5)}
_LORA[8] = _Layout(4)
#: Variants with an identifier of 6 bytes, device status, battery and signal.
_OLD = {2: _Layout(7, counts=3, wide=False), 3: _Layout(9, counts=5), 4: _Layout(16, counts=5)}
_LORA_HEADER, _OLD_HEADER = 10, 8
_PORTS = {26: 6, 27: 7, 28: 8}
_PORT_4, _SIZE_4 = 24, 12
_FAULTS = {0x80: "the infrared beam is blocked", 0x40: "the receiver is disturbed"}
_REMARKS = {0x20: "the receiver's battery is low", 0x02: "the infrared signal is weak"}


def decode(message: Message, device: str) -> list[Fact]:
    """See the port."""
    return lorawan.facts(message, device, _read)


def encode(facts: Sequence[Fact], *, venue: str, device: str) -> list[Outgoing]:
    """See the port: one uplink a fact, registers in variant 7 and windows in variant 5, with a header."""
    return lorawan.encode_each(facts, _payload_of, venue=venue, device=device)


def _read(uplink: Uplink, told: Told) -> list[Fact]:
    layout, own = _layout(uplink)
    return list(_facts(uplink.payload, layout, lorawan.named(told, own)))


def _layout(uplink: Uplink) -> tuple[_Layout, str]:
    """How a payload is laid out, and who it says it is."""
    payload = uplink.payload
    if payload[0] == 2 and len(payload) > _LORA_HEADER:
        new, old = _LORA.get(payload[1]), _OLD.get(payload[1])
        if new and len(payload) == _LORA_HEADER + new.size:
            return new, payload[2:_LORA_HEADER].hex()
        if old and len(payload) == _OLD_HEADER + old.size and _is_dated(payload[1], payload):
            return old, payload[2:_OLD_HEADER].hex()
    if uplink.f_port == _PORT_4 and len(payload) == _SIZE_4 and _is_dated(4, payload):
        return _OLD[4], ""
    variant = _PORTS.get(uplink.f_port, 0)
    if variant and len(payload) == _LORA[variant].size:
        return _LORA[variant], ""
    raise Undecodable("lorawan-imbuildings: not variant 2 to 8, with header or on port 24, 26, 27, 28")


def _is_dated(variant: int, payload: bytes) -> bool:
    """Whether the seven bytes before the counts are a date in BCD, where a variant has one."""
    date = payload[-12:-5]
    return variant != 4 or all(part >> 4 < 10 and part & 0x0F < 10 for part in date)


def _facts(payload: bytes, layout: _Layout, told: Told) -> Iterator[Fact]:
    if layout.totals:
        yield lorawan.register(told, *_pair(payload, layout.totals, 2))
    elif layout.counts:
        yield lorawan.since_last(told, *_pair(payload, layout.counts, 2 if layout.wide else 1))
    bits = payload[-layout.sensor]
    faults, remarks = (", ".join(text for bit, text in known.items() if bits & bit) for known in (_FAULTS, _REMARKS))
    yield DeviceStatus(health="fault" if faults else "online", reason=faults or remarks, **told)


def _pair(payload: bytes, place: int, size: int) -> tuple[int, int]:
    start = len(payload) - place
    first, second = payload[start : start + size], payload[start + size : start + 2 * size]
    return int.from_bytes(first, "big"), int.from_bytes(second, "big")


def _payload_of(fact: Fact) -> tuple[int, bytes]:
    if not isinstance(fact, Count) or fact.line != "1" or fact.historical or fact.counter != fact.source:
        raise ValueError(f"an IMBuildings counter cannot tell {fact!r:.200}")
    both = lorawan.whole(fact.forward, 2) + lorawan.whole(fact.backward, 2)
    if fact.kind == "cumulative":
        return 27, b"\x02\x07" + bytes(8) + b"\0" + both
    if fact.kind == "window":
        return 25, b"\x02\x05" + bytes(8) + bytes(3) + both + bytes(2)
    raise ValueError("an IMBuildings counter tells no single events")
