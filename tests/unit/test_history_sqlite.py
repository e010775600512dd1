"""History on SQLite, and what every store of findings must do (the same tests run on PostgreSQL)."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from flowmon.errors import FlowmonError
from flowmon.findings import Correction, Published, Rejected, VenueState, ZoneState
from flowmon.history.port import History
from flowmon.history.sqlite import SqliteHistory


def zone(offset: int, index: int = 0, *, at: float | None = None, name: str = "foyer") -> Published:
    moment = float(offset) if at is None else at
    state = ZoneState(at=moment, zone=name, occupancy=float(offset), lo=0.0, hi=9.5, capacity=50)
    return Published("museum", offset, index, state)


async def check_store(history: History) -> None:
    """Idempotent, in order, by subject and time, one venue apart from another."""
    assert await history.latest_offset("museum") == -1
    assert await history.write([]) == 0
    batch = [zone(offset) for offset in range(10)]
    assert await history.write(batch) == 10
    assert await history.write(batch) == 0
    assert await history.write([zone(9), zone(9, 1, at=9.5), zone(10), zone(10)]) == 2
    assert await history.latest_offset("museum") == 10
    assert await history.latest_offset("louvre") == -1

    assert await history.query("museum", "zone/foyer", start=3.0, end=6.0) == batch[3:6]
    assert await history.query("museum", "zone/foyer", start=0.0, end=99.0, limit=2) == batch[:2]
    assert await history.query("museum", "zone/hall", start=0.0, end=99.0) == []
    assert await history.query("louvre", "zone/foyer", start=0.0, end=99.0) == []

    odd = "x\0" + "é" * 5000
    others = [
        Published("museum", 11, 0, VenueState(at=1.0, occupancy=None, lo=0.0, hi=0.0, capacity=1)),
        Published("museum", 11, 1, Correction(at=1.0, zone="foyer", before=3.0, after=0.0, reason="closing", by="é")),
        Published("museum", 11, 2, Rejected(at=1.0, source=odd, reason='"\\\0\u2028')),
    ]
    assert await history.write(others) == 3
    assert await history.query("museum", "venue", start=1.0, end=2.0) == others[:1]
    assert await history.query("museum", f"rejected/{odd}", start=1.0, end=2.0) == others[2:]


@pytest.fixture
async def history(tmp_path: Path) -> AsyncIterator[SqliteHistory]:
    store = SqliteHistory(tmp_path / "deep" / "history.sqlite")
    yield store
    await store.close()


async def test_store(history: SqliteHistory) -> None:
    await check_store(history)


async def test_a_second_start_finds_what_the_first_wrote(tmp_path: Path) -> None:
    first = SqliteHistory(tmp_path / "h.sqlite")
    await first.write([zone(1), zone(2)])
    await first.close()
    await first.close()
    second = SqliteHistory(tmp_path / "h.sqlite")
    assert await second.write([zone(2), zone(3)]) == 1
    assert [p.offset for p in await second.query("museum", "zone/foyer", start=0, end=9)] == [1, 2, 3]
    await second.close()


async def test_many_at_once_lose_nothing(history: SqliteHistory) -> None:
    new = await asyncio.gather(
        *(history.write([zone(offset) for offset in range(start, start + 50)]) for start in range(0, 500, 25))
    )
    assert sum(new) == 525
    assert len(await history.query("museum", "zone/foyer", start=0, end=9999)) == 525


async def test_what_cannot_be_used_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "no.sqlite").write_bytes(b"this is no database" * 100)
    with pytest.raises(FlowmonError, match=r"file is not a database; .* move the file away"):
        SqliteHistory(tmp_path / "no.sqlite")
    (tmp_path / "folder").mkdir()
    with pytest.raises(FlowmonError, match="cannot be used"):
        SqliteHistory(tmp_path / "folder")
    closed = SqliteHistory(tmp_path / "h.sqlite")
    await closed.close()
    with pytest.raises(FlowmonError, match="closed"):
        await closed.write([zone(1)])
