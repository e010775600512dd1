"""One venue as its screens see it: findings in, messages for any number of clients out. Pure.

Theory of operation. Every channel counts its changes (`seq`); a client is one number per channel, the change it
was last told. Snapshot and number are taken together, so nothing falls between a snapshot and the first delta.
`epoch` names this line of numbers; it changes with every hub and on `reset`, and a client that comes with another
epoch gets a snapshot. A delta depends only on (channel, where, numbers), so clients that stand at the same place
share one encoding: it is made for the first who asks and dropped at the next change.
"""

from collections.abc import Iterable

import msgspec

from flowmon.feed.answers import Answers
from flowmon.feed.entries import Floors, entry
from flowmon.feed.messages import EVERYTHING, KEYED_CHANNELS, LOG_CHANNELS, Fields, Where, encode
from flowmon.feed.state import Event, Keyed, Log
from flowmon.findings import EpisodeChanged, Explained, Finding, Forecast, Published, QueueState, ZoneState, subject
from flowmon.venue.model import Venue

SUBJECTS_MAX = 20_000


class Hub:
    """The channels of one venue. `epoch` must be unlike that of any hub before."""

    def __init__(self, venue: Venue, epoch: str, *, simulated: bool = False) -> None:
        self.venue = venue
        self.answers = Answers()
        self.simulated = simulated or venue.simulated
        self._floors = Floors(venue)
        self.reset(epoch)

    def reset(self, epoch: str) -> None:
        """Forget everything: the journal started anew (a replay loops). Every client gets a snapshot."""
        self.epoch = epoch
        self.keyed = {channel: Keyed() for channel in KEYED_CHANNELS}
        self.logs = {channel: Log() for channel in LOG_CHANNELS}
        self.latest: float | None = None
        self.published_ms = 0
        self._names: dict[str, tuple[int, int]] = {}
        self._shared: dict[tuple[object, ...], bytes] = {}

    def publish(self, published: Iterable[Published], now_ms: int) -> bool:
        """Take findings in; those told before are dropped. Returns whether a log grew (clients must be woken).

        A repeat is recognised within its subject: the same or an older (offset, index). Subjects are spread over
        Kafka partitions, so names of different subjects say nothing about each other.
        """
        self.published_ms = now_ms
        before = self.log_seqs()
        for one in published:
            if self._is_new(one):
                self._take(one)
        for channel in self.keyed.values():
            channel.forget(now_ms)
        self._shared.clear()
        return self.log_seqs() != before

    def log_seqs(self) -> list[int]:
        """The numbers of the log channels: they grow with every event."""
        return [log.seq for log in self.logs.values()]

    def seqs(self) -> dict[str, int]:
        """The number of every channel."""
        keyed = {name: channel.seq for name, channel in self.keyed.items()}
        return keyed | {name: log.seq for name, log in self.logs.items()}

    def snapshot(self, channel: str, where: Where = EVERYTHING) -> dict[str, Fields]:
        """Every key of a state channel, every open key of a log channel."""
        held = self.keyed.get(channel) or self.logs[channel]
        return held.whole(where)

    def snap_message(self, channel: str, where: Where, head: Fields) -> bytes:
        """A snapshot for a client; `head` is what is its own (`id`, `venue`, `gap`)."""
        shared = self._shared.get((channel, where))
        if shared is None:
            shared = self._shared[channel, where] = encode(self.snapshot(channel, where))
        held = self.keyed.get(channel) or self.logs[channel]
        return encode(self._head("snap", channel, held.seq) | head | {"z": msgspec.Raw(shared)})

    def partial_message(self, channel: str, where: Where, seen: int, head: Fields) -> bytes:
        """What a client that comes back has missed of a state channel: a snapshot of the changed keys."""
        held = self.keyed[channel]
        return encode(self._head("snap", channel, held.seq) | head | {"partial": True, "z": held.since(seen, where)})

    def delta_message(self, channel: str, where: Where, told: int, seen: int, venue: str) -> bytes:
        """What changed after `seen`, for a client that was told up to `told`; empty when `where` hides it all."""
        key = (channel, where, told, seen, venue)
        shared = self._shared.get(key)
        if shared is None:
            held = self.keyed[channel]
            changes = held.since(seen, where)
            head = {"t": "delta", "ch": channel, "from": told + 1, "to": held.seq, "at": self.published_ms}
            if venue:
                head["venue"] = venue
            shared = self._shared[key] = encode(head | {"z": changes}) if changes else b""
        return shared

    def event_message(self, channel: str, event: Event, venue: str) -> bytes:
        """One event of a log."""
        if venue:
            return encode(self._event(channel, event) | {"venue": venue})
        if not event.message:
            event.message = encode(self._event(channel, event))
        return event.message

    def _head(self, kind: str, channel: str, seq: int) -> Fields:
        return {"t": kind, "ch": channel, "epoch": self.epoch, "seq": seq, "at": self.published_ms}

    @staticmethod
    def _event(channel: str, event: Event) -> Fields:
        name = "alert" if channel == "alerts" else channel
        return {"t": "ev", "ch": channel, "seq": event.seq, name: event.entry.fields}

    def _is_new(self, one: Published) -> bool:
        key, name = subject(one.finding), (one.offset, one.index)
        known = self._names.pop(key, None)
        is_new = known is None or name > known
        self._names[key] = name if known is None else max(name, known)
        if len(self._names) > SUBJECTS_MAX:
            del self._names[next(iter(self._names))]
        return is_new

    def _is_gone(self, finding: Finding) -> bool:
        """Whether it is about a place that the venue file no longer has: a topic may remember it for long."""
        match finding:
            case ZoneState(zone=zone) | Explained(zone=zone):
                return zone not in self.venue.zones
            case Forecast(zone=zone):
                return zone not in self.venue.zones and zone != "venue"
            case QueueState(queue=queue):
                return queue not in self.venue.queues
            case _:
                return False

    def _take(self, one: Published) -> None:
        finding = one.finding
        if self._is_gone(finding):
            return
        self.simulated = self.simulated or finding.simulated
        self.latest = finding.at if self.latest is None else max(self.latest, finding.at)
        self.answers.learn(finding)
        made = entry(finding, self.venue.id, self._floors)
        if made is None:
            return
        if made.channel in self.keyed:
            self.keyed[made.channel].put(made)
        else:
            is_open = isinstance(finding, EpisodeChanged) and finding.state != "NORM"
            self.logs[made.channel].add(made, is_open=is_open)
