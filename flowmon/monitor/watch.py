"""Counters watched by their counts: which of them stopped being right, since when, and how that can be told.

Closed crossings are gathered in bins of five minutes and given to `estimators.changes`, all counters together, as they
see parts of one crowd. What a counter tells for a longer period is spread over the bins of that period; a bin is judged
`PERIOD_MAX_S` after it ended, so that slow counters have told of it. A counter that is known not to see (silent, at
fault) is not told: its bin is missing, not empty.

Nothing is learned or judged while the venue is closed, nor across a leap of the clock. Directions are those of the
venue file: forward is `in`.
"""

import math
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
from msgspec import Struct, field

from flowmon.estimators.changes import Changes, ChangesState, Verdict
from flowmon.monitor.intake import Crossing
from flowmon.venue.hours import empty_from
from flowmon.venue.model import Venue

BIN_S = 300.0
PERIOD_MAX_S = 900.0  # crossings of longer periods say nothing about bins
BINS_MAX = 12  # that wait at once
LYING = frozenset({"loss", "surplus", "reversed", "stuck", "duplicated"})


class WatchState(Struct):
    """bins: start of a bin -> per counter [forward, backward] so far, -1 for not told; said: counter -> what of it."""

    changes: ChangesState | None = None
    bins: dict[int, list[list[float]]] = field(default_factory=dict)
    done: int = -1
    said: dict[str, tuple[str, str]] = field(default_factory=dict)


class Watch:
    """All counters of a venue."""

    def __init__(self, venue: Venue, state: WatchState | None = None) -> None:
        self.state = state or WatchState()
        self._venue = venue
        self._names = list(venue.counters)
        self._place = {name: number for number, name in enumerate(self._names)}
        self._device = [counter.device or name for name, counter in venue.counters.items()]
        self._zone = ZoneInfo(venue.timezone)
        self._changes = Changes(len(self._names), BIN_S) if self._names else None
        if self._changes is not None and self.state.changes is not None:
            self._changes.state = self.state.changes

    def close(self, ripe: list[Crossing], at: float, blind: set[str]) -> list[tuple[str, str, str]]:
        """Take in closed crossings up to the watermark `at`; blind: counters that do not see at present.

        Returns (device, code, reason) of what changed, codes like `counts-loss-c1`; reason "" ends it.
        """
        if self._changes is None:
            return []
        for crossing in ripe:
            self._book(crossing)
        last = int((at - PERIOD_MAX_S) // BIN_S) - 1
        self.state.done = max(self.state.done, last - BINS_MAX) if self.state.done >= 0 else last - 1
        self._miss(int(at // BIN_S), blind)
        judged = False
        while self.state.done < last:
            self.state.done += 1
            judged |= self._judge(self.state.done)
        for old in [number for number in self.state.bins if number <= self.state.done]:
            del self.state.bins[old]
        return self._told() if judged else []

    def doubted(self) -> tuple[set[str], set[str]]:
        """Counters that see nothing, and counters whose numbers cannot be believed: for `Crowd.doubt`."""
        verdicts = [] if self._changes is None else self._changes.estimate()
        silent = {self._names[v.counter] for v in verdicts if v.kind == "dead"}
        return silent, {self._names[v.counter] for v in verdicts if v.kind in LYING}

    def leap(self) -> None:
        """The clock was set: bins begin anew."""
        self.state.bins.clear()
        self.state.done = -1

    def save(self) -> WatchState:
        """The state to keep."""
        self.state.changes = None if self._changes is None else self._changes.state
        return self.state

    def _bin(self, number: int) -> list[list[float]]:
        return self.state.bins.setdefault(number, [[0.0, 0.0] for _ in self._names])

    def _book(self, crossing: Crossing) -> None:
        """People of a crossing, spread over the bins of its period."""
        place = self._place[crossing.counter]
        if crossing.period_s > PERIOD_MAX_S or crossing.late:
            return
        first, last = int((crossing.at - crossing.period_s) // BIN_S), int(crossing.at // BIN_S)
        if crossing.period_s > 0.0 and crossing.at % BIN_S == 0.0:
            last -= 1  # a period that ends with a bin belongs to it
        for number in range(max(first, last - BINS_MAX), last + 1):
            if number <= self.state.done:
                continue
            start, end = max(crossing.at - crossing.period_s, number * BIN_S), min(crossing.at, (number + 1) * BIN_S)
            share = (end - start) / crossing.period_s if crossing.period_s > 0.0 else 1.0
            counts = self._bin(number)[place]
            if counts[0] >= 0.0:
                counts[0] += share * crossing.forward
                counts[1] += share * crossing.backward

    def _miss(self, now: int, blind: set[str]) -> None:
        """What does not see now tells nothing of this bin."""
        if blind:
            counts = self._bin(now)
            for name in blind:
                counts[self._place[name]] = [-1.0, -1.0]

    def _judge(self, number: int) -> bool:
        """One bin is over. Returns whether it was taken in."""
        assert self._changes is not None
        start = number * BIN_S
        if self._venue.hours and empty_from(self._venue, start) <= start:
            return False
        rows = self.state.bins.get(number) or [[0.0, 0.0] for _ in self._names]
        counts = np.array([[math.nan if value < 0.0 else round(value) for value in row] for row in rows])
        offset = datetime.fromtimestamp(start, self._zone).utcoffset()
        self._changes.learn(counts, start, offset.total_seconds() if offset else 0.0)
        return True

    def _told(self) -> list[tuple[str, str, str]]:
        """What changed since the last time something was told."""
        assert self._changes is not None
        now: dict[str, tuple[str, str]] = {}
        for verdict in self._changes.estimate():
            name = self._names[verdict.counter]
            known = self.state.said.get(name)
            code = f"counts-{verdict.kind}-{name}"
            now[name] = known if known is not None and known[0] == code else (code, self._reason(name, verdict))
        changed = []
        for name, (code, _) in self.state.said.items():
            if now.get(name, ("", ""))[0] != code:
                changed.append((self._device[self._place[name]], code, ""))
        for name, (code, reason) in now.items():
            if self.state.said.get(name, ("", ""))[0] != code:
                changed.append((self._device[self._place[name]], code, reason))
        self.state.said = now
        return changed

    def _reason(self, name: str, verdict: Verdict) -> str:
        """The verdict in words, with its evidence and what to do."""
        since = datetime.fromtimestamp(verdict.since, self._zone).strftime("%H:%M")
        seen, usual = f"{verdict.counted:.0f}", f"{verdict.expected:.0f}"
        side = {"both": "", "in": " forward", "out": " backward"}[verdict.stream]
        match verdict.kind:
            case "dead":
                return f"{name} has counted nobody since {since}, about {usual} were expected: is it covered or aside?"
            case "loss":
                return f"{name} counts too few{side} since {since}: {seen} of {usual} expected; clean and aim it"
            case "surplus":
                return f"{name} counts too many{side} since {since}: {seen} for {usual} expected; is something in view?"
            case "reversed":
                return (
                    f"reversed? {name} counts in what used to go out since {since}: was it turned or its line redrawn?"
                )
            case "stuck":
                return f"{name} repeats the same numbers since {since}: restart it"
            case "duplicated":
                return f"{name} counts only even numbers since {since}: is every message sent twice?"
