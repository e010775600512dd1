"""Terabee People Counting L-XL and M, and People Occupancy Counting (POC), over LoRaWAN.

Source: TheThingsNetwork/lorawan-devices vendor/terabee (Apache-2.0), actility/device-catalog vendors/terabee.
L-XL (port 1) and M (port 82), 9 bytes, big endian: u32 in, u32 out, flags. POC (port 83), 10 bytes: flags, people in
view, people in zones 0 to 7. Other ports answer downlinks: `FF`, command, result, or command and value.

Count kinds: `cumulative`. States of a POC -> ZoneCount of the device, and of `<device>-zone-<n>` for zones that are
set. Flags, versions, remote resets -> DeviceStatus.

Pitfalls:
* Frames of 8 bytes, without flags, occur.
* Flags bit 0 (stopped) and 1 (stuck) are faults: the register stands still while people pass. Bit 2 is a fault on L-XL
  (its devices disagree), and harmless on M (its network is on) and POC (its Wi-Fi is on). Bit 3 is L-XL's Wi-Fi, and
  a POC that warms up and counts nobody yet.
* The port alone tells L-XL from M: where it is another one, bit 2 is read as L-XL's, the careful way.
* Zone 255 is a zone that is not set, not 255 people.
* A downlink can reset the register, or set it to anything: its answer is told as the device's state.
"""

from collections.abc import Iterator, Sequence

from flowmon.errors import Undecodable
from flowmon.facts import Count, DeviceStatus, Fact, ZoneCount
from sensors.dialects import lorawan
from sensors.dialects.lorawan import Told
from sensors.dialects.lorawan_envelopes import Uplink
from sensors.dialects.lorawan_milesight_channels import LENGTHS, channels
from sensors.dialects.port import Family, Message, Outgoing

FAMILY = Family(
    name="Terabee People Counting L-XL and M, People Occupancy Counting",
    transports=("LoRaWAN",),
    kinds=("cumulative", "zone_count", "device_status"),
    privacy="nothing of a person",
    tested="the maker's decoders; vectors of Actility and akenza",
    source="TheThingsNetwork/lorawan-devices vendor/terabee; actility/device-catalog vendors/terabee",
)

_L_XL, _M, _POC = 1, 82, 83
_COUNTS, _GET = 2, 2
#: More than this in a register, on a port that is not Terabee's, is somebody else's payload.
_LIKELY_MAX = 10_000_000
_NOT_SET = 255
_FAULTS = {
    _L_XL: {0: "counting has stopped", 1: "counting is stuck", 2: "its devices disagree"},
    _M: {0: "counting has stopped", 1: "counting is stuck"},
    _POC: {0: "counting has stopped", 1: "counting is stuck", 3: "it is warming up and counts nobody yet"},
}
#: Answers to downlinks: port -> command -> lengths of the whole payload.
_VALUES: dict[int, dict[int, range]] = {
    _COUNTS: {_GET: range(9, 10)},
    4: {**{part: range(4, 5) for part in range(1, 7)}, 128: range(4, 5), 138: range(3, 14), 139: range(4, 13)},
    5: {1: range(2, 3)},
    8: {1: range(4, 5)},
    100: {1: range(3, 4), 2: range(2, 3), 3: range(3, 6), 4: range(2, 3), 5: range(2, 3)},
    101: {1: range(1, 10), 2: range(7, 8), 3: range(7, 8)},
}
_COMMANDS = {
    _COUNTS: {1, 2, 130},
    3: {1, 2},
    4: {*range(1, 7), 128, 138, 139},
    5: {1, 129},
    6: {1},
    7: {1},
    8: {1, 129},
    100: {*range(1, 6), *range(129, 134)},
    101: {1, 2, 3, 129, 130, 131},
    102: {0},
}
_RESETS = {1, 130}


def decode(message: Message, device: str) -> list[Fact]:
    """See the port."""
    return lorawan.facts(message, device, _read)


def encode(facts: Sequence[Fact], *, venue: str, device: str) -> list[Outgoing]:
    """See the port: one uplink a fact, registers as an L-XL, people in view as a POC without zones."""
    return lorawan.encode_each(facts, _payload_of, venue=venue, device=device)


def _read(uplink: Uplink, told: Told) -> list[Fact]:
    payload, port = uplink.payload, uplink.f_port
    if port in _COMMANDS and _is_answer(port, payload):
        return list(_answer(port, payload, lorawan.named(told)))
    if port == _POC or (port < 2 and _is_poc(payload)):
        if len(payload) != 10:
            raise Undecodable("lorawan-terabee: not the 10 bytes of a POC on its port 83")
        return list(_occupancy(payload, lorawan.named(told)))
    if len(payload) not in {8, 9} or not _is_likely(port, payload):
        raise Undecodable("lorawan-terabee: not 8 or 9 bytes of registers and flags, nor a POC, nor an answer")
    told = lorawan.named(told)
    facts: list[Fact] = [_register(payload, told)]
    if len(payload) == 9:
        facts.append(_state(payload[8], _FAULTS[_M if port == _M else _L_XL], told))
    return facts


def _is_likely(port: int, payload: bytes) -> bool:
    """Whether registers are ours: flags with an empty upper half, and on a foreign port no impossible count.

    A few 9 bytes are whole messages of Milesight too: theirs, as no door has counted so many.
    """
    if len(payload) == 9 and payload[8] > 0x0F:
        return False
    most = max(int.from_bytes(payload[:4], "big"), int.from_bytes(payload[4:8], "big"))
    if most <= _LIKELY_MAX:
        return True
    is_milesight = int.from_bytes(payload[:2], "big") in LENGTHS and not channels(payload)[1]
    return port == _M or (port == _L_XL and len(payload) == 9 and not is_milesight)


def _is_poc(payload: bytes) -> bool:
    """Whether 10 bytes on no port in particular are a POC's: no zone holds more than are in view."""
    zones = [people for people in payload[2:] if people != _NOT_SET]
    return len(payload) == 10 and payload[0] <= 0x0F and max(zones, default=0) <= payload[1] < _NOT_SET


def _register(payload: bytes, told: Told) -> Count:
    return lorawan.register(told, int.from_bytes(payload[:4], "big"), int.from_bytes(payload[4:8], "big"))


def _occupancy(payload: bytes, told: Told) -> Iterator[Fact]:
    source = told["source"]
    yield ZoneCount(zone=source, people=payload[1], **told)
    for zone, people in enumerate(payload[2:]):
        if people != _NOT_SET:
            yield ZoneCount(zone=f"{source}-zone-{zone}", people=people, **told)
    yield _state(payload[0], _FAULTS[_POC], told)


def _state(flags: int, known: dict[int, str], told: Told) -> DeviceStatus:
    faults = ", ".join(fault for bit, fault in known.items() if flags >> bit & 1)
    return DeviceStatus(health="fault" if faults else "online", reason=faults, **told)


def _is_answer(port: int, payload: bytes) -> bool:
    if payload[0] == 0xFF:
        return len(payload) in {2, 3} and payload[1] in _COMMANDS[port]
    return len(payload) in _VALUES.get(port, {}).get(payload[0], ())


def _answer(port: int, payload: bytes, told: Told) -> Iterator[Fact]:
    if port == _COUNTS and payload[0] == _GET:
        yield _register(payload[1:], told)
    elif port == _COUNTS and payload[0] == 0xFF and payload[1] in _RESETS and payload[2:] != b"\xff":
        yield DeviceStatus(health="online", reason="its counts were set by a downlink", **told)
    elif port == 4 and payload[0] == 138:
        text = payload[2:].rstrip(b"\0").decode("ascii", errors="ignore")
        yield DeviceStatus(health="online", firmware=text if text.isprintable() else "", **told)
    elif port == 4 and payload[0] == 1:
        yield DeviceStatus(health="online", firmware=".".join(map(str, payload[1:])), **told)


def _payload_of(fact: Fact) -> tuple[int, bytes]:
    match fact:
        case Count(kind="cumulative", line="1", historical=False) if fact.counter == fact.source:
            return _L_XL, lorawan.whole(fact.forward, 4) + lorawan.whole(fact.backward, 4)
        case ZoneCount(historical=False) if fact.zone == fact.source and fact.people < _NOT_SET:
            return _POC, b"\0" + lorawan.whole(fact.people, 1) + b"\xff" * 8
        case _:
            raise ValueError(f"a Terabee counter over LoRaWAN cannot tell {fact!r:.200}")
