"""What must hold of the core for any facts in any order."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from flowmon import wire
from flowmon.facts import (
    Count,
    DesksOpen,
    DeviceStatus,
    Fact,
    Presence,
    QueueReading,
    Recounted,
    Served,
    Tick,
    ZoneCount,
)
from flowmon.findings import Finding, ZoneState
from flowmon.monitor.core import Monitor
from flowmon.venue.model import Rule
from tests import small

settings.register_profile("core", max_examples=40, deadline=None)
settings.load_profile("core")

COUNTERS = ("ctr-gate", "ctr-door", "ctr-stairs")
SECONDS = st.floats(0.0, 40.0).map(lambda s: round(s, 2))


def crossings(min_size: int = 0, max_size: int = 60) -> st.SearchStrategy[list[Count]]:
    """Distinct crossings within forty seconds."""
    one = st.tuples(st.sampled_from(COUNTERS), SECONDS, st.integers(0, 3), st.integers(0, 3))
    return st.lists(one, min_size=min_size, max_size=max_size).map(
        lambda rows: [small.cross(c, at, seq, f, b) for seq, (c, at, f, b) in enumerate(rows)]
    )


def timeline(counts: list[Count]) -> list[Fact]:
    """Crossings in their order of time between ticks."""
    facts: list[Fact] = [*small.ticks(0, 50), *counts]
    return sorted(facts, key=lambda fact: (fact.at, isinstance(fact, Tick)))


def closed(findings: list[Finding]) -> list[bytes]:
    """The closed findings, encoded; provisional states may differ with the order of arrival."""
    return [wire.encode(f) for f in findings if not getattr(f, "provisional", False)]


any_fact = st.one_of(
    st.builds(
        Count,
        at=st.floats() | SECONDS.map(lambda s: small.T0 + s),
        source=st.sampled_from([*COUNTERS, "ghost"]),
        seen=st.floats() | st.just(0.0),
        seq=st.integers(-1, 5),
        counter=st.sampled_from([*COUNTERS, "ghost"]),
        kind=st.sampled_from(["event", "window", "cumulative"]),
        forward=st.integers(-5, 2**40),
        backward=st.integers(-5, 2**40),
        historical=st.booleans(),
    ),
    st.builds(Tick, at=st.floats(), source=st.just("ticker")),
    st.builds(ZoneCount, at=st.floats(), source=st.text(), zone=st.sampled_from(["hall", "x"]), people=st.integers()),
    st.builds(
        Recounted,
        at=st.floats(),
        source=st.text(),
        zone=st.sampled_from(["room", "x"]),
        people=st.integers(),
        by=st.text(),
    ),
    st.builds(
        Presence,
        at=st.floats(),
        source=st.text(),
        beacon=st.text(),
        zone=st.sampled_from(["room", "x"]),
        probability=st.floats(),
        expires=st.floats(),
    ),
    st.builds(Served, at=st.floats(), source=st.text(), queue=st.sampled_from(["tickets", "x"]), people=st.integers()),
    st.builds(DeviceStatus, at=st.floats(), source=st.text(), health=st.sampled_from(["online", "offline", "fault"])),
)


@given(crossings())
def test_people_are_conserved_and_never_negative(counts: list[Count]) -> None:
    monitor = Monitor(small.venue())
    small.run(monitor, timeline(counts))
    shown = {zone: state.occupancy or 0.0 for zone, state in small.zones(monitor).items()}
    assert all(people >= 0 for people in shown.values())
    assert abs(sum(shown.values()) - (small.total(monitor).occupancy or 0.0)) < 0.05


@given(crossings(), st.randoms(use_true_random=False))
def test_duplicates_are_no_ops(counts: list[Count], rng: random.Random) -> None:
    once = timeline(counts)
    twice = list(once)
    for fact in rng.sample(once, len(once) // 2):
        twice.insert(rng.randint(twice.index(fact) + 1, len(twice)), fact)
    one, two = Monitor(small.venue()), Monitor(small.venue())
    # A duplicate may still be proof of life of its device, so devices speak anyway: compare numbers and episodes.
    first = [f for f in small.run(one, once) if not isinstance(f, ZoneState) or not f.provisional]
    second = [f for f in small.run(two, twice) if not isinstance(f, ZoneState) or not f.provisional]
    assert closed(first) == closed(second)


@given(crossings(), st.lists(st.floats(0.0, 1.0), min_size=60, max_size=60))
def test_any_order_within_the_lateness_gives_the_same_closed_findings(counts: list[Count], delays: list[float]) -> None:
    late = [(fact.at + delay, fact) for fact, delay in zip(counts, delays, strict=False)]
    on_time, shuffled = Monitor(small.venue()), Monitor(small.venue())
    expected = small.run(on_time, timeline(counts))
    arrivals = sorted([*late, *((t.at, t) for t in small.ticks(0, 50))], key=lambda pair: pair[0])
    got = small.run(shuffled, [fact for _, fact in arrivals])
    keep = ("zone_state", "venue_state", "queue_state", "episode", "flow", "correction")
    one, other = ([f for f in fs if f.__struct_config__.tag in keep] for fs in (got, expected))
    assert closed(one) == closed(other)


def around(at: float) -> st.SearchStrategy[Fact]:
    """Any usable fact at `at` seconds, with a device clock that may lie."""
    when = small.T0 + at
    device = st.sampled_from([*COUNTERS, "ble-hall", "ble-room"])
    zone, people = st.sampled_from(["hall", "room", "tower"]), st.integers(0, 30)
    clock = st.sampled_from([when, when, when, when - 1.5, 0.0, when + 9.0])
    beacon = st.sampled_from(["b1", "b2", "b3"])
    status = st.sampled_from(["online", "offline", "fault"])
    number, small_number = st.integers(0, 10**6), st.integers(0, 4)
    return st.one_of(
        st.builds(
            Count,
            at=clock,
            seen=st.just(when),
            source=st.sampled_from(COUNTERS),
            counter=st.sampled_from(COUNTERS),
            kind=st.sampled_from(["event", "event", "window"]),
            seq=number,
            forward=small_number,
            backward=small_number,
            start=st.just(when - 10),
            end=st.just(when),
        ),
        st.builds(DeviceStatus, at=st.just(when), source=device, health=status, historical=st.booleans()),
        st.builds(ZoneCount, at=st.just(when), source=st.just("cam"), zone=zone, people=people),
        st.builds(
            Recounted,
            at=st.just(when),
            source=st.just("u"),
            zone=zone,
            people=people,
            by=st.just("u"),
            command=st.text(),
        ),
        st.builds(
            Presence,
            at=st.just(when),
            source=beacon,
            beacon=beacon,
            zone=zone,
            probability=st.just(1.0),
            expires=st.just(when + 20),
        ),
        st.builds(
            Served, at=st.just(when), source=st.just("desk"), seq=number, queue=st.just("tickets"), people=small_number
        ),
        st.builds(
            DesksOpen,
            at=st.just(when),
            source=st.just("desk"),
            seq=number,
            queue=st.just("tickets"),
            desks=small_number,
        ),
        st.builds(
            QueueReading, at=st.just(when), source=st.just("cam"), queue=st.just("tickets"), length=st.none() | people
        ),
    )


@st.composite
def busy_days(draw: st.DrawFn) -> list[Fact]:
    """Up to two minutes of everything, a tick a second, with holes in which the ticker was away."""
    facts: list[Fact] = []
    for second in range(draw(st.integers(20, 120))):
        facts += draw(st.lists(around(second + 0.5), max_size=2)) if second % 7 == 0 else []
        if not 40 <= second <= 55:
            facts.append(small.tick(float(second)))
    return facts


RULES = {
    "full": Rule(watches="zone", severity="critical", above=0.5, clear=0.4, hold_s=3.0, clear_hold_s=3.0),
    "venue": Rule(watches="venue", severity="high", above=0.2, clear=0.1, hold_s=0.0, clear_hold_s=0.0),
    "long": Rule(watches="queue", severity="high", above=1.0, clear=0.5, hold_s=5.0, clear_hold_s=5.0),
    "silent": Rule(watches="device", severity="medium", hold_s=0.0, clear_hold_s=0.0),
}


@given(busy_days(), st.data())
def test_restart_in_the_middle_of_everything_changes_nothing(facts: list[Fact], data: st.DataObject) -> None:
    split = data.draw(st.integers(0, len(facts)))
    straight, first = Monitor(small.venue(rules=RULES)), Monitor(small.venue(rules=RULES))
    expected = small.run(straight, facts)
    got = small.run(first, facts[:split])
    second = Monitor.restore(small.venue(rules=RULES), first.snapshot())
    got += small.run(second, facts[split:])
    assert [wire.encode(f) for f in got] == [wire.encode(f) for f in expected]
    assert second.snapshot() == straight.snapshot()


@given(crossings(min_size=5), st.data())
def test_restart_at_any_point_changes_nothing(counts: list[Count], data: st.DataObject) -> None:
    facts = timeline(counts)
    split = data.draw(st.integers(0, len(facts)))
    straight, first = Monitor(small.venue()), Monitor(small.venue())
    expected = small.run(straight, facts)
    got = small.run(first, facts[:split])
    second = Monitor.restore(small.venue(), first.snapshot())
    got += small.run(second, facts[split:])
    assert [wire.encode(f) for f in got] == [wire.encode(f) for f in expected]
    assert second.snapshot() == straight.snapshot()


@given(st.lists(any_fact, max_size=40))
def test_no_fact_makes_the_core_raise_and_every_finding_can_be_sent(facts: list[Fact]) -> None:
    monitor = Monitor(small.venue())
    findings = small.run(monitor, [*small.ticks(0, 3), *facts, *small.ticks(10, 15)])
    for finding in [*findings, *monitor.current()]:
        assert wire.decode_finding(wire.encode(finding)) == finding
    assert Monitor.restore(small.venue(), monitor.snapshot()).snapshot() == monitor.snapshot()


@given(crossings(), st.integers(1, 4))
def test_extra_ticks_change_no_count(counts: list[Count], more: int) -> None:
    few, many = Monitor(small.venue()), Monitor(small.venue())
    small.run(few, timeline(counts))
    extra = [small.tick(second / more) for second in range(50 * more)]
    small.run(many, sorted([*timeline(counts), *extra], key=lambda fact: (fact.at, isinstance(fact, Tick))))
    assert {z: s.raw for z, s in small.zones(few).items()} == {z: s.raw for z, s in small.zones(many).items()}


@given(crossings(), st.integers(0, 40))
def test_intervals_contain_their_value_and_never_go_below_zero(counts: list[Count], people: int) -> None:
    monitor = Monitor(small.venue())
    small.run(monitor, timeline(counts))
    recount = Recounted(at=small.T0 + 50, source="user:a", zone="room", people=people, by="a", command="k1")
    small.run(monitor, [recount, *small.ticks(50, 55)])
    for state in small.zones(monitor).values():
        assert state.occupancy is not None
        assert 0 <= state.lo <= state.occupancy <= state.hi
    assert abs((small.zones(monitor)["room"].occupancy or 0) - people) <= max(2, 0.3 * people)
