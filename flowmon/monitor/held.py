"""Reports held back until a clock's verdict: what looks like a repetition may be news of a clock that went wrong.

Theory of operation
    A clock that stands still, or was set back, tells its news under stamps that were told before. Whether it does is
    known only after several reports (`clocks`), so what looks like a repetition waits with its clock (`Clock.held`, 64
    at most), unless it is plainly one: the same numbers as soon as before.

        the clock stands       each happened when the gateway saw it
        the clock is set right each happened by its shifted stamp, if that is within an hour of when it was seen, and if
                               nothing of then was credited before
        a fresh report         the clock is sound: they were repetitions, and are dropped

Failure mode: a clock that stands for fewer than three reports loses one of them.
"""

from flowmon.facts import Count, identity
from flowmon.monitor import clocks
from flowmon.monitor.clocks import Clock, Held, Moment
from flowmon.monitor.ledgers import LIVE_S, Known, Ledger, apart, echoes, extent, name_of


def hold(clock: Clock, ledger: Ledger, known: Known | None, fact: Count, stamp: float) -> bool:
    """Keep what looks like a repetition, in case its clock turns out to stand or to be set back.

    known: what was told under its identity, if anything. Returns whether the clock is now known to stand.
    """
    if fact.kind == "window":
        news = known is not None and (fact.forward, fact.backward) != (known.forward, known.backward)
        again = [h.fact for h in clock.held if (h.fact.line, h.fact.end) == (fact.line, fact.end)]
        last = again[-1] if again else known
        if last is not None and echoes(fact, last, fact.end - fact.start):
            return False
    elif known is not None or any(identity(h.fact) == identity(fact) for h in clock.held):
        return False
    else:
        news = True
    ledger.seen = fact.seen
    clock.held.append(Held(fact, news))
    if len(clock.held) > clocks.HELD_MAX:
        del clock.held[0]
    return clocks.repeated(clock, stamp, fact.seen, news=news)


def verdict(ledger: Ledger, fact: Count, offset: float, *, set_right: bool) -> Moment | None:
    """When a held report happened; None when it is no news.

    set_right: its clock was found to be off by `offset` seconds; otherwise it was found to stand.
    """
    if not set_right:
        return Moment(fact.seen, "gateway", fresh=False)
    start, end = extent(fact)
    if not -clocks.AHEAD_S <= fact.seen - end - offset <= LIVE_S:
        return None  # of before the change
    moment = Moment(end + offset, "shifted", fresh=True)
    known = ledger.told.get(name_of(fact, start, end))
    if known is not None and abs(moment.at - known.at) <= apart(known):
        return None
    return None if ledger.overlaps(moment, end - start, 0.9) else moment
