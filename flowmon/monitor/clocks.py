"""Whether a device's clock can be believed, and what its stamps mean when it cannot.

Theory of operation
    lag = gateway's time - device's time + the correction in force. Transport only ever adds to it, so a sound clock
    shows a small positive lag; a negative one is a clock that is ahead, a large one is a clock that is behind or a
    report that was kept for long. The two are told apart by pace: a wrong clock keeps one lag while time goes on,
    a backlog arrives faster than its stamps.

        lag in [-5 s, 60 s]       fresh: believed, and every other suspicion ends
        three odd ones at a pace  over 30 s or more, lags within 5 s of the first, no fresh one between: the clock is
                                  off by that lag (to the quarter of an hour when it is near one: a missing time zone
                                  or the hour of a clock change). From here on stamps are shifted by it.
        odd, not yet sure         ahead, or over 400 days behind: the gateway's time. Behind: an old report, as stamped
        three equal stamps        that bring news while time goes on: the clock stands. The gateway's time.

    What arrives while a verdict is open and looks like a repetition is held (`Clock.held`), because a clock that
    stands or was set back tells its news under old stamps; the verdict lets it go, a fresh report drops it.

Failure mode: a device that sends its backlog at exactly the pace at which it was measured, and nothing fresh between,
looks like a clock that is behind. A clock that stands for fewer than three reports loses one of them.
"""

from typing import Literal

from msgspec import Struct, field

from flowmon.facts import Count

AHEAD_S = 5.0
FRESH_S = 60.0
ABSURD_S = 400 * 86_400.0
PACE_S = 5.0
RUN = 3
QUARTER_S = 900.0
NEAR_QUARTER_S = 20.0
HELD_MAX = 64
STANDS_GAP_S = 10.0
SMOOTHING = 0.1
RUN_S = 30.0

TimeSource = Literal["device", "shifted", "gateway"]


class Held(Struct):
    """A count that looked like a repetition: let go when its device's clock turns out to stand or to be set back."""

    fact: Count
    news: bool


class Clock(Struct):
    """What is known of one device's clock; `offset` is added to its stamps. lag: smoothed gateway - device, seconds.

    source, reason: whose time its last report was given, and what is wrong with the clock ("" nothing).
    """

    offset: float = 0.0
    source: TimeSource = "device"
    reason: str = ""
    lag: float | None = None
    run: int = 0
    run_lag: float = 0.0
    run_least: float = 0.0
    run_at: float = 0.0
    run_since: float = 0.0
    last_at: float = -1.0
    stand_seen: float = 0.0
    stands: int = 0
    standing: bool = False
    held: list[Held] = field(default_factory=list)


class Moment(Struct, frozen=True, gc=False):
    """A stamp judged. at: when it happened; fresh: the clock was right about it. reason: what is wrong, or ""."""

    at: float
    source: TimeSource
    fresh: bool
    reason: str = ""


def judge(clock: Clock, at: float, seen: float) -> Moment:
    """What a stamp `at` that the gateway saw at `seen` means; learns from it. Both are finite seconds UTC."""
    if not clock.offset and not clock.standing and -AHEAD_S <= seen - at <= FRESH_S:  # as nearly always
        clock.run = 0
        clock.lag = seen - at if clock.lag is None else clock.lag + SMOOTHING * (seen - at - clock.lag)
        clock.source, clock.reason = "device", ""
        return Moment(at, "device", True)  # noqa: FBT003
    moment = _judged(clock, at, seen)
    clock.source, clock.reason = moment.source, moment.reason
    return moment


def _judged(clock: Clock, at: float, seen: float) -> Moment:
    if clock.standing:
        if at == clock.last_at:
            return Moment(seen, "gateway", fresh=False, reason=_STANDS)
        clock.standing = at < clock.last_at
    raw = seen - at
    lag = raw - clock.offset
    if -AHEAD_S <= lag <= FRESH_S:
        clock.run, clock.standing = 0, False
        clock.lag = raw if clock.lag is None else clock.lag + SMOOTHING * (raw - clock.lag)
        return _right(clock, at)
    if _is_off(clock, lag, at, seen):
        clock.offset = _rounded(clock.run_least + clock.offset)
        clock.run, clock.lag, clock.standing = 0, raw, False
        return _right(clock, at)
    if _before(clock, raw):
        return Moment(at, "device", fresh=False)
    if lag < -AHEAD_S or lag > ABSURD_S:
        clock.lag = raw
        where = "ahead of" if lag < 0 else "years behind"
        reason = f"clock {where} the gateway: set the device's NTP server"
        return Moment(seen, "gateway", fresh=False, reason=reason)
    right = _right(clock, at)
    return Moment(right.at, right.source, fresh=False, reason=right.reason)


def remembered(clock: Clock, at: float, seen: float) -> Moment:
    """What a stamp means that is told from a device's memory, and teaches nothing about its clock."""
    if _before(clock, seen - at):
        return Moment(at, "device", fresh=False)
    if not -AHEAD_S <= seen - at - clock.offset <= ABSURD_S:
        return Moment(seen, "gateway", fresh=False)
    return Moment(min(at + clock.offset, seen), "shifted" if clock.offset else "device", fresh=False)


def _before(clock: Clock, raw: float) -> bool:
    """Whether a stamp makes no sense shifted, but does as it is: it was made before the clock went wrong."""
    return bool(clock.offset) and not -AHEAD_S <= raw - clock.offset <= ABSURD_S and -AHEAD_S <= raw <= ABSURD_S


def _right(clock: Clock, at: float) -> Moment:
    if not clock.offset:
        return Moment(at, "device", fresh=True)
    return Moment(at + clock.offset, "shifted", fresh=True, reason=off(clock.offset))


def repeated(clock: Clock, at: float, seen: float, *, news: bool) -> bool:
    """A stamp that was told before came again: whether the clock is now known to stand.

    news: its numbers differ from the first time. A device that resends one report again and again shows none.
    """
    if clock.standing and at < clock.last_at:
        return False  # an older report sent again
    if at != clock.last_at:
        clock.stands, clock.stand_seen, clock.last_at = 0, seen, at
    elif seen - clock.stand_seen >= STANDS_GAP_S:
        clock.stands += 1
        clock.stand_seen = seen
    if clock.stands >= RUN - 1 and (news or any(held.news for held in clock.held)):
        clock.standing = True
    return clock.standing


def moved(clock: Clock, at: float, seen: float) -> None:
    """A stamp that was not told before."""
    if at != clock.last_at and not (clock.standing and at < clock.last_at):
        clock.last_at, clock.stand_seen, clock.stands = at, seen, 0


def off(offset: float) -> str:
    """How a constant offset is told.

    >>> off(-7200.0)
    'clock 7200 s ahead (a time zone or clock change?): its times are shifted; set its NTP server and zone'
    """
    zone = " (a time zone or clock change?)" if offset % QUARTER_S == 0 else ""
    way = "behind" if offset > 0 else "ahead"
    return f"clock {abs(offset):.0f} s {way}{zone}: its times are shifted; set its NTP server and zone"


def _is_off(clock: Clock, lag: float, at: float, seen: float) -> bool:
    """Whether this is the third odd stamp in a row at the pace of time."""
    if clock.run and at == clock.run_at and abs(lag - clock.run_lag) <= PACE_S:
        return False  # another line of the same report
    if clock.run and at > clock.run_at and abs(lag - clock.run_lag) <= PACE_S:
        clock.run += 1
        clock.run_least = min(clock.run_least, lag)
    else:
        clock.run, clock.run_lag, clock.run_least, clock.run_since = 1, lag, lag, seen
    clock.run_at = at
    return clock.run >= RUN and seen - clock.run_since >= RUN_S


def _rounded(offset: float) -> float:
    quarter = round(offset / QUARTER_S) * QUARTER_S
    if abs(offset - quarter) <= NEAR_QUARTER_S:
        return quarter
    return round(offset, 1)


_STANDS = "clock stands still: the gateway's time is used; restart the device and set its NTP server"
