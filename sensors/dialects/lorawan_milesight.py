"""Milesight people counters over LoRaWAN: VS121, VS132, VS133, VS135, VS350, VS360.

Source: Milesight-IoT/SensorDecoders vs-series (GPL-3, read only). Payload: (channel, type, data) one after the
other, little endian, usually on port 85; the envelope is lorawan.py's.

Count kinds: `cumulative` (line 1; lines 1 to 4 on VS13x). States: people in view (VS121) -> ZoneCount of the
device, region counts (VS13x) -> ZoneCount of `<device>-region-<n>`. Alarms, battery, firmware -> DeviceStatus.

Pitfalls:
* Periods (since the last report, without times) come beside totals or in an uplink of their own. Only totals are
  credited; an uplink of periods alone is refused: let the device report cumulative counts.
* Totals are u32 on VS13x, u16 on the others, where they wrap at 65536. A downlink can clear them.
* Children (`11D2` and up) are part of the totals. Flows between areas, dwell and maxima are not read.
* History (`20CE`) is what a device kept while nobody heard it: facts with its times, marked historical, told again
  and again by retransmission. Its periods are not read either.
* Channels have no length: an unknown one ends the reading, and the device's state says so.
* At low data rates VS13x may split a line's in and out over two uplinks: half a register cannot be used.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from flowmon.errors import Undecodable
from flowmon.facts import Count, DeviceHealth, DeviceStatus, Fact, ZoneCount
from sensors.dialects import lorawan
from sensors.dialects.port import Family, Message, Outgoing, Unwanted

FAMILY = Family(
    name="Milesight VS121, VS132, VS133, VS135, VS350, VS360, VS370",
    transports=("LoRaWAN",),
    kinds=("cumulative", "zone_count", "device_status"),
    privacy="nothing of a person",
    tested="decoders of the VS series as published in 2025",
    source="Milesight-IoT/SensorDecoders vs-series",
)

Channel = tuple[int, bytes]
Told = dict[str, Any]

_LENGTHS = {
    **dict.fromkeys((0xFF01, 0xFF0B, 0xFF0F, 0xFFFE, 0x0175, 0x0275, 0x06CD, 0x81EE), 1),
    **dict.fromkeys((0xFF09, 0xFF0A, 0xFFFF, 0x0367, 0x03F4), 2),
    **dict.fromkeys((0x8367, 0x50FC), 3),
    **dict.fromkeys((0xFF1F, 0x04CC, 0x0DCC, 0x04C9, 0x0AEF, 0x0F85, 0x0FE3, 0x1DE3), 4),
    **dict.fromkeys((0x84CC, 0x85CC, 0x0EE4, 0x10E4, 0x1EE4), 5),
    **dict.fromkeys((0x07D5, 0x08D5, 0x09DA, 0x0ADA, 0x0BDA, 0x0CDA, 0xFF16), 8),
    0xFF08: 6,
    **{
        channel << 8 | 0xD2: 4
        for first in (0x03, 0x11)
        for n in range(4)
        for channel in (first + 3 * n, first + 3 * n + 1)
    },
    **{channel << 8 | 0xCC: 4 for first in (0x05, 0x13) for channel in range(first, first + 12, 3)},
}
_HISTORY = 0x20CE
_HISTORY_LENGTHS = {0x00: 9, 0x01: 13, 0x10: 8, 0x20: 8} | dict.fromkeys((*range(0x03, 0x10), *range(0x11, 0x1E)), 9)
_PERIODS = frozenset({0x05CC, 0x85CC, 0x08CC, 0x0BCC, 0x0ECC})
_ALARMS = {0: "counting anomaly", 1: "the other half does not answer", 2: "the halves are misaligned"}


def decode(message: Message, device: str) -> list[Fact]:
    """See the port."""
    uplink = lorawan.uplink(message)
    if uplink is None or uplink.payload[0] in {0xFE, 0xF8, 0xF9}:
        return []  # an answer to a downlink
    told = uplink.told(message, device)
    channels, unread = _channels(uplink.payload)
    clock = next((_u32(data, 0) for kind, data in channels if kind in {0x0AEF, 0x0F85}), 0)
    stamped = told | {"at": float(clock)} if clock else told
    facts: list[Fact] = [*_totals(channels, stamped), *_zones(channels, stamped), *_history(channels, told)]
    facts += _status(channels, unread if facts else "", told)
    if facts:
        return facts
    if unread:
        raise Undecodable(f"lorawan-milesight: {unread}")
    if any(kind in _PERIODS for kind, _ in channels):
        raise Unwanted("lorawan-milesight: period counts only; let the device report cumulative counts (totals)")
    raise Unwanted("lorawan-milesight: no totals, people or state in it (half a total, flows, dwell or history)")


def _channels(payload: bytes) -> tuple[list[Channel], str]:
    channels: list[Channel] = []
    place = 0
    while place + 2 <= len(payload):
        kind = int.from_bytes(payload[place : place + 2], "big")
        history = payload[place + 6] if kind == _HISTORY and place + 6 < len(payload) else -1
        length = _HISTORY_LENGTHS.get(history) if kind == _HISTORY else _LENGTHS.get(kind)
        if length is None:
            return channels, f"unknown channel, the rest is not read: {kind:04x}"
        data = payload[place + 2 : place + 2 + length]
        if len(data) < length:
            return channels, f"cut off in channel: {kind:04x}"
        channels.append((kind, data))
        place += 2 + length
    return channels, "cut off" if place < len(payload) else ""


def _totals(channels: list[Channel], told: Told) -> Iterator[Count]:
    halves: dict[tuple[int, int], int] = {}
    for kind, data in channels:
        if kind in {0x04CC, 0x84CC, 0x0DCC}:
            yield _register(told, 1, _u16(data, 0), _u16(data, 2))
        elif kind & 0xFF == 0xD2 and kind >> 8 < 0x11:
            halves[divmod((kind >> 8) - 3, 3)] = _u32(data, 0)
    yield from _paired(halves, told)


def _paired(halves: dict[tuple[int, int], int], told: Told) -> Iterator[Count]:
    for line in range(4):
        if (line, 0) in halves and (line, 1) in halves:
            yield _register(told, line + 1, halves[line, 0], halves[line, 1])


def _register(told: Told, line: int, forward: int, backward: int) -> Count:
    return Count(counter=told["source"], kind="cumulative", line=str(line), forward=forward, backward=backward, **told)


def _zones(channels: list[Channel], told: Told) -> Iterator[ZoneCount]:
    for kind, data in channels:
        if kind == 0x04C9:
            yield ZoneCount(zone=told["source"], people=data[0], **told)
        elif kind == 0x0FE3:
            yield from _regions(data, told)


def _regions(data: bytes, told: Told) -> Iterator[ZoneCount]:
    for region, people in enumerate(data, 1):
        yield ZoneCount(zone=f"{told['source']}-region-{region}", people=people, **told)


def _history(channels: list[Channel], told: Told) -> Iterator[Fact]:
    halves: dict[int, dict[tuple[int, int], int]] = {}
    for data in (data for kind, data in channels if kind == _HISTORY):
        at, kind = _u32(data, 0), data[4]
        then = _then(told, at)
        if kind == 0x01:
            yield _register(then, 1, _u16(data, 9), _u16(data, 11))
        elif kind == 0x0F:
            yield from _regions(data[5:], then)
        elif 0x03 <= kind < 0x0F and kind % 3 != 2:
            halves.setdefault(at, {})[divmod(kind - 3, 3)] = _u32(data, 5)
    for at, known in halves.items():
        yield from _paired(known, _then(told, at))


def _then(told: Told, at: int) -> Told:
    """A fact from the device's memory is the same fact in whichever uplink it comes: no running number."""
    return told | {"at": float(at), "seq": -1, "historical": True}


def _status(channels: list[Channel], unread: str, told: Told) -> Iterator[DeviceStatus]:
    firmware, battery, spoke = "", None, bool(unread)
    alarms: dict[str, bool] = {}
    for kind, data in channels:
        spoke |= kind >> 8 == 0xFF or kind in {0x0175, 0x03F4, 0x50FC}
        if kind in {0xFF0A, 0xFF1F}:
            firmware = ".".join(map(str, data))
        elif kind == 0x0175 and data[0] <= 100:
            battery = data[0] / 100
        elif kind == 0x03F4:
            alarms[_ALARMS.get(data[0], f"alarm {data[0]}")] = data[1] == 1
        elif kind == 0x50FC:
            alarms[f"the lens of node {data[1]} is covered"] = data[2] == 1
    active = ", ".join(name for name, is_on in alarms.items() if is_on)
    if spoke:
        health: DeviceHealth = "fault" if active else "online"
        yield DeviceStatus(health=health, reason=active or unread, firmware=firmware, battery=battery, **told)


def _u16(data: bytes, place: int) -> int:
    return int.from_bytes(data[place : place + 2], "little")


def _u32(data: bytes, place: int) -> int:
    return int.from_bytes(data[place : place + 4], "little")


def encode(facts: Sequence[Fact], *, venue: str, device: str) -> list[Outgoing]:  # noqa: ARG001 - the port
    """Not spoken by the simulator yet. Raises ValueError."""
    raise ValueError(f"lorawan-milesight is only read so far, {device} of {venue} cannot speak it")
