"""Adaptive bands: nine in ten, whatever the distribution, with labels that come late."""

import math
from collections import deque
from collections.abc import Callable

import numpy as np
import pytest

from flowmon.estimators.conformal import RING, AdaptiveBand, Issued
from tests.unit.estimator_checks import CHECKS, Subject


def _learn(band: AdaptiveBand, step: int) -> None:
    dice = np.random.default_rng(step)
    issued = band.issue(float(dice.integers(0, 40)), slot=step)
    assert issued is not None
    band.learn(issued, float(dice.poisson(issued.value)))


def _spoil(value: float, label: float) -> Callable[[AdaptiveBand, int], None]:
    def spoil(band: AdaptiveBand, step: int) -> None:
        issued = band.issue(value, slot=step)
        band.learn(issued if issued is not None else Issued(3.0, 1.0, 5.0, 2.0, 2.0, 0, 0), label)

    return spoil


SUBJECT = Subject(
    make=lambda: AdaptiveBand(slots_of_day=24),
    learn=_learn,
    estimate=lambda band, step: band.issue(20.0, slot=step),
    spoil=[
        _spoil(math.nan, 3.0),
        _spoil(math.inf, 3.0),
        _spoil(-1.0, 3.0),
        _spoil(3.0, math.nan),
        _spoil(3.0, math.inf),
        _spoil(3.0, -3.0),
        _spoil(1e300, 1e-300),
    ],
    long=3 * 9 * RING,
    slack=3_000,
)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_checks(check: Callable[[Subject], None]) -> None:
    check(SUBJECT)


def covered(
    truth: Callable[[np.random.Generator, int], tuple[float, float]], count: int, delay: int, kind: str = "count"
) -> np.ndarray:
    """Whether each of `count` truths was inside its band; `truth` gives (forecast, truth), labels come `delay` late."""
    band, dice = AdaptiveBand(slots_of_day=24, kind=kind), np.random.default_rng(7)
    waiting: deque[tuple[Issued, float]] = deque()
    inside = []
    for step in range(count):
        if len(waiting) >= delay:
            band.learn(*waiting.popleft())
        forecast, value = truth(dice, step)
        issued = band.issue(forecast, slot=step)
        assert issued is not None
        assert 0.0 <= issued.lo <= issued.value <= issued.hi
        inside.append(issued.lo <= value <= issued.hi)
        waiting.append((issued, value))
    return np.array(inside[500:], dtype=float)


def worst(inside: np.ndarray, window: int = 500) -> float:
    return float(np.convolve(inside, np.ones(window) / window, "valid").min())


SERIES: dict[str, Callable[[np.random.Generator, int], tuple[float, float]]] = {
    "poisson": lambda dice, step: (30.0, float(dice.poisson(30.0))),
    "skewed": lambda dice, step: (30.0, 30.0 * float(dice.lognormal(0.0, 0.6))),
    "biased": lambda dice, step: (30.0, float(dice.poisson(33.0))),
    "restless": lambda dice, step: (30.0, max(0.0, 30.0 + (2 + 4 * (step // 700 % 2)) * float(dice.normal()))),
    "noisy at noon": lambda dice, step: (
        50.0,
        max(0.0, 50.0 + (20.0 if step % 24 == 12 else 2.0) * float(dice.normal())),
    ),
}


@pytest.mark.parametrize("name", SERIES)
@pytest.mark.parametrize("delay", [1, 6])
def test_nine_in_ten_are_inside(name: str, delay: int) -> None:
    inside = covered(SERIES[name], 8_000, delay)
    assert inside.mean() == pytest.approx(0.9, abs=0.015)
    assert worst(inside) > 0.83


def test_closed_hours_do_not_pay_for_open_ones() -> None:
    """At night there is nobody, and everybody knows: always covered; the open hours still nine in ten."""

    def truth(dice: np.random.Generator, step: int) -> tuple[float, float]:
        return (40.0, float(dice.poisson(40.0))) if 9 <= step % 24 < 18 else (0.0, 0.0)

    inside = covered(truth, 24 * 300, 1)
    hours = (np.arange(len(inside)) + 500) % 24
    assert inside[(hours >= 9) & (hours < 18)].mean() == pytest.approx(0.9, abs=0.02)


def test_waits_are_judged_on_the_log() -> None:
    inside = covered(lambda dice, step: (120.0, 120.0 * float(dice.lognormal(0.0, 0.5))), 6_000, 3, kind="log")
    assert inside.mean() == pytest.approx(0.9, abs=0.015)
    band, dice = AdaptiveBand(kind="log"), np.random.default_rng(1)
    for _ in range(500):
        issued = band.issue(120.0)
        assert issued is not None
        band.learn(issued, 120.0 * float(dice.lognormal(0.0, 0.5)))
    issued = band.issue(120.0)
    assert issued is not None
    assert issued.hi - 120.0 > 1.5 * (120.0 - issued.lo)  # skewed as waits are


def test_a_restless_spell_widens_within_a_day() -> None:
    band = AdaptiveBand()
    for step in range(600):
        issued = band.issue(30.0)
        assert issued is not None
        band.learn(issued, 30.0 + 2 * (step % 3 - 1))
    before = band.issue(30.0)
    for step in range(24):
        issued = band.issue(30.0)
        assert issued is not None
        band.learn(issued, 30.0 + 20 * (step % 3 - 1))
    after = band.issue(30.0)
    assert before is not None
    assert after is not None
    assert after.hi - after.lo > 1.5 * (before.hi - before.lo)


@pytest.mark.parametrize("arguments", [{"kind": "other"}, {"coverage": 1.0}, {"slots_of_day": 0}])
def test_bands_that_make_no_sense_are_refused(arguments: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="coverage"):
        AdaptiveBand(**arguments)  # type: ignore[arg-type]


def test_a_state_of_other_slots_is_refused() -> None:
    with pytest.raises(ValueError, match="start anew"):
        AdaptiveBand(slots_of_day=24).state = AdaptiveBand(slots_of_day=12).state
