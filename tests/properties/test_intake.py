"""What was sent is credited, exactly, in weeks of faults; `make weeks` runs a thousand."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowmon.monitor import registers
from flowmon.monitor.registers import Register
from flowmon.monitor.spans import SPANS_MAX, Spans
from tests.properties import week


@pytest.mark.parametrize("seed", range(1_000, 1_012))
def test_credited_is_sent_in_a_week_of_faults(seed: int) -> None:
    assert week.run(seed) == []


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2_000), st.integers(0, 60)), max_size=60))
def test_spans_are_the_union_of_what_was_added(parts: list[tuple[int, int]]) -> None:
    spans, seconds = Spans(), set[int]()
    for start, length in parts:
        spans.add(float(start), float(start + length))
        seconds |= set(range(start, start + length))
    assert all(end < start for end, start in zip(spans.ends, spans.starts[1:], strict=False))
    assert spans.overlap(0.0, 3_000.0) == len(seconds)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0, 1e9), max_size=3_000))
def test_spans_stay_bounded_and_forget_nothing(moments: list[float]) -> None:
    spans = Spans()
    for at in moments:
        spans.add(at, at)
    assert len(spans.starts) <= SPANS_MAX
    assert all(spans.holds(at) for at in moments)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 2e11), st.integers(0, 2**53), st.booleans()), min_size=1, max_size=40))
def test_a_register_never_gains_more_than_a_door_can_make(readings: list[tuple[float, int, bool]]) -> None:
    register = Register(0.0, 0)
    for at, value, ordered in readings:
        before = register.at
        gain = registers.read(register, at, value, ordered=ordered)
        span = max(abs(at - before), registers.LATE_MAX_S)
        assert 0 <= gain.people <= registers.BURST + registers.PEOPLE_PER_S_MAX * span
        assert register.at >= before


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 20), min_size=3, max_size=50), st.data())
def test_readings_in_any_order_gain_what_the_last_one_shows(gains: list[int], data: st.DataObject) -> None:
    total, readings = 0, []
    for n, gained in enumerate(gains):
        total += gained
        readings.append((n * 60.0, total))
    first, *rest = readings
    register = Register(*first)
    got = sum(registers.read(register, at, value).people for at, value in data.draw(st.permutations(rest)))
    assert got == total - first[1]
