"""Counters that stopped being right: dead, losing, exchanged, stuck, doubled. From their counts alone, in equal bins.

Theory of operation
    Expected. What a counter k should have counted now, per direction, is its usual share of what all others count:
        μ_k = U_k(t) · L_k,   L_k = Σ_others c / Σ_others U, both faded over four bins
    U: usual people per bin at this time of day (half hours, interpolated), faded over ten days. Weather, holidays and
    coaches move all doors, so they cancel; a quiet hour does not alarm; and a door that loses a share of its people is
    seen although the venue's forecast would follow it. A counter alone is compared with its own day so far.
    Residual (Anscombe): z = (2√(c + ⅜) - 2√(μ + ⅜)) / s, s² the larger of the variance of z and that of sums of six,
    so that parties and slow drifts of shares do not look like faults.

    loss, surplus  CUSUM  S ← max(0, S ∓ z - k),  k ½, alarm at h 7.5 (both directions), 9.5 (one), 14 (surplus)
    dead           nothing counted for two bins or more, which had a probability under e^-14 (negative binomial)
    stuck          the same non-zero numbers for more than ten bins, which had a probability under e^-16
    reversed       log-likelihood of the directions exchanged over the plain ones, summed and cut at zero, at 12
    duplicated     every count even: log-odds of "always twice" (.95 even) over parties (.6 even), at 12

    A verdict stands until the counts contradict it: log-likelihood ratio of "as usual" over "as it was", at 8; or for
    400 judged bins (some days): then it is how things are, and what is usual is scaled by it.
    While a counter is doubted nothing is learned of it, and it is no measure for others.

History: a half hour of the day is judged once it was seen on four days, a counter once it was compared in 150 bins.
Failure modes: a door that was closed on purpose loses people; all counters that fail alike do not show (heartbeats
do); a counter alone that loses slowly is followed; counts under one person per bin are judged by `dead` only.

Source: Page 1954 (CUSUM); Anscombe 1948; k and h by average run length, Lucas & Crosier 1982.
"""

import math
from typing import Literal, NamedTuple

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

Array = NDArray[np.float64]
Kind = Literal["dead", "loss", "surplus", "reversed", "stuck", "duplicated"]

DAY_S = 86_400.0
HALF_HOURS = 48
FADE_DAYS = 10.0
NEAR_BINS = 4.0  # of the level: what others counted lately
VISITS_MIN = 4.0  # days on which a half hour was seen
BINS_MIN = 150.0
K, H = 0.5, 7.5
H_ONE_WAY, H_SURPLUS = 9.5, 14.0  # tests of which there are several, or which nobody waits for
MEAN_MIN = 1.0  # people per bin; below, residuals are no normal numbers
Z_MAX = 4.0
OTHERS_MIN, ODD, ODD_NOISE = 3, 0.15, 1.5  # a counter further off the others than this is not followed
TURMOIL = 1.6  # from one bin to the next everybody comes or goes: no time to compare shares
STEEP = 0.4  # of a half hour's people its neighbours have at least, or the hour of opening looks like a fault
BLOCK = 6
VARIANCE_RATE, BLOCK_RATE = 0.003, 0.01
YOUNG_VARIANCE, YOUNG_BINS = 1.5, 60.0
MEAN_RATE, MEAN_MAX = 0.003, 0.3
PARTY, SPREAD = 0.6, 0.05  # variance μ (1 + .6) + .05 μ² where nothing better is known
DEAD_BINS, DEAD_NATS, QUIET = 2, 14.0, 0.2
STUCK_BINS, STUCK_NATS = 10, 16.0
TURN_NATS, TURN_STEP = 12.0, 2.0
EVEN, EVEN_USUAL, TWICE_NATS = 0.95, 0.6, 12.0
MENDED_NATS = 8.0
ABSORBED_BINS = 400
COUNT_MAX = 1e6


class Verdict(NamedTuple):
    """What is wrong with a counter since when. counted, expected: people since then; streams: in, out, or both."""

    counter: int
    kind: Kind
    since: float
    counted: float
    expected: float
    stream: Literal["in", "out", "both"]


class Fault(Struct):
    """A verdict that stands: its evidence, what contradicts it, and the bins it was judged in."""

    kind: Kind
    since: float
    counted: float
    expected: float
    stream: int
    mending: float = 0.0
    bins: int = 0


class Watch(Struct):
    """What is remembered of one counter, besides what is usual. Lists are per stream: in, out, both."""

    low: list[float]
    high: list[float]
    low_since: list[float]
    high_since: list[float]
    low_sums: list[tuple[float, float]]
    high_sums: list[tuple[float, float]]
    variance: list[float]
    mean: list[float]
    block: list[float]
    block_variance: list[float]
    judged: float = 0.0
    empty: float = 0.0
    empty_bins: int = 0
    empty_since: float = 0.0
    empty_expected: float = 0.0
    last: tuple[float, float] = (-1.0, -1.0)
    same: int = 0
    same_nats: float = 0.0
    same_since: float = 0.0
    turned: float = 0.0
    turned_since: float = 0.0
    twice: float = 0.0
    twice_since: float = 0.0
    fault: Fault | None = None


def _fresh() -> Watch:
    zeros, none = [0.0] * 3, [(0.0, 0.0)] * 3
    return Watch(
        list(zeros),
        list(zeros),
        list(zeros),
        list(zeros),
        list(none),
        list(none),
        [YOUNG_VARIANCE] * 3,
        list(zeros),
        list(zeros),
        [YOUNG_VARIANCE] * 3,
    )


class ChangesState(Struct, frozen=True):
    """All a `Changes` remembers. people: (C, 2, 48) flat; days: (C, 48) flat; near: (C, 2) counted and usual lately."""

    version: int
    people: list[float]
    days: list[float]
    near: list[list[float]]
    watches: list[Watch]


class Changes:
    """Counters that see parts of one crowd, judged bin by bin.

    counters: C of them; bin_s: seconds of a bin.

    >>> changes = Changes(counters=3)
    >>> for n in range(288 * 6):
    ...     changes.learn(np.array([[20.0 + n % 5, 20.0 + n % 3], [22.0, 19.0 + n % 4], [30.0, 31.0 + n % 2]]), n * 3e2)
    >>> changes.estimate()
    []
    >>> for n in range(1728, 1731): changes.learn(np.array([[0.0, 0.0], [22.0, 20.0], [30.0, 31.0]]), n * 300.0)
    >>> [(verdict.counter, verdict.kind) for verdict in changes.estimate()]
    [(0, 'dead')]
    """

    def __init__(self, counters: int, bin_s: float = 300.0) -> None:
        if counters < 1 or not 1.0 <= bin_s <= 3600.0:
            raise ValueError("at least one counter, and bins of a second to an hour")
        self._bin_s = bin_s
        # Each half hour holds several bins of a day; `days` counts days, not bins.
        self._per_slot = max(1.0, DAY_S / HALF_HOURS / bin_s)
        self._people: Array = np.zeros((counters, 2, HALF_HOURS))
        self._days: Array = np.zeros((counters, HALF_HOURS))
        self._near: Array = np.zeros((counters, 2))
        self._watches = [_fresh() for _ in range(counters)]

    def learn(self, counts: Array, at: float, offset_s: float = 0.0) -> None:
        """People counted in and out by each counter, (C, 2), in the bin that began at `at` (seconds).

        Local time is `at` + `offset_s`. NaN: not told. What is not finite, negative or absurd counts as not told.
        """
        if counts.shape != (len(self._watches), 2):
            raise ValueError(f"counts are of shape {counts.shape}, not ({len(self._watches)}, 2)")
        if not (math.isfinite(at) and math.isfinite(offset_s)):
            return
        fine = np.where(np.isfinite(counts), counts, -1.0)
        sound = np.asarray(((fine >= 0.0) & (fine <= COUNT_MAX)).all(axis=1), dtype=np.bool_)
        place = (at + offset_s + 0.5 * self._bin_s) % DAY_S / DAY_S * HALF_HOURS
        usual, seen = self._usual(place)
        least = self._least(place)
        believed = [watch.fault is None for watch in self._watches]
        trusted = np.asarray(sound & (seen > 0.0) & np.array(believed), dtype=np.bool_)
        if sound.any():
            self._look_around(counts, usual, trusted)
        for number, watch in enumerate(self._watches):
            if not sound[number]:
                continue
            into, out = (float(value) for value in counts[number])
            level = self._level(number, trusted)
            if level is not None and seen[number] >= VISITS_MIN:
                expected = (float(usual[number, 0]) * level, float(usual[number, 1]) * level)
                here = trusted & (np.arange(len(trusted)) != number)
                now = float(counts[here].sum() / max(1e-9, usual[here].sum())) if here.any() else level
                steady = least[number] >= STEEP * usual[number].sum() and level / TURMOIL <= now <= level * TURMOIL
                self._judge(
                    watch,
                    number,
                    (into, out),
                    expected,
                    float(least[number]) * min(level, now),
                    at,
                    steady=bool(steady),
                )
            if watch.fault is None:
                self._remember(number, place, counts[number])

    def estimate(self) -> list[Verdict]:
        """The counters that are doubted."""
        names: tuple[Literal["in", "out", "both"], ...] = ("in", "out", "both")
        return [
            Verdict(number, fault.kind, fault.since, fault.counted, fault.expected, names[fault.stream])
            for number, fault in ((number, watch.fault) for number, watch in enumerate(self._watches))
            if fault is not None
        ]

    def ready(self) -> list[bool]:
        """Which counters have enough history to be judged at the busier half of the day."""
        return [
            bool(watch.judged >= BINS_MIN and (days >= VISITS_MIN).any())
            for watch, days in zip(self._watches, self._days, strict=True)
        ]

    @property
    def state(self) -> ChangesState:
        """A plain copy of everything remembered."""
        copies = [_copied(watch) for watch in self._watches]
        return ChangesState(1, self._people.ravel().tolist(), self._days.ravel().tolist(), self._near.tolist(), copies)

    @state.setter
    def state(self, state: ChangesState) -> None:
        if len(state.watches) != len(self._watches):
            raise ValueError(f"the state has {len(state.watches)} counters, not {len(self._watches)}: start anew")
        self._people = np.array(state.people).reshape(self._people.shape)
        self._days = np.array(state.days).reshape(self._days.shape)
        self._near = np.array(state.near)
        self._watches = [_copied(watch) for watch in state.watches]

    # What is usual.

    def _usual(self, place: float) -> tuple[Array, Array]:
        """People per bin (C, 2) at a place of the day in half hours, and on how many days that was seen (C,)."""
        before = math.floor(place - 0.5)
        part = place - 0.5 - before
        one, other = before % HALF_HOURS, (before + 1) % HALF_HOURS
        days = (1.0 - part) * self._days[:, one] + part * self._days[:, other]
        people = (1.0 - part) * self._people[:, :, one] + part * self._people[:, :, other]
        seen = np.minimum(self._days[:, one], self._days[:, other])
        return people / np.maximum(days, 1e-9)[:, None], np.where(seen > 0.0, seen, 0.0)

    def _least(self, place: float) -> Array:
        """People per bin (C,) in the quietest of this half hour and its neighbours: doors open a little late."""
        slots = [(int(place) + step) % HALF_HOURS for step in (-1, 0, 1)]
        people = self._people[:, :, slots].sum(axis=1) / np.maximum(self._days[:, slots], 1e-9)
        least: Array = np.where(self._days[:, slots] > 0.0, people, 0.0).min(axis=1)
        return least

    def _remember(self, number: int, place: float, counts: Array) -> None:
        """One bin more of the usual; a day's weight fades by the day."""
        slot = int(place) % HALF_HOURS
        weight = 1.0 / self._per_slot
        keep = math.exp(-weight / FADE_DAYS)
        self._people[number, :, slot] = keep * self._people[number, :, slot] + weight * counts
        self._days[number, slot] = keep * self._days[number, slot] + weight

    def _look_around(self, counts: Array, usual: Array, trusted: NDArray[np.bool_]) -> None:
        """What each trusted counter saw lately, and what is usual."""
        self._near *= math.exp(-1.0 / NEAR_BINS)
        self._near[trusted, 0] += counts[trusted].sum(axis=1)
        self._near[trusted, 1] += usual[trusted].sum(axis=1)

    def _level(self, number: int, trusted: NDArray[np.bool_]) -> float | None:
        """How busy it is against the usual, by all others; None when nobody can say. No single one decides."""
        others = trusted.copy()
        others[number] = False
        if len(others) == 1:
            counted, usual = self._near[number]
            return float((counted + 50.0) / (usual + 50.0))
        others &= self._near[:, 1] > 0.0
        if not others.any():
            return None
        counted, usual = self._near[others].T
        if len(counted) >= OTHERS_MIN:
            ratios = counted / usual
            middle = float(np.median(ratios))
            odd = ODD + ODD_NOISE / np.sqrt(np.maximum(usual * middle, 1.0))
            counted = usual * middle * np.clip(ratios / max(middle, 1e-9), 1.0 - np.minimum(odd, 1.0), 1.0 + odd)
        total = float(usual.sum())
        return float(counted.sum()) / total if total >= 1.0 and counted.sum() > 0.0 else None

    # What is wrong.

    def _judge(
        self,
        watch: Watch,
        number: int,
        counts: tuple[float, float],
        expected: tuple[float, float],
        least: float,
        at: float,
        *,
        steady: bool,
    ) -> None:
        """Compare one bin of one counter with what was expected of it."""
        if watch.fault is not None:
            self._mend(watch, number, counts, expected)
            return
        together = expected[0] + expected[1]
        found = self._dead(watch, counts, min(least, together), at)
        found = _stuck(watch, counts, expected, at) or found
        if together >= MEAN_MIN and steady:
            ready = watch.judged >= BINS_MIN
            watch.judged += 1.0
            drifted = _drift(watch, counts, expected, at, judged=ready)
            turned = _reversed(watch, counts, expected, at)
            doubled = _doubled(watch, counts, at)
            if ready:
                found = found or turned or doubled or drifted
                if (
                    found is drifted
                    and drifted is not None
                    and watch.empty_bins >= DEAD_BINS
                    and drifted.kind == "loss"
                ):
                    found = Fault("dead", watch.empty_since, 0.0, watch.empty_expected, 2)
        if found is not None:
            watch.fault = found
            self._near[number] = 0.0

    @staticmethod
    def _dead(watch: Watch, counts: tuple[float, float], mean: float, at: float) -> Fault | None:
        """Nothing for too long."""
        if counts != (0.0, 0.0):
            watch.empty = watch.empty_expected = 0.0
            watch.empty_bins = 0
            return None
        if mean < QUIET:  # nobody was to come: neither a sign nor the end of one
            return None
        if not watch.empty_bins:
            watch.empty_since = at
        watch.empty_bins += 1
        watch.empty_expected += mean
        watch.empty += _empty_nats(mean)
        if watch.empty_bins < DEAD_BINS or watch.empty < DEAD_NATS:
            return None
        return Fault("dead", watch.empty_since, 0.0, watch.empty_expected, 2)

    def _mend(self, watch: Watch, number: int, counts: tuple[float, float], expected: tuple[float, float]) -> None:
        """Is it over, or is it how things are now?"""
        fault = watch.fault
        assert fault is not None
        counted, mean = _of(counts, fault.stream), _of(expected, fault.stream)
        if fault.kind == "stuck":
            over = counts != watch.last
        elif fault.kind == "reversed":
            fault.mending = max(0.0, fault.mending - _turn(counts, expected))
            over = fault.mending >= TURN_NATS
        elif fault.kind == "duplicated":
            odd = sum(value % 2.0 == 1.0 for value in counts)
            fault.mending = max(0.0, fault.mending + 2.3 * odd - 0.46 * (odd == 0 and counted > 0))
            over = fault.mending >= MENDED_NATS
        elif fault.kind == "dead":
            fault.mending += 4.0 * min(counted, 2.0) if counted else -fault.mending
            over = fault.mending >= MENDED_NATS
        else:
            was = min(5.0, max(0.02, fault.counted / max(fault.expected, 1e-9)))
            gain = (mean * (was - 1.0) - counted * math.log(was)) / (1.0 + PARTY)
            fault.mending = max(0.0, fault.mending + min(4.0, max(-4.0, gain)))
            over = fault.mending >= MENDED_NATS
        if mean >= MEAN_MIN:
            fault.bins += 1
        if fault.mending == 0.0 and fault.kind in {"loss", "surplus"} and fault.bins < ABSORBED_BINS:
            fault.counted, fault.expected = fault.counted + counted, fault.expected + mean
        elif fault.kind in {"dead", "stuck"} and not over:
            fault.expected += mean
        absorbed = fault.bins >= ABSORBED_BINS
        if absorbed:
            self._absorb(number, fault)
        if over or absorbed:
            judged, variance, block = watch.judged, watch.variance, watch.block_variance
            self._watches[number] = _fresh()
            self._watches[number].judged = judged
            self._watches[number].variance, self._watches[number].block_variance = variance, block

    def _absorb(self, number: int, fault: Fault) -> None:
        """What lasted for days is usual from now on."""
        if fault.kind == "reversed":
            self._people[number] = self._people[number, ::-1].copy()
        elif fault.kind in {"loss", "surplus"}:
            share = min(5.0, max(0.05, fault.counted / max(fault.expected, 1e-9)))
            streams = (0, 1) if fault.stream == 2 else (fault.stream,)
            for stream in streams:
                self._people[number, stream] *= share
        else:
            self._people[number], self._days[number] = 0.0, 0.0


def _drift(
    watch: Watch, counts: tuple[float, float], expected: tuple[float, float], at: float, *, judged: bool
) -> Fault | None:
    """The two CUSUMs of each stream; variances are learned along."""
    found: Fault | None = None
    for stream in range(3):
        count, mean = _of(counts, stream), _of(expected, stream)
        if mean < MEAN_MIN:
            continue
        plain = 2.0 * (math.sqrt(count + 0.375) - math.sqrt(mean + 0.375))
        spread = math.sqrt(max(0.7, watch.variance[stream], watch.block_variance[stream]))
        plain -= watch.mean[stream]
        z = min(Z_MAX, max(-Z_MAX, plain / spread))
        _learn_variance(watch, stream, plain)
        if not judged:
            continue
        for sign, limit, sums, since, totals in (
            (-1.0, (H_ONE_WAY, H_ONE_WAY, H), watch.low, watch.low_since, watch.low_sums),
            (1.0, (H_SURPLUS,) * 3, watch.high, watch.high_since, watch.high_sums),
        ):
            if sums[stream] <= 0.0:
                since[stream], totals[stream] = at, (0.0, 0.0)
            sums[stream] = max(0.0, sums[stream] + sign * z - K)
            totals[stream] = (totals[stream][0] + count, totals[stream][1] + mean)
            if sums[stream] >= limit[stream] and (found is None or stream == 2):
                found = Fault("loss" if sign < 0 else "surplus", since[stream], *totals[stream], stream)
    return found


def _learn_variance(watch: Watch, stream: int, plain: float) -> None:
    """Of single residuals, and of the sums of six in a row."""
    known, young = watch.variance[stream], 1.0 / (YOUNG_BINS + watch.judged)
    watch.variance[stream] = known + max(VARIANCE_RATE, young) * (min(plain * plain, 9.0 * known) - known)
    drift = watch.mean[stream] + MEAN_RATE * min(3.0, max(-3.0, plain))
    watch.mean[stream] = min(MEAN_MAX, max(-MEAN_MAX, drift))
    watch.block[stream] += plain
    if int(watch.judged) % BLOCK == 0:
        known, mean = watch.block_variance[stream], watch.block[stream] ** 2 / BLOCK
        watch.block_variance[stream] = known + max(BLOCK_RATE, BLOCK * young) * (min(mean, 9.0 * known) - known)
        watch.block[stream] = 0.0


def _stuck(watch: Watch, counts: tuple[float, float], expected: tuple[float, float], at: float) -> Fault | None:
    """The same numbers again and again."""
    if counts != watch.last or counts == (0.0, 0.0):
        watch.last, watch.same, watch.same_nats, watch.same_since = counts, 1, 0.0, at
        return None
    watch.same += 1
    watch.same_nats += sum(_surprise(count, mean) for count, mean in zip(counts, expected, strict=True))
    if watch.same <= STUCK_BINS or watch.same_nats < STUCK_NATS:
        return None
    return Fault("stuck", watch.same_since, sum(counts) * watch.same, sum(expected) * watch.same, 2)


def _reversed(watch: Watch, counts: tuple[float, float], expected: tuple[float, float], at: float) -> Fault | None:
    """The directions fit better exchanged."""
    if watch.turned <= 0.0:
        watch.turned_since = at
    watch.turned = max(0.0, watch.turned + _turn(counts, expected))
    if watch.turned < TURN_NATS:
        return None
    return Fault("reversed", watch.turned_since, *counts, 2)


def _turn(counts: tuple[float, float], expected: tuple[float, float]) -> float:
    """Log-likelihood of the directions exchanged less that of the plain ones; each bin says two units at most."""
    said = [[2.0 * (math.sqrt(c + 0.375) - math.sqrt(e + 0.375)) for e in expected] for c in counts]
    plain, other = said[0][0] ** 2 + said[1][1] ** 2, said[0][1] ** 2 + said[1][0] ** 2
    return min(TURN_STEP, max(-TURN_STEP, 0.5 * (plain - other) / (1.0 + PARTY)))


def _doubled(watch: Watch, counts: tuple[float, float], at: float) -> Fault | None:
    """Everybody is told twice: all numbers are even."""
    if watch.twice <= 0.0:
        watch.twice_since = at
    for count in counts:
        if count > 0.0:
            even = count % 2.0 == 0.0
            watch.twice += math.log(EVEN / EVEN_USUAL) if even else math.log((1.0 - EVEN) / (1.0 - EVEN_USUAL))
    watch.twice = max(0.0, watch.twice)
    return Fault("duplicated", watch.twice_since, *counts, 2) if watch.twice >= TWICE_NATS else None


def _empty_nats(mean: float) -> float:
    """-ln P(nobody) of a negative binomial number with that mean."""
    excess = PARTY + SPREAD * mean
    return mean / excess * math.log1p(excess) if mean > 0.0 else 0.0


def _surprise(count: float, mean: float) -> float:
    """-ln of about how likely exactly this count is."""
    variance = max(0.25, mean * (1.0 + PARTY))
    return max(0.0, 0.5 * math.log(2.0 * math.pi * variance) + 0.5 * (count - mean) ** 2 / variance)


def _of(pair: tuple[float, float], stream: int) -> float:
    return pair[0] + pair[1] if stream == 2 else pair[stream]


def _copied(watch: Watch) -> Watch:
    """A copy that shares nothing."""
    parts = {name: getattr(watch, name) for name in watch.__struct_fields__}
    for name, value in parts.items():
        if isinstance(value, list):
            parts[name] = list(value)
    fault = watch.fault
    parts["fault"] = None if fault is None else Fault(*(getattr(fault, name) for name in fault.__struct_fields__))
    return Watch(**parts)
