"""Counts that no crowd makes: nothing for too long, one number again and again, directions exchanged, all even.

Theory of operation
    dead           nothing counted for two bins or more, which had a probability under e^-14 (negative binomial)
    stuck          the same non-zero numbers for more than ten bins, which had a probability under e^-16
    reversed       log-likelihood of the directions exchanged over the plain ones, summed and cut at zero, at 12
    duplicated     every count even: log-odds of "always twice" (.95 even) over parties (.6 even), at 12

    Each remembers its evidence in the counter's `Watch`, and returns the fault when there is enough.

Failure mode: a door that was closed on purpose looks dead.
"""

import math

from flowmon.estimators.suspicion import PARTY, SPREAD, Fault, Watch

DEAD_BINS, DEAD_NATS, QUIET = 2, 14.0, 0.2
STUCK_BINS, STUCK_NATS = 10, 16.0
TURN_NATS, TURN_STEP = 12.0, 2.0
EVEN, EVEN_USUAL, TWICE_NATS = 0.95, 0.6, 12.0


def dead(watch: Watch, counts: tuple[float, float], mean: float, at: float) -> Fault | None:
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


def stuck(watch: Watch, counts: tuple[float, float], expected: tuple[float, float], at: float) -> Fault | None:
    """The same numbers again and again."""
    if counts != watch.last or counts == (0.0, 0.0):
        watch.last, watch.same, watch.same_nats, watch.same_since = counts, 1, 0.0, at
        return None
    watch.same += 1
    watch.same_nats += sum(_surprise(count, mean) for count, mean in zip(counts, expected, strict=True))
    if watch.same <= STUCK_BINS or watch.same_nats < STUCK_NATS:
        return None
    return Fault("stuck", watch.same_since, sum(counts) * watch.same, sum(expected) * watch.same, 2)


def exchanged(watch: Watch, counts: tuple[float, float], expected: tuple[float, float], at: float) -> Fault | None:
    """The directions fit better exchanged."""
    if watch.turned <= 0.0:
        watch.turned_since = at
    watch.turned = max(0.0, watch.turned + turn(counts, expected))
    if watch.turned < TURN_NATS:
        return None
    return Fault("reversed", watch.turned_since, *counts, 2)


def turn(counts: tuple[float, float], expected: tuple[float, float]) -> float:
    """Log-likelihood of the directions exchanged less that of the plain ones; each bin says two units at most."""
    said = [[2.0 * (math.sqrt(c + 0.375) - math.sqrt(e + 0.375)) for e in expected] for c in counts]
    plain, other = said[0][0] ** 2 + said[1][1] ** 2, said[0][1] ** 2 + said[1][0] ** 2
    return min(TURN_STEP, max(-TURN_STEP, 0.5 * (plain - other) / (1.0 + PARTY)))


def doubled(watch: Watch, counts: tuple[float, float], at: float) -> Fault | None:
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
