"""A lane: what goes to one place (a venue's journal, its sightings, its rejects), in order, until it is there.

One write at a time: while it is under way the next items gather, so a busy lane writes few large batches and an
idle one waits `linger_s` at most. A write that fails is repeated for ever, slower each time up to `BACKOFF_MAX`
seconds, and nothing overtakes it.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from flowmon.errors import JournalError
from sensors.receipts import Receipt

T = TypeVar("T")

BACKOFF_FIRST = 0.1
BACKOFF_MAX = 10.0
SLOW_S = 5.0

#: Makes a batch of a venue durable, or raises JournalError.
Append = Callable[[str, list[T]], Awaitable[object]]
Settled = Callable[[list[Receipt]], None]

_log = logging.getLogger(__name__)


class Lane(Generic[T]):
    """venue: whose lane it is. settled: told the receipts whose last item here became durable.

    linger_s: how long the first item waits for company. batch: most items of one write.
    """

    def __init__(
        self, what: str, venue: str, append: Append[T], settled: Settled, *, linger_s: float, batch: int
    ) -> None:
        self._name = f"{what} of {venue}"
        self._venue = venue
        self._append = append
        self._settled = settled
        self._linger_s = linger_s
        self._batch = batch
        self._items: deque[T] = deque()
        self._ends: deque[tuple[Receipt, int]] = deque()  # a receipt and how many items were put up to its last
        self._put = 0
        self._safe = 0
        self._work = asyncio.Event()
        self._enough = asyncio.Event()
        self._closing = False
        self._complained = False

    def __len__(self) -> int:
        """Items put and not durable yet."""
        return self._put - self._safe

    def put(self, items: Sequence[T], receipt: Receipt | None) -> None:
        """Take these along; `receipt` has one part more until all that is on the lane now is durable.

        None: nobody waits for these.

        Without items it waits for those before it: what it left out as a repeat is then as safe as what it repeats.
        """
        if not items and not len(self):
            return
        self._items.extend(items)
        self._put += len(items)
        if receipt is not None:
            receipt.parts += 1
            self._ends.append((receipt, self._put))
        self._work.set()
        if len(self._items) >= self._batch:
            self._enough.set()

    def close(self) -> None:
        """Nothing more will be put: `run` returns when all is durable."""
        self._closing = True
        self._work.set()
        self._enough.set()

    async def run(self) -> None:
        """Write batches until closed and empty."""
        while True:
            await self._work.wait()
            if not self._items:
                if self._closing:
                    return
                self._work.clear()
                continue
            await self._linger()
            batch = [self._items.popleft() for _ in range(min(self._batch, len(self._items)))]
            await self._write(batch)
            self._safe += len(batch)
            done = []
            while self._ends and self._ends[0][1] <= self._safe:
                done.append(self._ends.popleft()[0])
            self._settled(done)

    async def _linger(self) -> None:
        if len(self._items) >= self._batch or self._closing:
            return
        self._enough.clear()
        try:
            async with asyncio.timeout(self._linger_s):
                await self._enough.wait()
        except TimeoutError:
            pass

    async def _write(self, batch: list[T]) -> None:
        wait = BACKOFF_FIRST
        # some journals raise when they are away, some wait: both are worth one line, and one when it is over
        slow = asyncio.get_running_loop().call_later(SLOW_S, self._complain, "no answer")
        try:
            while True:
                try:
                    await self._append(self._venue, batch)
                except JournalError as error:
                    self._complain(str(error))
                    await asyncio.sleep(wait)
                    wait = min(2 * wait, BACKOFF_MAX)
                else:
                    break
        finally:
            slow.cancel()
        if self._complained:
            self._complained = False
            _log.warning("writing the %s again; nothing is lost", self._name)

    def _complain(self, why: str) -> None:
        if not self._complained:
            self._complained = True
            _log.error("cannot write the %s, keeping all and trying again: %s", self._name, why)


class Lanes(Generic[T]):
    """The lanes of one kind, one a venue, each running in `group` from its first item on."""

    def __init__(self, what: str, append: Append[T], settled: Settled, *, linger_s: float, batch: int = 500) -> None:
        self._what = what
        self._append = append
        self._settled = settled
        self._linger_s = linger_s
        self._batch = batch
        self._lanes: dict[str, Lane[T]] = {}
        self.tasks: list[asyncio.Task[None]] = []

    def __len__(self) -> int:
        return sum(len(lane) for lane in self._lanes.values())

    def put(self, group: asyncio.TaskGroup, venue: str, items: Sequence[T], receipt: Receipt | None) -> None:
        """Put items on the lane of a venue. The venues must be few: their lanes are kept."""
        lane = self._lanes.get(venue)
        if lane is None:
            lane = Lane(self._what, venue, self._append, self._settled, linger_s=self._linger_s, batch=self._batch)
            self._lanes[venue] = lane
            self.tasks.append(group.create_task(lane.run(), name=f"{self._what} of {venue}"))
        lane.put(items, receipt)

    def close(self) -> None:
        """Nothing more will be put on any lane."""
        for lane in self._lanes.values():
            lane.close()
