"""The hour that happens twice when clocks go back: which of the two each row means. Pure.

An export without zones writes 02:00 to 02:59 twice. A minute that stands there twice, an hour of rows apart, is first
the earlier, then the later one; copies of a row stand close together and are one. A minute that stands there once is
of the side on which it stands: before or after the place where the second hour begins. That place is where most
of the twice written minutes enclose it; when there is none, the row follows the one before it.
"""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct


class Doubtful(Struct, frozen=True):
    """A row in such an hour. place: its position among all rows. local: as written. before: end of the row before."""

    place: int
    local: datetime
    first: float
    second: float
    before: float | None


def resolve(rows: Sequence[Doubtful], window_s: float) -> dict[int, float]:
    """Place -> start in seconds UTC, for the doubtful rows of one such hour."""
    # Half of what the clocks go back (an hour, on Lord Howe Island 30 minutes), in rows.
    apart = max((rows[0].second - rows[0].first) / 2 / window_s, 1.0)
    groups: dict[datetime, list[list[Doubtful]]] = {}
    for row in rows:
        copies = groups.setdefault(row.local, [[]])
        if copies[-1] and row.place - copies[-1][-1].place > apart:
            copies.append([])
        copies[-1].append(row)
    pairs = [(parts[0][0].place, parts[1][0].place) for parts in groups.values() if len(parts) > 1]
    turn = _turn(pairs)
    meant: dict[int, float] = {}
    for parts in groups.values():
        for number, part in enumerate(parts):
            for row in part:
                meant[row.place] = _single(row, turn) if len(parts) == 1 else (row.second if number else row.first)
    return meant


def _turn(pairs: Sequence[tuple[int, int]]) -> float | None:
    """The place that most pairs enclose."""
    if not pairs:
        return None
    steps = sorted([(first, 1) for first, _ in pairs] + [(second, -1) for _, second in pairs])
    depth = best = 0
    turn = 0.0
    for number, (place, step) in enumerate(steps):
        depth += step
        if depth > best:
            best, turn = depth, (place + steps[number + 1][0]) / 2
    return turn


def _single(row: Doubtful, turn: float | None) -> float:
    if turn is not None:
        return row.first if row.place < turn else row.second
    if row.before is None:
        return row.first
    return min((row.first, row.second), key=lambda start: abs(start - row.before))  # type: ignore[operator]
