"""Counters that stopped being right: dead, losing, exchanged, stuck, doubled. From their counts alone, in equal bins.

Theory of operation
    Each bin of a counter is compared with its usual share of what all others count (`usual`), by tests that each know
    one way of being wrong:

    loss, surplus                        small changes that last, either way (`cusum`)
    dead, stuck, reversed, duplicated    counts that no crowd makes (`oddities`)

    A verdict stands until the counts contradict it: log-likelihood ratio of "as usual" over "as it was", at 8; or for
    400 judged bins (some days): then it is how things are, and what is usual is scaled by it.
    While a counter is doubted nothing is learned of it, and it is no measure for others.

History: a half hour of the day is judged once it was seen on four days, a counter once it was compared in 150 bins.
Failure modes: a door that was closed on purpose loses people; all counters that fail alike do not show (heartbeats
do); a counter alone that loses slowly is followed; counts under one person per bin are judged by `dead` only.
"""

import math
from typing import Literal, NamedTuple

import numpy as np
from msgspec import Struct

from flowmon.estimators.cusum import MEAN_MIN, drift
from flowmon.estimators.oddities import DEAD_BINS, TURN_NATS, dead, doubled, exchanged, stuck, turn
from flowmon.estimators.suspicion import PARTY, Fault, Kind, Watch, copied, fresh, of
from flowmon.estimators.usual import Array, Usual

__all__ = ["Changes", "ChangesState", "Fault", "Kind", "Verdict", "Watch"]

VISITS_MIN = 4.0  # days on which a half hour was seen
BINS_MIN = 150.0
TURMOIL = 1.6  # from one bin to the next everybody comes or goes: no time to compare shares
STEEP = 0.4  # of a half hour's people its neighbours have at least, or the hour of opening looks like a fault
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
        self._usual = Usual(counters, bin_s)
        self._watches = [fresh() for _ in range(counters)]

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
        place = self._usual.place(at + offset_s)
        usual, seen = self._usual.at(place)
        least = self._usual.least(place)
        believed = [watch.fault is None for watch in self._watches]
        trusted = np.asarray(sound & (seen > 0.0) & np.array(believed), dtype=np.bool_)
        if sound.any():
            self._usual.look_around(counts, usual, trusted)
        for number, watch in enumerate(self._watches):
            if not sound[number]:
                continue
            into, out = (float(value) for value in counts[number])
            level = self._usual.level(number, trusted)
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
                self._usual.learn(number, place, counts[number])

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
            for watch, days in zip(self._watches, self._usual.days, strict=True)
        ]

    @property
    def state(self) -> ChangesState:
        """A plain copy of everything remembered."""
        copies = [copied(watch) for watch in self._watches]
        return ChangesState(
            1, self._usual.people.ravel().tolist(), self._usual.days.ravel().tolist(), self._usual.near.tolist(), copies
        )

    @state.setter
    def state(self, state: ChangesState) -> None:
        if len(state.watches) != len(self._watches):
            raise ValueError(f"the state has {len(state.watches)} counters, not {len(self._watches)}: start anew")
        self._usual.people = np.array(state.people).reshape(self._usual.people.shape)
        self._usual.days = np.array(state.days).reshape(self._usual.days.shape)
        self._usual.near = np.array(state.near)
        self._watches = [copied(watch) for watch in state.watches]

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
        found = dead(watch, counts, min(least, together), at)
        found = stuck(watch, counts, expected, at) or found
        if together >= MEAN_MIN and steady:
            ready = watch.judged >= BINS_MIN
            watch.judged += 1.0
            drifted = drift(watch, counts, expected, at, judged=ready)
            turned = exchanged(watch, counts, expected, at)
            twice = doubled(watch, counts, at)
            if ready:
                found = found or turned or twice or drifted
                if (
                    found is drifted
                    and drifted is not None
                    and watch.empty_bins >= DEAD_BINS
                    and drifted.kind == "loss"
                ):
                    found = Fault("dead", watch.empty_since, 0.0, watch.empty_expected, 2)
        if found is not None:
            watch.fault = found
            self._usual.near[number] = 0.0

    def _mend(self, watch: Watch, number: int, counts: tuple[float, float], expected: tuple[float, float]) -> None:
        """Is it over, or is it how things are now?"""
        fault = watch.fault
        assert fault is not None
        counted, mean = of(counts, fault.stream), of(expected, fault.stream)
        if fault.kind == "stuck":
            over = counts != watch.last
        elif fault.kind == "reversed":
            fault.mending = max(0.0, fault.mending - turn(counts, expected))
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
            self._watches[number] = fresh()
            self._watches[number].judged = judged
            self._watches[number].variance, self._watches[number].block_variance = variance, block

    def _absorb(self, number: int, fault: Fault) -> None:
        """What lasted for days is usual from now on."""
        if fault.kind == "reversed":
            self._usual.exchange(number)
        elif fault.kind in {"loss", "surplus"}:
            share = min(5.0, max(0.05, fault.counted / max(fault.expected, 1e-9)))
            self._usual.scale(number, fault.stream, share)
        else:
            self._usual.forget(number)
