"""The pitfalls of times, counts and identity, one test a line of the list."""

from collections.abc import Iterable

import pytest

from flowmon.facts import Count, CountKind, DeviceStatus, Fact
from flowmon.findings import DeviceState, Finding, Flow, Rejected
from flowmon.monitor.core import Monitor
from flowmon.venue.audit import audit
from flowmon.venue.model import Counter, Hours
from tests.small import T0, cross, run, tick, ticks, total, venue, zones

GATE = "ctr-gate"


def monitor(**fields: object) -> Monitor:
    return Monitor(venue(counters={GATE: Counter(portal="gate", towards="hall", **fields)}))  # type: ignore[arg-type]


def count(kind: CountKind, seen: float, forward: int = 0, backward: int = 0, *, at: float | None = None,
          period: float = 60.0, line: str = "1", seq: int = -1, historical: bool = False) -> Count:  # fmt: skip
    """A count that the gateway saw `seen` seconds after T0; `at` is the device's stamp in the same seconds."""
    stamp = T0 + (seen if at is None else at)
    start, end = (stamp - period, stamp) if kind == "window" else (0.0, 0.0)
    return Count(
        at=stamp,
        seen=T0 + seen,
        source=GATE,
        counter=GATE,
        line=line,
        seq=seq,
        kind=kind,
        forward=forward,
        backward=backward,
        start=start,
        end=end,
        historical=historical,
    )


def live(monitor: Monitor, facts: Iterable[Fact], until: float) -> list[Finding]:
    """Facts in the order of the gateway among ticks a second, from -1 to `until`."""
    timed: list[Fact] = [*facts, *(tick(float(s)) for s in range(-1, int(until) + 1))]
    return run(monitor, sorted(timed, key=lambda f: f.seen or f.at))


def states(told: Iterable[Finding]) -> list[DeviceState]:
    return [f for f in told if isinstance(f, DeviceState) and f.device == GATE]


def test_one_kind_is_credited_when_a_device_sends_three() -> None:
    one = monitor(credit="window")
    facts = [count("cumulative", s, 100 + s, 0) for s in range(60, 301, 60)]
    facts += [count("window", s, 3) for s in range(60, 301, 60)]
    facts += [count("event", s, 1, seq=s) for s in range(60, 301, 60)]
    told = live(one, facts, 310)
    assert zones(one)["hall"].raw == 15
    assert not [f for f in told if isinstance(f, Rejected)]
    assert {s.health for s in states(told)} <= {"good", "unknown"}


def test_a_line_that_sends_only_a_kind_that_is_not_credited_is_named() -> None:
    one = monitor(credit="event")
    told = live(one, [count("window", s, 3) for s in range(60, 301, 60)], 310)
    state = states(told)[-1]
    assert (state.health, state.zones, zones(one)["hall"].raw) == ("suspect", ["hall"], 0)
    assert "sends window counts, credited are event: set credit = 'window'" in state.reason
    healed = live(one, [count("event", 320.0, 1, seq=1)], 330)
    assert states(healed)[-1].health == "good"


def test_invert_turns_a_line_round() -> None:
    one = monitor(invert=True)
    live(one, [count("event", 1, 1, 4, seq=1)], 10)
    assert zones(one)["hall"].raw == 3


def test_two_lines_of_one_direction_each_are_one_counter() -> None:
    one = monitor(credit="cumulative", line="Scenario1", backward_line="Scenario2")
    facts = [count("cumulative", s, 10 + s // 10, line="Scenario1") for s in range(0, 101, 10)]
    facts += [count("cumulative", s, 500 + s // 20, line="Scenario2") for s in range(0, 101, 20)]
    live(one, facts, 110)
    assert zones(one)["hall"].raw == 10 - 5


def test_one_line_in_two_counters_is_a_problem_of_the_venue_file() -> None:
    plan = venue(
        counters={
            "a": Counter(portal="gate", towards="hall", device="d", line="1", backward_line="2"),
            "b": Counter(portal="door", towards="room", device="d", line="2"),
        }
    )
    assert any("is counter a already" in problem.message for problem in audit(plan))


@pytest.mark.parametrize("top", [1 << 16, 1 << 32])
def test_falling_cumulative_at_the_top_is_a_wrap(top: int) -> None:
    one = monitor(credit="cumulative")
    live(one, [count("cumulative", 0, top - 6), count("cumulative", 60, 4)], 70)
    assert zones(one)["hall"].raw == 10


def test_falling_cumulative_is_a_restart_and_its_two_directions_restart_alone() -> None:
    one = monitor(credit="cumulative")
    told = live(one, [count("cumulative", 0, 900, 800), count("cumulative", 60, 5, 803)], 70)
    assert zones(one)["hall"].raw == 5 - 3
    assert "restarted from 900 to 5" in states(told)[-1].reason


def test_a_remote_set_up_or_down_is_a_new_baseline() -> None:
    one = monitor(credit="cumulative")
    values = [(0, 900), (60, 905), (120, 90_000), (180, 90_003), (240, 40_000), (300, 40_002)]
    told = live(one, [count("cumulative", s, v) for s, v in values], 310)
    assert zones(one)["hall"].raw == 10
    assert any(s.health == "suspect" and "was set" in s.reason and s.zones == ["hall"] for s in states(told))


def test_a_replaced_device_counts_from_its_first_reading() -> None:
    one = monitor(credit="cumulative")
    new = DeviceStatus(at=T0 + 70, seen=T0 + 70, source=GATE, health="online", serial="B")
    old = DeviceStatus(at=T0 + 1, seen=T0 + 1, source=GATE, health="online", serial="A")
    facts = [count("cumulative", s, v) for s, v in [(0, 100), (60, 104), (120, 130), (180, 131)]]
    live(one, [*facts, old, new], 190)
    assert zones(one)["hall"].raw == 5


def test_a_gap_of_hours_is_credited_and_widens_the_interval() -> None:
    fresh, gap = monitor(credit="cumulative"), monitor(credit="cumulative")
    steady = [count("cumulative", s, s // 60, s // 60) for s in range(0, 10_801, 60)]
    live(fresh, steady, 10_810)
    live(gap, [steady[0], steady[-1]], 10_810)
    one, other = zones(fresh)["hall"], zones(gap)["hall"]
    assert one.raw == other.raw == 0
    assert other.hi - other.lo > one.hi - one.lo


def test_a_register_that_was_overtaken_is_no_restart() -> None:
    one = monitor(credit="cumulative")
    facts = [count("cumulative", 0, 10), count("cumulative", 125, 15, at=120), count("cumulative", 130, 12, at=60)]
    live(one, [*facts, count("cumulative", 180, 16)], 190)
    assert zones(one)["hall"].raw == 6


def test_negative_counts_are_refused_and_the_device_is_named() -> None:
    one = monitor()
    told = live(one, [count("event", 5, -3, seq=1)], 10)
    assert any(isinstance(f, Rejected) and "not possible" in f.reason for f in told)
    assert states(told)[-1].health == "suspect"


def test_a_window_sent_again_weeks_later_is_known_across_a_restart() -> None:
    one = monitor(credit="window")
    facts = [count("window", s, 2) for s in range(60, 7_201, 60)]
    live(one, facts, 7_210)
    two = Monitor.restore(one.venue, one.snapshot())
    later = 20 * 86_400.0
    run(two, [tick(7_200.0 + n * 40_000.0) for n in range(1, 44)])
    again = [count("window", later + n, 2, at=s) for n, s in enumerate(range(60, 7_201, 60))]
    told = run(two, again)
    assert not [f for f in told if isinstance(f, Flow)]
    assert zones(two)["hall"].raw == 240


def test_backfill_corrects_history_says_so_and_never_moves_the_live_number() -> None:
    one = monitor(credit="window")
    told = live(one, [count("window", 10, 7, 2, at=-20_000), count("window", 60, 1)], 70)
    assert [(f.people, f.late, f.counter, f.at) for f in told if isinstance(f, Flow)] == [
        (7, True, GATE, T0 - 20_000),
        (2, True, GATE, T0 - 20_000),
    ]
    assert zones(one)["hall"].raw == 1
    assert "history is corrected, the live number is not moved" in states(told)[-1].reason


@pytest.mark.parametrize("stamp", [0.0, 157_766_400.0, 946_685_671.0, 4_070_908_800.0])
def test_a_clock_of_1970_1975_2000_or_2099_is_named_then_shifted(stamp: float) -> None:
    one = monitor(credit="window")
    told = live(one, [count("window", s, 2, at=stamp + s - T0) for s in range(60, 601, 60)], 610)
    state = states(told)[-1]
    assert zones(one)["hall"].raw == 20
    assert (state.health, state.time_source) == ("suspect", "shifted")
    assert state.clock_skew_s == pytest.approx(T0 - stamp, abs=1)


def test_milliseconds_for_seconds_are_given_the_gateways_time() -> None:
    one = monitor(credit="event")
    told = live(one, [count("event", s, 1, at=(T0 + s) * 1_000 - T0, seq=s) for s in range(60, 301, 60)], 310)
    assert (zones(one)["hall"].raw, states(told)[-1].time_source) == (5, "gateway")


@pytest.mark.parametrize("offset", [-7_200, -3_600, 3_600, 19_800])
def test_a_missing_zone_is_an_offset_and_later_windows_are_shifted_by_it(offset: int) -> None:
    one = monitor(credit="window")
    facts = [count("window", s + 1, 2, at=s - offset) for s in range(60, 901, 60)]
    told = live(one, [*facts, *(count("window", f.seen - T0 + 5, 2, at=f.at - T0) for f in facts)], 1_300)
    assert sum(f.people for f in told if isinstance(f, Flow)) == 30
    assert any(s.reason.startswith(f"clock {abs(offset)} s") and s.time_source == "shifted" for s in states(told))


def test_a_frozen_clock_loses_nothing_and_repetitions_count_once() -> None:
    one = monitor(credit="window")
    facts = [count("window", s, s // 60, at=min(s, 120)) for s in range(60, 901, 60)]
    told = live(one, [*facts, *(count("window", f.seen - T0 + 3, f.forward, at=f.at - T0) for f in facts)], 910)
    assert zones(one)["hall"].raw == sum(range(1, 16))
    assert "clock stands still" in states(told)[-1].reason
    assert states(told)[-1].time_source == "gateway"


def test_the_hour_that_comes_twice_in_autumn_is_counted_twice() -> None:
    one = monitor(credit="window")
    facts = [count("window", s, 1, at=s if s < 5_400 else s - 3_600) for s in range(60, 10_801, 60)]
    live(one, facts, 10_810)
    assert zones(one)["hall"].raw == 180


def test_a_backlog_is_no_clock_error() -> None:
    one = monitor(credit="window")
    facts = [count("window", s, 1) for s in range(60, 601, 60)]
    facts += [count("window", 7_800 + n / 100, 1, at=s) for n, s in enumerate(range(660, 7_801, 60))]
    told = live(one, facts, 7_900)
    late = sum(f.people for f in told if isinstance(f, Flow) and f.late)
    assert sum(f.people for f in told if isinstance(f, Flow) and not f.late) + late >= 120
    assert all(s.time_source == "device" for s in states(told))


def test_two_sensors_on_one_portal_are_one_in_flows_rates_and_the_audit() -> None:
    two = {n: Counter(portal="gate", towards="hall") for n in "ab"}
    both = Monitor(venue(counters=two))
    told = run(both, [*ticks(0, 3), *(cross(n, 2.5, 1, 6) for n in "ab"), *ticks(3, 310)])
    assert [f.people for f in told if isinstance(f, Flow)] == [6]
    assert (zones(both)["hall"].raw, total(both).entered) == (6, 6)


def test_two_sensors_that_disagree_for_long_are_named() -> None:
    two = {n: Counter(portal="gate", towards="hall") for n in "ab"}
    both = Monitor(venue(counters=two))
    facts: list[Fact] = [cross("a", float(s), s, 1, 1) for s in range(0, 4_000, 10)]
    facts += [cross("b", float(s), s, 1, 1) for s in range(0, 4_000, 30)]
    told = run(both, sorted([*facts, *ticks(0, 4_100)], key=lambda f: f.at))
    named = {f.device: f.reason for f in told if isinstance(f, DeviceState) and "disagrees" in f.reason}
    assert list(named) == ["b"]


def balanced(turned: str = "") -> list[Finding]:
    """A morning after a night: people come in by gate, go on through door, all come back in the end."""
    plan = venue(hours=[Hours(opens="08:00", closes="15:59")])
    museum = Monitor(plan)
    facts: list[Fact] = []
    for n in range(300):
        enters = n < 200
        for name in ("ctr-gate", "ctr-door"):
            into = enters != (name == turned)
            facts.append(cross(name, 7_200.0 + 20.0 * n, n, int(into), int(not into)))
    return run(museum, sorted([*facts, *(tick(float(s)) for s in range(0, 13_500, 5))], key=lambda f: f.at))


def test_a_swapped_direction_is_flagged_from_the_balance_and_a_right_one_is_not() -> None:
    def suspected(told: list[Finding]) -> set[str]:
        return {f.device for f in told if isinstance(f, DeviceState) and "reversed?" in f.reason}

    assert suspected(balanced()) == set()
    assert suspected(balanced("ctr-door")) == {"ctr-door"}


def test_a_u_turn_nets_to_zero() -> None:
    one = monitor()
    live(one, [count("event", 1, 1, 0, seq=1), count("event", 2, 0, 1, seq=2)], 10)
    assert (zones(one)["hall"].raw, zones(one)["hall"].occupancy) == (0, 0.0)
