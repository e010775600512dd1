"""The filter over coupled places: what it learns from truths, and what it must never do."""

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowmon.estimators.crowd import Crowd, CrowdState
from flowmon.estimators.ledger import Array

#: outside - hall - (left | right): three doors, each forward in, backward out
DOORS = np.array(
    [
        [1.0, -1.0, -1.0, 1.0, -1.0, 1.0],
        [0.0, 0.0, 1.0, -1.0, 0.0, 0.0],
        [0.0, 0.0, 0.0, 0.0, 1.0, -1.0],
    ]
)


def crowd() -> Crowd:
    return Crowd(DOORS, spread=np.full(3, 5.0))


def carry(rng: np.random.Generator, tags: Array, people: Array, moved: Array) -> Array:
    """Beacons per place after `moved` people walked: three in ten bring one, and it goes where its bearer goes."""
    there, left = people.astype(int), tags.astype(int)
    through = np.zeros(len(moved))
    through[0] = rng.binomial(int(moved[0]), 0.3)
    for door in range(1, len(moved)):
        origin = int(np.argmin(DOORS[:, door]))
        leaving = min(int(moved[door]), int(there[origin]))
        through[door] = rng.hypergeometric(left[origin], there[origin] - left[origin], leaving) if leaving else 0
        left[origin] -= int(through[door])
        there[origin] -= leaving
    return np.maximum(tags + DOORS @ through, 0.0)


def day(
    crowd: Crowd, rng: np.random.Generator, *, seen: Array | None = None, beacons: bool = True, minutes: int = 480
) -> Array:
    """People walking about, counted with the shares `seen` (D,); returns the true number per place.

    After eight hours they go home: 600 minutes are a whole day.
    """
    share = np.ones(6) if seen is None else seen
    people = np.zeros(3)
    tags = np.zeros(3)
    for minute in range(minutes):
        leaving = 0.02 if minute < 240 else 0.04 if minute < 480 else 0.2
        come = 4 if minute < 240 else 1 if minute < 480 else 0
        moved = rng.poisson([come, 0, 0.5 * come, 0, 0.5 * come, 0]).astype(float)
        for door, place in ((1, 0), (3, 1), (5, 2)):
            moved[door] = min(people[place], rng.poisson(people[place] * leaving))
        moved[2] = min(moved[2], people[0])
        moved[4] = min(moved[4], max(0.0, people[0] - moved[2] - moved[1]))
        tags = carry(rng, tags, people, moved)
        people = people + DOORS @ moved
        crowd.learn(rng.binomial(moved.astype(int), share).astype(float), 60.0)
        if beacons and minute % 2:
            crowd.hear(tags)
    return people


def test_a_truth_about_one_place_moves_what_is_tied_to_it_and_the_doors_that_erred() -> None:
    told = crowd()
    for _ in range(60):
        told.learn(np.array([0, 0, 4.0, 0, 0, 0]) + np.array([4.0, 0, 0, 0, 0, 0]), 60.0)
    before, _ = told.estimate()
    told.anchor([1], float(before[1]) + 40.0, 1.0)
    after, _ = told.estimate()
    gains, _ = told.gains()
    assert after[1] == pytest.approx(before[1] + 40.0, abs=4.0)
    assert after[0] < before[0]  # through the same door they came from the hall
    assert gains[2] > 1.0


def test_nights_teach_the_gains_of_a_door_that_misses_those_who_leave() -> None:
    seen = np.array([1.0, 0.9, 1.0, 1.0, 1.0, 1.0])
    rng = np.random.default_rng(4)
    told = crowd()
    errors = []
    for _ in range(8):
        left = day(told, rng, seen=seen, beacons=False, minutes=600)
        errors.append(abs(told.total(told.estimate()[0])[0] - left.sum()))
        told.empty()
    gains, _ = told.gains()
    assert gains[1] / gains[0] == pytest.approx(1 / 0.9, abs=0.05)
    assert np.mean(errors[5:]) < np.mean(errors[:2]) / 2


def test_beacons_bring_a_room_back_whose_door_lies() -> None:
    seen = np.array([1.0, 1.0, 1.0, 0.7, 1.0, 1.0])
    errors = {}
    for beacons in (True, False):
        told, rng = crowd(), np.random.default_rng(9)
        for _ in range(2):
            day(told, rng, minutes=600)
            told.empty()
        told.doubt(set(), {3})
        true = day(told, rng, seen=seen, beacons=beacons)
        errors[beacons] = np.abs(told.estimate()[0] - true)
    assert errors[True][1] < errors[False][1] / 2
    assert errors[True].sum() < errors[False].sum() / 2


def test_the_share_of_beacons_is_found_and_does_not_make_people() -> None:
    told, rng = crowd(), np.random.default_rng(3)
    for _ in range(3):
        day(told, rng, minutes=600)
        told.empty()
    assert told.share == pytest.approx(0.3, abs=0.06)
    assert told.gains()[0].max() < 1.2  # the doors are right


def test_a_silent_door_goes_on_at_its_rate_with_a_wider_interval_and_gets_its_gain_back() -> None:
    told = crowd()
    for _ in range(60):
        told.learn(np.array([4.0, 0, 2.0, 0, 0, 0]), 60.0)
    gain = told.gains()[0][2]
    people, sd = told.estimate()
    told.doubt({2, 3}, set())
    for _ in range(30):
        told.learn(np.array([4.0, 0, 0, 0, 0, 0]), 60.0)
    later, wider = told.estimate()
    assert 20 < later[1] - people[1] < 2 * 30 * gain  # on they go, but the room does not fill without end
    assert wider[1] > 1.5 * sd[1]
    told.doubt(set(), set())
    assert told.gains()[0][2] == pytest.approx(gain)


def test_a_door_that_falls_silent_early_goes_on_at_the_rate_it_had() -> None:
    told = crowd()
    for _ in range(3):
        told.learn(np.array([6.0, 0, 3.0, 0, 0, 0]), 20.0)
    before = told.usual[2]
    told.doubt({2}, set())
    told.learn(np.array([6.0, 0, 0, 0, 0, 0]), 20.0)
    assert told.usual[2] == pytest.approx(before)


def test_a_counter_that_tells_a_minute_late_is_not_an_empty_hall() -> None:
    told = Crowd(DOORS)
    told.reports(0, 60.0)
    shown = []
    for second in range(0, 3600, 10):
        full = second % 60 == 50
        counts = np.array([24.0 if full else 0, 0, 2.0, 0, 0, 0])
        told.learn(counts, 10.0, reported=np.array([full, full, False, False, False, False]))
        if second > 1800:
            shown.append(told.estimate()[0][0])
    steps = np.diff(shown)
    assert np.abs(steps - steps.mean()).max() < 4.0  # no sawtooth of 24 people


def test_the_interval_widens_with_time_since_the_truth() -> None:
    told = crowd()
    told.empty()
    widths = []
    for _ in range(5):
        for _ in range(30):
            told.learn(np.array([3.0, 3.0, 2.0, 2.0, 1.0, 1.0]), 60.0)
        widths.append(float(told.estimate()[1][0]))
    assert widths == sorted(widths)


def test_what_is_no_number_is_not_learned() -> None:
    told = crowd()
    told.learn(np.ones(6), 60.0)
    before = told.state
    told.learn(np.array([np.nan, 0, 0, 0, 0, 0]), 60.0)
    told.learn(np.array([-1.0, 0, 0, 0, 0, 0]), 60.0)
    told.learn(np.ones(6), math.nan)
    told.hear(np.array([np.inf, 9.0, 9.0]))
    told.hear(np.ones(3))  # fewer than eight beacons say nothing
    told.anchor([0], math.nan, 1.0)
    told.anchor([0], 3.0, 0.0)
    assert told.state == before


counts = st.lists(st.lists(st.integers(0, 30), min_size=6, max_size=6), min_size=1, max_size=30)


@given(counts)
def test_places_may_be_listed_in_any_order(steps: list[list[int]]) -> None:
    order = [2, 0, 1]
    one, other = Crowd(DOORS), Crowd(DOORS[order])
    for n, step in enumerate(steps):
        one.learn(np.array(step, dtype=float), 40.0)
        other.learn(np.array(step, dtype=float), 40.0)
        if n % 5 == 4:
            one.hear(np.array([5.0, 9.0, 2.0]))
            other.hear(np.array([5.0, 9.0, 2.0])[order])
    assert np.allclose(one.estimate()[0][order], other.estimate()[0], atol=1e-6)
    assert np.allclose(one.estimate()[1][order], other.estimate()[1], atol=1e-6)


@given(counts)
def test_a_restart_changes_nothing_and_variances_stay_variances(steps: list[list[int]]) -> None:
    straight, restarted = crowd(), crowd()
    for n, step in enumerate(steps):
        for told in (straight, restarted):
            told.learn(np.array(step, dtype=float), 40.0)
            if n % 5 == 4:
                told.hear(np.array([5.0, 9.0, 2.0]))
            if n % 11 == 10:
                told.anchor([1], 12.0, 1.0)
        kept = msgspec.msgpack.decode(msgspec.msgpack.encode(restarted.state), type=CrowdState)
        restarted = crowd()
        restarted.state = kept
    assert (straight.estimate()[0] == restarted.estimate()[0]).all()
    assert (straight.estimate()[1] == restarted.estimate()[1]).all()
    assert np.isfinite(straight.estimate()[0]).all()
    assert (straight.estimate()[1] >= 0).all()
    assert np.linalg.eigvalsh(np.frombuffer(straight.state.covariance).reshape(13, 13)).min() > -1e-6
