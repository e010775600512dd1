"""History in one file, for one process: SQLite with a write-ahead log, from the standard library.

Losing the last moments in a power cut is no harm: the journal beside it holds everything, and writing the same
findings again changes nothing.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from flowmon.clock import Clock
from flowmon.errors import FlowmonError
from flowmon.findings import Published
from flowmon.history.rows import from_row, key, schema, to_rows

T = TypeVar("T")


class SqliteHistory:
    """The store in `path`, made when absent. Raises FlowmonError when it cannot be used."""

    def __init__(self, path: Path, *, clock: Clock | None = None) -> None:
        self._path = path
        self._clock = clock or Clock()
        self._lock = asyncio.Lock()  # one thread at a time uses the connection
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(path, timeout=5.0, check_same_thread=False)
        except (OSError, sqlite3.Error) as error:
            raise self._explained(error) from error
        try:
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = NORMAL")
            self._connection.executescript(schema())
        except sqlite3.Error as error:
            self._connection.close()
            raise self._explained(error) from error

    async def write(self, published: Sequence[Published]) -> int:
        """Store a batch, idempotent on `(venue, offset, index)`; returns how many were new."""
        rows = to_rows(published, recorded=self._clock.now())

        def insert() -> int:
            with self._connection as connection:  # one transaction
                statement = "INSERT INTO findings VALUES (?,?,?,?,?,?,?,?) ON CONFLICT DO NOTHING"
                return connection.executemany(statement, rows).rowcount

        return max(0, await self._run(insert))  # an empty batch reports -1

    async def query(
        self, venue: str, subject: str, *, start: float, end: float, limit: int = 10_000
    ) -> list[Published]:
        """Findings of a subject (`zone/foyer`) with start <= at < end, oldest first."""
        statement = (
            'SELECT venue, "offset", "index", body FROM findings WHERE venue = ? AND subject = ? '
            'AND at >= ? AND at < ? ORDER BY at, "offset", "index" LIMIT ?'
        )
        values = (venue, key(subject), start, end, limit)
        rows = await self._run(lambda: self._connection.execute(statement, values).fetchall())
        return [from_row(*row) for row in rows]

    async def latest_offset(self, venue: str) -> int:
        """The highest journal offset stored for a venue, -1 when none."""
        statement = 'SELECT coalesce(max("offset"), -1) FROM findings WHERE venue = ?'
        (found,) = await self._run(lambda: self._connection.execute(statement, (venue,)).fetchone())
        return int(found)

    async def close(self) -> None:
        """Let go of the file. Idempotent."""
        await self._run(self._connection.close)

    async def _run(self, work: Callable[[], T]) -> T:
        async with self._lock:
            try:
                return await asyncio.to_thread(work)
            except sqlite3.Error as error:
                raise self._explained(error) from error

    def _explained(self, error: Exception) -> FlowmonError:
        return FlowmonError(
            f"the history in {self._path} cannot be used: {error}; free space on that disk, or move the file "
            "away: the journal holds everything, and a new file is begun"
        )
