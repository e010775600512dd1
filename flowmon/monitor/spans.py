"""A set of spans of time in bounded memory: which parts of a line's past were credited.

Spans that touch are one. Beyond `SPANS_MAX` the smallest gaps are closed first, a quarter of the spans at a time, so
what falls into such a gap later counts as credited: forgetting may lose a person, never count one twice.
"""

from bisect import bisect_left, bisect_right

from msgspec import Struct, field

SPANS_MAX = 512


class Spans(Struct):
    """Disjoint spans in order; `ends[i] < starts[i + 1]`."""

    starts: list[float] = field(default_factory=list)
    ends: list[float] = field(default_factory=list)

    def overlap(self, start: float, end: float) -> float:
        """Seconds of `start`..`end` that are in the set.

        >>> spans = Spans()
        >>> spans.add(0.0, 60.0)
        >>> spans.overlap(50.0, 100.0)
        10.0
        """
        total = 0.0
        for n in range(bisect_right(self.ends, start), len(self.starts)):
            if self.starts[n] >= end:
                break
            total += min(end, self.ends[n]) - max(start, self.starts[n])
        return total

    def holds(self, at: float) -> bool:
        """Whether a moment is in the set, ends included."""
        n = bisect_left(self.ends, at)
        return n < len(self.starts) and self.starts[n] <= at

    def add(self, start: float, end: float, slack: float = 0.0) -> None:
        """Take in a span, joined with what is within `slack` seconds of it."""
        if self.ends and start <= self.ends[-1] + slack and start >= self.starts[-1]:
            self.ends[-1] = max(self.ends[-1], end)
            return
        first = bisect_left(self.ends, start - slack)
        last = bisect_right(self.starts, end + slack)
        if first < last:
            start, end = min(start, self.starts[first]), max(end, self.ends[last - 1])
        self.starts[first:last], self.ends[first:last] = [start], [end]
        if len(self.starts) > SPANS_MAX:
            self._compact()

    def _compact(self) -> None:
        gaps = sorted(range(1, len(self.starts)), key=lambda n: self.starts[n] - self.ends[n - 1])
        closed = set(gaps[: SPANS_MAX // 4])
        starts, ends = self.starts[:1], self.ends[:1]
        for n in range(1, len(self.starts)):
            if n in closed:
                ends[-1] = self.ends[n]
            else:
                starts.append(self.starts[n])
                ends.append(self.ends[n])
        self.starts, self.ends = starts, ends
