"""Irisys Vector 4D counters: changes and live registers over MQTT, count logs over HTTP push.

Source: IrisysUK/vectorhttppost, IrisysUK/mqtt-xy-demo with the «Irisys MQTT Specification v3» (MIT), and
uva-linklab/irisys-mqtt-influxdb.

Count kinds: the `counts` array -> `event` (changes); `live_counts` and `CountLogs` -> `cumulative`. A count log that
tells `LogPeriodValue` and `StartTimestamp` yields its `window` too.
A line is the register's name. "MainEntranceIn" and "MainEntranceOut" are the two directions of line `MainEntrance`,
"Enter" and "Exit" those of line "1"; a tag `direction=OUT` makes a register a backward one. Any other is forward.

Pitfalls:
* Two kinds under one topic prefix: the payload's shape tells them apart.
* `[]` comes each period when nobody passes: a heartbeat. Status `disconnected` is the last will.
* After an outage a backlog comes in slices. A change's identity is its register, second, and place among those of
  that register and second. `LogEntryId` numbers a count log.
* Offsets are `+0000`. The published specification shows a 91st of February: a date that no calendar has. Such
  changes happened when the gateway got them, and the device is told to have a fault.
* Zone and dwell registers stand among the lines; those that say `RegisterType` Zone are left out.
* A log with `ClockChangedFrom` has no counts; histograms are of heights and waits: neither is read.
* The targets topic is binary positions at 15 a second: recognised by its length, not kept, not stored.
"""

import re
import struct
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from flowmon.errors import Undecodable
from flowmon.facts import Count, CountKind, DeviceHealth, DeviceStatus, Fact
from sensors.dialects import bodies, speech
from sensors.dialects.port import Family, Message, Outgoing, Unwanted

FAMILY = Family(
    name="Irisys Vector 4D",
    transports=("MQTT", "HTTP"),
    kinds=("event", "cumulative", "device_status", "window"),
    privacy="positions of people are dropped",
    tested="MQTT specification v3",
    source="IrisysUK/mqtt-xy-demo, IrisysUK/vectorhttppost, uva-linklab/irisys-mqtt-influxdb",
)

_WAY = re.compile(r"(?:^|[\s_-]+|(?<=[a-z0-9]))(In|Out|Enter|Exit|Entry)$")
_WAY_APART = re.compile(r"(?:^|[\s_-]+)(in|out|enter|exit|entry)$", re.IGNORECASE)
_WRITTEN = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:?\d\d)")
_BACK = frozenset({"out", "exit"})
_STATUS: dict[object, DeviceHealth] = {"connected": "online", "disconnected": "offline"}
_BINARY_TYPES = 9  # the first byte of targets is a small number, never that of JSON text
_TARGET_BYTES = 15  # u16 id, u8 status, three f32 in metres
_METRES_MAX = 1_000.0
_MS_MAX = 1e14

Body = dict[str, object]


def decode(message: Message, device: str) -> list[Fact]:
    """See the port."""
    if _is_targets(message.payload):
        raise Unwanted("irisys: positions of people are not kept")
    body = bodies.document(message.payload)
    named = body.get("FriendlyDeviceSerial") if isinstance(body, dict) else None
    source = bodies.name(named, "FriendlyDeviceSerial") if named is not None else device
    if not source:
        raise Undecodable("irisys: the payload names no device; name it on its route")
    told: dict[str, Any] = {"source": bodies.name(source, "device"), "seen": message.seen}
    if isinstance(body, list):
        return _changes(body, told) or [DeviceStatus(at=message.seen, health="online", **told)]
    told["simulated"] = bodies.table(body, "body").get("simulated") is True
    return list(_registers(bodies.table(body, "body"), told))


def _is_targets(payload: bytes) -> bool:
    """Whether a payload is a targets message: u8 type, from type 1 on u64 ms, then whole targets."""
    if not payload or payload[0] >= _BINARY_TYPES:
        return False
    head = 9 if payload[0] else 1
    rest = len(payload) - head
    if rest < 0 or rest % _TARGET_BYTES or (payload[0] and not 0 <= int.from_bytes(payload[1:9], "little") < _MS_MAX):
        return False
    places = (struct.unpack_from("<HBfff", payload, head + n)[2:] for n in range(0, rest, _TARGET_BYTES))
    return all(abs(metres) <= _METRES_MAX for place in places for metres in place)


def _registers(body: Body, told: dict[str, Any]) -> Iterator[Fact]:
    if "CountLogs" in body:
        for item in bodies.rows(body["CountLogs"], "CountLogs"):
            log = bodies.table(item, "count log")
            if "Counts" in log:  # without them it tells of a clock that was set
                yield from _log(log, told)
    elif "counts" in body:
        yield from _lines(bodies.rows(body["counts"], "counts"), told | {"at": told["seen"]})
    elif (health := _STATUS.get(str(body.get("status")))) is not None:
        yield DeviceStatus(at=told["seen"], health=health, **told)
    else:
        raise Undecodable("irisys: no counts, no CountLogs, no status")


def _changes(body: list[object], told: dict[str, Any]) -> list[Fact]:
    places: dict[tuple[str, float], int] = {}
    facts: list[Fact] = []
    lost = False
    for item in body:
        change = bodies.table(item, "change")
        register = bodies.name(change.get("register"), "register")
        impossible = _is_impossible(change.get("t"))
        lost |= impossible
        at = told["seen"] if impossible else bodies.instant(change.get("t"), "t")
        people = bodies.people(change.get("value"), "value")
        place = places[register, at] = places.get((register, at), -1) + 1
        line, back = _direction(register)
        seq = 2 * place + back  # both registers of a line may change in one second
        marked = told | {"at": at, "seq": seq, "simulated": change.get("simulated") is True}
        facts.append(_count("event", line, [0 if back else people, people if back else 0], marked))
    if lost:
        reason = "its clock tells a date that no calendar has: set its NTP server"
        facts.append(DeviceStatus(at=told["seen"], health="fault", reason=reason, **told))
    return facts


def _is_impossible(told: object) -> bool:
    """Whether a time is written right and is no moment of any calendar."""
    if not isinstance(told, str) or not _WRITTEN.fullmatch(told):
        return False
    try:
        bodies.instant(told, "t")
    except Undecodable:
        return True
    return False


def _log(log: Body, told: dict[str, Any]) -> Iterator[Count]:
    """A count log: its registers, and the window since the last one where it tells that."""
    counts = bodies.rows(log["Counts"], "Counts")
    end = bodies.instant(log.get("Timestamp"), "Timestamp")
    entry = bodies.people(log.get("LogEntryId"), "LogEntryId")
    told = told | {"at": end, "seq": entry}
    rows = [bodies.table(item, "count") for item in counts]
    if any("Value" in row for row in rows) or not any("LogPeriodValue" in row for row in rows):
        yield from _lines(counts, told)
    if "StartTimestamp" in log and rows and all("LogPeriodValue" in row for row in rows):
        start = bodies.instant(log["StartTimestamp"], "StartTimestamp")
        for count in _lines(counts, told | {"start": start, "end": end}, "LogPeriodValue", "window"):
            if bodies.lasts(start, end, count.forward + count.backward, "irisys: a count log"):
                yield count


def _lines(
    listed: list[object], told: dict[str, Any], value: str = "Value", kind: CountKind = "cumulative"
) -> Iterator[Count]:
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
        ways[back] = bodies.people(row.get(value, row.get("count")), value)
    for line, ways in lines.items():
        yield _count(kind, line, [way or 0 for way in ways], told)


def _count(kind: CountKind, line: str, ways: list[int], told: dict[str, Any]) -> Count:
    return Count(counter=told["source"], kind=kind, line=line, forward=ways[0], backward=ways[1], **told)


def _direction(register: str) -> tuple[str, bool]:
    """The line of a register, and whether it counts backward."""
    found = _WAY.search(register) or _WAY_APART.search(register)
    if found is None:
        return register, False
    return register[: found.start()] or "1", found[1].lower() in _BACK


def encode(facts: Sequence[Fact], *, venue: str, device: str) -> list[Outgoing]:
    """See the port: changes on `irisys/<device>/counts`, registers and windows as count logs at
    `irisys/<device>/count_data`, its last will on `irisys/<device>/status`, retained.
    """
    marked = speech.simulated(facts, device=device, venue=venue)
    changes = [_to_change(fact, marked) for fact in facts if isinstance(fact, Count) and fact.kind == "event"]
    logs = [_to_log(fact, n) for n, fact in enumerate(facts) if isinstance(fact, Count) and fact.kind != "event"]
    mark: Body = {"simulated": True} if marked else {}
    told: list[Outgoing] = []
    if changes:
        told.append((f"irisys/{device}/counts", msgspec.json.encode(changes), False))
    if logs:
        body = {"CountLogs": logs, "FriendlyDeviceSerial": device} | mark
        told.append((f"irisys/{device}/count_data", msgspec.json.encode(body), False))
    for fact in facts:
        if isinstance(fact, DeviceStatus) and fact.health != "fault" and not fact.reason:
            word = "connected" if fact.health == "online" else "disconnected"
            told.append((f"irisys/{device}/status", msgspec.json.encode({"status": word} | mark), True))
        elif not isinstance(fact, Count):
            raise speech.untold("irisys", fact)
    return told


def _to_registers(fact: Count) -> tuple[str, str]:
    """The names of a line's two registers, read as that line again."""
    names = (f"{fact.line}In", f"{fact.line}Out") if fact.line != "1" else ("Enter", "Exit")
    if fact.historical or (_direction(names[0]), _direction(names[1])) != ((fact.line, False), (fact.line, True)):
        raise speech.untold("irisys", fact)
    return names


def _to_change(fact: Count, marked: bool) -> Body:
    if bool(fact.forward) == bool(fact.backward):
        raise speech.untold("irisys", fact)
    register = _to_registers(fact)[bool(fact.backward)]
    change: Body = {"register": register, "value": fact.forward or fact.backward}
    change["t"] = speech.rfc3339(fact.at).replace("Z", "+0000")
    return change | ({"simulated": True} if marked else {})


def _to_log(fact: Count, number: int) -> Body:
    ways = zip(_to_registers(fact), (fact.forward, fact.backward), strict=True)
    value = "Value" if fact.kind == "cumulative" else "LogPeriodValue"
    counts = [{"Name": name, "RegisterId": n, value: people} for n, (name, people) in enumerate(ways)]
    entry: Body = {"LogEntryId": fact.seq if fact.seq >= 0 else number, "Counts": counts}
    if fact.kind == "window":
        if fact.complete < 1:
            raise speech.untold("irisys", fact)
        entry["StartTimestamp"] = speech.rfc3339(fact.start)
    return entry | {"Timestamp": speech.rfc3339(fact.end if fact.kind == "window" else fact.at)}
