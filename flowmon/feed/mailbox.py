"""What one client has still to be told of one channel. It holds numbers, never messages. Pure.

State deltas leave at most `max_hz` times a second, on a grid of that period shifted by `phase`: clients of the
same rate and phase stand at the same numbers and share one encoding, and those of other phases have their turn
at another moment, so that a thousand clients are no burst. After a pause a change leaves at once. Events leave at
once, in order; whoever is so far behind that events are gone is told so (`gap`) and gets the open episodes.
"""

import math

from flowmon.feed.hub import Hub
from flowmon.feed.messages import Fields, Sub, Where

HZ_DEFAULT = 20.0
HZ_MAX = 50.0
HZ_MIN = 0.02
EVENTS_AT_ONCE = 50

#: A message, and the number the client has reached once it has it.
Outgoing = tuple[bytes, int]


class Mailbox:
    """What both kinds share: who it is for, and how far the client was told."""

    def __init__(self, hub: Hub, sub: Sub, *, foreign: bool, phase: float = 0.0) -> None:
        """foreign: the venue is not the session's own, so messages must name it. phase: 0 to 1, of the period."""
        self.hub = hub
        self.channel = sub.ch
        self.where: Where = sub.where
        self.venue = hub.venue.id if foreign else ""
        self.label = f"{hub.venue.id}/{sub.ch}" if foreign else sub.ch
        self.phase = phase
        self.told = 0
        self.due = math.inf  # state: the next change leaves no earlier; events do not wait for it
        self._epoch = hub.epoch
        known = sub.since is not None and sub.since.epoch == hub.epoch and sub.since.seq >= 0
        self._since = sub.since.seq if sub.since is not None and known else None
        self._head: Fields | None = {"id": sub.id}  # not None: a snapshot is due

    def next_at(self) -> float:
        """When to `take` next; infinite when the client knows everything."""
        raise NotImplementedError

    def take(self, now: float, *, slow: bool) -> list[Outgoing]:
        """The next messages. slow: the client lags, so half the rate will do."""
        raise NotImplementedError

    def _check_epoch(self) -> None:
        if self._epoch != self.hub.epoch:
            self._epoch, self._since = self.hub.epoch, None
            self._head = self._head or {}

    def _snap(self, head: Fields, seq: int) -> Outgoing:
        if self.venue:
            head = head | {"venue": self.venue}
        return self.hub.snap_message(self.channel, self.where, head), seq


class KeyedMailbox(Mailbox):
    """State: the client is told what changed since it was told last, merged."""

    def __init__(self, hub: Hub, sub: Sub, *, foreign: bool, phase: float = 0.0) -> None:
        super().__init__(hub, sub, foreign=foreign, phase=phase)
        wanted = HZ_DEFAULT if sub.max_hz is None or not math.isfinite(sub.max_hz) else sub.max_hz
        self._hz = min(max(wanted, HZ_MIN), HZ_MAX)
        self._seen = 0  # like `told`, but also past changes that `where` hides
        self.due = 0.0

    def next_at(self) -> float:
        if self._head is not None or self._epoch != self.hub.epoch:
            return 0.0
        return self.due if self.hub.keyed[self.channel].seq > self._seen else math.inf

    def take(self, now: float, *, slow: bool) -> list[Outgoing]:
        self._check_epoch()
        held = self.hub.keyed[self.channel]
        if self._head is not None or not held.resumable(self._seen):
            out = [self._start(self._head or {}, held.seq)]
            self._head = self._since = None
        elif held.seq == self._seen or now < self.due:
            return []
        else:
            data = self.hub.delta_message(self.channel, self.where, self.told, self._seen, self.venue)
            self._seen = held.seq
            if not data:
                return []
            out = [(data, held.seq)]
        hz = self._hz / 2 if slow else self._hz
        self.due = (math.floor(now * hz - self.phase) + 1 + self.phase) / hz
        self.told = self._seen = held.seq
        return out

    def _start(self, head: Fields, seq: int) -> Outgoing:
        if self._since is None or not self.hub.keyed[self.channel].resumable(self._since):
            return self._snap(head, seq)
        if self.venue:
            head = head | {"venue": self.venue}
        return self.hub.partial_message(self.channel, self.where, self._since, head), seq


class LogMailbox(Mailbox):
    """Events: the client is told every one. A client that resumes gets what it missed, then the open episodes."""

    def __init__(self, hub: Hub, sub: Sub, *, foreign: bool, phase: float = 0.0) -> None:
        super().__init__(hub, sub, foreign=foreign, phase=phase)
        if self._since is None and sub.last > 0:
            log = hub.logs[sub.ch]
            self._since = log.seq - min(sub.last, len(log.events))

    def next_at(self) -> float:
        if self._head is not None or self._epoch != self.hub.epoch:
            return 0.0
        return 0.0 if self.hub.logs[self.channel].seq > self.told else math.inf

    def take(self, now: float, *, slow: bool) -> list[Outgoing]:
        del now, slow  # events are never slowed, only stopped when the client's credit is used up
        self._check_epoch()
        log = self.hub.logs[self.channel]
        if self._head is None:
            return self._events() if log.resumable(self.told) else [self._open({"gap": True})]
        if self._since is None:
            return [self._open(self._head)]
        self.told = max(self.told, self._since)
        if not log.resumable(self.told):
            return [self._open(self._head | {"gap": True})]
        out = self._events()
        return out if self.told < log.seq else [*out, self._open(self._head)]

    def _open(self, head: Fields) -> Outgoing:
        self._head = self._since = None
        self.told = self.hub.logs[self.channel].seq
        return self._snap(head, self.told)

    def _events(self) -> list[Outgoing]:
        log = self.hub.logs[self.channel]
        events = log.after(self.told, EVENTS_AT_ONCE)
        if events:
            self.told = events[-1].seq
        return [
            (self.hub.event_message(self.channel, event, self.venue), event.seq)
            for event in events
            if event.entry.passes(self.where)
        ]


def mailbox(hub: Hub, sub: Sub, *, foreign: bool, phase: float = 0.0) -> Mailbox:
    """The mailbox for a subscription to a channel the hub has."""
    kind = KeyedMailbox if sub.ch in hub.keyed else LogMailbox
    return kind(hub, sub, foreign=foreign, phase=phase)
