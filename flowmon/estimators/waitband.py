"""What a wait may turn out to be: quantiles and the shortest 80 % band around a forecast, with labels that come late.

Theory of operation
    score     s = log1p(W) - log1p(Ŵ), kept per group (queue length: the longer the line the smaller the spread), the
              last 600 of each; a group of fewer than 60 borrows those of all together
    p10, p80, p90    exp-quantiles of the scores, each at a level of its own that adapts: a ← a + γ (p - hit), γ = .005
    band      waits are skewed, so the band that cuts both tails alike is a quarter too wide: of the bands
              [q(a), q(a + c)] the shortest for a in 0 … .15 is told, c ← c + γ (.8 - inside) per group and together

Guarantee: long-run coverage of each level within O(1/(γ T)) for any data, as in `conformal`. Failure mode: after a
change of regime undercovered until about a hundred labels have told of it.

Source: Gibbs & Candès 2021; Vovk 2012 (groups); shortest intervals from quantiles: Romano et al. 2019, Sesia & Romano
2021.
"""

import bisect
import math
from collections.abc import Sequence

from msgspec import Struct

LEVELS = (0.1, 0.8, 0.9)
INSIDE = 0.8
GAMMA = 0.005
RING = 600
ENOUGH = 60
SCORE_MAX = 15.0
STARTS = (0.005, 0.03, 0.06, 0.1, 0.15)
SHIFT_MAX = 0.1


class Spread(Struct, frozen=True, array_like=True):
    """Seconds: the forecast, its quantiles, the shortest 80 % band; and the group they are of."""

    value: float
    p10: float
    p80: float
    p90: float
    lo: float
    hi: float
    group: int


class SpreadState(Struct, frozen=True):
    """rings: scores per group and, last, of all; shifts: per group what was added to LEVELS and to INSIDE."""

    version: int
    rings: list[list[float]]
    places: list[int]
    shifts: list[list[float]]
    labels: int


class WaitBand:
    """The spread of the waits of one line, in `groups` groups.

    >>> band = WaitBand(1)
    >>> for n in range(500):
    ...     band.learn(band.issue(100.0, 0), wait_s=50.0 + n * 37 % 101, value=100.0)   # 50..150, equally often
    >>> told = band.issue(100.0, 0)
    >>> round(told.p10), round(told.p90), round(told.hi - told.lo)
    (60, 140, 83)
    """

    def __init__(self, groups: int) -> None:
        if groups < 1:
            raise ValueError("at least one group")
        self._rings: list[list[float]] = [[] for _ in range(groups + 1)]
        self._sorted: list[list[float]] = [[] for _ in range(groups + 1)]
        self._places = [0] * (groups + 1)
        self._shifts = [[0.0] * (len(LEVELS) + 1) for _ in range(groups + 1)]
        self.labels = 0

    def issue(self, value: float, group: int) -> Spread | None:
        """The spread around `value` (>= 0, seconds); None while fewer than 60 labels are known."""
        if not math.isfinite(value) or value < 0.0 or self.labels < ENOUGH:
            return None
        ordered = self._sorted[group] if len(self._sorted[group]) >= ENOUGH else self._sorted[-1]
        shifts = [
            own + whole if group + 1 < len(self._shifts) else own
            for own, whole in zip(self._shifts[group], self._shifts[-1], strict=True)
        ]
        plain = [_quantile(ordered, level + shift) for level, shift in zip(LEVELS, shifts, strict=False)]
        inside = min(0.995, max(0.3, INSIDE + shifts[-1]))
        bands = [
            (_quantile(ordered, start), _quantile(ordered, start + inside)) for start in STARTS if start + inside < 1.0
        ] or [(ordered[0], ordered[-1])]
        low, high = min(bands, key=lambda band: math.exp(band[1]) - math.exp(band[0]))
        p10, p80, p90, lo, hi = (_moved(value, score) for score in (*plain, low, high))
        return Spread(value, min(p10, value), max(p80, p10), max(p90, p80, p10), lo, max(hi, lo), group)

    def learn(self, issued: Spread | None, wait_s: float, value: float | None = None, group: int = 0) -> None:
        """What was issued turned out to be `wait_s`; where nothing was issued yet, of which `value` and `group`."""
        if not (math.isfinite(wait_s) and wait_s >= 0.0):
            return
        if issued is not None:
            value, group = issued.value, issued.group
            self._adapt(issued, wait_s)
        elif value is None:
            return
        score = min(SCORE_MAX, max(-SCORE_MAX, math.log1p(wait_s) - math.log1p(value)))
        for ring in (group, len(self._rings) - 1):
            self._keep(ring, score)
        self.labels += 1

    def _adapt(self, issued: Spread, wait_s: float) -> None:
        hits = [wait_s <= edge for edge in (issued.p10, issued.p80, issued.p90)]
        hits.append(issued.lo <= wait_s <= issued.hi)
        for shifts in (self._shifts[issued.group], self._shifts[-1]):
            for place, (hit, level) in enumerate(zip(hits, (*LEVELS, INSIDE), strict=True)):
                moved = shifts[place] + GAMMA * (level - float(hit))
                shifts[place] = min(SHIFT_MAX, max(-SHIFT_MAX, moved))

    def _keep(self, number: int, score: float) -> None:
        ring, ordered = self._rings[number], self._sorted[number]
        if len(ring) < RING:
            ring.append(score)
        else:
            place = self._places[number]
            ordered.pop(bisect.bisect_left(ordered, ring[place]))
            ring[place] = score
            self._places[number] = (place + 1) % RING
        bisect.insort(ordered, score)

    @property
    def state(self) -> SpreadState:
        """A plain copy of everything remembered."""
        return SpreadState(
            1, [list(ring) for ring in self._rings], list(self._places), [list(s) for s in self._shifts], self.labels
        )

    @state.setter
    def state(self, state: SpreadState) -> None:
        if len(state.rings) != len(self._rings):
            raise ValueError("the state is of other groups: start anew")
        self._rings = [list(ring) for ring in state.rings]
        self._sorted = [sorted(ring) for ring in state.rings]
        self._places, self._shifts = list(state.places), [list(shifts) for shifts in state.shifts]
        self.labels = state.labels


def _quantile(ordered: Sequence[float], level: float) -> float:
    """Between the neighbours, `level` clamped to what the scores can tell."""
    place = min(1.0, max(0.0, level)) * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def _moved(value: float, score: float) -> float:
    return max(0.0, math.expm1(math.log1p(value) + score))
