"""History on a real PostgreSQL: the same store, and no row lost or double when the database restarts."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from deploy.services import Services, free_port
from flowmon.clock import Clock
from flowmon.errors import FlowmonError
from flowmon.findings import Published
from flowmon.history.archive import archive
from flowmon.history.postgres import PostgresHistory, table_there
from tests.unit.test_history_sqlite import check_store, zone

pytestmark = pytest.mark.integration


@pytest.fixture
async def url(services: Services) -> str:
    """A database of its own on the running server."""
    server = services.postgres_url
    name = f"history_{free_port()}"
    connection = await asyncpg.connect(server)
    await connection.execute(f"CREATE DATABASE {name}")
    await connection.close()
    return f"{server.rpartition('/')[0]}/{name}"


async def test_store(url: str) -> None:
    assert not await table_there(url, timeout_s=3)
    history = PostgresHistory(url)
    await check_store(history)
    await history.close()
    await history.close()
    assert await table_there(url, timeout_s=3)


async def test_many_at_once_lose_nothing(url: str) -> None:
    history = PostgresHistory(url)
    await history.latest_offset("museum")  # the table
    new = await asyncio.gather(
        *(history.write([zone(offset) for offset in range(start, start + 50)]) for start in range(0, 500, 25))
    )
    assert sum(new) == 525
    await history.close()


class Stream:
    """Batches of ten findings until told to end; counts commits."""

    def __init__(self) -> None:
        self.offset = 0
        self.committed = 0
        self.ending = False

    async def read(self, venue: str | None = None) -> AsyncIterator[list[Published]]:
        while not self.ending:
            yield [zone(self.offset, index) for index in range(10)]
            self.offset += 1

    async def commit(self) -> None:
        self.committed = self.offset


@pytest.mark.parametrize("how", ["restart", "kill"])
async def test_a_restart_of_the_database_loses_and_doubles_nothing(services: Services, url: str, how: str) -> None:
    history = PostgresHistory(url)
    stream = Stream()
    async with asyncio.timeout(60):
        task = asyncio.create_task(archive(stream, history, clock=Clock(), pace_s=0.0, retry_s=(0.05,)))

        async def progressed(by: int) -> None:
            aim = stream.offset + by
            while stream.offset < aim:
                assert not task.done(), task
                await asyncio.sleep(0.01)

        for _ in range(3):
            await progressed(50)
            if how == "kill":
                await asyncio.to_thread(services.postgres.kill)
                await asyncio.to_thread(services.postgres.start)
            else:
                await asyncio.to_thread(services.postgres.restart)
        await progressed(50)
        stream.ending = True
        await task
    connection = await asyncpg.connect(url)
    rows = await connection.fetch('SELECT "offset", count(*) AS n FROM findings GROUP BY 1 ORDER BY 1')
    await connection.close()
    await history.close()
    assert stream.offset >= 200
    assert [(row["offset"], row["n"]) for row in rows] == [(offset, 10) for offset in range(stream.offset)]


async def test_what_is_wrong_is_said_with_what_to_do(url: str) -> None:
    for wrong, message in (
        (f"postgresql://flowmon@127.0.0.1:{free_port()}/flowmon", "out of reach .* start it"),
        (url + "_absent", "create the database"),
        ("postgresql://nobody:secret@" + url.partition("@")[2], "put the right user"),
        ("postgresql://127.0.0.1:port/flowmon", "cannot be read"),
    ):
        history = PostgresHistory(wrong)
        with pytest.raises(FlowmonError, match=message) as caught:
            await history.write([zone(1)])
        assert "secret" not in str(caught.value)
        await history.close()
