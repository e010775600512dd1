"""What is remembered of one counter that may be wrong: the evidence so far, and the verdict that stands.

Evidence is kept per stream (0 people in, 1 people out, 2 both together), because a counter may lose one direction only.
All of it is plain numbers, so that it can be copied and written to a snapshot.
"""

from typing import Literal

from msgspec import Struct

Kind = Literal["dead", "loss", "surplus", "reversed", "stuck", "duplicated"]

YOUNG_VARIANCE = 1.5
PARTY, SPREAD = 0.6, 0.05  # variance μ (1 + .6) + .05 μ² where nothing better is known


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


def fresh() -> Watch:
    """Nothing suspicious yet."""
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


def copied(watch: Watch) -> Watch:
    """A copy that shares nothing."""
    parts = {name: getattr(watch, name) for name in watch.__struct_fields__}
    for name, value in parts.items():
        if isinstance(value, list):
            parts[name] = list(value)
    fault = watch.fault
    parts["fault"] = None if fault is None else Fault(*(getattr(fault, name) for name in fault.__struct_fields__))
    return Watch(**parts)


def of(pair: tuple[float, float], stream: int) -> float:
    """What a stream has of a pair of people in and out."""
    return pair[0] + pair[1] if stream == 2 else pair[stream]
