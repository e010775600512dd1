"""For every dialect: no bytes and no topic raise anything but Undecodable, and what is encoded is decoded again."""

import contextlib
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from flowmon.errors import Undecodable
from flowmon.facts import (
    Booked,
    Count,
    DesksOpen,
    DeviceStatus,
    Fact,
    Interaction,
    Presence,
    QueueReading,
    Served,
    Sighting,
    ZoneCount,
)
from flowmon.venue.model import Route
from flowmon.wire import encode
from sensors import scrub
from sensors.dialects import DIALECTS
from sensors.dialects.port import Message, Outgoing
from sensors.routes import Routes
from tests.small import venue

SEEN = 1_777_730_461.0
ROUTES = Routes([venue(routes=[Route(topic="xovis/#", dialect="xovis"), Route(topic="door/+/#", dialect="native")])])

names = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=100)
levels = st.text(st.characters(exclude_characters="/+#", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=100)
slugs = st.from_regex(r"[a-z0-9]{1,8}(-[a-z0-9]{1,8}){0,2}", fullmatch=True)
milliseconds = st.integers(200_000_000_000, 4_000_000_000_000)
people = st.integers(0, 2**53)


def _json(body: object) -> bytes:
    return json.dumps(body).encode()  # unlike msgspec it writes NaN and lone surrogates too


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
words = st.sampled_from(
    ["at", "kind", "forward", "window", "event", "start", "end", "zone", "people", "rssi", "logics_data", "logics",
     "id", "records", "counts", "name", "value", "from", "to", "fw", "bw", "balance", "sensor_info", "serial_number",
     "info", "XLT_QUEUE_STATISTICS", "queue-length", "queueing-time", "samples", "samples_expected", "seq", "health"]
)  # fmt: skip
bodies = st.recursive(
    scalars | words,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=6),
    max_leaves=30,
)
payloads = st.binary(max_size=200) | bodies.map(_json)
topics = st.one_of(
    st.text(max_size=60),
    st.builds(
        "flowmon/v1/small/{}/{}".format, levels, st.sampled_from(["count", "zone", "queue", "status", "sighting"])
    ),
    st.builds("espresense/devices/{}/{}".format, st.sampled_from(["iBeacon:1-2-3", "aabbccddeeff"]), levels),
    st.builds("espresense/rooms/{}/{}".format, levels, st.sampled_from(["status", "telemetry", "x"])),
    st.builds("xovis/{}".format, levels),
)


@given(topics, payloads, st.sampled_from(sorted(DIALECTS)), st.sampled_from(["", "door-1"]))
def test_no_bytes_crash_a_dialect(topic: str, payload: bytes, dialect: str, device: str) -> None:
    try:
        facts = DIALECTS[dialect].decode(Message(topic=topic, payload=payload, seen=SEEN), device)
    except Undecodable:
        return
    assert len(encode(facts)) <= 2_000 * len(facts) + 2  # so 500 of them fit into a record


@given(topics)
def test_no_topic_crashes_the_routes(topic: str) -> None:
    with contextlib.suppress(Undecodable):
        assert ROUTES.origin(topic).venue == "small"


@given(st.binary(max_size=9_000))
def test_no_bytes_crash_the_scrubber(payload: bytes) -> None:
    assert len(scrub.raw(payload)) <= 4 * (scrub.RAW_MAX + 2) // 3 + 3


def decoded(dialect: str, outgoing: list[Outgoing], seen: float) -> list[Fact]:
    return [
        fact
        for topic, payload, retain in outgoing
        for fact in DIALECTS[dialect].decode(Message(topic=topic, payload=payload, seen=seen, retained=retain), "")
    ]


@st.composite
def native_facts(draw: st.DrawFn) -> tuple[str, Fact]:
    device = draw(levels)
    base: dict[str, Any] = {
        "at": draw(milliseconds) / 1000,
        "source": device,
        "seen": SEEN,
        "seq": draw(st.integers(-1, 2**53)),
        "simulated": draw(st.booleans()),
        "historical": draw(st.booleans()),
    }
    start = draw(milliseconds) / 1000
    slot: dict[str, Any] = {"start": start, "end": start + draw(st.integers(1, 86_400))}
    optional = st.none() | people
    share = st.floats(0, 1)
    fact: Any = draw(
        st.sampled_from(
            [
                Count(counter=draw(names), kind="event", forward=draw(people), backward=draw(people), **base),
                Count(counter=device, kind="window", complete=draw(share), line=draw(names), **slot, **base),
                Count(counter=device, kind="cumulative", forward=draw(people), **base),
                ZoneCount(zone=draw(names), people=draw(people), **base),
                QueueReading(queue=draw(names), length=draw(optional), wait_s=draw(st.none() | share), **base),
                Sighting(beacon=draw(names), receiver=device, rssi_dbm=draw(st.floats(-200, 50)), **base),
                Presence(beacon=draw(names), zone=draw(names), probability=draw(share), expires=start, **base),
                Served(queue=draw(names), desk=draw(names), people=draw(people), **base),
                DesksOpen(queue=draw(names), desks=draw(people), **base),
                DeviceStatus(health="fault", reason=draw(names), battery=draw(share), **base),
                Booked(people=draw(people), **slot, **base),
                Interaction(zone=draw(names), item=draw(names), **base),
            ]
        )
    )
    return device, fact


@given(native_facts())
def test_native_says_what_it_was_told(told: tuple[str, Fact]) -> None:
    device, fact = told
    outgoing = DIALECTS["native"].encode([fact], venue="small", device=device)
    assert decoded("native", outgoing, SEEN) == [fact]


@given(
    names, st.booleans(), st.lists(st.tuples(milliseconds, st.integers(1, 3_600), people, people), max_size=3),
    st.integers(0, 2**31), st.integers(0, 60), slugs,
)  # fmt: skip
def test_xovis_says_what_it_was_told(
    device: str, simulated: bool, windows: list[tuple[int, int, int, int]], line: int, seen_of_60: int, place: str
) -> None:
    facts: list[Fact] = []
    for begin, length, forward, backward in windows:
        start, end = begin / 1000, begin / 1000 + length
        base: dict[str, Any] = {"at": end, "source": device, "seen": SEEN, "simulated": simulated}
        facts += [
            Count(
                counter=device, kind="window", line=str(line), forward=forward, backward=backward,
                start=start, end=end, complete=seen_of_60 / 60, **base,
            ),
            ZoneCount(zone=place, people=forward, **base),
            QueueReading(queue=place, length=backward, wait_s=float(length), start=start, end=end, **base),
        ]  # fmt: skip
    told = decoded("xovis", DIALECTS["xovis"].encode(facts, venue="small", device=device), SEEN)
    # times go as whole milliseconds
    assert [_rounded(fact) for fact in told] == [_rounded(fact) for fact in facts]


def _rounded(fact: Fact) -> Fact:
    times = [name for name in ("at", "start", "end") if name in fact.__struct_fields__]
    return structs.replace(fact, **{name: round(getattr(fact, name), 3) for name in times})


@given(levels, st.floats(-200, 50), st.booleans())
def test_espresense_says_what_it_was_told(device: str, rssi: float, simulated: bool) -> None:
    base: dict[str, Any] = {"at": SEEN, "seen": SEEN, "source": device, "simulated": simulated}
    facts: list[Fact] = [
        Sighting(beacon="iBeacon:426c-1-7", receiver=device, rssi_dbm=rssi, **base),
        DeviceStatus(health="online", firmware="4.0.6", **base),
    ]
    if not simulated:
        facts.append(DeviceStatus(health="offline", **base))
    outgoing = DIALECTS["espresense"].encode(facts, venue="small", device=device)
    assert decoded("espresense", outgoing, SEEN) == facts
