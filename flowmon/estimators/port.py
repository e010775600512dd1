"""The contract of every estimator: two verbs, told the time, with a state of plain arrays.

    learn(…, at)     take in evidence that holds for time `at`
    estimate(at)     what is believed at time `at`, with an interval
    state            a msgspec struct of numbers, lists and arrays: all an estimator remembers

Estimators know nothing of museums: they see places, doors, servers and radios by index or plain name. They read no
clock, draw no random numbers, and are NaN-proof: evidence that is not finite is refused before it touches the state.
"""

from msgspec import Struct

#: Standard normal quantile of the two-sided 90 % interval every estimate carries.
Z90 = 1.6449


class Interval(Struct, frozen=True):
    """A value with its two-sided 90 % interval; lo <= value <= hi."""

    value: float
    lo: float
    hi: float
