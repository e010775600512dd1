"""Checkpoints: what a worker holds of each key, and how it gets that back after a crash or a rebalance.

A seat is one key's place in this worker: its state, the offset that state includes, and the events it has not
acknowledged yet. About once a second, when everything that followed from them is safe, a checkpoint of the seat
goes into a Faust table and only this seat's events are acknowledged: acknowledging another's would lose them.

After that nothing depends on what Kafka believes was consumed: facts at or below a checkpoint's offset are skipped,
and a gap, above it or later, is read from the journal (streams/agents.py). On a rebalance all seats are given up,
and a seat given up is never saved, so a worker that was away cannot set another's checkpoint back by much; if it
does, the gap is read again.
"""

import logging
import zlib
from collections.abc import Callable, MutableMapping
from typing import Generic, Protocol, TypeVar

import msgspec
from faust.types import EventT
from msgspec import Struct, field

log = logging.getLogger(__name__)

#: Speed matters more than size here: a snapshot is written every second.
_COMPRESSION = 1
#: What a seat may write: the changelog would otherwise grow by tens of gigabytes a day and venue.
_BYTES_PER_S = 250_000
#: Most of a worker's time that checkpoints may take: a large state is saved less often than every second.
_SHARE = 0.03


class Stateful(Protocol):
    """What can be held: a monitor, the presences of a venue."""

    def snapshot(self) -> bytes:
        """Everything it remembers."""
        ...


S = TypeVar("S", bound=Stateful)


class Checkpoint(Struct, frozen=True, array_like=True):
    """A state, the offset of the last record in it, and the fingerprint of the venue file it was made with."""

    offset: int
    fingerprint: str
    state: bytes


def pack(checkpoint: Checkpoint) -> bytes:
    """As it stands in the changelog."""
    return zlib.compress(msgspec.msgpack.encode(checkpoint), _COMPRESSION)


def unpack(data: bytes) -> Checkpoint:
    """The opposite of `pack`. Raises ValueError for bytes that no worker of this version has written."""
    try:
        return msgspec.msgpack.decode(zlib.decompress(data), type=Checkpoint)
    except (zlib.error, msgspec.MsgspecError) as error:
        raise ValueError(f"the checkpoint cannot be read: {error}") from error


class Seat(Struct, Generic[S], kw_only=True):
    """One key's place in this worker.

    offset: last record in `state`. due: when its next checkpoint is.
    publish_after: findings of records up to here were published by others.
    """

    key: str
    state: S
    offset: int
    fingerprint: str
    due: float
    publish_after: int = -1
    complete: bool = False  # whether a gap below the next event has been looked for
    events: list[EventT[bytes]] = field(default_factory=list)


class Seats(Generic[S]):
    """The seats of one agent.

    table: key -> packed checkpoint (a Faust table, or a dictionary in tests). now: seconds, for the interval.
    """

    def __init__(self, table: MutableMapping[str, bytes], *, now: Callable[[], float], every_s: float = 1.0) -> None:
        self._table = table
        self._now = now
        self._every_s = every_s
        self._seats: dict[str, Seat[S]] = {}
        self._closed = False

    def take(self, key: str, fingerprint: str, *, build: Callable[[], S], restore: Callable[[bytes], S]) -> Seat[S]:
        """The seat of a key; at first its checkpoint, or when that cannot be used (the log says why) a new state."""
        seat = self._seats.get(key)
        if seat is None:
            seat = self._seats[key] = self._restored(key, fingerprint, build, restore)
        return seat

    def _restored(self, key: str, fingerprint: str, build: Callable[[], S], restore: Callable[[bytes], S]) -> Seat[S]:
        new = Seat(key=key, state=build(), offset=-1, fingerprint=fingerprint, due=self._now() + self._every_s)
        data = self._table.get(key)
        if data is None:
            log.info("%s: no checkpoint, starting from the beginning", key)
            return new
        try:
            checkpoint = unpack(data)
        except ValueError as error:
            log.warning("%s: %s; rebuilding from the journal", key, error)
            return new
        new.publish_after = checkpoint.offset
        if checkpoint.fingerprint != fingerprint:
            log.warning("%s: the venue file has changed since the checkpoint; rebuilding from the journal", key)
            return new
        try:
            new.state = restore(checkpoint.state)
        except ValueError as error:
            log.warning("%s: %s; rebuilding from the journal", key, error)
            return new
        new.offset = checkpoint.offset
        log.info("%s: going on from offset %d", key, checkpoint.offset)
        return new

    def due(self, seat: Seat[S]) -> bool:
        """Whether it is time for the seat's next checkpoint."""
        return self._now() >= seat.due

    def save(self, seat: Seat[S]) -> None:
        """Write the checkpoint and acknowledge the seat's events. Does nothing for a seat that was given up.

        Everything that follows from the state must be safe before; and in a Faust agent it must be called while
        an event of the seat's own partition is being handled, since that is where the checkpoint goes.
        """
        if self._closed or self._seats.get(seat.key) is not seat:
            return
        began = self._now()
        packed = pack(Checkpoint(seat.offset, seat.fingerprint, seat.state.snapshot()))
        self._table[seat.key] = packed
        for event in seat.events:
            event.ack()
        seat.events.clear()
        ended = self._now()
        spared = max(self._every_s, (ended - began) / _SHARE, len(packed) / _BYTES_PER_S)
        seat.due = ended + (spared if self._every_s else 0.0)  # 0: after every record, whatever it costs

    def leave(self) -> None:
        """Give up all seats: other workers may have gone further with them."""
        self._seats.clear()

    def doubt(self) -> None:
        """Have every seat look for a gap below its next event."""
        for seat in self._seats.values():
            seat.complete = False

    def close(self) -> None:
        """Save nothing any more: what follows from here on is not made safe."""
        self._closed = True
