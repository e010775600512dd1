"""How often something happens, forgetting the past at a fixed half-life.

Theory of operation
    Each event adds 1/τ, the sum decays as exp(-t/τ) with τ = half-life / ln 2. In a steady stream of rate λ the
    expectation of the sum is λ. Assumption: the rate moves slower than τ. Failure mode: after a jump the estimate
    needs about two half-lives. Source: exponentially weighted counting, as in any load average.
"""

import math

from msgspec import Struct


class DecayedRate(Struct):
    """Events per second with a half-life in seconds; itself the plain state.

    >>> rate = DecayedRate(half_life_s=60.0)
    >>> for second in range(600): rate.learn(2, at=float(second))
    >>> round(rate.estimate(at=600.0), 1)
    2.0
    """

    half_life_s: float
    value: float = 0.0
    at: float = 0.0

    def learn(self, events: float, at: float) -> None:
        """`events` happened at `at` (seconds). Evidence older than the last is taken as of the last."""
        if not math.isfinite(events) or not math.isfinite(at):
            return
        self.value = self.estimate(at) + events * math.log(2) / self.half_life_s
        self.at = max(self.at, at)

    def estimate(self, at: float) -> float:
        """Events per second at `at`."""
        return self.value * math.exp2(-max(0.0, at - self.at) / self.half_life_s)
