"""The forecaster and its parts: the shared checks, and what each one promises."""

import math
from collections.abc import Callable

import numpy as np
import pytest

from flowmon.estimators.analogues import Analogues
from flowmon.estimators.climatology import Climatology, clim_dev
from flowmon.estimators.experts import Experts
from flowmon.estimators.forecast import NOTHING, Forecaster
from flowmon.estimators.memory import unpacked
from flowmon.estimators.recursive import RecursiveLeastSquares
from flowmon.estimators.weekdays import Weekdays
from tests.unit.estimator_checks import CHECKS, Subject

HOUR = 3600
DAY = 24


def busy(hour: int) -> float:
    """A museum-like day, with a little of everything; deterministic."""
    noise = np.random.default_rng(hour).normal()
    open_now = 9 <= hour % DAY < 18
    weekend = 1.5 if hour // DAY % 7 >= 5 else 1.0
    today = 1.0 + 0.3 * math.sin(hour // DAY * 1.7)
    return max(0.0, open_now * weekend * today * 60 * math.sin((hour % DAY - 8) / 11 * math.pi) + 2 * noise * open_now)


def _forecaster() -> Forecaster:
    return Forecaster(HOUR, (HOUR, 3 * HOUR), covariates=1)


def _learn(estimator: Forecaster, step: int) -> None:
    if step % 37:  # a gap now and then
        plan = [[busy(step + ahead) / 2] for ahead in (0, 1, 3)]
        estimator.learn(1.7e9 // 86400 * 86400 + step * HOUR, busy(step), 3600.0, plan)


def _spoiled(value: float, at: float = math.nan) -> Callable[[Forecaster, int], None]:
    def spoil(estimator: Forecaster, step: int) -> None:
        plan = [[value]] * 3
        estimator.learn(1.7e9 // 86400 * 86400 + step * HOUR if math.isnan(at) else at, value, 3600.0, plan)

    return spoil


SUBJECTS = {
    "Forecaster": Subject(
        make=_forecaster,
        learn=_learn,
        estimate=lambda estimator, _step: [estimator.forecast(HOUR), estimator.forecast(3 * HOUR)],
        spoil=[
            _spoiled(math.nan),
            _spoiled(math.inf),
            _spoiled(-math.inf),
            _spoiled(-5.0),
            _spoiled(1e300),
            _spoiled(5.0, at=math.inf),
            _spoiled(5.0, at=-1.0),
            _spoiled(5.0, at=1e300),
        ],
        steps=24 * 16,
        long=24 * 90,
        slack=25_000,  # rings of scores still fill, to a bound
    ),
    "Climatology": Subject(
        make=lambda: Climatology(DAY),
        learn=lambda estimator, step: estimator.learn(busy(step), step),
        estimate=lambda estimator, step: [estimator.estimate(step + 1), clim_dev(3.0, 1.0, estimator.estimate(step))],
        spoil=[lambda estimator, step: estimator.learn(math.nan, step), lambda e, step: e.learn(math.inf, step)],
    ),
    "Weekdays": Subject(
        make=lambda: Weekdays(DAY),
        learn=lambda e, step: e.learn(np.arange(7.0) * 5, busy(step), 20.0),
        estimate=lambda e, _step: e.estimate(np.arange(7.0)),
        spoil=[
            lambda e, _step: e.learn(np.arange(7.0), math.nan, 20.0),
            lambda e, _step: e.learn(np.full(7, np.nan), 3.0, 20.0),
        ],
    ),
    "Analogues": Subject(
        make=lambda: Analogues(DAY),
        learn=lambda e, step: e.learn(step, busy(step)),
        estimate=lambda e, _step: e.estimate(e.weigh(20.0), 2),
        spoil=[
            lambda e, step: e.learn(step, math.nan),
            lambda e, step: e.learn(step, math.inf),
            lambda e, _: e.learn(-1, 2.0),
        ],
        steps=24 * 20,
    ),
    "RecursiveLeastSquares": Subject(
        make=lambda: RecursiveLeastSquares(3, (0.99, 0.999), (1.5, math.inf)),
        learn=lambda e, step: e.learn(np.array([1.0, busy(step), step % 5]), busy(step + 1), 2.0),
        estimate=lambda e, step: e.estimate(np.array([1.0, busy(step), step % 5])),
        spoil=[
            lambda e, _step: e.learn(np.array([1.0, math.nan, 2.0]), 1.0),
            lambda e, _step: e.learn(np.array([1.0, math.inf, 2.0]), 1.0),
            lambda e, _step: e.learn(np.ones(3), math.nan),
            lambda e, _step: e.learn(np.ones(3), 1.0, 0.0),
            lambda e, _step: e.learn(np.ones(3), 1.0, math.nan),
        ],
    ),
    "Experts": Subject(
        make=lambda: Experts(3, 50),
        learn=lambda e, step: e.learn(np.array([busy(step), 10.0, 20.0]), busy(step + 1)),
        estimate=lambda e, step: e.estimate(np.array([busy(step), 10.0, 20.0])),
        spoil=[
            lambda e, _step: e.learn(np.array([math.nan, math.inf, 1.0]), 2.0),
            lambda e, _step: e.learn(np.ones(3), math.nan),
        ],
    ),
}


@pytest.mark.parametrize("name", SUBJECTS)
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_checks(check: Callable[[Subject], None], name: str) -> None:
    check(SUBJECTS[name])


def walked(hours: int, value: Callable[[int], float] = busy) -> Forecaster:
    forecaster = Forecaster(HOUR, (HOUR,))
    for hour in range(hours):
        forecaster.learn(hour * float(HOUR), value(hour))
    return forecaster


def test_it_says_how_much_it_knows() -> None:
    forecaster = Forecaster(HOUR, (HOUR,))
    assert forecaster.forecast(HOUR) == NOTHING
    methods = []
    for hour in range(24 * 30):
        forecaster.learn(hour * float(HOUR), busy(hour))
        methods.append(forecaster.forecast(HOUR).method)
    assert methods[0] == "persistence"
    assert methods[30] == "clim_dev"
    assert methods[-1] == "model"
    forecaster.learn(24 * 30 * float(HOUR), math.nan)
    assert forecaster.forecast(HOUR).method == "climatology"


def test_the_model_beats_climatology_and_its_deviation_and_the_band_holds() -> None:
    forecaster = Forecaster(HOUR, (HOUR,))
    model, baseline, inside, scored = 0.0, 0.0, 0, 0
    for hour in range(24 * 120):
        forecaster.learn(hour * float(HOUR), busy(hour))
        then, outlook = busy(hour + 1), forecaster.forecast(HOUR)
        if hour > 24 * 28 and then > 0:
            assert outlook.value is not None
            assert outlook.lo is not None
            assert outlook.hi is not None
            assert 0.0 <= outlook.lo <= outlook.value <= outlook.hi
            model += abs(outlook.value - then)
            baseline += abs(forecaster.baselines(HOUR)["clim_dev"] - then)
            inside += outlook.lo <= then <= outlook.hi
            scored += 1
    assert model < 0.9 * baseline
    assert 0.86 < inside / scored < 0.94


def test_a_plan_is_used() -> None:
    """Parties of forty, announced, at hours nobody could guess."""

    def value(hour: int) -> float:
        return 20.0 + 40.0 * float(np.random.default_rng(hour).random() < 0.1)

    errors = []
    for covariates in (0, 1):
        forecaster = Forecaster(HOUR, (HOUR,), covariates=covariates)
        error = 0.0
        for hour in range(24 * 40):
            plan = [[value(hour) - 20.0], [value(hour + 1) - 20.0]] if covariates else None
            forecaster.learn(hour * float(HOUR), value(hour), 0.0, plan)
            outlook = forecaster.forecast(HOUR)
            if hour > 24 * 28 and outlook.value is not None:
                error += abs(outlook.value - value(hour + 1))
        errors.append(error)
    assert errors[1] < 0.3 * errors[0]


def test_clocks_that_repeat_or_go_back_teach_nothing() -> None:
    forecaster = walked(24 * 20)
    before = forecaster.forecast(HOUR)
    assert not forecaster.learn((24 * 20 - 1) * float(HOUR) + 5.0, 1e6)
    assert not forecaster.learn(100.0, 1e6)
    assert forecaster.forecast(HOUR) == before


def test_summer_time_keeps_local_slots() -> None:
    """Local noon is busy, before and after the clocks change."""

    def noon(hour_utc: int) -> float:
        offset = 1 if hour_utc < 24 * 30 else 2
        return 50.0 if (hour_utc + offset) % 24 == 12 else 5.0

    forecaster = Forecaster(HOUR, (HOUR,))
    for hour in range(24 * 33):
        offset = 3600.0 if hour < 24 * 30 else 7200.0
        forecaster.learn(hour * float(HOUR), noon(hour), offset)
        if hour >= 24 * 31:
            assert forecaster.baselines(HOUR)["climatology"] == pytest.approx(noon(hour + 1), abs=0.5)


def test_a_hall_that_is_empty_all_year_has_its_evening() -> None:
    """Nobody for six weeks, then 250 people: the forecast says so as soon as they are there, inside its band."""
    forecaster = Forecaster(HOUR, (HOUR,))
    for hour in range(24 * 42):
        forecaster.learn(hour * float(HOUR), 0.0)
    for more in range(3):
        forecaster.learn((24 * 42 + more) * float(HOUR), 250.0)
    outlook = forecaster.forecast(HOUR)
    assert outlook.value is not None
    assert outlook.value > 200.0


def test_a_leap_of_years_is_no_loop_of_years() -> None:
    forecaster = walked(24 * 20)
    assert forecaster.learn(3e9, 7.0)
    assert forecaster.forecast(HOUR).value is not None


@pytest.mark.parametrize(("step", "horizons"), [(0, (600,)), (7, (7,)), (600, ()), (600, (700,)), (600, (0,))])
def test_grids_that_make_no_sense_are_refused(step: int, horizons: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"step|horizons"):
        Forecaster(step, horizons)


def test_covariates_of_a_wrong_shape_are_refused() -> None:
    with pytest.raises(ValueError, match="one row for now"):
        Forecaster(HOUR, (HOUR,), covariates=1).learn(0.0, 1.0, 0.0, [[1.0]])


def test_a_state_of_another_grid_is_refused() -> None:
    with pytest.raises(ValueError, match="start anew"):
        Forecaster(600, (HOUR,)).state = walked(30).state


def test_vanishing_features_do_not_wind_the_models_up() -> None:
    model = RecursiveLeastSquares(2, (0.9,))
    for _ in range(5_000):
        model.learn(np.zeros(2), 0.0)
    model.learn(np.array([1.0, 1.0]), 10.0)
    assert np.isfinite(model.estimate(np.ones(2))).all()
    assert unpacked(model.state.covariance, "<f8").max() < 1e5


def test_an_outlier_moves_a_huber_model_less() -> None:
    model = RecursiveLeastSquares(1, (0.99, 0.99), (1.5, math.inf))
    for _ in range(100):
        model.learn(np.ones(1), 10.0)
    model.learn(np.ones(1), 1_000.0)
    robust, plain = model.estimate(np.ones(1))
    assert robust < 10.5 < plain
