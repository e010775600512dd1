"""Bands that hold nine times in ten although nobody knows the distribution, with labels that arrive late.

Theory of operation
    score    s = (y - ŷ) / u,   u = ((2 + √ŷ)/2 + ½ e[slot]) · v            counts; the slot's usual error e, EW .08
             on waits (`kind="log"`) y and ŷ are log1p first and (2 + √ŷ) is 1
    v        = (recent mean |s| ÷ long mean |s|)^½ in [½, 3]: calm and restless spells; half-life 24 labels against 500
    band     [ŷ + u·q(a_lo), ŷ + u·q(1 - a_hi)]       q: quantile of the last scores of this group, both tails apart
    adapt    a ← a + γ (α/2 - missed)  per group and tail, and the same for all groups together,  γ = .005
             α clamped to [.0005, ¼]
    Groups are blocks of the day, and one for forecasts of (nearly) nobody: closed hours are always covered, and without
    a group of their own they would pay for the misses of the open ones.
    A band is issued with a forecast and learns when its label matures; what was issued is kept by the caller.

Guarantee: |long-run misses - α| ≤ (¼ + γ)/(γ T) per group for any data, as long as the clamp is not touched. It needs
labels: for numbers that are never observed (occupancy without recounts) there is none.
Failure mode: a step in the process is undercovered until ~1/γ labels told of it, later by the horizon.

Source: Gibbs & Candès 2021 (adaptive conformal inference); Angelopoulos, Candès & Tibshirani 2023 (conformal PID);
Vovk 2012 (Mondrian groups); normalised scores: Papadopoulos 2008.
"""

import bisect
import math

import numpy as np
from msgspec import Struct

from flowmon.estimators.memory import packed, short, unpacked
from flowmon.estimators.port import Z90

GAMMA = 0.005
TAIL_MIN, TAIL_MAX = 0.0005, 0.25
TOGETHER_MAX = 0.04
RING = 400
ENOUGH = 60  # scores of a group before it speaks for itself
SLOT_RATE = 0.08
RECENT, LONG = 1.0 - 0.5 ** (1 / 24), 0.002
SCORE_MAX = 20.0
QUIET = 0.1  # a forecast below that share of the usual level is one of nobody
LEVEL_RATE = 0.003


class Issued(Struct, frozen=True, array_like=True):
    """A forecast with its band, and what the band has to know when the label comes."""

    value: float
    lo: float
    hi: float
    scale: float
    plain: float
    group: int
    slot: int


class BandState(Struct, frozen=True):
    """rings: scores per group as float16, packed, the last of all together; tails: (groups, 2).

    slots: usual error as float32, packed, NaN: unknown.
    """

    version: int
    rings: list[bytes]
    places: list[int]
    tails: list[list[float]]
    together: list[float]
    slots: bytes
    recent: float
    long: float
    level: float
    labels: int


class AdaptiveBand:
    """The band of one series and horizon. kind: "count" or "log" (waits, in any unit); both are never negative.

    >>> band = AdaptiveBand()
    >>> for day in range(400):
    ...     issued = band.issue(20.0)
    ...     band.learn(issued, label=20.0 + (day * 7) % 11 - 5)   # -5..5, equally often
    >>> issued = band.issue(20.0)
    >>> round(issued.lo), round(issued.hi)
    (15, 25)
    """

    def __init__(self, slots_of_day: int = 1, blocks: int = 8, coverage: float = 0.9, kind: str = "count") -> None:
        if kind not in {"count", "log"} or not 0.0 < coverage < 1.0 or slots_of_day < 1:
            raise ValueError('kind is "count" or "log", coverage between 0 and 1, slots_of_day at least 1')
        self._log = kind == "log"
        self._miss = (1.0 - coverage) / 2.0
        self._blocks = min(blocks, slots_of_day)
        groups = self._blocks + 1
        self._rings: list[list[float]] = [[] for _ in range(groups + 1)]
        self._places = [0] * (groups + 1)
        self._sorted: list[list[float]] = [[] for _ in range(groups + 1)]
        self._tails = [[self._miss, self._miss] for _ in range(groups)]
        self._together = [0.0, 0.0]
        self._slots: list[float | None] = [None] * slots_of_day
        self._recent = self._long = 1.0
        self._level = 0.0
        self.labels = 0

    def issue(self, value: float, slot: int = 0) -> Issued | None:
        """The band around `value` (>= 0) for a target in `slot` of the day; None when the value is not finite."""
        if not math.isfinite(value) or value < 0.0:
            return None
        slots = len(self._slots)
        slot %= slots
        around = [self._slots[(slot + step) % slots] for step in (-1, 0, 1)]
        usual = [error for error in around if error is not None]
        noise = 1.0 if self._log else 2.0 + math.sqrt(value)
        plain = 0.5 * (noise + (sum(usual) / len(usual) if usual else noise))
        scale = plain * min(3.0, max(0.5, math.sqrt(self._recent / max(self._long, 1e-9))))
        quiet = value < QUIET * self._level
        group = self._blocks if quiet else slot * self._blocks // slots
        low, high = self._quantiles(group)
        middle = math.log1p(value) if self._log else value
        lo, hi = middle + scale * min(low, 0.0), middle + scale * max(high, 0.0)
        if self._log:
            lo, hi = math.expm1(lo), math.expm1(min(hi, 700.0))
        return Issued(value, max(0.0, lo), hi, scale, plain, group, slot)

    def learn(self, issued: Issued, label: float) -> None:
        """What was `issued` turned out to be `label` (>= 0). Labels that are not finite or negative are refused."""
        if not math.isfinite(label) or label < 0.0:
            return
        error = math.log1p(label) - math.log1p(issued.value) if self._log else label - issued.value
        score = float(np.float16(min(SCORE_MAX, max(-SCORE_MAX, error / issued.scale))))  # as it is remembered
        self._adapt(issued, label)
        for group in (issued.group, len(self._rings) - 1):
            self._keep(group, score)
        known = self._slots[issued.slot]
        off = abs(error)
        self._slots[issued.slot] = short(off if known is None else known + SLOT_RATE * (off - known))
        restless = min(SCORE_MAX, off / issued.plain)
        self.labels += 1
        self._recent += max(RECENT, 1.0 / self.labels) * (restless - self._recent)
        self._long += max(LONG, 1.0 / self.labels) * (restless - self._long)
        self._level += max(LEVEL_RATE, 1.0 / self.labels) * (issued.value - self._level)

    def _adapt(self, issued: Issued, label: float) -> None:
        """Widen the tail that missed, narrow the one that held."""
        tails = self._tails[issued.group]
        for side, missed in enumerate((label < issued.lo, label > issued.hi)):
            surprise = float(missed) - self._miss
            tails[side] = min(TAIL_MAX, max(TAIL_MIN, tails[side] - GAMMA * surprise))
            together = self._together[side] + GAMMA * surprise
            self._together[side] = min(TOGETHER_MAX, max(-TOGETHER_MAX, together))

    def _keep(self, group: int, score: float) -> None:
        """Put a score into the group's ring and its sorted twin."""
        ring, ordered = self._rings[group], self._sorted[group]
        if len(ring) < RING:
            ring.append(score)
        else:
            place = self._places[group]
            ordered.pop(bisect.bisect_left(ordered, ring[place]))
            ring[place] = score
            self._places[group] = (place + 1) % RING
        bisect.insort(ordered, score)

    def _quantiles(self, group: int) -> tuple[float, float]:
        """Scores that cut the two tails off; of all groups while this one knows too little, normal before that."""
        ordered = self._sorted[group] if len(self._sorted[group]) >= ENOUGH else self._sorted[-1]
        count = len(ordered)
        if count < ENOUGH // 2:
            return -Z90, Z90
        tails = [max(TAIL_MIN, tail - more) for tail, more in zip(self._tails[group], self._together, strict=True)]
        reach = count + 1
        low = max(0, math.floor(tails[0] * reach) - 1)
        high = min(count - 1, math.ceil((1.0 - tails[1]) * reach) - 1)
        return ordered[low], ordered[high]

    @property
    def state(self) -> BandState:
        """A plain copy of everything remembered."""
        return BandState(
            version=2,
            rings=[packed(np.array(ring), "<f2") for ring in self._rings],
            places=list(self._places),
            tails=[list(tails) for tails in self._tails],
            together=list(self._together),
            slots=packed(np.array([math.nan if error is None else error for error in self._slots])),
            recent=self._recent,
            long=self._long,
            level=self._level,
            labels=self.labels,
        )

    @state.setter
    def state(self, state: BandState) -> None:
        slots: list[float] = unpacked(state.slots).tolist()
        if len(state.rings) != len(self._rings) or len(slots) != len(self._slots):
            raise ValueError("the state is of other groups or slots: start anew")
        self._rings = [unpacked(ring, "<f2").tolist() for ring in state.rings]
        self._sorted = [sorted(ring) for ring in self._rings]
        self._places, self._tails = list(state.places), [list(tails) for tails in state.tails]
        self._together = list(state.together)
        self._slots = [None if math.isnan(error) else error for error in slots]
        self._recent, self._long = state.recent, state.long
        self._level, self.labels = state.level, state.labels
