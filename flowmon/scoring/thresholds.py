"""The baselines of event detection: Poisson tails over the usual of the week, and a plain two-state chain on them.

Source: thresholds on a Poisson model as Ihler, Hutchins & Smyth 2007 compare with; tail summed as a series.
"""

import math

from flowmon.estimators.climatology import Climatology
from flowmon.estimators.events import EVERY_S, LASTS_S

USUAL_LEAST = 0.3  # people per step


class TwoState:
    """The baselines: Poisson over the exponentially weighted usual of the week, and a two-state chain on it."""

    def __init__(self, day: int, step_s: int) -> None:
        self._usual = [Climatology(day), Climatology(day)]
        self._level = [(0.0, 0.0), (0.0, 0.0)]
        self._begin, self._end = min(0.2, step_s / EVERY_S), min(0.5, step_s / LASTS_S)
        self._chance = 0.05

    def learn(self, flows: tuple[float, float], slot: int) -> tuple[list[float], float]:
        """Tails of both flows and odds of the chain, all log10."""
        prior = self._chance * (1.0 - self._end) + (1.0 - self._chance) * self._begin
        tails, ratio = [], 0.0
        for number, (usual, count) in enumerate(zip(self._usual, flows, strict=True)):
            mean = usual.estimate(slot)
            total, seen = self._level[number]
            if math.isnan(mean) or math.isnan(count):
                tails.append(0.0)
            else:
                mean = max(mean, USUAL_LEAST)
                tails.append(tail(count, mean))
                more = 1.0 + 2.0 * total / max(seen, 1.0) / mean
                ratio += count * math.log(more) - mean * (more - 1.0)
            if not math.isnan(count):
                self._level[number] = (total + count, seen + 1.0)
                usual.learn(count, slot)
        odds = prior / (1.0 - prior) * math.exp(min(50.0, max(-50.0, ratio)))
        self._chance = min(1.0 - 1e-9, odds / (1.0 + odds))
        return tails, math.log10(max(odds, 1e-12))


def tail(count: float, mean: float) -> float:
    """-log10 P(X >= count) of a Poisson number with that mean (> 0); 0 for what is not above the mean.

    >>> round(tail(3.0, 1.0), 3)     # 1 - e^-1 (1 + 1 + 1/2) = 0.0803
    1.095
    """
    if count <= mean:
        return 0.0
    whole = math.ceil(count)
    term = total = 1.0
    for more in range(1, 10_000):
        term *= mean / (whole + more)
        total += term
        if term < 1e-12 * total:
            break
    return max(0.0, -(whole * math.log(mean) - mean - math.lgamma(whole + 1) + math.log(total)) / math.log(10))
