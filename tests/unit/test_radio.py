"""The graph HMM of radio tags."""

import math
from itertools import pairwise

import numpy as np
import pytest

from flowmon.estimators.fingerprints import Fingerprints, Likelihood, fingerprint
from flowmon.estimators.radio import FORGET_S, STILL_S, PlaceFilter, transition
from flowmon.estimators.strongest import StrongestReceiver
from tests.unit.estimator_checks import CHECKS, Subject

LINE = np.array([[0, 1, 0, 0], [1, 0, 1, 0], [0, 1, 0, 1], [0, 0, 1, 0]])
MEDIAN = -62.0 - 12.0 * np.abs(np.subtract.outer(np.arange(4), np.arange(4)))
TABLE = Fingerprints(MEDIAN, np.full((4, 4), 5.0), np.where(MEDIAN < -80, 0.7, 0.2))


def made(**more: object) -> PlaceFilter:
    return PlaceFilter(TABLE, LINE, 60.0, **more)  # type: ignore[arg-type]


def heard(place: int, second: int, noise: float = 4.0) -> dict[int, float]:
    """What a tag in a place is heard like, the same each time this second is asked for."""
    dice = np.random.default_rng([place, second])
    level = MEDIAN[place] + noise * dice.standard_normal(4)
    loud = dice.random(4) > TABLE.silent[place]
    return {n: float(level[n]) for n in range(4) if loud[n]}


def learn(places: PlaceFilter, step: int) -> object:
    """Twelve tags that go back and forth, one of them heard every fourth second only."""
    tags = {f"t{n}": heard((step // 40 + n) % 4, step * 100 + n) for n in range(12) if n or step % 4 == 0}
    return places.learn(tags, float(step))


SUBJECT = Subject(
    make=made,
    learn=learn,
    estimate=lambda places, step: [places.estimate(), places.people(float(step)), places.settled(), places.shifted()],
    spoil=[
        lambda places, step: places.learn({"t1": {0: math.nan}, "t2": {1: math.inf}, "t3": {-1: -60.0}}, float(step)),
        lambda places, step: places.learn({"t1": {0: -60.0}}, math.nan),
        lambda places, step: places.learn({"t1": {9: -60.0}, "t2": {0: 500.0}}, float(step)),
        lambda places, step: places.learn({"t1": heard(0, 1)}, float(step) - 50.0),
    ],
    slack=2_000,
)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_checks(check: object) -> None:
    check(SUBJECT)  # type: ignore[operator]


def test_a_tag_is_followed_from_place_to_place_with_few_flips() -> None:
    places = made()
    said, truth = [], []
    for second in range(400):
        truth.append(second // 100)
        places.learn({"tag": heard(truth[-1], second)}, float(second))
        said.append(places.estimate()["tag"][0])
    right = np.mean(np.array(said) == np.array(truth))
    assert right > 0.97
    assert sum(one != other for one, other in pairwise(said)) <= 5


def test_a_place_behind_another_is_reached_through_it() -> None:
    walk = transition(LINE.astype(float), np.full(4, 60.0), 1.0)
    assert np.allclose(walk.sum(axis=1), 1.0)
    assert walk[0, 1] > 100 * walk[0, 2] > 0.0


def test_renumbering_places_renumbers_answers() -> None:
    order = np.array([2, 0, 3, 1])
    table = Fingerprints(MEDIAN[order], TABLE.spread[order], TABLE.silent[order])
    other = PlaceFilter(table, LINE[np.ix_(order, order)], 60.0)
    one = made()
    for second in range(60):
        levels = {"tag": heard(second // 30, second)}
        one.learn(levels, float(second))
        other.learn(levels, float(second))
    np.testing.assert_allclose(other.posterior("tag"), one.posterior("tag")[order], atol=1e-9)


def test_a_tag_that_is_heard_no_more_is_lost_once_and_later_forgotten() -> None:
    places = made()
    for second in range(20):
        places.learn({"tag": {0: -62.0}, "other": {1: -62.0}}, float(second))
    changed = [second for second in range(20, 120) if "tag" in places.learn({"other": {1: -62.0}}, float(second))]
    assert changed == [40]  # a third of 60 s after second 19
    assert places.estimate()["tag"] == (-1, 0.0)
    places.learn({"other": heard(1, 3)}, 19 + FORGET_S + 30)
    places.learn({"other": heard(1, 4)}, 19 + FORGET_S + 31)
    assert "tag" not in places
    assert "other" in places


def test_time_passes_in_gaps_as_in_silent_steps() -> None:
    one, other = made(), made()
    for places in (one, other):
        for second in range(10):
            places.learn({"tag": heard(0, second)}, float(second))
    for second in range(10, 40):
        one.learn({}, float(second))
    for places in (one, other):
        places.learn({"tag": heard(0, 40)}, 40.0)
    np.testing.assert_allclose(one.posterior("tag"), other.posterior("tag"), atol=1e-9)
    np.testing.assert_allclose(one.settled()["tag"], other.settled()["tag"], atol=1e-9)


def test_a_tag_that_lies_still_for_an_hour_is_nobody_and_one_that_is_carried_is_somebody() -> None:
    places = made(lag=0)
    dice = np.random.default_rng(1)
    for second in range(0, int(STILL_S) + 400, 2):
        lying = {0: -62.0 + float(dice.standard_normal()) * 2.0}
        carried = {0: -62.0 + 8.0 * math.sin(second / 200.0) + float(dice.standard_normal()) * 2.0}
        places.learn({"lying": lying, "carried": carried}, float(second))
    now = STILL_S + 400
    assert places.still("lying", now)
    assert not places.still("carried", now)
    assert places.people(now).tolist() == [1.0, 0.0, 0.0, 0.0]
    assert places.people(now, {"carried": 12.0})[0] == 12.0
    for second in range(20):
        places.learn({"lying": heard(2, second)}, now + second)
    assert not places.still("lying", now + 20)


def test_a_receiver_that_was_moved_is_named_and_sound_ones_are_not() -> None:
    places = made(calibrated=True)
    for second in range(4000):
        place = second // 100 % 4
        levels = heard(place, second)
        if 1 in levels:
            levels[1] -= 12.0
        places.learn({"a": levels, "b": heard(place, second + 10_000)}, float(second))
    # only half of the tags hear it weak, so that the mean is off by six: not more
    assert places.shifted() == {}
    for second in range(4000, 8000):
        place = second // 100 % 4
        levels = heard(place, second)
        if 1 in levels:
            levels[1] -= 12.0
        places.learn({"a": levels}, float(second))
    assert list(places.shifted()) == [1]
    assert places.shifted()[1] == pytest.approx(-12.0, abs=2.5)


def test_medians_drift_by_a_decibel_a_day_at_most() -> None:
    places = made(lag=0)
    for second in range(3000):
        places.learn({"a": {n: level + 3.0 for n, level in heard(0, second).items()}}, float(second))
    drift = np.frombuffer(places.state.drift)
    assert 0.0 < drift.max() <= 3000 / 86_400 + 1e-9


def test_the_common_offset_forgives_a_body_and_not_a_single_receiver() -> None:
    score = Likelihood(TABLE)
    alike = np.array([MEDIAN[1] - 8.0])
    assert int(score(alike).argmax()) == 1
    independent = Likelihood(TABLE, common_db=0.0)
    assert score(alike)[0, 1] > independent(alike)[0, 1]


def test_likelihood_is_the_density_of_a_correlated_normal() -> None:
    score = Likelihood(TABLE, common_db=3.0)
    z = np.array([-65.0, -70.0, -90.0])
    for place in range(4):
        cov = np.diag(np.full(3, 25.0)) + 9.0
        away = z - MEDIAN[place, :3]
        density = -0.5 * away @ np.linalg.inv(cov) @ away - 0.5 * np.log(np.linalg.det(2 * np.pi * cov))
        density += np.log1p(-TABLE.silent[place, :3]).sum() + np.log(TABLE.silent[place, 3])
        assert score(np.array([[*z, np.nan]]))[0, place] == pytest.approx(density, abs=1e-9)


def test_fingerprints_of_nothing_and_of_little_are_vague() -> None:
    assert fingerprint([], 10) == (-95.0, 8.0, 0.9167)
    assert fingerprint([-60.0], 1)[1] == 8.0
    assert fingerprint([math.nan, -60.0], 2)[0] == -60.0


@pytest.mark.parametrize(
    ("adjacent", "dwell", "lag"), [(np.ones((3, 3)), 60.0, 3), (LINE, 0.0, 3), (LINE, 60.0, -1)], ids=str
)
def test_what_does_not_fit_is_refused(adjacent: np.ndarray, dwell: float, lag: int) -> None:
    with pytest.raises(ValueError, match="adjacent"):
        PlaceFilter(TABLE, adjacent, dwell, lag=lag)


def test_a_flood_of_tags_is_bounded_and_the_newest_are_kept() -> None:
    places = made(tags_max=50, lag=0)
    for second in range(40):
        places.learn({f"t{second}-{n}": {0: -62.0} for n in range(20)}, float(second))
    assert len(places) <= 70
    assert "t39-0" in places


def test_the_baseline_needs_three_wins_on_end() -> None:
    tag = StrongestReceiver()
    for second in range(4):
        tag.learn("hall", -60.0, at=float(second))
    for second in range(4, 6):
        tag.learn("cafe", -50.0, at=float(second))
    assert tag.estimate(at=5.0)[0] == "hall"
    tag.learn("cafe", -50.0, at=6.0)
    assert tag.estimate(at=6.0)[0] == "cafe"
