"""Whether a tick can be believed, and by how much it moves time on.

Ticks are the only clock of the core, so one wrong tick could close or reopen a day. A tick that is more than a day off
is believed when three in a row agree, each within a minute after the one before (the machine was off, or its clock was
set); a single one is refused. A tick told before moves nothing.
"""

import math

from flowmon.monitor.crossings import Refused

LEAP_S = 86_400.0
LEAP_TICKS = 3
TIME_MAX = 2e11  # the year 8307: beyond it no calendar works


def step(now: float, tick_at: float, leap: list[float]) -> float:
    """Seconds a tick moves time on: 0 for a tick told before, negative or over a day for a leap of the clock.

    now: the last tick believed, -inf for none. leap: the ticks of a leap that is not believed yet; kept up to date.
    Raises Refused for a tick that is no time, or a leap that no other tick confirms yet.
    """
    if not 0 <= tick_at < TIME_MAX:
        raise Refused("a tick that is no time: check the clock of the machine that writes ticks")
    by = tick_at - now
    if not math.isfinite(by) or 0 < by <= LEAP_S:
        leap.clear()
        return by if math.isfinite(by) else 0.001
    if -LEAP_S <= by <= 0:
        return 0.0
    if leap and not 0 < tick_at - leap[-1] <= 60.0:
        leap.clear()
    leap.append(tick_at)
    if len(leap) < LEAP_TICKS:
        raise Refused(f"the clock leapt by {by / 86_400:.1f} days; believed when {LEAP_TICKS} ticks agree")
    leap.clear()
    return by
