"""What a measure comes to: figures over repeats, rows with a target, and whether it is met. Pure."""

import statistics
from collections.abc import Sequence
from typing import Literal

from msgspec import Struct


class Spread(Struct, frozen=True):
    """A figure measured several times, in order of measurement."""

    values: list[float]
    min: float
    median: float
    max: float


class Row(Struct, frozen=True, kw_only=True):
    """One line of the report. value is judged by `bound` and `target`; no target: only told.

    figures: what the value was made from, by name with its unit (`flowmon facts/s`).
    """

    measure: str
    what: str
    value: float
    unit: str = ""
    bound: Literal["at least", "at most", ""] = ""
    target: float | None = None
    aim: float | None = None
    met: bool | None = None
    figures: dict[str, Spread] = {}
    note: str = ""


def spread(values: Sequence[float]) -> Spread:
    """Of at least one value."""
    return Spread(list(values), min(values), statistics.median(values), max(values))


def judged(row: Row) -> Row:
    """The row with `met` filled in."""
    if row.target is None:
        return row
    met = row.value >= row.target if row.bound == "at least" else row.value <= row.target
    return Row(**{name: getattr(row, name) for name in Row.__struct_fields__ if name != "met"}, met=met)


def ratio(
    measure: str,
    what: str,
    pairs: Sequence[tuple[float, float]],
    *,
    names: tuple[str, str],
    target: float | None = None,
    aim: float | None = None,
    note: str = "",
) -> Row:
    """A row from pairs (ours, peer) measured one after the other: the median of the pairs' ratios."""
    ratios = [ours / peer for ours, peer in pairs]
    figures = {
        names[0]: spread([ours for ours, _ in pairs]),
        names[1]: spread([peer for _, peer in pairs]),
        "ratio": spread(ratios),
    }
    bound: Literal["at least", ""] = "at least" if target is not None else ""
    value = statistics.median(ratios)
    return judged(
        Row(measure=measure, what=what, value=value, bound=bound, target=target, aim=aim, figures=figures, note=note)
    )


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` (0..1) of the values do not exceed; of at least one value.

    >>> percentile([3.0, 1.0, 2.0, 4.0], 0.5), percentile([1.0], 0.99)
    (2.0, 1.0)
    """
    ordered = sorted(values)
    return ordered[max(0, -int(-share * len(ordered) // 1) - 1)]
