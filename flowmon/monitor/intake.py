"""Turns readings into crossings: duplicates, the kinds of count, what is told late, and what is not believed.

Theory of operation
    Time. Ticks are the only clock of the core. The watermark is the last tick minus the lateness (2 s by default).
    Crossings wait until the watermark passes them and leave in the order (time, counter, sequence), so any order of
    arrival within the lateness gives the same result. When a count happened is judged by `clocks`: no device's clock
    can move the watermark.

          past           late                    arrival   c2 c1 | c3
          --------|------------------------------------------------------>
          now - 1 h                       watermark  ^W1     ^W2

    A late crossing still happened: it leaves at the next tick, moves the number, and never reopens a closed flow
    window. What ended over an hour ago, or is said to be of a device's memory (`historical`), is past: it corrects
    history (`Flow.late`) and never moves the live number.

    Lines. What is remembered is kept per counter and line of its device (`Ledger`). A counter may read two lines that
    count one direction each. Exactly one kind is credited (`Counter.credit`); others are counted and left aside.

    Duplicates. A measurement's identity (kind, stamps, number) is remembered for 90 minutes, at most 4,096 a line. What
    is older is remembered as spans of time (`spans`): windows from the start by when they happened, events by their own
    stamps when their identity is forgotten. So a window sent again weeks later is known, and the memory is bounded.
    What a clock told that could not be believed is known by its stamps too.

    Registers: see `registers`.

    Leaps. A tick that is more than a day off is believed when three in a row agree (the machine was off, or its
    clock was set); a single one is refused.

Failure modes: an event without a number under a clock that stands still cannot be told from its repetition; a report
resent after more than half a period under such a clock is counted twice. A window that overlaps what was credited by
more than 12 s (a fifth of it, if shorter) is left out whole, and the device is named.
"""

import math
from typing import NamedTuple

from msgspec import Struct, field

from flowmon.facts import Count, DeviceStatus, Fact, identity
from flowmon.monitor import clocks, registers
from flowmon.monitor.clocks import Clock, Held, Moment
from flowmon.monitor.registers import Register
from flowmon.monitor.spans import Spans
from flowmon.venue.model import Counter, Venue

AHEAD_S = 5.0
BEHIND_S = 86_400.0
LIVE_S = 3_600.0
REMEMBER_S = 5_400.0  # longer than LIVE_S, from where on the spans are asked
FORGET_EVERY_S = 600.0
REMEMBER_MAX = 4_096
SOURCES_MAX = 10_000
PEOPLE_PER_S_MAX = 50.0
PERIOD_MAX_S = 86_400.0
COUNT_MAX = 10_000_000
REGISTER_MAX = 2**53
LEAP_S = 86_400.0
LEAP_TICKS = 3
TIME_MAX = 2e11  # the year 8307: beyond it no calendar works
SLACK_S = 12.0
DOUBTFUL_S = 1_800.0  # when the clock was not believed; an hour is the least clock change
ANOTHER_S = 120.0  # the same stamp this much later is another report: a clock change
SLACK_SHARE = 0.2
UNCREDITED_MIN = 3
UNCREDITED_S = 86_400.0
EVENT_BOTH_WAYS_MAX = 20
UPLINKS_LOST_MAX = 10_000
COMPLETE_MIN = 0.8


class Crossing(NamedTuple):
    """People who passed a counter; sorts in the order in which the core takes them in.

    period_s: the seconds before `at` in which they passed (0: at `at`). late: told after the watermark had passed it.
    """

    at: float
    counter: str
    seq: int
    forward: int
    backward: int
    late: bool
    period_s: float = 0.0


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


class Line(NamedTuple):
    """One line of a device as the venue file has it: its counter, and how its two numbers become the counter's.

    one_way: all its people pass one way, `swapped` says backward, whichever field they come in.
    """

    name: str
    counter: Counter
    key: str
    swapped: bool
    one_way: bool = False


class Note(NamedTuple):
    """Something odd about a device. code: what kind of thing; reason "" ends it; lasting: until it is ended."""

    device: str
    code: str
    reason: str
    lasting: bool = False


class Refused(Exception):
    """The fact cannot be used; the reason says what to do. Never leaves the monitor."""


class Intake:
    """Everything between a fact's arrival and a crossing that counts.

    arrived, past, notes: what the facts since the last look have brought; the core takes them away.
    """

    def __init__(self, venue: Venue, state: IntakeState | None = None) -> None:
        self.state = state or IntakeState()
        self._lateness = venue.lateness_s
        self._lines = dict(_lines(venue))
        self._devices: dict[str, list[str]] = {}
        for (device, _), line in self._lines.items():
            self.state.ledgers.setdefault(line.key, Ledger())
            self._devices.setdefault(device, []).append(line.key)
        self.arrived: list[Crossing] = []
        self.past: list[Crossing] = []
        self.notes: list[Note] = []

    @property
    def watermark(self) -> float:
        """Everything up to here is closed, seconds."""
        return self.state.now - self._lateness

    def is_new(self, fact: Fact) -> bool:
        """Whether this fact was not told before; remembers it. Counts are remembered by their line: see `take`."""
        return self.remember(fact.source, identity(fact))

    def remember(self, source: str, name: str) -> bool:
        """Whether `(source, name)` is new; remembers it, bounded."""
        seen = self.state.seen
        known = seen.get(source)
        if known is None:
            if len(seen) >= SOURCES_MAX:
                del seen[next(iter(seen))]
            known = seen[source] = {}
        if name in known:
            return False
        if len(known) >= REMEMBER_MAX:
            del known[next(iter(known))]
        known[name] = self.state.now
        return True

    def when(self, fact: Fact) -> tuple[float, str]:
        """When a fact happened as far as we can believe its device, and what is wrong with that clock ('' if nothing).

        Raises Refused when no time can be made of it.
        """
        reference = fact.seen or (self.state.now if math.isfinite(self.state.now) else fact.at)
        at = fact.at
        if not (math.isfinite(at) and 0 <= reference < TIME_MAX):
            raise Refused("the time is no number: check the device's time format")
        if at > reference + AHEAD_S:
            return reference, "clock ahead of the gateway: set the device's NTP server"
        if at < reference - BEHIND_S and not fact.historical:
            return reference, "clock more than a day behind the gateway: set the device's NTP server"
        return at, ""

    def skewed(self, device: str, seconds: float) -> float:
        """The smoothed difference gateway - device of a device's clock, after one more reading of it."""
        old = self.state.skew.get(device, seconds)
        new = self.state.skew[device] = old + 0.1 * (seconds - old)
        return new

    def clock_of(self, device: str) -> Clock | None:
        """What is known of a counting device's clock."""
        return self.state.clocks.get(device)

    def line_of(self, fact: Count) -> Line:
        """The line of the venue file that a count belongs to. Raises Refused for a line nobody configured."""
        found = self._lines.get((fact.counter, fact.line))
        if found is None:
            raise Refused(
                f"no counter in the venue file has device {fact.counter!r} and line {fact.line!r}: "
                "add it under [counters], or correct the device name"
            )
        return found

    def take(self, fact: Count) -> bool:
        """Take a count in: its crossings are in `arrived` or `past`. Returns whether it shows that its device lives.

        Raises Refused for counts of lines that nobody configured and for counts that no door can make.
        """
        line = self.line_of(fact)
        ledger = self.state.ledgers[line.key]
        most = REGISTER_MAX if fact.kind == "cumulative" else COUNT_MAX
        if not 0 <= fact.forward <= most or not 0 <= fact.backward <= most:
            raise Refused(f"counts of {fact.forward} and {fact.backward} people are not possible: check the device")
        if fact.kind == "event" == line.counter.credit:
            _instant(fact)
        if fact.kind == "window" and not fact.start:
            self._uplink(fact)
        start, end = _extent(fact)
        if not math.isfinite(end):
            raise Refused("the time is no number: check the device's time format")
        if fact.kind != line.counter.credit:
            self._leave_aside(ledger, line, fact)
            self._moment(fact, end)
            return not fact.historical
        if ledger.uncredited:
            ledger.uncredited = 0
            self.notes.append(Note(fact.source, f"kind {line.key}", ""))
        ledger.credited = self.state.now
        if fact.complete < COMPLETE_MIN and not fact.historical:
            reason = f"saw {fact.complete:.0%} of its window and counted no more: look at its power and its load"
            self.notes.append(Note(fact.source, f"complete {line.key}", reason))
        moment = self._moment(fact, end)
        again = fact.seen - ledger.seen >= clocks.STANDS_GAP_S  # a repetition is a sign of life, a prompt echo is none
        if fact.kind == "cumulative":
            new = self._register(ledger, line, fact, moment)
        else:
            new = self._measured(ledger, line, fact, moment, start, end)
        return (new or again) and not fact.historical

    def replaced(self, fact: DeviceStatus) -> None:
        """A device tells its serial number or firmware: another one than before makes its registers doubtful."""
        serial, firmware = self.state.hardware.get(fact.source, ("", ""))
        new = fact.replaced or (serial and fact.serial and serial != fact.serial)
        updated = firmware and fact.firmware and firmware != fact.firmware
        if fact.source in self.state.uplinks:
            self._uplink(fact)
        if fact.source in self._devices:
            self.state.hardware[fact.source] = (fact.serial or serial, fact.firmware or firmware)
        if new or updated:
            for key in self._devices.get(fact.source, ()):
                for register in self.state.ledgers[key].registers:
                    register.doubt = "replaced" if new else register.doubt or "updated"
            if fact.source in self._devices:
                what = "another device of this name" if new else f"new firmware {fact.firmware}"
                self.notes.append(Note(fact.source, "replaced", f"{what}: check what its registers count from"))

    def _uplink(self, fact: Count | DeviceStatus) -> None:
        """Messages missing before one that tells what passed since the last: what they told is lost, and it is said.

        A number that falls is a device that was restarted, or a message overtaken: nothing is known to be missing.
        """
        last, self.state.uplinks[fact.source] = self.state.uplinks.get(fact.source, -1), fact.seq
        if (lost := fact.seq - last - 1) > 0 <= last and lost <= UPLINKS_LOST_MAX:
            reason = (
                f"lost uplinks: {lost}; who passed before them is not counted: mend the radio, or credit a register"
            )
            self.notes.append(Note(fact.source, "uplinks", reason))

    def step(self, tick_at: float) -> float:
        """Seconds a tick moves time on: 0 for a tick told before, negative or over a day for a leap of the clock.

        Raises Refused for a tick that is no time, or a leap that no other tick confirms yet.
        """
        if not 0 <= tick_at < TIME_MAX:
            raise Refused("a tick that is no time: check the clock of the machine that writes ticks")
        step = tick_at - self.state.now
        if not math.isfinite(step) or 0 < step <= LEAP_S:
            self.state.leap.clear()
            return step if math.isfinite(step) else 0.001
        if -LEAP_S <= step <= 0:
            return 0.0
        leap = self.state.leap
        if leap and not 0 < tick_at - leap[-1] <= 60.0:
            leap.clear()
        leap.append(tick_at)
        if len(leap) < LEAP_TICKS:
            raise Refused(f"the clock leapt by {step / 86_400:.1f} days; believed when {LEAP_TICKS} ticks agree")
        leap.clear()
        return step

    def advance(self, tick_at: float) -> list[Crossing]:
        """Move the clock to a tick; returns the crossings the watermark has passed, in their one order."""
        state, before = self.state, self.state.now
        if before == -math.inf:  # what arrived before there was any time arrived now
            state.seen = {source: dict.fromkeys(known, tick_at) for source, known in state.seen.items()}
            for ledger in state.ledgers.values():
                ledger.told = {name: known._replace(arrived=tick_at) for name, known in ledger.told.items()}
        state.now = tick_at
        watermark = self.watermark
        ripe = sorted(c for c in state.pending if c.at <= watermark) if state.pending else []
        if ripe:
            state.pending = [c for c in state.pending if c.at > watermark]
        if tick_at // FORGET_EVERY_S != before // FORGET_EVERY_S:
            self._forget(tick_at - REMEMBER_S)
        return ripe

    # Events and windows.

    def _moment(self, fact: Count, stamp: float) -> Moment:
        """When a count happened, by its own clock as far as that can be believed."""
        if not fact.seen:
            at, reason = self.when(fact)
            return Moment(stamp if at == fact.at else at, "gateway" if reason else "device", fresh=True, reason=reason)
        if not 0 <= fact.seen < TIME_MAX:
            raise Refused("the gateway's time is no time: check the clock of its machine")
        clock = self.state.clocks.get(fact.source)
        if clock is None:
            if len(self.state.clocks) >= SOURCES_MAX:
                del self.state.clocks[next(iter(self.state.clocks))]
            clock = self.state.clocks[fact.source] = Clock()
        if fact.historical:
            return clocks.remembered(clock, stamp, fact.seen)
        before, reason = clock.offset, clock.reason
        moment = clocks.judge(clock, stamp, fact.seen)
        if moment.reason != reason:
            self.notes.append(Note(fact.source, "clock", moment.reason, lasting=True))
        if clock.held and clock.offset != before:
            self._let_go(clock, set_right=True)  # what it told under old stamps was news
        return moment

    def _measured(self, ledger: Ledger, line: Line, fact: Count, moment: Moment, start: float, end: float) -> bool:
        """Credit an event or a window once. False for a repetition."""
        name = _name(fact, start, end)
        known = ledger.told.get(name)
        same_stamp = ledger.stamp == end
        if known is None and start == end and moment.fresh and not (same_stamp or fact.historical):
            self._event(ledger, line, name, fact, moment)  # as nearly always
            return True
        if moment.source == "gateway" and self._stands(fact):
            if known is not None and (fact.seq >= 0 or _echoes(fact, known, end - start)):
                return False
        elif known is not None and not _another(known, fact, moment):
            self._hold(ledger, known, fact, end)
            return False
        elif not moment.fresh and self._was_credited(fact.source, ledger, moment, start, end, by_stamp=known is None):
            self._hold(ledger, None, fact, end)
            return False
        elif moment.fresh and fact.kind == "window" and self._overlaps(ledger, moment, end - start, 0.9):
            return False
        elif fact.seen and not fact.historical:
            clock = self.state.clocks[fact.source]
            if same_stamp and fact.kind == "event":
                clocks.repeated(clock, end, fact.seen, news=True)
            else:
                clocks.moved(clock, end, fact.seen)
            if moment.fresh and clock.held and not same_stamp:
                clock.held.clear()
        self._plausible(fact.forward + fact.backward, max(end - start, 1.0))
        self._remember(ledger, name, fact, moment, end)
        if fact.kind == "window":
            self._span(ledger, moment, start, end)
        self._credit(line, fact.seq, fact.forward, fact.backward, moment, end - start, historical=fact.historical)
        return True

    def _stands(self, fact: Count) -> bool:
        clock = self.state.clocks.get(fact.source)
        return clock is not None and clock.standing

    def _event(self, ledger: Ledger, line: Line, name: str, fact: Count, moment: Moment) -> None:
        """Credit a new event of a clock that is right."""
        if fact.seen:
            clock = self.state.clocks[fact.source]
            if clock.held:
                clock.held.clear()
            clocks.moved(clock, fact.at, fact.seen)
        self._plausible(fact.forward + fact.backward, 1.0)
        self._remember(ledger, name, fact, moment, fact.at)
        self._credit(line, fact.seq, fact.forward, fact.backward, moment, 0.0, historical=False)

    def _hold(self, ledger: Ledger, known: Known | None, fact: Count, stamp: float) -> None:
        """Keep what looks like a repetition, in case its clock turns out to stand or to be set back."""
        if not fact.seen or fact.historical:
            return
        clock = self.state.clocks[fact.source]
        if fact.kind == "window":
            news = known is not None and (fact.forward, fact.backward) != (known.forward, known.backward)
            again = [h.fact for h in clock.held if (h.fact.line, h.fact.end) == (fact.line, fact.end)]
            last = again[-1] if again else known
            if last is not None and _echoes(fact, last, fact.end - fact.start):
                return
        elif known is not None or any(identity(h.fact) == identity(fact) for h in clock.held):
            return
        else:
            news = True
        ledger.seen = fact.seen
        clock.held.append(Held(fact, news))
        if len(clock.held) > clocks.HELD_MAX:
            del clock.held[0]
        if clocks.repeated(clock, stamp, fact.seen, news=news):
            self._let_go(clock, set_right=False)

    def _let_go(self, clock: Clock, *, set_right: bool) -> None:
        """Credit what was held: by the gateway's time under a clock that stands, else by the clock set right."""
        held, clock.held = clock.held, []
        for fact in (h.fact for h in held):
            line = self._lines[fact.counter, fact.line]
            ledger = self.state.ledgers[line.key]
            start, end = _extent(fact)
            period = end - start
            moment = Moment(fact.seen, "gateway", fresh=False)
            if set_right:
                if not -clocks.AHEAD_S <= fact.seen - end - clock.offset <= LIVE_S:
                    continue  # of before the change
                moment = Moment(end + clock.offset, "shifted", fresh=True)
            known = ledger.told.get(_name(fact, start, end))
            if set_right and known is not None and abs(moment.at - known.at) <= _apart(known):
                continue
            if set_right and self._overlaps(ledger, moment, period, 0.9):
                continue
            self._remember(ledger, _name(fact, start, end), fact, moment, end)
            if fact.kind == "window":
                self._span(ledger, moment, start, end)
            self._credit(line, fact.seq, fact.forward, fact.backward, moment, period, historical=False)

    def _was_credited(self, device: str, ledger: Ledger, moment: Moment, start: float, end: float,
                      *, by_stamp: bool) -> bool:  # fmt: skip
        """Whether an old report was credited before, as far as the spans remember."""
        if end <= start:
            old = moment.at < self.state.now - LIVE_S or moment.source == "gateway"
            return old and ledger.stamps.holds(end)
        slack = _slack(end - start)
        if by_stamp and ledger.stamps.overlap(start, end) > slack:
            return True
        if moment.source == "gateway":
            return False
        if not self._overlaps(ledger, moment, end - start, None):
            return False
        if not self._overlaps(ledger, moment, end - start, 0.9):
            reason = "sent a window that overlaps what was counted before: it is left out; send windows of one length"
            self.notes.append(Note(device, "overlap", reason))
        return True

    def _overlaps(self, ledger: Ledger, moment: Moment, period: float, share: float | None) -> bool:
        """Whether a window was credited before: by `share` of its length, or (None) by more than a slack."""
        overlap = ledger.spans.overlap(moment.at - period, moment.at)
        return overlap > (_slack(period) if share is None else share * period)

    @staticmethod
    def _span(ledger: Ledger, moment: Moment, start: float, end: float) -> None:
        """Remember a window as credited: as it happened if that is known, as it was stamped if doubtful."""
        slack = 0.05 * (end - start)
        if moment.source != "gateway":
            ledger.spans.add(moment.at - (end - start), moment.at, slack)
        if not moment.fresh or moment.source != "device":
            ledger.stamps.add(start, end, slack)

    def _remember(self, ledger: Ledger, name: str, fact: Count, moment: Moment, stamp: float) -> None:
        told = ledger.told
        if len(told) >= REMEMBER_MAX:
            self._fold(ledger, next(iter(told)))
        doubtful = not moment.fresh or moment.source != "device"
        told[name] = Known(self.state.now, fact.seen, moment.at, stamp, doubtful, fact.forward, fact.backward)
        ledger.stamp, ledger.seen = stamp, fact.seen

    def _fold(self, ledger: Ledger, name: str) -> None:
        """Forget an identity; of an event the moment stays."""
        known = ledger.told.pop(name)
        if not name.startswith("w|") and (known.doubtful or not ledger.registers):
            ledger.stamps.add(known.stamp, known.stamp)

    def _credit(self, line: Line, seq: int, forward: int, backward: int, moment: Moment, period: float,
                *, historical: bool) -> None:  # fmt: skip
        if line.one_way:
            forward, backward = forward + backward, 0
        if line.swapped:
            forward, backward = backward, forward
        if not forward and not backward:
            return
        at, now = moment.at, self.state.now
        period = min(period, PERIOD_MAX_S)
        if historical or at < now - LIVE_S:
            self.past.append(Crossing(at, line.name, seq, forward, backward, late=True, period_s=period))
            reason = "told long after it happened: history is corrected, the live number is not moved"
            self.notes.append(Note(line.counter.device or line.name, "backfill", reason))
            return
        crossing = Crossing(at, line.name, seq, forward, backward, at < self.watermark, period)
        self.state.pending.append(crossing)
        self.arrived.append(crossing)

    # Registers, and kinds that are not credited.

    def _register(self, ledger: Ledger, line: Line, fact: Count, moment: Moment) -> bool:
        """Credit what a register gained. False for one told before."""
        name, at = identity(fact), moment.at
        if name in ledger.told or (not moment.fresh and ledger.stamps.holds(fact.at) and not self._stands(fact)):
            return False
        same_stamp = ledger.stamp == fact.at
        if fact.historical and not ledger.registers:
            return True  # how it stood at some time is nothing to count from
        if fact.seen and not fact.historical:
            clock = self.state.clocks[fact.source]
            if same_stamp:
                clocks.repeated(clock, fact.at, fact.seen, news=True)
                at = max(at, fact.seen)
            else:
                clocks.moved(clock, fact.at, fact.seen)
        self._remember(ledger, name, fact, moment, fact.at)
        if not ledger.registers:
            ledger.registers = [Register(at, fact.forward), Register(at, fact.backward)]
            return True
        gains = [
            registers.read(register, at, value, ordered=moment.fresh and not same_stamp)
            for register, value in zip(ledger.registers, (fact.forward, fact.backward), strict=True)
        ]
        self.notes += [Note(fact.source, "register", gain.note) for gain in gains if gain.note]
        moment = Moment(at, moment.source, moment.fresh)
        period = max(gain.period_s for gain in gains)
        self._credit(line, fact.seq, gains[0].people, gains[1].people, moment, period, historical=fact.historical)
        return True

    def _leave_aside(self, ledger: Ledger, line: Line, fact: Count) -> None:
        """A kind that is not credited: nothing wrong, unless it is the only one that ever tells of people."""
        ledger.other += 1
        reading = (fact.forward, fact.backward)
        tells = reading != ledger.reading if fact.kind == "cumulative" else any(reading)
        ledger.reading = reading
        if not tells or self.state.now - ledger.credited <= UNCREDITED_S:
            return
        ledger.uncredited += 1
        if ledger.uncredited >= UNCREDITED_MIN:
            reason = (
                f"sends {fact.kind} counts, credited are {line.counter.credit}: "
                f"set credit = {fact.kind!r} for line {fact.line} in the venue file"
            )
            self.notes.append(Note(fact.source, f"kind {line.key}", reason, lasting=True))

    def _forget(self, horizon: float) -> None:
        """Drop the identities that arrived before `horizon`."""
        seen = self.state.seen
        for source in list(seen):
            seen[source] = {name: arrived for name, arrived in seen[source].items() if arrived >= horizon}
            if not seen[source]:
                del seen[source]
        for ledger in self.state.ledgers.values():
            for name in [name for name, known in ledger.told.items() if known.arrived < horizon]:
                self._fold(ledger, name)

    @staticmethod
    def _plausible(people: int, seconds: float) -> None:
        if people > PEOPLE_PER_S_MAX * max(seconds, 1.0) + 100:
            raise Refused(f"{people} people in {max(seconds, 1.0):.0f} s pass no door: nothing credited")


def _lines(venue: Venue) -> list[tuple[tuple[str, str], Line]]:
    """(device, line) -> line; what one direction of a counter reads from a line of its own is turned round."""
    found = []
    for name, counter in venue.counters.items():
        device = counter.device or name
        found.append(((device, counter.line), Line(name, counter, name, counter.invert)))
        if counter.backward_line:
            back = Line(name, counter, f"{name} backward", not counter.invert, one_way=True)
            found.append(((device, counter.backward_line), back))
    return found


def _instant(fact: Count) -> None:
    """Raises Refused for an event of more people than pass both ways in one moment: a register told as one."""
    if fact.forward and fact.backward and fact.forward + fact.backward > EVENT_BOTH_WAYS_MAX:
        raise Refused(
            f"{fact.forward} people forward and {fact.backward} backward in one moment look like a register: nothing "
            "credited; credit another kind, or the dialect that reads them as registers (flowmon learn tells)"
        )


def _extent(fact: Count) -> tuple[float, float]:
    """Start and end of a count by its device's clock: equal but for a window."""
    if fact.kind == "window" and 0 < fact.end - fact.start <= PERIOD_MAX_S:
        return fact.start, fact.end
    return fact.at, fact.at


def _apart(known: Known) -> float:
    """Seconds by which a report must have happened elsewhere than one of the same stamp, to be another one."""
    return DOUBTFUL_S if known.doubtful else ANOTHER_S


def _another(known: Known, fact: Count, moment: Moment) -> bool:
    """Whether a stamp told before is another report, made since the clock was changed: by when it happened."""
    if abs(moment.at - known.at) <= _apart(known):
        return False
    if moment.fresh:
        return True
    delayed = moment.source == "shifted" and -clocks.AHEAD_S <= fact.seen - moment.at <= LIVE_S
    return delayed and fact.kind == "window"


def _echoes(fact: Count, last: Known | Count, period: float) -> bool:
    """Whether a report under the stamp of another is that one told twice: as soon, with the same numbers."""
    soon = fact.seen - last.seen < max(0.5 * period, clocks.STANDS_GAP_S)
    return soon and (fact.forward, fact.backward) == (last.forward, last.backward)


def _name(fact: Count, start: float, end: float) -> str:
    """The identity of an event or a window within its line."""
    return f"w|{start}|{end}" if fact.kind == "window" else identity(fact)


def _slack(period: float) -> float:
    return min(SLACK_S, SLACK_SHARE * period)
