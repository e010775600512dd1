"""The agents: facts to findings, sightings to presences. No logic: that is in flowmon.monitor.

Both skip what their checkpoint includes, apply, hand over what follows without waiting, and about once a second
wait for it, write the checkpoint and acknowledge. A defect in the core ends the worker; the next one goes on from
the checkpoints.
"""

import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping

import faust
from faust.streams import Stream
from faust.types import EventT, StreamT

from flowmon import metrics, wire
from flowmon.clock import Clock
from flowmon.errors import Undecodable
from flowmon.facts import Fact, Record, Sighting
from flowmon.findings import Rejected
from flowmon.journal.kafka import FindingsWriter, KafkaJournal
from flowmon.monitor.core import Monitor
from flowmon.monitor.presence import Presences
from flowmon.names import FACTS_TOPIC
from flowmon.venue.model import Venue, fingerprint
from sensors import scrub
from streams.checkpoints import Seat, Seats
from streams.outbox import Outbox

log = logging.getLogger(__name__)


class Venues:
    """The venues of this installation, by the key of a message."""

    def __init__(self, venues: Mapping[str, Venue]) -> None:
        self._known = {key.encode(): (venue, fingerprint(venue)) for key, venue in venues.items()}
        self._strangers: set[bytes] = set()

    def get(self, key: bytes | None) -> tuple[Venue, str] | None:
        """Venue and fingerprint; None, with one warning, for a venue this worker has no file of."""
        name = (key or b"").partition(b"/")[0]
        found = self._known.get(name)
        if found is None and name not in self._strangers and len(self._strangers) < 100:
            self._strangers.add(name)
            log.warning("facts of %r are left alone: no file of FLOWMON_VENUES describes it", name)
        return found


class Monitoring:
    """The monitors of this worker: restored, kept up to date, their findings published.

    end: partition of the facts topic -> the offset its next record will have (for the metrics only).
    """

    def __init__(
        self,
        venues: Venues,
        seats: Seats[Monitor],
        journal: KafkaJournal,
        findings: FindingsWriter,
        clock: Clock,
        end: Callable[[int], int],
    ) -> None:
        self._venues = venues
        self._seats = seats
        self._journal = journal
        self._findings = findings
        self._clock = clock
        self._end = end
        self._newest: dict[str, float] = {}
        self._last: dict[int, int] = {}

    async def seat(self, event: EventT[bytes]) -> Seat[Monitor] | None:
        """The seat of the event's venue, complete up to the event; None for somebody else's venue."""
        self._watch(event.message.partition, event.message.offset)
        found = self._venues.get(event.key)
        if found is None:
            return None
        venue, print_of_file = found
        seat = self._seats.take(
            venue.id,
            print_of_file,
            build=lambda: Monitor(venue),
            restore=lambda data: Monitor.restore(venue, data),
        )
        if not seat.complete:
            await self._complete(seat, event.message.partition, event.message.offset)
        return seat

    def _watch(self, partition: int, offset: int) -> None:
        """Every record of a partition comes by here. Around a rebalance Faust may leave some out."""
        last = self._last.get(partition, offset)
        self._last[partition] = offset
        if offset > last + 1:
            log.warning("partition %d: records %d to %d were left out; reading them", partition, last + 1, offset - 1)
            self._seats.doubt()

    async def _complete(self, seat: Seat[Monitor], partition: int, before: int) -> None:
        """Apply what the journal has between the checkpoint and the first event we are given."""
        records = 0
        if before > seat.offset + 1:
            async for entry in self._journal.read(seat.key, after=seat.offset):
                if entry.offset >= before:
                    break
                await self.apply(seat, partition, entry.offset, entry.record)
                records += 1
        seat.complete = True
        if records:
            log.info("%s: read %d records from the journal, now at offset %d", seat.key, records, seat.offset)

    async def apply(self, seat: Seat[Monitor], partition: int, offset: int, record: Record) -> None:
        """Apply one record and publish what follows, unless it was published before."""
        started = time.perf_counter()
        findings = seat.state.apply_record(record)
        seat.offset = offset
        metrics.applied(time.perf_counter() - started, len(record))
        if findings:
            self._newest[seat.key] = findings[-1].at
        if offset > seat.publish_after:
            metrics.found(findings)
            await self._findings.write(seat.key, partition, offset, findings)

    async def take(self, seat: Seat[Monitor], event: EventT[bytes]) -> None:
        """Apply the event's record; what is no record is kept as a reject."""
        message = event.message
        try:
            record = wire.decode_record(event.value or b"")
        except Undecodable as error:
            seat.offset = message.offset
            await self._refuse(seat.key, message.offset, error.reason, event.value or b"")
        else:
            await self.apply(seat, message.partition, message.offset, record)
        seat.events.append(event)

    async def _refuse(self, venue: str, offset: int, reason: str, value: bytes) -> None:
        metrics.rejected("not a record")
        log.warning("%s: message %d of the journal is no record: %s", venue, offset, reason)
        topic, raw = f"{FACTS_TOPIC}/{offset}", scrub.raw(value)
        reject = Rejected(at=0.0, source="journal", topic=topic, reason=reason, raw=raw)
        await self._journal.append_rejects(venue, [reject])

    async def checkpoint(self, seat: Seat[Monitor], partition: int) -> None:
        """Once a second: wait for the findings, save, acknowledge."""
        if self._seats.due(seat):
            await self._findings.delivered()
            self._seats.save(seat)
            metrics.journal_lag(seat.key, max(0, self._end(partition) - 1 - seat.offset))
            if seat.key in self._newest:
                metrics.lag(seat.key, self._clock.now() - self._newest[seat.key])


def unacknowledged(stream: StreamT[bytes]) -> AsyncIterator[EventT[bytes]]:
    """The events of a stream, which the agent acknowledges itself."""
    assert isinstance(stream, Stream), "Faust's interface lacks what its streams can"
    return aiter(stream.noack().events())


def attach_monitor(app: faust.App, topic: faust.TopicT, monitoring: Monitoring) -> None:
    """facts -> Monitor -> findings."""

    @app.agent(topic)
    async def monitor(stream: StreamT[bytes]) -> None:
        async for event in unacknowledged(stream):
            seat = await monitoring.seat(event)
            if seat is None or event.message.offset <= seat.offset:
                event.ack()
                continue
            await monitoring.take(seat, event)
            await monitoring.checkpoint(seat, event.message.partition)


class Listening:
    """The presences of this worker, by venue and partition of the sightings topic."""

    def __init__(self, venues: Venues, seats: Seats[Presences], outbox: Outbox) -> None:
        self._venues = venues
        self._seats = seats
        self._outbox = outbox

    def seat(self, event: EventT[bytes]) -> Seat[Presences] | None:
        """The seat of the event's venue in the event's partition; None for somebody else's venue."""
        found = self._venues.get(event.key)
        if found is None:
            return None
        venue, print_of_file = found
        return self._seats.take(
            f"{venue.id}/{event.message.partition}",
            print_of_file,
            build=lambda: Presences(venue),
            restore=lambda data: Presences.restore(venue, data),
        )

    def take(self, seat: Seat[Presences], event: EventT[bytes]) -> None:
        """Apply the event's sightings; presences go to the outbox."""
        presences: list[Fact] = []
        try:
            heard = wire.decode_record(event.value or b"")
        except Undecodable as error:
            metrics.rejected("not a record")
            log.warning("%s: message %d is no list of sightings: %s", seat.key, event.message.offset, error)
        else:
            for sighting in heard:
                if isinstance(sighting, Sighting):
                    presences += seat.state.apply(sighting)
        if presences:
            self._outbox.put(seat.key.partition("/")[0], presences)
        seat.offset = event.message.offset
        seat.events.append(event)

    async def checkpoint(self, seat: Seat[Presences]) -> None:
        """Once a second: wait for the journal, save, acknowledge."""
        if self._seats.due(seat):
            await self._outbox.delivered()
            self._seats.save(seat)


def attach_presence(app: faust.App, topic: faust.TopicT, listening: Listening) -> None:
    """sightings -> Presences -> facts."""

    @app.agent(topic)
    async def presence(stream: StreamT[bytes]) -> None:
        async for event in unacknowledged(stream):
            seat = listening.seat(event)
            if seat is None or event.message.offset <= seat.offset:
                event.ack()
                continue
            listening.take(seat, event)
            await listening.checkpoint(seat)
