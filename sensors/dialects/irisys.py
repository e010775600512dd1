"""Irisys Vector 4D counters: changes and live registers over MQTT, count logs over HTTP push.

Source: IrisysUK/vectorhttppost, IrisysUK/mqtt-xy-demo with the «Irisys MQTT Specification v3» (MIT), and
uva-linklab/irisys-mqtt-influxdb.

Count kinds: the `counts` array -> `event` (changes); `live_counts` and `CountLogs` -> `cumulative`.
A line is the register's name. "MainEntranceIn" and "MainEntranceOut" are the two directions of line `MainEntrance`,
"Enter" and "Exit" those of line "1"; a tag `direction=OUT` makes a register a backward one. Any other is forward.

Pitfalls:
* Two kinds under one topic prefix: the payload's shape tells them apart.
* `[]` comes each period when nobody passes: a heartbeat. Status `disconnected` is the last will.
* After an outage a backlog comes in slices. A change's identity is its register, second, and place among those of
  that register and second. `LogEntryId` numbers a count log.
* Offsets are `+0000`. The published specification shows a 91st of February: no time, and refused.
* Zone and dwell registers stand among the lines; those that say `RegisterType` Zone are left out.
* The targets topic is binary positions at 15 a second: recognised by its first byte, not kept, not stored.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from flowmon.errors import Undecodable
from flowmon.facts import Count, CountKind, DeviceHealth, DeviceStatus, Fact
from sensors.dialects import bodies
from sensors.dialects.port import Family, Message, Outgoing, Unwanted

FAMILY = Family(
    name="Irisys Vector 4D",
    transports=("MQTT", "HTTP"),
    kinds=("event", "cumulative", "device_status"),
    privacy="positions of people are dropped",
    tested="MQTT specification v3",
    source="IrisysUK/mqtt-xy-demo, IrisysUK/vectorhttppost, uva-linklab/irisys-mqtt-influxdb",
)

_WAY = re.compile(r"(?:^|[\s_-]+|(?<=[a-z0-9]))(In|Out|Enter|Exit|Entry)$")
_WAY_APART = re.compile(r"(?:^|[\s_-]+)(in|out|enter|exit|entry)$", re.IGNORECASE)
_BACK = frozenset({"out", "exit"})
_STATUS: dict[object, DeviceHealth] = {"connected": "online", "disconnected": "offline"}
_BINARY_TYPES = 9  # the first byte of targets is a small number, never that of JSON text

Body = dict[str, object]


def decode(message: Message, device: str) -> list[Fact]:
    """See the port."""
    if message.payload[:1] and message.payload[0] < _BINARY_TYPES:
        raise Unwanted("irisys: positions of people are not kept")
    body = bodies.document(message.payload)
    named = body.get("FriendlyDeviceSerial") if isinstance(body, dict) else None
    source = bodies.name(named, "FriendlyDeviceSerial") if named is not None else device
    if not source:
        raise Undecodable("irisys: the payload names no device; name it on its route")
    told: dict[str, Any] = {"source": source, "seen": message.seen}
    if isinstance(body, list):
        return list(_changes(body, told)) or [DeviceStatus(at=message.seen, health="online", **told)]
    told["simulated"] = bodies.table(body, "body").get("simulated") is True
    return list(_registers(bodies.table(body, "body"), told))


def _registers(body: Body, told: dict[str, Any]) -> Iterator[Fact]:
    if "CountLogs" in body:
        for item in bodies.rows(body["CountLogs"], "CountLogs"):
            log = bodies.table(item, "count log")
            if "Counts" in log:  # without them it tells of a clock that was set
                at = bodies.instant(log.get("Timestamp"), "Timestamp")
                entry = bodies.people(log.get("LogEntryId"), "LogEntryId")
                yield from _lines(bodies.rows(log["Counts"], "Counts"), told | {"at": at, "seq": entry})
    elif "counts" in body:
        yield from _lines(bodies.rows(body["counts"], "counts"), told | {"at": told["seen"]})
    elif (health := _STATUS.get(str(body.get("status")))) is not None:
        yield DeviceStatus(at=told["seen"], health=health, **told)
    else:
        raise Undecodable("irisys: no counts, no CountLogs, no status")


def _changes(body: list[object], told: dict[str, Any]) -> Iterator[Count]:
    places: dict[tuple[str, float], int] = {}
    for item in body:
        change = bodies.table(item, "change")
        register = bodies.name(change.get("register"), "register")
        at = bodies.instant(change.get("t"), "t")
        people = bodies.people(change.get("value"), "value")
        place = places[register, at] = places.get((register, at), -1) + 1
        line, back = _direction(register)
        seq = 2 * place + back  # both registers of a line may change in one second
        yield _count("event", line, [0 if back else people, people if back else 0], told | {"at": at, "seq": seq})


def _lines(listed: list[object], told: dict[str, Any]) -> Iterator[Count]:
    """Registers of one moment, the two directions of a line together."""
    lines: dict[str, list[int | None]] = {}
    for item in listed:
        row = bodies.table(item, "count")
        if row.get("RegisterType") == "Zone":
            continue
        register = bodies.name(row.get("Name", row.get("name")), "Name")
        line, back = _direction(register)
        if "direction=OUT" in bodies.rows(row.get("Tags", []), "Tags"):
            back = True
        ways = lines.setdefault(line, [None, None])
        if ways[back] is not None:
            raise Undecodable("irisys: two registers of one name: give each a name of its own in the device")
        ways[back] = bodies.people(row.get("Value", row.get("count")), "Value")
    for line, ways in lines.items():
        yield _count("cumulative", line, [way or 0 for way in ways], told)


def _count(kind: CountKind, line: str, ways: list[int], told: dict[str, Any]) -> Count:
    return Count(counter=told["source"], kind=kind, line=line, forward=ways[0], backward=ways[1], **told)


def _direction(register: str) -> tuple[str, bool]:
    """The line of a register, and whether it counts backward."""
    found = _WAY.search(register) or _WAY_APART.search(register)
    if found is None:
        return register, False
    return register[: found.start()] or "1", found[1].lower() in _BACK


def encode(facts: Sequence[Fact], *, venue: str, device: str) -> list[Outgoing]:
    """See the port. Read only: the simulator need not speak it yet, so any fact raises ValueError."""
    if facts:
        raise ValueError(f"irisys is read only: {device} of {venue} cannot be simulated in it")
    return []
