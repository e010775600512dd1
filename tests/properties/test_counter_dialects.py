"""What a simulated counter says in its family's words is read again as the same facts, as far as the words carry them.

What a format cannot carry is drawn so that nothing is lost: whole seconds where it has no fraction, the reader's clock
where it tells no time. And no dialect takes the messages of another for its own.
"""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowmon.errors import Undecodable
from flowmon.facts import Count, DeviceStatus, Fact, QueueReading, ZoneCount
from sensors.dialects import DIALECTS
from sensors.dialects.port import Message

SEEN = 1_777_730_461.0

macs = st.from_regex(r"[0-9A-F]{12}", fullmatch=True)
words = st.from_regex(r"[A-Za-z][A-Za-z0-9 .:_-]{0,20}[A-Za-z0-9]", fullmatch=True)
slugs = st.from_regex(r"[a-z0-9]{1,8}(-[a-z0-9]{1,8}){0,2}", fullmatch=True)
people = st.integers(0, 2**53)
seconds = st.integers(200_000_000, 4_000_000_000)
fine = st.integers(200_000_000_000, 4_000_000_000_000).map(lambda ms: ms / 1000)
numbers = st.integers(0, 2**31 - 1)
lines = numbers.map(str) | words
one_way = st.tuples(st.integers(1, 2**53), st.just(0)) | st.tuples(st.just(0), st.integers(1, 2**53))

#: Draws one fact, given what it says of its source.
Maker = Callable[[st.DrawFn, dict[str, Any]], Fact]


def window(times: st.SearchStrategy[float] = fine, line: st.SearchStrategy[str] = lines, seq: bool = False) -> Maker:
    def make(draw: st.DrawFn, told: dict[str, Any]) -> Fact:
        start = draw(times)
        end = start + draw(st.integers(1, 86_400))
        more: dict[str, Any] = {"seq": draw(numbers)} if seq else {}
        return Count(
            at=end, counter=told["source"], kind="window", line=draw(line), start=start, end=end,
            forward=draw(people), backward=draw(people), **told, **more,
        )  # fmt: skip

    return make


def register(
    times: st.SearchStrategy[float] = fine,
    line: st.SearchStrategy[str] = lines,
    backward: st.SearchStrategy[int] = people,
    seq: bool = False,
) -> Maker:
    def make(draw: st.DrawFn, told: dict[str, Any]) -> Fact:
        more: dict[str, Any] = {"seq": draw(numbers)} if seq else {}
        return Count(
            at=draw(times), counter=told["source"], kind="cumulative", line=draw(line), forward=draw(people),
            backward=draw(backward), **told, **more,
        )  # fmt: skip

    return make


def event(
    line: st.SearchStrategy[str] = lines, parity: bool = False, seq: st.SearchStrategy[int] | None = None
) -> Maker:
    """parity: the sequence number is twice the track, odd for a person who goes backward."""

    def make(draw: st.DrawFn, told: dict[str, Any]) -> Fact:
        forward, backward = draw(st.sampled_from([(1, 0), (0, 1)]))
        more: dict[str, Any] = {"seq": 2 * draw(numbers) + backward} if parity else {}
        if seq is not None:
            more["seq"] = draw(seq)
        return Count(
            at=draw(fine), counter=told["source"], kind="event", line=draw(line), forward=forward, backward=backward,
            **told, **more,
        )  # fmt: skip

    return make


def zone(name: st.SearchStrategy[str] | None = None, times: st.SearchStrategy[float] = fine) -> Maker:
    def make(draw: st.DrawFn, told: dict[str, Any]) -> Fact:
        return ZoneCount(at=draw(times), zone=draw(slugs if name is None else name), people=draw(people), **told)

    return make


def own_zone(suffix: st.SearchStrategy[str], times: st.SearchStrategy[float] = fine) -> Maker:
    """A zone named after the device."""

    def make(draw: st.DrawFn, told: dict[str, Any]) -> Fact:
        named = told["source"].lower() + draw(suffix)
        return ZoneCount(at=draw(times), zone=named, people=draw(people), **told)

    return make


def queue(draw: st.DrawFn, told: dict[str, Any]) -> Fact:
    length, wait = draw(people), draw(st.none() | st.floats(0, 1e6))
    return QueueReading(at=draw(fine), queue=draw(slugs), length=length, wait_s=wait, **told)


def status(*healths: tuple[str, str], times: st.SearchStrategy[float] = fine, firmware: bool = False) -> Maker:
    def make(draw: st.DrawFn, told: dict[str, Any]) -> Fact:
        health, reason = draw(st.sampled_from(healths))
        version = draw(words) if firmware else ""
        return DeviceStatus(at=draw(times), health=health, reason=reason, firmware=version, **told)  # type: ignore[arg-type]

    return make


now = st.just(SEEN)
ON, OFF = ("online", ""), ("offline", "")
SCENARIOS = st.builds("Device{}Scenario{}".format, st.integers(1, 9), st.integers(1, 99))
AREAS = st.builds("-device{}scenario{}".format, st.integers(1, 9), st.integers(1, 99))
XOVIS = status(ON, ("fault", "too dark to count: add light or check the lens"), firmware=True)
DEFAULT = st.just("1")

SPOKEN: dict[str, list[Maker]] = {
    "axis": [
        register(line=SCENARIOS, backward=st.just(0)), register(line=DEFAULT), window(line=DEFAULT), own_zone(AREAS),
    ],
    "hikvision": [
        register(), window(), status(ON, ("fault", "the lens is covered: uncover it")),
    ],
    "milesight": [window(), register(), event(), zone(), status(ON, firmware=True)],
    "milesight-registers": [register(line=lines.map(lambda line: f"{line}-trigger")), window(), register(), zone()],
    "irisys": [window(line=DEFAULT, seq=True), register(line=DEFAULT, seq=True), status(ON, OFF, times=now)],
    "xovis": [window(line=numbers.map(str)), zone(), XOVIS],
    "xovis-live": [event(parity=True), zone(), queue, XOVIS],
    "xovis-legacy": [window(), event(parity=True)],
    "brickstream": [window(times=seconds.map(float))],
    "fiware": [window(), queue],
    "terabee": [register(times=seconds.map(float), line=DEFAULT)],
    "frigate-events": [event(line=slugs, seq=st.integers(0, 36**6))],
    "dataq": [own_zone(st.just("")), status(ON, OFF, times=now)],
    "steinel": [own_zone(st.just("-1"), times=now)],
}  # fmt: skip
#: Those who share messages: the status of a sensor, or all but what triggers mean.
KIN = ({"xovis", "xovis-live"}, {"milesight", "milesight-registers"})


@st.composite
def spoken(draw: st.DrawFn) -> tuple[str, str, Fact]:
    dialect = draw(st.sampled_from(sorted(SPOKEN)))
    device = draw(macs)
    told = {"source": device, "seen": SEEN, "simulated": draw(st.booleans())}
    return dialect, device, draw(st.sampled_from(SPOKEN[dialect]))(draw, told)


def decoded(dialect: str, facts: list[Fact], device: str) -> list[Fact]:
    return [
        fact
        for topic, payload, retain in DIALECTS[dialect].encode(facts, venue="small", device=device)
        for fact in DIALECTS[dialect].decode(Message(topic=topic, payload=payload, seen=SEEN, retained=retain), device)
    ]


@given(spoken())
def test_a_simulated_counter_is_read_as_it_was_told(told: tuple[str, str, Fact]) -> None:
    dialect, device, fact = told
    assert _close(decoded(dialect, [fact], device), [fact])


def _close(read: list[Fact], told: list[Fact]) -> bool:
    """Equal, with times to the millisecond: floats hold no more of a date."""
    return [_rounded(fact) for fact in read] == [_rounded(fact) for fact in told]


def _rounded(fact: Fact) -> dict[str, Any]:
    fields = {name: getattr(fact, name) for name in fact.__struct_fields__}
    return {name: round(value, 3) if isinstance(value, float) else value for name, value in fields.items()}


@given(st.lists(st.integers(0, 100), min_size=1, max_size=10), macs, st.booleans())
def test_a_detector_tells_all_its_zones_at_once(zones: list[int], device: str, simulated: bool) -> None:
    base: dict[str, Any] = {"at": SEEN, "seen": SEEN, "source": device, "simulated": simulated}
    facts: list[Fact] = [
        ZoneCount(zone=f"{device.lower()}-{n}", people=count, **base) for n, count in enumerate(zones, 1)
    ]
    assert decoded("steinel", facts, device) == facts


@given(slugs, people)
def test_frigate_tells_a_zone_and_its_will(place: str, count: int) -> None:
    base: dict[str, Any] = {"at": SEEN, "seen": SEEN, "source": "frigate"}
    facts: list[Fact] = [ZoneCount(zone=place, people=count, **base), DeviceStatus(health="offline", **base)]
    assert decoded("frigate", facts, "frigate") == facts


@given(st.lists(st.tuples(one_way, st.integers(200_000_000, 200_000_003)), max_size=6), st.booleans())
def test_changes_of_one_second_keep_their_places(changes: list[tuple[tuple[int, int], int]], simulated: bool) -> None:
    base: dict[str, Any] = {"seen": SEEN, "source": "v4d", "counter": "v4d", "simulated": simulated}
    facts: list[Fact] = []
    places: dict[tuple[bool, int], int] = {}
    for (forward, backward), at in changes:
        place = places[backward > 0, at] = places.get((backward > 0, at), -1) + 1
        seq = 2 * place + (backward > 0)
        facts.append(
            Count(kind="event", line="Main", at=float(at), forward=forward, backward=backward, seq=seq, **base)
        )
    assert decoded("irisys", facts, "v4d") == facts


@given(spoken())
def test_no_counter_is_taken_for_another(told: tuple[str, str, Fact]) -> None:
    dialect, device, fact = told
    kin = next((names for names in KIN if dialect in names), {dialect})
    by_topic = {"native", "frigate", "steinel", "dataq", "espresense"}  # these look at the topic, not at the payload
    for topic, payload, _ in DIALECTS[dialect].encode([fact], venue="small", device=device):
        message = Message(topic=topic, payload=payload, seen=SEEN)
        for other in SPOKEN.keys() - kin - by_topic:
            with pytest.raises(Undecodable):
                DIALECTS[other].decode(message, device)
