"""Turns readings into crossings: what is kept of a fact's arrival, when it happened, and what leaves at the watermark.

Theory of operation
    Time. Ticks are the only clock of the core (`ticks`). The watermark is the last tick minus the lateness (2 s by
    default). Crossings wait until the watermark passes them and leave in the order (time, counter, sequence), so any
    order of arrival within the lateness gives the same result. When a count happened is judged by `clocks`: no device's
    clock can move the watermark.

          past           late                    arrival   c2 c1 | c3
          --------|------------------------------------------------------>
          now - 1 h                       watermark  ^W1     ^W2

    A late crossing still happened: it leaves at the next tick, moves the number, and never reopens a closed flow
    window. What is past corrects history (`crediting`).

    Lines. What is remembered is kept per counter and line of its device (`ledgers`). A counter may read two lines that
    count one direction each (`crossings`). Exactly one kind is credited (`Counter.credit`), once (`crediting`); others
    are counted and left aside, and it is said when they are all that ever tells of people.

    Devices. Another serial number or firmware makes the registers of all lines of a device doubtful. Missing uplinks of
    one whose messages tell what passed since the last are told, as nobody can make them up.

Failure mode: a device that restarts, or whose messages overtake one another, hides the uplinks that it lost meanwhile.
"""

import math

from flowmon.facts import Count, DeviceStatus, Fact, identity
from flowmon.monitor import clocks, ticks
from flowmon.monitor.clocks import Clock, Moment
from flowmon.monitor.crediting import Crediting
from flowmon.monitor.crossings import Crossing, Line, Note, Refused, instant, lines
from flowmon.monitor.ledgers import REMEMBER_MAX, IntakeState, Ledger, extent
from flowmon.monitor.ticks import LEAP_S, TIME_MAX
from flowmon.venue.model import Venue

__all__ = ["LEAP_S", "TIME_MAX", "Crossing", "Intake", "IntakeState", "Ledger", "Line", "Note", "Refused"]

AHEAD_S = 5.0
BEHIND_S = 86_400.0
REMEMBER_S = 5_400.0  # longer than `ledgers.LIVE_S`, from where on the spans are asked
FORGET_EVERY_S = 600.0
SOURCES_MAX = 10_000
COUNT_MAX = 10_000_000
REGISTER_MAX = 2**53
UNCREDITED_MIN = 3
UNCREDITED_S = 86_400.0
UPLINKS_LOST_MAX = 10_000
COMPLETE_MIN = 0.8


class Intake:
    """Everything between a fact's arrival and a crossing that counts.

    arrived, past, notes: what the facts since the last look have brought; the core takes them away.
    """

    def __init__(self, venue: Venue, state: IntakeState | None = None) -> None:
        self.state = state or IntakeState()
        self._lateness = venue.lateness_s
        self._lines = dict(lines(venue))
        self._devices: dict[str, list[str]] = {}
        for (device, _), line in self._lines.items():
            self.state.ledgers.setdefault(line.key, Ledger())
            self._devices.setdefault(device, []).append(line.key)
        self._crediting = Crediting(self.state, self._lines, venue.lateness_s)
        self.arrived, self.past, self.notes = self._crediting.arrived, self._crediting.past, self._crediting.notes

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
            instant(fact)
        if fact.kind == "window" and not fact.start:
            self._uplink(fact)
        start, end = extent(fact)
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
            new = self._crediting.register(ledger, line, fact, moment)
        else:
            new = self._crediting.measured(ledger, line, fact, moment, start, end)
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
        """Seconds a tick moves time on, see `ticks.step`. Raises Refused for a tick that is not believed."""
        return ticks.step(self.state.now, tick_at, self.state.leap)

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
            self._crediting.let_go(clock, set_right=True)  # what it told under old stamps was news
        return moment

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
            ledger.forget(horizon)
