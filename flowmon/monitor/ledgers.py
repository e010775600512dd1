"""What the intake remembers, one ledger for each line: which reports were told, and which of their past was credited.

Theory of operation
    A measurement's identity (kind, stamps, number) is remembered for 90 minutes, at most 4,096 a line. What is older is
    remembered as spans of time (`spans`): windows from the start by when they happened, events by their own stamps when
    their identity is forgotten. So a window sent again weeks later is known, and the memory is bounded. What a clock
    told that could not be believed is known by its stamps too.

    One stamp may mean two reports, made before and after a clock was changed: then they happened at least two minutes
    apart, or half an hour when the clock was in doubt. And one report may come twice: as soon, with the same numbers.
"""

import math
from typing import NamedTuple

from msgspec import Struct, field

from flowmon.facts import Count, identity
from flowmon.monitor import clocks
from flowmon.monitor.clocks import Clock, Moment
from flowmon.monitor.crossings import Crossing
from flowmon.monitor.registers import Register
from flowmon.monitor.spans import Spans

LIVE_S = 3_600.0
REMEMBER_MAX = 4_096
PERIOD_MAX_S = 86_400.0
SLACK_S = 12.0
SLACK_SHARE = 0.2
DOUBTFUL_S = 1_800.0  # when the clock was not believed; an hour is the least clock change
ANOTHER_S = 120.0  # the same stamp this much later is another report: a clock change


class Known(NamedTuple):
    """A measurement that was told: tick of arrival, when it happened, its own stamp, whether that was doubtful."""

    arrived: float
    seen: float
    at: float
    stamp: float
    doubtful: bool
    forward: int
    backward: int


class Ledger(Struct):
    """What is remembered of one line. told: identity -> measurement of the last 90 minutes; spans: of windows credited.

    stamps: by their own stamps, events told before, and what was told when the clock was not believed.
    stamp, seen: of the last report.
    other: messages of kinds that are not credited, since one that is (`credited` its tick); reading: the last of them.
    """

    told: dict[str, Known] = field(default_factory=dict)
    spans: Spans = field(default_factory=Spans)
    stamps: Spans = field(default_factory=Spans)
    registers: list[Register] = field(default_factory=list)
    stamp: float = -1.0
    seen: float = 0.0
    credited: float = -math.inf
    other: int = 0
    uncredited: int = 0
    reading: tuple[int, int] = (0, 0)

    def remember(self, name: str, fact: Count, moment: Moment, stamp: float, now: float) -> None:
        """A measurement was told under an identity and a stamp, at the tick `now`."""
        if len(self.told) >= REMEMBER_MAX:
            self._fold(next(iter(self.told)))
        doubtful = not moment.fresh or moment.source != "device"
        self.told[name] = Known(now, fact.seen, moment.at, stamp, doubtful, fact.forward, fact.backward)
        self.stamp, self.seen = stamp, fact.seen

    def forget(self, horizon: float) -> None:
        """Drop the identities that arrived before `horizon`; of what they told the time stays."""
        for name in [name for name, known in self.told.items() if known.arrived < horizon]:
            self._fold(name)

    def _fold(self, name: str) -> None:
        """Forget an identity; of an event the moment stays."""
        known = self.told.pop(name)
        if not name.startswith("w|") and (known.doubtful or not self.registers):
            self.stamps.add(known.stamp, known.stamp)

    def overlaps(self, moment: Moment, period: float, share: float | None) -> bool:
        """Whether a window was credited before: by `share` of its length, or (None) by more than a slack."""
        overlap = self.spans.overlap(moment.at - period, moment.at)
        return overlap > (slack(period) if share is None else share * period)

    def window(self, moment: Moment, start: float, end: float) -> None:
        """Remember a window as credited: as it happened if that is known, as it was stamped if doubtful."""
        joined = 0.05 * (end - start)
        if moment.source != "gateway":
            self.spans.add(moment.at - (end - start), moment.at, joined)
        if not moment.fresh or moment.source != "device":
            self.stamps.add(start, end, joined)


class IntakeState(Struct):
    """seen: source -> identity -> tick of arrival; ledgers by counter, or counter and line; clocks by device.

    uplinks: frame counters of devices whose messages tell what passed since the one before.
    """

    now: float = -math.inf
    seen: dict[str, dict[str, float]] = field(default_factory=dict)
    pending: list[Crossing] = field(default_factory=list)
    ledgers: dict[str, Ledger] = field(default_factory=dict)
    clocks: dict[str, Clock] = field(default_factory=dict)
    hardware: dict[str, tuple[str, str]] = field(default_factory=dict)
    skew: dict[str, float] = field(default_factory=dict)
    uplinks: dict[str, int] = field(default_factory=dict)
    leap: list[float] = field(default_factory=list)


def extent(fact: Count) -> tuple[float, float]:
    """Start and end of a count by its device's clock: equal but for a window."""
    if fact.kind == "window" and 0 < fact.end - fact.start <= PERIOD_MAX_S:
        return fact.start, fact.end
    return fact.at, fact.at


def name_of(fact: Count, start: float, end: float) -> str:
    """The identity of an event or a window within its line."""
    return f"w|{start}|{end}" if fact.kind == "window" else identity(fact)


def slack(period: float) -> float:
    """Seconds by which a window of `period` may overlap what was credited before: devices round their times."""
    return min(SLACK_S, SLACK_SHARE * period)


def apart(known: Known) -> float:
    """Seconds by which a report must have happened elsewhere than one of the same stamp, to be another one."""
    return DOUBTFUL_S if known.doubtful else ANOTHER_S


def another(known: Known, fact: Count, moment: Moment) -> bool:
    """Whether a stamp told before is another report, made since the clock was changed: by when it happened."""
    if abs(moment.at - known.at) <= apart(known):
        return False
    if moment.fresh:
        return True
    delayed = moment.source == "shifted" and -clocks.AHEAD_S <= fact.seen - moment.at <= LIVE_S
    return delayed and fact.kind == "window"


def echoes(fact: Count, last: Known | Count, period: float) -> bool:
    """Whether a report under the stamp of another is that one told twice: as soon, with the same numbers."""
    soon = fact.seen - last.seen < max(0.5 * period, clocks.STANDS_GAP_S)
    return soon and (fact.forward, fact.backward) == (last.forward, last.backward)
