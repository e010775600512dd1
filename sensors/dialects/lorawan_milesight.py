"""Milesight people counters over LoRaWAN: VS121, VS132, VS133, VS135, VS350, VS360 (and VS370, which counts nobody).

Source: Milesight-IoT/SensorDecoders vs-series (GPL-3, read only). Payload: (channel, type, data) one after the
other, little endian, usually on port 85; cut into channels in lorawan_milesight_channels.py.

Count kinds: `cumulative` (line 1; lines 1 to 4 on VS13x), or `window` where a line has only its count since the last
report. VS121's flows between its sides A to D are windows too, on lines `a-b`, `a-c`, …: forward is from a to b.
States: people in view (VS121) -> ZoneCount of the device, region counts (VS121, VS13x) -> ZoneCount of
`<device>-region-<n>`. Alarms, battery (a share, the lower of two), firmware, remote resets -> DeviceStatus.

Pitfalls:
* Totals are u32 on VS13x, u16 on the others, where they wrap at 65536. A downlink can clear them.
* Children (`11D2` and up) are part of the totals. Dwell times and maxima are not read, nor VS121's `10F7`: the source
  does not say whether it is a count since the last report or a total.
* VS121's region bits in `04C9` say somebody is there, not how many. VS370 says no more than that: no people.
* History (`20CE`) is what a device kept while nobody heard it: facts with its times, marked historical, told again
  and again by retransmission. VS121 numbers it differently; a frame that only it can send settles a payload,
  otherwise it is read as VS13x does.
* At low data rates VS13x may split a line's in and out over two uplinks: half a register cannot be used.
"""

from collections.abc import Iterable, Iterator, Sequence

from flowmon.errors import Undecodable
from flowmon.facts import Count, DeviceHealth, DeviceStatus, Fact, ZoneCount
from sensors.dialects import lorawan
from sensors.dialects.lorawan import Told
from sensors.dialects.lorawan_envelopes import Uplink
from sensors.dialects.lorawan_milesight_channels import HISTORY, Channel, channels, is_long_answer
from sensors.dialects.lorawan_milesight_history import regions, remembered
from sensors.dialects.lorawan_milesight_speech import payload_of
from sensors.dialects.port import Family, Message, Outgoing, Unwanted

FAMILY = Family(
    name="Milesight VS121, VS132, VS133, VS135, VS350, VS360, VS370",
    transports=("LoRaWAN",),
    kinds=("cumulative", "window", "zone_count", "device_status"),
    privacy="nothing of a person",
    tested="the maker's decoders of the VS series, all versions to 2025; vectors of akenza and Actility",
    source="Milesight-IoT/SensorDecoders vs-series",
)

#: channel and type -> the line of its total (in 0, out 1), or of its period.
_HALVES = {(3 * line + half) << 8 | 0xD2: (line, half) for line in range(1, 5) for half in (0, 1)}
_PERIODS = {(3 * line + 2) << 8 | 0xCC: line for line in range(1, 5)} | {0x85CC: 1}
_TOTALS = frozenset({0x04CC, 0x84CC, 0x0DCC})
_CLOCKS = frozenset({0x0AEF, 0x0F85})
_FLOWS = frozenset({0x09DA, 0x0ADA, 0x0BDA, 0x0CDA})
_ZONES = frozenset({0x04C9, 0x0FE3, 0x07D5, 0x08D5})
_PRESENCE = {0x0300: {0, 1}, 0x0400: {0, 1, 254}}
#: What says something about people that no fact can hold.
_NOT_READ = frozenset({0x06CD, 0x0EE4, 0x10E4, 0x1EE4, 0x1DE3, 0x10F7})
_STATUS = frozenset({0xFF01, 0xFF08, 0xFF09, 0xFF0A, 0xFF0B, 0xFF0F, 0xFF16, 0xFF1F, 0xFFFE, 0xFFFF})
_SPEAKING = _STATUS | {0x0175, 0x0275, 0x03F4, 0x50FC, 0x8367}
_RESETS = frozenset({0xFE51, 0xFF51, 0xFEA8, 0xFFA8})
_WORDS = _SPEAKING | _RESETS
_ALARMS = {0: "counting anomaly", 1: "the other half does not answer", 2: "the halves are misaligned"}
_SIDES = "abcd"


def decode(message: Message, device: str) -> list[Fact]:
    """See the port."""
    return lorawan.facts(message, device, _read)


def encode(facts: Sequence[Fact], *, venue: str, device: str) -> list[Outgoing]:
    """See the port: one uplink a fact, as a VS133 says it. Raises ValueError for what it cannot tell."""
    return lorawan.encode_each(facts, payload_of, venue=venue, device=device)


def _read(uplink: Uplink, told: Told) -> list[Fact]:
    if is_long_answer(uplink.payload):
        return []
    cut, unread = channels(uplink.payload)
    if not cut or not _is_ours(uplink, cut):
        raise Undecodable(f"lorawan-milesight: {unread or 'channels of no people counter'}")
    told = lorawan.named(told)
    kinds = {kind for kind, _ in cut}
    clock = 0 if kinds.isdisjoint(_CLOCKS) else next(_u32(data) for kind, data in cut if kind in _CLOCKS)
    stamped = told | {"at": float(clock)} if clock else told
    facts: list[Fact] = [*_counts(cut, stamped)]
    if not kinds.isdisjoint(_FLOWS):
        facts += _flows(cut, stamped)
    if not kinds.isdisjoint(_ZONES):
        facts += _zones(cut, stamped)
    if HISTORY in kinds:
        facts += remembered([data for kind, data in cut if kind == HISTORY], told)
    if (unread and facts) or not kinds.isdisjoint(_WORDS):
        facts.append(_status(cut, unread, told))
    if not facts and unread:
        raise Undecodable(f"lorawan-milesight: {unread}")
    if not facts and any(kind in _NOT_READ or kind & 0xFF == 0xD2 or kind == HISTORY for kind in kinds):
        raise Unwanted("lorawan-milesight: nothing but dwell times, maxima, children or half a total")
    return facts


def _is_ours(uplink: Uplink, cut: list[Channel]) -> bool:
    """VS370's two channels are two common bytes each: alone they must be on Milesight's port and mean something."""
    if any(kind not in _PRESENCE for kind, _ in cut):
        return True
    return uplink.f_port == 85 and all(data[0] in _PRESENCE[kind] for kind, data in cut)


def _counts(cut: list[Channel], told: Told) -> Iterator[Count]:
    """The registers of the lines, and the windows of the lines that have none."""
    halves: dict[tuple[int, int], int] = {}
    totals: dict[int, tuple[int, int]] = {}
    periods: dict[int, tuple[int, int]] = {}
    for kind, data in cut:
        if kind in _HALVES:
            halves[_HALVES[kind]] = int.from_bytes(data, "little")
        elif kind in _PERIODS:
            periods[_PERIODS[kind]] = _pair(data)
        elif kind in _TOTALS:
            totals[1] = _pair(data)
    for (line, half), into in halves.items():
        if half == 0 and (line, 1) in halves:
            totals[line] = into, halves[line, 1]
    for line, (forward, backward) in totals.items():
        yield lorawan.register(told, forward, backward, str(line))
    for line, (forward, backward) in periods.items():
        if line not in totals:
            yield lorawan.since_last(told, forward, backward, str(line))


def _flows(cut: list[Channel], told: Told) -> Iterator[Count]:
    """Who walked from one side to another since the last report; pairs of which one way is not told are left out."""
    ways: dict[tuple[str, str], int] = {}
    for kind, data in cut:
        if kind in _FLOWS:
            start = _SIDES[(kind >> 8) - 9]
            ways |= {(start, end): _u16(data, 2 * place) for place, end in enumerate(_SIDES)}
    for (start, end), forward in ways.items():
        backward = 0 if start == end else ways.get((end, start), -1)
        if start <= end and backward >= 0 and forward + backward:
            yield lorawan.since_last(told, forward, backward, f"{start}-{end}")


def _zones(cut: list[Channel], told: Told) -> Iterator[ZoneCount]:
    for kind, data in cut:
        if kind == 0x04C9:
            yield ZoneCount(zone=told["source"], people=data[0], **told)
        elif kind in {0x0FE3, 0x07D5, 0x08D5}:
            yield from regions(data, 9 if kind == 0x08D5 else 1, told)


def _status(cut: list[Channel], unread: str, told: Told) -> DeviceStatus:
    firmware, batteries, alarms = "", [], dict[str, bool]()
    for kind, data in cut:
        if kind in {0xFF0A, 0xFF1F}:
            firmware = ".".join(f"{part:x}" if len(data) == 2 else str(part) for part in data)
        elif kind in {0x0175, 0x0275} and data[0] <= 100:
            batteries.append(data[0] / 100)
        elif kind == 0x03F4:
            alarms[_ALARMS.get(data[0], f"alarm {data[0]}")] = data[1] == 1
        elif kind == 0x50FC:
            alarms[f"the lens of node {data[1]} is covered"] = data[2] == 1
        elif kind == 0x8367:
            alarms["it is too hot"] = data[2] == 3
    active = _spelt(name for name, is_on in alarms.items() if is_on)
    was_reset = "its totals were cleared by a downlink" if any(kind in _RESETS for kind, _ in cut) else ""
    health: DeviceHealth = "fault" if active else "online"
    battery = min(batteries, default=None)
    return DeviceStatus(health=health, reason=active or unread or was_reset, firmware=firmware, battery=battery, **told)


def _spelt(names: Iterable[str]) -> str:
    """Names in one sentence that fits where a reason has to."""
    return ", ".join(names)[:200]


def _pair(data: bytes) -> tuple[int, int]:
    return _u16(data, 0), _u16(data, 2)


def _u16(data: bytes, place: int) -> int:
    return int.from_bytes(data[place : place + 2], "little")


def _u32(data: bytes) -> int:
    return int.from_bytes(data, "little")
