"""Counters that stopped being right: found from their counts, in time, and hardly ever for nothing."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from flowmon.estimators.changes import Changes, Verdict
from tests.unit.estimator_checks import CHECKS, Subject

Counts = NDArray[np.float64]
BIN_S, OPEN = 300.0, range(9 * 12, 18 * 12)
DOORS = 5


def crowd(n: int) -> Any:
    """Bin n of five doors: a day's profile, days of different levels, parties, closed at night; deterministic."""
    if n % 288 not in OPEN:
        return np.zeros((DOORS, 2))
    dice = np.random.default_rng(7_000_000 + n)
    level = math.exp(0.3 * math.sin(2.7 * (n // 288)))
    hours = (n % 288 - OPEN.start) / 12
    shape = np.array([math.sin((hours + 0.6) / 9.6 * math.pi), math.sin((hours + 0.1) / 9.6 * math.pi)])
    doors = np.array([14.0, 18.0, 10.0, 22.0, 16.0])
    parties = dice.poisson(level * np.outer(doors, np.maximum(shape, 0.0)) / 1.5)
    return parties + np.where(parties > 0, dice.poisson(0.5 * parties), 0.0)


def place(n: int) -> float:
    return n * BIN_S


SUBJECT = Subject(
    make=lambda: Changes(DOORS),
    learn=lambda changes, n: changes.learn(crowd(n), place(n)),
    estimate=lambda changes, n: [changes.estimate(), changes.state.near],
    spoil=[
        lambda changes, n: changes.learn(np.full((DOORS, 2), math.nan), place(n)),
        lambda changes, n: changes.learn(np.full((DOORS, 2), math.inf), place(n)),
        lambda changes, n: changes.learn(np.full((DOORS, 2), -4.0), place(n)),
        lambda changes, n: changes.learn(np.full((DOORS, 2), 1e300), place(n)),
        lambda changes, n: changes.learn(crowd(n), math.nan),
    ],
    steps=288 * 5,
    long=288 * 9,
    slack=2_000,  # half hours that were zero become numbers
)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_checks(check: Any) -> None:
    check(SUBJECT)


LEARNED = 288 * 8 + 11 * 12  # eight days, then eleven o'clock


@pytest.fixture(scope="module")
def week() -> Any:
    changes = Changes(DOORS)
    for n in range(LEARNED):
        changes.learn(crowd(n), place(n))
        assert changes.estimate() == [], n  # eight days without a fault
    return changes.state


def after(week: Any, fault: Callable[[Counts, int], Counts], bins: int, door: int = 1) -> tuple[int, Verdict]:
    """Bins until the door is doubted, and what is said then."""
    changes = Changes(DOORS)
    changes.state = week
    for n in range(bins):
        counts = crowd(LEARNED + n)
        counts[door] = fault(counts[door], n)
        changes.learn(counts, place(LEARNED + n))
        if changes.estimate():
            (verdict,) = changes.estimate()
            assert verdict.counter == door
            return n + 1, verdict
    raise AssertionError(f"not found in {bins} bins")


def thinned(share: float) -> Callable[[Counts, int], Counts]:
    return lambda counts, n: np.random.default_rng(n).binomial(counts.astype(int), share).astype(np.float64)


def test_a_dead_counter_is_found_in_two_bins(week: Any) -> None:
    bins, verdict = after(week, lambda counts, n: np.zeros(2), 10)
    assert (bins, verdict.kind, verdict.since) == (2, "dead", place(LEARNED))
    assert verdict.counted == 0
    assert verdict.expected > 20


def test_losing_a_fifth_is_found_within_an_hour_or_two(week: Any) -> None:
    bins, verdict = after(week, thinned(0.8), 30)
    assert bins <= 24
    assert (verdict.kind, verdict.counted < 0.95 * verdict.expected) == ("loss", True)
    assert place(LEARNED - 24) <= verdict.since <= place(LEARNED + bins)


def test_losing_half_is_found_sooner(week: Any) -> None:
    bins, verdict = after(week, thinned(0.5), 16)
    assert (bins <= 10, verdict.kind) == (True, "loss")


def test_one_direction_can_lose_alone(week: Any) -> None:
    _, verdict = after(week, lambda counts, n: np.array([thinned(0.5)(counts, n)[0], counts[1]]), 30)
    assert (verdict.kind, verdict.stream) == ("loss", "in")


def test_the_same_numbers_for_an_hour_are_stuck(week: Any) -> None:
    bins, verdict = after(week, lambda counts, n: np.array([19.0, 20.0]), 14)
    assert (bins, verdict.kind) == (11, "stuck")


def test_everybody_told_twice_is_noticed(week: Any) -> None:
    _, verdict = after(week, lambda counts, n: 2.0 * counts, 30)
    assert verdict.kind in {"duplicated", "surplus"}


def test_only_even_numbers_are_duplicates(week: Any) -> None:
    _, verdict = after(week, lambda counts, n: 2.0 * np.round(counts / 2.0 + 0.01), 30)
    assert verdict.kind == "duplicated"


def test_exchanged_directions_show_when_the_day_begins_and_ends() -> None:
    changes, one_way = Changes(DOORS), np.array([[1.5, 0.5]] + [[1.0, 1.0]] * (DOORS - 1))
    for n in range(288 * 7):
        changes.learn(np.round(crowd(n) * one_way), place(n))
    for n in range(288 * 7, 288 * 8):
        counts = np.round(crowd(n) * one_way)
        counts[0] = counts[0, ::-1]
        changes.learn(counts, place(n))
    (verdict,) = changes.estimate()
    assert (verdict.counter, verdict.kind) == (0, "reversed")


def test_a_verdict_ends_when_the_counts_contradict_it(week: Any) -> None:
    for fault in (lambda counts, n: np.zeros(2), thinned(0.5), lambda counts, n: np.array([19.0, 20.0])):
        changes = Changes(DOORS)
        changes.state = week
        for n in range(24):
            counts = crowd(LEARNED + n)
            counts[1] = fault(counts[1], n)
            changes.learn(counts, place(LEARNED + n))
        assert changes.estimate()
        for n in range(24, 44):
            changes.learn(crowd(LEARNED + n), place(LEARNED + n))
        assert changes.estimate() == []


def test_what_lasts_for_days_becomes_usual(week: Any) -> None:
    changes = Changes(DOORS)
    changes.state = week
    for n in range(288 * 8):
        counts = crowd(LEARNED + n)
        counts[1] = thinned(0.6)(counts[1], n)
        changes.learn(counts, place(LEARNED + n))
        if n == 288:
            assert [verdict.kind for verdict in changes.estimate()] == ["loss"]
    assert changes.estimate() == []


def test_a_venue_that_empties_is_no_fault(week: Any) -> None:
    changes = Changes(DOORS)
    changes.state = week
    for n in range(40):  # everybody leaves for an hour
        counts = crowd(LEARNED + n) * (0.0 if n < 12 else 1.0)
        changes.learn(counts, place(LEARNED + n))
        assert changes.estimate() == [], n


def test_nothing_is_said_on_the_first_days() -> None:
    changes = Changes(DOORS)
    for n in range(288 * 3):
        counts = crowd(n)
        counts[2] = 0.0 if n % 288 > 150 else counts[2]
        changes.learn(counts, place(n))
        assert changes.estimate() == []
    assert changes.ready() == [False] * DOORS


def test_a_counter_alone_is_compared_with_its_own_day() -> None:
    changes = Changes(1)
    for n in range(288 * 8):
        changes.learn(crowd(n)[:1], place(n))
        assert changes.estimate() == [], n
    for n in range(288 * 8, 288 * 8 + 13 * 12):
        counts = crowd(n)[:1] * (0.0 if n >= 288 * 8 + 12 * 12 else 1.0)
        changes.learn(counts, place(n))
    assert [verdict.kind for verdict in changes.estimate()] == ["dead"]


def test_misuse_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one counter"):
        Changes(0)
    with pytest.raises(ValueError, match="shape"):
        Changes(2).learn(np.zeros(2), 0.0)
    changes = Changes(2)
    with pytest.raises(ValueError, match="start anew"):
        changes.state = Changes(3).state


def test_false_alarms_are_rare() -> None:
    """Three weeks and five doors after one week of history: at most one a fortnight and counter."""
    changes, told, before = Changes(DOORS), 0, set[int]()
    for n in range(288 * 28):
        if n % 288 not in range(OPEN.start - 2, OPEN.stop + 2):
            continue
        changes.learn(crowd(n + 500_000 * 288), place(n))
        now = {verdict.counter for verdict in changes.estimate()}
        told, before = told + len(now - before), now
    assert told <= 1.5 * DOORS
