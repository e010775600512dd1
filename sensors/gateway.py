"""The gateway: messages in, records out, and no acknowledgement before the record is safe.

    inbox -> route -> decode -> mark -> lane of the venue -> journal | sightings | rejects -> receipt -> acknowledgement

* A message is acknowledged when every part of it is durable: by a PUBACK in the order of arrival, or by the answer to
  the device that posted it. Until then the broker or the device keeps it too: killing this process at any moment loses
  nothing, and what is written twice has equal identities.
* While a journal fails, its messages are kept and, past `held_max` messages or `facts_max` facts, nothing more is
  taken: the broker's in-flight bound fills and the broker queues.
* What cannot be decoded goes to the rejects, and is acknowledged like anything else.
* Once a minute it tells each venue, through its journal, how much came and how much of it was refused (`telling`).
"""

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from typing import Protocol

from msgspec import Struct, field, structs

from flowmon import metrics
from flowmon.clock import Clock
from flowmon.errors import Undecodable
from flowmon.facts import GATEWAY, Fact, Record, Sighting
from flowmon.findings import Rejected
from flowmon.journal.port import Journal
from flowmon.venue.model import Venue
from sensors.dialects.port import Dialect, Message, Unwanted
from sensors.keys import Keys
from sensors.lane import Append, Lanes
from sensors.marking import Marking
from sensors.receipts import Receipt, Receipts
from sensors.rejects import Rejects
from sensors.routes import Origin, Routes
from sensors.telling import Telling
from sensors.thinning import Thinning
from sensors.tokens import mode

PAYLOAD_MAX = 1_000_000

_log = logging.getLogger(__name__)


class Inbox(Protocol):
    """Where messages come from."""

    async def take(self) -> list[Message]:
        """The next messages, at least one; none once `stop` was called."""
        ...

    def ack(self, messages: Sequence[Message]) -> None:
        """These are safe. Those of QoS 0 or of an earlier connection are ignored: there is nobody to tell."""
        ...

    def reject(self, message: Message, reason: str) -> None:
        """This cannot be read, and why. It is acknowledged all the same, once its reject is safe."""
        ...

    def stop(self) -> None:
        """Take no more; what was not taken stays with the broker."""
        ...

    async def close(self) -> None:
        """Send what was acknowledged, then disconnect."""
        ...


class GatewayCounts(Struct):
    """What the gateway did since it started. rejects: by reason, exactly (also what is unwanted on purpose).

    in_flight: messages taken and not acknowledged. appended: records. last_append_s: how long the last one took.
    """

    messages: int = 0
    acknowledged: int = 0
    in_flight: int = 0
    facts: int = 0
    sightings: int = 0
    thinned: int = 0
    unwanted: int = 0
    rejected: int = 0
    rejects: dict[str, int] = field(default_factory=dict)
    rejects_kept: int = 0
    appended: int = 0
    last_append_s: float = 0.0
    last_append_at: float = 0.0


class Gateway:
    """Runs until `stop`. venues: by id. sightings, rejects: make a batch of a venue durable or raise JournalError.

    simulated: mark everything so. linger_s: how long a record waits for company. drain_s: how long a stopping
    gateway waits for the journal; what is not durable by then stays with the broker. tell_every_s: seconds of the
    clock between two words of the gateway about itself, 0 for none.
    """

    def __init__(
        self,
        inbox: Inbox,
        routes: Routes,
        venues: Mapping[str, Venue],
        journal: Journal,
        sightings: Append[Sighting],
        rejects: Append[Rejected],
        clock: Clock,
        *,
        keys: Keys | None = None,
        dialects: Mapping[str, Dialect] | None = None,
        simulated: bool = False,
        linger_s: float = 0.01,
        held_max: int = 4_000,
        facts_max: int = 200_000,
        drain_s: float = 20.0,
        tell_every_s: float = 0.0,
    ) -> None:
        self.counts = GatewayCounts()
        self._inbox = inbox
        self._routes = routes
        self._venues = venues
        self._journal = journal
        self._dialects = routes.dialects if dialects is None else dialects
        self._clock = clock
        self._held_max = held_max
        self._facts_max = facts_max
        self._drain_s = drain_s
        self._tell_every_s = tell_every_s
        self._telling = Telling(venues)
        self._marking = Marking(venues, keys or Keys(), simulated=simulated)
        self._thinning = Thinning()
        self._rejects = Rejects(venues.values(), routes.dialects)
        self.counts.rejects = self._rejects.by_reason
        self._receipts = Receipts()
        self._room = asyncio.Event()
        self._stopping = False
        self._defects: set[str] = set()
        self._facts: Lanes[Fact] = Lanes("journal", self._append, self._settled, linger_s=linger_s)
        self._sightings: Lanes[Sighting] = Lanes("sightings", sightings, self._settled, linger_s=linger_s)
        self._rejected: Lanes[Rejected] = Lanes("rejects", rejects, self._settled, linger_s=linger_s)

    async def run(self) -> None:
        """Take, write and acknowledge until `stop`; then finish what was taken, for at most `drain_s`."""
        try:
            async with asyncio.TaskGroup() as group:
                telling = group.create_task(self._tell(group)) if self._tell_every_s else None
                while not self._stopping and (messages := await self._inbox.take()):
                    for message in messages:
                        self._accept(message, group)
                    await asyncio.sleep(0)  # a full inbox never waits, and the lanes must get their turn
                    await self._wait_for_room()
                if telling is not None:
                    telling.cancel()
                await self._drain()
        finally:
            await self._inbox.close()

    def stop(self) -> None:
        """Take no more and finish. Returns at once; `run` returns when all is done."""
        self._stopping = True
        self._inbox.stop()
        self._room.set()

    def _accept(self, message: Message, group: asyncio.TaskGroup) -> None:
        receipt = self._receipts.open(message)
        self.counts.messages += 1
        origin: Origin | None = None
        try:
            origin = self._routes.of(message)
            self._telling.took(origin.venue)
            metrics.message_in(origin.dialect)
            self._keep(self._decoded(message, origin), self._venues[origin.venue], receipt, group)
        except Unwanted as error:
            self.counts.unwanted += 1
            self._count(error.reason)
        except Undecodable as error:
            if origin is None:
                self._telling.took(None)
            self._telling.refused(origin.venue if origin else None, error.reason)
            self._reject(origin, error.reason, receipt, group)
        self._settled([receipt])  # the part that stood for reading it

    def _decoded(self, message: Message, origin: Origin) -> list[Fact]:
        if max(message.size, len(message.payload)) > PAYLOAD_MAX:
            raise Undecodable("payload is larger than 1 MB: send fewer measurements in a message")
        if packed := message.headers.get("content-encoding"):  # an inbox takes it off what it could unpack
            raise Undecodable(f"body cannot be unpacked as its content-encoding says: {packed[:40]!r}")
        try:
            facts = self._dialects[origin.dialect].decode(message, origin.device)
        except Undecodable:
            raise
        except Exception as error:  # noqa: BLE001 -- one message must not stop a museum again and again
            return self._defective(origin.dialect, error)
        if self._telling.speaks_for(origin.venue) and any(fact.source == GATEWAY for fact in facts):
            raise Undecodable(f"device calls itself {GATEWAY}, which is the gateway's own name: give it another")
        return facts

    def _defective(self, dialect: str, error: Exception) -> list[Fact]:
        """A dialect broke on a message: a defect of ours. It is told once a kind, and each becomes a reject."""
        reason = f"defect in dialect {dialect}, please report it: {type(error).__name__}"
        if reason not in self._defects:
            self._defects.add(reason)
            _log.error(reason, exc_info=error)
        raise Undecodable(reason) from error

    def _keep(self, facts: list[Fact], venue: Venue, receipt: Receipt, group: asyncio.TaskGroup) -> None:
        record: Record = []
        sightings: list[Sighting] = []
        thinned = unkept = 0
        self._marking.forget(receipt.message.seen)
        for fact in facts:
            if not self._marking.keeps(fact, venue):
                unkept += 1
                continue
            kept = self._marking.mark(fact, venue, receipt.message)
            if not isinstance(kept, Sighting):
                record.append(kept)
            elif self._thinning.keeps(kept):
                sightings.append(kept)
            else:
                thinned += 1
        self.counts.thinned += thinned
        if record:
            self.counts.facts += len(record)
            self._facts.put(group, venue.id, record, receipt)
        if unkept and not (record or sightings or thinned):
            raise Unwanted(f"beacon that the venue's privacy mode does not keep ({mode(venue)})")
        if sightings or thinned:
            self.counts.sightings += len(sightings)
            self._sightings.put(group, venue.id, sightings, receipt)

    def _reject(self, origin: Origin | None, reason: str, receipt: Receipt, group: asyncio.TaskGroup) -> None:
        self.counts.rejected += 1
        self._count(reason)
        self._inbox.reject(receipt.message, reason)
        only = next(iter(self._venues)) if len(self._venues) == 1 else "unknown"
        venue = origin.venue if origin else only
        simulated = self._marking.simulated(venue)
        kept = self._rejects.keep(venue, receipt.message, origin, reason, simulated=simulated)
        self.counts.rejects_kept = self._rejects.kept
        if kept is not None:
            self._rejected.put(group, venue, [kept], receipt)

    def _count(self, reason: str) -> None:
        self._rejects.count(reason)
        metrics.rejected(reason)

    async def _append(self, venue: str, record: Record) -> None:
        began = time.monotonic()
        await self._journal.append(venue, record)
        self.counts.appended += 1
        self.counts.last_append_s = time.monotonic() - began
        self.counts.last_append_at = self._clock.now()
        metrics.appended(self.counts.last_append_s)

    def _settled(self, receipts: list[Receipt]) -> None:
        if ready := self._receipts.settle(receipts):
            self._inbox.ack(ready)
            self.counts.acknowledged += len(ready)
            self._room.set()
        self.counts.in_flight = len(self._receipts)

    async def _tell(self, group: asyncio.TaskGroup) -> None:
        """Tell of the last minute, every minute of the clock. While the journal is far behind it has its silence."""
        while True:
            await asyncio.sleep(self._tell_every_s / self._clock.rate)
            for venue, status in self._telling.words(self._clock.now()):
                if len(self._facts) < self._facts_max:
                    told = structs.replace(status, simulated=self._marking.simulated(venue))
                    self._facts.put(group, venue, [told], None)

    async def _wait_for_room(self) -> None:
        while not self._stopping and (
            len(self._receipts) >= self._held_max or len(self._facts) + len(self._sightings) >= self._facts_max
        ):
            self._room.clear()
            await self._room.wait()

    async def _drain(self) -> None:
        tasks: list[asyncio.Task[None]] = []
        for lanes in (self._facts, self._sightings, self._rejected):
            lanes.close()
            tasks += lanes.tasks
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=self._drain_s)
        for task in late:
            task.cancel()
        if late:
            _log.error(
                "stopped with %d messages not written; the broker keeps them for the next start",
                len(self._receipts),
            )
