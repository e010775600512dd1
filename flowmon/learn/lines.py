"""What a recording shows of every line, gathered in one pass and in bounded memory."""

from collections import Counter as Tally
from datetime import datetime

from msgspec import Struct, field

from flowmon.facts import Count, CountKind, Record
from flowmon.monitor import registers
from flowmon.monitor.registers import Register
from flowmon.recording.times import zone_of
from flowmon.venue.model import Counter, Venue

LINES_MAX = 10_000
FALLS_MAX = 1_000
LAGS_MAX = 4_096


class Path(Struct):
    """The plain balance of one day: where it stands, and how far it went either way."""

    now: int = 0
    most: int = 0
    least: int = 0


class Kind(Struct):
    """One kind of count on one line.

    forward, backward: people, of a register what it gained. zero: messages of nobody. grew, fell: steps of the sum of
    both numbers from one message to the next; step: their mean size; size: mean of the numbers themselves.
    falls: day and local hour of each fall to under a tenth. spans: windows by (start, end), those told twice.
    """

    messages: int = 0
    forward: int = 0
    backward: int = 0
    zero: int = 0
    grew: int = 0
    fell: int = 0
    steps: int = 0
    sizes: int = 0
    last: int = -1
    falls: list[tuple[str, int]] = field(default_factory=list)
    registers: list[Register] = field(default_factory=list)
    days: dict[str, Path] = field(default_factory=dict)
    period: float = 0.0


class Line(Struct):
    """One line of one device: its kinds, and gateway - device seconds of its messages."""

    kinds: dict[CountKind, Kind] = field(default_factory=dict)
    lags: list[float] = field(default_factory=list)
    first: float = 0.0
    until: float = 0.0
    seen: Tally[tuple[float, float]] = field(default_factory=Tally)


class Lines:
    """Every (device, line) of one venue's recording. plan: the venue it was recorded with, where known."""

    def __init__(self, plan: Venue | None) -> None:
        self.plan = plan
        self.lines: dict[tuple[str, str], Line] = {}
        self._zone = zone_of(plan.timezone if plan else "UTC")
        self._told: dict[tuple[str, str, CountKind], set[tuple[float, int, int, int]]] = {}

    def add(self, record: Record) -> None:
        """Take in the counts of a record."""
        for fact in record:
            if isinstance(fact, Count) and min(fact.forward, fact.backward) >= 0:
                self._add(fact)

    def counter(self, device: str, line: str) -> tuple[str, Counter] | None:
        """The counter of the venue file that reads a line."""
        for name, counter in (self.plan.counters if self.plan else {}).items():
            if (counter.device or name) == device and line in {counter.line, counter.backward_line or counter.line}:
                return name, counter
        return None

    def _add(self, fact: Count) -> None:
        key = (fact.counter, fact.line)
        line = self.lines.get(key)
        if line is None:
            if len(self.lines) >= LINES_MAX:
                return
            line = self.lines[key] = Line()
        told = self._told.setdefault((*key, fact.kind), set())
        name = (fact.end if fact.kind == "window" else fact.at, fact.seq, fact.forward, fact.backward)
        if name in told:
            return
        if len(told) >= LAGS_MAX:
            told.clear()
        told.add(name)
        at = fact.seen or fact.at
        if not 0 <= at < 2e11:
            return
        line.first = min(line.first or at, at)
        line.until = max(line.until, at)
        if fact.seen and not fact.historical and len(line.lags) < LAGS_MAX:
            line.lags.append(fact.seen - (fact.end if fact.kind == "window" and fact.end else fact.at))
        self._count(line.kinds.setdefault(fact.kind, Kind()), fact, at)

    def _count(self, kind: Kind, fact: Count, at: float) -> None:
        moment = datetime.fromtimestamp(at, self._zone)
        day = moment.date().isoformat()
        numbers = fact.forward, fact.backward
        total = sum(numbers)
        kind.messages += 1
        kind.zero += not total
        kind.period = max(kind.period, fact.end - fact.start if fact.kind == "window" else 0.0)
        kind.sizes += total
        if kind.last >= 0:
            kind.grew += total > kind.last
            kind.fell += total < kind.last
            kind.steps += abs(total - kind.last) if total >= kind.last else 0
            if total < 0.1 * kind.last and len(kind.falls) < FALLS_MAX:
                kind.falls.append((day, moment.hour))
        kind.last = total
        forward, backward = self._gained(kind, at, numbers) if fact.kind == "cumulative" else numbers
        kind.forward += forward
        kind.backward += backward
        path = kind.days.setdefault(day, Path())
        path.now += forward - backward
        path.most, path.least = max(path.most, path.now), min(path.least, path.now)

    @staticmethod
    def _gained(kind: Kind, at: float, numbers: tuple[int, int]) -> tuple[int, int]:
        if not kind.registers:
            kind.registers = [Register(at, number) for number in numbers]
            return 0, 0
        one, other = kind.registers
        return registers.read(one, at, numbers[0]).people, registers.read(other, at, numbers[1]).people
