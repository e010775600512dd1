"""Yosensi YO People Counter over LoRaWAN.

Source: the maker's decoder in akenza-io/device-type-library types/yosensi/YO-PeopleCounter (payload V2). Big endian:
`02`, u8 payload counter, u16 seconds from making to sending it, then measurements: type << 2 | decimals, u8 seconds
after making it, address bytes << 4 | value bytes - 1, address, signed value. Type 24 counts; its addresses: `00` left
to right, `01` right to left, `02` and `03` their sums, `04` the difference. Type 2 is battery in mV, 3 °C, 4 %.

Count kinds: `cumulative` (the sums), or `window` where there are none; forward is left to right. Battery ->
DeviceStatus (without a share: it is a voltage).

Pitfalls:
* The difference is signed (-39 is 38 in and 77 out) and is not read: nobody passes a door backwards in time.
* A payload may have waited up to 18 hours in the device: its own seconds are taken off the network's time.
* Values are signed: a negative sum is no register, and refused.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from flowmon.errors import Undecodable
from flowmon.facts import Count, DeviceStatus, Fact
from sensors.dialects import bodies, lorawan
from sensors.dialects.lorawan import Told
from sensors.dialects.lorawan_envelopes import Uplink
from sensors.dialects.port import Family, Message, Outgoing

FAMILY = Family(
    name="Yosensi YO People Counter",
    transports=("LoRaWAN",),
    kinds=("cumulative", "window", "device_status"),
    privacy="nothing of a person",
    tested="payload V2, vectors of akenza",
    source="akenza-io/device-type-library types/yosensi/YO-PeopleCounter",
)

_VERSION = 2
_PORT = 1
_COUNTER, _BATTERY = 24, 2
_TYPES_MAX = 40
_COMMAND = 63


class _Measurement(NamedTuple):
    """value: as it stands, without its decimals. after_s: seconds after the payload was made."""

    kind: int
    decimals: int
    after_s: int
    address: bytes
    value: int


def decode(message: Message, device: str) -> list[Fact]:
    """See the port."""
    return lorawan.facts(message, device, _read)


def encode(facts: Sequence[Fact], *, venue: str, device: str) -> list[Outgoing]:
    """See the port: one uplink a fact, sent as it is made."""
    return lorawan.encode_each(facts, _payload_of, venue=venue, device=device)


def _read(uplink: Uplink, told: Told) -> list[Fact]:
    payload = uplink.payload
    if payload[0] != _VERSION or len(payload) < 8:
        raise Undecodable("lorawan-yosensi: not a payload of version 2")
    measured = list(_measurements(payload))
    made = told["at"] - int.from_bytes(payload[2:4], "big")
    told = lorawan.named(told)
    counts = {item.address: item for item in measured if item.kind == _COUNTER and not item.decimals}
    facts: list[Fact] = []
    for kind, left, right in (("cumulative", b"\2", b"\3"), ("window", b"\0", b"\1")):
        if left in counts and right in counts:
            at = max(0.0, made + counts[left].after_s)
            forward, backward = (bodies.people(counts[place].value, "count") for place in (left, right))
            tell = lorawan.register if kind == "cumulative" else lorawan.since_last
            facts.append(tell(told | {"at": at}, forward, backward))
            break
    if any(item.kind == _BATTERY for item in measured):
        facts.append(DeviceStatus(health="online", **told))
    return facts


def _measurements(payload: bytes) -> Iterator[_Measurement]:
    place = 4
    while place < len(payload):
        head = payload[place : place + 3]
        if len(head) < 3:
            raise Undecodable("lorawan-yosensi: cut off in a measurement")
        kind, addressed, valued = head[0] >> 2, head[2] >> 4, (head[2] & 0x0F) + 1
        if not 1 <= kind <= _TYPES_MAX and kind != _COMMAND:
            raise Undecodable(f"lorawan-yosensi: unknown type of measurement: {kind}")
        place += 3 + addressed + valued
        if place > len(payload):
            raise Undecodable("lorawan-yosensi: cut off in a measurement")
        value = int.from_bytes(payload[place - valued : place], "big", signed=True)
        yield _Measurement(kind, head[0] & 3, head[1], payload[place - valued - addressed : place - valued], value)


def _payload_of(fact: Fact) -> tuple[int, bytes]:
    match fact:
        case Count(kind="cumulative", line="1", historical=False) if fact.counter == fact.source:
            return _PORT, _payload((2, fact.forward, 4), (3, fact.backward, 4))
        case Count(kind="window", line="1", historical=False) if fact.counter == fact.source:
            return _PORT, _payload((0, fact.forward, 2), (1, fact.backward, 2))
        case DeviceStatus(health="online", reason="", firmware="", battery=None, historical=False):
            return _PORT, b"\x02\0\0\0" + bytes((_BATTERY << 2, 0, 1, 0x0E, 0x10))
        case _:
            raise ValueError(f"a Yosensi counter cannot tell {fact!r:.200}")


def _payload(*counts: tuple[int, int, int]) -> bytes:
    """counts: (address, people, bytes), people in the lower half of what the bytes hold, as values are signed."""
    said = b"\x02\0\0\0"
    for address, people, size in counts:
        lorawan.whole(2 * people, size)
        said += bytes((_COUNTER << 2, 0, 0x10 | size - 1, address)) + people.to_bytes(size, "big", signed=True)
    return said
