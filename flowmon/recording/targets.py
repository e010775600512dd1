"""Where a replay can send records into a running system: Kafka's journal, or an MQTT broker as if by devices."""

import asyncio
import importlib
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from flowmon.errors import FlowmonError
from flowmon.facts import Acknowledged, Fact, Record, Recounted, RuleChanged, Shelved, Tick
from flowmon.journal.port import Entry, Journal
from flowmon.recording.pacing import replayed
from flowmon.recording.tapes import moment

#: Records that are on their way at a time; the journal keeps their order.
IN_FLIGHT = 200


class NotComposed(FlowmonError):
    """This installation cannot send there."""


class Target(Protocol):
    """What a replay plays into, record by record."""

    async def send(self, entry: Entry) -> None:
        """Take one record; returns when the next may come."""
        ...

    def restart(self) -> None:
        """The recording begins again."""
        ...

    async def close(self) -> None:
        """Returns when everything sent in this pass has arrived."""
        ...


class Shift:
    """How far replayed times are moved: on to `now` where that is asked for, and behind the pass before."""

    def __init__(self, now: Callable[[], float] | None) -> None:
        self._now = now
        self._by: float | None = None
        self._last: float | None = None

    def apply(self, record: Record) -> Record:
        """The record, marked simulated, at its time in this pass."""
        at = moment(record)
        if self._by is None:
            if self._last is not None:
                self._by = self._last + 1.0 - at  # the second after the end of the pass before
            else:
                self._by = self._now() - at if self._now is not None else 0.0
        self._last = at + self._by
        return replayed(record, self._by)

    def restart(self) -> None:
        """The next record is the first of another pass."""
        self._by = None


class JournalTarget:
    """Appends to a journal (Kafka's), many at a time, in order."""

    def __init__(self, journal: Journal, shift: Shift) -> None:
        self._journal = journal
        self._shift = shift
        self._sent: deque[asyncio.Task[int]] = deque()

    async def send(self, entry: Entry) -> None:
        """Hand one record to the journal. Raises JournalError when it, or an earlier one, cannot be written."""
        record = self._shift.apply(entry.record)
        self._sent.append(asyncio.ensure_future(self._journal.append(entry.venue, record)))
        while len(self._sent) >= IN_FLIGHT:
            await self._sent.popleft()

    def restart(self) -> None:
        """Go on behind the pass before."""
        self._shift.restart()

    async def close(self) -> None:
        """Wait for all that was sent."""
        while self._sent:
            await self._sent.popleft()


class Publishes(Protocol):
    """What sends facts as devices would: `simulator.publish.Publisher`, or a stand-in for it. It may block."""

    def publish(self, facts: Sequence[Fact]) -> None:
        """Tell these facts of one venue."""
        ...

    def drain(self) -> None:
        """Wait until the broker has confirmed everything."""
        ...


class DeviceTarget:
    """Publishes what devices said. Ticks and the commands of staff are not theirs, and are left out."""

    def __init__(self, publishers: dict[str, Publishes], shift: Shift) -> None:
        self._publishers = publishers
        self._shift = shift

    async def send(self, entry: Entry) -> None:
        """Publish one record, in a thread. Raises FlowmonError when the broker confirms nothing for long."""
        ours = (Tick, Recounted, Acknowledged, Shelved, RuleChanged)
        told = [fact for fact in self._shift.apply(entry.record) if not isinstance(fact, ours)]
        if told:
            await asyncio.to_thread(self._publishers[entry.venue].publish, told)

    def restart(self) -> None:
        """Go on behind the pass before."""
        self._shift.restart()

    async def close(self) -> None:
        """Wait for the broker's last confirmation."""
        for publisher in self._publishers.values():
            await asyncio.to_thread(publisher.drain)


def publisher_of(name: str) -> Callable[..., Any]:
    """The publisher the composition root has named (`module:Class`). Raises NotComposed when it has not."""
    module, _, kind = name.partition(":")
    if not kind:
        raise NotComposed("this installation has no MQTT publisher: replay with --to kafka, or run the simulator")
    try:
        return getattr(importlib.import_module(module), kind)  # type: ignore[no-any-return]
    except (ImportError, AttributeError) as error:
        raise NotComposed(f"the MQTT publisher {name} is not there ({error}): install flowmon whole") from error
