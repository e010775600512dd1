"""Small changes that last: a pair of CUSUMs for each stream of a counter, on residuals of known variance.

Theory of operation
    Residual (Anscombe): z = (2√(c + ⅜) - 2√(μ + ⅜)) / s, s² the larger of the variance of z and that of sums of six,
    so that parties and slow drifts of shares do not look like faults.

    loss, surplus  S ← max(0, S ∓ z - k),  k ½, alarm at h 7.5 (both directions), 9.5 (one), 14 (surplus)

    The alarm began where its sum last left zero. Variances are learned along, fast at first.

Failure mode: counts under one person per bin are no normal numbers and are not judged here.

Source: Page 1954 (CUSUM); Anscombe 1948; k and h by average run length, Lucas & Crosier 1982.
"""

import math

from flowmon.estimators.suspicion import Fault, Watch, of

K, H = 0.5, 7.5
H_ONE_WAY, H_SURPLUS = 9.5, 14.0  # tests of which there are several, or which nobody waits for
MEAN_MIN = 1.0  # people per bin; below, residuals are no normal numbers
Z_MAX = 4.0
BLOCK = 6
VARIANCE_RATE, BLOCK_RATE = 0.003, 0.01
YOUNG_BINS = 60.0
MEAN_RATE, MEAN_MAX = 0.003, 0.3


def drift(
    watch: Watch, counts: tuple[float, float], expected: tuple[float, float], at: float, *, judged: bool
) -> Fault | None:
    """The two CUSUMs of each stream; variances are learned along."""
    found: Fault | None = None
    for stream in range(3):
        count, mean = of(counts, stream), of(expected, stream)
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
    mean_now = watch.mean[stream] + MEAN_RATE * min(3.0, max(-3.0, plain))
    watch.mean[stream] = min(MEAN_MAX, max(-MEAN_MAX, mean_now))
    watch.block[stream] += plain
    if int(watch.judged) % BLOCK == 0:
        known, mean = watch.block_variance[stream], watch.block[stream] ** 2 / BLOCK
        watch.block_variance[stream] = known + max(BLOCK_RATE, BLOCK * young) * (min(mean, 9.0 * known) - known)
        watch.block[stream] = 0.0
