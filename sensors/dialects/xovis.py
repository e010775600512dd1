"""Xovis 3D people counters, firmware 5: LOGICS and STATUS agents, by MQTT or HTTP push.

Source: the vendor's OpenAPI `people-counter-v5-api.yaml` (eliona-smart-building-assistant/xovis-app, MIT) and
the payloads of akenza-io/device-type-library types/xovis/PC2SV5 (MIT).

Count kinds: `window` from line logics. States: `balance` of a zone logic -> ZoneCount, XLT_QUEUE_STATISTICS ->
QueueReading. A line is its logic id. A zone or queue is its logic's name spelt as an id ("Foyer" -> `foyer`): name
the logic in the sensor after the zone or queue of the venue file.

Pitfalls:
* `fw-male`, `fw-age`, `fw-mask` … are parts of `fw`, never to be added to it: only exact names count.
  Count names can be changed in the sensor; the aliases known here are below.
* `sensor_info` is absent when the agent's meta data is NONE: the route must name the device then.
* `from`/`to` are RFC 3339, ms or s, by agent option. A re-push (TIME_RANGE, retry) can be weeks old; its
  identity is the window, so a repeat is a no-op downstream.
* `samples` / `samples_expected` is how much of the window was seen.
* Logics of groups, bicycles, prams and carts name their counts `fw` and `bw` too: they are no people and left out.
  A wheelchair is a person.
* Raw streams hold JSON documents one after the other; `connection_test` means nothing; DUMMY_DATA triggered by hand
  is not marked by the sensor and cannot be told from counts: do not press that button on a live agent.
* `balance` can be negative: that is no number of people but a fault of the sensor, and is told as one.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from flowmon.errors import Undecodable
from flowmon.facts import Count, DeviceStatus, Fact, QueueReading, ZoneCount
from sensors.dialects import bodies, speech, xovis_status
from sensors.dialects.port import Family, Message, Outgoing

FAMILY = Family(
    name="Xovis PC2 and PC3, firmware 5: logics",
    transports=("MQTT", "HTTP"),
    kinds=("window", "zone_count", "queue_reading", "device_status"),
    privacy="gender, age and mask counts are dropped",
    tested="5.0",
    source="eliona xovis-app people-counter-v5-api.yaml, akenza types/xovis/PC2SV5",
)

#: What the two directions are called, the likelier name first: only one of them is read.
FORWARD = ("fw", "forward", "in")
BACKWARD = ("bw", "backward", "reverse", "out")
_UNIT = "unit of queueing-time"
_UNITS = {
    **dict.fromkeys(("s", "sec", "second", "seconds"), 1.0),
    **dict.fromkeys(("ms", "millisecond", "milliseconds"), 0.001),
    **dict.fromkeys(("min", "minute", "minutes"), 60.0),
}
_QUEUE = "XLT_QUEUE_STATISTICS"
_OTHERS = ("live_data", "wifi_bt_data", "recording_data")
_NO_PEOPLE = ("XLT_GROUP_", "XLT_BICYCLE_", "XLT_PRAM_", "XLT_SHOPPING_CART_", "XLT_WRONG_WAY_")

Counts = dict[str, object]


def decode(message: Message, device: str) -> list[Fact]:
    """See the port."""
    return [
        fact
        for envelope in envelopes(message.payload, "logics_data")
        for fact in _envelope(envelope, device, message.seen)
    ]


def envelopes(payload: bytes, section: str) -> Iterator[Counts]:
    """The envelopes of a payload: one, an array, or several in a row; never none. Raises Undecodable.

    A cloud's wrapping, `{"state":…,"data":{…}}`, is taken off where it holds the section that is wanted.
    """
    for body in bodies.documents(payload):
        found = body if isinstance(body, list) else [body]
        if not found:
            raise Undecodable("xovis: an empty array")
        for item in found:
            envelope = bodies.table(item, "envelope")
            inner = envelope.get("data")
            yield inner if isinstance(inner, dict) and section in inner else envelope


def _envelope(envelope: Counts, device: str, seen: float) -> list[Fact]:
    if "connection_test" in envelope:
        return []
    simulated = envelope.get("simulated") is True
    if "status_data" in envelope:
        status = bodies.table(envelope["status_data"], "status_data")
        return [xovis_status.read(status, device, seen, simulated=simulated)]
    if "logics_data" not in envelope:
        other = next((name for name in _OTHERS if name in envelope), "no logics_data")
        raise Undecodable(
            f"xovis: {other}; set the agent's type to LOGICS, or route it to xovis-live (LIVE_DATA) or xovis-legacy"
        )
    data = bodies.table(envelope["logics_data"], "logics_data")
    info = bodies.table(data.get("sensor_info") or {}, "sensor_info")
    source = bodies.name(info["serial_number"], "serial_number") if "serial_number" in info else device
    if not source:
        raise Undecodable("xovis: no sensor_info; name the device on its route, or switch meta data on in the agent")
    facts: list[Fact] = []
    unread: list[str] = []
    for item in bodies.rows(data.get("logics", []), "logics"):
        logic = bodies.table(item, "logic")
        if str(logic.get("info")).startswith(_NO_PEOPLE):
            continue
        found = list(_logic(logic, source, seen, simulated))
        if not found and any(_is_unread(record) for record in bodies.rows(logic.get("records", []), "records")):
            unread.append(str(logic.get("info", logic.get("name")))[:40])
        facts += found
    if unread and not facts:
        raise Undecodable(f"xovis: no line, zone or queue counts in {', '.join(unread[:5])}")
    return facts


def _logic(logic: Counts, source: str, seen: float, simulated: bool) -> Iterator[Fact]:
    line = bodies.name(logic.get("id"), "logic id")
    title = logic.get("name")
    place = (bodies.slug(title) if isinstance(title, str) else "") or line
    for item in bodies.rows(logic.get("records", []), "records"):
        record = bodies.table(item, "record")
        start, end = bodies.instant(record.get("from"), "from"), bodies.instant(record.get("to"), "to")
        if start > end:
            raise Undecodable("xovis: a record needs from before to")
        teller = {"at": end, "source": source, "seen": seen, "simulated": simulated}
        counts = dict(_named(record))
        if logic.get("info") == _QUEUE:
            yield _queue(counts, teller | {"queue": place, "start": start, "end": end})
        elif any(name in counts for name in FORWARD + BACKWARD):
            count = _line(counts, _complete(record), teller | {"line": line, "start": start, "end": end})
            if bodies.lasts(start, end, count.forward + count.backward, "xovis: a record"):
                yield count
        elif "balance" in counts:
            yield balance(counts["balance"], place, teller)


def _is_unread(record: object) -> bool:
    """Whether a record that yielded nothing has counts that nobody here knows, and is not just no time."""
    told = bodies.table(record, "record")
    return told.get("from") != told.get("to")


def _queue(counts: Counts, told: dict[str, Any]) -> QueueReading:
    wait = counts.get("queueing-time")
    unit = _UNITS.get(str(counts.get(_UNIT, "s")).lower())
    if unit is None:
        raise Undecodable(f"xovis: unknown unit of queueing-time: {counts[_UNIT]!r:.40}")
    return QueueReading(
        length=_people(counts, "queue-length"),
        outflow=_people(counts, "outflow"),
        wait_s=None if wait is None else float(bodies.number(wait, "queueing-time")) * unit,
        **told,
    )


def _line(counts: Counts, complete: float, told: dict[str, Any]) -> Count:
    forward, backward = (_first(counts, names) for names in (FORWARD, BACKWARD))
    return Count(counter=told["source"], kind="window", forward=forward, backward=backward, complete=complete, **told)


def _first(counts: Counts, names: tuple[str, ...]) -> int:
    name = next((name for name in names if name in counts), "")
    return bodies.people(counts[name], name) if name else 0


def _named(record: Counts) -> Iterator[tuple[str, object]]:
    for item in bodies.rows(record.get("counts", []), "counts"):
        count = bodies.table(item, "count")
        if count.get("value") is not None:  # null: nobody left the queue, so there is no mean
            name = bodies.name(count.get("name"), "count name").lower()
            yield name, count["value"]
            if name == "queueing-time" and count.get("unit") is not None:
                yield _UNIT, count["unit"]


def _people(counts: Counts, name: str) -> int | None:
    return bodies.people(counts[name], name) if name in counts else None


def _complete(record: Counts) -> float:
    if "samples" not in record or "samples_expected" not in record:
        return 1.0
    expected = bodies.people(record["samples_expected"], "samples_expected")
    return min(1.0, bodies.people(record["samples"], "samples") / expected) if expected else 0.0


def balance(value: object, zone: str, told: dict[str, Any]) -> ZoneCount | DeviceStatus:
    """People in a zone, or the fault of a sensor that says there are fewer than none. Raises Undecodable."""
    if (people := bodies.number(value, "balance")) < 0:
        reason = f"balance of {zone} is {people:g}: reset the zone counter in the sensor"
        return DeviceStatus(health="fault", reason=reason, **told)
    return ZoneCount(zone=zone, people=bodies.people(value, "balance"), **told)


def encode(facts: Sequence[Fact], *, venue: str, device: str) -> list[Outgoing]:
    """See the port: one envelope of counts on `xovis/<device>/logics`, one logic a fact; states cover the last 60 s.

    What a sensor says of itself goes to `xovis/<device>/status`.
    """
    mark: dict[str, object] = {"simulated": True} if speech.simulated(facts, device=device, venue=venue) else {}
    statuses = [fact for fact in facts if isinstance(fact, DeviceStatus)]
    logics = [_to_logic(fact) for fact in facts if not isinstance(fact, DeviceStatus)]
    data = {
        "package_info": {"version": "5.0", "id": 1, "agent_id": 1001},
        "sensor_info": {"serial_number": device, "type": "SINGLE_SENSOR"},
        "logics": logics,
    }
    told: list[Outgoing] = []
    if logics:
        told.append((f"xovis/{device}/logics", msgspec.json.encode({"logics_data": data} | mark), False))
    for status in statuses:
        body = {"status_data": xovis_status.written(status)} | mark
        told.append((f"xovis/{device}/status", msgspec.json.encode(body), False))
    return told


def _to_logic(fact: Fact) -> dict[str, object]:
    match fact:
        case Count(kind="window", historical=False):
            record = _to_record(fact.start, fact.end, {"fw": fact.forward, "bw": fact.backward})
            record["samples"], record["samples_expected"] = round(fact.complete * 60), 60
            return _named_logic(fact.line, f"Line {fact.line}", "XLT_LINE_IN_OUT_COUNT", record)
        case ZoneCount():
            record = _to_record(fact.at - 60, fact.at, {"balance": fact.people})
            return _named_logic(fact.zone, fact.zone, "XLT_ZONE_OCCUPANCY_COUNT", record)
        case QueueReading():
            measured = {"queue-length": fact.length, "outflow": fact.outflow, "queueing-time": fact.wait_s}
            known = {name: value for name, value in measured.items() if value is not None}
            record = _to_record(fact.start or fact.at - 60, fact.end or fact.at, known)
            return _named_logic(fact.queue, fact.queue, _QUEUE, record)
        case _:
            raise speech.untold("xovis", fact)


def _named_logic(line: str, title: str, info: str, record: dict[str, object]) -> dict[str, object]:
    return {"id": speech.number_or_name(line), "name": title, "info": info, "records": [record]}


def _to_record(start: float, end: float, counts: dict[str, int] | dict[str, int | float]) -> dict[str, object]:
    return {
        "from": round(start * 1000),
        "to": round(end * 1000),
        "counts": [{"id": n, "name": name, "value": value} for n, (name, value) in enumerate(counts.items(), 1)],
    }
