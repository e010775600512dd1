"""Credits each report once: events, windows and registers become crossings, repetitions become nothing.

Theory of operation
    A report that was told before, by its identity (`ledgers`) or by the part of the past that it speaks of (`spans`),
    is a repetition; unless its clock stands or was set back (`held`). A register is credited with what it gained
    (`registers`).

    A late crossing still happened: it leaves at the next tick and moves the number. What ended over an hour ago, or is
    said to be of a device's memory (`historical`), is past: it corrects history (`Flow.late`) and never moves the live
    number.

Failure modes: an event without a number under a clock that stands still cannot be told from its repetition; a report
resent after more than half a period under such a clock is counted twice. A window that overlaps what was credited by
more than 12 s (a fifth of it, if shorter) is left out whole, and the device is named.
"""

from flowmon.facts import Count, identity
from flowmon.monitor import clocks, held, registers
from flowmon.monitor.clocks import Clock, Moment
from flowmon.monitor.crossings import Crossing, Line, Note, plausible
from flowmon.monitor.ledgers import (
    LIVE_S,
    PERIOD_MAX_S,
    IntakeState,
    Known,
    Ledger,
    another,
    echoes,
    extent,
    name_of,
    slack,
)
from flowmon.monitor.registers import Register


class Crediting:
    """Makes crossings of judged reports; they are in `arrived` or `past`, what is odd about a device in `notes`.

    state: shared with the intake, which moves its clock. lines: by device and name of the line.
    """

    def __init__(self, state: IntakeState, lines: dict[tuple[str, str], Line], lateness_s: float) -> None:
        self._state = state
        self._lines = lines
        self._lateness = lateness_s
        self.arrived: list[Crossing] = []
        self.past: list[Crossing] = []
        self.notes: list[Note] = []

    def measured(self, ledger: Ledger, line: Line, fact: Count, moment: Moment, start: float, end: float) -> bool:
        """Credit an event or a window once. False for a repetition."""
        name = name_of(fact, start, end)
        known = ledger.told.get(name)
        same_stamp = ledger.stamp == end
        if known is None and start == end and moment.fresh and not (same_stamp or fact.historical):
            self._event(ledger, line, name, fact, moment)  # as nearly always
            return True
        if moment.source == "gateway" and self._stands(fact):
            if known is not None and (fact.seq >= 0 or echoes(fact, known, end - start)):
                return False
        elif known is not None and not another(known, fact, moment):
            self._hold(ledger, known, fact, end)
            return False
        elif not moment.fresh and self._was_credited(fact.source, ledger, moment, start, end, by_stamp=known is None):
            self._hold(ledger, None, fact, end)
            return False
        elif moment.fresh and fact.kind == "window" and ledger.overlaps(moment, end - start, 0.9):
            return False
        elif fact.seen and not fact.historical:
            clock = self._state.clocks[fact.source]
            if same_stamp and fact.kind == "event":
                clocks.repeated(clock, end, fact.seen, news=True)
            else:
                clocks.moved(clock, end, fact.seen)
            if moment.fresh and clock.held and not same_stamp:
                clock.held.clear()
        plausible(fact.forward + fact.backward, max(end - start, 1.0))
        ledger.remember(name, fact, moment, end, self._state.now)
        if fact.kind == "window":
            ledger.window(moment, start, end)
        self._credit(line, fact.seq, fact.forward, fact.backward, moment, end - start, historical=fact.historical)
        return True

    def register(self, ledger: Ledger, line: Line, fact: Count, moment: Moment) -> bool:
        """Credit what a register gained. False for one told before."""
        name, at = identity(fact), moment.at
        if name in ledger.told or (not moment.fresh and ledger.stamps.holds(fact.at) and not self._stands(fact)):
            return False
        same_stamp = ledger.stamp == fact.at
        if fact.historical and not ledger.registers:
            return True  # how it stood at some time is nothing to count from
        if fact.seen and not fact.historical:
            clock = self._state.clocks[fact.source]
            if same_stamp:
                clocks.repeated(clock, fact.at, fact.seen, news=True)
                at = max(at, fact.seen)
            else:
                clocks.moved(clock, fact.at, fact.seen)
        ledger.remember(name, fact, moment, fact.at, self._state.now)
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

    def _stands(self, fact: Count) -> bool:
        clock = self._state.clocks.get(fact.source)
        return clock is not None and clock.standing

    def _event(self, ledger: Ledger, line: Line, name: str, fact: Count, moment: Moment) -> None:
        """Credit a new event of a clock that is right."""
        if fact.seen:
            clock = self._state.clocks[fact.source]
            if clock.held:
                clock.held.clear()
            clocks.moved(clock, fact.at, fact.seen)
        plausible(fact.forward + fact.backward, 1.0)
        ledger.remember(name, fact, moment, fact.at, self._state.now)
        self._credit(line, fact.seq, fact.forward, fact.backward, moment, 0.0, historical=False)

    def _hold(self, ledger: Ledger, known: Known | None, fact: Count, stamp: float) -> None:
        """Keep what looks like a repetition until its clock's verdict, which may be this one."""
        if fact.seen and not fact.historical:
            clock = self._state.clocks[fact.source]
            if held.hold(clock, ledger, known, fact, stamp):
                self.let_go(clock, set_right=False)

    def let_go(self, clock: Clock, *, set_right: bool) -> None:
        """Credit what was held: by the gateway's time under a clock that stands, else by the clock set right."""
        waiting, clock.held = clock.held, []
        for fact in (h.fact for h in waiting):
            line = self._lines[fact.counter, fact.line]
            ledger = self._state.ledgers[line.key]
            moment = held.verdict(ledger, fact, clock.offset, set_right=set_right)
            if moment is None:
                continue
            start, end = extent(fact)
            ledger.remember(name_of(fact, start, end), fact, moment, end, self._state.now)
            if fact.kind == "window":
                ledger.window(moment, start, end)
            self._credit(line, fact.seq, fact.forward, fact.backward, moment, end - start, historical=False)

    def _was_credited(self, device: str, ledger: Ledger, moment: Moment, start: float, end: float,
                      *, by_stamp: bool) -> bool:  # fmt: skip
        """Whether an old report was credited before, as far as the spans remember."""
        if end <= start:
            old = moment.at < self._state.now - LIVE_S or moment.source == "gateway"
            return old and ledger.stamps.holds(end)
        if by_stamp and ledger.stamps.overlap(start, end) > slack(end - start):
            return True
        if moment.source == "gateway":
            return False
        if not ledger.overlaps(moment, end - start, None):
            return False
        if not ledger.overlaps(moment, end - start, 0.9):
            reason = "sent a window that overlaps what was counted before: it is left out; send windows of one length"
            self.notes.append(Note(device, "overlap", reason))
        return True

    def _credit(self, line: Line, seq: int, forward: int, backward: int, moment: Moment, period: float,
                *, historical: bool) -> None:  # fmt: skip
        if line.one_way:
            forward, backward = forward + backward, 0
        if line.swapped:
            forward, backward = backward, forward
        if not forward and not backward:
            return
        at, now = moment.at, self._state.now
        period = min(period, PERIOD_MAX_S)
        if historical or at < now - LIVE_S:
            self.past.append(Crossing(at, line.name, seq, forward, backward, late=True, period_s=period))
            reason = "told long after it happened: history is corrected, the live number is not moved"
            self.notes.append(Note(line.counter.device or line.name, "backfill", reason))
            return
        crossing = Crossing(at, line.name, seq, forward, backward, at < now - self._lateness, period)
        self._state.pending.append(crossing)
        self.arrived.append(crossing)
