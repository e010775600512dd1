"""Findings on their way into the history of a one-process engine: in batches, and kept while the disk refuses."""

import asyncio
import logging
from collections.abc import Sequence

from flowmon.errors import FlowmonError
from flowmon.findings import Published
from flowmon.history.port import History

PAUSE_S = 0.5
MOST = 100_000

_log = logging.getLogger(__name__)


class Backlog:
    """What `history` does not have yet. most: how many findings wait; past that the oldest are dropped.

    What was dropped is still in the journal: until a restart `flush` never says again that all is well, so no
    checkpoint is saved, and the restart finds it once more.
    """

    def __init__(self, history: History, *, most: int = MOST) -> None:
        self.dropped = 0
        self._history = history
        self._most = most
        self._waiting: list[Published] = []
        self._grown = asyncio.Event()
        self._writing = asyncio.Lock()
        self._failing = False
        self._closing = False

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, published: Sequence[Published]) -> None:
        """Take these along."""
        self._waiting += published
        excess = len(self._waiting) - self._most if self._failing else 0
        if excess > 0:
            if not self.dropped:
                _log.error("more findings wait than can be kept: free space, then restart, which writes them all")
            self.dropped += excess
            del self._waiting[:excess]
        self._grown.set()

    async def flush(self) -> bool:
        """Write what waits. True when history then has everything it was ever given."""
        async with self._writing:
            batch, dropped = list(self._waiting), self.dropped
            try:
                if batch:
                    await self._history.write(batch)
            except FlowmonError as error:
                if not self._failing:
                    _log.error("history is not written, trying again: %s", error)
                self._failing = True
                return False
            del self._waiting[: max(0, len(batch) - (self.dropped - dropped))]
            if self._failing:
                _log.warning("history is written again")
            self._failing = False
        return not self.dropped

    def close(self) -> None:
        """Nothing more will be added: `run` ends after its next write."""
        self._closing = True
        self._grown.set()

    async def run(self) -> None:
        """Write a batch now and then until closed."""
        while not self._closing:
            await self._grown.wait()
            self._grown.clear()
            await asyncio.sleep(PAUSE_S)
            await self.flush()
            if self._waiting:
                self._grown.set()
