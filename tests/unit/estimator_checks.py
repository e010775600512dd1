"""One suite for every estimator: what `flowmon/estimators/port.py` promises, checked the same way for all.

How to plug in: describe the estimator as a `Subject` and parametrise over CHECKS in the estimator's own test file:

    from tests.unit.estimator_checks import CHECKS, Subject

    SUBJECT = Subject(
        make=lambda: Balance(INCIDENCE),                              # a fresh one, always the same
        learn=lambda estimator, step: estimator.learn(crossings(step)),   # sound evidence of step 0, 1, 2 …
        estimate=lambda estimator, step: estimator.estimate(),        # any nest of numbers, strings and None
        spoil=[lambda estimator, step: estimator.learn(np.array([math.nan, 1.0]))],   # evidence that is none
    )

    @pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
    def test_checks(check):
        check(SUBJECT)

Estimators whose state is a property `state` with a setter need nothing else; where the state is handed to the
constructor, give `restore`. A deterministic `learn` takes all its variety from `step` (arithmetic or a seeded
Generator made anew for each step). Checks:

    round_trip     state → msgpack → state in a fresh estimator, half-way: all later answers equal to 1e-9
    not_poisoned   NaN, infinity and other non-evidence never raise, never make a later answer not finite
    deterministic  two runs give equal answers and equal bytes of state
    bounded        the state grows no more in the last third of a long run (`slack` for what breathes)
    shared         a state taken out is a copy: learning on does not change it
    cost           microseconds per step, printed (`pytest -s`); fails above `cost_us`, which is generous
"""

import math
import time
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
import pytest
from msgspec import Struct


def set_state(estimator: Any, state: Any) -> Any:
    """The usual way back: a fresh estimator is given its state."""
    estimator.state = state
    return estimator


class Subject(Struct):
    """One estimator under test. steps: of a run; long: of the run that looks for growth; slack: bytes."""

    make: Callable[[], Any]
    learn: Callable[[Any, int], Any]
    estimate: Callable[[Any, int], Any]
    spoil: list[Callable[[Any, int], Any]]
    restore: Callable[[Any, Any], Any] = set_state
    steps: int = 200
    long: int = 900
    slack: int = 256
    cost_us: float = 20_000.0


def round_trip(subject: Subject) -> None:
    """A restart changes nothing to 1e-9."""
    kept = _run(subject, 0, subject.steps // 2)
    packed = msgspec.msgpack.encode(kept.state)
    restored = subject.restore(subject.make(), msgspec.msgpack.decode(packed, type=type(kept.state)))
    assert msgspec.msgpack.encode(restored.state) == packed, "the state is not the same after it was put back"
    for step in range(subject.steps // 2, subject.steps):
        subject.learn(kept, step)
        subject.learn(restored, step)
        for one, other in zip(flat(subject.estimate(kept, step)), flat(subject.estimate(restored, step)), strict=True):
            assert same(one, other), f"step {step}: {one!r} before the restart, {other!r} after"


def not_poisoned(subject: Subject) -> None:
    """What is no evidence neither raises nor stays."""
    assert subject.spoil, "name some evidence that is none"
    estimator = _run(subject, 0, subject.steps // 2)
    for number, spoil in enumerate(subject.spoil):
        first = subject.steps // 2 + 3 * number
        spoil(estimator, first)
        subject.estimate(estimator, first)
        for step in range(first + 1, first + 3):
            subject.learn(estimator, step)
    first = subject.steps // 2 + 3 * len(subject.spoil)
    for step in range(first, first + subject.steps):
        subject.learn(estimator, step)
    told = [value for value in flat(subject.estimate(estimator, first + subject.steps)) if isinstance(value, float)]
    assert told, "nothing is told any more"
    assert all(map(math.isfinite, told)), f"poisoned: {told[:20]}"
    fresh = subject.make()
    for step, spoil in enumerate(subject.spoil):
        spoil(fresh, step)  # as the first evidence ever
        subject.estimate(fresh, step)


def deterministic(subject: Subject) -> None:
    """The same evidence gives the same answers and the same bytes."""
    one, other = _run(subject, 0, subject.steps), _run(subject, 0, subject.steps)
    assert repr(flat(subject.estimate(one, subject.steps))) == repr(flat(subject.estimate(other, subject.steps)))
    assert msgspec.msgpack.encode(one.state) == msgspec.msgpack.encode(other.state)


def bounded(subject: Subject) -> None:
    """Memory does not grow with time."""
    estimator = _run(subject, 0, 2 * subject.long // 3)
    before = len(msgspec.msgpack.encode(estimator.state))
    for step in range(2 * subject.long // 3, subject.long):
        subject.learn(estimator, step)
    after = len(msgspec.msgpack.encode(estimator.state))
    assert after <= before + subject.slack, f"the state grew from {before} to {after} bytes"


def shared(subject: Subject) -> None:
    """A state that was taken out stays as it was."""
    estimator = _run(subject, 0, subject.steps // 2)
    state = estimator.state
    if subject.restore is not set_state:
        pytest.skip("its state is the estimator's own struct, by design")
    before = msgspec.msgpack.encode(state)
    for step in range(subject.steps // 2, subject.steps):
        subject.learn(estimator, step)
    assert msgspec.msgpack.encode(state) == before, "the state that was taken out changed afterwards"


def cost(subject: Subject) -> None:
    """Microseconds per step of learning and estimating, the best of three runs of 50: a busy machine is no defect."""
    estimator = _run(subject, 0, subject.steps)
    best, step = math.inf, subject.steps
    for _ in range(3):
        begun = time.perf_counter()
        for step in range(step, step + 50):  # noqa: B020 the next run goes on where this one ended
            subject.learn(estimator, step)
            subject.estimate(estimator, step)
        best = min(best, (time.perf_counter() - begun) / 50)
        step += 1
    size = len(msgspec.msgpack.encode(estimator.state))
    print(f"{type(estimator).__name__}: {best * 1e6:.1f} µs per step, {size:,} bytes of state")
    assert best * 1e6 < subject.cost_us


CHECKS: list[Callable[[Subject], None]] = [round_trip, not_poisoned, deterministic, bounded, shared, cost]


def flat(answer: Any) -> list[Any]:
    """The numbers, strings and None in any nest of tuples, lists, dictionaries, arrays and structs, in order."""
    if answer is None or isinstance(answer, str | bytes | bool):
        return [answer]
    if isinstance(answer, int | float):
        return [float(answer)]
    if isinstance(answer, Struct):
        return flat(msgspec.structs.astuple(answer))
    if hasattr(answer, "tolist"):
        return flat(answer.tolist())
    if isinstance(answer, dict):
        return flat([[key, value] for key, value in answer.items()])
    if isinstance(answer, Iterable):
        return [value for part in answer for value in flat(part)]
    raise TypeError(f"a {type(answer).__name__} in an answer: give numbers")


def same(one: Any, other: Any) -> bool:
    """Equal to 1e-9 (relative above one); NaN equals NaN."""
    if isinstance(one, float) and isinstance(other, float):
        if math.isnan(one) or math.isnan(other):
            return math.isnan(one) and math.isnan(other)
        return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-9)
    return bool(one == other)


def _run(subject: Subject, start: int, stop: int) -> Any:
    """A fresh estimator that has learned the steps."""
    estimator = subject.make()
    for step in range(start, stop):
        subject.learn(estimator, step)
    return estimator
