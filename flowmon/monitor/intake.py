"""Turns readings into crossings: duplicates, device clocks, the count kinds, registers that restart.

Theory of operation
    Time. Ticks are the only clock. The watermark is the last tick minus the lateness (2 s by default). Crossings
    wait until the watermark passes them and leave in the order (time, counter, sequence), so any order of arrival
    within the lateness gives the same result. A device clock that is ahead of the gateway or a day behind it is not
    believed: the gateway's time is used and the device is named. No device clock can move the watermark.

          arrival   c2 c1 | c3      a late crossing (before the watermark) still happened: it leaves at the next
          ---------------------->   tick, moves the number, and never reopens a closed flow window
          watermark  ^W1     ^W2

    Duplicates. (source, identity) seen within the last hour, at most 1,024 for a source, is a no-op.

    Leaps. A tick that is more than a day off is believed when three in a row agree (the machine was off, or its
    clock was set); a single one is refused.

    Kinds. Exactly one kind is credited for a line (`Counter.credit`). Registers: the difference to the last one;
    a fall is a wrap (16 or 32 bit) when the old value stood near the top and the new one near zero, otherwise a
    restart from zero, and the new value is credited. The first register is a baseline. A leap no door can make
    (50 people a second) is a remote SET: a new baseline, nothing credited, and the device is named.

Failure mode: a register that restarts twice between two readings loses what it counted in between.
"""

import math
from typing import NamedTuple

from msgspec import Struct, field

from flowmon.facts import Count, Fact, identity
from flowmon.venue.model import Venue

AHEAD_S = 5.0
BEHIND_S = 86_400.0
REMEMBER_S = 3_600.0
FORGET_EVERY_S = 600.0
REMEMBER_MAX = 1_024
SOURCES_MAX = 10_000
PEOPLE_PER_S_MAX = 50.0
PERIOD_MAX_S = 3_600.0
COUNT_MAX = 10_000_000
LEAP_S = 86_400.0
LEAP_TICKS = 3
TIME_MAX = 2e11  # the year 8307: beyond it no calendar works


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


class Register(Struct):
    """The last reading of a cumulative register."""

    at: float
    forward: int
    backward: int


class IntakeState(Struct):
    """seen: source -> identity -> tick of arrival; skew: device -> smoothed (gateway - device) seconds."""

    now: float = -math.inf
    seen: dict[str, dict[str, float]] = field(default_factory=dict)
    pending: list[Crossing] = field(default_factory=list)
    registers: dict[str, Register] = field(default_factory=dict)
    skew: dict[str, float] = field(default_factory=dict)
    leap: list[float] = field(default_factory=list)


class Refused(Exception):
    """The fact cannot be used; the reason says what to do. Never leaves the monitor."""


class Intake:
    """Everything between a fact's arrival and a crossing that counts."""

    def __init__(self, venue: Venue, state: IntakeState | None = None) -> None:
        self.state = state or IntakeState()
        self._lateness = venue.lateness_s
        self._counters = {(c.device or name, c.line): (name, c) for name, c in venue.counters.items()}

    @property
    def watermark(self) -> float:
        """Everything up to here is closed, seconds."""
        return self.state.now - self._lateness

    def is_new(self, fact: Fact) -> bool:
        """Whether this fact was not told before; remembers it."""
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

    def counter_of(self, fact: Count) -> str:
        """The venue's counter that a count belongs to. Raises Refused for a line nobody configured."""
        found = self._counters.get((fact.counter, fact.line))
        if found is None:
            raise Refused(
                f"no counter in the venue file has device {fact.counter!r} and line {fact.line!r}: "
                "add it under [counters], or correct the device name"
            )
        return found[0]

    def take(self, fact: Count, at: float) -> Crossing | None:
        """The crossing in a count, queued until the watermark passes it; None when it moves nobody.

        Raises Refused for counts that no door can make, and for a kind that is not credited on this line.
        """
        if not 0 <= fact.forward <= COUNT_MAX or not 0 <= fact.backward <= COUNT_MAX:
            raise Refused(f"counts of {fact.forward} and {fact.backward} people are not possible: check the device")
        name, counter = self._counters[fact.counter, fact.line]
        if fact.kind != counter.credit:
            raise Refused(
                f"sends {fact.kind} counts, but {counter.credit} counts are credited on this line: "
                f"set credit = {fact.kind!r} in the venue file if that is what it should be"
            )
        forward, backward, period = fact.forward, fact.backward, 0.0
        if fact.kind == "cumulative":
            forward, backward, period = self._register(name, fact, at)
        elif fact.kind == "window":
            period = max(0.0, fact.end - fact.start)
            self._plausible(forward + backward, period)
        else:
            self._plausible(forward + backward, 1.0)
        if not forward and not backward:
            return None
        late = at < self.watermark
        crossing = Crossing(at, name, fact.seq, forward, backward, late, min(period, PERIOD_MAX_S))
        self.state.pending.append(crossing)
        return crossing

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
        state.now = tick_at
        watermark = self.watermark
        ripe = sorted(c for c in state.pending if c.at <= watermark) if state.pending else []
        if ripe:
            state.pending = [c for c in state.pending if c.at > watermark]
        if tick_at // FORGET_EVERY_S != before // FORGET_EVERY_S:
            self._forget(tick_at - REMEMBER_S)
        return ripe

    def _forget(self, horizon: float) -> None:
        """Drop the identities that arrived before `horizon`."""
        seen = self.state.seen
        for source in list(seen):
            seen[source] = {name: arrived for name, arrived in seen[source].items() if arrived >= horizon}
            if not seen[source]:
                del seen[source]

    def _register(self, name: str, fact: Count, at: float) -> tuple[int, int, float]:
        """Crossings between the last register and this one, and the seconds between them."""
        last = self.state.registers.get(name)
        if last is not None and at < last.at:
            return 0, 0, 0.0  # overtaken: the later register already holds these crossings
        self.state.registers[name] = Register(at, fact.forward, fact.backward)
        if last is None:
            return 0, 0, 0.0
        forward, backward = _gained(last.forward, fact.forward), _gained(last.backward, fact.backward)
        self._plausible(forward + backward, at - last.at)
        return forward, backward, at - last.at

    @staticmethod
    def _plausible(people: int, seconds: float) -> None:
        if people > PEOPLE_PER_S_MAX * max(seconds, 1.0) + 100:
            raise Refused(
                f"{people} people in {max(seconds, 1.0):.0f} s pass no door: nothing credited. "
                "If the register was set by hand, counting goes on from the new value"
            )


def _gained(old: int, new: int) -> int:
    """People between two readings of a register that may have wrapped or restarted."""
    if new >= old:
        return new - old
    for top in (1 << 16, 1 << 32):
        if old < top and old > 0.9 * top and new < 0.1 * top:
            return new + top - old
    return new
