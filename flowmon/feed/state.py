"""What a channel holds, so that any client can be brought up to date from the number it last saw.

Keyed channels keep, for every field of every key, the sequence number of its last change. What a client that
stands at `cursor` misses is then exactly the fields with a higher number: latest wins, nothing is queued, and a
client costs one integer however slow it is. Log channels keep their last EVENTS_MAX events in order.
"""

from collections import deque
from collections.abc import Iterator

from flowmon.feed.entries import Entry, passes
from flowmon.feed.messages import EVERYTHING, Fields, Where

EVENTS_MAX = 1_000
TOMBSTONE_MS = 10 * 60 * 1000


class _Item:
    """A key: its fields, and the sequence number at which each of them last changed. None: it was removed."""

    __slots__ = ("changed", "fields", "floors", "ids", "removed_at", "stamps")

    def __init__(self, entry: Entry) -> None:
        self.ids, self.floors = entry.ids, entry.floors
        self.fields: Fields = {}
        self.stamps: dict[str, int] = {}
        self.changed = 0
        self.removed_at: int | None = None


class Keyed:
    """A channel of states: the latest value of every key."""

    def __init__(self) -> None:
        self.seq = 0
        self._items: dict[str, _Item] = {}  # in the order of their last change, oldest first
        self._removed = 0
        self._forgotten = 0  # whoever stands below this misses tombstones that are gone

    def put(self, entry: Entry) -> None:
        """The state of a key as a whole: a field that is no longer there is deleted."""
        item = self._items.get(entry.key) or _Item(entry)
        if item.removed_at is not None:
            item.removed_at = None
            self._removed -= 1
        old = item.fields
        changed = [name for name, value in entry.fields.items() if name not in old or old[name] != value]
        gone = [name for name in old if name not in entry.fields and old[name] is not None]
        if not changed and not gone:
            return
        self._touch(entry.key, item)
        for name in changed:
            old[name] = entry.fields[name]
            item.stamps[name] = self.seq
        for name in gone:
            old[name] = None
            item.stamps[name] = self.seq

    def remove(self, key: str, now_ms: int) -> None:
        """A key is no more; clients are told for ten minutes, and get a snapshot after that."""
        item = self._items.get(key)
        if item is None or item.removed_at is not None:
            return
        self._touch(key, item)
        item.removed_at = now_ms
        self._removed += 1
        item.fields = dict.fromkeys(item.fields)  # so that a later life of the key deletes what it does not set
        item.stamps = dict.fromkeys(item.fields, self.seq)

    def forget(self, now_ms: int) -> None:
        """Let go of tombstones older than ten minutes."""
        if not self._removed:
            return
        for key, item in list(self._items.items()):
            if item.removed_at is not None and now_ms - item.removed_at > TOMBSTONE_MS:
                self._forgotten = max(self._forgotten, item.changed)
                self._removed -= 1
                del self._items[key]

    def resumable(self, cursor: int) -> bool:
        """Whether a client that stands at `cursor` can be brought up to date without a snapshot."""
        return self._forgotten <= cursor <= self.seq

    def since(self, cursor: int, where: Where) -> dict[str, Fields | None]:
        """Per key what changed after `cursor`; a removed key is None."""
        return {
            key: None
            if item.removed_at is not None
            else {name: item.fields[name] for name, seq in item.stamps.items() if seq > cursor}
            for key, item in self._newer(cursor)
            if passes(where, item.ids, item.floors)
        }

    def whole(self, where: Where = EVERYTHING) -> dict[str, Fields]:
        """Every key with all its fields, in the order of their names."""
        return {
            key: dict(item.fields)
            for key, item in sorted(self._items.items())
            if item.removed_at is None and passes(where, item.ids, item.floors)
        }

    def get(self, key: str) -> Fields | None:
        """All fields of a key."""
        item = self._items.get(key)
        return None if item is None or item.removed_at is not None else item.fields

    def _touch(self, key: str, item: _Item) -> None:
        self.seq += 1
        item.changed = self.seq
        self._items.pop(key, None)
        self._items[key] = item

    def _newer(self, cursor: int) -> Iterator[tuple[str, _Item]]:
        for key, item in reversed(self._items.items()):
            if item.changed <= cursor:
                return
            yield key, item


class Event:
    """One entry of a log. `message` is what clients get, made when the first one asks."""

    __slots__ = ("entry", "is_open", "message", "seq")

    def __init__(self, seq: int, entry: Entry, *, is_open: bool) -> None:
        self.seq, self.entry, self.is_open = seq, entry, is_open
        self.message = b""


class Log:
    """A channel of events, none of them conflated. Of every key also the latest event: open ones for ever."""

    def __init__(self) -> None:
        self.seq = 0
        self.events: deque[Event] = deque(maxlen=EVENTS_MAX)
        self._open: dict[str, Event] = {}
        self._closed: dict[str, Event] = {}

    def add(self, entry: Entry, *, is_open: bool) -> None:
        """One more event."""
        self.seq += 1
        event = Event(self.seq, entry, is_open=is_open)
        self.events.append(event)
        self._open.pop(entry.key, None)
        self._closed.pop(entry.key, None)
        if is_open:
            self._open[entry.key] = event
        else:
            self._closed[entry.key] = event
            if len(self._closed) > EVENTS_MAX:
                del self._closed[next(iter(self._closed))]

    def resumable(self, cursor: int) -> bool:
        """Whether every event after `cursor` is still here."""
        return self.seq - len(self.events) <= cursor <= self.seq

    def after(self, cursor: int, most: int) -> list[Event]:
        """The next events after `cursor`, at most `most`. Only while resumable."""
        start = len(self.events) - (self.seq - cursor)
        return [self.events[i] for i in range(start, min(start + most, len(self.events)))]

    def whole(self, where: Where = EVERYTHING) -> dict[str, Fields]:
        """The latest event of every open key, in the order they last changed."""
        return {key: event.entry.fields for key, event in self._open.items() if event.entry.passes(where)}

    def get(self, key: str) -> Fields | None:
        """The latest event of a key, open or closed lately."""
        event = self._open.get(key) or self._closed.get(key)
        return None if event is None else event.entry.fields
