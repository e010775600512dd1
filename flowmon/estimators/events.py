"""Unusual events in two-way counts: how likely is it that more people than usual come for something, right now?

Theory of operation
    Usual, per flow:   μ = M[kind of day, slot] · δ[weekday] · ω[weekday, slot]
        M: people per visit of that slot, δ: how busy a weekday is, ω: what only this slot of this weekday has. Each is
        a ratio of decayed sums with pseudo-counts (a Gamma posterior mean): little is believed after one week.
        c ~ NegBin(μ, var = 1.6 μ + ν μ²): people come in parties, and days differ; ν is learned. What is not known well
        widens ν. One count in ten may be out of the usual for no reason (ε, half the level): flukes are no events.
    Event: c ~ usual + extra, mean 2 levels, wide; level: twice the mean count. Either flow may show it, or both.
    Chain: an event begins once in two days and lasts four hours (two-state Markov chain, forward filter)
        odds = prior odds · Π_flows ((1 - a) + a L_f)
    Learning is weighted by 1 - P(event), never below a tenth, so that an event does not become usual at once, but one
    that comes every week does.
    Turned: a counter whose two directions were swapped makes mornings look like evenings. The log-likelihood of the
    exchanged flows against the plain ones is summed (each look worth at most half a unit); beyond ±4 the flows are
    exchanged before they are judged and learned.

Assumptions: slots of the week repeat; two kinds of day. Failure modes: a slot seen less than twice is never called an
event; a new opening hour is one event a week for a few weeks; a whole day that is a little busier is not found.

Source: Ihler, Hutchins & Smyth, Learning to detect events with Markov-modulated Poisson processes, 2007 (the rate's
factors and the chain; filtered forward instead of sampled, negative binomial instead of Poisson).
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

Array = NDArray[np.float64]

DAYS = 7
WEEKEND = (0, 0, 0, 0, 0, 1, 1)
HALF_LIFE_WEEKS = 8.0
DAY_PRIOR, SLOT_PRIOR = 200.0, 100.0  # people's worth of "as on other days"
PARTY = 0.6  # variance above Poisson's, per person
SPREAD, SPREAD_LEAST = 0.1, 0.005  # ν before anything is known, and at least
STRANGE, STRANGE_LEVELS = 0.1, 0.25
EXTRA_LEVELS, EXTRA_SHAPE = 2.0, 2.0
SHOWS = 0.6  # a: the share of events that a flow shows in one step
EVERY_S, LASTS_S = 48 * 3600.0, 4 * 3600.0
WEIGHT_LEAST = 0.1
TURN, TURN_STEP, TURN_MAX = 4.0, 0.5, 8.0
LOG_MAX = 50.0
VISITS_MIN = 0.75
COUNT_MAX = 1e7


class Belief(NamedTuple):
    """chance of an event (0..1) and its log10 odds; turned: the flows look exchanged; usual: people per flow, (F,)."""

    chance: float
    odds: float
    turned: bool
    usual: tuple[float, ...]


class UsualState(Struct, frozen=True):
    """Decayed sums of one flow: people and visits per kind and slot, weekday, weekday and slot; ν; level."""

    slot: list[list[float]]
    day: list[list[float]]
    both: list[list[float]]
    spread: tuple[float, float]
    level: tuple[float, float]


class EventsState(Struct, frozen=True):
    """All an `UnusualEvents` remembers."""

    version: int
    flows: list[UsualState]
    chance: float
    odds: float
    turning: float
    turned: bool
    usual: list[float]


class _Rate(NamedTuple):
    """What is usual of one flow now: mean, its parts, ν with what is not known, and what one visit is worth."""

    mean: float
    shape: float
    day: float
    spread: float
    worth: float


class UnusualEvents:
    """Events in one or two flows that share a door. slots_of_day: steps of `step_s` seconds a day.

    kinds: the kind of each weekday, Monday first, from 0.

    >>> events = UnusualEvents(slots_of_day=24, step_s=3600)
    >>> for hour in range(24 * 35): events.learn((20.0 + hour % 3, 21.0), slot=hour % 168)
    >>> events.estimate().chance < 0.05
    True
    >>> events.learn((95.0, 30.0), slot=0)
    >>> events.estimate().chance > 0.9
    True
    """

    def __init__(self, slots_of_day: int, step_s: float, flows: int = 2, kinds: tuple[int, ...] = WEEKEND) -> None:
        if slots_of_day < 1 or not step_s > 0 or flows not in {1, 2} or len(kinds) != DAYS:
            raise ValueError("slots_of_day is at least 1, step_s above 0, flows 1 or 2, kinds one for each weekday")
        self._slots = slots_of_day
        self._flows = [_Usual(slots_of_day, kinds) for _ in range(flows)]
        self._begin, self._end = min(0.2, step_s / EVERY_S), min(0.5, step_s / LASTS_S)
        self._chance = self._begin / (self._begin + self._end)
        self._odds = math.log10(self._chance / (1.0 - self._chance))
        self._turning, self._turned = -TURN_MAX, False
        self._usual = tuple(math.nan for _ in self._flows)

    def learn(self, counts: Sequence[float], slot: int) -> None:
        """People of each flow in one step; slot: weekday (Monday 0) · slots_of_day + slot of the day. NaN: missing."""
        if len(counts) != len(self._flows):
            raise ValueError(f"{len(counts)} counts for {len(self._flows)} flows")
        sound = [c if math.isfinite(c) and 0.0 <= c <= COUNT_MAX else math.nan for c in map(float, counts)]
        day, now = slot // self._slots % DAYS, slot % self._slots
        rates = [flow.rate(day, now) for flow in self._flows]
        known = all(flow.visits(day, now) >= VISITS_MIN for flow in self._flows)
        parts = self._likelihoods(sound, rates)
        if len(sound) == 2 and known and not any(map(math.isnan, sound)):
            other = self._likelihoods(sound[::-1], rates)
            self._turn(sum(p for p, _ in other) - sum(p for p, _ in parts))
            if self._turned:
                parts, sound = other, sound[::-1]
        self._filter(parts, known=known)
        self._usual = tuple(rate.mean for rate in rates)
        for flow, count, rate in zip(self._flows, sound, rates, strict=True):
            if not math.isnan(count):
                flow.learn(day, now, count, max(WEIGHT_LEAST, 1.0 - self._chance), rate)

    def estimate(self) -> Belief:
        """What is believed after the last step learned."""
        return Belief(self._chance, self._odds, self._turned, self._usual)

    @property
    def state(self) -> EventsState:
        """A plain copy of everything remembered."""
        flows, usual = [flow.state for flow in self._flows], [-1.0 if u != u else u for u in self._usual]  # noqa: PLR0124
        return EventsState(1, flows, self._chance, self._odds, self._turning, self._turned, usual)

    @state.setter
    def state(self, state: EventsState) -> None:
        if len(state.flows) != len(self._flows):
            raise ValueError(f"the state has {len(state.flows)} flows, not {len(self._flows)}: start anew")
        for flow, remembered in zip(self._flows, state.flows, strict=True):
            flow.state = remembered
        self._chance, self._odds = state.chance, state.odds
        self._turning, self._turned = state.turning, state.turned
        self._usual = tuple(math.nan if u < 0 else u for u in state.usual)

    def _likelihoods(self, counts: list[float], rates: list[_Rate]) -> list[tuple[float, float]]:
        """(usual, event) log-likelihoods of each flow; equal ones where a count is missing."""
        return [
            (0.0, 0.0) if math.isnan(count) else _compare(count, rate, flow.level)
            for flow, count, rate in zip(self._flows, counts, rates, strict=True)
        ]

    def _turn(self, difference: float) -> None:
        """Evidence that the flows are exchanged: the log-likelihood of that less the one of the plain reading."""
        step = TURN_STEP * min(1.0, max(-1.0, difference))
        self._turning = min(TURN_MAX, max(-TURN_MAX, self._turning + step))
        if abs(self._turning) > TURN:
            self._turned = self._turning > 0

    def _filter(self, parts: list[tuple[float, float]], *, known: bool) -> None:
        """One step of the chain."""
        prior = self._chance * (1.0 - self._end) + (1.0 - self._chance) * self._begin
        shown = 1.0
        for usual, event in parts:
            shown *= (1.0 - SHOWS) + SHOWS * math.exp(min(LOG_MAX, max(-LOG_MAX, event - usual)))
        hidden = (1.0 - SHOWS) ** len(parts)
        ratio = max((shown - hidden) / (1.0 - hidden), 1e-12)
        odds = prior / (1.0 - prior) * (ratio if known else min(ratio, 1.0))
        self._chance = min(1.0 - 1e-9, odds / (1.0 + odds))
        self._odds = math.log10(max(odds, 1e-12))


class _Usual:
    """What is usual of one flow."""

    def __init__(self, slots: int, kinds: tuple[int, ...]) -> None:
        self._kinds, self._slots = kinds, slots
        each = [kinds.count(kind) for kind in range(max(kinds) + 1)]
        # A weight of one visit, halved after so many weeks; a slot of a kind is visited on each of its days.
        self._fade = [1.0 - 0.5 ** (1.0 / (HALF_LIFE_WEEKS * max(1, days))) for days in each]
        self._fade_day = 1.0 - 0.5 ** (1.0 / (HALF_LIFE_WEEKS * slots))
        self._fade_both = 1.0 - 0.5 ** (1.0 / HALF_LIFE_WEEKS)
        self._slot: Array = np.zeros((2, len(each), slots))
        self._day: Array = np.zeros((2, DAYS))
        self._both: Array = np.zeros((2, DAYS, slots))
        self._spread = (SPREAD * 50.0, 50.0)
        self._level = (0.0, 0.0)

    @property
    def level(self) -> float:
        """Twice the mean count, at least one person."""
        return max(1.0, 2.0 * self._level[0] / max(1.0, self._level[1]))

    def visits(self, day: int, slot: int) -> float:
        """How often that slot of that kind of day was seen, in days as busy as usual."""
        return float(self._slot[1, self._kinds[day], slot])

    def rate(self, day: int, slot: int) -> _Rate:
        """What is usual in `slot` of `day`."""
        people, visits = self._around(self._kinds[day], slot)
        if visits <= 0.0:  # a tenth of what is known of other kinds of day
            others = [self._around(kind, slot) for kind in range(len(self._fade))]
            people, visits = (0.1 * sum(part) for part in zip(*others, strict=True))
        shape = (people + 0.3) / (visits + 0.3)
        busy = float((DAY_PRIOR + self._day[0, day]) / (DAY_PRIOR + self._day[1, day]))
        only = float((SLOT_PRIOR + self._both[0, day, slot]) / (SLOT_PRIOR + self._both[1, day, slot]))
        mean = max(0.1, shape * busy * only)
        spread = self._spread[0] / self._spread[1]
        worth = 1.0 / (1.0 + mean * spread)
        return _Rate(mean, shape, busy, spread + 1.0 / (0.3 + people * worth), worth)

    def learn(self, day: int, slot: int, count: float, weight: float, rate: _Rate) -> None:
        """`count` people, believed to be usual with `weight` (0..1)."""
        kind = self._kinds[day]
        _add(self._slot[:, kind, slot], self._fade[kind] * weight, weight * np.array([count, rate.day]))
        worth = weight * rate.worth
        _add(self._day[:, day], self._fade_day * weight, worth * np.array([count, rate.shape]))
        _add(self._both[:, day, slot], self._fade_both * weight, worth * np.array([count, rate.shape * rate.day]))
        above = (count - rate.mean) ** 2 - rate.mean
        most = 8.0 * (rate.mean + rate.spread * rate.mean**2)
        over, of = 0.999 * self._spread[0] + weight * min(above, most), 0.999 * self._spread[1] + weight * rate.mean**2
        self._spread = (max(over, SPREAD_LEAST * of), of)
        self._level = (0.9995 * self._level[0] + count, 0.9995 * self._level[1] + 1.0)

    @property
    def state(self) -> UsualState:
        sums = [part.ravel().tolist() for part in (self._slot[0], self._slot[1])]
        day, both = self._day.tolist(), [part.ravel().tolist() for part in (self._both[0], self._both[1])]
        return UsualState(sums, day, both, self._spread, self._level)

    @state.setter
    def state(self, state: UsualState) -> None:
        slot, day, both = np.array(state.slot), np.array(state.day), np.array(state.both)
        if slot.size != self._slot.size or both.size != self._both.size:
            raise ValueError("the state is of another number of slots a day: start anew")
        self._slot, self._day = slot.reshape(self._slot.shape), day
        self._both = both.reshape(self._both.shape)
        self._spread, self._level = state.spread, state.level

    def _around(self, kind: int, slot: int) -> tuple[float, float]:
        """People and visits of a slot, its neighbours counted a quarter."""
        before, after = (slot - 1) % self._slots, (slot + 1) % self._slots
        sums = self._slot[:, kind]
        people, visits = sums[:, slot] + 0.25 * (sums[:, before] + sums[:, after])
        return float(people), float(visits)


def _add(sums: Array, fade: float, what: Array) -> None:
    sums *= 1.0 - fade
    sums += what


def _compare(count: float, rate: _Rate, level: float) -> tuple[float, float]:
    """Log-likelihoods of `count` as usual (now and then strange) and in an event."""
    variance = PARTY * rate.mean + rate.spread * rate.mean**2
    level = max(level, rate.mean)
    usual = _negative_binomial(count, rate.mean, variance)
    strange = STRANGE_LEVELS * level
    odd = _negative_binomial(count, rate.mean + strange, variance + PARTY * strange + strange**2)
    extra = EXTRA_LEVELS * level
    event = _negative_binomial(count, rate.mean + extra, variance + PARTY * extra + extra**2 / EXTRA_SHAPE)
    top = max(usual, odd)
    mixed = top + math.log((1.0 - STRANGE) * math.exp(usual - top) + STRANGE * math.exp(odd - top))
    return mixed, event


def _negative_binomial(count: float, mean: float, excess: float) -> float:
    """Log-probability of `count` with that mean and a variance of mean + excess."""
    size = mean * mean / excess
    share = mean / (size + mean)
    return (
        math.lgamma(count + size) - math.lgamma(size) - math.lgamma(count + 1.0)
        + size * math.log1p(-share) + count * math.log(share)
    )  # fmt: skip
