"""PiPIoT PeopleSense people counters over LoRaWAN: one number, no direction.

Source: akenza-io/device-type-library types/pipiot/peopleSense (MIT). Bits, big endian: 0, u3 kind, u4 reserved, u8
battery (0.05 V), u16 people, then by kind: 0: six bins of 10 bits, flags (heartbeat, magnet, sensor error, bins ready);
1: five bins, flags (forced, alert, and the four), i8 °C; 3: u16 alert count, flags, i8 °C; 2: a radio test.

Count kinds: `cumulative`; forward is everybody, backward 0. Flags -> DeviceStatus.

Pitfalls:
* The source calls the number an accumulator, and its one sample has it equal to the sum of the bins: whether it
  restarts with every uplink is not settled. As a register a wrong guess loses people, as a window it invents them.
* There is no direction: it can feed a flow, never the number of people in a zone.
* Bins (people by part of the time, or of the day) would count everybody twice: they are not read.
"""

from collections.abc import Sequence

from flowmon.errors import Undecodable
from flowmon.facts import Count, DeviceStatus, Fact
from sensors.dialects import lorawan
from sensors.dialects.lorawan import Told
from sensors.dialects.lorawan_envelopes import Uplink
from sensors.dialects.port import Family, Message, Outgoing

FAMILY = Family(
    name="PiPIoT PeopleSense",
    transports=("LoRaWAN",),
    kinds=("cumulative", "device_status"),
    privacy="nothing of a person",
    tested="vector of akenza",
    source="akenza-io/device-type-library types/pipiot/peopleSense",
)

_PORT = 1
#: kind -> (bytes, the bit of "sensor error" from the end).
_KINDS = {0: (12, 1), 1: (12, 9), 3: (8, 9)}
_TEST, _TEST_SIZES = 2, range(2, 13)
_UNIT_MIN, _UNIT_MAX = 30, 160  # 1.5 to 8 V in steps of 0.05 V


def decode(message: Message, device: str) -> list[Fact]:
    """See the port."""
    return lorawan.facts(message, device, _read)


def encode(facts: Sequence[Fact], *, venue: str, device: str) -> list[Outgoing]:
    """See the port: one uplink a register, without bins."""
    return lorawan.encode_each(facts, _payload_of, venue=venue, device=device)


def _read(uplink: Uplink, told: Told) -> list[Fact]:
    payload = uplink.payload
    kind = payload[0] >> 4
    if payload[0] & 0x0F == 0 and kind == _TEST and len(payload) in _TEST_SIZES and uplink.f_port < 2:
        return []
    size, error_bit = _KINDS.get(kind, (0, 0))
    if payload[0] & 0x0F or len(payload) != size or not _UNIT_MIN <= payload[1] <= _UNIT_MAX:
        raise Undecodable("lorawan-pipiot: not a measurement of a PeopleSense")
    told = lorawan.named(told)
    fails = bool(int.from_bytes(payload, "big") >> error_bit & 1)
    reason = "its sensor fails" if fails else ""
    status = DeviceStatus(health="fault" if fails else "online", reason=reason, **told)
    return [lorawan.register(told, int.from_bytes(payload[2:4], "big"), 0), status]


def _payload_of(fact: Fact) -> tuple[int, bytes]:
    match fact:
        case Count(kind="cumulative", line="1", backward=0, historical=False) if fact.counter == fact.source:
            return _PORT, b"\0\x8d" + lorawan.whole(fact.forward, 2) + bytes(8)
        case _:
            raise ValueError(f"a PeopleSense cannot tell {fact!r:.200}")
