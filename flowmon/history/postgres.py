"""History in PostgreSQL, for the cluster. The only home of asyncpg.

Connections are made when they are needed and thrown away, all of them, when one fails: asyncpg leaves some that
were cut in mid-statement in a state it cannot leave. So a restart of the database costs the caller one or more
FlowmonErrors and nothing else; the batch is written again and repeats change nothing.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import asyncpg

from flowmon.clock import Clock
from flowmon.errors import FlowmonError
from flowmon.findings import Published
from flowmon.history.rows import from_row, key, schema, to_rows

CONNECT_S = 5.0
STATEMENT_S = 30.0

#: What asyncpg raises when the database, or the way to it, fails; ValueError for a URL it cannot read.
FAILURES = (
    OSError,
    ValueError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)

_INSERT = """
INSERT INTO findings
SELECT * FROM unnest($1::text[], $2::bigint[], $3::integer[], $4::text[], $5::text[],
                     $6::double precision[], $7::double precision[], $8::text[])
ON CONFLICT DO NOTHING
"""
_QUERY = """
SELECT venue, "offset", "index", body FROM findings
WHERE venue = $1 AND subject = $2 AND at >= $3 AND at < $4 ORDER BY at, "offset", "index" LIMIT $5
"""
_NEWEST = 'SELECT at FROM findings WHERE venue = $1 ORDER BY "offset" DESC, "index" DESC LIMIT 1'
_LATEST = 'SELECT coalesce(max("offset"), -1) FROM findings WHERE venue = $1'
_TABLE = "SELECT to_regclass('findings') IS NOT NULL"


class PostgresHistory:
    """The store at `url` (`postgresql://user:password@host:5432/database`); nothing is contacted yet.

    Creates its table at the first use. Every verb raises FlowmonError while the database is out of reach.
    """

    def __init__(self, url: str, *, clock: Clock | None = None, connections: int = 4) -> None:
        self._url = url
        self._clock = clock or Clock()
        self._connections = connections
        self._pool: asyncpg.Pool | None = None
        self._opening = asyncio.Lock()
        self._ready = False
        self._closed = False

    async def write(self, published: Sequence[Published]) -> int:
        """Store a batch, idempotent on `(venue, offset, index)`; returns how many were new."""
        if not published:
            return 0
        columns = zip(*to_rows(published, recorded=self._clock.now()), strict=True)
        async with self._connection() as connection:
            status = await connection.execute(_INSERT, *map(list, columns))
        return int(status.rpartition(" ")[2])  # "INSERT 0 17"

    async def query(
        self, venue: str, subject: str, *, start: float, end: float, limit: int = 10_000
    ) -> list[Published]:
        """Findings of a subject (`zone/foyer`) with start <= at < end, oldest first."""
        async with self._connection() as connection:
            rows = await connection.fetch(_QUERY, venue, key(subject), start, end, limit)
        return [from_row(*row) for row in rows]

    async def latest_offset(self, venue: str) -> int:
        """The highest journal offset stored for a venue, -1 when none."""
        async with self._connection() as connection:
            return int(await connection.fetchval(_LATEST, venue))

    async def close(self) -> None:
        """Let go of the connections. Idempotent."""
        self._closed = True
        self._let_go()

    async def _opened(self) -> asyncpg.Pool:
        async with self._opening:
            if self._pool is None:
                self._pool = await asyncpg.create_pool(
                    self._url,
                    min_size=0,
                    max_size=self._connections,
                    timeout=CONNECT_S,
                    command_timeout=STATEMENT_S,
                )
            return self._pool

    def _let_go(self) -> None:
        pool, self._pool = self._pool, None
        self._ready = False  # the database may come back empty
        if pool is not None:
            pool.terminate()

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[asyncpg.Connection]:
        if self._closed:
            raise FlowmonError("the history is closed")
        try:
            pool = await self._opened()
            async with pool.acquire() as connection:
                if not self._ready:
                    await connection.execute(schema())
                    self._ready = True
                yield connection
        except FAILURES as error:
            self._let_go()
            raise FlowmonError(f"PostgreSQL at {place(self._url)}: {explained(error)}") from error


async def newest(url: str, venues: Sequence[str], *, timeout_s: float) -> float | None:
    """Time of the newest finding stored of any of the venues, None when there is none. Raises FlowmonError."""
    try:
        connection = await asyncpg.connect(url, timeout=timeout_s, command_timeout=timeout_s)
        try:
            found = [await connection.fetchval(_NEWEST, venue) for venue in venues]
        finally:
            connection.terminate()
    except FAILURES as error:
        raise FlowmonError(f"PostgreSQL at {place(url)}: {explained(error)}") from error
    return max((at for at in found if at is not None), default=None)


async def table_there(url: str, *, timeout_s: float) -> bool:
    """Whether the history's table stands in the database at `url`. Raises FlowmonError when out of reach."""
    try:
        connection = await asyncpg.connect(url, timeout=timeout_s, command_timeout=timeout_s)
        try:
            return bool(await connection.fetchval(_TABLE))
        finally:
            connection.terminate()
    except FAILURES as error:
        raise FlowmonError(f"PostgreSQL at {place(url)}: {explained(error)}") from error


def place(url: str) -> str:
    """Host, port and database of a URL, without the password."""
    try:
        parts = urlsplit(url)
        port = parts.port or 5432
    except ValueError:
        return "a URL that cannot be read"
    return f"{parts.hostname or 'nowhere'}:{port}{parts.path}"


def explained(error: Exception) -> str:
    """What is wrong and what to do about it."""
    match error:
        case asyncpg.InvalidPasswordError() | asyncpg.InvalidAuthorizationSpecificationError():
            return f"{error}; put the right user and password into FLOWMON_POSTGRES"
        case asyncpg.InvalidCatalogNameError():
            return f"{error}; create the database, or name another one in FLOWMON_POSTGRES"
        case asyncpg.PostgresConnectionError() | OSError() | asyncpg.InterfaceError() | asyncpg.InternalClientError():
            return f"out of reach ({error or type(error).__name__}); start it, or correct FLOWMON_POSTGRES"
        case _:
            return f"{error or type(error).__name__}"
